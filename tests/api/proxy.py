# SPDX-License-Identifier: Apache-2.0
"""Between netherd-api and a software TPM: sees each command, and may hold it up or lie about its answer."""

import contextlib
import os
import random
import select
import socket
import struct
import threading
import time

FAILURE = 0x101  # TPM_RC_FAILURE (TPM 2.0 part 2, 6.6.3)


def message(s):
    """A command or an answer: a tag, all its bytes' number, .."""
    data = b""
    while len(data) < 6 or len(data) < struct.unpack(">I", data[2:6])[0]:
        more = s.recv(4096)
        if not more:
            return b""
        data += more
    return data


def refusal(code):
    return struct.pack(">HII", 0x8001, 10, code)


class Proxy:
    """lie: None, or what is done with an answer; code: about which command (None: any); times: how often."""

    def __init__(self, lab, seed=0):
        self.real = lab.folder + "/tpm.sock"
        self.path = lab.folder + "/proxy.sock"
        self.tcti = "swtpm:path=" + self.path
        self.seen = []  # command codes, and the seconds that each took
        self.rng = random.Random(seed)
        self.told = 0
        self.honest()
        with contextlib.suppress(FileExistsError):
            os.symlink(self.real + ".ctrl", self.path + ".ctrl")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(self.path)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def honest(self):
        self.lie, self.code, self.times = None, None, 0

    def lies(self, how, code=None, times=1 << 30):
        self.told = 0
        self.code, self.times, self.lie = code, times, getattr(self, how)

    def serve(self):
        while True:
            client = self.socket.accept()[0]
            with client, socket.socket(socket.AF_UNIX) as tpm, contextlib.suppress(OSError):
                tpm.connect(self.real)
                while self.one(client, tpm):
                    pass

    def one(self, client, tpm):
        """Whether to go on with this connection."""
        command = message(client)
        if not command:
            return False
        code, = struct.unpack(">I", command[6:10])
        lie = self.lie if self.times and self.code in (None, code) else None
        if lie:
            self.times -= 1
            self.told += 1
            if lie == self.hangs:
                return self.hangs(client)
        start = time.monotonic()
        tpm.sendall(command)
        answer = message(tpm)
        self.seen.append((code, time.monotonic() - start))
        if lie:
            answer = lie(answer)
        client.sendall(answer)
        # Nobody is to wait for what a lie about the size has promised.
        return not lie or len(answer) >= 6 and len(answer) == struct.unpack(">I", answer[2:6])[0]

    # --- the lies --------------------------------------------------------------------------------

    def hangs(self, client):
        """Neither TPM nor client hear of it, until the client goes away or this ends."""
        while self.lie == self.hangs:
            if select.select([client], [], [], 0.1)[0]:
                break
        return False

    def cuts(self, answer):
        return answer[:self.rng.randrange(len(answer))]

    def flips(self, answer):
        data = bytearray(answer)
        data[self.rng.randrange(len(data))] ^= 1 << self.rng.randrange(8)
        return bytes(data)

    def fails(self, answer):
        return refusal(FAILURE)

    def too_long(self, answer):
        return answer[:2] + struct.pack(">I", 0xfffffff0) + answer[6:]

    def too_short(self, answer):
        return answer[:2] + struct.pack(">I", 3) + answer[6:]

    def more(self, answer):
        """The size that it says, and its bytes: more than this answer has."""
        return answer[:2] + struct.pack(">I", len(answer) + 7) + answer[6:] + bytes(7)
