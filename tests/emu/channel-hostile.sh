#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The driver in a protected guest, whose peers keep none of the ring's rules, do not let their hearts beat, and are honest at last.
# timeout: 1500
# long
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/uplink-guests "$overlay" || fail "no guests"
in_dom0 'sh /net/hostile.sh' --overlay "$overlay" --timeout 1400
for what in "CLOSED for a hostile switch's violations" 'COUNTED each kind of violation' "CLOSED for a hostile offerer's violations" \
	'STALLED, and without a carrier' 'BACK with an honest switch'; do
	expect "^$what\$" "$what"
done
