# SPDX-License-Identifier: Apache-2.0
"""
Bochs: the machine with VMX where KVM cannot nest it. It boots from a CD; Xen must be loaded by
multiboot (by multiboot2 its trampoline jumps to 0 here).

Its time is instructions: the TSC counts ticks, one for each instruction of a CPU and for each step
in which all are idle; IPS of them make a second for the timers and the UARTs. Several CPUs run five
instructions each in turn. Nothing depends on the host, so that a run repeats to the tick.
"""

import ctypes
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
import tty

from . import errors
from .errors import LabError
from .machine import Machine
from .process import die_with_parent

BOCHS = "bochs-bin"
# On Bochs' corei7_skylake_x HVM guests triple-fault, on its corei7_icelake_u dom0 does.
CPU = "corei7_haswell_4770"
IPS = 50000000
# Half of dom0's boot would be self-tests of ciphers, public-key arithmetic for the signatures of its
# modules, and a walk through all page tables.
DOM0_ARGS = "cryptomgr.notests rodata=off" \
            " initcall_blacklist=load_system_certificate_list,crypto_kdf108_init"
MEMORY = 1536
ROMS = ("/usr/share/bochs/BIOS-bochs-latest", "/usr/share/vgabios/vgabios.bin")
CONFIG = """\
display_library: rfb, options="timeout=0"
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={mem}, host={mem}
romimage: file={roms[0]}, options=fastboot
vgaromimage: file={roms[1]}
boot: cdrom
ata0: enabled=1
ata0-master: type=cdrom, path="{iso}", status=inserted
com1: enabled=1, mode={com1[0]}, dev="{com1[1]}"
com2: enabled=1, mode=file, dev="{folder}/dom0.log"
sound: waveoutdrv=dummy
plugin_ctrl: speaker=0
clock: sync=none, time0=1767323045
log: -
panic: action=fatal
"""
# All that may end a machine, and does not mean that something went wrong.
OFF = re.compile(rb">>PANIC<< (?:ACPI control: soft power off|Shutdown port: shutdown requested)")
RESET = b"bx_pc_system_c::Reset("  # in the log once for the power-on
TICK = re.compile(rb"^(\d{11})[ipe]", re.M)
PANIC = re.compile(r"^\d{11}p(\[.*)", re.M)
PROMPT = b"<bochs:"
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def alone():
    """
    In the new process: a network of its own where we may, since Bochs' VNC display (the only one that
    needs no screen) listens on all addresses and asks for no password.
    """
    libc = ctypes.CDLL(None)
    if libc.unshare(CLONE_NEWNET) and libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        os.write(2, b"lab: no network namespace: the VNC display is open to all, from port 5900\n")
    die_with_parent()


