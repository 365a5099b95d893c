# SPDX-License-Identifier: Apache-2.0
"""The tables of what memory isolation costs."""

from tables import table, verdict

PAGE = 4096
MIB = 1 << 20
# As dom0.sh has it: MiB of the guests that are launched, of random bytes, and of the one that is destroyed.
SMALL, LARGE, DATA, WHOLE = 64, 576, 64, 1024
MEMORY_GOAL = (0.004, 16 * MIB)  # of RAM, and in addition
FAULTS = {
    "nothing": "(nothing: the loop, and PAUSE)",
    "mark": "a table store that changes no page",
    "leaf": "a leaf cleared and put back: two stores",
    "export": "a private page read for the first time",
    "port": "an exit and an entry, port",
    "string-port": "two exits and entries, string port from private memory and port",
}
GUESTS = {"pvh-boot": "boot of a PVH guest", "cpu": "CPU-bound guest: integer loop",
          "sha256": "CPU-bound guest: SHA-256, 32 MiB", "compile": "compile in the guest: TCC",
          "cpuid": "heavy exits: CPUID", "port": "heavy exits: port, answered by Xen"}
REASONS = ("ENTER", "PORT", "CPUID", "INTR", "HYPERCALL", "MSR_WRITE")


def number(n):
    return "{:,}".format(round(n))


def own(result):
    return sum(result["monitor"]["cycles"].values())


def each(result, reason):
    """What the monitor spends on one exit for that reason."""
    monitor = result["monitor"]
    count = sum(monitor[of].get(reason, 0) for of in ("host", "guest"))
    return number(monitor["cycles"].get(reason, 0) / count) if count else ""


def added_exits(pair):
    """Exits of L1 that there are with isolation only, and what an exit costs with it and without."""
    if "no-isolation" not in pair:
        return ""
    rows, costs = [], []
    machines = [pair[k]["machine"] for k in ("no-isolation", "with")]
    for name in [n for n in GUESTS if all(n in machine for machine in machines)]:
        both = [machine[name] for machine in machines]
        off, on = (result["monitor"] for result in both)
        guest = sum(on["guest"].values())
        counts = [sum(n for r, n in m["host"].items() if r != "ENTER") for m in (off, on)]
        more = {r: on["host"].get(r, 0) - off["host"].get(r, 0)
                for r in {**on["host"], **off["host"]} if r != "ENTER"}
        ticks = [result["dom0" if name.endswith("boot") else "guest"] for result in both]
        rows.append((GUESTS[name], number(guest), *map(number, counts),
                     "%+.1f" % (1000.0 * (counts[1] - counts[0]) / guest),
                     ", ".join("%s %+d" % (r, n) for r, n in sorted(more.items(), key=lambda m: -abs(m[1]))
                               if abs(n) * 2000 >= guest),
                     *map(number, ticks), "%+.2f" % (100.0 * (ticks[1] - ticks[0]) / ticks[0])))
        costs.append((GUESTS[name], *(" / ".join(each(result, r) for result in both) for r in REASONS)))
    if not rows:
        return ""
    head = ("isolation adds", "exits of the guest", "of L1 but entries: no-isolation", "isolated",
            "added per 1,000 of the guest's", "which", "instructions: no-isolation", "isolated", "added %")
    return ("What isolation adds: the monitor's option `no-isolation` against its default.\n\n"
            + table(head, rows) + "The monitor's instructions for an exit, no-isolation / isolated (dom0's"
            " hypercalls and MSRs among them):\n\n" + table(("for an exit", *REASONS), costs))


