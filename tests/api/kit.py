# SPDX-License-Identifier: Apache-2.0
"""netherd-api with sanitizers over a software TPM and a pretended monitor, and a client of it."""

import base64
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
PROGRAM = os.path.join(TOP, "build/api/netherd-api")
os.chdir(TOP)


def check(what, good, *more):
    """One line for each; the first that fails ends the test."""
    if not good:
        print("FAIL:", what, *more, flush=True)
        sys.exit(1)
    print("ok", what, flush=True)


def wait_until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            check(what, False, "not within %d s" % seconds)
        time.sleep(0.05)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def unbase64(text):
    return base64.b64decode(text, validate=True)


def make_tpm(folder):
    """What a maker does: keys, certificates by a CA of ours."""
    ca = folder + "/ca"
    os.makedirs(ca, exist_ok=True)
    os.makedirs(folder + "/tpm", exist_ok=True)
    with open(folder + "/localca.conf", "w", encoding="utf-8") as f:
        f.write("statedir = %s\nsigningkey = %s/signkey.pem\nissuercert = %s/issuercert.pem\n"
                "certserial = %s/certserial\n" % (ca, ca, ca, ca))
    with open(folder + "/setup.conf", "w", encoding="utf-8") as f:
        f.write("create_certs_tool=/usr/bin/swtpm_localca\ncreate_certs_tool_config=%s/localca.conf\n"
                "create_certs_tool_options=/etc/swtpm-localca.options\nactive_pcr_banks=sha256\n" % folder)
    done = subprocess.run(["swtpm_setup", "--tpm2", "--tpmstate", folder + "/tpm", "--create-ek-cert",
                           "--config", folder + "/setup.conf", "--overwrite"],
                          capture_output=True, text=True, timeout=120, check=False)
    check("a software TPM with an EK certificate", done.returncode == 0, done.stdout + done.stderr)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        kind = response.headers.get("Content-Type", "")
        self.json = json.loads(self.body) if self.body and kind == "application/json" else None

    @property
    def code(self):
        return self.json["error"]["code"] if self.json and "error" in self.json else None

    def __str__(self):
        return "%d %r" % (self.status, self.body[:300])


