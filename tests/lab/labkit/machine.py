# SPDX-License-Identifier: Apache-2.0
"""
The machines that a run can boot in. A machine class has: describe(), the facts in `info`,
command(boot, folder, console), and start() .. stop(). QEMU is the only one so far.
"""

import collections
import ctypes
import os
import shutil
import signal
import socket
import subprocess

from . import errors
from .errors import LabError

# What is booted: a multiboot ELF, its arguments, and modules as (file, arguments).
Boot = collections.namedtuple("Boot", "kernel args modules")

QEMU = "qemu-system-x86_64"
# TCG: with SMAP a PV dom0 dies in its first instructions, and RDTSCP is reported as RDTSC.
TCG_CPU = "max,-smap,-rdtscp"
PR_SET_PDEATHSIG = 1


def nested_kvm(hw):
    """Whether KVM can give a guest SVM or VMX here."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/cpuinfo") as f:
        flags = next((line.split() for line in f if line.startswith("flags")), [])
    return hw in flags


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def doubled(text):
    """QEMU splits -initrd at single commas."""
    return text.replace(",", ",,")


class Qemu:
    """One run of QEMU, with com1 and com2 as files in the run's folder."""

    def __init__(self, hw, cpus, mem, icount=False, gdb=False):
        self.hw, self.cpus, self.mem, self.icount, self.gdb = hw, cpus, mem, icount, gdb
        self.kvm = not icount and nested_kvm(hw)
        if hw == "vmx" and not self.kvm:
            raise LabError(errors.NOT_BUILT, "not built yet: no machine for VMX here (QEMU's TCG has"
                           " none, and this CPU offers KVM no nested VMX)")
        if self.kvm:
            self.accel, self.cpu = "kvm", "host,+" + hw
        else:
            self.accel, self.cpu = "tcg,thread=" + ("single" if icount else "multi"), TCG_CPU
        self.info = {"machine": "qemu", "accelerator": self.accel, "cpu_model": self.cpu,
                     "cpus": cpus, "mem_mb": mem, "icount": icount}
        self.socket = "/tmp/lab-%d.sock" % os.getpid()
        self.process = None

    def describe(self):
        how = "QEMU with KVM (nested %s)" % self.hw if self.kvm else "QEMU TCG (emulated CPU)"
        more = ", counting instructions" if self.icount else ""
        return "%s, -cpu %s, %d CPUs, %d MB%s" % (how, self.cpu, self.cpus, self.mem, more)

    def command(self, boot, folder, console, debug_exit=False, iso=None):
        """
        The command line. console: com1 is the terminal instead of a file only. debug_exit: a write
        to port 0xf4 ends QEMU. iso: a CD image that boots what QEMU would load by itself.
        """
        com1 = os.path.join(folder, "xen.log")
        args = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-accel", self.accel, "-machine", "q35", "-cpu", self.cpu,
                "-smp", str(self.cpus), "-m", str(self.mem)]
        if console:
            args += ["-chardev", "stdio,id=com1,signal=off,logfile=" + doubled(com1)]
        else:
            args += ["-chardev", "file,id=com1,path=" + doubled(com1)]
        args += ["-monitor", "unix:%s,server=on,wait=off" % self.socket,
                 "-serial", "chardev:com1",
                 "-chardev", "file,id=com2,path=" + doubled(os.path.join(folder, "dom0.log")),
                 "-serial", "chardev:com2"]
        if debug_exit:
            args += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        if self.icount:
            args += ["-icount", "shift=0,sleep=off"]
        if self.gdb:
            args += ["-s", "-S"]
        if iso:
            return args + ["-drive", "if=none,id=cd,format=raw,readonly=on,file=" + doubled(iso),
                           "-device", "ide-cd,drive=cd", "-boot", "d", "-device", "VGA"]
        args += ["-kernel", boot.kernel, "-append", boot.args]
        modules = [doubled(path + (" " + text if text else "")) for path, text in boot.modules]
        return args + (["-initrd", ",".join(modules)] if modules else [])

    def start(self, command, folder, console):
        if not shutil.which(command[0]):
            raise LabError(errors.EMULATOR_MISSING,
                           "%s is not installed: run 'make deps'" % command[0])
        with open(os.path.join(folder, "qemu.log"), "w") as log:
            try:
                self.process = subprocess.Popen(
                    command, stdin=None if console else subprocess.DEVNULL,
                    stdout=None if console else log, stderr=log, preexec_fn=die_with_parent)
            except OSError as e:
                raise LabError(errors.EMULATOR_START, "%s could not start: %s" % (command[0], e))

    def running(self):
        return self.process.poll() is None

    def exit_status(self):
        return self.process.returncode

    def registers(self):
        """All CPUs' registers as QEMU's own monitor prints them, for a machine that hangs."""
        text = b""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(5)
                s.connect(self.socket)
                s.sendall(b"info registers -a\ninfo pic\n")
                while True:
                    text += s.recv(65536)
        except OSError:  # also the end: QEMU waits for more commands
            return text.decode("utf-8", "replace").replace("\r", "")

    def stop(self):
        """Ends the emulator, if it still runs."""
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        if self.process and self.running():
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
