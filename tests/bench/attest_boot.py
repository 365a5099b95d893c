# SPDX-License-Identifier: Apache-2.0
"""What measuring adds to a boot, counted by count.c in QEMU: from the monitor's start to L1's entry, with a TPM and without."""

import base64
import os
import re
import struct
import sys

import disk_lab
import emulate
from labkit import image, paths
from tables import table

MARK = 7  # count.c's line at L1's entry
MONITOR = os.path.join(paths.BUILD, "nethervisor-svm")
WAYS = {"tpm": False, "none": True}
# attest/measured.h: id and bytes of a MEASURED_MODULE, then number, 0 and the module's bytes.
MODULE = re.compile(struct.pack("<II", 0x4e480005, 48) + rb"....\0\0\0\0(.{8})", re.S)
SHA = re.compile(r"sha256")
COMMAND = "netherctl eventlog /log && echo LOG $(base64 /log | tr -d '\\n')"


def hashed(text):
    """Bytes of the modules that are in the event log."""
    log = base64.b64decode(re.search(r"^LOG (\S+)", text, re.M).group(1))
    found = MODULE.findall(log)
    if len(found) != 3 or "all was measured" not in text:  # Xen, dom0's kernel, its initrd
        sys.exit("bench: not all was measured: %d modules\n%s" % (len(found), text[-2000:]))
    return sum(struct.unpack("<Q", n)[0] for n in found)


def once(way, names):
    out = os.path.join(disk_lab.OUT, "count-boot-" + way)
    emulate.Counted.plugin = ["-plugin", "file=%s,out=%s,symbols=%s,text=%s,entry=%d" % (
        disk_lab.PLUGIN, out, os.path.join(disk_lab.OUT, "symbols"), os.path.join(disk_lab.OUT, "text"), MARK)]
    emulate.Counted.without_tpm = WAYS[way]
    try:
        text, facts = emulate.lab("bench-boot-" + way, "svm", "--tpm", "tis", "--exec",
                                  "true" if WAYS[way] else COMMAND)
    finally:
        emulate.Counted.plugin, emulate.Counted.without_tpm = [], False
    with open(out, encoding="ascii") as f:
        words = next(line for line in f if line.startswith("mark %d " % MARK)).split()[8:]
    counts = {}
    for i, count, _ in (word.split(":") for word in words):
        name = names[int(i)][0]
        counts[name] = counts.get(name, 0) + int(count)
    stat = facts["monitor_stat"]["before"]
    return {"start": sum(counts.values()), "symbols": counts,
            "boot": facts["guest_clock"]["dom0_ready"] - stat["tsc_start"], "version": stat["version"],
            "hashed": 0 if WAYS[way] else hashed(text)}


def measure():
    image.ensure(emulate.say)
    os.makedirs(disk_lab.OUT, exist_ok=True)
    names = disk_lab.symbols(MONITOR)
    return {way: once(way, names) for way in WAYS}


def sha256_of(result):
    return sum(n for name, n in result["symbols"].items() if SHA.search(name))


def text(results):
    rows = []
    for words, way in (("with a TPM", "tpm"), ("without", "none")):
        one = results[way]
        sha = sha256_of(one)
        rows.append((words, *("{:,}".format(n) for n in (one["start"], sha, one["start"] - sha, one["boot"])),
                     "%.1f" % (100 * one["start"] / one["boot"])))
    with_tpm, without = results["tpm"], results["none"]
    added, sha = with_tpm["start"] - without["start"], sha256_of(with_tpm) - sha256_of(without)
    n = with_tpm["hashed"]
    return ("The monitor's instructions before L1 begins, of a boot that measures and one that has nothing to measure into:\n\n" +
            table(("boot", "before L1's entry", "SHA-256", "else", "all, to dom0's shell", "% of it"), rows) +
            "Measuring adds {:,} instructions ({:.1f} % of the boot without a TPM). {:,} of these are SHA-256 of {:.1f} MB of"
            " modules,\n{:.1f} a byte, for QEMU's CPU has no SHA instructions; all else is {:,}.\n\n".format(
                added, 100 * added / without["boot"], sha, n / 1e6, sha / n, added - sha))
