# SPDX-License-Identifier: Apache-2.0
"""
Builds a disk that boots as an installed system's does: GRUB in the MBR and the gap behind it, one partition
with ext4, and on that Debian's cloud kernel, an initramfs, busybox, e2fsck and fio. No loop device and nothing that only
root may do: mke2fs fills the file system from a directory. Equal inputs give equal bytes.
"""

import lzma
import os
import shutil
import stat
import struct
import subprocess
import tempfile

from . import errors, grub, image
from .errors import LabError

MIB, SECTOR = 1 << 20, 512
SIZE = 192 * MIB
START = MIB          # of the partition: the gap before it has room for GRUB
PROGRAMS = ["usr/bin/fio", "sbin/e2fsck"]
# What GRUB's core holds, so that it loads no modules from the disk.
GRUB_MODULES = ["biosdisk", "part_msdos", "ext2", "normal", "linux", "xzio", "serial", "terminal", "echo"]
UUID = "6e657468-6572-4873-8f00-6578743420fd"
TIME = 1700000000    # of everything in the file system
DISK_ID = 0x4E544852
# GRUB's boot.img (include/grub/i386/pc/boot.h, grub-core/boot/i386/pc/boot.S): where the sector that it loads
# is said, and a jump that keeps the BIOS's word for the drive; a disk's setup replaces the jump.
CORE_SECTOR, DRIVE_CHECK = 0x5C, 0x66
CODE_END = 0x1B8     # of the MBR: then the disk's id, partitions
# The list of the rest's sectors ends core.img's first one: LBA, sectors, segment (grub-core/boot/i386/pc/diskboot.S).
BLOCK_LIST, REST_SEGMENT = SECTOR - 12, 0x820


def tool(*command, text=None):
    env = dict(os.environ, E2FSPROGS_FAKE_TIME=str(TIME), PATH=os.environ["PATH"] + ":/usr/sbin:/sbin")
    try:
        done = subprocess.run(command, capture_output=True, text=True, input=text, env=env)
    except FileNotFoundError:
        raise LabError(errors.IMAGE, "%s is not installed: run 'make deps'" % command[0])
    if done.returncode:
        raise LabError(errors.IMAGE, "%s failed: %s" % (" ".join(command), done.stderr.strip()))


def put(top, name, source):
    path = os.path.join(top, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(source, path)
    os.chmod(path, stat.S_IMODE(os.stat(source).st_mode))


def fill(top, ours, kernel, initrd):
    """The root file system's tree."""
    for name in ("dev", "proc", "sys", "tmp", "run", "root", "mnt"):
        os.makedirs(os.path.join(top, name))
    for name in PROGRAMS + image.closure(PROGRAMS):
        put(top, name, os.path.realpath(os.path.join(image.DEBIAN, name)))
    put(top, "boot/initrd.img", initrd)
    # GRUB unpacks it: firmware reads a disk by PIO, at 100 KB/s in an emulator.
    with open(kernel, "rb") as f, open(os.path.join(top, "boot/vmlinuz.xz"), "wb") as out:
        out.write(lzma.compress(f.read(), check=lzma.CHECK_CRC32))
    put(top, "bin/busybox", os.path.join(image.DEBIAN, "bin/busybox"))
    for applet in image.applets():
        for where in "bin", "sbin":
            if os.path.lexists(os.path.join(top, where, applet)):
                break
        else:
            os.link(os.path.join(top, "bin/busybox"), os.path.join(top, "bin", applet))
    os.symlink("../bin/busybox", os.path.join(top, "sbin/init"))
    tree = os.path.join(ours, "ext4")
    for where, _, files in os.walk(tree):
        for name in files:
            put(top, os.path.relpath(os.path.join(where, name), tree), os.path.join(where, name))
    tool(os.environ.get("CC", "cc"), "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-Wl,--build-id=none", "-s",
         "-o", os.path.join(top, "bin/pio"), os.path.join(ours, "pio.c"))


def inodes(top):
    """One name for each inode of the tree."""
    seen = set()
    yield "/"
    for where, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(where, name)
            ino = os.lstat(path).st_ino
            if ino not in seen:
                seen.add(ino)
                yield "/" + os.path.relpath(path, top)


def file_system(path, top):
    """ext4 on the partition, with what is in `top`; all times are TIME."""
    tool("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-U", UUID, "-L", "root", "-J", "size=8", "-m", "0",
         "-O", "metadata_csum,64bit,^metadata_csum_seed,^orphan_file",
         "-E", "offset=%d,hash_seed=%s,root_owner=0:0,lazy_itable_init=0,nodiscard" % (START, UUID),
         "-d", top, path, "%dk" % ((SIZE - START) >> 10))
    fields = [(field, "@%d" % TIME) for field in ("atime", "ctime", "mtime")] + [("uid", "0"), ("gid", "0")]
    tool("debugfs", "-w", "-f", "-", "%s?offset=%d" % (path, START),
         text="".join('sif "%s" %s %s\n' % (name, field, value) for name in inodes(top) for field, value in fields))


def boot_sectors(path):
    """What grub-bios-setup writes, which wants a device: boot.img with the partition's entry, core.img in the gap."""
    core_path = path + ".core"
    tool("grub-mkimage", "-d", grub.PLATFORM, "-O", "i386-pc", "-p", "(hd0,msdos1)/boot/grub", "-o", core_path,
         *GRUB_MODULES)
    with open(core_path, "rb") as f:
        core = bytearray(f.read())
    os.unlink(core_path)
    core += bytes(-len(core) % SECTOR)
    if SECTOR + len(core) > START:
        raise LabError(errors.IMAGE, "GRUB's core has no room before the partition")
    struct.pack_into("<QHH", core, BLOCK_LIST, 2, len(core) // SECTOR - 1, REST_SEGMENT)
    with open(os.path.join(grub.PLATFORM, "boot.img"), "rb") as f:
        boot = bytearray(f.read(SECTOR))
    struct.pack_into("<Q", boot, CORE_SECTOR, 1)
    struct.pack_into("<H", boot, DRIVE_CHECK, 0x9090)
    # One entry: active, Linux, no cylinders, LBA and sectors.
    boot[CODE_END:] = struct.pack("<IHB3sB3sII48sH", DISK_ID, 0, 0x80, b"\xfe\xff\xff", 0x83, b"\xfe\xff\xff",
                                  START // SECTOR, (SIZE - START) // SECTOR, b"", 0xAA55)
    with open(path, "r+b") as f:
        f.write(boot + core)


def build(path, ours, kernel, initrd):
    """Makes the disk `path`; `ours` is the directory with what is not Debian's."""
    with open(path, "wb") as f:
        f.truncate(SIZE)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(path)) as top:
        os.chmod(top, 0o755)
        fill(top, ours, kernel, initrd)
        file_system(path, top)
    boot_sectors(path)
