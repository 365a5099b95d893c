#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two protected guests send each other a marker through a switch domain. Dom0 has no interface for it to pass, and does not find it in its
# memory or in what it can map of the three; it does when a guest gives it to dom0.
# long
# timeout: 2400
# shellcheck disable=SC2154 # lib.sh sets run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/channel-guests "$overlay" || fail "no guests"
mkdir -p "$overlay/attack"
cp build/attack/disk-search tests/attack/channel/capture.sh "$overlay/attack" || fail "not built"
# Dom0 has the marker's complement in two ways: by digits for the guests, by bits for the search.
marker=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
printf %s "$marker" | python3 -c 'import sys
sys.stdout.buffer.write(bytes(b ^ 0xff for b in sys.stdin.buffer.read()))' >"$overlay/attack/markers"
in_dom0 "sh /attack/capture.sh $(echo "$marker" | tr 0123456789abcdef fedcba9876543210)" --overlay "$overlay" --timeout 2300

expect "^dom0's interfaces: lo\$" "an interface of dom0's"
expect '^db: still receiving$' "the marker on its way while dom0 looked"
expect '^SEARCH ram: [0-9]+ KiB, 0, control found$' "dom0's memory"
expect '^SEARCH pid=[0-9]+: [0-9]+ KiB, 0, control found$' "xenconsoled's"
[ "$(printf '%s\n' "$output" | grep -Ec '^SEARCH domain=[0-9]+: [0-9]{6} KiB, 0$')" = 3 ] || fail "searches of the guests' memory"
expect '^GIVEN ram: [0-9]+ KiB, [1-9][0-9]*, control found$' "dom0's memory, when it was given it"
expect '^GIVEN domain=[0-9]+: [0-9]{6} KiB, [1-9][0-9]*$' "the page that web shares with dom0"
