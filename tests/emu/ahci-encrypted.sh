#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM guest boots from an encrypted disk on AHCI. Its own driver writes it with several commands in flight, flushes, and
# reads it again: so does the second guest with that disk, what the first one has left.
# long
# timeout: 900
# shellcheck disable=SC2154 # lib.sh sets overlay
. "$(dirname "$0")/lib.sh"

encrypted_disk hvm-ahci ahci.img
cat >"$overlay/enc/run" <<'END'
ran() { # waits for the guest's word on what it was to run
	tries=600
	until grep "^LAB-GUEST ran" /var/log/xen/console/serial-hvm-ahci-enc.log; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || { echo "the guest says no more"; exit 1; }
		usleep 200000
	done
}
for n in first second; do
	: >/var/log/xen/console/serial-hvm-ahci-enc.log
	{ guest-up /enc/hvm-ahci-enc.cfg 350 && ran && netherctl disks; } | sed "s/^/$n: /"
	guest-destroy-all
	disks-closed || exit 1
	sed "s/^/$n: /" /enc/receipt
done
echo "plaintext in the data file: $(grep -c 'lab disk label' /enc/data)"
END
in_dom0 'sh /enc/run' --overlay "$overlay" --dev-keys --timeout 840
for n in first second; do
	expect "^$n: LAB-GUEST up nproc=1 .*disk=lab disk label 1\$" "the $n guest's own report"
	expect "^$n: LAB-GUEST ran status=0" "what the $n guest wrote, read again"
	expect "^$n: disk [12], .*: live, drive 0 of guest [12]; sectors read [1-9][0-9]{3}.*refused: 0 sectors, 0 nodes" \
		"the monitor's count of the $n guest's disk"
done
expect '^first: uuid=.* generation=3 ' "the first receipt"
expect '^second: uuid=.* generation=5 ' "the second receipt"
expect '^plaintext in the data file: 0$' "plaintext in the data file"
