# SPDX-License-Identifier: Apache-2.0
"""
Builds the test guests (dom0's /guests): Debian's cloud kernel with a small initramfs, and disk
images that boot by themselves. No loop devices: the images are put together as files.
"""

import gzip
import io
import os
import re
import shutil
import struct
import subprocess

from . import errors, image, paths, rootfs
from .cpio import Cpio
from .errors import LabError

SOURCE = os.path.join(paths.LAB, "guests")
SECTOR = 512
LABEL = b"lab disk label 1"  # 16 bytes in sector 1024
LABEL_SECTOR = 1024
FIRST = 2048                 # where the kernel begins


def tool(*command):
    """Runs a build tool; its output is shown only when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError(errors.IMAGE, "%s is not installed: run 'make deps'" % command[0])
    if done.returncode:
        raise LabError(errors.IMAGE, "%s failed: %s" % (" ".join(command), done.stderr.strip()))


def build_initrd(path, modules, init=os.path.join(SOURCE, "init"), more=None):
    """
    Compressed, since a guest's firmware reads it a byte at a time through emulated ports. more: other files, by their
    names in there.
    """
    out = io.BytesIO()
    cpio = Cpio(out)
    for name in ("dev", "proc", "sys", "tmp"):
        cpio.dir(name)
    cpio.char("dev/console", 5, 1)
    cpio.file("init", init)
    for name, source in (more or {}).items():
        cpio.file(name, source)
    cpio.file("bin/busybox", os.path.join(image.DEBIAN, "bin/busybox"))
    for module in modules:
        cpio.file("lib/" + os.path.basename(module), module)
    names = ["/lib/" + os.path.basename(m) + "\n" for m in modules]
    cpio.data("modules", "".join(names).encode())
    cpio.close()
    with open(path, "wb") as f:
        f.write(gzip.compress(out.getvalue(), 9, mtime=0))


def assemble(name, path, size, *options):
    """Makes the raw 16-bit program for 0x7c00 from SOURCE/name, of exactly size bytes."""
    obj = path + ".o"
    tool(os.environ.get("CC", "cc"), "-m32", *options, "-c", "-o", obj, os.path.join(SOURCE, name))
    tool("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", path, obj)
    os.unlink(obj)
    os.chmod(path, 0o644)
    if os.path.getsize(path) != size:
        raise LabError(errors.IMAGE, "%s is %d bytes" % (name, os.path.getsize(path)))


def build_bootsector(path, reboots, name="bootsector.S"):
    """A small disk whose first sector is the whole program, and the second says how often it resets."""
    assemble(name, path, SECTOR)
    with open(path, "ab") as f:
        f.write(bytes([reboots]))
        f.truncate(1 << 20)


def build_tiny(path):
    """The PVH guest of our own: one small ELF, at 1 MiB."""
    tool(os.environ.get("CC", "cc"), "-m32", "-O2", "-Wall", "-Wextra", "-Werror", "-ffreestanding",
         "-fno-pic", "-fno-stack-protector", "-fno-asynchronous-unwind-tables",
         "-mgeneral-regs-only", "-nostdlib", "-static", "-no-pie", "-Wl,-m,elf_i386", "-Wl,-e,start",
         "-Wl,-Ttext-segment=0x100000,--build-id=none,-z,noexecstack", "-o", path,
         os.path.join(SOURCE, "tiny.c"))


def build_disk(path, kernel, initrd, *options):
    """The loader in sectors 0..3, a label, the kernel's two parts, the initramfs."""
    assemble("loader.S", path, 4 * SECTOR, *options)
    with open(kernel, "rb") as f:
        image_bytes = f.read()
    with open(initrd, "rb") as f:
        initrd_bytes = f.read()
    parts = ((image_bytes[0x1F1] or 4) + 1, -(-len(image_bytes) // SECTOR),
             -(-len(initrd_bytes) // SECTOR))
    setup, whole, ramdisk = parts
    if setup > 64:
        raise LabError(errors.IMAGE, "the kernel's real-mode part is too large for the loader")
    initrd_at = FIRST + whole
    with open(path, "r+b") as f:
        f.seek(SECTOR)  # `file` in loader.S
        f.write(struct.pack("<BBHHHQ", 16, 0, setup, 0, 0x9000, FIRST))
        f.write(struct.pack("<5I", FIRST + setup, whole - setup, initrd_at, ramdisk,
                            len(initrd_bytes)))
        for sector, data in ((LABEL_SECTOR, LABEL), (FIRST, image_bytes), (initrd_at, initrd_bytes)):
            f.seek(sector * SECTOR)
            f.write(data)
        f.truncate((initrd_at + ramdisk + 2047) // 2048 * 2048 * SECTOR)


def build():
    shutil.rmtree(paths.GUESTS, ignore_errors=True)
    os.makedirs(paths.GUESTS)

    def dest(name):
        return os.path.join(paths.GUESTS, name)

    shutil.copyfile(image.boot_file(image.CLOUD_KERNEL), dest("vmlinuz"))
    build_initrd(dest("initrd"), [])
    build_tiny(dest("tiny.elf"))
    build_bootsector(dest("tiny.img"), 0)
    build_bootsector(dest("reboot.img"), 1)
    build_bootsector(dest("mailbox.img"), 0, "mailbox.S")
    modules = image.module_files(image.kernel_version(cloud=True), image.GUEST_MODULES)
    build_initrd(dest("initrd-disk"), modules)
    build_disk(dest("disk.img"), dest("vmlinuz"), dest("initrd-disk"))
    os.unlink(dest("initrd-disk"))
    build_initrd(dest("initrd-ext4"), modules, os.path.join(SOURCE, "init-ext4"))
    rootfs.build(dest("ext4.img"), SOURCE, dest("vmlinuz"), dest("initrd-ext4"))
    build_disk(dest("pio.img"), dest("vmlinuz"), dest("initrd"), "-DPIO")
    # The cloud kernel has no driver for AHCI.
    modules = image.module_files(image.kernel_version(cloud=False), image.AHCI_MODULES)
    build_initrd(dest("initrd-ahci"), modules)
    build_disk(dest("ahci.img"), image.boot_file(image.DOM0_KERNEL), dest("initrd-ahci"), "-DFIRMWARE")
    os.unlink(dest("initrd-ahci"))
    for name in os.listdir(SOURCE):
        if name.endswith(".cfg"):
            shutil.copyfile(os.path.join(SOURCE, name), dest(name))


def wanted(command):
    """
    The files of /guests that a command needs: everything, but disk images only if named. ext4.img is too
    large for dom0's memory: --disk.
    """
    disks = {"hvm-disk": "disk.img", "hvm-ahci": "ahci.img", "hvm-pio": "pio.img",
             "hvm-tiny": "tiny.img", "hvm-reboot": "reboot.img", "hvm-mailbox": "mailbox.img"}
    leave = {image for name, image in disks.items() if not re.search(name, command)} | {"ext4.img"}
    leave |= set() if re.search("initrd-ext4", command) else {"initrd-ext4"}
    return [n for n in sorted(os.listdir(paths.GUESTS)) if n not in leave]


def ensure(say):
    """Makes GUESTS exist and match the sources."""
    image.ensure_packages(say)
    here = os.path.dirname(os.path.abspath(__file__))
    ours = [os.path.join(here, name) for name in ("guests.py", "rootfs.py")]
    image.cached("guests", image.stamp(SOURCE, *ours),
                 [os.path.join(paths.GUESTS, "disk.img")], build, say)
