# SPDX-License-Identifier: Apache-2.0
"""The readable table made from results.json's contents."""

# name: (what, clock, operations in a loop or 0, goal in added % or None)
ROWS = {
    "boot": ("boot to dom0", "dom0", 0, 1.0),
    "pvh-boot": ("boot of a PVH guest", "dom0", 0, None),
    "hvm-boot": ("boot of an HVM guest", "dom0", 0, None),
    "cpu": ("CPU-bound guest: integer loop", "guest", 0, 0.5),
    "sha256": ("CPU-bound guest: SHA-256, 32 MiB", "guest", 0, 0.5),
    "compile": ("compile in the guest: TCC", "guest", 0, 1.0),
    "cpuid": ("heavy exits: CPUID", "guest", 20000, None),
    "port": ("heavy exits: port, answered by Xen", "guest", 20000, None),
    "port-dm": ("heavy exits: port, device model", "guest", 2000, None),
    "storm": ("dom0: fork and exec /bin/true x 300", "dom0", 0, None),
    "nothing": ("(the two readings around nothing)", "dom0", 0, None),
}
ROUND_TRIP_GOAL = 1000
NOTES = """\
Unit: instructions retired by the whole machine (QEMU TCG, -icount shift=0, one CPU: a TSC tick is an
instruction, or a nanosecond in which the CPU was idle). Guests are timed by their own TSC, dom0 by its.
- Boots and dom0's rows contain idle time, which can hide or exaggerate a few tenths of a percent; their
  "monitor %" (the instructions that the monitor counted as its own, over the total) has none.
- "Added" can be less than the monitor's share, even negative: TCG lacks next-RIP save and decode
  assists, so Xen on the bare machine fetches and decodes guest instructions itself; the monitor does it
  for less, and offers Xen the result.
- "Monitor's" is counted from the handler's first instruction to its last: the hundred or so around each
  world switch that save and load registers are in "with" only, as is the monitor's own start.
- Instructions are not time: the cost of a world switch in hardware, of nested paging's longer TLB misses
  and of colder caches is not in these numbers.
"""



def totals(name, pair):
    """Instructions without and with the monitor; for the boot, from the firmware's end."""
    clock = ROWS[name][1]
    without, above = (pair[k]["machine"][name][clock] for k in ("without", "with"))
    firmware = pair["with"]["machine"][name].get("firmware", 0)
    return without - firmware, above - firmware


def table(head, rows):
    width = [max(len(str(r[i])) for r in [head, *rows]) for i in range(len(head))]

    def line(row):
        return "| " + " | ".join(str(c).ljust(w) if i == 0 else str(c).rjust(w)
                                 for i, (c, w) in enumerate(zip(row, width))) + " |\n"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":")
                          for i, w in enumerate(width)) + "|\n"
    return line(head) + rule + "".join(map(line, rows)) + "\n"


def verdict(goal, value, unit):
    if goal is None:
        return ""
    return "<= %g%s: %s" % (goal, unit, "met" if value <= goal else "MISSED")


def present(pair):
    return [n for n in ROWS if n in pair["with"]["machine"]]


def costs(pair):
    rows = []
    for name in present(pair):
        without, above = totals(name, pair)
        added = 100.0 * (above - without) / without
        result = pair["with"]["machine"][name]
        own = sum(result["monitor"]["cycles"].values())
        base = result["dom0"] - result.get("firmware", 0)
        rows.append((ROWS[name][0], "{:,}".format(without), "{:,}".format(above),
                     "%+.2f" % added, "{:,}".format(own), "%.2f" % (100.0 * own / base),
                     verdict(ROWS[name][3], added, " %")))
    return table(("benchmark", "without", "with", "added %", "monitor's", "monitor %", "goal"), rows)


def loops(pair):
    rows = []
    for name in present(pair):
        count = ROWS[name][2]
        if not count:
            continue
        without, above = totals(name, pair)
        monitor = pair["with"]["machine"][name]["monitor"]
        rows.append((ROWS[name][0], count, round(without / count), round(above / count),
                     round(sum(monitor["cycles"].values()) / count),
                     "%.2f" % (sum(monitor["guest"].values()) / count),
                     "%.2f" % (sum(monitor["host"].values()) / count),
                     verdict(ROUND_TRIP_GOAL if name != "port-dm" else None,
                             sum(monitor["cycles"].values()) / count, "")))
    head = ("per operation", "operations", "without", "with", "monitor's", "guest exits", "L1 exits",
            "goal (monitor's)")
    return "Loops that exit, instructions per operation:\n\n" + table(head, rows) if rows else ""


