#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On VMX: an HVM guest boots from an encrypted IDE disk, by bus-master DMA, and its own driver reads it.
# long
# timeout: 1700
# shellcheck disable=SC2034,SC2154 # lib.sh reads hw and sets overlay
hw=vmx
. "$(dirname "$0")/lib.sh"

encrypted_disk hvm-disk disk.img
in_dom0 'guest-up /enc/hvm-disk-enc.cfg 1500 || exit 1
	netherctl disks
	echo "plaintext in the data file: $(grep -c "lab disk label" /enc/data)"
	guest-destroy-all' --overlay "$overlay" --dev-keys --cpus 1 --timeout 1640
expect '^LAB-GUEST up nproc=1 .*disk=lab disk label 1$' "the guest's own report"
expect '^disk 1, .*: live, drive 0 of guest 1; sectors read [1-9][0-9]{3}.*refused: 0 sectors, 0 nodes' "the monitor's count"
expect '^plaintext in the data file: 0$' "plaintext in the data file"
