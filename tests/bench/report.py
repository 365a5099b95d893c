# SPDX-License-Identifier: Apache-2.0
"""The readable tables made from results.json's contents."""

import isolation
from tables import table, verdict

# name: (what, clock, operations in a loop or 0, goal in added % or None)
ROWS = {
    "boot": ("boot to dom0", "dom0", 0, 1.0),
    "pvh-boot": ("boot of a PVH guest", "dom0", 0, None),
    "hvm-boot": ("boot of an HVM guest", "dom0", 0, None),
    "cpu": ("CPU-bound guest: integer loop", "guest", 0, 0.5),
    "fpu": ("FPU-heavy guest: SSE2 loop", "guest", 0, 0.5),
    "wakes": ("interrupt-heavy guest: integer loop", "guest", 0, None),
    "sha256": ("CPU-bound guest: SHA-256, 32 MiB", "guest", 0, 0.5),
    "compile": ("compile in the guest: TCC", "guest", 0, 1.5),
    "cpuid": ("heavy exits: CPUID", "guest", 20000, None),
    "fpu-exits": ("heavy exits: CPUID, FPU in use", "guest", 20000, None),
    "port": ("heavy exits: port, answered by Xen", "guest", 20000, None),
    "port-dm": ("heavy exits: port, device model", "guest", 2000, None),
    "storm": ("dom0: fork and exec /bin/true x 300", "dom0", 0, None),
    "nothing": ("(the two readings around nothing)", "dom0", 0, None),
}
ROUND_TRIP_GOAL = 2000  # with all of a guest hidden
EXITS_GOAL = 1.0  # per cent
TITLES = {"svm": "AMD SVM, in QEMU", "vmx": "Intel VMX, in Bochs"}
NOTES = {
    "svm": """\
Unit: instructions retired by the whole machine (QEMU TCG, -icount shift=0, one CPU: a TSC tick is an
instruction, or a nanosecond in which the CPU was idle). Guests are timed by their own TSC, dom0 by its.
- Boots and dom0's rows contain idle time, which can hide or exaggerate a few tenths of a percent; their
  "monitor %" (the instructions that the monitor counted as its own, over the total) has none.
- "Added" can be less than the monitor's share, even negative: TCG lacks next-RIP save and decode
  assists, so Xen on the bare machine fetches and decodes guest instructions itself; the monitor does it
  for less, and offers Xen the result.
- A string instruction counts as often as it repeats: a page that is zeroed by REP STOSB is 4,096.
""",
    "vmx": """\
Unit: instructions retired by the whole machine (Bochs, one CPU: a TSC tick is an instruction, or a step
in which the CPU was idle). Guests are timed by their own TSC, dom0 by its. {ips:,} ticks are a
second to the machine's timers: the fewer, the more timer interrupts for each instruction of a guest.
- Boots and dom0's rows contain idle time, which can hide or exaggerate a few tenths of a percent; their
  "monitor %" (the instructions that the monitor counted as its own, over the total) has none.
""",
}
COMMON_NOTES = """\
- "Monitor's" is counted from the handler's first instruction to its last: the hundred or so around each
  world switch that save and load registers are in "with" only, as is the monitor's own start.
- Instructions are not time: the cost of a world switch in hardware, of nested paging's longer TLB misses
  and of colder caches is not in these numbers.
"""
# What Xen's trace calls an exit, in the monitor's words: SVM's exit codes, VMX's basic reasons.
REASONS = {
    "svm": {0x60: "INTR", 0x61: "NMI", 0x64: "VINTR", 0x6e: "TSC", 0x72: "CPUID", 0x77: "PAUSE",
            0x78: "HLT", 0x79: "INVLPG", 0x7b: "PORT", 0x7c: "MSR", 0x81: "HYPERCALL",
            0x8d: "XSETBV", 0x400: "NESTED_FAULT", **dict.fromkeys(range(0x20), "CR"),
            **dict.fromkeys(range(0x20, 0x40), "DR"),
            **dict.fromkeys(range(0x40, 0x60), "EXCEPTION")},
    "vmx": {0: "EXCEPTION", 1: "INTR", 7: "VINTR", 8: "VINTR", 10: "CPUID", 12: "HLT", 14: "INVLPG",
            16: "TSC", 18: "HYPERCALL", 28: "CR", 29: "DR", 30: "PORT", 31: "MSR", 32: "MSR",
            40: "PAUSE", 43: "APIC", 44: "APIC", 45: "APIC", 48: "NESTED_FAULT",
            49: "NESTED_FAULT", 51: "TSC", 54: "CACHE", 55: "XSETBV", 56: "APIC"},
}
SAME = {"MSR_READ": "MSR", "MSR_WRITE": "MSR", "NMI": "EXCEPTION"}  # one reason to one of the vendors


