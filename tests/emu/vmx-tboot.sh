#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On VMX: GRUB starts tboot, which finds no TXT, falls through to the monitor, and dom0 comes up.
# timeout: 900
# shellcheck disable=SC2034 # lib.sh reads hw
# shellcheck disable=SC2154 # lib.sh sets run_name
hw=vmx
. "$(dirname "$0")/lib.sh"

in_dom0 'xl dmesg | grep Bootloader:; netherctl log | grep tboot:' --boot tboot --cpus 1 --timeout 840
expect 'tboot: it started the monitor, but without a TXT launch' "what the monitor says of tboot"
log=build/lab/runs/$run_name/xen.log
grep -qa '^TBOOT: no SINIT AC module found' "$log" || fail "tboot did not look for TXT"
sed '/^nethervisor: version/q' "$log" | grep -qa '^TBOOT: transfering control to kernel' ||
	fail "tboot did not start the monitor"
