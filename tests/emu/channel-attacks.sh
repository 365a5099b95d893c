#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Attacks from dom0 and from a third guest on a channel of two protected guests: tests/attack/channel/dom0.sh. What dom0 may read and
# write if a guest offers it to the host is the control.
# timeout: 1500
# shellcheck disable=SC2154 # lib.sh sets output, overlay, seed
. "$(dirname "$0")/lib.sh"

small_guests build/attack/channel-host tests/attack/channel/dom0.sh
in_dom0 "sh /attack/dom0.sh $seed" --overlay "$overlay" --cpus 3 --timeout 1400

while IFS= read -r line; do
	expect "^$line\$" "${line%%:*}"
done <<'END'
CONTROL not-accepted: seen zeros
ATTACK accept-unmapped: accept: -1
CONTROL accept: accept: 0
CONTROL read: seen marker
CONTROL old-mapping: seen marker
CONTROL search: pages [0-9]+ marked 16
CONTROL save: words [1-9][0-9]+ marked [1-9][0-9]*, ann: seen marker
CONTROL write: written, ann: seen marker other
CONTROL close: close: 0, ann: seen zeros
ATTACK pending: refused 2
ATTACK accept: refused 2
ATTACK guess: *
ATTACK other-offerer: refused 1
ATTACK host-accept: accept: -2, page: -2
CONTROL pending: its own
CONTROL accepted: *
CONTROL shared: seen marker
ATTACK accept-twice: refused 2, refused 2
ATTACK third-close: refused 2
ATTACK host-close: close: -2, accept: -2, ben: seen marker
ATTACK read: seen zeros
ATTACK aperture-read: refused: mapping: Invalid argument
ATTACK search: marked 0 marked 0 marked 0 *
ATTACK save: words [1-9][0-9]+ marked 0, words [1-9][0-9]+ marked 0, ann: seen marker, ben: seen marker
ATTACK mapped-before-start: seen zeros
ATTACK mapped-before-offer: seen zeros
ATTACK offer-nothing: refused 1
ATTACK offer-device: refused 1
ATTACK offer-shared: refused 1
ATTACK offer-accepted: refused 1
ATTACK offer-twice: refused 10, refused 10
ATTACK guess-place: its console ended
ATTACK guess-place-end: L1 has taken a page away.*
ATTACK own-tables: eve: over, ann: seen marker, ben: seen marker
ATTACK offerer-closes: ben: seen zeros marker, then seen zeros; ann: seen private; dom0: seen other
ATTACK acceptor-closes: ann: seen zeros marker, then seen zeros; eve: refused 2; dom0: seen zeros
ATTACK again: ben: seen zeros
ATTACK acceptor-destroyed: ann: seen zeros marker, then seen zeros
ATTACK successor: ben: seen zeros
ATTACK offerer-destroyed: ben: seen zeros marker, then seen zeros; dom0: seen zeros
ATTACK balloon: done, ben: seen zeros marker, then seen zeros; ann: L1 has taken a page away .*; dom0: seen (zeros|other|zeros other)
ATTACK populate: done, ben: seen zeros marker, then seen zeros; ann: L1 .*; dom0: seen (zeros|other|zeros other)
ATTACK unmap: done, ben: seen zeros marker, then seen zeros; ann: L1 has taken a page away .*; dom0: seen (zeros|other|zeros other)
ATTACK exchange: done, ben: seen zeros marker, then seen zeros; ann: L1 .*; dom0: seen (zeros|other|zeros other)
ATTACK write: written, ben: seen zeros marker, then seen zeros; ann: L1 wrote to its memory
END

# 16,384 frames, and no exits but those of time, and of what the guests then say on their consoles.
expect '^FRAMES frames 0*4000 bad 0*$' "frames between ann and ben"
for guest in ann ben; do
	others=$(printf '%s\n' "$output" | sed -n "s/^EXITS $guest://p" | tr ',' '\n' |
		awk '!/external interrupt|interrupt window|NMI/ { n += $NF } END { print n + 0 }')
	if [ "$others" -lt 1 ] || [ "$others" -gt 40 ]; then
		fail "$guest had $others exits"
	fi
done