def totals(name, pair):
    """Instructions without and with the monitor; for the boot, from the firmware's end."""
    clock = ROWS[name][1]
    without, above = (pair[k]["machine"][name][clock] for k in ("without", "with"))
    firmware = pair["with"]["machine"][name].get("firmware", 0)
    return without - firmware, above - firmware


def present(pair):
    return [n for n in ROWS if all(n in part["machine"] for part in pair.values())]


def costs(pair):
    rows = []
    for name in present(pair):
        without, above = totals(name, pair)
        added = 100.0 * (above - without) / without
        result = pair["with"]["machine"][name]
        own = sum(result["monitor"]["cycles"].values())
        base = max(1, result["dom0"] - result.get("firmware", 0))
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


def by_reason(pair):
    """The monitor's part of one exit, over all readings of guests; an entry is the host's ENTER."""
    sums = {}
    for how in ("no-isolation", "with"):
        for name, result in pair.get(how, {"machine": {}})["machine"].items():
            if name not in ROWS or ROWS[name][1] != "guest" and not name.endswith("-boot"):
                continue
            for reason, row in result["monitor"]["split"].items():
                sums.setdefault(reason, {}).setdefault(how, [0, 0])
                sums[reason][how] = [a + b for a, b in zip(sums[reason][how], row)]
    rows = []
    for reason, found in sorted(sums.items(), key=lambda item: -item[1].get("with", [0])[0]):
        cells = [[count, round(cycles / count)] if count else ["", ""]
                 for count, cycles in (found.get(how, [0, 0]) for how in ("no-isolation", "with"))]
        if cells[1][0] != "":
            rows.append((reason.lower(), *cells[0], *cells[1]))
    head = ("one exit of a guest", "not isolated", "instructions", "isolated", "instructions")
    return "The monitor's instructions for an exit, by its reason:\n\n" + table(head, rows) if rows else ""


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


def unshadowed(pair):
    """With VMCS shadowing off: each VMREAD and VMWRITE of L1 is an exit."""
    if "no-shadow" not in pair:
        return ""
    off = {"without": pair["without"], "with": pair["no-shadow"]}
    on = {"without": pair["without"], "with": pair["with"]}
    rows = []
    for name in [n for n in present(off) if n in present(on)]:
        above, (bare, slow) = totals(name, on)[1], totals(name, off)
        states = [p["with"]["machine"][name]["monitor"]["host"].get("STATE", 0) for p in (on, off)]
        rows.append((ROWS[name][0], "{:,}".format(bare), "{:,}".format(above),
                     "%+.2f" % (100.0 * (above - bare) / bare), "{:,}".format(slow),
                     "%+.2f" % (100.0 * (slow - bare) / bare), *map("{:,}".format, states)))
    head = ("VMCS shadowing", "without monitor", "on", "added %", "off", "added %",
            "VMCS exits, on", "VMCS exits, off")
    return ("VMCS shadowing on and off (`no-vmcs-shadowing` on the monitor's command line):\n\n"
            + table(head, rows)) if rows else ""


def seen(hw, row):
    """Xen's counts by raw reason, in words."""
    found = {}
    for code, n in row.items():
        word = REASONS[hw].get(int(code), "code %s" % code)
        found[word] = found.get(word, 0) + n
    return found


def common(row):
    found = {}
    for reason, n in row.items():
        found[SAME.get(reason, reason)] = found.get(SAME.get(reason, reason), 0) + n
    return found


def guest_exits(hw, pair):
    """Exits of one guest that Xen saw, by its own trace, and that the monitor saw."""
    if "exits" not in pair["with"]["machine"]:
        return ""
    columns = {"Xen alone": seen(hw, pair["without"]["machine"]["exits"]["seen"])}
    bare = columns["Xen alone"]
    if "no-apicv" in pair:
        bare = seen(hw, pair["no-apicv"]["machine"]["exits"]["seen"])
        columns["Xen alone, apicv=0"] = bare
    above = seen(hw, pair["with"]["machine"]["exits"]["seen"])
    columns["Xen above the monitor"] = above
    own = common(pair["with"]["machine"]["exits"]["monitor"]["guest"])
    columns["counted by the monitor"] = own
    words = sorted(set().union(*columns.values()), key=lambda w: -above.get(w, 0))

    def percent(a, b):
        return "%+.2f" % (100.0 * (b - a) / a) if a else ""

    rows = [(w, *("{:,}".format(c.get(w, 0)) for c in columns.values()),
             "{:+,}".format(above.get(w, 0) - bare.get(w, 0)),
             percent(bare.get(w, 0), above.get(w, 0)), "") for w in words]
    sums = [sum(c.values()) for c in columns.values()]
    total, all_bare = sum(above.values()), sum(bare.values())
    change = 100.0 * (total - all_bare) / all_bare
    rows.append(("all", *map("{:,}".format, sums), "{:+,}".format(total - all_bare),
                 "%+.2f" % change, verdict(EXITS_GOAL, abs(change), " %")))
    head = ("exits of a guest", *columns, "more above", "%", "goal")
    loop = [pair[k]["machine"]["exits"]["guest"] for k in (
        "no-apicv" if "no-apicv" in pair else "without", "with")]
    return ("A PVH guest's boot, CPUIDs, ports and integer loop: its exits as Xen's own trace counts"
            " them (xentrace),\nwithout and above the monitor, and as the monitor counts them.\n\n"
            + table(head, rows) + "The integer loop among it: {:,} instructions without, {:,} with"
            " ({:+.2f} %).\n\n".format(*loop, 100.0 * (loop[1] - loop[0]) / max(1, loop[0])))


