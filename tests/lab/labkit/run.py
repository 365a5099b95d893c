# SPDX-License-Identifier: Apache-2.0
"""`lab run`: prepares the images, boots, watches, and writes the summary."""

import argparse
import io
import os
import secrets
import shutil
import signal
import sys
import time

from . import errors, grub, guests, image, isolinux, paths, uefi
from .bochs import Bochs
from .cpio import Cpio
from .errors import LabError
from .machine import DEVICES, IOMMUS, Boot, Qemu, nested_kvm
from .protocol import Protocol
from .session import Session
from .tamper import PLACES
from .tpm import DEVICES as TPMS, Tpm

XEN_ARGS = "com1=115200,8n1 console=com1 dom0_mem=640M,max:640M loglvl=all guest_loglvl=all" \
           " conring_size=128k"
DOM0_ARGS = "console=hvc0 quiet loglevel=4 panic=1 rdinit=/init"


def say(text):
    print("lab: " + text, file=sys.stderr, flush=True)


def parser(sub):
    p = sub.add_parser("run", help="boot the monitor and an L1, run a command in dom0")
    p.add_argument("--hw", choices=("svm", "vmx"), default="svm")
    p.add_argument("--no-monitor", action="store_true", help="the same software without us")
    p.add_argument("--cpus", type=int,
                   help="default: 2, but 1 for Xen on AMD: docs/hardware.md")
    p.add_argument("--mem", type=int, metavar="MB", help="default: 3072, on Bochs 1536")
    p.add_argument("--ram", metavar="FILE", help="QEMU: RAM is this file, and stays there")
    p.add_argument("--cpu-model", metavar="MODEL", help="another CPU, as the emulator names it")
    p.add_argument("--iommu", choices=IOMMUS, default="none", help="QEMU's: Intel's with 39 or 48"
                   " bits, or AMD's; with any CPU")
    p.add_argument("--device", action="append", default=[], choices=DEVICES, help="QEMU's")
    p.add_argument("--disk", action="append", default=[], metavar="FILE", help="QEMU's: a raw file, which dom0"
                   " reads and writes as /dev/vda, vdb, .. after `modprobe virtio_blk`")
    p.add_argument("--forward", metavar="PORT:DOM0PORT", help="QEMU's: this port of 127.0.0.1 leads to dom0's, after"
                   " `lab-net`; dom0 reaches nobody")
    p.add_argument("--tpm", choices=TPMS, help="QEMU's TPM 2.0 (swtpm), by one of its two interfaces")
    p.add_argument("--tpm-state", metavar="DIR", help="the TPM that lives in DIR, made if it is not there;"
                   " without it, a new one, in the run's folder")
    p.add_argument("--icount", action="store_true", help="one CPU thread, time = instructions")
    p.add_argument("--in-turn", action="store_true",
                   help="QEMU's CPUs run in turn, in one thread; not with guests (docs/hardware.md)")
    p.add_argument("--xen-args", default="", metavar="S", help="added to Xen's command line")
    p.add_argument("--monitor-args", default="", metavar="S", help="the monitor's command line")
    p.add_argument("--boot", choices=("direct", "grub1", "grub2", "tboot", "uefi"), default="direct",
                   help="by QEMU's own loader (ISOLINUX on Bochs), or GRUB's multiboot or"
                   " multiboot2, or GRUB's multiboot and tboot, or UEFI and GRUB's multiboot2")
    p.add_argument("--packed", action="store_true",
                   help="with GRUB: Xen and dom0's kernel as compressed as Debian has them")
    p.add_argument("--boot-root", metavar="DIR",
                   help="GRUB boots DIR/boot by DIR/grub.cfg, with our initrd as its initrd.img-*")
    p.add_argument("--tamper", choices=sorted(PLACES), help="with --boot uefi: one bit of this part is changed before"
                   " the boot, where it does no harm")
    p.add_argument("--keep-esp", action="store_true", help="with --boot uefi: the disk stays in the run's folder, as esp.img")
    p.add_argument("--l1", metavar="ELF", help="a multiboot program instead of Xen")
    p.add_argument("--l1-args", default="", metavar="S")
    p.add_argument("--module", action="append", default=[], metavar="FILE[,args]")
    p.add_argument("--overlay", metavar="DIR", help="copied over dom0's root")
    p.add_argument("--initrd-kept", metavar="DIR", help="dom0's initrd is DIR's, byte for byte, with its command; made if"
                   " it is not there")
    p.add_argument("--guests", action="store_true",
                   help="put the test guests into /guests (also if the command names /guests)")
    p.add_argument("--exec", dest="command", metavar="CMD", help="shell command in dom0")
    p.add_argument("--timeout", type=float, metavar="S",
                   help="seconds for everything (default 600; none for an interactive shell)")
    p.add_argument("--dev-keys", action="store_true",
                   help="the monitor's image for development, which takes disks' keys from dom0")
    p.add_argument("--gdb", action="store_true", help="wait for gdb on port 1234")
    p.add_argument("--name", help="the run's folder below build/lab/runs")
    p.add_argument("--quiet", action="store_true", help="no progress on stderr")
    p.set_defaults(call=call)


