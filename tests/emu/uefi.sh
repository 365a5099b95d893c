#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# UEFI, Debian's GRUB, monitor, Xen and dom0, which finds ACPI, knows its memory, and isolates a guest. The event log, with the
# firmware's and GRUB's part, leads to what the TPM holds, and is what attest/release-hashes foretold.
# timeout: 420
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

out=build/test/$run_name
mkdir -p "$out" || exit 1
in_dom0 'netherctl log; netherctl stat
	xl info | grep -E "^(nr_cpus|total_memory|virt_caps)"; nproc
	dmesg | grep ACPI; xl dmesg | grep -E "Bootloader:|Command line:|RAM map:|\((usable|reserved|ACPI data|ACPI NVS)\)|ACPI: RSDP"
	guest-up /guests/pvh.cfg 300 || exit 1
	netherctl guests; netherctl launch "$(xl domid pvh)"
	guest-destroy-all || exit 1
	netherctl eventlog /tmp/log || exit 1
	tpm2_eventlog /tmp/log >/tmp/events 2>/tmp/complaints
	echo "eventlog: status $?, complaints: $(wc -c </tmp/complaints)"
	cat /tmp/complaints
	# "bank PCR value" of all that the log leads to, and of the same in the TPM
	list() { sed "s/:/ : /" | tr A-F a-f | awk "/sha/ { bank = \$1 } / 0x/ { sub(/0x/, \"\", \$NF); print \"$1\", bank, \$1, \$NF }"; }
	sed "1,/^pcrs:/d" /tmp/events | list computed
	tpm2_pcrread sha256:0,1,2,3,4,5,6,7,8,9,11,12+sha384:0,1,2,3,4,5,6,7,8,9,11,12 | list held
	base64 /tmp/log | sed "s/^/log /"' --boot uefi --packed --keep-esp --tpm tis --timeout 300
printf '%s\n' "$output" | sed -n 's/^log //p' | base64 -d >"$out/log"
tests/emu/event-log "$out/log" >"$out/events" || fail "the event log"
mib=$(printf '%s\n' "$output" | sed -En 's/.* ([0-9]+) MiB for the monitor at .*/\1/p')
start=$(printf '%s\n' "$output" | sed -En 's/.* MiB for the monitor at ([0-9a-f]+),.*/\1/p')

expect "^nethervisor: the firmware's event log: taken" "the monitor's word of the log"
expect '^open to the host: memory, after a reset from outside$' "netherctl's word of memory: OVMF does not wipe it"
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
total=$(printf '%s\n' "$output" | sed -En 's/^total_memory +: //p')
lost=$((3072 - mib - total))
if [ $lost -lt 0 ] || [ $lost -gt 16 ]; then
	fail "Xen has $total MiB of 3072, the monitor $mib"
fi

# ExitBootServices' own events are in UEFI's final events' table only; GRUB's and the monitor's must be there, too.
grep -q '^5 80000007 .* Exit Boot Services Returned with Success$' "$out/events" || fail "the firmware's log ends too early"
for what in computed held; do
	printf '%s\n' "$output" | sed -n "s/^$what //p" >"$out/$what"
done
expect '^eventlog: status 0, complaints: 0$' "tpm2_eventlog takes the log"
[ "$(grep -Ec '^sha(256 [0-9]+ [0-9a-f]{64}|384 [0-9]+ [0-9a-f]{96})$' "$out/held")" = 24 ] || fail "not twelve PCRs were read, of two banks"
cmp "$out/computed" "$out/held" || fail "the log does not lead to what the TPM holds"

# All of GRUB's and the monitor's events, in their order; but the platform's, the monitor's fourth, is this machine's.
awk '$1 == 8 || $1 == 9 || $1 == 4 && $2 == "80000003" || $1 == 11 && ++n != 4 { print $1, $3 }' "$out/events" >"$out/measured"
sed -En 's/^  - \{pcr: ([0-9]+), sha256: ([0-9a-f]{64}), .*/\1 \2/p' "build/lab/runs/$run_name/foretold.yaml" >"$out/foretold"
for pcr in 4 8 9 11; do
	grep -q "^$pcr " "$out/foretold" || fail "nothing is foretold of PCR $pcr"
done
cmp "$out/foretold" "$out/measured" || fail "something else was measured than foretold"

# And with this machine's platform the values that the TPM has, computed of the disk that it was booted from.
rm -rf "$out/esp"
mkdir "$out/esp"
mcopy -sn -i "build/lab/runs/$run_name/esp.img" :: "$out/esp" || fail "mcopy"
platform=$(awk '$1 == 11 && ++n == 4 { print $3 }' "$out/events")
rm "build/lab/runs/$run_name/esp.img"
attest/release-hashes --esp "$out/esp" --root hd0 --backend svm --version "$(sed -n 's/.*"\(.*\)".*/\1/p' build/version.h)" \
	--platform "$platform" >"$out/values.yaml" || fail "attest/release-hashes"
sed -n 's/^# PCR \([0-9]*\): /\1 /p' "$out/values.yaml" >"$out/values"
sed -En 's/^sha256 (8|9|11) /\1 /p' "$out/held" | diff "$out/values" - || fail "other values than were computed (<)"
