# SPDX-License-Identifier: Apache-2.0
"""The lab's own failures. Their exit codes lie above what a shell uses for commands (0..165)."""

USAGE = 200          # wrong arguments, or a file that does not exist
EMULATOR_MISSING = 201
EMULATOR_START = 202  # the emulator could not start
EMULATOR_DIED = 203   # it ended, or its machine was reset, before the job was done
TIMEOUT = 204
MONITOR_PANIC = 205
NOT_BUILT = 206      # the monitor image, or support for this hardware, does not exist
IMAGE = 207          # the dom0 or guest image could not be built
L1_RESULT = 208      # an L1 program ended without its "N passed, N failed" line


class LabError(Exception):
    """One clear line for the user, and the exit code that belongs to it."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
        self.text = text
