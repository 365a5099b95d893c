# SPDX-License-Identifier: Apache-2.0
"""
Changes one bit of what a boot by UEFI starts, in a place where the machine boots as before: only who measures can tell. The places are
found by what must be there, once: the bit is the lowest one of its last character.
"""

import glob
import os

from . import errors
from .errors import LabError

# Part: file on the EFI system partition, the text.
PLACES = {
    "monitor": ("boot/nethervisor-*.elf", b"FATAL: this CPU has no 64-bit mode"),
    "xen": ("boot/0-*", b"Bad console= option"),
    "kernel": ("boot/1-*", b"VFS: Unable to mount root fs"),
    "initrd": ("boot/2-*", b"# The lab's dom0, from kernel to power-off"),  # a comment in /init
    "grub": ("EFI/debian/grub.cfg", b"# One line after the other"),
    "cmdline": ("EFI/debian/grub.cfg", b"conring_size=128"),  # Xen's: 129
}


def tamper(top, part):
    """Changes `part` in the partition's tree, whose files may be links to others': those stay as they are."""
    name, known = PLACES[part]
    paths = glob.glob(os.path.join(glob.escape(top), name))
    if len(paths) != 1:
        raise LabError(errors.IMAGE, "--tamper %s: %d files are called %s" % (part, len(paths), name))
    with open(paths[0], "rb") as f:
        data = bytearray(f.read())
    if data.count(known) != 1:
        raise LabError(errors.IMAGE, "--tamper %s: %s has %d times what is looked for, not once"
                       % (part, os.path.basename(paths[0]), data.count(known)))
    data[data.index(known) + len(known) - 1] ^= 1
    os.unlink(paths[0])
    with open(paths[0], "wb") as f:
        f.write(data)
