#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a tenant sees of a host that was changed by one bit before it was booted: exactly the rows of what was changed.
# long
# timeout: 900
# shellcheck disable=SC2154 # lib.sh sets run_name
. "$(dirname "$0")/lib.sh"
. tests/lab/tenant.sh

trap host_stop EXIT
trap 'exit 1' HUP INT TERM

# boot NAME OPTIONS..: the host, with nothing to do
boot() {
	local name=$run_name-$1

	shift
	host_start "$name" 300 'until [ -e /tmp/over ]; do usleep 500000; done' "$@" || fail "$name did not come up"
}

# tampered PART ROW..: boots the host with that part changed; these rows have to fail, no others
tampered() {
	local part=$1 status=0

	shift
	boot "$part" --tamper "$part"
	verify >"$story/$part.txt" || status=$?
	failed_rows "$story/$part.txt" >"$story/failed"
	printf '%s\n' "$@" >"$story/wanted"
	if [ $status != 1 ] || ! diff "$story/wanted" "$story/failed"; then
		cat "$story/$part.txt"
		fail "$part: status $status, and not the rows wanted (<)"
	fi
	sed "s/^/$part: refused for: /" "$story/failed"
	case $part in monitor | xen) refused "$part" ;; esac
	host_stop
}

# refused PART: it gets no keys either
refused() {
	local status=0

	release "$digest" --vm demo >"$story/$1-release.txt" 2>"$story/$1-release.says" || status=$?
	if [ $status != 1 ] || [ "$(cat "$story/$1-release.says")" != 'nether-attest: nothing is released' ]; then
		cat "$story/$1-release.txt" "$story/$1-release.says"
		fail "$1: release's status $status"
	fi
	failed_rows "$story/$1-release.txt" | diff "$story/wanted" - || fail "$1: release failed for other rows than verify (<)"
	api GET /v1/vms/demo | grep -q '"state":"defined"' || fail "$1: the host was asked to start the guest: $(api GET /v1/vms/demo)"
	echo "$1: nothing is released"
}

story_prepare "build/test/$run_name"
digest=$(printf '5a%.0s' $(seq 32))
boot trusted
story_trust "$run_name-trusted" || fail "no policy"
verify >"$story/trusted.txt" || { cat "$story/trusted.txt"; fail "the host does not verify"; }
release "$digest" --out "$story/message" || fail "nothing is released to the host as it was"
[ "$(stat -c %s "$story/message")" = 320 ] || fail "no message"
host_stop

# A PCR's list ends at the first event that differs; the monitor's events have a row each. What names the row is the policy.
config='PCR 9, event 5: (hd0)/EFI/debian/grub.cfg'
# shellcheck disable=SC2016
xen=$(sed -En 's/^  - \{pcr: 8, .*what: "(grub_cmd: module2 .boot.0-xen .*)"\}$/\1/p' "$story/tenant/policy" | cut -c 1-80)
tampered monitor 'PCR 9, event 7: /boot/nethervisor-svm.elf'
tampered xen 'PCR 9, event 8: /boot/0-xen' 'L1 kernel (xen)'
tampered kernel 'PCR 9, event 9: /boot/1-vmlinux-dom0' 'module 1'
tampered initrd 'PCR 9, event 10: /boot/2-initrd' 'module 2'
tampered grub "$config"
tampered cmdline "PCR 8, event 8: ${xen% }" "$config" "L1 kernel's command line (xen)"