def must_exist(path, what):
    if not os.path.isfile(path):
        raise LabError(errors.USAGE, "no such file: %s (%s)" % (path, what))
    return os.path.abspath(path)


def ports(text):
    """The two of --forward."""
    here, _, there = text.partition(":")
    if not here.isdigit() or not there.isdigit() or not all(0 < int(n) < 65536 for n in (here, there)):
        raise LabError(errors.USAGE, "--forward needs two ports, such as 8443:8443: " + text)
    return int(here), int(there)


def check(o):
    """Everything that can be refused before an image is built."""
    if o.cpus is None:
        o.cpus = 2 if o.l1 or o.hw == "vmx" else 1
    if o.cpus < 1 or (o.mem or 256) < 256:
        raise LabError(errors.USAGE, "--cpus must be at least 1 and --mem at least 256")
    if o.overlay and not os.path.isdir(o.overlay):
        raise LabError(errors.USAGE, "no such directory: %s (--overlay)" % o.overlay)
    if o.l1 and (o.command or o.overlay or o.guests):
        raise LabError(errors.USAGE, "--l1 boots no dom0: no --exec, --overlay or --guests with it")
    if o.module and not o.l1:
        raise LabError(errors.USAGE, "--module needs --l1")
    if o.packed and (o.boot not in ("grub1", "grub2", "uefi") or o.l1):
        raise LabError(errors.USAGE, "--packed needs --boot grub1, grub2 or uefi, and Xen")
    if o.boot == "tboot" and o.hw != "vmx":
        raise LabError(errors.USAGE, "--boot tboot needs --hw vmx: tboot is for Intel's CPUs")
    if o.boot_root and (o.l1 or o.boot != "direct" or o.no_monitor):
        raise LabError(errors.USAGE, "--boot-root says itself what is booted, and how")
    if o.boot_root and not os.path.isfile(os.path.join(o.boot_root, "grub.cfg")):
        raise LabError(errors.USAGE, "no grub.cfg in %s (--boot-root)" % o.boot_root)
    if o.tamper and (o.boot != "uefi" or o.l1 or o.no_monitor):
        raise LabError(errors.USAGE, "--tamper needs --boot uefi, the monitor and Xen")
    if o.initrd_kept and (o.l1 or o.command is None):
        raise LabError(errors.USAGE, "--initrd-kept needs --exec")
    if o.tpm_state and not o.tpm:
        raise LabError(errors.USAGE, "--tpm-state needs --tpm")
    o.disk = [must_exist(path, "--disk") for path in o.disk]
    o.forward = ports(o.forward) if o.forward else None
    monitor = paths.monitor(o.hw, o.dev_keys)
    if not os.path.exists(monitor) and not o.no_monitor:
        raise LabError(errors.NOT_BUILT, "not built yet: %s (run 'make', or use --no-monitor)"
                       % os.path.relpath(monitor))


def machine_for(o):
    """VMX comes from KVM where it can; Bochs' clock is instructions always."""
    if o.hw == "vmx" and (o.icount or not nested_kvm("vmx")):
        if o.boot == "uefi":
            raise LabError(errors.USAGE, "Bochs has no UEFI")
        if o.iommu != "none" or o.device or o.disk or o.forward or o.tpm:
            raise LabError(errors.USAGE, "Bochs has no IOMMU, TPM, network, and none of these devices and disks")
        return Bochs(o.cpus, o.mem, o.cpu_model, o.gdb)
    return Qemu(o.hw, o.cpus, o.mem, o.cpu_model, o.icount, o.gdb, o.in_turn, bool(o.l1),
                o.iommu, o.device, o.ram, o.disk, o.forward,
                Tpm(o.tpm, o.tpm_state) if o.tpm else None)


