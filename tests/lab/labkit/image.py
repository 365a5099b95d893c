# SPDX-License-Identifier: Apache-2.0
"""
Builds what L1 needs from Debian's packages: Xen, the dom0 kernel and a small dom0 root.

mmdebstrap unpacks the packages; of these only the listed programs, the libraries that they load
and a few kernel modules go into the root, as an uncompressed cpio archive. Nothing is patched: Xen
and the kernel are only decompressed, since an emulator would spend seconds doing so at each boot.
"""

import fcntl
import glob
import gzip
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time

from . import errors, paths
from .cpio import Cpio
from .errors import LabError

SUITE = "bookworm"
SOURCES = [
    "deb http://deb.debian.org/debian %s main" % SUITE,
    "deb http://deb.debian.org/debian %s-updates main" % SUITE,
    "deb http://deb.debian.org/debian-security %s-security main" % SUITE,
]
PACKAGES = [
    "xen-hypervisor-4.17-amd64", "xen-utils-4.17", "xen-utils-common", "xenstore-utils",
    "qemu-system-xen", "seabios", "linux-image-amd64", "linux-image-cloud-amd64",
    "busybox-static", "bash", "kmod", "tboot",
    "tpm2-tools", "libtss2-tcti-device0",
    "libmicrohttpd12", "libcjson1", "libtss2-esys-3.0.2-0", "libtss2-tctildr0",  # for netherd-api
    "fio", "e2fsprogs",  # for a guest
    "openvswitch-switch", "iproute2", "iperf3", "iputils-ping", "ethtool", "tcpdump",  # for networks: net.py
]
XEN_FILE = r"xen-4\.17-amd64\.gz"
DOM0_KERNEL = r"vmlinuz-[\d.]+-\d+-amd64"
CLOUD_KERNEL = r"vmlinuz-[\d.]+-\d+-cloud-amd64"
XEN_BIN = "usr/lib/xen-4.17/bin"
DEBIAN = os.path.join(paths.OUT, "debian")  # the packages, unpacked

# Programs of dom0 and what they need besides libraries. A trailing slash: the whole directory.
PROGRAMS = [XEN_BIN + "/" + name for name in (
    "xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "libxl-save-helper",
    "xentop", "xen-hvmctx", "xen-cpuid", "xenperf", "xentrace", "xen-diag", "lsevtchn", "xenctx",
)] + [
    "usr/libexec/xen-qemu-system-i386", "bin/bash",
    "usr/bin/xenstore-ls", "usr/bin/xenstore-list", "usr/bin/xenstore-read",
    "usr/bin/xenstore-write", "usr/bin/xenstore-rm", "usr/bin/xenstore-exists",
    "usr/bin/xenstore-watch",
]
# Only in the dom0 of a machine that has a TPM: they come with 20 MB of libraries.
TPM_PROGRAMS = ["usr/bin/tpm2"]
TPM_LIBRARIES = ["usr/lib/x86_64-linux-gnu/" + name for name in (
    "libtss2-tcti-device.so.0",  # loaded by name
    "libmicrohttpd.so.12", "libcjson.so.1", "libtss2-esys.so.0", "libtss2-tctildr.so.0")]  # netherd-api's
FILES = [
    "bin/busybox", "usr/lib/xen-4.17/boot/hvmloader", "etc/xen/scripts/",
    "usr/share/seabios/bios-256k.bin", "usr/share/seabios/vgabios-stdvga.bin",
    "usr/share/seabios/vgabios-cirrus.bin", "usr/share/qemu/linuxboot_dma.bin",
    "usr/share/qemu/linuxboot.bin", "usr/share/qemu/multiboot.bin",
    "usr/share/qemu/multiboot_dma.bin", "usr/share/qemu/kvmvapic.bin",
    "usr/share/qemu/keymaps/en-us",
]
# Loaded at boot, in this order (with what they depend on); the others only when asked for.
MODULES = ["xen-privcmd", "xenfs", "xen-evtchn", "xen-gntdev", "xen-gntalloc"]
MORE_MODULES = ["xen-blkback", "xen-netback", "loop", "tun", "bridge", "ahci", "sd_mod",
                "virtio_pci", "virtio_blk", "virtio_net"]
GUEST_MODULES = ["scsi_mod", "libata", "ata_piix", "sd_mod"]
AHCI_MODULES = ["scsi_mod", "libata", "ahci", "sd_mod"]


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def kernel_version(cloud=False):
    """The version of the unpacked dom0 (or cloud) kernel, as in /lib/modules."""
    names = [n for n in os.listdir(os.path.join(DEBIAN, "lib/modules"))
             if n.endswith("-cloud-amd64") == cloud]
    if len(names) != 1:
        raise LabError(errors.IMAGE, "expected one kernel in the packages, found %s" % names)
    return names[0]


