# SPDX-License-Identifier: Apache-2.0
"""A pretended host with a real TPM (swtpm, driven by tpm2-tools): measures as docs/attestation.md says, and answers a nonce."""

import base64
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
TOOL = TOP + "/build/attest/nether-attest"  # with sanitizers
OK, FAILED, USAGE, ERROR = range(4)

EV_NO_ACTION, EV_SEPARATOR, EV_EVENT_TAG, EV_IPL, EV_EFI_ACTION = 3, 4, 6, 13, 0x80000007
EV_BLOB, EV_BOOT_APP = 0x80000008, 0x80000003
TXT_EVENTS = 0x400
MONITOR, OPTIONS, TBOOT, PLATFORM, MODULE, CMDLINE, LOADED_END = (0x4e480000 + i for i in (1, 2, 3, 4, 5, 6, 15))
KEYS, KEYS_END = 0x4e480010, 0x4e48001f
DMA_GOOD = 6
NO_TPM, NO_ISOLATION, DEV_KEYS, ANCHORS = 1, 2, 4, 8
SHA1, SHA256 = 4, 11
QUOTED = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14]


def sha256(data):
    return hashlib.sha256(data).digest()


def command(*args, data=None, env=None):
    done = subprocess.run(args, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False,
                          env=dict(os.environ, **env) if env else None)
    if done.returncode:
        sys.exit("%s: status %d\n%s" % (" ".join(args), done.returncode, done.stderr.decode(errors="replace")))
    return done.stdout


def run(*args, status=OK, says="", unsaid=None, data=None, without=(), timeout=60):
    """nether-attest's standard output. says: what is to be on standard error, unsaid: what not. without: variables of the environment."""
    environment = dict(os.environ, ASAN_OPTIONS="detect_leaks=1", XDG_STATE_HOME=os.path.abspath("state"))
    environment = {name: value for name, value in environment.items() if name not in without}
    done = subprocess.run([TOOL, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                          env=environment, check=False)
    err = done.stderr.decode(errors="replace")
    if done.returncode not in (status if isinstance(status, tuple) else (status,)) or says not in err or (unsaid and unsaid in err):
        sys.exit("%s\nstatus %d, not %s, or not '%s':\n%s%s" % (" ".join(args), done.returncode, status, says,
                                                                done.stdout.decode(errors="replace"), err))
    return done.stdout.decode()


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, content, mode=0o600):
    with open(path, "wb") as f:
        f.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)


def same(a, b, what):
    if a != b:
        sys.exit("%s: %r, not %r" % (what, a, b))


# --- the TPM --------------------------------------------------------------------------------------

