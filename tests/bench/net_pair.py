# SPDX-License-Identifier: Apache-2.0
"""
How fast a guest and a switch exchange messages where each has a processor: QEMU with a thread for each, by the clock. Without the monitor
the guest's other end is dom0 behind Xen's netfront, netback and Open vSwitch; above it the switch domain behind its Open vSwitch and a
channel; it is on the third processor, since QEMU's first one is not safe from what others do (docs/hardware.md), and dom0, on the first, is idle.
Rounds take turns within a boot; a number is their median. For machines that are idle and have two processors. Writes a row for each way, kind and
size of messages to build/bench/net-pair.csv, and their ratios to net-pair.svg.
"""

import csv
import os
import re
import shutil
import statistics

import chart
import emulate
import net_lab
from labkit import guests, image, net, paths
from tables import table

HERE = os.path.dirname(os.path.abspath(__file__))
OVERLAY = os.path.join(net_lab.OUT, "net-pair-overlay")
CSV = os.path.join(net_lab.OUT, "net-pair.csv")
WAYS = {"netfront": ["--no-monitor"], "adaptive": [], "busy": []}
ROUNDS = 5
NAMES = ["pair"]
WORK = {
    "stream": {64: 16384, 256: 8192, 1024: 8192, 4096: 4096, 16384: 2048, 65536: 1024},
    "datagram": {64: 2048, 256: 2048, 1024: 2048, 1400: 2048, 4096: 1024, 16384: 512},
    "turn": {64: 512, 1024: 512, 4096: 512, 16384: 256, 65536: 256},
}
RESULT = re.compile(r"BENCH (stream|datagram|turn) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", re.M)
KHZ = re.compile(r"BENCH tsc (\d+)$", re.M)
HEAD = ["way", "kind", "bytes", "messages", "rounds", "us_per_message", "mbit_per_s", "mbit_per_s_least", "mbit_per_s_most"]


def build(way):
    """Dom0's overlay: the guest, and Open vSwitch or a switch domain."""
    shutil.rmtree(OVERLAY, ignore_errors=True)
    folder = os.path.join(OVERLAY, "net")
    image.ensure(emulate.say)
    program = os.path.join(net_lab.OUT, "net")
    if way == "netfront":
        os.makedirs(folder)
        net.add_ovs(OVERLAY)
        guests.ensure(emulate.say)
        shutil.copy(os.path.join(paths.GUESTS, "vmlinuz"), folder)
        net.build_guest(os.path.join(folder, "initrd"), {"bin/net": program})
        net_lab.write_guest(folder, "client")
        shutil.copy(program, folder)
    else:
        net.build_overlay(OVERLAY, [net.make_module()], {"bin/net": program})
        os.makedirs(os.path.join(folder, "more/bin"))
        shutil.copy(program, os.path.join(folder, "more/bin"))
    shutil.copy(os.path.join(HERE, "net-pair.sh"), folder)


PLOT = """
set datafile separator ','
set grid
set key below
set logscale x 2
set logscale y
set yrange [0.2:5]
set ytics (0.25, 0.5, 1, 2, 4)
set xlabel 'message, bytes'
set multiplot layout 1,2
"""
RATIO = """
set ylabel '%s / netfront'
plot 1 with lines title 'as fast as netfront', %s
"""


def draw(rows, svg):
    """Mbit/s of the channels' modes as a part of netfront's."""
    base = {tuple(r[1:3]): r[6] for r in rows if r[0] == "netfront"}
    script = PLOT
    for way in list(WAYS)[1:]:
        lines = []
        for kind in WORK:
            points = ["%d,%.3f" % (r[2], r[6] / base[r[1], r[2]]) for r in rows if r[:2] == [way, kind]]
            script += "$%s_%s << END\n%s\nEND\n" % (way, kind, "\n".join(points))
            lines.append("$%s_%s using 1:2 with linespoints title '%s'" % (way, kind, kind))
        script += RATIO % (way, ", ".join(lines))
    chart.draw(script + "unset multiplot\n", svg)


def once(way):
    build(way)
    words = net_lab.words(WORK)
    text_, _ = emulate.lab("bench-net-pair-" + way, "svm", *WAYS[way], "--overlay", OVERLAY, "--exec",
                           "sh /net/net-pair.sh " + " ".join([way, str(ROUNDS), *words]), counted=("--cpus", "2" if way == "netfront" else "3"))
    khz, found, all_ = KHZ.search(text_), {}, RESULT.findall(text_)
    for line in re.findall(r"LOST in .*", text_):
        emulate.say("%s: %s" % (way, line))
    if not khz or len(all_) != ROUNDS * len(words) or any(m[6] != "0" for m in all_):
        raise SystemExit("%s\nbench: %s: failed: %d results of %d" % (text_[-3000:], way, len(all_), ROUNDS * len(words)))
    for kind, size, count, ticks, *_ in all_:
        found.setdefault((kind, int(size), int(count)), []).append(int(ticks) / int(khz.group(1)) * 1e3)
    return [row(way, *key, us) for key, us in found.items()]


def row(way, kind, size, count, us):
    """us: of each round, microseconds"""
    rates = [8.0 * size * count / t for t in us]
    return [way, kind, size, count, len(us), round(statistics.median(us) / count, 2)] + [
        round(f(rates), 1) for f in (statistics.median, min, max)]


def measure(_):
    rows = [r for way in WAYS for r in once(way)]
    with open(CSV, "w", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(HEAD)
        writer.writerows(rows)
    draw(rows, CSV[:-4] + ".svg")
    return rows


def text(results):
    """A row for each kind and size, the ways beside each other."""
    rows = results.get("pair", [])
    by = {(r[0], r[1], r[2]): r for r in rows}
    out = []
    for way, kind, size in by:
        if way == "netfront":
            three = [by[w, kind, size] for w in WAYS]
            base = three[0][6]
            out.append([kind, size] + ["%s (%s-%s)" % (r[6], r[7], r[8]) for r in three] +
                       ["%.2f" % (r[6] / base) for r in three[1:]])
    if not out:
        return ""
    head = ["kind", "bytes", *("Mbit/s, " + w for w in WAYS), *(w + " / netfront" for w in list(WAYS)[1:])]
    return "A guest and its switch, a processor each (`build/bench/net-pair.csv`):\n\n" + table(head, out) + NOTES


NOTES = """\
- Median of %d rounds, and the least and the most. Emulated processors: no machine's speed, a ratio between ways only.
- Kinds of messages as above; the answer is dom0's or the switch domain's own.
""" % ROUNDS
