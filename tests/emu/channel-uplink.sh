#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A protected guest reaches dom0 through a switch domain and its uplink, and dom0 the guest, as far as flows let them; dom0's nether-port is
# killed, the switch ends, and it goes on; a guest that breaks the ring's rules is cut off, and the evidence says so.
# timeout: 1500
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/uplink-guests "$overlay" || fail "no guests"
in_dom0 'sh /net/uplink.sh' --overlay "$overlay" --timeout 1400
for what in 'PASSED ping and TCP in both directions' 'REFUSED by flows' 'REFUSED a second program, and another domain' \
	'BACK after nether-port was killed' 'BACK with another switch' 'CUT OFF for violations' 'BACK with another channel' \
	'ENDED with the guest'; do
	expect "^$what\$" "$what"
done
