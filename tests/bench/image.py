# SPDX-License-Identifier: Apache-2.0
"""Builds what the benchmarks bring along: dom0's /bench with its guests' initramfs."""

import gzip
import io
import os
import re
import shutil
import subprocess

from labkit import image, paths
from labkit.cpio import Cpio

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(paths.BUILD, "bench")
OVERLAY = os.path.join(OUT, "overlay")
INCLUDE = os.path.join(OUT, "include")  # a version.h that is the same in every commit

# The compile's input: files of the monitor that TCC can read.
SOURCES = """monitor/apic.c monitor/bios_call.c monitor/call.c monitor/console.c monitor/decode.c
monitor/icr.c monitor/lib.c monitor/msr.c ept/ept.c monitor/store.c monitor/boot/bios.c
monitor/boot/memmap.c monitor/account.c monitor/svm/assist.c monitor/svm/check.c
monitor/svm/event.c monitor/svm/exits.c monitor/svm/gif.c monitor/svm/run.c ept/npt.c""".split()
WORK_FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-nostdlib", "-static", "-ffreestanding",
              "-fno-stack-protector", "-fcf-protection=none", "-fno-pie", "-no-pie"]

HALT_FLAGS = ["-m32", "-nostdlib", "-static", "-no-pie",
              "-Wl,-m,elf_i386,-Ttext-segment=0x100000,--build-id=none,-z,noexecstack"]


def output(*command):
    return subprocess.run(command, cwd=paths.ROOT, check=True, stdout=subprocess.PIPE,
                          text=True).stdout


def headers(source, scratch):
    """A source and its headers in the tree; compiling it here shows that TCC can."""
    output("tcc", "-c", "-w", "-I.", "-I" + INCLUDE, "-MD", "-MF", scratch + ".d", "-o", scratch + ".o", source)
    with open(scratch + ".d") as f:
        return f.read().replace("\\\n", " ").split(":", 1)[1].split()


def system_headers():
    """TCC's own, and what the C library's stdint.h needs."""
    own = "/usr/lib/x86_64-linux-gnu/tcc/include"
    listed = output(os.environ.get("CC", "cc"), "-M", "-include", "stdint.h", "-x", "c", os.devnull)
    return {os.path.join(own, name) for name in os.listdir(own)} | {
        path for path in listed.split() if path.startswith("/usr/include/")}


def add_compiler(cpio):
    """TCC, its libraries, the sources and their headers; returns (files, lines)."""
    tcc = shutil.which("tcc")
    cpio.file("bin/tcc", tcc)
    for path in re.findall(r"(/\S+) \(0x", output("ldd", tcc)):
        cpio.file(path, os.path.realpath(path))
    os.makedirs(INCLUDE, exist_ok=True)
    with open(os.path.join(INCLUDE, "version.h"), "w") as f:
        f.write('#define NETHERVISOR_VERSION "measured"\n')
    found = system_headers()
    for source in SOURCES:
        found |= set(headers(source, os.path.join(OUT, "tcc")))
    for path in sorted(found):
        full = os.path.normpath(os.path.join(paths.ROOT, path))
        base = INCLUDE if full.startswith(INCLUDE) else paths.ROOT
        inside = os.path.relpath(full, base)
        cpio.file(full if inside.startswith("..") else "src/" + inside, full)
    cpio.data("src/LIST", ("\n".join(SOURCES) + "\n").encode())
    lines = 0
    for source in SOURCES:
        with open(os.path.join(paths.ROOT, source)) as f:
            lines += sum(1 for _ in f)
    return len(SOURCES), lines


def initrd(path):
    out = io.BytesIO()
    cpio = Cpio(out)
    for name in ("dev", "proc", "sys", "tmp"):
        cpio.dir(name)
    cpio.char("dev/console", 5, 1)
    cpio.file("init", os.path.join(HERE, "guest-init"))
    cpio.file("bin/busybox", os.path.join(image.DEBIAN, "bin/busybox"))
    cpio.file("bin/work", os.path.join(OUT, "work"))
    for job in ("job-sha256", "job-compile"):
        cpio.file(job, os.path.join(HERE, job))
    size = add_compiler(cpio)
    cpio.close()
    with open(path, "wb") as f:
        f.write(gzip.compress(out.getvalue(), 9, mtime=0))
    return size


def build():
    """Makes OVERLAY; returns what the compile benchmark compiles, as (files, lines)."""
    shutil.rmtree(OVERLAY, ignore_errors=True)
    folder = os.path.join(OVERLAY, "bench")
    os.makedirs(folder)
    for name, place in (("work", OUT), ("trace", folder)):
        output(os.environ.get("CC", "cc"), *WORK_FLAGS, "-o", os.path.join(place, name),
               os.path.join(HERE, name + ".c"))
    output(os.environ.get("CC", "cc"), *HALT_FLAGS, "-o", os.path.join(folder, "halt.elf"),
           os.path.join(HERE, "halt.S"))
    for name in ("pvh.cfg", "hvm.cfg", "halt.cfg", "dom0.sh"):
        shutil.copy(os.path.join(HERE, name), folder)
    shutil.copy(os.path.join(image.DEBIAN, "usr/bin/sha256sum"), folder)
    return initrd(os.path.join(folder, "initrd"))
