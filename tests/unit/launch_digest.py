#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The launch digest after docs/launch-digest.md, of a guest described on standard input.

One item a line, in any order, numbers in hexadecimal:
  sealed | open
  shared START END REASON
  page GPA FILE OFFSET      the page's bytes are in FILE from OFFSET on
  state N VALUE
  manifest BYTES
Prints the digest.
"""

import hashlib
import struct
import sys

PAGE = 4096


def words(*numbers):
    return b"".join(struct.pack("<Q", n) for n in numbers)


def pages_stream(pages):
    """ZEROES and PAGE records of {gpa: bytes}."""
    zero = {gpa for gpa, data in pages.items() if data == bytes(PAGE)}
    for gpa in sorted(pages):
        if gpa not in zero:
            yield words(4, gpa) + pages[gpa]
        elif gpa - PAGE not in zero:
            end = gpa
            while end in zero:
                end += PAGE
            yield words(3, gpa, (end - gpa) // PAGE)


def stream(guest):
    yield b"nether-launch v2"
    yield words(1, guest["sealed"])
    yield words(2, len(guest["shared"]))
    for start, end, reason in sorted(guest["shared"]):
        yield words(start, end, reason)
    yield from pages_stream(guest["pages"])
    yield words(5, 60, *(guest["state"][i] for i in range(60)))
    yield words(6, len(guest["manifest"])) + guest["manifest"]


def read_guest(lines):
    guest = {"sealed": None, "shared": [], "pages": {}, "state": {}, "manifest": b""}
    files = {}
    for line in lines:
        word, *rest = line.split()
        if word in ("sealed", "open"):
            guest["sealed"] = int(word == "sealed")
        elif word == "shared":
            guest["shared"].append(tuple(int(n, 16) for n in rest))
        elif word == "page":
            if rest[1] not in files:
                with open(rest[1], "rb") as f:
                    files[rest[1]] = f.read()
            offset = int(rest[2], 16)
            data = files[rest[1]][offset:offset + PAGE]
            assert len(data) == PAGE, line
            guest["pages"][int(rest[0], 16)] = data
        elif word == "state":
            guest["state"][int(rest[0], 16)] = int(rest[1], 16)
        elif word == "manifest":
            guest["manifest"] = bytes.fromhex("".join(rest))
        else:
            sys.exit("launch_digest: " + line)
    return guest


if __name__ == "__main__":
    digest = hashlib.sha256()
    for part in stream(read_guest(sys.stdin)):
        digest.update(part)
    print(digest.hexdigest())
