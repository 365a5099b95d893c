# SPDX-License-Identifier: Apache-2.0
"""
What an encrypted disk costs a guest, counted by count.c in QEMU: the same guest on a plain disk without the monitor, on a plain
disk above it, and on an encrypted disk. Beside this, what the guest brings along.
"""

import gzip
import io
import os
import re
import shutil
import subprocess

import emulate
from labkit import guests, image, paths
from labkit.cpio import Cpio

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(paths.BUILD, "bench")
OVERLAY = os.path.join(OUT, "disk-overlay")
MONITOR = os.path.join(paths.BUILD, "nethervisor-svm-dev")
PLUGIN = os.path.join(OUT, "count.so")
MODULES = ["scsi_mod", "libata", "ata_piix", "sd_mod"]
# Libraries of fio's for storage that no job here uses (Ceph, RDMA, ..., of 120 MiB): empty ones take their places.
UNUSED = re.compile(r"lib(gfapi|nbd|ibverbs|rdmacm|rados|rbd|pmemblk|pmem)\.so")
WAYS = {
    "bare": (["--no-monitor"], "plain"),
    "plain": (["--dev-keys"], "plain"),
    "encrypted": (["--dev-keys"], "encrypted"),
}
# Functions of which each call is one exit for a port access that L1 is shown: the guest's own, or one of the monitor's.
STEPS = {"guestport_show"}
WORDS = "requests load fio misses"
LINE = re.compile(r"^BENCH (\S+) (\d+) (\d+)$", re.M)
MARK = re.compile(r"mark (\d+) all (\d+) monitor-enters (\d+) others-enter (\d+)(.*)")
NODES = re.compile(r"sectors read (\d+), written (\d+); refused: (\d+) sectors, (\d+) nodes; nodes fetched (\d+)")


