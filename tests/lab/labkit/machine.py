# SPDX-License-Identifier: Apache-2.0
"""
The machines that a run can boot in: what they share, and QEMU. bochs.py has the other one.
"""

import collections
import os
import shutil
import socket
import subprocess

from . import errors, uefi
from .errors import LabError
from .process import die_with_parent

# What is booted: a multiboot ELF, its arguments, and modules as (file, arguments).
Boot = collections.namedtuple("Boot", "kernel args modules")

QEMU = "qemu-system-x86_64"
# TCG: with SMAP a PV dom0 dies in its first instructions, and RDTSCP is reported as RDTSC.
TCG_CPU = "max,-smap,-rdtscp"
# With several CPUs under Xen, as few as can be restore x87 state, and the first one's do: on any other it
# changes a word of the first CPU's that has nothing to do with it, and not atomically
# (docs/hardware.md). Xen's FPU switching is lazy without XSAVE, and dom0 stays on the first CPU.
TCG_CPU_SMP = TCG_CPU + ",-xsave"
# docs/dma.md says how good they are.
IOMMUS = {"none": None, "vtd": "intel-iommu", "vtd48": "intel-iommu,aw-bits=48,snoop-control=on",
          "amdvi": "amd-iommu,intremap=on"}
# More devices: a DMA engine for any driver, disks with nothing on them.
DEVICES = {
    "edu": ["-device", "edu,dma_mask=0xffffffffffff"],
    "ahci": ["-drive", "if=none,id=ahci,format=raw,file=%s", "-device", "ide-hd,drive=ahci"],
    "virtio": ["-drive", "if=none,id=virtio,format=raw,file=%s", "-device",
               "virtio-blk-pci,drive=virtio,disable-legacy=on,iommu_platform=on"],
}
# One of dom0's /dev/vda, vdb, .. A PV dom0's addresses are not the machine's: the driver must ask for these.
DISK = ["-drive", "if=none,id=disk%d,format=raw,file=%s", "-device",
        "virtio-blk-pci,drive=disk%d,disable-legacy=on,iommu_platform=on"]
# A network of QEMU's own: dom0 is 10.0.2.15, and its port is one of this machine's loopback.
FORWARD = ["-netdev", "user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:%d-:%d", "-device",
           "virtio-net-pci,netdev=net,romfile=,disable-legacy=on,iommu_platform=on"]
DISK_BYTES = 16 << 20
XEN_ARGS_SMP = "dom0_max_vcpus=1 dom0_vcpus_pin"


def nested_kvm(hw):
    """Whether KVM can give a guest SVM or VMX here."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    with open("/proc/cpuinfo") as f:
        flags = next((line.split() for line in f if line.startswith("flags")), [])
    return hw in flags


def doubled(text):
    """QEMU splits -initrd at single commas."""
    return text.replace(",", ",,")


def disk(folder, name):
    """An empty disk of this run's, below build/, where it is sparse."""
    path = os.path.join(folder, name + ".img")
    with open(path, "ab") as f:
        f.truncate(DISK_BYTES)
    return path


