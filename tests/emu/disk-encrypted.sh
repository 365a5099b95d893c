#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM guest boots, unmodified, from an encrypted disk that nether-image made: through SeaBIOS (PIO), a loader (one
# bus-master DMA command for each file) and Linux (DMA). Then dom0 changes one bit of the disk's label, in the data file: the
# guest gets a disk error, not the label. Without the monitor, on the plain disk, it gets a changed label.
# timeout: 900
# shellcheck disable=SC2154,SC2034 # lib.sh sets test_name and overlay, reads run_name and LAB_NO_MONITOR
. "$(dirname "$0")/lib.sh"

encrypted_disk hvm-disk disk.img
sed "s#hvm-disk#hvm-plain#g" tests/lab/guests/hvm-disk.cfg >"$overlay/enc/hvm-plain.cfg"
cat >"$overlay/enc/run" <<'END'
# Data and sidecar as they came are in /enc; tmpfs is memory, so the page cache is the file.
flip() { # FILE: one bit of byte 4 of sector 1024
	at=$((1024 * 512 + 4))
	old=$(dd if="$1" bs=1 skip=$at count=1 2>/dev/null | od -An -tu1)
	printf "\\$(printf %o $((old ^ 1)))" | dd of="$1" bs=1 seek=$at conv=notrunc 2>/dev/null
}
guest-up /enc/hvm-disk-enc.cfg 250 || exit 1
netherctl disks
echo "plaintext in the data file: $(grep -c 'lab disk label' /enc/data)"
guest-destroy-all
disks-closed || exit 1
cat /enc/receipt
flip /enc/data
guest-up /enc/hvm-disk-enc.cfg 250 | sed 's/^/flipped: /' || exit 1
netherctl disks | sed 's/^/flipped: /'
guest-destroy-all
disks-closed || exit 1
END
in_dom0 'sh /enc/run' --overlay "$overlay" --dev-keys --timeout 600
expect '^LAB-GUEST up nproc=1 .*disk=lab disk label 1$' "the guest's own report"
expect '^disk 1, .*: live, drive 0 of guest 1; sectors read [1-9][0-9]{3}.*refused: 0 sectors, 0 nodes' "the monitor's count"
expect '^plaintext in the data file: 0$' "plaintext in the data file"
expect '^uuid=.* generation=3 ' "the receipt"
expect '^flipped: LAB-GUEST up nproc=1 .*disk=$' "the guest after a bit was flipped"
expect '^flipped: disk 2, .*refused: [1-9]' "what the monitor refused"

run_name=emu-$test_name-bare
cat >"$overlay/enc/run" <<'END'
printf K | dd of=/guests/disk.img bs=1 seek=$((1024 * 512 + 4)) conv=notrunc 2>/dev/null
guest-up /enc/hvm-plain.cfg 250 || exit 1
guest-destroy-all
: hvm-disk # the lab brings its disk
END
LAB_NO_MONITOR=1
in_dom0 'sh /enc/run; : /guests hvm-disk' --overlay "$overlay" --timeout 600
expect '^LAB-GUEST up nproc=1 .*disk=lab Kisk label 1$' "the attack without the monitor"
