# SPDX-License-Identifier: Apache-2.0
"""What encrypted disks cost: the parts that run without an emulator, and all tables."""

import json
import os
import subprocess

from labkit import paths
from tables import table

HERE = os.path.dirname(os.path.abspath(__file__))
NATIVE = ["sectors", "image", "tree"]
NAMES = NATIVE
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


TEXTS = {"sectors": sectors_text, "image": image_text, "tree": tree_text}
GOALS = {"sectors": sectors_goals, "image": image_goals, "tree": tree_goals}


def text(results):
    found = [name for name in NAMES if name in results]
    if not found:
        return ""
    rows = [row for name in found for row in GOALS[name](results[name])]
    return ("Encrypted disks: what they cost\n\n" + "".join(TEXTS[name](results[name]) for name in found) +
            "All of it in short:\n\n" + table(("encrypted disks", "measured", "goal", ""), rows) + NOTES)
