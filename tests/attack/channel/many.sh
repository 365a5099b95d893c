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
seldom=pause=1c9c380 often=pause=989680 # 300 ms, 100 ms: so many guests that look more often keep an emulator busy
memory=8                                # MiB of each: to have more takes longer

gfn() { printf %x $((0x400 + $1 * 0x10)); }
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

# opened NAME: how many it has with sw, by /tmp/channels
opened() {
	grep -c ": open, guest $(cat "/tmp/$1.id") to guest $(cat /tmp/sw.id); 16 pages, accepted 1 times" /tmp/channels
}

# with_one: how many of the guests have just one, and of how many channels that there are
with_one() {
	netherctl channels >/tmp/channels
	n=0
	for i in $all; do
		[ "$(opened p"$i")" != 1 ] || n=$((n + 1))
	done
	echo "$n of $(wc -l </tmp/channels)"
}

digest() { sed -n 's/^launch digest (SHA-256) //p' "/tmp/$1.launch"; }

begins() { # NAME OPTION: one that is not there
	create "$1" 0 "$2"
	begin "$1"
}

stage() { echo "--- $* (at $(cut -d ' ' -f 1 /proc/uptime) s)"; }

# What must not grow: Xen's free memory in MiB, the monitor's records of guests, channels.
left() {
	echo "$1: free $(xl info free_memory) records $(netherctl stat --json | tr '{' '\n' | grep -c '^"id"') channels $(netherctl channels | wc -l)"
}

stage "one guest, eight channels"
begins sw $often
begins ann $often
sw=$(digest sw) ann=$(digest ann)
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
netherctl channels >/tmp/channels
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
netherctl channels >/tmp/channels
echo "NINTH $(opened ann) open, after one was closed"
guest-destroy-all

left start
stage "$guests guests, a channel each"
begins sw $often
sw=$(digest sw)
all=$(seq $guests)
for i in $all; do
	begins p"$i" $seldom
	offers p"$i" 400 1 "$sw"
	eval "id$i=$last digest$i=$(digest p"$i")"
done
after=0
for i in $all; do
	eval "id=\$id$i digest=\$digest$i other=\$digest$((i % guests + 1))"
	hears sw "pending $after"
	after=$(printf %x "0x${said#id }")
	[ "$after" = "$id" ] || die "the offer of p$i is not what is pending: $after, not $id"
	must_say sw "accept $id 1 $other $(slot "$i")" "refused 1"
	accepts "$id" "$digest" "$i"
done
for i in $all; do
	fills p"$i" 400000 "$i"
done
for i in $all; do
	shows sw "$(slot "$i")" "$i"
	fills sw "$(slot "$i")" $((0x10 + i))
done
for i in $all; do
	shows p"$i" 400000 $((0x10 + i))
done
echo "MANY guests with one channel: $(with_one)"
cat /tmp/channels

stage "one ends"
ended=$((guests / 2 + 1))
end p$ended
gone p$ended
for i in $all; do
	eval "id=\$id$i"
	if [ "$i" = $ended ]; then
		must_say sw "status $id" "state and reason 0000000000000034" # left, its guest is over
		shows_zeros sw "$(slot "$i")"
	else
		must_say sw "status $id" "state and reason 0000000000000020"
		shows sw "$(slot "$i")" $((0x10 + i))
		fills p"$i" 400000 $((0x20 + i))
		shows sw "$(slot "$i")" $((0x20 + i))
	fi
done
echo "ONE LESS guests with one channel: $(with_one)"

stage "it comes back"
eval "must_say sw \"close \$id$ended\" ''"
begins p$ended $seldom
offers p$ended 400 1 "$sw"
eval "accepts $last \$digest$ended $ended"
shows_zeros sw "$(slot $ended)"
fills p$ended 400000 $((0x20 + ended))
for i in $all; do
	shows sw "$(slot "$i")" $((0x20 + i))
done
echo "BACK guests with one channel: $(with_one)"
guest-destroy-all
left end
