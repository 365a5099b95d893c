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

from . import errors, image, paths
from .cpio import Cpio
from .errors import LabError

SOURCE = os.path.join(paths.LAB, "guests")
GRUB = "/usr/lib/grub/i386-pc"
GRUB_MODULES = ["biosdisk", "part_msdos", "fat", "linux", "normal", "echo", "serial", "terminal"]
SECTOR = 512
PARTITION = 2048           # first sector of the FAT partition
LABEL = b"lab disk label 1"  # 16 bytes in sector 1024, between GRUB and the partition
LABEL_SECTOR = 1024


def tool(*command):
    """Runs a build tool; its output is shown only when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError(errors.IMAGE, "%s is not installed: run 'make deps'" % command[0])
    if done.returncode:
        raise LabError(errors.IMAGE, "%s failed: %s" % (" ".join(command), done.stderr.strip()))


def build_initrd(path, modules):
    """Compressed, since a guest's firmware reads it a byte at a time through emulated ports."""
    out = io.BytesIO()
    cpio = Cpio(out)
    for name in ("dev", "proc", "sys", "tmp"):
        cpio.dir(name)
    cpio.char("dev/console", 5, 1)
    cpio.file("init", os.path.join(SOURCE, "init"))
    cpio.file("bin/busybox", os.path.join(image.DEBIAN, "bin/busybox"))
    for module in modules:
        cpio.file("lib/" + os.path.basename(module), module)
    names = ["/lib/" + os.path.basename(m) + "\n" for m in modules]
    cpio.data("modules", "".join(names).encode())
    cpio.close()
    with open(path, "wb") as f:
        f.write(gzip.compress(out.getvalue(), 9, mtime=0))


def build_bootsector(path, reboots):
    """A small disk whose first sector is the whole program, and the second says how often it resets."""
    obj = path + ".o"
    tool(os.environ.get("CC", "cc"), "-m32", "-c", "-o", obj, os.path.join(SOURCE, "bootsector.S"))
    tool("ld", "-m", "elf_i386", "-Ttext", "0x7c00", "--oformat", "binary", "-o", path, obj)
    os.unlink(obj)
    if os.path.getsize(path) != SECTOR:
        raise LabError(errors.IMAGE, "the boot sector is %d bytes" % os.path.getsize(path))
    with open(path, "ab") as f:
        f.write(bytes([reboots]))
        f.truncate(1 << 20)


def build_disk(path, kernel, initrd):
    """
    MBR (GRUB's boot.img, which loads the sectors after it), core.img, the label, and a FAT partition
    with the kernel and the initramfs.
    """
    core = path + ".core"
    tool("grub-mkimage", "-O", "i386-pc", "-d", GRUB, "-p", "(hd0,msdos1)/", "-o", core,
         "-c", os.path.join(SOURCE, "grub.cfg"), *GRUB_MODULES)
    with open(os.path.join(GRUB, "boot.img"), "rb") as f:
        mbr = bytearray(f.read())
    with open(core, "rb") as f:
        core_bytes = f.read()
    os.unlink(core)
    if len(core_bytes) > (LABEL_SECTOR - 1) * SECTOR:
        raise LabError(errors.IMAGE, "GRUB's core.img does not fit before the partition")
    mib = (os.path.getsize(kernel) + os.path.getsize(initrd) >> 20) + 3
    sectors = mib * 2048
    # One active partition of type 0x0e (FAT16, LBA); cylinder numbers say "use the LBA fields".
    entry = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x0E, b"\xfe\xff\xff", PARTITION, sectors)
    mbr[446:] = entry + bytes(48) + b"\x55\xaa"
    with open(path, "wb") as f:
        f.write(mbr + core_bytes)
        f.seek(LABEL_SECTOR * SECTOR)
        f.write(LABEL)
        f.truncate((PARTITION + sectors) * SECTOR)
    fat = "%s@@%d" % (path, PARTITION * SECTOR)
    tool("mformat", "-i", fat, "-T", str(sectors), "-h", "16", "-s", "63", "-H", str(PARTITION), "::")
    tool("mcopy", "-i", fat, kernel, "::vmlinuz")
    tool("mcopy", "-i", fat, initrd, "::initrd")


def build():
    shutil.rmtree(paths.GUESTS, ignore_errors=True)
    os.makedirs(paths.GUESTS)

    def dest(name):
        return os.path.join(paths.GUESTS, name)

    shutil.copyfile(image.boot_file(image.CLOUD_KERNEL), dest("vmlinuz"))
    build_initrd(dest("initrd"), [])
    build_bootsector(dest("tiny.img"), 0)
    build_bootsector(dest("reboot.img"), 1)
    # The disk gets the other kernel: half the size, and it is read sector by sector.
    build_initrd(dest("initrd-disk"),
                 image.module_files(image.kernel_version(), image.GUEST_MODULES))
    build_disk(dest("disk.img"), image.boot_file(image.DOM0_KERNEL), dest("initrd-disk"))
    os.unlink(dest("initrd-disk"))
    for name in os.listdir(SOURCE):
        if name.endswith(".cfg") and name != "grub.cfg":
            shutil.copyfile(os.path.join(SOURCE, name), dest(name))


def wanted(command):
    """The files of /guests that a command needs: everything, but disk images only if named."""
    disks = {"hvm-disk": "disk.img", "hvm-tiny": "tiny.img", "hvm-reboot": "reboot.img"}
    leave = {image for name, image in disks.items() if not re.search(name, command)}
    return [n for n in sorted(os.listdir(paths.GUESTS)) if n not in leave]


def ensure(say):
    """Makes GUESTS exist and match the sources."""
    image.ensure_packages(say)
    here = os.path.dirname(os.path.abspath(__file__))
    image.cached("guests", image.stamp(SOURCE, os.path.join(here, "guests.py")),
                 [os.path.join(paths.GUESTS, "disk.img")], build, say)
