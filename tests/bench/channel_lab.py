# SPDX-License-Identifier: Apache-2.0
"""
How often a port of nether-vif should look, and how much room its channel needs: the two sweeps of "Virtual Switching Without a
Hypervisor" (Hot-ICE 2012), pages and periods, and the adaptive mode beside busy polling. Two ports of one kernel over tests/module's
pretended monitor, in two network namespaces of a plain QEMU with one CPU, whose time is its instructions (channel/init has the machine,
channel/sweep.c what runs in it). "ring" is channel/run, natively. Writes channel-pages, channel-period, channel-adaptive, .csv and .svg, to
build/bench.
"""

import csv
import os
import re
import subprocess
import sys
import time

import chart
from emulate import say
from labkit import image, paths
from labkit.cpio import Cpio
from labkit.process import die_with_parent
from tables import table

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "channel")
OUT = os.path.join(paths.BUILD, "bench")
NAMES = ["sweep-pages", "sweep-period", "adaptive", "ring"]
SECONDS = 1800  # for a machine
# Without REP MOVSB as the fast way to copy, which here would be an instruction a byte: MOVSQ is one for eight.
CPU = "max,-erms,-fsrm"
CMDLINE = ("console=ttyS0 quiet loglevel=4 printk.time=0 panic=-1 oops=panic net.ifnames=0 no_timer_check nokaslr random.trust_cpu=on "
           "tsc=reliable nowatchdog")
PAGES = (16, 32, 64, 128, 256, 512, 1024)
PERIODS = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)  # us
LONGEST = (50, 100, 200, 500, 1000, 2000, 4000)  # us: an adaptive port's pauses
PERIODIC = "mode=periodic budget=65536 period_us="  # no bound but the ring's
DATAGRAM, STREAM = "datagram:1400:0", "stream:65536"
MODES = {"busy": ("", "mode=busy"), "adaptive": ("", "mode=adaptive"), "adaptive+bells": ("fake_bells=1", "mode=adaptive")}
LOADS = {"idle": [], "turns": ["turn:64:500"], "turns 2 ms": ["turn:64:2000"],
         **{"%d Mbit/s" % n: ["datagram:1400:%d" % n, "turn:64:500"] for n in (25, 50, 100, 200, 300)},
         "datagrams": [DATAGRAM, "turn:64:500"], "stream": [STREAM, "turn:64:500"]}


# --- the machine -----------------------------------------------------------------------------------------------------

def build():
    image.ensure_packages(say)
    version = image.kernel_version()
    lock = os.path.join(paths.BUILD, "linux", "lock")
    os.makedirs(os.path.dirname(lock), exist_ok=True)
    subprocess.run(["flock", lock, "make", "-s", "module-tests", "KERNEL=/lib/modules/%s/build" % version], cwd=paths.ROOT, check=True)
    return version


def initrd(path, version, points):
    with open(path, "wb") as out:
        cpio = Cpio(out)
        for name in ("dev", "proc", "sys", "tmp", "bin", "lib"):
            cpio.dir(name)
        cpio.char("dev/console", 5, 1)
        cpio.file("init", os.path.join(HERE, "init"))
        cpio.file("bin/busybox", os.path.join(image.DEBIAN, "bin/busybox"))
        cpio.file("bin/sweep", os.path.join(OUT, "sweep"))
        cpio.file("lib/configfs.ko", os.path.join(image.DEBIAN, "lib/modules", version, "kernel/fs/configfs/configfs.ko"))
        cpio.file("lib/nether-vif.ko", os.path.join(paths.BUILD, "linux", version, "fake.ko"))
        cpio.data("work", "".join("|".join(map(str, (i, *point))) + "\n" for i, point in enumerate(points)).encode())
        cpio.close()


def command(path, counts):
    """One instruction is a nanosecond; while all sleep time goes on at once. No clock, no randomness of the host's."""
    return ["qemu-system-x86_64", "-accel", "tcg", "-icount", "shift=0,sleep=off", "-cpu", CPU, "-smp", "1", "-m", "512",
            "-display", "none", "-no-reboot", "-nodefaults", "-serial", "stdio", "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1",
            "-plugin", "file=%s,out=%s" % (os.path.join(OUT, "count.so"), counts),
            "-kernel", image.boot_file(image.DOM0_KERNEL), "-initrd", path, "-append", CMDLINE]