class Console(threading.Thread):
    """com1 of an interactive run: a pseudo-terminal, joined to ours and to a file."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path = path
        self.master, self.slave = pty.openpty()
        self.name_of_slave = os.ttyname(self.slave)
        self.saved = termios.tcgetattr(0) if os.isatty(0) else None

    def run(self):
        if self.saved:
            tty.setraw(0)
        threading.Thread(target=self._input, daemon=True).start()
        with open(self.path, "wb", buffering=0) as log:
            while True:
                try:
                    data = os.read(self.master, 4096)
                except OSError:
                    return
                log.write(data)
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()

    def _input(self):
        while True:
            data = os.read(0, 256)
            if not data:
                return
            os.write(self.master, data)

    def restore(self):
        if self.saved:
            termios.tcsetattr(0, termios.TCSADRAIN, self.saved)


class Bochs(Machine):
    """One run of Bochs, with com1 and com2 as files in the run's folder."""

    silence = 1500
    log = "bochs.log"
    dom0_args = DOM0_ARGS

    def __init__(self, cpus, mem, cpu=None, gdb=False):
        super().__init__()
        if gdb:
            raise LabError(errors.USAGE, "--gdb: Debian's Bochs has no gdb stub")
        if not shutil.which(BOCHS):
            raise LabError(errors.EMULATOR_MISSING, "%s is not installed: run 'make deps'" % BOCHS)
        self.cpus, self.mem, self.cpu = cpus, mem or MEMORY, cpu or CPU
        self.info = {"machine": "bochs", "accelerator": "none", "cpu_model": self.cpu, "cpus": cpus,
                     "mem_mb": self.mem, "icount": True, "ips": IPS}
        # MWAIT here misses stores that other CPUs make through translations they hold.
        self.xen_args = "x2apic=0 mwait-idle=0" if cpus > 1 else ""
        self.path = self.console = None
        self.seen = bytearray()  # of the log

    def describe(self):
        return "Bochs (emulated CPU with VMX), %s, %d CPUs, %d MB" % (self.cpu, self.cpus, self.mem)

    def loader(self, boot):
        return "isolinux" if boot == "direct" else boot

    def command(self, boot, folder, console, debug_exit=False, iso=None):
        """The command line; its configuration goes to the run's folder."""
        com1 = ("file", os.path.join(folder, "xen.log"))
        if console:
            self.console = Console(com1[1])
            com1 = ("term", self.console.name_of_slave)
        self.path = os.path.join(folder, self.log)
        for path in ROMS:
            if not os.path.exists(path):
                raise LabError(errors.EMULATOR_MISSING, "no %s: run 'make deps'" % path)
        config, start = os.path.join(folder, "bochsrc"), os.path.join(folder, "bochs.start")
        with open(config, "w") as f:
            f.write(CONFIG.format(cpu=self.cpu, cpus=self.cpus, ips=IPS, mem=self.mem, roms=ROMS,
                                  iso=iso, com1=com1, folder=folder))
        with open(start, "w") as f:
            f.write("c\n")
        return [BOCHS, "-q", "-f", config, "-rc", start]

    def start(self, command, folder, console):
        if self.console:
            self.console.start()
        # A session of its own: Ctrl-C would call its debugger.
        self.spawn(command, folder, stdin=subprocess.PIPE, preexec_fn=alone, start_new_session=True)

    def _look(self):
        """All of the log."""
        with open(self.path, "rb") as f:
            f.seek(len(self.seen))
            self.seen += f.read()
        return self.seen

    def running(self):
        if self.process.poll() is not None:
            return False
        at = max(0, len(self.seen) - len(RESET))
        if self._look().count(RESET, at) and self.seen.count(RESET) > 1:
            self.process.kill()  # as QEMU's -no-reboot
            self.process.wait()
        return self.process.poll() is None

    def exit_status(self):
        return 0 if OFF.search(self._look()) else self.process.returncode

    def why(self, folder):
        found = PANIC.findall(self._look().decode("utf-8", "replace"))
        return found[-1] if found else super().why(folder)

    def facts(self):
        ticks = TICK.findall(self._look()) if self.path and os.path.exists(self.path) else []
        return {"ticks_at_end": max(map(int, ticks), default=None)}

    def _prompt(self, at):
        """Waits until the debugger wants a command, whose answer begins after byte `at` of the log."""
        deadline = time.monotonic() + 10
        while self._look().find(PROMPT, at) < 0 and time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise BrokenPipeError
            time.sleep(0.02)
        return len(self.seen)

    def registers(self):
        """All CPUs' registers as Bochs' debugger prints them; the machine stands meanwhile."""
        start = at = len(self._look())
        try:
            self.process.send_signal(signal.SIGINT)
            at = self._prompt(at)
            for cpu in range(self.cpus):
                for command in ("set $cpu=%d" % cpu, "r", "sreg", "creg"):
                    self._say(command)
                    at = self._prompt(at)
            self._say("c")
            time.sleep(0.5)  # a signal that comes before it runs would be lost
        except OSError:  # it has ended
            pass
        return self.seen[start:].decode("utf-8", "replace")

    def _say(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()

    def stop(self):
        super().stop()
        if self.console:
            self.console.restore()
