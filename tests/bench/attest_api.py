# SPDX-License-Identifier: Apache-2.0
"""netherd-api over loopback, with a software TPM and a pretended monitor (tests/api): verifying, uploads, memory."""

import base64
import concurrent.futures
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TESTS, "api"), os.path.join(TESTS, "attest")]

import kit  # noqa: E402
import prover  # noqa: E402
from proxy import Proxy  # noqa: E402

BUILD = os.path.join(kit.TOP, "build")
kit.PROGRAM = os.path.join(BUILD, "bench/netherd-api")  # no sanitizers
VERIFIES, UPLOADS, CLIENTS, ASKS = 20, 5, 200, 10
UPLOAD_MIB, LARGE_MIB = 256, 1024
COMMANDS = {0x147: "ActivateCredential", 0x158: "Quote"}
NGINX = """\
daemon off;
user root;
pid pid;
error_log error.log;
events {}
http {
	access_log off;
	client_body_temp_path temp;
	client_max_body_size 0;
	server {
		listen 127.0.0.1:%d ssl;
		ssl_certificate ../cert.pem;
		ssl_certificate_key ../key.pem;
		root files;
		location / { dav_methods PUT; }
	}
}
"""


def run(*command):
    """Seconds that it took."""
    start = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=dict(os.environ, XDG_STATE_HOME=os.path.abspath("state")))
    took = time.monotonic() - start
    if done.returncode:
        sys.exit("bench: %s: status %d\n%s" % (" ".join(command), done.returncode, done.stdout[-2000:]))
    return took


@contextlib.contextmanager
def started(name, **config):
    """A server and a client's options, in the folder of it."""
    with contextlib.redirect_stdout(sys.stderr), kit.Lab("bench-" + name, connections_per_address=256, **config) as lab:
        os.chdir(lab.folder)
        try:
            lab.start_tpm()
            boot(lab)
            timed = Proxy(lab)
            lab.start(program=kit.PROGRAM, tcti=timed.tcti).ready()
            prover.write("token", lab.tokens["alice"])
            pem = prover.command("openssl", "x509", "-in", "cert.pem", "-noout", "-pubkey")
            pin = prover.spki(prover.command("openssl", "pkey", "-pubin", "-outform", "DER", data=pem))
            yield lab, timed, ["--tls-pin", pin, "--token-file", "token", "127.0.0.1:%d" % lab.port]
            lab.end()
        finally:
            os.chdir(kit.TOP)
    shutil.rmtree(lab.folder)


def boot(lab):
    """Measures as the monitor does, and the pretended monitor's keys."""
    monitor = prover.Monitor("monitor")
    keys = b"\x52" * 32 + monitor.sign_public
    events = prover.firmware() + prover.loader() + [
        prover.tagged(11, prover.MONITOR, b"nethervisor pretended fake")] + prover.loaded(iommus=0, dma=0)[1:] + [
        prover.tagged(12, prover.KEYS, keys), prover.tagged(12, prover.KEYS_END)]
    for e in events:
        lab.tpm2("tpm2_pcrextend", "%d:sha256=%s" % (e.pcr, e.digest.hex())).check_returncode()
    prover.write("log", prover.log(events))


# --- verify ---------------------------------------------------------------------------------------------------------


def make_policy(lab, args):
    certificate = base64.b64decode(lab.ask("GET", "/v1/identity").json["ek_certificate"])
    pem = prover.command("openssl", "x509", "-inform", "DER", "-noout", "-pubkey", data=certificate)
    pin = prover.spki(prover.command("openssl", "pkey", "-pubin", "-outform", "DER", data=pem))
    prover.write("roots.pem", prover.read("ca/issuercert.pem") + prover.read("ca/swtpm-localca-rootca-cert.pem"))
    tool = BUILD + "/nether-attest"
    run(tool, "evidence", "save", *args, "saved")
    run(tool, "policy", "init", "--from", "saved", "--ek", pin, "--ek-root", "roots.pem", "--out", "all")
    prover.write("policy", prover.read("all").replace(b"iommus: 1 ", b"iommus: 0 ").replace(b"[blocked, interrupts]", b"[]"))


def verify():
    """Seconds of each: of the tool, of it without a host, of all of the TPM's commands, of the quote's and the activation's."""
    rows = []
    with started("verify") as (lab, timed, args):
        make_policy(lab, args)
        for _ in range(VERIFIES):
            timed.seen.clear()
            took = run(BUILD + "/nether-attest", "verify", "--policy", "policy", *args)
            by = {name: sum(t for code, t in timed.seen if code == number) for number, name in COMMANDS.items()}
            if not all(by.values()):
                sys.exit("bench: the TPM was not asked for %s" % by)
            offline = run(BUILD + "/nether-attest", "evidence", "check", "saved", "--policy", "policy")
            rows.append({"all": took, "offline": offline, "tpm": sum(t for _, t in timed.seen), "commands": len(timed.seen), **by})
    return rows