def run(name, points):
    """
    [{"cpu": share, and of its jobs: "datagram", "stream": Mbit/s, "turn": (median, 99th percentile) in us}] of points: the module's
    parameters, keys of both ports, keys of the offerer's, milliseconds before and of the measurement, jobs.
    """
    os.makedirs(OUT, exist_ok=True)
    path, counts, log = (os.path.join(OUT, name + end) for end in (".initrd", ".counts", ".log"))
    points = [(parameters, keys, offer, "%d %d %s" % (warm, ms, " ".join(jobs))) for parameters, keys, offer, warm, ms, *jobs in points]
    initrd(path, build(), points)
    start = time.monotonic()
    with open(log, "w", encoding="utf-8") as out:
        subprocess.run(command(path, counts), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, timeout=SECONDS,
                       preexec_fn=die_with_parent, check=False)
    say("%s: %.0f s" % (name, time.monotonic() - start))
    with open(log, encoding="utf-8", errors="replace") as f:
        said = re.findall(r"^BEGIN (\d+)\n(.*?)^END$", f.read().replace("\r", ""), re.M | re.S)
    with open(counts, encoding="ascii") as f:
        marks = [int(n) for n in re.findall(r"^mark [01] all (\d+)", f.read(), re.M)]
    if [int(n) for n, _ in said] != list(range(len(points))) or len(marks) != 2 * len(points) or any("FAILED" in t for _, t in said):
        sys.exit("bench: %s failed: see %s" % (name, log))
    return [parse(text_, marks[2 * i + 1] - marks[2 * i]) for i, (_, text_) in enumerate(said)]


def parse(said, instructions):
    ns = int(re.search(r"^ns (\d+)$", said, re.M).group(1))
    found = {"cpu": instructions / ns}
    for kind, received in re.findall(r"^(datagram|stream) \d+ (\d+)$", said, re.M):
        found[kind] = 8e3 * int(received) / ns
    turn = re.search(r"^turn (\d+) (\d+) (\d+) (\d+) \d+$", said, re.M)
    if turn:
        count, lost, median, p99 = map(int, turn.groups())
        if count < 100 or lost:
            sys.exit("bench: %d answers, and %d lost: too few" % (count, lost))
        found["turn"] = median / 1e3, p99 / 1e3
    return found


# --- the benchmarks: each gives the rows of its CSV ------------------------------------------------------------------------

def percent(share):
    return "%.2f" % (100 * min(share, 1))  # ends of an interval are some instructions from its marks


def mbit(point, kind):
    return "%.1f" % point.get(kind, 0)


def us(turn):
    return ["%.1f" % t for t in turn]


def turns(gap_us, period_us):
    """A point's last three: some 200 of them."""
    return 100, 200 * (gap_us + period_us) // 1000, "turn:64:%d" % gap_us


def pages():
    load = [("", PERIODIC + "1000", "pages=%d" % n, 150, 300, job) for n in PAGES for job in (DATAGRAM, STREAM)]
    found = run("sweep-pages", load)
    return [[n, mbit(d, "datagram"), percent(d["cpu"]), mbit(s, "stream"), percent(s["cpu"])]
            for n, d, s in zip(PAGES, found[::2], found[1::2])]


def periods():
    points = []
    for period in PERIODS:
        settle = 150 + period // 5  # TCP's window needs some round trips
        points += [("", PERIODIC + str(period), "pages=256", *rest) for rest in (
            (settle, 300, DATAGRAM), (settle, 300, STREAM), turns(max(500, 2 * period), period), (500, 500))]
    found = run("sweep-period", points)
    return [[period / 1000, mbit(d, "datagram"), percent(d["cpu"]), mbit(s, "stream"), percent(s["cpu"]), *us(t["turn"]), percent(i["cpu"])]
            for period, d, s, t, i in zip(PERIODS, *(found[n::4] for n in range(4)))]


def adaptive():
    jobs = [(mode, "", load) for mode in MODES for load in LOADS] + [("adaptive", n, load) for n in LONGEST for load in ("idle", "turns 2 ms")]
    points = []
    for mode, longest, load in jobs:
        parameters, keys = MODES[mode]
        # Who looks all the time is not idle: half a second shows that.
        span = (1000, 500 if mode == "busy" else 10000) if load == "idle" else (100, 2000 if load == "turns 2 ms" else 300)
        points.append((parameters, keys + (" sleep_us=%d" % longest if longest else ""), "pages=256", *span, *LOADS[load]))
    found = run("adaptive", points)
    busy = {load: point.get("turn") for (mode, _, load), point in zip(jobs, found) if mode == "busy"}
    return [[mode, longest, load, mbit(point, kind_of(point)), percent(point["cpu"]), *delays(point.get("turn"), busy[load])]
            for (mode, longest, load), point in zip(jobs, found)]