def output(*command):
    return subprocess.run(command, cwd=paths.ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


# --- the guest ---------------------------------------------------------------------------------------------------


def versions_of(program):
    """{library: [versions that the program needs of it]}"""
    found, library = {}, None
    for what, name in re.findall(r"(File|Name): (\S+)", output("readelf", "-VW", program)):
        if what == "File":
            library = name
        elif library:
            found.setdefault(library, []).append(name)
    return found


def empty_libraries(program, cpio):
    """For all that UNUSED names: a library that defines what the program takes from any of them, as a trap."""
    taken = [word.partition("@")[::2] for word in re.findall(r" [Uw] (\S+)", output("nm", "-D", "-u", program))]
    versions = versions_of(program)
    for name in re.findall(r"NEEDED.*\[(\S+)\]", output("readelf", "-dW", program)):
        if not UNUSED.match(name):
            continue
        mine = versions.get(name, [])
        symbols_ = [(s, v) for s, v in taken if v in mine] or [(s, v) for s, v in taken if re.match("rbd_|rados_", s)]
        path = os.path.join(OUT, name)
        with open(path + ".c", "w") as f:
            f.writelines("void %s(void) { __builtin_trap(); }\n" % s for s, _ in symbols_)
        with open(path + ".version", "w") as f:
            f.writelines("%s { global: %s };\n" % (v, " ".join(s + ";" for s, of in symbols_ if of == v)) for v in mine)
        output(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-nostdlib", "-w", "-Wl,-soname," + name, "-o", path,
               path + ".c", *(["-Wl,--version-script=" + path + ".version"] if mine else []))
        cpio.file("lib/" + name, path)


def add_program(cpio, name):
    """One of this machine's, with its libraries."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    cpio.file("bin/" + name, os.path.realpath(path))
    empty_libraries(path, cpio)
    direct = re.findall(r"NEEDED.*\[(\S+)\]", output("readelf", "-dW", path))
    left = [n for n in direct if not UNUSED.match(n)]
    found = dict(re.findall(r"(\S+) => (/\S+) \(0x", output("ldd", path)))
    while left:
        soname = left.pop()
        if soname in cpio.libraries or soname not in found:
            continue
        cpio.libraries.add(soname)
        cpio.file("lib/" + soname, os.path.realpath(found[soname]))
        left += re.findall(r"NEEDED.*\[(\S+)\]", output("readelf", "-dW", found[soname]))


def initrd(path, words):
    out = io.BytesIO()
    cpio = Cpio(out)
    cpio.libraries = set()
    for name in ("dev", "proc", "sys", "tmp", "mnt"):
        cpio.dir(name)
    cpio.char("dev/console", 5, 1)
    cpio.file("init", os.path.join(HERE, "disk-init"))
    cpio.file("bin/busybox", os.path.join(image.DEBIAN, "bin/busybox"))
    cpio.file("bin/disk", os.path.join(OUT, "disk"))
    cpio.file("lib64/ld-linux-x86-64.so.2", os.path.realpath("/lib64/ld-linux-x86-64.so.2"))
    for name in ("fio", "mke2fs"):
        add_program(cpio, name)
    cpio.data("words", words.encode())
    names = []
    for module in image.module_files(image.kernel_version(cloud=True), MODULES):
        names.append("/lib/" + os.path.basename(module) + "\n")
        cpio.file("lib/" + os.path.basename(module), module)
    cpio.data("modules", "".join(names).encode())
    cpio.close()
    with open(path, "wb") as f:
        f.write(gzip.compress(out.getvalue(), 9, mtime=0))


def build(words):
    shutil.rmtree(OVERLAY, ignore_errors=True)
    folder = os.path.join(OVERLAY, "disk")
    os.makedirs(folder)
    for name in ("disk.cfg", "disk.sh"):
        shutil.copy(os.path.join(HERE, name), folder)
    shutil.copy(os.path.join(paths.BUILD, "nether-image"), folder)
    initrd(os.path.join(OUT, "disk-initrd"), words)
    guests.ensure(emulate.say)
    guests.build_disk(os.path.join(folder, "boot.img"), os.path.join(paths.GUESTS, "vmlinuz"), os.path.join(OUT, "disk-initrd"))


# --- the monitor's functions ---------------------------------------------------------------------------------------


def crypto_ranges(monitor):
    """[(start, end)] of code that comes from crypto/ and from foreign objects, by the linker's map."""
    ranges = []
    with open(monitor + ".map") as f:
        text = re.sub(r"^( \.text\S+)\n", r"\1", f.read(), flags=re.M)
    for start, size, path in re.findall(r"^ \.text\S* +0x([0-9a-f]+) +0x([0-9a-f]+) (\S+)$", text, re.M):
        if int(start, 16) and ("/crypto/" in path or "/third/" in path):
            ranges.append((int(start, 16), int(start, 16) + int(size, 16)))
    return ranges


def symbols(monitor=MONITOR):
    """Of an image, without its .elf64. Writes what count.c needs; [(name, whether it is cryptography)] by its index."""
    found = {}
    for line in output("nm", "-n", monitor + ".elf64").splitlines():
        start, kind, name = line.split()
        if kind in "tT":
            found[int(start, 16)] = name
    starts = sorted(found)
    ranges = crypto_ranges(monitor)
    end = int(re.search(r"([0-9a-f]+) \w image_rodata", output("nm", monitor + ".elf64")).group(1), 16)
    with open(os.path.join(OUT, "symbols"), "w") as f:
        for start, after in zip(starts, starts[1:] + [end]):
            f.write("%x %x\n" % (start, after - start))
    output("objcopy", "-O", "binary", "--only-section=.text", monitor + ".elf64", os.path.join(OUT, "text"))
    return [(found[s], any(low <= s < high for low, high in ranges)) for s in starts]


# --- runs ------------------------------------------------------------------------------------------------------------


def marks(path, names):
    """Of each piece of work, in order: what was counted between its two marks."""
    found, before = [], None
    with open(path) as f:
        for line in f:
            n, total, enters, others, rest = MARK.match(line).groups()
            now = {"all": int(total), "switches": 2 * int(enters), "others": 2 * int(others),
                   "symbols": {int(i): int(c) for i, c, _ in (word.split(":") for word in rest.split())},
                   "calls": {int(i): int(c) for i, _, c in (word.split(":") for word in rest.split())}}
            if n == "0":
                before = now
                continue
            one = {k: now[k] - before[k] for k in ("all", "switches", "others")}
            counts = {i: c - before["symbols"].get(i, 0) for i, c in now["symbols"].items()}
            one["symbols"] = {names[i][0]: c for i, c in sorted(counts.items(), key=lambda m: -m[1]) if c}
            one["steps"] = sum(c - before["calls"].get(i, 0) for i, c in now["calls"].items() if names[i][0] in STEPS)
            one["crypto"] = sum(c for i, c in counts.items() if names[i][1])
            one["monitor"] = sum(counts.values())
            found.append(one)
    return found


def once(way, names):
    how, disk = WAYS[way]
    out = os.path.join(OUT, "count-" + way)
    arguments = "file=%s,out=%s" % (PLUGIN, out)
    if way != "bare":
        arguments += ",symbols=%s,text=%s" % (os.path.join(OUT, "symbols"), os.path.join(OUT, "text"))
    emulate.Counted.plugin = ["-plugin", arguments]
    try:
        text, _ = emulate.lab("bench-disk-" + way, "svm", *how, "--overlay", OVERLAY, "--exec",
                              "sh /disk/disk.sh " + disk)
    finally:
        emulate.Counted.plugin = []
    pieces = [m for m in LINE.findall(text) if m[0] != "end"]
    bad = [m[0] for m in pieces if m[2] != "0"]
    counted = [m for m in pieces if not m[0].startswith("fio-")]
    counts = marks(out, names)
    if bad or not pieces or len(counts) != len(counted):
        raise SystemExit("%s\nbench: %s: failed: %s; %d marks of %d" % (text[-3000:], way, bad, len(counts), len(counted)))
    result = {"work": {m[0]: {"requests": int(m[1]), **c} for m, c in zip(counted, counts)},
              "fio": {m[0]: int(m[1]) for m in pieces if m[0].startswith("fio-")}}
    nodes = NODES.search(text)
    if disk == "encrypted":
        result["disk"] = dict(zip(("read", "written", "bad_sectors", "bad_nodes", "fetched"), map(int, nodes.groups())))
    return result


def measure(words=WORDS):
    image.ensure(emulate.say)
    names = symbols()
    build(words)
    return {way: once(way, names) for way in WAYS}
