# SPDX-License-Identifier: Apache-2.0
"""One boot, watched from the emulator's start to its end."""

import json
import os
import re
import sys
import time

from . import errors
from .errors import LabError

POLL = 0.05          # seconds between two looks at the logs
OFF_GRACE = 20       # seconds for an L1 program to power off after its result line
NUDGE = 20           # seconds of silence, of Xen and all above it
TAIL = 30            # lines of each log shown after a failure
PANIC = (b"nethervisor: PANIC", b"nethervisor: FATAL")
PANIC_GRACE, FATAL_GRACE = 10, 0.5  # seconds
RESULT = re.compile(rb"^(\d+) passed, (\d+) failed\s*$")
WHERE = re.compile(r"CPU|RIP|rip|CR0|CR3")  # of what the emulators print of a CPU
XEN_TSC = re.compile(rb"^\(XEN\) \[([0-9a-f]{16})\]")


class Tail:
    """The bytes added to a file since the last look; the file may not exist yet."""

    def __init__(self, path):
        self.path, self.at = path, 0

    def read(self):
        try:
            with open(self.path, "rb") as f:
                f.seek(self.at)
                data = f.read()
        except FileNotFoundError:
            return b""
        self.at += len(data)
        return data


class Session:
    """
    Watches com1 (the monitor's, Xen's and dom0's console) line by line and com2 (protocol, or None
    for an L1 program). `on_phase(name, seconds)` is called when a phase is reached.
    """

    def __init__(self, folder, machine, timeout, on_phase):
        self.folder, self.machine = folder, machine
        self.timeout, self.on_phase = timeout, on_phase
        self.com1 = Tail(os.path.join(folder, "xen.log"))
        self.com2 = Tail(os.path.join(folder, "dom0.log"))
        self.protocol = None
        self.echo = False          # copy com1 to stdout
        self.result = None         # an L1 program's (passed, failed)
        self.panic = None
        self.phases = {}
        self.tsc_first = None
        self.line = b""
        self.started = None
        self.result_at = None
        self.heard = None          # when one of the lines had something new last
        self.nudged = None         # when the machine was nudged last
        self.nudges = 0            # after how many of them it said something at once

    def elapsed(self):
        return time.monotonic() - self.started

    def phase(self, name):
        if name not in self.phases:
            self.phases[name] = round(self.elapsed(), 2)
            self.on_phase(name, self.phases[name])

    def last_phase(self):
        """The last phase before the end."""
        reached = [p for p in self.phases if p != "power_off"]
        return reached[-1] if reached else "nothing"

    def _com1_line(self, line):
        if line.startswith(b"nethervisor"):
            self.phase("monitor_up")
            if line.startswith(PANIC):
                self.panic = line.decode("utf-8", "replace").strip()
        elif line.startswith(b"(XEN)") or b"Xen 4." in line:
            self.phase("xen_first_line")
            found = XEN_TSC.match(line)
            if found and self.tsc_first is None:
                self.tsc_first = int(found.group(1), 16)
        found = RESULT.match(line)
        if found:
            self.result = (int(found.group(1)), int(found.group(2)))
            self.result_at = time.monotonic()

    def look(self):
        """Reads what is new on both lines."""
        data, words = self.com1.read(), self.com2.read()
        if data or words:
            self.heard = time.monotonic()
            self.nudges += self.nudged is not None and self.heard - self.nudged < 2
            self.nudged = None
        if data and self.echo:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        self.line += data
        *lines, self.line = self.line.split(b"\n")
        for line in lines:
            self._com1_line(line.rstrip(b"\r"))
        if self.protocol:
            self.protocol.feed(words)

    def start(self, command, console):
        self.started = self.heard = time.monotonic()
        self.machine.start(command, self.folder, console)
        self.phase("emulator_start")

    def watch(self):
        """Until the emulator ends; raises LabError for a panic or a timeout."""
        while True:
            running = self.machine.running()
            self.look()
            if self.panic:
                # Let the rest of it come out, and memory be wiped.
                time.sleep(PANIC_GRACE if PANIC[0].decode() in self.panic else FATAL_GRACE)
                self.look()
                raise LabError(errors.MONITOR_PANIC, "the monitor stopped the machine: " + self.panic)
            if not running:
                self._com1_line(self.line)  # the UART may not have sent the last newline
                if self.echo and self.line:
                    print(flush=True)
                self.phase("power_off")
                return
            if self.protocol is None and self.result_at:
                if time.monotonic() - self.result_at > OFF_GRACE:
                    return
            if self.timeout and self.elapsed() > self.timeout:
                self.give_up("timeout after %d s" % self.timeout)
            if self.machine.forgetful and "xen_first_line" in self.phases:
                self.nudge()
            if self.timeout and time.monotonic() - self.heard > self.machine.silence:
                self.give_up("timeout: nothing was heard for %d s" % self.machine.silence)
            time.sleep(POLL)

    def nudge(self):
        now = time.monotonic()
        if now - max(self.heard, self.nudged or 0) > NUDGE:
            self.machine.nudge()
            self.nudged = now

    def give_up(self, why):
        with open(os.path.join(self.folder, "cpus.log"), "w") as f:
            for _ in range(3):  # do they move?
                f.write(self.machine.registers())
        raise LabError(errors.TIMEOUT, "%s; reached: %s (at %.1f s)" % (
            why, self.last_phase(), self.phases.get(self.last_phase(), 0)))

    def tails(self):
        """The end of each log, for the user who must find out."""
        out = []
        for name in ("xen.log", "dom0.log", self.machine.log):
            path = os.path.join(self.folder, name)
            try:
                with open(path, "rb") as f:
                    lines = f.read().decode("utf-8", "replace").splitlines()[-TAIL:]
            except FileNotFoundError:
                lines = []
            out.append("--- %s, last lines:" % path)
            out += lines or ["(empty)"]
        path = os.path.join(self.folder, "cpus.log")
        if os.path.exists(path):
            with open(path) as f:
                out.append("--- %s, where each CPU was, three times:" % path)
                out += [line.rstrip() for line in f if WHERE.match(line)]
        return "\n".join(out)

    def write_summary(self, facts):
        with open(os.path.join(self.folder, "summary.json"), "w") as f:
            json.dump(facts, f, indent=1)
            f.write("\n")