def kind_of(point):
    return "stream" if "stream" in point else "datagram"


def delays(turn, busy):
    return [*us(turn), *("%.2f" % (a / b) for a, b in zip(turn, busy))] if turn else [""] * 4


def ring():
    done = subprocess.run([os.path.join(HERE, "run"), "--out", OUT], stdout=subprocess.PIPE, text=True, check=False)
    if not done.stdout:
        sys.exit("bench: the ring's benchmark says nothing")
    return done.stdout.split("\n")


# --- files and tables ------------------------------------------------------------------------------------------------------

THROUGH = ["datagrams Mbit/s", "datagrams CPU %", "stream Mbit/s", "stream CPU %"]
KINDS = {
    "sweep-pages": (pages, "channel-pages", ["pages", *THROUGH]),
    "sweep-period": (periods, "channel-period", ["period ms", *THROUGH, "turn median us", "turn p99 us", "idle CPU %"]),
    "adaptive": (adaptive, "channel-adaptive", ["mode", "longest pause us", "load", "Mbit/s", "CPU %", "turn median us", "turn p99 us",
                                                "median / busy", "p99 / busy"]),
}
PLOT = """
set datafile separator ','
set grid
set key below
set tics font ',10'
set multiplot layout 1,2
"""
SWEEP = """
set logscale x
set xlabel '%(x)s'
set xtics (%(tics)s)
set ylabel 'Mbit/s'
set yrange [0:*]
plot '%(csv)s' every ::1 using 1:2 with linespoints title 'datagrams of 1,400 bytes', '' every ::1 using 1:4 with linespoints title 'stream, 64 KiB'
set ylabel 'CPU, %%'
set yrange [0:105]
plot %(more)s '%(csv)s' every ::1 using 1:3 with linespoints title 'datagrams', '' every ::1 using 1:5 with linespoints title 'stream'
"""
LOADED = """
set xlabel 'load, Mbit/s of datagrams'
set xrange [0:320]
set ylabel 'round trip, us'
set yrange [0:500]
plot %(delay)s
set ylabel 'CPU, %%'
set yrange [0:105]
plot %(cpu)s
"""


def draw(name, path):
    csv_path = path + ".csv"
    if name == "adaptive":
        lines = ["'< grep \"^%s,,\\(turns\\|[0-9]* Mbit/s\\),\" %s' using 4:%%d with linespoints title '%s%%s'" % (m, csv_path, m) for m in MODES]
        body = LOADED % {"delay": ", ".join(line % of for line in lines for of in ((6, ", median"), (7, ", p99"))),
                         "cpu": ", ".join(line % (5, "") for line in lines)}
    else:
        period = name == "sweep-period"
        body = SWEEP % {"csv": csv_path, "x": "poll period, ms" if period else "pages of the channel",
                        "tics": ",".join(str(n) for n in ([p / 1000 for p in PERIODS] if period else PAGES)),
                        "more": "'%s' every ::1 using 1:8 with linespoints title 'idle'," % csv_path if period else ""}
    chart.draw(PLOT + body + "unset multiplot\n", path + ".svg")


def measure(name):
    if name == "ring":
        return ring()
    rows_of, file, head = KINDS[name]
    rows, path = rows_of(), os.path.join(OUT, file)
    with open(path + ".csv", "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
    draw(name, path)
    return rows


TITLES = {"sweep-pages": "Pages of a channel, at a period of 1 ms", "sweep-period": "Poll periods, with 256 pages",
          "adaptive": "Modes, with 256 pages"}


def text(results):
    parts = ["%s (`build/bench/%s.csv`):\n\n%s" % (TITLES[name], KINDS[name][1], table(KINDS[name][2], results[name]))
             for name in KINDS if name in results]
    if "ring" in results:
        parts.append("The ring, natively:\n\n" + "\n".join("    " + line if line else "" for line in results["ring"]))
    return "\n".join(parts)
