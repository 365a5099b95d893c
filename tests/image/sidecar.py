# SPDX-License-Identifier: Apache-2.0
"""Encrypted images, read and written as docs/image-format.md says, by Python's hashes and OpenSSL's ciphers."""

import ctypes
import ctypes.util
import hashlib
import hmac
import os
import struct

SECTOR, NODE, FANOUT = 512, 4096, 256
NEVER, BAD = bytes(16), b"\xff" * 16
CLEAN, OPEN = 0, 1
WRITE, FLUSHED = 1, 2

_crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
for _name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_xts"):
    getattr(_crypto, _name).restype = ctypes.c_void_p
_context = ctypes.c_void_p(_crypto.EVP_CIPHER_CTX_new())
_xts = ctypes.c_void_p(_crypto.EVP_aes_256_xts())


def xts(key, sector, data, encrypt):
    """One sector by EVP."""
    out = ctypes.create_string_buffer(len(data))
    n = ctypes.c_int()
    tweak = struct.pack("<QQ", sector, 0)
    if _crypto.EVP_CipherInit_ex(_context, _xts, None, key, tweak, int(encrypt)) != 1 or \
            _crypto.EVP_CipherUpdate(_context, out, ctypes.byref(n), data, len(data)) != 1:
        raise RuntimeError("EVP")
    return out.raw


def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(secret, salt, info, n):
    prk, out, block, i = mac(salt or bytes(32), secret), b"", b"", 0
    while len(out) < n:
        i += 1
        block = mac(prk, block, info.encode(), bytes([i]))
        out += block
    return out[:n]


class Keys:
    def __init__(self, master, uuid):
        what = "nethervisor disk v1 "
        self.uuid = uuid
        self.id = hkdf(master, b"", what + "key id", 16)
        self.xts = hkdf(master, uuid, what + "xts", 64)
        tag = hkdf(master, uuid, what + "tag", 32)
        self.sector, self.node, self.header, self.journal = (
            hkdf(tag, b"", what + k, 32) for k in ("sector", "node", "header", "journal"))

    def tag(self, sector, ciphertext):
        tag = mac(self.sector, ciphertext, struct.pack("<Q", sector))[:16]
        return bytes([tag[0] ^ 1]) + tag[1:] if tag in (NEVER, BAD) else tag

    def entry(self, node, level, index, slot):
        entry = bytearray(mac(self.node, node, struct.pack("<QQ", level, index))[:16])
        entry[0] = entry[0] & 0xfe | slot
        return bytes(entry) if any(entry) else b"\x02" + bytes(15)