def reasons(row, base, least=0.5):
    parts = sorted(((n * 1000.0 / base, r) for r, n in row.items()), reverse=True)
    return ", ".join("%s %.0f" % (r, n) for n, r in parts if n >= least)


def exits(pair):
    rows = []
    for name in present(pair):
        monitor = pair["with"]["machine"][name]["monitor"]
        guest, host = sum(monitor["guest"].values()), sum(monitor["host"].values())
        rows.append((ROWS[name][0], guest, host, monitor["host"].get("ENTER", 0), guest + host,
                     reasons(monitor["guest"], guest) if guest else
                     "(of L1's exits) " + reasons(monitor["host"], host)))
    head = ("exits", "of guests", "of L1", "guest entries", "world switches",
            "guests' reasons, per 1000 guest exits")
    return "Exits to the monitor (each is one switch into it and one back):\n\n" + table(head, rows)


def round_trips(pair):
    if "round-trips" not in pair["with"]:
        return ""
    rows = []
    for kind, cost in pair["with"]["round-trips"].items():
        bare = pair["without"]["round-trips"][kind]["total"]
        rows.append((kind, bare, cost["total"], cost["monitor"], cost["exit"], cost["entry"],
                     cost["gif"], cost["total"] - bare - cost["monitor"], verdict(ROUND_TRIP_GOAL, cost["monitor"], "")))
    head = ("round trip", "without", "with", "monitor's", "exit", "entry", "STGI/CLGI", "rest",
            "goal")
    return ("One exit from L2 to a minimal L1 and back, instructions (rest: VMLOAD and VMSAVE, which this"
            " L1 executes\neach time and Xen does not, and what the monitor's counters leave out):\n\n"
            + table(head, rows))


def repeats(rounds):
    """How far the second round is from the first, at most, over all rows."""
    if len(rounds) < 2:
        return ""
    out = "Second round against the first:\n\n"
    rows = []
    for name in present(rounds[0]):
        first, second = totals(name, rounds[0]), totals(name, rounds[1])
        rows.append((ROWS[name][0], *("{:+,}".format(b - a) for a, b in zip(first, second)),
                     *("%+.4f" % (100.0 * (b - a) / a) for a, b in zip(first, second))))
    out += table(("difference", "without", "with", "without %", "with %"), rows)
    if "round-trips" in rounds[0]["with"]:
        same = all(rounds[0][k]["round-trips"] == rounds[1][k]["round-trips"]
                   for k in ("without", "with"))
        out += "Round trips: %s.\n\n" % ("identical" if same else "NOT identical")
    return out


def text(results):
    pair = results["rounds"][0]
    boot = pair["with"]["machine"].get("boot", {})
    out = "Nethervisor %s: what it costs\n\n" % boot.get("version", results["commit"])
    if pair["with"]["machine"]:
        out += costs(pair) + loops(pair) + exits(pair)
        out += start(pair)
    out += round_trips(pair) + repeats(results["rounds"]) + NOTES
    return out + "- The compile: %d files, %d lines, ten times.\n- Measuring took %d s.\n" % (
        results["compiled"]["files"], results["compiled"]["lines"], results["seconds"])


def start(pair):
    """The monitor's own start is not in its exits' time, and Xen's wait may hide it."""
    boot = pair["with"]["machine"]["boot"]
    own = boot["xen_first_line"] - pair["without"]["machine"]["boot"]["xen_first_line"]
    without, above = totals("boot", pair)
    return ("The monitor's own start (what it adds before Xen's first line): {:,} instructions, not in"
            " \"monitor's\".\nXen then waits for the clock's next second, which hides it in the boot's"
            " \"with\"; counted in full: {:+.2f} %.\n\n").format(
                own, 100.0 * (above - without + own) / without)