class Lab:
    """A folder of files, a TPM, a server."""

    def __init__(self, name, **config):
        self.folder = os.path.join(TOP, "build/test/api", name)
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder + "/vms")
        os.makedirs(self.folder + "/state")
        self.tpm = self.server = None
        self.tokens = {}
        self.context = ssl.create_default_context()
        done = subprocess.run([PROGRAM, "--make-certificate", self.folder], capture_output=True,
                              text=True, check=True)
        self.fingerprint = done.stdout.strip()
        self.context.load_verify_locations(self.folder + "/cert.pem")
        for tenant, role in (("alice", "tenant"), ("bob", "tenant"), ("watch", "metrics")):
            self.new_token(tenant, role)
        self.config = dict(listen="127.0.0.1:0", certificate=self.folder + "/cert.pem",
                           key=self.folder + "/key.pem", state=self.folder + "/state",
                           tokens=self.folder + "/tokens", vms=self.folder + "/vms",
                           tcti="swtpm:path=" + self.folder + "/tpm.sock", reserve_mib=0,
                           rate=10000, rate_per_address=10000)
        self.config.update(config)

    def new_token(self, tenant, role):
        done = subprocess.run([PROGRAM, "--new-token", tenant, "--role", role], capture_output=True,
                              text=True, check=True)
        token, line = done.stdout.splitlines()
        self.tokens[tenant] = token
        with open(self.folder + "/tokens", "a", encoding="utf-8") as f:
            f.write(line + "\n")

    # --- the TPM ---------------------------------------------------------------------------------

    def start_tpm(self):
        if not os.path.exists(self.folder + "/tpm"):
            make_tpm(self.folder)
        sock = self.folder + "/tpm.sock"
        for path in (sock, sock + ".ctrl"):
            if os.path.exists(path):
                os.unlink(path)
        with open(self.folder + "/swtpm.log", "ab") as log:
            self.tpm = subprocess.Popen(
                ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.folder + "/tpm",
                 "--server", "type=unixio,path=" + sock, "--ctrl", "type=unixio,path=" + sock + ".ctrl",
                 "--flags", "not-need-init,startup-clear"], stdout=log, stderr=log)
        wait_until("swtpm listens", lambda: os.path.exists(sock) and os.path.exists(sock + ".ctrl"))

    def stop_tpm(self):
        if self.tpm:
            self.tpm.terminate()
            self.tpm.wait()
            self.tpm = None

    def tpm2(self, *command, **more):
        """One of tpm2-tools, on this TPM if the server is not running."""
        env = dict(os.environ, TPM2TOOLS_TCTI=self.config["tcti"])
        return subprocess.run(command, capture_output=True, env=env, timeout=60, check=False, **more)

    # --- the server ------------------------------------------------------------------------------

    def start(self, before=None, program=PROGRAM, ready=60, **config):
        self.config.update(config)
        with open(self.folder + "/config", "w", encoding="utf-8") as f:
            f.write("# a test's\n" + "".join("%s = %s\n" % kv for kv in self.config.items()))
        env = dict(os.environ, MONITOR_DIR=self.folder, ASAN_OPTIONS="detect_leaks=1:quarantine_size_mb=16",
                   UBSAN_OPTIONS="print_stacktrace=1")
        self.log = open(self.folder + "/netherd-api.log", "ab")
        self.server = subprocess.Popen([program, "--config", self.folder + "/config", "--foreground"],
                                       stdout=subprocess.PIPE, stderr=self.log, env=env, text=True,
                                       preexec_fn=before)
        line = self.server.stdout.readline()
        if "ready, port" not in line:
            self.fail("the server does not start: %r" % line)
        self.port = int(line.split()[-1])
        return self

    def ready(self):
        """Until the TPM has been found, too."""
        wait_until("healthy", lambda: self.ask("GET", "/healthz", tenant=None).status == 200)
        return self

    def fail(self, *why):
        self.log.flush()
        with open(self.folder + "/netherd-api.log", encoding="utf-8", errors="replace") as f:
            print("".join(f.readlines()[-60:]))
        check("the server", False, *why)

    def stop(self, how=signal.SIGTERM, status=0):
        """Ends it; by SIGTERM it has to end in order, or with another status that is expected."""
        self.server.send_signal(how)
        try:
            ended = self.server.wait(60)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.fail("does not end")
        self.server.stdout.close()
        if how == signal.SIGTERM and ended != status:
            self.fail("ends with %d" % ended)
        self.server = None

    def end(self):
        if self.server:
            if self.server.poll() is not None:
                self.fail("has ended with %d" % self.server.returncode)
            self.stop()
        self.stop_tpm()
        with open(self.folder + "/netherd-api.log", encoding="utf-8", errors="replace") as f:
            text = f.read()
        check("no complaint of the sanitizers", "Sanitizer" not in text and "runtime error" not in text,
              text[-4000:])

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for process in (self.server, self.tpm):
            if process and process.poll() is None:
                process.kill()
                process.wait()

    def touch(self, name, there=True):
        path = os.path.join(self.folder, name)
        if there:
            with open(path, "w", encoding="utf-8"):
                pass
        elif os.path.exists(path):
            os.unlink(path)

    # --- the client ------------------------------------------------------------------------------

    def connect(self, timeout=60):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=timeout)

    def raw(self, timeout=30, source=None, small=False):
        """TLS, and nothing asked yet. small: with as little room for answers as there can be."""
        plain = socket.socket()
        plain.settimeout(timeout)
        if small:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)  # on which the server's room depends, too
        if source:
            plain.bind((source, 0))
        plain.connect(("127.0.0.1", self.port))
        return self.context.wrap_socket(plain, server_hostname="127.0.0.1")

    def ask(self, method, path, body=None, tenant="alice", headers=None, connection=None, token=None):
        headers = dict(headers or {})
        token = token or self.tokens.get(tenant)
        if token:
            headers["Authorization"] = "Bearer " + token
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
        c = connection or self.connect()
        try:
            c.request(method, path, body=body, headers=headers)
            return Answer(c.getresponse())
        finally:
            if not connection:
                c.close()

    def head(self, method, path, tenant="alice", **headers):
        """A request of which the body does not come: an answer that does not wait for it."""
        c = self.connect()
        c.putrequest(method, path)
        if tenant:
            c.putheader("Authorization", "Bearer " + self.tokens[tenant])
        for name, value in headers.items():
            c.putheader(name.replace("_", "-"), value)
        c.endheaders()
        try:
            return Answer(c.getresponse())
        finally:
            c.close()

    def chunk(self, name, file, offset, data, **more):
        return self.ask("PUT", "/v1/images/%s/%s?offset=%d" % (name, file, offset), data,
                        headers={"Content-SHA256": sha256(data)}, **more)

    def create(self, name, data, sidecar, **more):
        return self.ask("POST", "/v1/images",
                        {"name": name, "data_bytes": data, "sidecar_bytes": sidecar}, **more)

    def complete(self, name, data, sidecar, **more):
        return self.ask("POST", "/v1/images/%s/complete" % name,
                        {"data_sha256": data, "sidecar_sha256": sidecar}, **more)

    def metrics(self):
        answer = self.ask("GET", "/metrics", tenant="watch")
        rows = [line.rsplit(" ", 1) for line in answer.body.decode().splitlines() if line[0] != "#"]
        return {name: float(value) for name, value in rows}
