# SPDX-License-Identifier: Apache-2.0
"""
Boots by GRUB (for a BIOS), from a CD image that grub-mkrescue makes, instead of QEMU's own loader.

The image's UUID, by which GRUB's `search` finds it, is fixed: an entry written for it works as it is.
"""

import os
import shutil
import subprocess

from . import errors
from .errors import LabError

COMMANDS = {"grub1": ("multiboot", "module"), "grub2": ("multiboot2", "module2"),
            "tboot": ("multiboot", "module")}
PLATFORM = "/usr/lib/grub/i386-pc"
# All that the entries need; fewer modules make a smaller image, and one that boots sooner.
MODULES = "multiboot multiboot2 gzio iso9660 serial terminal normal echo test" \
          " search search_fs_uuid"
UUID_DATE = "2026010203040506"  # GRUB calls this image 2026-01-02-03-04-05-06

HEADER = """\
serial --unit=0 --speed=115200
terminal_output serial
set timeout=0
set menuentry_id_option=--id
"""


def quoted(text):
    """A command line's words for GRUB's script language."""
    if "'" in text:
        raise LabError(errors.USAGE, "--boot takes no arguments with quotes: " + text)
    return " ".join("'%s'" % word for word in text.split())


def entry(boot, loader):
    """grub.cfg, and what the image holds as (name, path), for a multiboot program and modules."""
    files = [(os.path.basename(boot.kernel), boot.kernel)]
    multiboot, module = COMMANDS[loader]
    # As in Debian's entries, a word stands for the file's name.
    lines = ["menuentry lab {",
             "\t%s /boot/%s %s" % (multiboot, files[0][0], quoted("placeholder " + boot.args))]
    for i, (path, text) in enumerate(boot.modules):
        name = "%d-%s" % (i, os.path.basename(path))
        files.append((name, path))
        lines.append("\t%s /boot/%s %s" % (module, name, quoted("placeholder " + text)))
    return "\n".join(lines + ["}", ""]), files


def add(path, dest):
    """A link where the file system allows it: these files are large."""
    try:
        os.link(path, dest)
    except OSError:
        shutil.copyfile(path, dest)


def make_iso(top, out):
    if not os.path.isdir(PLATFORM):
        raise LabError(errors.IMAGE, "grub-pc-bin is not installed: run 'make deps'")
    command = ["grub-mkrescue", "-d", PLATFORM, "--install-modules=" + MODULES, "--locales=",
               "--fonts=", "--themes=", "-o", out, top, "--modification-date=" + UUID_DATE]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError(errors.IMAGE, "grub-mkrescue is not installed: run 'make deps'")
    if done.returncode:
        raise LabError(errors.IMAGE, "grub-mkrescue failed: " + done.stderr.strip()[-500:])


def iso(boot, loader, folder):
    """Makes an image that boots this; its path, in the run's folder."""
    top = os.path.join(folder, "iso")
    os.makedirs(os.path.join(top, "boot/grub"))
    config, files = entry(boot, loader)
    for name, path in files:
        add(path, os.path.join(top, "boot", name))
    return finish(top, config, folder)


def iso_of_root(root, initrd, folder):
    """
    The same of a root directory as installed: its /boot, and entries as update-grub would write
    them in ROOT/grub.cfg. Every initrd.img-* there is replaced by this run's.
    """
    top = os.path.join(folder, "iso")
    os.makedirs(os.path.join(top, "boot/grub"))
    for name in sorted(os.listdir(os.path.join(root, "boot"))):
        path = os.path.join(root, "boot", name)
        if os.path.isfile(path):
            add(initrd if name.startswith("initrd.img-") else path, os.path.join(top, "boot", name))
    with open(os.path.join(root, "grub.cfg")) as f:
        return finish(top, f.read(), folder)


def finish(top, config, folder):
    with open(os.path.join(top, "boot/grub/grub.cfg"), "w") as f:
        f.write(HEADER + config)
    shutil.copyfile(f.name, os.path.join(folder, "grub.cfg"))
    out = os.path.join(folder, "boot.iso")
    make_iso(top, out)
    shutil.rmtree(top)
    return out
