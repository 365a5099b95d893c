#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Many channels at once: eight of one guest, and sixteen guests with one each to the same guest (tests/attack/channel/many.sh). Nothing is mixed up, one guest's end
# is one channel's, and afterwards Xen and the monitor have what they had.
# timeout: 900
# shellcheck disable=SC2154 # lib.sh sets output, overlay, seed
. "$(dirname "$0")/lib.sh"

small_guests tests/attack/channel/many.sh
in_dom0 "sh /attack/many.sh $seed" --overlay "$overlay" --timeout 800

expect '^EIGHT 8 open, the ninth offer refused$' "eight channels of one guest"
expect '^NINTH 8 open, after one was closed$' "room for another"
expect '^MANY guests with one channel: 16 of 16$' "sixteen guests"
expect '^ONE LESS guests with one channel: 15 of 15$' "one guest's end"
expect '^BACK guests with one channel: 16 of 16$' "its successor"

# left start|end N: 3 is Xen's free memory in MiB, 5 the monitor's records, 7 channels
left() { printf '%s\n' "$output" | awk -v w="$1:" -v n="$2" '$1 == w { print $n }'; }
[ "$(left end 5)" = "$(left start 5)" ] || fail "the monitor's guest records grew"
[ "$(left end 7)" = 0 ] || fail "channels are left"
lost=$(($(left start 3) - $(left end 3)))
[ "$lost" -le 1 ] || fail "Xen has lost $lost MiB"
