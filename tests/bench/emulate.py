# SPDX-License-Identifier: Apache-2.0
"""Runs of the lab that count instructions."""

import sys
import time

from labkit import run as labrun
from labkit.machine import Qemu

TIMEOUT = {"svm": 1200, "vmx": 3600}  # seconds for one machine


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


class Counted(Qemu):
    """Without the host's clock and randomness, so that the same run gives the same numbers."""

    plugin = []  # QEMU's options for one
    without_tpm = False  # although the lab was told of one: the same modules, then

    def command(self, *args, **named):
        self.tpm = None if self.without_tpm else self.tpm
        return super().command(*args, **named) + [
            "-rtc", "base=2026-01-01T00:00:00,clock=vm", "-seed", "1", *self.plugin]


def lab(name, hw, *options, counted=("--icount", "--cpus", "1")):
    """One run of the lab; (what the command, or the L1 program, printed, its summary)."""
    labrun.Qemu = Counted if "--icount" in counted else Qemu
    start = time.monotonic()
    out = []
    status, facts = labrun.run(labrun.options([
        "--hw", hw, *counted, "--quiet", "--timeout", str(TIMEOUT[hw]),
        "--name", name, *options]), lambda *_: None, out.append)
    say("%s: %.0f s" % (name, time.monotonic() - start))
    text = b"".join(out).decode("utf-8", "replace").replace("\r", "")
    if status:
        sys.exit("%s\nbench: %s failed with status %d; logs in build/lab/runs/%s" % (
            text[-2000:], name, status, name))
    return text, facts
