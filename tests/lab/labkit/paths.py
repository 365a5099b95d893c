# SPDX-License-Identifier: Apache-2.0
"""Where things are."""

import os

LAB = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(LAB))
BUILD = os.path.join(ROOT, "build")
OUT = os.path.join(BUILD, "lab")
RUNS = os.path.join(OUT, "runs")
GUESTS = os.path.join(OUT, "guests")

# What the image builds leave in OUT.
XEN = os.path.join(OUT, "xen")
KERNEL = os.path.join(OUT, "vmlinux-dom0")
TBOOT = os.path.join(OUT, "tboot")
DOM0 = os.path.join(OUT, "dom0.cpio")
DOM0_TPM = os.path.join(OUT, "dom0-tpm.cpio")
TOOLS = [os.path.join(BUILD, name) for name in ("netherctl", "netherd")]  # ours, for dom0
# And where it has a TPM.
TPM_TOOLS = [os.path.join(BUILD, "netherd-api"), os.path.join(ROOT, "attest/api/nether-vm")]


def monitor(hw, dev_keys=False):
    """The monitor's image for 'svm' or 'vmx'; dev_keys: the one that takes disks' keys from dom0."""
    return os.path.join(BUILD, "nethervisor-%s%s.elf" % (hw, "-dev" if dev_keys else ""))