def run_folder(name):
    name = name or time.strftime("%Y%m%d-%H%M%S-") + str(os.getpid())
    folder = os.path.join(paths.RUNS, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def write_initrd(o, folder, nonce):
    """The dom0 root of this run: the cached archive, followed by one with what is new."""
    more = io.BytesIO()
    cpio = Cpio(more)
    cpio.data("lab/nonce", (nonce + "\n").encode(), 0o600)
    if o.command is None:
        cpio.data("lab/interactive", b"")
    else:
        cpio.data("lab/command", o.command.encode() + b"\n")
    tools = paths.TOOLS + (paths.TPM_TOOLS if o.tpm else [])
    for tool in [] if o.no_monitor else filter(os.path.exists, tools):
        with open(tool, "rb") as f:
            cpio.data("usr/bin/" + os.path.basename(tool), f.read(), 0o755)
    if o.guests or "/guests" in (o.command or ""):
        guests.ensure(say)
        command = "hvm-disk hvm-tiny hvm-reboot" if o.guests else o.command
        for name in guests.wanted(command):
            cpio.file("guests/" + name, os.path.join(paths.GUESTS, name))
    if o.overlay:
        cpio.tree(o.overlay)
    cpio.close()
    path = os.path.join(folder, "initrd")
    with open(path, "wb") as out:
        for name in [paths.DOM0] + ([paths.DOM0_TPM] if o.tpm else []):
            with open(name, "rb") as base:
                shutil.copyfileobj(base, out, 1 << 20)
        out.write(more.getvalue())
    return path


def kept_initrd(o, folder):
    """(path, nonce) of --initrd-kept's, which is complete when its file `job` is there: the nonce, and the command."""
    initrd, job = (os.path.join(o.initrd_kept, name) for name in ("initrd", "job"))
    if not os.path.exists(job):
        os.makedirs(o.initrd_kept, exist_ok=True)
        nonce = secrets.token_hex(16)
        shutil.move(write_initrd(o, folder, nonce), initrd)
        with open(job + ".new", "w") as f:
            f.write(nonce + "\n" + o.command)
        os.rename(f.name, job)
    with open(job) as f:
        nonce, _, command = f.read().partition("\n")
    if command != o.command:
        raise LabError(errors.USAGE, "the initrd in %s has another command" % o.initrd_kept)
    return os.path.abspath(initrd), nonce


def dom0_initrd(o, folder):
    """(path, nonce)"""
    image.ensure(say)
    if o.initrd_kept:
        return kept_initrd(o, folder)
    nonce = secrets.token_hex(16)
    return write_initrd(o, folder, nonce), nonce


def l1_boot(o):
    """The multiboot program, and its modules."""
    modules = []
    for spec in o.module:
        path, _, text = spec.partition(",")
        modules.append((must_exist(path, "--module"), text))
    return Boot(must_exist(o.l1, "--l1"), o.l1_args, modules)


def xen_boot(o, machine, folder, initrd):
    args = XEN_ARGS + (" console_timestamps=raw" if o.icount else "")
    args = " ".join(filter(None, [args, machine.xen_args, o.xen_args]))
    dom0_args = " ".join(filter(None, [DOM0_ARGS, machine.dom0_args]))
    xen, kernel = (image.boot_file(image.XEN_FILE), image.boot_file(image.DOM0_KERNEL)) \
        if o.packed else (paths.XEN, paths.KERNEL)
    return Boot(xen, args, [(kernel, dom0_args), (initrd, "")])


def below(o, boot):
    """The same with the monitor under it: L1 becomes the monitor's first module."""
    monitor = must_exist(paths.monitor(o.hw, o.dev_keys), "the monitor")
    return Boot(monitor, o.monitor_args, [(boot.kernel, boot.args)] + boot.modules)


def after_tboot(o, boot):
    """The same with tboot before it, which logs to com1 and starts its first module."""
    image.ensure(say)
    return Boot(paths.TBOOT, "logging=serial,memory serial=115200,8n1,0x3f8",
                [(boot.kernel, boot.args)] + boot.modules)


def boot_iso(o, machine, boot, folder):
    """The CD image to boot from, or None."""
    if o.boot_root:
        return grub.iso_of_root(o.boot_root, boot.modules[-1][0], folder)
    loader = machine.loader(o.boot)
    if loader == "uefi":
        return uefi.disk(boot, None if o.no_monitor else o.hw, folder, o.tamper)
    if loader == "isolinux":
        return isolinux.iso(boot, folder)
    return grub.iso(boot, loader, folder) if loader else None


def outcome(o, session):
    """The run's exit status, after the emulator has ended by itself."""
    status, why = session.machine.exit_status(), session.machine.why(session.folder)
    if status and not session.com1.at and not session.result:
        raise LabError(errors.EMULATOR_START, "the emulator could not start: " + why)
    if o.l1:
        if session.result is None:
            raise LabError(errors.L1_RESULT, "the L1 program ended without 'N passed, N failed'; "
                           "emulator's status %s" % status)
        passed, failed = session.result
        return 0 if passed > 0 and failed == 0 else 1
    protocol = session.protocol
    if o.command is None and protocol.status is not None:
        return 0  # the user of the shell may power off without leaving it
    if protocol.status is None or not protocol.bye:
        what = "; ".join(protocol.failures) or "the machine was reset, powered off, or crashed"
        raise LabError(errors.EMULATOR_DIED, "the machine ended before dom0 did; reached: %s; "
                       "emulator's status %s; %s" % (session.last_phase(), status, what))
    return protocol.status


def summary(o, session, command, status, failure):
    facts = {"name": os.path.basename(session.folder), "hw": o.hw, "monitor": not o.no_monitor,
             "boot": "root" if o.boot_root else o.boot, "l1": o.l1 or "xen", "exec": o.command,
             "status": status, "failure": failure,
             **session.machine.info, **session.machine.facts(), "phases_s": session.phases,
             "nudges": session.nudges, "command_line": command}
    if session.protocol:
        tsc = dict(session.protocol.tsc)
        if session.tsc_first is not None:
            tsc = {"xen_first_line": session.tsc_first, **tsc}
        # Under --icount the clock is retired instructions, plus the time all CPUs were idle.
        facts["guest_clock"] = {"unit": session.machine.clock, **tsc}
        facts["monitor_stat"] = session.protocol.stat
        facts["dom0_failures"] = session.protocol.failures
    if session.result:
        facts["l1_result"] = dict(zip(("passed", "failed"), session.result))
    return facts


def emit(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def run(o, on_phase, on_output=emit):
    """Boots as the options say; (status, summary). Raises LabError after writing a summary."""
    check(o)
    interactive = not o.l1 and o.command is None
    machine = machine_for(o)
    folder = run_folder(o.name)
    initrd, nonce = (None, None) if o.l1 else dom0_initrd(o, folder)
    boot = l1_boot(o) if o.l1 else xen_boot(o, machine, folder, initrd)
    whole = boot if o.no_monitor else below(o, boot)
    if o.boot == "tboot":
        whole = after_tboot(o, whole)
    command = machine.command(whole, folder, interactive, debug_exit=bool(o.l1),
                              iso=boot_iso(o, machine, whole, folder))
    limit = o.timeout or (None if interactive or o.gdb else 600)
    session = Session(folder, machine, limit, on_phase)
    session.echo = bool(o.l1)
    if not o.l1:
        session.protocol = Protocol(nonce, session.phase, on_output)
    if not o.quiet:
        loader = machine.loader(o.boot)
        say(machine.describe() + (", booted by " + loader if loader else "") +
            (", without the monitor" if o.no_monitor else ""))
        if o.gdb:
            say("waiting for gdb: gdb %s -ex 'target remote :1234'" % boot.kernel)
    status, failure = None, None
    try:
        session.start(command, interactive)
        session.watch()
        status = outcome(o, session)
    except LabError as e:
        failure = {"code": e.code, "text": e.text}
        e.text += "\n" + session.tails() + "\nlab: " + e.text  # the line to read comes last
        raise
    finally:
        machine.stop()
        session.look()
        if session.nudges and not o.quiet:
            say("%d times the machine went on when it was nudged: docs/hardware.md" % session.nudges)
        facts = summary(o, session, command, status, failure)
        session.write_summary(facts)
        for name in ("initrd", "boot.iso", "esp.img", "ahci.img", "virtio.img"):
            if os.path.exists(os.path.join(folder, name)) and not (name == "esp.img" and o.keep_esp):
                os.unlink(os.path.join(folder, name))
    return status, facts


def call(o):
    def progress(name, seconds):
        if not o.quiet and o.command is not None:
            print("lab: %7.1f s  %s" % (seconds, name), file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    status, facts = run(o, progress)
    if not o.quiet:
        say("status %d, logs in %s" % (status, os.path.relpath(
            os.path.join(paths.RUNS, facts["name"]))))
    return status


def options(argv):
    """The options of `lab run`, for programs that call run() themselves."""
    p = argparse.ArgumentParser()
    parser(p.add_subparsers())
    return p.parse_args(["run", *argv])