class Tpm:
    """One that its maker has given a certificate; to be used within `with`."""

    def __init__(self, name, authority="ca", ecc=False):
        self.dir = os.path.abspath(name)
        self.ca = os.path.abspath(authority)
        self.ecc = ecc
        self.process = None
        self.started = False
        os.makedirs(self.dir)
        os.makedirs(self.ca, exist_ok=True)
        self.env = {"TPM2TOOLS_TCTI": "swtpm:path=%s/sock" % self.dir}

    def __enter__(self):
        self.manufacture()
        self.process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.dir, "--flags", "not-need-init",
             "--server", "type=unixio,path=%s/sock" % self.dir, "--ctrl", "type=unixio,path=%s/sock.ctrl" % self.dir],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            if os.path.exists(self.dir + "/sock.ctrl") and os.path.exists(self.dir + "/sock"):
                break
            time.sleep(0.05)
        try:
            self.reset()
            self.keys()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def manufacture(self):
        write(self.ca + "/localca.conf", "statedir = %s\nsigningkey = %s/key.pem\nissuercert = %s/issuer.pem\n"
              "certserial = %s/serial\n" % ((self.ca,) * 4))
        write(self.ca + "/localca.options", "--platform-manufacturer test\n--platform-version 1\n--platform-model m\n")
        write(self.ca + "/setup.conf", "create_certs_tool = /usr/bin/swtpm_localca\n"
              "create_certs_tool_config = %s/localca.conf\ncreate_certs_tool_options = %s/localca.options\n"
              "active_pcr_banks = sha1,sha256\n" % ((self.ca,) * 2))
        command("swtpm_setup", "--tpm2", "--tpmstate", self.dir, "--create-ek-cert", "--config",
                self.ca + "/setup.conf", "--pcr-banks", "sha1,sha256", *(["--ecc"] if self.ecc else []))

    def __call__(self, tool, *args):
        return command("tpm2_" + tool, *args, env=self.env)

    def reset(self):
        """As the machine's; in order, for a TPM counts the others as attacks on passwords."""
        if self.started:
            self("shutdown", "-c")
        self.started = True
        command("swtpm_ioctl", "--unix", self.dir + "/sock.ctrl", "-i")
        self("startup", "-c")

    def sleep(self):
        """S3 and back: what was measured is still there."""
        self("shutdown")
        command("swtpm_ioctl", "--unix", self.dir + "/sock.ctrl", "-i")
        self("startup")

    def path(self, name):
        return self.dir + "/" + name

    def keys(self):
        algorithm = "ecc" if self.ecc else "rsa"
        # There is no resource manager: keys stay in the TPM's few places until they are flushed.
        self("createek", "-G", algorithm, "-c", self.path("ek.ctx"), "-u", self.path("ek.pub"))
        self("flushcontext", "-t")
        self("createak", "-C", self.path("ek.ctx"), "-c", self.path("ak.ctx"), "-G", algorithm, "-g", "sha256",
             "-s", "ecdsa" if self.ecc else "rsassa", "-u", self.path("ak.pub"), "-n", self.path("ak.name"))
        self("flushcontext", "-t")
        self("evictcontrol", "-C", "o", "-c", self.path("ak.ctx"), "0x81010010")
        self("flushcontext", "-t")
        self("evictcontrol", "-C", "o", "-c", self.path("ek.ctx"), "0x81010020")
        self("flushcontext", "-t")
        self.ek_public = read(self.path("ek.pub"))
        self.ak_public = read(self.path("ak.pub"))
        self.ek_certificate = self.certificate()

    def certificate(self):
        if self.ecc:  # swtpm_setup has made one for another curve's
            return self.issue("keyUsage=critical,keyAgreement\nextendedKeyUsage=2.23.133.8.1")
        der = self("nvread", "0x1c00002", "-C", "o")
        return der[:4 + struct.unpack(">H", der[2:4])[0]]

    def issue(self, extensions, authority=None, days="3650"):
        """Another certificate for the same key, of the same maker."""
        self("readpublic", "-c", "0x81010020", "-f", "pem", "-o", self.path("ek.pem"))
        write(self.path("extensions"), extensions + "\n")
        ca = authority or self.ca
        return command("openssl", "x509", "-new", "-subj", "/CN=tpm", "-force_pubkey", self.path("ek.pem"), "-CA",
                       ca + "/issuer.pem", "-CAkey", ca + "/key.pem", "-days", days, "-extfile",
                       self.path("extensions"), "-outform", "DER")

    def extend(self, pcr, digest):
        self("pcrextend", "%d:sha256=%s" % (pcr, digest.hex()))

    def launch(self, data):
        """As SENTER does it: PCRs 17 to 22 begin anew with zeros, and what is launched is measured into 17."""
        command("swtpm_ioctl", "--unix", self.path("sock.ctrl"), "-h", data)

    def extend_dynamic(self, pcr, digest):
        """At locality 2, which tpm2-tools do not take: TPM2_PCR_Extend by hand (TPM 2.0 part 3, 22.2), with an empty password."""
        command("swtpm_ioctl", "--unix", self.path("sock.ctrl"), "-l", "2")
        body = struct.pack(">IIIHBHIH", pcr, 9, 0x40000009, 0, 0, 0, 1, SHA256) + digest
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path("sock"))
            s.sendall(struct.pack(">HII", 0x8002, 10 + len(body), 0x182) + body)
            answer = s.recv(4096)
        command("swtpm_ioctl", "--unix", self.path("sock.ctrl"), "-l", "0")
        same(answer[6:10], bytes(4), "TPM2_PCR_Extend at locality 2")

    def event(self, pcr, data):
        write(self.path("event"), data)
        self("pcrevent", str(pcr), self.path("event"))

    def quote(self, extra, pcrs=QUOTED, bank="sha256", key="0x81010010"):
        self("quote", "-c", key, "-l", "%s:%s" % (bank, ",".join(map(str, pcrs))), "-q", extra.hex(), "-g", "sha256",
             "-m", self.path("quote"), "-s", self.path("sig"))
        return read(self.path("quote")), read(self.path("sig"))

    def activate(self, blob, secret):
        """Both as the interface has them; tpm2-tools want them in a file of their own, with a head."""
        write(self.path("cred"), struct.pack(">II", 0xbadcc0de, 1) + blob + secret)
        self("startauthsession", "--policy-session", "-S", self.path("session"))
        try:
            self("policysecret", "-S", self.path("session"), "-c", "e")
            self("activatecredential", "-c", "0x81010010", "-C", "0x81010020", "-i", self.path("cred"), "-o",
                 self.path("plain"), "-P", "session:" + self.path("session"))
        finally:
            self("flushcontext", self.path("session"))
        return read(self.path("plain"))


# --- the log --------------------------------------------------------------------------------------

