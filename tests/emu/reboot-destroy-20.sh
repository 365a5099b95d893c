#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Guests that come and go, 20 times: neither Xen nor the monitor keeps anything of them.
# timeout: 1500
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

in_dom0 "$(cat <<'END'
free() { xl info free_memory; }
# The monitor's records of guests; "-" without a monitor.
records() {
	if [ -x /usr/bin/netherctl ]; then
		netherctl stat --json | tr '{' '\n' | grep -c '^"id"'
	else
		echo -
	fi
}
one() { # CFG [COUNT [KEY]]: a round
	cfg=/guests/$1.cfg
	shift
	guest-up "$cfg" 300 "$@" || return 1
	during=$(records) # must grow, or comparing it later would prove nothing
	guest-destroy-all && { [ "$during" = - ] || [ "$during" -gt "$(records)" ]; }
}
# What dom0 and Xen allocate once; and an HVM guest that resets itself through its devices.
one pvh-tiny && one hvm-reboot 2 || exit 1
echo "start: free $(free) records $(records)"
round=0
while [ $round -lt 20 ]; do
	round=$((round + 1))
	if [ $((round % 2)) = 0 ]; then
		one pvh-tiny 2 r # destroyed in its second life
	else
		one pvh-tiny
	fi >/tmp/round 2>&1 || { echo "round $round:"; cat /tmp/round; dmesg | tail -n 20; exit 1; }
	echo "round $round: free $(free) records $(records)"
done
one hvm-tiny || exit 1
echo "end: free $(free) records $(records)"
END
)" --timeout 1400

# field start|end N: 3 is Xen's free memory in MiB, 5 the monitor's records
field() { printf '%s\n' "$output" | awk -v w="$1:" -v n="$2" '$1 == w { print $n }'; }
[ "$(printf '%s\n' "$output" | grep -c '^round')" = 20 ] || fail "not 20 rounds"
[ "$(field start 5)" = "$(field end 5)" ] || fail "the monitor's guest records grew"
lost=$(($(field start 3) - $(field end 3)))
[ "$lost" -le 1 ] || fail "Xen has lost $lost MiB in 20 rounds"