def launches(pair):
    bare, above = (pair[k]["machine"] for k in ("without", "with"))
    if "launch-small" not in above:
        return ""
    rows = [("%s, %d MiB%s" % (what, size, more), number(bare[key]["dom0"]),
             number(above[key]["dom0"]), number(own(above[key])))
            for which, size, more in (("small", SMALL, ""), ("large", LARGE, ""), (
                "data", LARGE, ", %d of them random bytes" % DATA))
            for what, key in (("create", "create-" + which), ("first entry", "launch-" + which))]
    out = ("Creating a guest that does nothing, and its first entry, in which it is launched (dom0's clock,"
           " idle time\nincluded):\n\n" + table(("", "without", "with", "monitor's"), rows))
    small, large, data = (own(above["launch-" + n]) for n in ("small", "large", "data"))
    zero = (large - small) / ((LARGE - SMALL) * MIB // PAGE)
    full = zero + (data - large) / (DATA * MIB // PAGE)
    sums = {n: bare["hash-" + n]["dom0"] / (DATA * MIB // PAGE) for n in ("busybox", "coreutils")}
    costs = [("launch, a page of zeros", zero), ("launch, a page of random bytes", full),
             *(("sha256sum in dom0: " + n, cost) for n, cost in sums.items())]
    rows = [(what, number(cost), number(1e9 / cost),
             *("%.2f" % (cost / sums[n]) for n in sums)) for what, cost in costs]
    return out + "The differences, per 4 KiB:\n\n" + table(
        ("", "instructions", "pages in 10^9", *("of sha256sum: " + n for n in sums)), rows)


def destroys(pair):
    bare, above = (pair[k]["machine"] for k in ("without", "with"))
    if "destroy" not in above:
        return ""
    rows = []
    for what, key in (("create", "create-whole"), ("first entry", "launch-whole"),
                      ("xl destroy, until Xen has its memory", "destroy"),
                      ("ten idle seconds after", "settle")):
        without, with_ = bare[key]["dom0"], above[key]["dom0"]
        spent = above[key]["monitor"]["cycles"]
        rows.append((what, number(without), number(with_),
                     "%+.2f" % (100.0 * (with_ - without) / without), number(own(above[key])),
                     number(own(above[key]) / (WHOLE * MIB // PAGE)),
                     number(spent.get("NESTED_FAULT", 0)),
                     number(above[key]["monitor"]["host"].get("NESTED_FAULT", 0))))
    return "A guest of 1 GiB that does nothing:\n\n" + table(
        ("", "without", "with", "added %", "monitor's", "for each page", "in nested faults",
         "nested faults"), rows)


def faults(pair):
    if "faults" not in pair["with"]:
        return ""
    worlds = [(name, words) for name, words in (
        ("without", "no monitor"), ("no-isolation", "no-isolation"), ("with", "isolated"))
        if "faults" in pair.get(name, {})]
    cost = {(world, kind, cpus, active): total / times for world, _ in worlds
            for kind, cpus, active, _, times, total in pair[world]["faults"]}
    rows = []
    for kind, words in FAULTS.items():
        row = [words] + [number(cost[world, kind, 1, 1]) for world, _ in worlds]
        one = cost["with", kind, 1, 1]
        for n in (2, 4):
            row.append(number(cost["with", kind, n, n] / n))
        row += ["%.2f" % (n * one / (cost["with", kind, n, n] / n)) for n in (2, 4)]
        rows.append(row + [number(cost["with", kind, 4, 1])])
    head = ("instructions per operation", *("1 CPU, " + words for _, words in worlds), "2 of 2 CPUs",
            "4 of 4 CPUs", "throughput: 2", "4", "1 of 4 CPUs, the others in L1")
    return ("What L1 does to a guest's memory, each CPU with a guest of its own: the instructions of all CPUs"
            " over the\noperations of all. Throughput: that of N CPUs over that of one, if nobody waited for"
            " another.\n\n" + table(head, rows))


def memory(pair):
    if "memory" not in pair["with"]:
        return ""
    share, fixed = MEMORY_GOAL
    rows = [("%d MiB" % size, number(host), number(taken), "%.1f" % (taken / MIB),
             "%.2f" % (100.0 * taken / (size * MIB)),
             verdict(round(share * size + fixed / MIB, 1), taken / MIB, " MiB"))
            for size, host, taken in pair["with"]["memory"]]
    return "What the monitor takes of the machine's memory:\n\n" + table(
        ("machine", "left to L1", "monitor's", "MiB", "% of RAM", "goal: 0.4 % and 16 MiB"), rows)


def text(pair):
    found = added_exits(pair) + faults(pair) + memory(pair)
    return found + (launches(pair) + destroys(pair) if pair["with"]["machine"] else "")