class Event:
    def __init__(self, pcr, kind, data, digest=None):
        self.pcr, self.kind, self.data = pcr, kind, data
        self.digest = sha256(data) if digest is None else digest

    def marshal(self):
        return struct.pack("<IIIH20sH32sI", self.pcr, self.kind, 2, SHA1, hashlib.sha1(self.digest).digest(), SHA256,
                           self.digest, len(self.data)) + self.data


def log(events):
    head = b"Spec ID Event03\0" + struct.pack("<IBBBBIHHHHB", 0, 0, 2, 0, 2, 2, SHA1, 20, SHA256, 32, 0)
    return struct.pack("<II20sI", 0, EV_NO_ACTION, bytes(20), len(head)) + head + b"".join(
        e.marshal() for e in events)


def txt():
    """A TXT launch's: of what was only noted, in no PCR, one; what SINIT and tboot have measured."""
    return [Event(17, TXT_EVENTS + 2, b"SINIT"), Event(17, TXT_EVENTS + 3, b"policy"),
            Event(0xff, TXT_EVENTS + 1, b"mapping", bytes(32)), Event(18, TXT_EVENTS + 4, b"tboot"),
            Event(18, TXT_EVENTS + 4, b"monitor")]


def tagged(pcr, ident, data=b""):
    return Event(pcr, EV_EVENT_TAG, struct.pack("<II", ident, len(data)) + data)


def grub(prefix, text):
    return Event(8, EV_IPL, (prefix + ": " + text).encode() + b"\0", sha256(text.encode()))


def grub_file(name, content):
    return Event(9, EV_IPL, name.encode() + b"\0", sha256(content))


def firmware():
    events = [Event(0, EV_BLOB, b"where", sha256(b"firmware")), Event(1, 0x80000009, b"tables", sha256(b"smbios")),
              Event(7, 0x80000001, b"variable", sha256(b"SecureBoot"))]
    events += [Event(4, EV_EFI_ACTION, b"Calling EFI Application from Boot Option")]
    events += [Event(p, EV_SEPARATOR, bytes(4)) for p in range(8)]
    return events + [Event(4, EV_BOOT_APP, b"path", sha256(b"grubx64.efi")), Event(14, EV_IPL, b"MokList\0", sha256(b"mok"))]


def loader(xen=b"xen", cfg=b"menuentry"):
    return [grub("grub_cmd", "search --file /boot/grub/grub.cfg"), grub_file("/boot/grub/grub.cfg", cfg),
            grub("grub_cmd", "multiboot2 /boot/nethervisor-svm.elf"), grub_file("/boot/nethervisor-svm.elf", b"monitor"),
            grub("kernel_cmdline", "/boot/nethervisor-svm.elf"), grub_file("/boot/xen.gz", xen),
            grub("module_cmdline", "/boot/xen.gz placeholder")]


VERSION = "0.1.0-test"


def loaded(xen=b"xen", options=b"", tboot=0, iommus=1, dma=DMA_GOOD, opened=0):
    events = [tagged(11, MONITOR, b"nethervisor %s svm" % VERSION.encode()), tagged(11, OPTIONS, options),
              tagged(11, TBOOT, struct.pack("<I", tboot)),
              tagged(11, PLATFORM, struct.pack("<III", iommus, dma, opened))]
    for number, (content, line) in enumerate([(xen, b"placeholder dom0_mem=1G"), (b"vmlinuz", b"root=/dev/sda1"),
                                              (b"initrd", b"")]):
        events += [tagged(11, MODULE, struct.pack("<IIQ", number, 0, len(content)) + sha256(content)),
                   tagged(11, CMDLINE, struct.pack("<I", number) + line)]
    return events + [tagged(11, LOADED_END)]


# --- the monitor ----------------------------------------------------------------------------------

