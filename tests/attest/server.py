# SPDX-License-Identifier: Apache-2.0
"""A pretended netherd-api (docs/api.md) over TLS, which can be told to lie, or to break off."""

import base64
import ctypes
import ctypes.util
import hashlib
import hmac
import http.server
import json
import os
import ssl
import struct
import threading
from urllib.parse import parse_qs, urlparse

from prover import command, encoded, write

TOKEN = "tenant-token"


class Api(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name="localhost"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.host = None        # prover.Host
        self.more = {}          # of its evidence
        self.change = None      # a function: what the server makes of the answer to path
        self.headers = []       # of its answers
        self.images = {}
        self.vms = {}
        self.states = {}        # of a VM: what is answered next, the last for ever; without, that it runs
        self.requests = []
        self.breaks = []        # numbers of chunks after which the connection is gone: (before, or after it was taken)
        self.key, self.cert = name + ".key", name + ".crt"
        command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.key, "-out", self.cert, "-days", "2", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.name = "localhost:%d" % self.server_port
        write("token", TOKEN + "\n")

    def handle_error(self, request, client_address):
        pass  # clients that do not like the certificate

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def pin(self):
        pem = command("openssl", "x509", "-in", self.cert, "-noout", "-pubkey")
        return hashlib.sha256(command("openssl", "pkey", "-pubin", "-outform", "DER", data=pem)).hexdigest()

    def args(self):
        return ["--tls-pin", self.pin(), "--token-file", "token"]


class Refused(Exception):
    pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, code, body=None, headers=()):
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refuse(self, code, name, message, headers=()):
        self.answer(code, {"error": {"code": name, "message": message}}, headers)
        raise Refused

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlparse(self.path)
        self.server.requests.append((self.command, self.path, body))
        try:
            if self.headers.get("Authorization") != "Bearer " + TOKEN:
                self.refuse(401, "unauthorized", "no such token")
            parts = url.path.strip("/").split("/")
            if parts[:2] == ["v1", "images"]:
                self.image(parts[2:], parse_qs(url.query), body)
            else:
                self.host_call("/".join(parts[1:]), body)
        except Refused:
            pass

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def host_call(self, what, body):
        host, result = self.server.host, None
        asked = json.loads(body) if body else {}
        if what == "identity":
            result = encoded(host.identity())
        elif what == "activate":
            try:
                result = {"credential": base64.b64encode(host.tpm.activate(
                    base64.b64decode(asked["credential_blob"]), base64.b64decode(asked["secret"]))).decode()}
            except SystemExit as e:
                self.refuse(500, "internal", str(e).split("\n", maxsplit=1)[0][-60:])
        elif what == "evidence":
            result = encoded(host.answer(bytes.fromhex(asked["nonce"]), **self.server.more))
        elif what.startswith("vms/") and self.command == "PUT":
            self.server.vms[what[4:]] = asked
            return self.answer(202)
        elif what.startswith("vms/") and self.command == "GET":
            states = self.server.states.get(what[4:], ["running"])
            result = dict({"name": what[4:], "image": "i", "domain": None, "message": ""}, **self.vm_state(
                states.pop(0) if len(states) > 1 else states[0]))
        else:
            self.refuse(404, "not_found", what)
        if self.server.change:
            result = self.server.change(what, result)
        return self.answer(200, result, self.server.headers)

    @staticmethod
    def vm_state(state):
        return state if isinstance(state, dict) else {"state": state}

    # --- images -----------------------------------------------------------------------------------

    def image(self, parts, query, body):
        images = self.server.images
        if not parts:
            asked = json.loads(body)
            if asked["name"] in images:
                self.refuse(409, "conflict", "there is one")
            images[asked["name"]] = {"state": "uploading", "want": [asked["data_bytes"], asked["sidecar_bytes"]],
                                     "data": bytearray(), "sidecar": bytearray(), "zeros": 0}
            return self.answer(201)
        if parts[0] not in images:
            self.refuse(404, "not_found", "no such image")
        image = images[parts[0]]
        if len(parts) == 1:
            return self.answer(200, dict({"name": parts[0], "state": image["state"]}, **{
                f: {"bytes": image["want"][i], "received": len(image[f])} for i, f in enumerate(("data", "sidecar"))}))
        if parts[1] == "complete":
            asked = json.loads(body)
            for f in ("data", "sidecar"):
                if hashlib.sha256(image[f]).hexdigest() != asked[f + "_sha256"]:
                    self.refuse(422, "mismatch", f)
            if image["state"] == "uploading":  # it takes long
                image["state"] = "verifying"
                return self.answer(202, {"state": "verifying"})
            image["state"] = "complete"
            return self.answer(200, {"state": "complete"})
        if parts[1] == "zero":
            asked = json.loads(body)
            self.at(image[asked["file"]], asked["offset"])
            image[asked["file"]] += bytes(asked["bytes"])
            image["zeros"] += asked["bytes"]
            return self.answer(204)
        return self.chunk(image[parts[1]], int(query["offset"][0]), body)

    def at(self, have, offset):
        if offset != len(have):
            self.answer(409, {"error": {"code": "conflict", "message": "elsewhere", "received": len(have)}})
            raise Refused

    def chunk(self, have, offset, body):
        if len(body) > 4 << 20:
            self.refuse(413, "too_large", "a chunk")
        if self.headers["Content-SHA256"] != hashlib.sha256(body).hexdigest():
            self.refuse(422, "mismatch", "chunk")
        self.at(have, offset)
        kind = self.server.breaks.pop(0) if self.server.breaks else None
        if kind == "busy":
            self.refuse(429, "rate", "slowly", [("Retry-After", "1")])
        if kind != "before":
            have += body
        if kind in ("before", "after"):
            self.connection.close()
            self.close_connection = True
            raise Refused
        return self.answer(204)


