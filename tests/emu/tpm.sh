#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# With a TPM, by each of its two interfaces: what the monitor hands over as the event log leads to what the TPM holds, the
# firmware's part of it, too; the hash of L1's kernel is in it; dom0's driver has the TPM, and locality 0 only.
# timeout: 400
# shellcheck disable=SC2154 # lib.sh sets output
. "$(dirname "$0")/lib.sh"

xen=$(sha256sum build/lab/xen | cut -c 1-64)
kernel=$(sha256sum build/lab/vmlinux-dom0 | cut -c 1-64)
for interface in tis crb; do
	in_dom0 "xen=$xen kernel=$kernel
$(cat <<'END'
cd /tmp
netherctl eventlog log || exit 1
tpm2_eventlog log >events 2>complaints
echo "status $?, complaints: $(wc -c <complaints)"
cat complaints
# "bank PCR value" of all that the log leads to, and of the same in the TPM
list() { sed 's/:/ : /' | awk '/sha/ { bank = $1 } / 0x/ { print bank, $1, tolower($NF) }'; }
sed '1,/^pcrs:/d' events | list >computed
tpm2_pcrread sha256:0,1,2,3,4,5,6,7,11,12+sha384:0,1,2,3,4,5,6,7,11,12 | list >held
sed 's/^/computed /' computed
cmp computed held && echo "the same"
od -An -v -tx1 log | tr -d ' \n' >hex
grep -q "$xen" hex && echo "Xen's hash"
grep -q "$kernel" hex && echo "dom0's kernel's hash"
grep -A 1000 "PCRIndex: 11" events | grep -c "EventType: EV_EVENT_TAG"
netherctl log | grep TPM
ls /sys/class/tpm
# /dev/mem shows no registers that a driver has
for driver in /sys/bus/*/drivers/tpm_*; do
	[ ! -e "$driver/MSFT0101:00" ] || echo MSFT0101:00 >"$driver/unbind"
done
echo "locality 0: $(busybox devmem 0xfed40000 32)"
for n in 1 2 3 4; do busybox devmem 0xfed4${n}000 32 && echo "reads locality $n"; done
netherctl log | grep 'access to'
END
)" --tpm $interface --timeout 180
	expect '^status 0, complaints: 0$' "tpm2_eventlog takes the log"
	expect '^the same$' "the log leads to the PCRs"
	[ "$(printf '%s\n' "$output" | grep -Ec '^computed sha(256|384) [0-9]+ 0x[0-9a-f]{64,96}$')" = 20 ] || fail "20 PCRs"
	expect "^Xen's hash\$" "L1's kernel"
	expect "^dom0's kernel's hash\$" "the first module"
	expect '^13$' "4 events, 3 modules, their command lines, the keys, and two ends"
	expect '^nethervisor: TPM: measured into PCRs 11 and 12' "the monitor's word"
	expect '^tpm0$' "dom0's driver"
	expect '^locality 0: 0x' "dom0 reaches locality 0"
	printf '%s\n' "$output" | grep -q 'reads locality' && fail "dom0 reaches a locality above 0"
	for n in 1 2 3 4; do
		expect "access to fed4${n}000" "the monitor refuses locality $n"
	done
done
