# SPDX-License-Identifier: Apache-2.0
"""What attestation and netherd-api cost: all tables."""

import os
import statistics
import subprocess

import attest_api
import attest_boot
from labkit import paths
from tables import table

NAMES = ["measured-boot", "verify", "release", "upload", "agent-memory"]
RELEASE_TEXT = {"seal": "seal a release's HPKE (nether-attest's, OpenSSL's library)",
                "open": "open its HPKE (the monitor's release_open)",
                "take": "take a release (release_take, on the software machine)",
                "sign": "sign a digest (crypto_p256_sign)",
                "evidence": "hash and sign evidence of 64 guests and 64 disks"}
MEMORY_TEXT = {"idle": "idle, TPM and keys there", "clients": "%d clients at once, the most" % attest_api.CLIENTS,
               "after": "two seconds after", "upload": "an upload of %d MiB, the most" % attest_api.LARGE_MIB, "end": "after it"}
NOTES = """\
- "measured-boot" counts instructions; the rest is this machine's time, beside whatever else it did. netherd-api is as in
  the product but for the monitor, which tests/api pretends; the TPM is swtpm. A TPM in hardware is much slower: not measured.
- How long the monitor waits for the TPM depends on the host, and is in "else"; the other counts before L1's entry do not.
"""


def release():
    found = {}
    for program in ("release", "take"):
        out = subprocess.run([os.path.join(paths.BUILD, "bench", program)], stdout=subprocess.PIPE, text=True, check=True).stdout
        found.update({name: [int(best), int(median)] for name, best, median in (line.split() for line in out.splitlines())})
    return found


def measure(name):
    return {"measured-boot": attest_boot.measure, "verify": attest_api.verify, "release": release,
            "upload": attest_api.upload, "agent-memory": attest_api.memory}[name]()


def spread(values, form):
    return tuple(form % v for v in (min(values), statistics.median(values), max(values)))


def verify_text(rows):
    what = {"all": "nether-attest verify", "offline": "nether-attest evidence check, without a host",
            "tpm": "the TPM's %d commands in verify" % rows[0]["commands"],
            "ActivateCredential": "of these: ActivateCredential", "Quote": "of these: Quote"}
    return "`nether-attest verify`, %d times, with activation:\n\n" % len(rows) + table(
        ("milliseconds", "min", "median", "max"),
        [(words, *spread([1000 * r[key] for r in rows], "%.1f")) for key, words in what.items()])


def release_text(found):
    return "Releases and signatures, one thread:\n\n" + table(
        ("a second of CPU time", "best", "median"),
        [(words, *("{:,}".format(n) for n in found[name])) for name, words in RELEASE_TEXT.items()])


def upload_text(found):
    what = ("nether-image upload: the host has all, synced", "nether-image upload: and has verified it",
            "curl -T to nginx", "curl -T to nginx, and fsync")
    rows = [(words, *spread([found["mib"] * 1.048576 / r[i] for r in found["seconds"]], "%.0f")) for i, words in enumerate(what)]
    return "%d MiB of random bytes over HTTPS, %d times by turns:\n\n" % (found["mib"], len(found["seconds"])) + table(
        ("MB/s", "min", "median", "max"), rows) + (
        "CPU time of one upload: nether-image %.2f s, netherd-api %.2f s (medians).\n\n" %
        tuple(statistics.median(both) for both in zip(*found["cpu"])))


def memory_text(found):
    return "netherd-api's memory:\n\n" + table(
        ("resident", "MiB"), [(words, "%.1f" % (found[key] / 1024)) for key, words in MEMORY_TEXT.items()])


TEXTS = {"measured-boot": attest_boot.text, "verify": verify_text, "release": release_text, "upload": upload_text,
         "agent-memory": memory_text}


def text(results):
    return "Attestation: what it costs\n\n" + "".join(TEXTS[name](results[name]) for name in NAMES if name in results) + NOTES
