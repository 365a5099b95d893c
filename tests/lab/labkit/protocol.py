# SPDX-License-Identifier: Apache-2.0
"""
What dom0's init says on com2. Reports are lines "@NONCE WORD ..."; the NONCE is drawn for each run:

  PHASE name tsc          a phase begins; after "command_start" all bytes are the command's output
  EXIT status tsc         ends that output; the newline before it is init's, not the command's
  STAT before|after len   followed by len bytes: the monitor's statistics, JSON
  FAILED text             init could not start something
  BYE                     the power-off follows
"""

import json


class Protocol:
    """Fed with the bytes of com2 in pieces of any size; calls back for each report."""

    def __init__(self, nonce, on_phase, on_output):
        self.marker = b"@" + nonce.encode() + b" "
        self.on_phase = on_phase
        self.on_output = on_output
        self.buffer = b""
        self.in_output = False
        self.stat_wanted = None  # (when, bytes)
        self.status = None
        self.bye = False
        self.failures = []
        self.tsc = {}
        self.stat = {}

    def feed(self, data):
        self.buffer += data
        while self._step():
            pass

    def _step(self):
        if self.stat_wanted:
            return self._stat()
        if self.in_output:
            return self._output()
        line, newline, rest = self.buffer.partition(b"\n")
        if not newline:
            return False
        self.buffer = rest
        if line.startswith(self.marker):
            self._report(line[len(self.marker):].decode("utf-8", "replace").strip())
        return True

    def _output(self):
        """Passes output on, up to the marker or to what may become one."""
        end = self.buffer.find(b"\n" + self.marker)
        if end >= 0:
            if end:
                self.on_output(self.buffer[:end])
            self.buffer = self.buffer[end + 1:]
            self.in_output = False
            return True
        keep = self.buffer.rfind(b"\n")
        safe = len(self.buffer)
        if keep >= 0 and (b"\n" + self.marker).startswith(self.buffer[keep:]):
            safe = keep
        if safe:
            self.on_output(self.buffer[:safe])
            self.buffer = self.buffer[safe:]
        return False

    def _stat(self):
        when, length = self.stat_wanted
        if len(self.buffer) < length:
            return False
        text, self.buffer = self.buffer[:length], self.buffer[length:]
        self.stat_wanted = None
        try:
            self.stat[when] = json.loads(text)
        except ValueError:
            self.failures.append("netherctl's statistics are not JSON")
        return True

    def _report(self, line):
        word, _, rest = line.partition(" ")
        if word == "PHASE":
            name, tsc = rest.split()
            self.tsc[name] = int(tsc)
            self.in_output = name == "command_start"
            self.on_phase(name)
        elif word == "EXIT":
            status, tsc = rest.split()
            self.status = int(status)
            self.tsc["command_end"] = int(tsc)
            self.on_phase("command_end")
        elif word == "STAT":
            when, length = rest.split()
            self.stat_wanted = (when, int(length))
        elif word == "FAILED":
            self.failures.append(rest)
        elif word == "BYE":
            self.bye = True
