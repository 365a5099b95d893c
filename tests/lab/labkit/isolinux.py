# SPDX-License-Identifier: Apache-2.0
"""
Boots by ISOLINUX from a CD image: its mboot.c32 loads multiboot programs and modules as GRUB does,
but copies words instead of bytes, which in an emulator saves a GB's worth of instructions.
"""

import os
import shutil
import subprocess

from . import errors
from .errors import LabError
from .grub import add

PROGRAMS = ("/usr/lib/ISOLINUX/isolinux.bin", "/usr/lib/syslinux/modules/bios/ldlinux.c32",
            "/usr/lib/syslinux/modules/bios/libcom32.c32",
            "/usr/lib/syslinux/modules/bios/mboot.c32")
CONFIG = """\
default lab
label lab
kernel mboot.c32
append %s
"""
LONGEST = 2000  # characters of all command lines


def iso(boot, folder):
    """Makes an image that boots this; its path, in the run's folder."""
    top = os.path.join(folder, "iso")
    os.makedirs(top)
    for path in PROGRAMS:
        if not os.path.exists(path):
            raise LabError(errors.IMAGE, "no %s: run 'make deps'" % path)
        shutil.copy(path, top)
    words = []
    for i, (path, text) in enumerate([(boot.kernel, boot.args)] + boot.modules):
        add(path, os.path.join(top, "file%d" % i))
        words.append(" ".join(("file%d" % i, text)).strip())
    line = " --- ".join(words)
    if len(line) > LONGEST:
        raise LabError(errors.USAGE, "the command lines are too long for ISOLINUX")
    with open(os.path.join(top, "isolinux.cfg"), "w") as f:
        f.write(CONFIG % line)
    shutil.copy(f.name, folder)
    out = os.path.join(folder, "boot.iso")
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-o", out, "-b", "isolinux.bin", "-c", "boot.cat",
               "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", top]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError(errors.IMAGE, "xorriso is not installed: run 'make deps'")
    if done.returncode:
        raise LabError(errors.IMAGE, "xorriso failed: " + done.stderr.strip()[-500:])
    shutil.rmtree(top)
    return out