def unpack_packages():
    shutil.rmtree(DEBIAN, ignore_errors=True)
    if not shutil.which("mmdebstrap"):
        raise LabError(errors.IMAGE, "mmdebstrap is not installed: run 'make deps'")
    log = os.path.join(paths.OUT, "mmdebstrap.log")
    with open(log, "w") as out:
        status = subprocess.call(
            ["mmdebstrap", "--variant=extract", "--skip=essential/unlink,cleanup/apt",
             "--include=" + ",".join(PACKAGES), SUITE, DEBIAN, *SOURCES], stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    if status:
        raise LabError(errors.IMAGE, "mmdebstrap failed: see %s" % log)


def boot_file(pattern):
    found = [n for n in os.listdir(os.path.join(DEBIAN, "boot")) if re.fullmatch(pattern, n)]
    if len(found) != 1:
        raise LabError(errors.IMAGE, "expected one /boot/%s, found %s" % (pattern, found))
    return os.path.join(DEBIAN, "boot", found[0])


def from_package(path, package):
    """The bytes of an unpacked file, after comparing them with those in its .deb."""
    debs = glob.glob(os.path.join(DEBIAN, "var/cache/apt/archives", package + "_*.deb"))
    if len(debs) != 1:
        raise LabError(errors.IMAGE, "expected one package %s, found %s" % (package, debs))
    with open(path, "rb") as f:
        data = f.read()
    member = "./" + os.path.relpath(path, DEBIAN)
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", debs[0]], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=tar.stdout, mode="r|") as archive:
        same = [m.name == member and archive.extractfile(m).read() == data for m in archive]
    tar.stdout.read()
    tar.stdout.close()
    if tar.wait() or not any(same):
        raise LabError(errors.IMAGE, "%s differs from the one in %s" % (member, debs[0]))
    return data, os.path.basename(debs[0])


def kernel_payload(bzimage):
    """The ELF kernel inside a bzImage (Documentation/x86/boot.rst: payload_offset, payload_length)."""
    setup = (bzimage[0x1F1] or 4) + 1
    start = setup * 512 + int.from_bytes(bzimage[0x248:0x24C], "little")
    payload = bzimage[start:start + int.from_bytes(bzimage[0x24C:0x250], "little")]
    if payload[:6] != b"\xfd7zXZ\0":
        raise LabError(errors.IMAGE, "the dom0 kernel is not compressed with xz")
    return lzma.LZMADecompressor().decompress(payload)


def closure(programs):
    """The libraries that programs load, and the loader, as paths below DEBIAN."""
    found = {"lib64/ld-linux-x86-64.so.2"}
    for program in programs:
        out = subprocess.run(["chroot", DEBIAN, "/lib64/ld-linux-x86-64.so.2", "--list",
                              "/" + program], capture_output=True, text=True)
        if "not found" in out.stdout or out.returncode:
            raise LabError(errors.IMAGE, "missing library for %s: %s" % (program, out.stdout))
        found.update(p.strip("/") for p in re.findall(r"=> (/\S+)", out.stdout))
    return sorted(found)


def module_files(version, names):
    """The files of kernel modules and of all that they depend on, dependencies first."""
    top = os.path.join(DEBIAN, "lib/modules", version)
    index = {}
    for where, _, files in os.walk(top):
        for name in files:
            if name.endswith(".ko"):
                index[name[:-3].replace("-", "_")] = os.path.join(where, name)
    ordered = []

    def add(name):
        path = index.get(name.replace("-", "_"))
        if path is None:
            raise LabError(errors.IMAGE, "no kernel module %s" % name)
        if path in ordered:
            return
        with open(path, "rb") as f:
            depends = re.search(rb"\0depends=([^\0]*)\0", f.read())
        for other in depends.group(1).decode().split(",") if depends else []:
            if other:
                add(other)
        ordered.append(path)

    for name in names:
        add(name)
    return ordered


def add_modules(cpio, version):
    boot = module_files(version, MODULES)
    for path in boot + [p for p in module_files(version, MORE_MODULES) if p not in boot]:
        cpio.file(os.path.relpath(path, DEBIAN), path)
    lines = ["/" + os.path.relpath(p, DEBIAN) for p in boot]
    cpio.data("etc/lab/modules", ("\n".join(lines) + "\n").encode())


def add_from_debian(cpio, name):
    """A file at the path where programs look for it; symbolic links are followed."""
    if name.endswith("/"):
        cpio.tree(os.path.join(DEBIAN, name), name)
    else:
        cpio.file(name, os.path.realpath(os.path.join(DEBIAN, name)))


def applets():
    """Busybox's names, without its own."""
    out = subprocess.run(["chroot", DEBIAN, "/bin/busybox", "--list"], capture_output=True,
                         text=True, check=True)
    return [applet for applet in out.stdout.split() if applet != "busybox"]


def add_busybox(cpio, taken):
    for applet in applets():
        if "bin/" + applet not in taken:
            cpio.link("bin/" + applet, "busybox")


def compile_tsc(out):
    """The program that prints the time-stamp counter: no C library, a few hundred bytes."""
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-static",
                    "-nostdlib", "-ffreestanding", "-fno-stack-protector", "-Wl,--build-id=none",
                    "-o", out, os.path.join(paths.LAB, "dom0/tsc.c")], check=True)