class Monitor:
    """Its keys, and what it says."""

    def __init__(self, path):
        self.pem = os.path.abspath(path + ".pem")
        self.pem_x = os.path.abspath(path + "-x.pem")
        command("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.pem)
        command("openssl", "genpkey", "-algorithm", "X25519", "-out", self.pem_x)
        self.sign_public = command("openssl", "pkey", "-in", self.pem, "-pubout", "-outform", "DER")[-64:]
        self.receive = command("openssl", "pkey", "-in", self.pem_x, "-pubout", "-outform", "DER")[-32:]

    def measured(self):
        return [tagged(12, KEYS, self.receive + self.sign_public), tagged(12, KEYS_END)]

    def sign(self, data):
        der = command("openssl", "dgst", "-sha256", "-sign", self.pem, data=data)
        numbers, at = b"", 2
        for _ in range(2):
            n = der[at + 1]
            numbers += int.from_bytes(der[at + 2:at + 2 + n], "big").to_bytes(32, "big")
            at += 2 + n
        return numbers

    def evidence(self, nonce, guests=(), disks=(), flags=0, iommus=1, dma=DMA_GOOD, opened=0, tboot=0, uptime=61000,
                 version=VERSION, channels=()):
        size = 224 + 56 * len(guests) + 80 * len(disks) + 96 * len(channels) + 64
        body = struct.pack("<8sII32s32s8s32s64sQIIIIIIII", b"NHEVIDEN", 2, size, nonce, version.encode(), b"svm",
                           self.receive, self.sign_public, uptime, iommus, dma, opened, tboot, flags, len(guests),
                           len(disks), len(channels))
        body += b"".join(guests) + b"".join(disks) + b"".join(channels)
        return body + self.sign(body)


def guest(ident, digest=bytes(32), flags=3, stop=0):
    return struct.pack("<Q32sIIII", ident, digest, flags, 2, stop, 0)


def disk(uuid, ident, tenant=bytes(32), release=bytes(16), state=3):
    return struct.pack("<16sQII32s16s", uuid, ident, 0, state, tenant, release)


def channel(ident, offerer, acceptor=0, state=1, peer=1, identity=bytes(32), service=b"lan", accepts=0, pages=4, reason=0):
    return struct.pack("<Q16sQQ32sIIQII", ident, service, offerer, acceptor, identity, peer, state, accepts, pages, reason)


QUOTE = b"nethervisor quote v1"


class Host:
    """A machine that has booted so."""

    def __init__(self, tpm, monitor, events=None, after=(), txt=()):
        """after: what is extended behind the log's back. txt: TXT launches it, with these events; the first is SINIT."""
        self.tpm, self.monitor, self.txt = tpm, monitor, txt
        self.events = firmware() + loader() + loaded() + monitor.measured() if events is None else events
        tpm.reset()
        measured = {}
        for e in self.events:  # PCRs 11 and 12 by TPM2_PCR_Event, as the monitor does
            if e.pcr in (11, 12):
                tpm.event(e.pcr, e.data)
            else:
                measured.setdefault(e.pcr, []).append("%d:sha256=%s" % (e.pcr, e.digest.hex()))
        for specs in measured.values():
            tpm("pcrextend", *specs)
        if txt:
            tpm.launch(txt[0].data.decode())
            for e in txt[1:]:
                if e.pcr != 0xff:
                    tpm.extend_dynamic(e.pcr, e.digest)
        for pcr, digest in after:
            tpm.extend(pcr, digest)

    def answer(self, nonce, pcrs=None, bank="sha256", **more):
        pcrs = pcrs or QUOTED + ([17, 18] if self.txt else [])
        evidence = self.monitor.evidence(nonce, **more)
        quote, signature = self.tpm.quote(sha256(QUOTE + nonce + evidence), pcrs, bank)
        result = {"evidence": evidence, "quote": quote, "signature": signature, "event_log": log(self.events)}
        return dict(result, txt_event_log=log(self.txt)) if self.txt else result

    def identity(self):
        return {"ek_certificate": self.tpm.ek_certificate, "ek_public": self.tpm.ek_public,
                "ak_public": self.tpm.ak_public}

    def bundle(self, nonce=None, **more):
        nonce = nonce or os.urandom(32)
        return dict(self.identity(), nonce=nonce, **self.answer(nonce, **more))


def encoded(values):
    return {k: base64.b64encode(v).decode() for k, v in values.items()}


def save(path, bundle):
    """As `evidence save` does."""
    values = dict(bundle)
    nonce = values.pop("nonce")
    write(path, json.dumps(dict(encoded(values), format="nethervisor-evidence", host="host.example", nonce=nonce.hex())))


def roots(authority="ca"):
    """The certificates of the TPM's maker."""
    write("roots.pem", read(authority + "/issuer.pem") + read(authority + "/swtpm-localca-rootca-cert.pem"))
    return "roots.pem"


def spki(public_pem_der):
    return sha256(public_pem_der).hex()


def pin_of(tpm):
    """SHA-256 of the EK's SubjectPublicKeyInfo, by OpenSSL, from its certificate."""
    pem = command("openssl", "x509", "-inform", "DER", "-noout", "-pubkey", data=tpm.ek_certificate)
    return spki(command("openssl", "pkey", "-pubin", "-outform", "DER", data=pem))


def ak_of(tpm):
    return sha256(tpm.ak_public[2:]).hex()


def rows(text):
    """JSON's rows, by name: True or False."""
    return {r["name"]: r["ok"] for r in json.loads(text)["rows"]}


def failed(text):
    return [name for name, ok in rows(text).items() if not ok]


def main(tests):
    """Each test_NAME() in one directory, which is removed if all pass."""
    directory = tempfile.mkdtemp(prefix="nether-attest-")
    os.chdir(directory)
    for test in tests:
        start = time.monotonic()
        test()
        print("%-28s %5.1f s" % (test.__name__, time.monotonic() - start), flush=True)
    os.chdir("/")
    shutil.rmtree(directory)
