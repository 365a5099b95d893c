#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# UEFI, Debian's GRUB, monitor, Xen and dom0, which finds ACPI, knows its memory, and isolates a guest. The firmware's event
# log, as the monitor has it, leads to what the TPM holds.
# timeout: 420
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

out=build/test/$run_name
ram=/dev/shm/nethervisor-$run_name.$$
lab=
trap '[ -z "$lab" ] || kill "$lab" 2>/dev/null; rm -f "$ram"' EXIT
mkdir -p "$out" || exit 1

# The machine stays until its memory has been read: the monitor wipes its own at the end.
lab_run "$run_name" --boot uefi --packed --tpm tis --ram "$ram" --timeout 400 --exec '
	netherctl log; netherctl stat | head -n 20
	xl info | grep -E "^(nr_cpus|total_memory|virt_caps)"; nproc
	dmesg | grep ACPI; xl dmesg | grep -E "Bootloader:|Command line:|RAM map:|\((usable|reserved|ACPI data|ACPI NVS)\)|ACPI: RSDP"
	guest-up /guests/pvh.cfg 300 || exit 1
	netherctl guests; netherctl launch "$(xl domid pvh)"
	guest-destroy-all || exit 1
	tpm2_pcrread sha256:0,1,2,3,4,5,6,7,8,9
	echo "all is done"; sleep 300' >"$out/dom0" &
lab=$!
until grep -q '^all is done' "$out/dom0"; do
	kill -0 $lab 2>/dev/null || fail "dom0 did not get there: logs in build/lab/runs/$run_name"
	sleep 0.3
done
output=$(cat "$out/dom0")
mib=$(sed -En 's/.* ([0-9]+) MiB for the monitor at .*/\1/p' "$out/dom0")
start=$(sed -En 's/.* MiB for the monitor at ([0-9a-f]+),.*/\1/p' "$out/dom0")
tests/emu/event-log "$ram" "$start" "$mib" >"$out/events" || fail "no event log"
kill $lab
wait $lab
lab=

expect "^nethervisor: the firmware's event log has [0-9]+ bytes" "the monitor's word of the log"
expect '^nr_cpus +: 1$' "Xen's count of CPUs"
expect '^1$' "dom0's count of CPUs"
expect '^virt_caps +: pv hvm ' "Xen's capabilities"
expect '^\(XEN\) Bootloader: GRUB 2' "the boot loader"
expect '^\(XEN\) Xen-e820 RAM map:' "where Xen has its memory map from"
expect '^\(XEN\) ACPI: RSDP 000F0000' "Xen's ACPI"
expect 'ACPI: RSDP 0x00000000000F0000' "dom0's ACPI"
expect '^LAB-GUEST up ' "the guest's own report"
expect '^launch digest \(SHA-256\) [0-9a-f]{64}$' "the guest was isolated"
if printf '%s\n' "$output" | grep -E 'Unable to locate RSDP|^\(XEN\) Command line:.*(no-real-mode|acpi=|edd=)'; then
	fail "Xen or dom0 does not boot as with a BIOS"
fi
block=$(printf '%016x, %016x' $((0x$start)) $((0x$start + (mib << 20) - 1)))
expect "^\\(XEN\\)  \\[$block\\] \\(reserved\\)" "the monitor's block in Xen's map"
expect '^\(XEN\)  \[0000000000000000, 000000000009[0-9a-f]fff\] \(usable\)' "memory below 640 KiB"
expect '^\(XEN\)  \[00000000000f0000, 00000000000fffff\] \(reserved\)' "what stands for a BIOS's ROM"
expect '^\(XEN\)  \[[0-9a-f]{16}, [0-9a-f]{16}\] \(ACPI data\)' "ACPI's tables in Xen's map"
# OVMF keeps less than 16 MiB.
total=$(sed -En 's/^total_memory +: //p' "$out/dom0")
lost=$((3072 - mib - total))
if [ $lost -lt 0 ] || [ $lost -gt 16 ]; then
	fail "Xen has $total MiB of 3072, the monitor $mib"
fi

# The last events are ExitBootServices' own: UEFI has them in its final events' table only.
grep -q '^5 80000007 .* Exit Boot Services Returned with Success$' "$out/events" || fail "the log's end is missing"
sed -En 's/^ +([0-9]) *: 0x([0-9A-F]{64})$/\1 = \2/p' "$out/dom0" | tr A-F a-f >"$out/pcrs"
grep ' = ' "$out/events" >"$out/replayed"
[ "$(wc -l <"$out/pcrs")" = 10 ] || fail "not ten PCRs were read"
cmp "$out/pcrs" "$out/replayed" || fail "the log does not lead to what the TPM holds"
