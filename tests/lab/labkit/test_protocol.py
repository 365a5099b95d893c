# SPDX-License-Identifier: Apache-2.0
"""Whatever a command prints, and however com2 is cut into pieces: output and status are its own."""

import os
import random
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from labkit.protocol import Protocol  # noqa: E402

OUTPUTS = [b"", b"x", b"\n", b"\n@", b"a\n@ab", b"\n@abcdX EXIT 0 5\n", b"\n\n@abc", b"\n@abcd",
           bytes(range(256)) * 3, b"STAT after 5\nBYE\n"]


def check(output, rand):
    stream = (b"@abcd PHASE dom0_userspace 1\njunk\n@abcd PHASE command_start 2\n" + output +
              b"\n@abcd EXIT 7 9\n@abcd STAT after 8\n{\"a\":1}\n@abcd BYE\n")
    got, phases = [], []
    protocol = Protocol("abcd", phases.append, got.append)
    while stream:
        size = rand.randint(1, 9)
        protocol.feed(stream[:size])
        stream = stream[size:]
    assert b"".join(got) == output, (got, output)
    assert (protocol.status, protocol.bye, protocol.stat) == (7, True, {"after": {"a": 1}})
    assert phases == ["dom0_userspace", "command_start", "command_end"], phases


def main():
    rand = random.Random(1)
    for output in OUTPUTS:
        for _ in range(200):
            check(output, rand)
    print("%d outputs came through" % len(OUTPUTS))


if __name__ == "__main__":
    main()
