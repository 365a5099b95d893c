#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: many.sh SEED: as many channels at once as a guest can offer, and as many guests at once as there are in a small network, each with a
# channel to one guest, sw, in the place of a switch. All guests are small (guest/peer.c) and use the same addresses of theirs; what is in a
# channel has a mark of its own, so that each look says whose pages these are. Ends at the first thing that is not as it should be.
# shellcheck disable=SC1091 # the lab's
# shellcheck disable=SC2034,SC2154 # what peers.sh and eval have
seed=$1
. peers.sh
guests=16
seldom=pause=1c9c380 # 300 ms: so many guests that look more often keep an emulator busy; sw: 100 ms
often=pause=989680

gfn() { printf %x $((0x800 + $1 * 0x10)); }
slot() { printf %x $((0x8000000000 + $1 * 0x200000)); }
mark() { printf 'marks %016x' $((1 << $1)); }

# fills NAME GPA MARK
fills() {
	must_say "$1" "fill $2 $pages $(printf %x "$3")" ""
}

# shows NAME GPA MARK: all of its pages have that, and nothing else
shows() {
	must_say "$1" "whose $2 $pages" "$(mark "$3")"
}

shows_zeros() { # NAME GPA
	must_say "$1" "whose $2 $pages" "marks 0000000000000000 zeros"
}

accepts() { # ID IDENTITY SLOT
	must_say sw "accept $1 1 $2 $(slot "$3")" ""
}

# opened NAME: how many it has with sw
opened() {
	netherctl channels | grep -c ": open, guest $(cat "/tmp/$1.id") to guest $(cat /tmp/sw.id); 16 pages, accepted 1 times"
}

# What must not grow: Xen's free memory in MiB, the monitor's records of guests, channels.
left() {
	echo "$1: free $(xl info free_memory) records $(netherctl stat --json | tr '{' '\n' | grep -c '^"id"') channels $(netherctl channels | wc -l)"
}

echo "--- one guest, eight channels"
start sw 0 $often
start ann 0 $often
sw=$(digest_of sw) ann=$(digest_of ann)
for i in 0 1 2 3 4 5 6 7; do
	offers ann "$(gfn $i)" 1 "$sw"
	eval "id$i=$last"
	accepts "$last" "$ann" $i
	shows_zeros sw "$(slot $i)"
done
fills ann "$(gfn 8)000" 8
must_say ann "offer $(gfn 8) $pages 1 $sw" "refused c"
shows ann "$(gfn 8)000" 8 # still private, and as it was
for i in 0 1 2 3 4 5 6 7; do
	fills ann "$(gfn $i)000" $i
done
for i in 0 1 2 3 4 5 6 7; do
	shows sw "$(slot $i)" $i
	fills sw "$(slot $i)" $((0x10 + i))
done
for i in 0 1 2 3 4 5 6 7; do
	shows ann "$(gfn $i)000" $((0x10 + i))
done
echo "EIGHT $(opened ann) open, the ninth offer refused"

must_say ann "close $id3" ""
shows_zeros sw "$(slot 3)"
shows_zeros ann "$(gfn 3)000"
must_say sw "close $id3" ""
offers ann "$(gfn 8)" 1 "$sw"
must_say ann "offer $(gfn 3) $pages 1 $sw" "refused c"
accepts "$last" "$ann" 3
shows_zeros sw "$(slot 3)"
fills ann "$(gfn 8)000" 8
for i in 0 1 2 4 5 6 7; do
	shows sw "$(slot $i)" $((0x10 + i))
done
shows sw "$(slot 3)" 8
echo "NINTH $(opened ann) open, after one was closed"
guest-destroy-all

left start
echo "--- $guests guests, a channel each"
start sw 0 $often
sw=$(digest_of sw)
all=$(seq $guests)
for i in $all; do
	start p"$i" 0 $seldom
	offers p"$i" 800 1 "$sw"
	eval "id$i=$last digest$i=$(digest_of p"$i")"
done
after=0
for i in $all; do
	eval "id=\$id$i digest=\$digest$i other=\$digest$((i % guests + 1))"
	after=$(says sw "pending $after")
	after=$(printf %x "0x${after#id }")
	[ "$after" = "$id" ] || die "the offer of p$i is not what is pending: $after, not $id"
	must_say sw "accept $id 1 $other $(slot "$i")" "refused 1"
	accepts "$id" "$digest" "$i"
done
for i in $all; do
	fills p"$i" 800000 "$i"
done
for i in $all; do
	shows sw "$(slot "$i")" "$i"
	fills sw "$(slot "$i")" $((0x10 + i))
done
n=0
for i in $all; do
	shows p"$i" 800000 $((0x10 + i))
	n=$((n + $(opened p"$i")))
done
netherctl channels
echo "MANY $n open of $(netherctl channels | wc -l), $guests guests have their own"

echo "--- one ends"
ended=$((guests / 2 + 1))
end p$ended
gone p$ended
n=0
for i in $all; do
	eval "id=\$id$i"
	if [ "$i" = $ended ]; then
		must_say sw "status $id" "state and reason 0000000000000034" # left, its guest is over
		shows_zeros sw "$(slot "$i")"
	else
		must_say sw "status $id" "state and reason 0000000000000020"
		shows sw "$(slot "$i")" $((0x10 + i))
		fills p"$i" 800000 $((0x20 + i))
		shows sw "$(slot "$i")" $((0x20 + i))
		n=$((n + $(opened p"$i")))
	fi
done
echo "ONE LESS $n open of $(netherctl channels | wc -l)"

echo "--- it comes back"
eval "must_say sw \"close \$id$ended\" ''"
start p$ended 0 $seldom
offers p$ended 800 1 "$sw"
eval "accepts $last \$digest$ended $ended"
shows_zeros sw "$(slot $ended)"
fills p$ended 800000 $((0x20 + ended))
for i in $all; do
	shows sw "$(slot "$i")" $((0x20 + i))
done
echo "BACK $(opened p$ended) of $(netherctl channels | wc -l)"
guest-destroy-all
left end
