# SPDX-License-Identifier: Apache-2.0
"""
What a network costs two guests, counted by count.c in QEMU: messages from one to the other. Without the monitor they go through
Xen's netfront and netback and Open vSwitch in dom0; above it through channels and the switch domain's. Writes a row for each way,
kind and size of messages to build/bench/net.csv.
"""

import csv
import os
import re
import shutil

import disk_lab
import emulate
from labkit import guests, image, net, paths
from tables import table

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(paths.BUILD, "bench")
OVERLAY = os.path.join(OUT, "net-overlay")
CSV = os.path.join(OUT, "net.csv")
PLUGIN = os.path.join(OUT, "count.so")
GUESTS = {"server": ("00:16:3e:00:09:01", "10.9.0.1"), "client": ("00:16:3e:00:09:02", "10.9.0.2")}
# Messages of each size, as many as take some ten million instructions.
WORK = {
    "stream": {64: 4096, 256: 2048, 1024: 2048, 4096: 1024, 16384: 512, 65536: 256},
    "datagram": {64: 512, 256: 512, 1024: 512, 1400: 512, 4096: 256, 16384: 128},
    "turn": {64: 128, 1024: 128, 4096: 128, 16384: 64, 65536: 64},
}
NAMES = ["network"]
MONITOR = os.path.join(paths.BUILD, "nethervisor-svm")
WAYS = {"netfront": ["--no-monitor"], "channel": []}
LINE = re.compile(r"BENCH (\S+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)$", re.M)
MARK = re.compile(r"mark (\d+) all (\d+) monitor-enters (\d+) others-enter (\d+)(.*)")
HEAD = ["way", "kind", "bytes", "messages", "packets_sent", "packets_received", "instructions", "monitors_instructions", "exits",
        "monitors_enters", "ns",
        "instructions_per_message", "exits_per_message", "instructions_per_packet", "exits_per_packet", "mbit_per_s"]


def words(work):
    return ["%s:%d:%d" % (kind, size, count) for kind, sizes in work.items() for size, count in sizes.items()]


def build(way):
    """Dom0's overlay: the guests, and Open vSwitch or a switch domain."""
    shutil.rmtree(OVERLAY, ignore_errors=True)
    folder = os.path.join(OVERLAY, "net")
    image.ensure(emulate.say)
    program = {"bin/net": os.path.join(OUT, "net")}
    if way == "channel":
        net.build_overlay(OVERLAY, [net.make_module()], program)
    else:
        os.makedirs(folder)
        net.add_ovs(OVERLAY)
        guests.ensure(emulate.say)
        shutil.copy(os.path.join(paths.GUESTS, "vmlinuz"), folder)
        net.build_guest(os.path.join(folder, "initrd"), program)
        for name in GUESTS:
            write_guest(folder, name)
    shutil.copy(os.path.join(HERE, "net.sh"), folder)


def write_guest(folder, name):
    """Its configuration, with netfront."""
    mac, address = GUESTS[name]
    with open(os.path.join(HERE, "net.cfg")) as f:
        template = f.read()
    with open(os.path.join(folder, name + ".cfg"), "w") as f:
        f.write(template.replace("NAME", name).replace("MAC", mac).replace("ADDRESS", address))


def marks(path):
    """[(instructions, the monitor's of these, its VMRUNs, Xen's)] between each pair of marks."""
    found, before = [], None
    with open(path) as f:
        for line in f:
            n, total, own, others, rest = MARK.match(line).groups()
            now = int(total), sum(int(word.split(":")[1]) for word in rest.split()), int(own), int(others)
            if n == "0":
                before = now
            else:
                found.append([b - a for a, b in zip(before, now)])
    return found


def row(way, line, counted):
    """Of the CSV. Exits are guests', as many as Xen's VMRUNs: those that the monitor keeps to itself are not among them."""
    kind, size, count, ticks, sent, received = line[0], *map(int, line[1:6])
    instructions, monitors, enters, exits = counted
    packets = sent + received
    return [way, kind, size, count, sent, received, instructions, monitors, exits, enters, ticks,
            round(instructions / count), round(exits / count, 2), round(instructions / packets),
            round(exits / packets, 2), round(8e3 * size * count / ticks, 1)]


def once(way, work):
    build(way)
    out = os.path.join(OUT, "count-net-" + way)
    arguments = "file=%s,out=%s" % (PLUGIN, out)
    if way == "channel":
        disk_lab.symbols(MONITOR)
        arguments += ",symbols=%s,text=%s" % (os.path.join(OUT, "symbols"), os.path.join(OUT, "text"))
    emulate.Counted.plugin = ["-plugin", arguments]
    try:
        text_, _ = emulate.lab("bench-net-" + way, "svm", *WAYS[way], "--overlay", OVERLAY, "--exec",
                               "sh /net/net.sh " + " ".join([way, *words(work)]))
    finally:
        emulate.Counted.plugin = []
    lines, counts = LINE.findall(text_), marks(out)
    bad = [m[0] for m in lines if m[6] != "0"]
    if bad or len(lines) != len(words(work)) or len(counts) != len(lines):
        raise SystemExit("%s\nbench: %s: failed: %s; %d results and %d marks of %d" % (
            text_[-3000:], way, bad, len(lines), len(counts), len(words(work))))
    return [row(way, line, counted) for line, counted in zip(lines, counts)]


def measure(name, work=None, ways=WAYS):
    rows = [r for way in ways for r in once(way, work or WORK)]
    with open(CSV, "w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(HEAD)
        writer.writerows(rows)
    return rows


# --- the table -------------------------------------------------------------------------------------------------------

COLUMNS = ["way", "kind", "bytes", "messages", "packets_sent", "packets_received", "instructions_per_message", "exits_per_message",
           "instructions_per_packet", "exits_per_packet", "mbit_per_s"]
NOTES = """\
- The whole machine's instructions between the first message and the last answer, but no idle time: guests, Xen, dom0, the monitor.
- Exits: guests', as many as Xen's VMRUNs. Above the monitor each is several of the processor's world switches (monitors_enters in the CSV).
- "stream": TCP without Nagle's delay; what piles up is sent together, and a packet is what the guest's driver sees, up to 64 KiB. "datagram":
  UDP, 16 and then an answer; beyond 1,472 bytes in pieces. "turn": a message there, one as long back.
- Packets are the asking guest's, sent and received: acknowledgements are among them.
- Mbit/s: as if an instruction took a nanosecond, on one CPU for all; with idle time. No machine's speed, a ratio between ways only.
- A string instruction counts as often as it repeats: copies by REP MOVSB cost an instruction a byte here.
"""


def text(results):
    rows = [[r[HEAD.index(c)] for c in COLUMNS] for r in results.get("network", [])]
    if not rows:
        return ""
    head = [c.replace("_", " ") for c in COLUMNS]
    return "Networks of guests (`build/bench/net.csv`):\n\n" + table(head, rows) + NOTES
