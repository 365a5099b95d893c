# SPDX-License-Identifier: Apache-2.0
"""What encrypted disks cost: the parts that run without an emulator, and all tables."""

import json
import os
import subprocess

import disk_lab
from labkit import paths
from tables import table

HERE = os.path.dirname(os.path.abspath(__file__))
NATIVE = ["sectors", "image", "tree"]
NAMES = NATIVE + ["disk"]
GIB = ("1", "16", "64")
RATIO_GOAL = 0.95
TREE_WORDS = ("gib", "levels", "kind", "bytes", "requests", "nodes", "rounds", "none", "ns")
TREE_KINDS = {"first": "random, none in memory at first", "random": "random, afterwards",
              "same": "the same place", "sequential": "one after the other, none in memory"}
NOTES = """\
- "sectors", "image" and the times of "tree" are this machine's, best of the rounds, in CPU time: no instruction counts.
- The tree's disks have 4 KiB written in each 128 KiB, so that all nodes exist; the engine has the pages that the monitor
  gives a disk. A round of nodes is one list of requests to netherd: two world switches, an exit and an entry.
"""


def output(*command):
    return subprocess.run(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def tree():
    lines = output(os.path.join(paths.BUILD, "bench", "tree"), *GIB).splitlines()
    return [dict(zip(TREE_WORDS, (word if word.isalpha() else int(word) for word in line.split())))
            for line in lines]


def measure(name):
    if name == "disk":
        return disk_lab.measure()
    return tree() if name == "tree" else json.loads(output(os.path.join(HERE, name), "--json"))


# --- tables ------------------------------------------------------------------------------------------------------


def size(n):
    return "%d KiB" % (n >> 10) if n < 1 << 20 else "%d MiB" % (n >> 20)


def sectors_text(rows):
    head = ("sectors of 512 bytes", "request", "MB/s a core", "openssl in series", "ratio", "to XTS alone",
            "2 threads", "goal")
    return "A disk's sectors, natively (`tests/bench/sectors`):\n\n" + table(head, rows)


def image_text(rows):
    head = ("whole disks, in memory", "threads", "MB/s", "to 1 thread", "MB a CPU second")
    return "Whole disks, natively (`tests/bench/image`):\n\n" + table(head, rows)


def tree_text(rows):
    lines = []
    for r in rows:
        n = r["requests"]
        lines.append(("%d GiB, %d levels" % (r["gib"], r["levels"]), TREE_KINDS[r["kind"]], size(r["bytes"]),
                      "{:,}".format(n), "%.2f" % (r["nodes"] / n), "%.2f" % (2 * r["rounds"] / n),
                      "%.1f" % (100 * r["none"] / n), "{:,.0f}".format(r["ns"] / n)))
    head = ("disk", "reads", "of", "requests", "nodes fetched each", "world switches each", "% with none",
            "ns of the engine each")
    return "Nodes of the tree that are not in memory (`build/bench/tree %s`):\n\n" % " ".join(GIB) + table(head, lines)


def span(values, form="%.2f"):
    low, high = min(values), max(values)
    return form % low if form % low == form % high else (form + " to " + form) % (low, high)


def sectors_goals(rows):
    both = [r for r in rows if r[7]]
    ratio = [float(r[4]) for r in both]
    yield ("tag and XTS, bytes a second of a core, to openssl in series", span(ratio), ">= %.2f" % RATIO_GOAL,
           "met" if min(ratio) >= RATIO_GOAL else "MISSED")
    yield "tag and XTS to AES-256-XTS alone", span([float(r[5]) for r in both]), "none", ""
    yield "tag and XTS on 2 cores, to 1", span([float(r[6]) for r in both]), "none", ""


def image_goals(rows):
    speed = {(r[0], r[1]): r[2] for r in rows}
    yield ("nether-image encrypt; qemu-img to LUKS; openssl enc",
           "%s MB/s (2 threads: %s); %s; %s" % (
               speed["nether-image encrypt", "1"], speed["nether-image encrypt", "2"],
               speed["qemu-img convert -O luks", "1"], speed["openssl enc -aes-256-ctr", "1"]), "none", "")


def tree_goals(rows):
    for r in rows:
        if r["kind"] in ("first", "random") and r["bytes"] == 4096 and r["requests"] > 1:
            yield ("tree of %d GiB, read of 4 KiB, %s" % (r["gib"], TREE_KINDS[r["kind"]]),
                   "%.2f nodes, %.2f world switches" % (r["nodes"] / r["requests"], 2 * r["rounds"] / r["requests"]),
                   "none", "")


# --- the lab's -----------------------------------------------------------------------------------------------------

SWITCHES_GOAL = 2  # added to a DMA request
LOAD_GOAL = 5.0    # per cent, without cryptography
KINDS = {"new": "write, new place", "write": "write", "read": "read", "pio": "PIO read"}
SYMBOLS = 14
ABOVE = ("plain", "encrypted")


def requests_of(work):
    """[(piece, kind, bytes)] of those that are single requests."""
    return [(name, *name.split("-")) for name in work if name.split("-")[0] in KINDS]


def per_request(results, name):
    """Of one piece of work, for a request: {way: {what: number}}; and what the encrypted disk adds to the plain one."""
    found = {}
    for way, result in results.items():
        one = result["work"][name]
        n = one["requests"]
        found[way] = {"all": one["all"] / n, "entries": one["others"] / 2 / n, "enters": one["switches"] / 2 / n,
                      "switches": 2 * one["steps"] / n,
                      "crypto": one["crypto"] / n, "rest": (one["monitor"] - one["crypto"]) / n}
    plain, encrypted = found["plain"], found["encrypted"]
    added = {what: encrypted[what] - plain[what] for what in plain}
    added["without"] = added["all"] - added["crypto"]
    return found, added


def number(n):
    return "{:,}".format(round(n))


def requests_text(results):
    rows, parts = [], []
    for name, kind, bytes_ in requests_of(results["encrypted"]["work"]):
        found, added = per_request(results, name)
        what = "%s, %s" % (KINDS[kind], size(int(bytes_)) if int(bytes_) >= 1024 else bytes_ + " bytes")
        rows.append((what, results["encrypted"]["work"][name]["requests"],
                     *("%.2f" % (found[way]["switches"] / 2) for way in ABOVE), "%+.2f" % added["switches"],
                     "" if kind == "pio" else "<= 2: met" if round(added["switches"], 1) <= SWITCHES_GOAL else "<= 2: MISSED",
                     *("%.2f" % found[way]["entries"] for way in disk_lab.WAYS),
                     *("%.2f" % found[way]["enters"] for way in ABOVE)))
        parts.append((what, *(number(found[way]["all"]) for way in disk_lab.WAYS),
                      number(found["plain"]["rest"]), number(found["encrypted"]["rest"]), number(added["crypto"]),
                      number(added["rest"]), number(added["without"] - added["rest"])))
    ways = ("no monitor", "plain", "encrypted")
    head = ("a request", "requests", "port accesses: plain", "encrypted", "switches added", "goal",
            *("entries by L1: " + w if w == ways[0] else w for w in ways), "by the monitor: plain", "encrypted")
    return ("For a request of a guest's disk, without the monitor, of an isolated guest's plain disk, and of its encrypted"
            " one: port\naccesses that L1 is shown, each an exit and an entry; the world switches that the encrypted disk"
            " adds by these; and, with\nwhatever the machine did besides, how often L1 entered the guest, and the monitor"
            " L1 or the guest:\n\n" + table(head, rows) +
            "Instructions for a request: of all software; the monitor's without its cryptography; and what the encrypted"
            "\ndisk adds to the plain one: cryptography, the monitor besides, everything else (Xen, dom0 with netherd):\n\n" +
            table(("a request", *ways, "monitor, plain", "encrypted", "adds: cryptography", "monitor", "else"), parts))


def symbols_text(results):
    """Where the monitor's added instructions are, of a small read and a small write."""
    out = ""
    for name, words in (("read-4096", "read"), ("write-4096", "write")):
        if name not in results["encrypted"]["work"]:
            continue
        plain, encrypted = (results[way]["work"][name] for way in ("plain", "encrypted"))
        more = {s: c / encrypted["requests"] - plain["symbols"].get(s, 0) / plain["requests"]
                for s, c in encrypted["symbols"].items()}
        first = sorted(more.items(), key=lambda m: -m[1])[:SYMBOLS]
        out += "Added to a %s of 4 KiB, by function: %s.\n\n" % (
            words, ", ".join("%s %s" % (s.split(".")[0], number(c)) for s, c in first))
    return out


def load_parts(results):
    """The load's instructions: bare, plain, encrypted, cryptography among the last."""
    works = [results[way]["work"]["load"] for way in disk_lab.WAYS]
    return (*(w["all"] for w in works), works[2]["crypto"] - works[1]["crypto"])


def load_text(results):
    bare, plain, encrypted, crypto = load_parts(results)
    works = [results[way]["work"]["load"] for way in disk_lab.WAYS]
    rows = [(words, number(w["requests"]), number(w["all"]), number(w["monitor"]), number(w["crypto"]),
             "%+.2f" % (100 * (w["all"] - bare) / bare), "%+.2f" % (100 * (w["all"] - plain) / plain),
             "%+.2f" % (100 * (w["all"] - w["crypto"] - plain + works[1]["crypto"]) / plain))
            for words, w in zip(("no monitor", "isolated, plain disk", "isolated, encrypted disk"), works)]
    head = ("files (see README.md)", "disk requests", "instructions", "the monitor's", "cryptography",
            "% to no monitor", "% to plain", "% to plain, without cryptography")
    return "A load of files, in the manner of dbench:\n\n" + table(head, rows)


def fio_text(results):
    rows = [(name[4:], *("{:,}".format(results[way]["fio"][name]) for way in disk_lab.WAYS),
             *("%.2f" % (results["encrypted"]["fio"][name] / results[way]["fio"][name]) for way in ("plain", "bare")))
            for name in results["encrypted"]["fio"]]
    head = ("fio, KiB a second of the guest's clock", "no monitor", "plain", "encrypted", "to plain", "to no monitor")
    return "fio in the guest; a second is 10^9 instructions or idle nanoseconds:\n\n" + table(head, rows)


def misses_text(results):
    rows = []
    for name, words in (("same", "one place, read again"), ("random", "random, of these places")):
        found, added = per_request(results, name)
        rows.append((words, *("%.2f" % found[way]["switches"] for way in ABOVE), "%+.2f" % added["switches"],
                     number(added["crypto"]), number(added["rest"]), number(added["without"] - added["rest"])))
    disk = results["encrypted"]["disk"]
    head = ("reads of 4 KiB", "world switches for ports: plain", "encrypted", "added", "instructions added: cryptography",
            "monitor", "else")
    return ("Nodes that are not in memory, in the lab, of a disk of 1 GiB after 4 KiB were written at 2,048 places:\n\n" +
            table(head, rows) + "All in all the monitor had {:,} nodes fetched, and refused {} of them and {} sectors."
            "\n\n".format(disk["fetched"], disk["bad_nodes"], disk["bad_sectors"]))


def disk_text(results):
    return requests_text(results) + symbols_text(results) + load_text(results) + fio_text(results) + misses_text(results)


def disk_goals(results):
    dma = [(name, *per_request(results, name)) for name, kind, _ in requests_of(results["encrypted"]["work"]) if kind != "pio"]
    for words, what, each in (("by port accesses that L1 is shown", "switches", 1), ("of the guest, whatever for", "entries", 2),
                              ("of the whole machine, L1's exits too", "enters", 2)):
        found = [each * added[what] for _, _, added in dma]
        yield ("world switches that a DMA request gets, " + words, span(found, "%+.2f"), "<= %d" % SWITCHES_GOAL,
               "met" if round(max(found), 1) <= SWITCHES_GOAL else "MISSED")
    for kind in ("read", "write"):
        mine = [added["without"] for name, _, added in dma if name.startswith(kind + "-")]
        yield "instructions that a %s gets, without cryptography" % kind, span(mine, "%.0f"), "none", ""
    ratios = [results["encrypted"]["fio"][n] / results["plain"]["fio"][n] for n in results["encrypted"]["fio"]]
    yield "fio's throughput, to the plain disk's", span(ratios), "none", ""
    bare, plain, encrypted, crypto = load_parts(results)
    for words, base in (("an isolated guest's plain disk", plain), ("no monitor", bare)):
        more = 100 * (encrypted - crypto - base) / base
        yield ("load of files, instructions without cryptography, to " + words, "%+.2f %%" % more, "<= %g %%" % LOAD_GOAL,
               "met" if more <= LOAD_GOAL else "MISSED")
    _, added = per_request(results, "random")
    yield ("read of 4 KiB of 2,048 places of 1 GiB, in the lab", "%+.2f world switches" % added["switches"], "none", "")


TEXTS = {"sectors": sectors_text, "image": image_text, "tree": tree_text, "disk": disk_text}
GOALS = {"sectors": sectors_goals, "image": image_goals, "tree": tree_goals, "disk": disk_goals}


def text(results):
    found = [name for name in NAMES if name in results]
    if not found:
        return ""
    rows = [row for name in found for row in GOALS[name](results[name])]
    return ("Encrypted disks: what they cost\n\n" + "".join(TEXTS[name](results[name]) for name in found) +
            "All of it in short:\n\n" + table(("encrypted disks", "measured", "goal", ""), rows) + NOTES)
