#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The switch domain panics, hangs, and its Open vSwitch hangs: each time the next one takes over, and two guests go on by themselves.
# timeout: 2400
# long
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/channel-guests "$overlay" || fail "no guests"
in_dom0 'sh /net/crash.sh' --overlay "$overlay" --timeout 2300
for what in 'BACK after its panic' 'BACK after its Open vSwitch hung' 'BACK after it hung'; do
	expect "^$what\$" "$what"
done
expect '^STREAM in one TCP connection: ' "one connection over all of it"