# --- uploads --------------------------------------------------------------------------------------------------------


def random_file(name, mib):
    with open(name, "wb") as f:
        for _ in range(mib):
            f.write(os.urandom(1 << 20))
        f.flush()
        os.fsync(f.fileno())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def nginx(folder):
    port = free_port()
    os.makedirs(folder + "/nginx/files")
    prover.write(folder + "/nginx/conf", NGINX % port)
    server = subprocess.Popen(["/usr/sbin/nginx", "-p", folder + "/nginx", "-e", "stderr", "-c", folder + "/nginx/conf"])

    def answers():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    try:
        kit.wait_until("nginx listens", answers)
        yield port
    finally:
        server.terminate()
        server.wait()


def upload_once(lab, args):
    """Seconds until the host had the last byte, and until it had verified all."""
    start = time.time()
    whole = run(BUILD + "/nether-image", "upload", "--quiet", "--name", "disk", *args, "data", "side")
    return os.stat(lab.folder + "/state/api/images/alice/disk/sidecar").st_mtime - start, whole


def remove(lab):
    answer = lab.ask("DELETE", "/v1/images/disk")
    if answer.status not in (200, 204):
        sys.exit("bench: an image is not removed: %s" % answer)


def put_once(port):
    """Seconds of curl, and with what brings the file to the disk."""
    start = time.monotonic()
    took = run("curl", "--silent", "--show-error", "--fail", "--cacert", "cert.pem", "-T", "data",
               "https://127.0.0.1:%d/file" % port)
    with open("nginx/files/file", "rb") as f:
        os.fsync(f.fileno())
    synced = time.monotonic() - start
    if os.path.getsize("nginx/files/file") != UPLOAD_MIB << 20:
        sys.exit("bench: nginx has not stored the file")
    os.unlink("nginx/files/file")
    return took, synced


def cpu(lab):
    """Seconds of this program's clients so far, and of the server."""
    with open("/proc/%d/stat" % lab.server.pid, encoding="ascii") as f:
        ticks = f.read().rpartition(")")[2].split()[11:13]
    now = os.times()
    return now.children_user + now.children_system, sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def upload():
    """Seconds of each, by turns, and the CPUs' seconds of ours."""
    rows, cpus = [], []
    with started("upload") as (lab, _, args), nginx(lab.folder) as port:
        random_file("data", UPLOAD_MIB)
        prover.write("side", os.urandom(1 << 16))
        for _ in range(UPLOADS):
            before = cpu(lab)
            ours = upload_once(lab, args)
            cpus.append([now - then for now, then in zip(cpu(lab), before)])
            remove(lab)
            rows.append((*ours, *put_once(port)))
    return {"mib": UPLOAD_MIB, "seconds": rows, "cpu": cpus}


# --- memory ---------------------------------------------------------------------------------------------------------


def status(lab, what):
    """KiB, as the kernel counts them."""
    with open("/proc/%d/status" % lab.server.pid, encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith(what + ":"))


def peak(lab, work):
    """The most that it had during the work."""
    with open("/proc/%d/clear_refs" % lab.server.pid, "w", encoding="ascii") as f:
        f.write("5")
    work()
    return status(lab, "VmHWM")


def clients(lab):
    """All connected at once, and asking."""
    def asks(connection):
        for _ in range(ASKS):
            answer = lab.ask("GET", "/v1/images", connection=connection)
            if answer.status != 200:
                sys.exit("bench: %s" % answer)

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        connections = [lab.connect() for _ in range(CLIENTS)]
        for done in (pool.map(lambda c: c.connect(), connections), pool.map(asks, connections)):
            list(done)
    now = int(lab.metrics()["netherd_connections"])
    for connection in connections:
        connection.close()
    if now < CLIENTS:
        sys.exit("bench: there were %d connections" % now)


def memory():
    with started("memory", connections=512, idle_seconds=300, header_seconds=120) as (lab, _, args):
        found = {"idle": status(lab, "VmRSS"), "clients": peak(lab, lambda: clients(lab))}
        time.sleep(2)
        found["after"] = status(lab, "VmRSS")
        random_file("data", LARGE_MIB)
        prover.write("side", os.urandom(1 << 16))
        found["upload"] = peak(lab, lambda: upload_once(lab, args))
        found["end"] = status(lab, "VmRSS")
    return found
