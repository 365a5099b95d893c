# SPDX-License-Identifier: Apache-2.0
"""
A software TPM 2.0 (swtpm) for one run of QEMU. Its endorsement key is certified by a CA of the lab's own, in
build/lab/tpm-ca: nothing is asked of the network, and the CA stays the same from run to run.
"""

import os
import shutil
import subprocess
import time

from . import errors, paths
from .errors import LabError
from .process import die_with_parent

DEVICES = {"tis": "tpm-tis", "crb": "tpm-crb"}  # QEMU's names
BANKS = "sha256,sha384"
CA = os.path.join(paths.OUT, "tpm-ca")
START = 30  # seconds until its socket is there

CONFIG = {
    "setup.conf": "create_certs_tool = /usr/bin/swtpm_localca\n"
                  "create_certs_tool_config = %(ca)s/localca.conf\n"
                  "create_certs_tool_options = %(ca)s/localca.options\n"
                  "active_pcr_banks = sha256\n",
    "localca.conf": "statedir = %(ca)s\nsigningkey = %(ca)s/signkey.pem\n"
                    "issuercert = %(ca)s/issuercert.pem\ncertserial = %(ca)s/certserial\n",
    "localca.options": "--platform-manufacturer Nethervisor\n--platform-version 1\n--platform-model lab\n",
}


def configure():
    os.makedirs(CA, exist_ok=True)
    for name, text in CONFIG.items():
        path = os.path.join(CA, name)
        with open("%s.%d" % (path, os.getpid()), "w") as f:
            f.write(text % {"ca": CA})
        os.rename(f.name, path)


def setup(state, log):
    """A new TPM in the folder `state`: with endorsement keys and certificates."""
    configure()
    os.makedirs(state, exist_ok=True)
    status = subprocess.call(
        ["swtpm_setup", "--tpm2", "--tpmstate", state, "--create-ek-cert", "--create-platform-cert",
         "--pcr-banks", BANKS, "--config", os.path.join(CA, "setup.conf")],
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    if status:
        raise LabError(errors.EMULATOR_START, "swtpm_setup failed: see %s" % log.name)


class Tpm:
    """state: the folder of a TPM that lives longer than the run, made if it is not there; None: the run's own."""

    def __init__(self, kind, state=None):
        self.kind, self.state, self.process = kind, state and os.path.abspath(state), None
        self.socket = "/tmp/lab-%d.tpm" % os.getpid()

    def arguments(self):
        """QEMU's."""
        return ["-chardev", "socket,id=tpm,path=" + self.socket, "-tpmdev", "emulator,id=tpm,chardev=tpm",
                "-device", DEVICES[self.kind] + ",tpmdev=tpm"]

    def start(self, folder):
        if not shutil.which("swtpm") or not shutil.which("swtpm_setup"):
            raise LabError(errors.EMULATOR_MISSING, "swtpm is not installed: run 'make deps'")
        state = self.state or os.path.join(folder, "tpm")
        with open(os.path.join(folder, "swtpm.log"), "a") as log:
            if not os.path.exists(os.path.join(state, "tpm2-00.permall")):
                setup(state, log)
            self.process = subprocess.Popen(
                ["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + state, "--terminate",
                 "--ctrl", "type=unixio,path=" + self.socket], preexec_fn=die_with_parent,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + START
        while not os.path.exists(self.socket):
            if self.process.poll() is not None or time.monotonic() > end:
                raise LabError(errors.EMULATOR_START, "swtpm did not start: see %s" % log.name)
            time.sleep(0.01)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        if os.path.exists(self.socket):
            os.unlink(self.socket)