# --- what the monitor does with a release -------------------------------------------------------------

def mac(key, *parts):
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def agree(private_pem, public):
    """X25519 by OpenSSL's command."""
    write("peer.der", bytes.fromhex("302a300506032b656e032100") + public)
    return command("openssl", "pkeyutl", "-derive", "-inkey", private_pem, "-peerkey", "peer.der", "-peerform", "DER")


def gcm_open(key, nonce, aad, data):
    crypto = ctypes.CDLL(ctypes.util.find_library("crypto"))
    for name in ("EVP_CIPHER_CTX_new", "EVP_aes_256_gcm"):
        getattr(crypto, name).restype = ctypes.c_void_p
    ctx, n = ctypes.c_void_p(crypto.EVP_CIPHER_CTX_new()), ctypes.c_int()
    out = ctypes.create_string_buffer(len(data) - 16)
    tag = ctypes.create_string_buffer(data[-16:], 16)
    done = (crypto.EVP_DecryptInit_ex(ctx, ctypes.c_void_p(crypto.EVP_aes_256_gcm()), None, key, nonce) == 1
            and crypto.EVP_DecryptUpdate(ctx, None, ctypes.byref(n), aad, len(aad)) == 1
            and crypto.EVP_DecryptUpdate(ctx, out, ctypes.byref(n), data[:-16], len(data) - 16) == 1
            and crypto.EVP_CIPHER_CTX_ctrl(ctx, 0x11, 16, tag) == 1
            and crypto.EVP_DecryptFinal_ex(ctx, ctypes.create_string_buffer(16), ctypes.byref(n)) == 1)
    return out.raw if done else None


def open_release(message, monitor):
    """RFC 9180's receiver, mode_auth: the struct release, or None."""
    magic, version, size, enc, tenant = struct.unpack("<8sII32s32s", message[:80])
    if (magic, version, size, len(message)) != (b"NHRELEAS", 1, 320, 320):
        return None
    kem, suite = b"KEM\0\x20", b"HPKE\0\x20\0\1\0\2"

    def extract(ident, salt, label, ikm):
        return mac(salt or bytes(32), b"HPKE-v1", ident, label, ikm)

    def expand(ident, prk, label, info, n):
        return mac(prk, struct.pack(">H", n), b"HPKE-v1", ident, label, info, b"\1")[:n]

    both = agree(monitor.pem_x, enc) + agree(monitor.pem_x, tenant)
    shared = expand(kem, extract(kem, b"", b"eae_prk", both), b"shared_secret", enc + monitor.receive + tenant, 32)
    context = b"\2" + extract(suite, b"", b"psk_id_hash", b"") + extract(suite, b"", b"info_hash", b"nethervisor release v1")
    secret = extract(suite, shared, b"secret", b"")
    return gcm_open(expand(suite, secret, b"key", context, 32), expand(suite, secret, b"base_nonce", context, 12),
                    message[:80], message[80:])
