#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two protected guests and a switch domain between them, whose flows say what may pass; a third guest gets nothing. The switch
# dies, and is started anew; the guests stay as they are.
# timeout: 2400
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/channel-guests "$overlay" || fail "no guests"
in_dom0 'sh /net/switch.sh short' --overlay "$overlay" --timeout 2300
for what in 'ALLOWED ping' 'ALLOWED the second address' 'ALLOWED port 81 by the second address' 'REFUSED ping by web' 'REFUSED port 81' \
	"REFUSED another's address" 'REFUSED eve' 'CARRIER off' 'BACK after its end' 'STREAM goes on after its end'; do
	expect "^$what\$" "$what"
done
expect '^STREAM in one TCP connection: .* s of data, .* s without, .* s of data$' "the stream before and after"
# The goal: less than a second after the next switch says that it forwards.
expect '^RESUMED: replies again ([0-9.]+ s before|0\.[0-9]+ s after) the switch' "replies by the time that the next switch is up"
for guest in web db; do
	expect "^$guest: BELLS heard: [1-9]" "bells for $guest"
done
for port in 80 81; do
	expect "^db: hello from $port\$" "port $port where it may be reached"
done
