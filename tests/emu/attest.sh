#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make run`, but for its networks (emu/channel-switch): a tenant verifies a host, uploads an image and releases its keys, once; and sees that the host was changed.
# timeout: 1800
# shellcheck disable=SC2154 # lib.sh sets output
. "$(dirname "$0")/lib.sh"
. tests/lab/tenant.sh

mkdir -p build/test
# The demo ends its host when it is told to end itself.
tests/demo --tenant >"build/test/$run_name.txt" 2>&1
status=$?
output=$(cat "build/test/$run_name.txt")
printf '%s\n' "$output"
[ $status = 0 ] || fail "the demo's status is $status"

# between FROM TO: the output from the step that begins with FROM up to that with TO
between() {
	printf '%s\n' "$output" | sed -n "/^--- $1/,/^--- $2/p"
}

rows=$(between "he verifies" "he uploads" | grep -Ec '^[^ ].*  ok      ')
[ "$rows" -ge 40 ] || fail "only $rows rows are ok"
if between "he verifies" "he uploads" | grep FAILED; then
	fail "a row of the trusted host failed"
fi
for row in 'activation' 'quote.s signature' 'event log leads to the quote' 'PCR 8' 'PCR 9' 'PCR 11' 'L1 kernel \(xen\)' \
	'module 2' "evidence's signature"; do
	between "he verifies" "he uploads" | grep -Eq "^$row +ok " || fail "no row $row"
done
between "he releases" "the tenant sees" | grep -Eq '^LAB-GUEST up .*disk=lab disk label 1' || fail "the guest has not read its disk"
between "dom0 attacks the guest" "the tenant sees" >"build/test/$run_name.attacked"
withstood "build/test/$run_name.attacked" || fail "dom0's attacks on the guest"
between "dom0 starts the guest again" "the same host" | grep -Eq '^netherd: hda: .*or was used already' || fail "keys were released twice"
between "the same host" "all as it should" >"build/test/$run_name.changed"
failed_rows "build/test/$run_name.changed" >"build/test/$run_name.failed"
between "the same host" "all as it should" | grep -qx 'nether-attest: nothing is released' || fail "release to a changed host"
diff - "build/test/$run_name.failed" <<'END' || fail "other rows of the changed host failed than the command line's"
PCR 8, event 8: grub_cmd: module2 /boot/0-xen placeholder com1=115200,8n1 console=com1 dom0_mem=
PCR 9, event 5: (hd0)/EFI/debian/grub.cfg
L1 kernel's command line (xen)
END