class Machine:
    """
    One run of an emulator. A class of it has describe(), the facts in `info`, and:
    command(boot, folder, console, debug_exit, iso)  the command line
    loader(boot)   what --boot's value stands for; None is the emulator's own loader
    registers()    all CPUs' registers as text, for a machine that hangs
    """

    log = None       # the emulator's own words: a file in the run's folder
    xen_args = ""    # what Xen needs on its command line here
    dom0_args = ""   # and dom0's kernel
    clock = "TSC ticks"  # the unit of the guest clock
    silence = 420    # seconds without a word on com1 and com2 after which it hangs
    forgetful = False  # loses interrupts, so that nudge() helps

    def __init__(self):
        self.process = None

    def spawn(self, command, folder, **how):
        """Starts the emulator with its output in the log, unless `how` says otherwise."""
        if not shutil.which(command[0]):
            raise LabError(errors.EMULATOR_MISSING,
                           "%s is not installed: run 'make deps'" % command[0])
        with open(os.path.join(folder, self.log), "a") as log:
            how = {"stdin": subprocess.DEVNULL, "stdout": log, "preexec_fn": die_with_parent, **how}
            try:
                self.process = subprocess.Popen(command, stderr=log, **how)
            except OSError as e:
                raise LabError(errors.EMULATOR_START, "%s could not start: %s" % (command[0], e))

    def start(self, command, folder, console):
        self.spawn(command, folder)

    def running(self):
        return self.process.poll() is None

    def exit_status(self):
        """0 if the machine was powered off."""
        return self.process.returncode

    def why(self, folder):
        """The emulator's last words."""
        with open(os.path.join(folder, self.log), errors="replace") as f:
            return (f.read().strip().splitlines() or ["(no message)"])[-1]

    def facts(self):
        """What the summary says of the run besides `info`, after its end."""
        return {}

    def stop(self):
        """Ends the emulator, if it still runs."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Qemu(Machine):
    """
    One run of QEMU, with com1 and com2 as files in the run's folder. in_turn: TCG has one thread for all
    CPUs. bare: L1 is not Xen. ram: a file that is the RAM, and stays behind. disks: raw files. forward: a port of
    this machine's, and dom0's that it leads to. tpm: a tpm.Tpm.
    """

    log = "qemu.log"

    def __init__(self, hw, cpus, mem, cpu=None, icount=False, gdb=False, in_turn=False, bare=False,
                 iommu="none", devices=(), ram=None, disks=(), forward=None, tpm=None):
        super().__init__()
        self.disks, self.forward, self.tpm = disks, forward, tpm
        self.iommu, self.devices = IOMMUS[iommu], devices
        self.hw, self.cpus, self.mem, self.icount, self.gdb = hw, cpus, mem or 3072, icount, gdb
        self.ram = ram
        self.kvm = not icount and nested_kvm(hw)
        self.clock = "ns of -icount" if icount else "TSC ticks"
        if self.kvm:
            self.accel, self.cpu = "kvm", "host,+" + hw
        else:
            in_turn = in_turn or icount
            smp = cpus > 1 and not in_turn and not bare
            self.accel = "tcg,thread=" + ("single" if in_turn else "multi")
            self.forgetful = hw == "svm" and not in_turn
            self.cpu = TCG_CPU_SMP if smp else TCG_CPU
            # TCG's XSAVE ignores CR0.TS: docs/hardware.md
            self.xen_args = XEN_ARGS_SMP if smp else "spec-ctrl=eager-fpu"
        self.cpu = cpu or self.cpu
        self.info = {"machine": "qemu", "accelerator": self.accel, "cpu_model": self.cpu,
                     "cpus": cpus, "mem_mb": self.mem, "icount": icount, "iommu": iommu,
                     "devices": list(devices), "tpm": tpm.kind if tpm else None}
        self.socket = "/tmp/lab-%d.sock" % os.getpid()

    def describe(self):
        how = "QEMU with KVM (nested %s)" % self.hw if self.kvm else "QEMU TCG (emulated CPU)"
        more = ", counting instructions" if self.icount else ""
        return "%s, -cpu %s, %d CPUs, %d MB%s" % (how, self.cpu, self.cpus, self.mem, more)

    def command(self, boot, folder, console, debug_exit=False, iso=None):
        """
        The command line. console: com1 is the terminal instead of a file only. debug_exit: a write
        to port 0xf4 ends QEMU. iso: a CD image that boots what QEMU would load by itself, or uefi.py's disk.
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
        args += ["-device", self.iommu] if self.iommu else []
        for name in self.devices:
            args += [a.replace("%s", doubled(disk(folder, name))) if "%s" in a else a
                     for a in DEVICES[name]]
        for i, path in enumerate(self.disks):
            args += [DISK[0], DISK[1] % (i, doubled(path)), DISK[2], DISK[3] % i]
        if self.forward:
            args += [a % self.forward if "%d" in a else a for a in FORWARD]
        args += self.tpm.arguments() if self.tpm else []
        if debug_exit:
            args += ["-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
        if self.ram:
            args += ["-object", "memory-backend-file,id=ram,share=on,size=%dM,mem-path=%s" %
                     (self.mem, doubled(self.ram)), "-machine", "memory-backend=ram"]
        if self.icount:
            args += ["-icount", "shift=0,sleep=off"]
        if self.gdb:
            args += ["-s", "-S"]
        if iso and iso.endswith(".img"):
            return args + uefi.arguments(iso, doubled)
        if iso:
            return args + ["-drive", "if=none,id=cd,format=raw,readonly=on,file=" + doubled(iso),
                           "-device", "ide-cd,drive=cd", "-boot", "d", "-device", "VGA"]
        args += ["-kernel", boot.kernel, "-append", boot.args]
        modules = [doubled(path + (" " + text if text else "")) for path, text in boot.modules]
        return args + (["-initrd", ",".join(modules)] if modules else [])

    def loader(self, boot):
        return None if boot == "direct" else boot

    def start(self, command, folder, console):
        if self.tpm:
            self.tpm.start(folder)
        self.spawn(command, folder, **({"stdin": None, "stdout": None} if console else {}))

    def registers(self):
        """All CPUs' registers as QEMU's own monitor prints them, for a machine that hangs."""
        return self.ask("info registers -a\ninfo pic\ninfo lapic\n", 5)

    def nudge(self):
        """
        An interrupt that means nothing: the shift key. QEMU's VMRUN can lose the request for another one, which its APIC
        still holds, and looks at again when the next one comes: docs/hardware.md.
        """
        self.ask("sendkey shift\n", 1)

    def ask(self, commands, seconds):
        """What QEMU's own monitor says of these until it has been silent for so long."""
        text = b""
        try:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(seconds)
                s.connect(self.socket)
                s.sendall(commands.encode())
                while data := s.recv(65536):  # nothing: QEMU has ended
                    text += data
        except OSError:  # also the usual end: QEMU waits for more commands
            pass
        return text.decode("utf-8", "replace").replace("\r", "")

    def stop(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        super().stop()
        if self.tpm:
            self.tpm.stop()
