#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# As emu/channel-switch; then the switch domain is replaced by the next one, while the guests' pings and stream go on.
# long
# timeout: 2400
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/channel-guests "$overlay" || fail "no guests"
in_dom0 'sh /net/switch.sh' --overlay "$overlay" --timeout 2300
for what in 'BACK after its end' 'BACK after its replacement' 'STREAM goes on after its replacement'; do
	expect "^$what\$" "$what"
done