def build_dom0():
    tsc = os.path.join(paths.OUT, "tsc")
    compile_tsc(tsc)
    with open(paths.DOM0 + ".new", "wb") as out:
        cpio = Cpio(out)
        for name in ("dev", "proc", "sys", "tmp", "run/lock", "var/log/xen/console",
                     "var/lib/xenstored", "var/lib/xen", "root", "mnt", "etc/lab"):
            cpio.dir(name)
        cpio.link("var/run", "../run")
        cpio.char("dev/console", 5, 1)
        cpio.char("dev/null", 1, 3, 0o666)
        for name in PROGRAMS + FILES + closure(PROGRAMS):
            add_from_debian(cpio, name)
        for name in PROGRAMS:
            if name.startswith(XEN_BIN):
                cpio.link("usr/sbin/" + os.path.basename(name), "/" + name)
        add_busybox(cpio, set(PROGRAMS))
        add_modules(cpio, kernel_version())
        cpio.file("usr/lib/lab/tsc", tsc)
        cpio.tree(os.path.join(paths.LAB, "dom0/root"))
        cpio.data("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        cpio.data("etc/group", b"root:x:0:\n")
        cpio.close()
    os.rename(paths.DOM0 + ".new", paths.DOM0)


def build_tpm_tools():
    """An archive that is unpacked over dom0's."""
    with open(paths.DOM0_TPM + ".new", "wb") as out:
        cpio = Cpio(out)
        there = set(closure(PROGRAMS))
        for name in TPM_PROGRAMS + TPM_LIBRARIES + sorted(set(closure(TPM_PROGRAMS + TPM_LIBRARIES)) - there):
            add_from_debian(cpio, name)
        for name in sorted(os.listdir(os.path.join(DEBIAN, "usr/bin"))):
            if name.startswith("tpm2_"):
                cpio.link("usr/bin/" + name, "tpm2")
        cpio.close()
    os.rename(paths.DOM0_TPM + ".new", paths.DOM0_TPM)


def build_l1():
    """Xen, the dom0 kernel and tboot, decompressed, and a record of what they came from."""
    record = {}
    for pattern, package, unpack, dest in (
            (XEN_FILE, "xen-hypervisor-4.17-amd64", gzip.decompress, paths.XEN),
            (DOM0_KERNEL, "linux-image-" + kernel_version(), kernel_payload,
             paths.KERNEL),
            (r"tboot\.gz", "tboot", gzip.decompress, paths.TBOOT)):
        path = boot_file(pattern)
        packed, deb = from_package(path, package)
        plain = unpack(packed)
        with open(dest, "wb") as f:
            f.write(plain)
        record[os.path.basename(dest)] = {
            "package": deb, "file": os.path.relpath(path, DEBIAN),
            "sha256_file": sha256(packed), "sha256": sha256(plain)}
    with open(os.path.join(paths.OUT, "l1.json"), "w") as f:
        json.dump(record, f, indent=1)


def stamp(*more):
    """A hash over the build scripts and everything of ours that goes into an image."""
    h = hashlib.sha256()
    here = os.path.dirname(os.path.abspath(__file__))
    sources = [os.path.join(here, n) for n in ("image.py", "cpio.py")]
    for top in more:
        if os.path.isfile(top):
            sources.append(top)
        for where, dirs, files in os.walk(top):
            dirs.sort()
            sources += [os.path.join(where, n) for n in sorted(files)]
    for path in sources:
        with open(path, "rb") as f:
            h.update(path[len(paths.ROOT):].encode() + b"\0" + f.read() + b"\0")
    return h.hexdigest()


def cached(name, want, outputs, build, say):
    """Runs build() unless outputs exist and carry this stamp; one builder at a time."""
    os.makedirs(paths.OUT, exist_ok=True)
    mark = os.path.join(paths.OUT, name + ".stamp")
    with open(os.path.join(paths.OUT, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if all(os.path.exists(p) for p in outputs) and os.path.exists(mark):
            with open(mark) as f:
                if f.read() == want:
                    return
        start = time.monotonic()
        say("building the %s image" % name)
        build()
        with open(mark, "w") as f:
            f.write(want)
        say("built the %s image in %.0f s" % (name, time.monotonic() - start))


def ensure_packages(say):
    want = sha256(json.dumps([SUITE, SOURCES, PACKAGES, "debs kept"]).encode())
    cached("debian", want, [DEBIAN], unpack_packages, say)


def ensure(say=lambda text: print("lab: " + text, file=sys.stderr)):
    """Makes XEN, KERNEL, TBOOT, DOM0 and DOM0_TPM exist and match these scripts."""
    ensure_packages(say)
    cached("dom0", stamp(os.path.join(paths.LAB, "dom0")),
           [paths.XEN, paths.KERNEL, paths.TBOOT, paths.DOM0, paths.DOM0_TPM],
           lambda: (build_l1(), build_dom0(), build_tpm_tools()), say)