def round_trips(hw, pair):
    if "round-trips" not in pair["with"]:
        return ""
    rows = []
    off = pair.get("no-shadow", {}).get("round-trips")
    for kind, cost in pair["with"]["round-trips"].items():
        bare = pair["without"]["round-trips"][kind]["total"]
        row = [kind, bare, cost["total"], cost["monitor"],
               *(cost.get(w, "") for w in ("exit", "entry", "other")),
               cost["total"] - bare - cost["monitor"]]
        if off:
            row += [off[kind]["total"], off[kind]["monitor"], off[kind].get("other", "")]
        rows.append(row + [verdict(ROUND_TRIP_GOAL if "exit" in cost else None, cost["monitor"], "")])
    head = ["round trip", "without", "with", "monitor's", "exit", "entry",
            "STGI/CLGI" if hw == "svm" else "VMCS", "rest"]
    if off:
        head += ["no shadow: with", "monitor's", "VMCS"]
    rest = {"svm": "VMLOAD and VMSAVE, which this L1 executes\neach time and Xen does not, and what the"
                   " monitor's counters leave out",
            "vmx": "what the\nmonitor's counters leave out; VMCS: this L1's VMREADs and VMWRITEs"
                   " that exit"}[hw]
    return ("One exit from L2 to a minimal L1 and back, instructions (rest: %s):\n\n" % rest
            + table(head + ["goal"], rows))


def repeats(rounds):
    """How far the second round is from the first, at most, over all rows."""
    if len(rounds) < 2:
        return ""
    out = "Second round against the first:\n\n"
    rows = []
    rounds = [{name: r[name] for name in ("without", "with")} for r in rounds]
    for name in present(rounds[0]):
        first, second = totals(name, rounds[0]), totals(name, rounds[1])
        rows.append((ROWS[name][0], *("{:+,}".format(b - a) for a, b in zip(first, second)),
                     *("%+.4f" % (100.0 * (b - a) / a) for a, b in zip(first, second))))
    if rows:
        out += table(("difference", "without", "with", "without %", "with %"), rows)
    if "round-trips" in rounds[0]["with"]:
        same = all(rounds[0][k]["round-trips"] == rounds[1][k]["round-trips"]
                   for k in ("without", "with"))
        out += "Round trips: %s.\n\n" % ("identical" if same else "NOT identical")
    return out


def text(hw, results):
    pair = results["rounds"][0]
    boot = pair["with"]["machine"].get("boot", {})
    out = "Nethervisor %s: what it costs on %s\n\n" % (
        boot.get("version", results["commit"]), TITLES[hw])
    two = {name: pair[name] for name in ("without", "with")}
    if pair["with"]["machine"]:
        out += costs(two) + loops(two) + by_reason(pair) + exits(two)
        out += start(two) + unshadowed(pair) + guest_exits(hw, pair)
    out += round_trips(hw, pair) + isolation.text(pair) + repeats(results["rounds"])
    out += NOTES[hw].format(ips=results.get("ips", 0)) + COMMON_NOTES
    if "compile" in pair["with"]["machine"]:
        out += "- The compile: %d files, %d lines, ten times.\n" % (
            results["compiled"]["files"], results["compiled"]["lines"])
    return out + "- Measuring took %d s.\n" % results["seconds"]


def start(pair):
    """The monitor's own start is not in its exits' time, and Xen's wait may hide it."""
    boot = pair["with"]["machine"]["boot"]
    own = boot["xen_first_line"] - pair["without"]["machine"]["boot"]["xen_first_line"]
    without, above = totals("boot", pair)
    return ("The monitor's own start (what it adds before Xen's first line): {:,} instructions, not in"
            " \"monitor's\".\nXen then waits for the clock's next second, which hides it in the boot's"
            " \"with\"; counted in full: {:+.2f} %.\n\n").format(
                own, 100.0 * (above - without + own) / without)
