#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads an image after docs/image-format.md, and writes nothing: disk_image.py MASTER UUID SIDECAR DATA

MASTER and UUID in hexadecimal. Prints keys and header, each valid record if the image was not closed, and each
sector that was written: its number and the SHA-256 of its plaintext, or `bad`.
"""

import hashlib
import hmac
import struct
import sys

SECTOR, NODE, FANOUT = 512, 4096, 256
NEVER, BAD = bytes(16), b"\xff" * 16
INFO = "nethervisor disk v1 "


class Wrong(Exception):
    pass


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def hkdf(salt, secret, what, length):
    prk, out, block = mac(salt or bytes(32), secret), b"", b""
    for i in range(1, 256):
        block = mac(prk, block + (INFO + what).encode() + bytes([i]))
        out += block
        if len(out) >= length:
            return out[:length]
    raise ValueError(length)


# --- AES-256, FIPS 197: slow, and short ----------------------------------------------------------

def times(a, b):
    out = 0
    while b:
        if b & 1:
            out ^= a
        a = a << 1 ^ (0x11b if a & 0x80 else 0)
        b >>= 1
    return out


def s_box():
    box = []
    for a in range(256):
        inverse = next((b for b in range(256) if times(a, b) == 1), 0)
        box.append(0x63)
        for shift in range(5):
            box[a] ^= (inverse << shift | inverse >> (8 - shift)) & 0xff
    return box


SBOX = s_box()
UNBOX = [SBOX.index(i) for i in range(256)]
MUL = {n: [times(i, n) for i in range(256)] for n in (1, 2, 3, 9, 11, 13, 14)}


def round_keys(key):
    words, rcon = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = [SBOX[b] for b in word[1:] + word[:1]]
            word[0] ^= rcon
            rcon = times(rcon, 2)
        elif i % 8 == 4:
            word = [SBOX[b] for b in word]
        words.append([a ^ b for a, b in zip(words[i - 8], word)])
    return [sum(words[i:i + 4], []) for i in range(0, 60, 4)]


def mix(s, row):
    return [MUL[row[0]][s[c]] ^ MUL[row[1]][s[c // 4 * 4 + (c + 1) % 4]] ^
            MUL[row[2]][s[c // 4 * 4 + (c + 2) % 4]] ^ MUL[row[3]][s[c // 4 * 4 + (c + 3) % 4]]
            for c in range(16)]


def encrypt(keys, block):
    s = [a ^ b for a, b in zip(block, keys[0])]
    for n in range(1, 15):
        s = [SBOX[s[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if n < 14:
            s = mix(s, (2, 3, 1, 1))
        s = [a ^ b for a, b in zip(s, keys[n])]
    return bytes(s)


def decrypt(keys, block):
    s = [a ^ b for a, b in zip(block, keys[14])]
    for n in range(13, -1, -1):
        s = [UNBOX[s[(i - 4 * (i % 4)) % 16]] ^ keys[n][i] for i in range(16)]
        if n:
            s = mix(s, (14, 11, 13, 9))
    return bytes(s)


def xts_decrypt(keys, number, sector):
    tweak, out = int.from_bytes(encrypt(keys[1], struct.pack("<QQ", number, 0)), "little"), b""
    for i in range(0, SECTOR, 16):
        t = tweak.to_bytes(16, "little")
        block = decrypt(keys[0], bytes(a ^ b for a, b in zip(sector[i:i + 16], t)))
        out += bytes(a ^ b for a, b in zip(block, t))
        tweak <<= 1
        if tweak >> 128:
            tweak = tweak & (1 << 128) - 1 ^ 0x87
    return out


# --- the image ---------------------------------------------------------------------------------------

class Image:
    def __init__(self, master, uuid, sidecar, data):
        self.sidecar, self.data, self.uuid = sidecar, data, uuid
        self.key_id = hkdf(b"", master, "key id", 16)
        self.xts = hkdf(uuid, master, "xts", 64)
        self.tag = hkdf(uuid, master, "tag", 32)
        self.keys = {what: hkdf(b"", self.tag, what, 32)
                     for what in ("sector", "node", "header", "journal")}
        self.round_keys = round_keys(self.xts[:32]), round_keys(self.xts[32:])
        self.header = self.choose_header()
        self.changed = {}
        if self.header["state"]:
            self.recover()

    @staticmethod
    def read(file, offset, n):
        file.seek(offset)
        return file.read(n).ljust(n, b"\0")

    def read_header(self, slot):
        raw = self.read(self.sidecar, slot * 4096, 4096)
        if raw[:8] != b"NETHDISK":
            raise Wrong("not an image")
        if struct.unpack("<II", raw[8:16]) != (1, 1):
            raise Wrong("another version")
        if raw[16:32] != self.uuid:
            raise Wrong("another image")
        if raw[32:48] != self.key_id:
            raise Wrong("another key")
        if mac(self.keys["header"], raw[:4064]) != raw[4064:]:
            raise Wrong("damaged")
        names = ("sectors", "generation", "state", "levels", "half", "journal", "seq")
        h = dict(zip(names, struct.unpack("<QQIIIIQ", raw[48:88])))
        h["session"], h["root"] = raw[88:104], raw[104:120]
        h["anchor_id"], h["anchor"] = raw[120:136], struct.unpack("<Q", raw[136:144])[0]
        if any(raw[144:4064]) or h["generation"] % 2 != slot:
            raise Wrong("damaged")
        return h

    def choose_header(self):
        found = []
        for slot in 0, 1:
            try:
                found.append(self.read_header(slot))
            except Wrong as wrong:
                why = wrong
        if not found:
            raise why
        return max(found, key=lambda h: h["generation"])

    def node(self, level, index):
        """A node's 256 entries, verified all the way up; None if it was never written."""
        entry = self.header["root"]
        if level < self.header["levels"] - 1:
            parent = self.node(level + 1, index // FANOUT)
            entry = parent[index % FANOUT] if parent else NEVER
        if entry == NEVER:
            return None
        offset, nodes = 8192 + 2 * self.header["journal"], self.header["sectors"]
        for _ in range(level):
            nodes = -(-nodes // FANOUT)
            offset += nodes * 2 * NODE
        raw = self.read(self.sidecar, offset + (2 * index + (entry[0] & 1)) * NODE, NODE)
        actual = bytearray(mac(self.keys["node"], raw + struct.pack("<QQ", level, index))[:16])
        actual[0] = actual[0] & 0xfe | entry[0] & 1
        if bytes(actual) == NEVER:
            actual[0] = 2
        if actual != entry:
            raise Wrong("node %d of level %d" % (index, level))
        return [raw[i:i + 16] for i in range(0, NODE, 16)]

    def known(self, number):
        if number in self.changed:
            return self.changed[number]
        leaf = self.node(0, number // FANOUT)
        return leaf[number % FANOUT] if leaf else NEVER

    def actual(self, number):
        raw = self.read(self.data, number * SECTOR, SECTOR)
        tag = bytearray(mac(self.keys["sector"], raw + struct.pack("<Q", number))[:16])
        if bytes(tag) in (NEVER, BAD):
            tag[0] ^= 1
        return bytes(tag)

    def records(self):
        h = self.header
        half = self.read(self.sidecar, 8192 + h["half"] * h["journal"], h["journal"])
        at, seq = 0, h["seq"]
        while at + 512 <= len(half):
            magic, kind, number, session, first, count, size = struct.unpack(
                "<4sIQ16sQII", half[at:at + 48])
            end = 64 + 16 * count
            if (magic != b"NHJ1" or number != seq or session != h["session"] or count > 250 or
                    size != -(-(end + 32) // 512) * 512 or at + size > len(half) or
                    mac(self.keys["journal"], half[at:at + end]) != half[at + end:at + end + 32]):
                return
            yield kind, seq, first, [half[at + i:at + i + 16] for i in range(64, end, 16)]
            at, seq = at + size, seq + 1

    def recover(self):
        records = list(self.records())
        flushed = max((seq for kind, seq, _, _ in records if kind == 2), default=-1)
        for _, seq, first, tags in records:
            for number, tag in enumerate(tags, first):
                old, actual = self.known(number), self.actual(number)
                if seq < flushed or tag == actual:
                    self.changed[number] = tag
                elif old not in (NEVER, actual):
                    self.changed[number] = BAD

    def written(self):
        """Numbers of sectors that may have been written."""
        numbers, leaves = set(self.changed), [0]
        for level in range(self.header["levels"] - 1, 0, -1):
            below = []
            for index in leaves:
                entries = self.node(level, index) or []
                below += [index * FANOUT + i for i, e in enumerate(entries) if e != NEVER]
            leaves = below
        for leaf in leaves:
            numbers.update(range(leaf * FANOUT, (leaf + 1) * FANOUT))
        return sorted(n for n in numbers if n < self.header["sectors"] and self.known(n) != NEVER)

    def sector(self, number):
        if self.known(number) != self.actual(number):
            return None
        return xts_decrypt(self.round_keys, number, self.read(self.data, number * SECTOR, SECTOR))


def main():
    master, uuid = bytes.fromhex(sys.argv[1]), bytes.fromhex(sys.argv[2])
    with open(sys.argv[3], "rb") as sidecar, open(sys.argv[4], "rb") as data:
        image = Image(master, uuid, sidecar, data)
        for name in "key_id", "xts", "tag":
            print(name, getattr(image, name).hex())
        for name, key in image.keys.items():
            print("key", name, key.hex())
        for name, value in image.header.items():
            print("header", name, value.hex() if isinstance(value, bytes) else value)
        for kind, seq, first, tags in image.records() if image.header["state"] else ():
            print("record", kind, seq, first, len(tags))
        for number in image.written():
            plain = image.sector(number)
            print("sector", number, hashlib.sha256(plain).hexdigest() if plain else "bad")


if __name__ == "__main__":
    try:
        main()
    except Wrong as e:
        sys.exit("disk_image: %s" % e)