def level_sizes(sectors):
    """Nodes of each level, leaves first."""
    sizes = [-(-sectors // FANOUT)]
    while sizes[-1] > 1:
        sizes.append(-(-sizes[-1] // FANOUT))
    return sizes


class Layout:
    def __init__(self, sectors, half):
        self.sizes = level_sizes(sectors)
        self.half = half
        self.starts = []
        at = 8192 + 2 * half
        for n in self.sizes:
            self.starts.append(at)
            at += 8192 * n
        self.bytes = at

    def node(self, level, index, slot):
        return self.starts[level] + 8192 * index + 4096 * slot


def header(keys, sectors, half, generation, state=CLEAN, using=0, seq=1, session=bytes(16), root=NEVER):
    body = b"NETHDISK" + struct.pack("<II", 1, 1) + keys.uuid + keys.id + struct.pack(
        "<QQIIIIQ", sectors, generation, state, len(level_sizes(sectors)), using, half, seq) + session + root
    body += bytes(4064 - len(body))
    return body + mac(keys.header, body)


def record(keys, kind, seq, session, first=0, tags=()):
    size = -(-(96 + 16 * len(tags)) // 512) * 512
    body = b"NHJ1" + struct.pack("<IQ", kind, seq) + session + struct.pack("<QII", first, len(tags), size)
    body += bytes(16) + b"".join(tags)
    body += mac(keys.journal, body)
    return body + bytes(size - len(body))


class Broken(Exception):
    pass


class Image:
    """One that is there, which was closed."""

    def __init__(self, master, data, sidecar):
        self.data, self.sidecar = open(data, "rb"), open(sidecar, "rb")
        found = [h for h in (self._header(master, slot) for slot in (0, 1)) if h]
        if not found:
            raise Broken("no header")
        (self.generation, self.state, self.sectors, half, self.root, self.uuid, self.keys) = max(
            found, key=lambda h: h[0])
        self.layout = Layout(self.sectors, half)
        if os.path.getsize(sidecar) != self.layout.bytes or os.path.getsize(data) != self.sectors * SECTOR:
            raise Broken("sizes")

    def _at(self, offset, n):
        self.sidecar.seek(offset)
        got = self.sidecar.read(n)
        return got + bytes(n - len(got))

    def _header(self, master, slot):
        h = self._at(4096 * slot, 4096)
        if h[:16] != b"NETHDISK" + struct.pack("<II", 1, 1):
            return None
        keys = Keys(master, h[16:32])
        sectors, generation, state, levels, using, half, _ = struct.unpack_from("<QQIIIIQ", h, 48)
        if h[32:48] != keys.id or h[4064:] != mac(keys.header, h[:4064]) or any(h[120:4064]) or \
                generation % 2 != slot or levels != len(level_sizes(sectors)) or state > 1 or using > 1:
            return None
        return generation, state, sectors, half, h[104:120], h[16:32], keys

    def leaves(self):
        """(index, tags) of those that were written; every node on the way is verified."""
        yield from self._walk(len(self.layout.sizes) - 1, 0, self.root)

    def _walk(self, level, index, entry):
        if entry == NEVER:
            return
        slot = entry[0] & 1
        node = self._at(self.layout.node(level, index, slot), NODE)
        if self.keys.entry(node, level, index, slot) != entry:
            raise Broken("node %d of level %d" % (index, level))
        below = [node[i:i + 16] for i in range(0, NODE, 16)]
        if not level:
            yield index, below
            return
        for i, child in enumerate(below):
            yield from self._walk(level - 1, index * FANOUT + i, child)

    def plaintext(self):
        """{sector: bytes} of those that were written, verified."""
        out = {}
        for index, tags in self.leaves():
            for sector, tag in enumerate(tags, index * FANOUT):
                if tag == NEVER:
                    continue
                self.data.seek(sector * SECTOR)
                ciphertext = self.data.read(SECTOR)
                if sector >= self.sectors or self.keys.tag(sector, ciphertext) != tag:
                    raise Broken("sector %d" % sector)
                out[sector] = xts(self.keys.xts, sector, ciphertext, False)
        return out


class New:
    """Makes an image: sectors are written by write(), the files by finish(). slot: of a node, from level and index."""

    def __init__(self, master, uuid, sectors, half=16384, slot=lambda level, index: 0):
        self.keys, self.sectors, self.half, self.slot = Keys(master, uuid), sectors, half, slot
        self.layout = Layout(sectors, half)
        self.tags, self.bytes, self.records = {}, {}, b""

    def encrypt(self, sector, plaintext):
        """Ciphertext and tag."""
        ciphertext = xts(self.keys.xts, sector, plaintext, True)
        return ciphertext, self.keys.tag(sector, ciphertext)

    def write(self, sector, plaintext):
        self.bytes[sector], self.tags[sector] = self.encrypt(sector, plaintext)

    def _nodes(self):
        """{level: {index: node}} and the root entry."""
        entries, levels = self.tags, []
        for level in range(len(self.layout.sizes)):
            nodes = {}
            for index, entry in entries.items():
                node = nodes.setdefault(index // FANOUT, bytearray(NODE))
                node[index % FANOUT * 16:index % FANOUT * 16 + 16] = entry
            levels.append(nodes)
            entries = {i: self.keys.entry(bytes(n), level, i, self.slot(level, i)) for i, n in nodes.items()}
        return levels, entries.get(0, NEVER)

    def finish(self, data, sidecar, generation=1, state=CLEAN, using=0, seq=1, session=bytes(16)):
        """The root entry."""
        levels, root = self._nodes()
        with open(data, "wb") as f:
            f.truncate(self.sectors * SECTOR)
            for sector, ciphertext in self.bytes.items():
                f.seek(sector * SECTOR)
                f.write(ciphertext)
        with open(sidecar, "wb") as f:
            f.truncate(self.layout.bytes)
            f.seek(4096 * (generation % 2))
            f.write(header(self.keys, self.sectors, self.half, generation, state, using, seq, session, root))
            f.seek(8192 + using * self.half)
            f.write(self.records)
            for level, nodes in enumerate(levels):
                for index, node in nodes.items():
                    f.seek(self.layout.node(level, index, self.slot(level, index)))
                    f.write(node)
        return root
