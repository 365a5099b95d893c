#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The machine is switched off while a guest has its encrypted disk open. Its counter in the TPM stands for its owner's consent
# when the disk is opened again, and not for that to the files as they were before (R26).
# timeout: 600
# shellcheck disable=SC2154,SC2034 # lib.sh sets test_name
. "$(dirname "$0")/lib.sh"

work=build/test/emu-$test_name
rm -rf "$work"
mkdir -p "$work/root/enc"
tests/lab/lab images || fail "no test guests"
build/nether-image key new "$work/root/enc/key" || fail "nether-image key"
build/nether-image encrypt --quiet --key "$work/root/enc/key" --receipt-out "$work/root/enc/receipt" \
	build/lab/guests/tiny.img "$work/data" "$work/sidecar" || fail "nether-image encrypt"
sed -e "s#^disk = .*#disk = [ '/dev/vda,raw,hda,rw,backendtype=qdisk' ]#" tests/lab/guests/hvm-tiny.cfg >"$work/root/enc/hvm-tiny.cfg"
echo '--disk hda=/dev/vda,/dev/vdb,key=/enc/key,receipt=/enc/receipt' >"$work/root/enc/hvm-tiny.disks"

# boot NAME: the guest comes up, or not; the machine ends at once. The receipt is always the one of the day when the image was made.
boot() {
	run_name=emu-$test_name-$1
	in_dom0 'depmod; modprobe virtio_pci; modprobe virtio_blk
		until [ -b /dev/vdb ]; do usleep 20000; done
		guest-up /enc/hvm-tiny.cfg 250 || cat /var/log/xen/netherd-hvm-tiny.log
		netherctl disks; netherctl log | grep -i "tpm\|disk"
		sync' --overlay "$work/root" --dev-keys --tpm tis --tpm-state "$work/tpm" \
		--disk "$work/data" --disk "$work/sidecar" --timeout 400
}

boot first
expect '^LAB-GUEST up' "the guest with the owner's receipt"
cp --sparse=always "$work/data" "$work/data.old"
cp --sparse=always "$work/sidecar" "$work/sidecar.old"
boot again
expect '^LAB-GUEST up' "the guest after the machine was switched off"
mv "$work/sidecar" "$work/sidecar.new"
cp --sparse=always "$work/sidecar.old" "$work/sidecar"
boot old
expect 'newer than the receipt, or not closed' "what netherd says of an old sidecar"
if printf '%s\n' "$output" | grep -q '^LAB-GUEST up'; then
	fail "an old state of the disk was taken"
fi
mv "$work/sidecar.new" "$work/sidecar"
boot newest
expect '^LAB-GUEST up' "the guest with the newest"
