# SPDX-License-Identifier: Apache-2.0
"""
Boots by UEFI: Debian's OVMF, and a disk that is a FAT file system with Debian's GRUB for it, byte for byte. With a TPM,
GRUB measures what it does (its module tpm is built in; multiboot2 is not).
"""

import os
import shutil
import subprocess

from . import errors, grub, paths
from .errors import LabError
from .tamper import tamper

CODE, VARS = ("/usr/share/OVMF/OVMF_%s_4M.fd" % name for name in ("CODE", "VARS"))
GRUB = "/usr/lib/grub/x86_64-efi"
PREFIX = "EFI/debian"  # built into GRUB
MODULES = ("multiboot2.mod", "command.lst", "fs.lst", "crypto.lst", "terminal.lst")
SLACK = 4 << 20


def tool(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        raise LabError(errors.IMAGE, "%s is not installed: run 'make deps'" % command[0])
    if done.returncode:
        raise LabError(errors.IMAGE, "%s failed: %s" % (command[0], done.stderr.strip()[-500:]))
    return done.stdout


def config(boot, files):
    """A straight line, without a menu: what GRUB measures of it can be foreseen (attest/release-hashes)."""
    multiboot, modules = grub.COMMANDS["grub2"]
    lines = ["# One line after the other", "insmod multiboot2"]
    for i, (name, words) in enumerate(files):
        lines.append("%s /boot/%s %s" % (modules if i else multiboot, name, grub.quoted(words)))
    return "\n".join(lines + ["boot", ""])


def tree(boot, top):
    """The file system, as a directory."""
    os.makedirs(os.path.join(top, PREFIX, "x86_64-efi"))
    os.makedirs(os.path.join(top, "EFI/BOOT"))
    os.makedirs(os.path.join(top, "boot"))
    grub.add(os.path.join(GRUB, "monolithic/grubx64.efi"), os.path.join(top, "EFI/BOOT/BOOTX64.EFI"))
    for name in MODULES:
        grub.add(os.path.join(GRUB, name), os.path.join(top, PREFIX, "x86_64-efi", name))
    files = [(os.path.basename(boot.kernel), "placeholder " + boot.args)]
    grub.add(boot.kernel, os.path.join(top, "boot", files[0][0]))
    for i, (path, text) in enumerate(boot.modules):
        files.append(("%d-%s" % (i, os.path.basename(path)), "placeholder " + text))
        grub.add(path, os.path.join(top, "boot", files[-1][0]))
    with open(os.path.join(top, PREFIX, "grub.cfg"), "w") as f:
        f.write(config(boot, files))


def size(top):
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, names in os.walk(top) for f in names)


def version():
    with open(os.path.join(paths.BUILD, "version.h")) as f:
        return f.read().split('"')[1]


def foretell(top, hw, folder):
    """foretold.yaml: what GRUB, and the monitor if there is one (hw), are expected to measure."""
    command = [os.path.join(paths.ROOT, "attest/release-hashes"), "--esp", top, "--root", "hd0"]
    yaml = tool(*command, *(["--backend", hw, "--version", version()] if hw else []))
    with open(os.path.join(folder, "foretold.yaml"), "w") as f:
        f.write(yaml)


def disk(boot, hw, folder, part=None):
    """
    Makes the disk and the firmware's variables, in the run's folder; the disk's path. hw: the monitor's backend, or None
    if it is not there. part: what is tampered with, after all has been foretold.
    """
    for path in (CODE, VARS, os.path.join(GRUB, "monolithic/grubx64.efi")):
        if not os.path.exists(path):
            raise LabError(errors.IMAGE, "%s is missing: run 'make deps'" % path)
    top, out = os.path.join(folder, "esp"), os.path.join(folder, "esp.img")
    tree(boot, top)
    foretell(top, hw, folder)
    if part:
        tamper(top, part)
    sectors = (size(top) * 102 // 100 + SLACK) // 512
    with open(out, "wb") as f:
        f.truncate(sectors * 512)
    tool("mformat", "-i", out, "-F", "-T", str(sectors), "-h", "64", "-s", "32", "-N", "4e455448", "::")
    tool("mcopy", "-i", out, "-s", *(os.path.join(top, name) for name in sorted(os.listdir(top))), "::")
    shutil.copyfile(os.path.join(top, PREFIX, "grub.cfg"), os.path.join(folder, "grub.cfg"))
    shutil.rmtree(top)
    shutil.copyfile(VARS, os.path.join(folder, "vars.fd"))
    return out


def arguments(path, quoted):
    """QEMU's, for that disk; quoted() makes a file's name one of its options'."""
    flash = "if=pflash,format=raw,unit=%d,file=%s"
    variables = os.path.join(os.path.dirname(path), "vars.fd")
    return ["-drive", flash % (0, CODE) + ",readonly=on", "-drive", flash % (1, quoted(variables)),
            "-drive", "if=none,id=esp,format=raw,readonly=on,file=" + quoted(path),
            "-device", "virtio-blk-pci,drive=esp,bootindex=0,disable-legacy=on"]
