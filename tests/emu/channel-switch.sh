#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two protected guests and a switch domain between them, whose flows say what may pass; a third guest gets nothing. The switch
# dies, is started anew, and is replaced; the guests stay as they are.
# timeout: 2400
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/channel-guests "$overlay" || fail "no guests"
in_dom0 'sh /net/switch.sh' --overlay "$overlay" --timeout 2300
for what in 'ALLOWED ping' 'REFUSED ping by web' 'REFUSED port 81' "REFUSED another's address" 'REFUSED eve' \
	'BACK after its end' 'BACK after its replacement'; do
	expect "^$what\$" "$what"
done
expect '^db: hello from 80$' "the port that may be reached"
