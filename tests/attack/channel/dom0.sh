#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: dom0.sh SEED. Attacks on a channel of two small protected guests (guest/peer.c): ann offers, ben accepts, eve is a third.
# Prints lines "CONTROL NAME: .." and "ATTACK NAME: .." with what was seen, and ends with status 0 if all could be tried;
# tests/emu/channel-attacks.sh judges.
# shellcheck disable=SC1091 # the lab's
seed=$1
. peers.sh
nobody=0000000000000000000000000000000000000000000000000000000000000000
slot=8000000000 next=8000200000 # where ben has it
gfn=800 at=800000               # where ann has it
last=0                          # id of her last one

control() { echo "CONTROL $*"; }
attack() { echo "ATTACK $*"; }

host() { /attack/channel-host "$seed" "$@" 2>&1; }
saved() { /attack/channel-host "$seed" save "$(domid "$1")" 2>/dev/null; } # libxc tells much there
as_host() { host "$1" "$(domid ann)" $gfn "$last"; } # accept, close, page

# --- guests ----------------------------------------------------------------------------------------------

tell() { # NAME COMMAND: its answer is for later
	echo "$2" >"$(cat "/tmp/$1.tty")"
}

seen() { # NAME GPA [PAGES]
	says "$1" "look $2 ${3:-$pages}"
}

# Why the monitor has stopped the guest; waits for it.
stopped() { # NAME
	for _ in $(seq 100); do
		why=$(netherctl log | sed -n "s/.*guest $(cat "/tmp/$1.id") stopped: //p")
		[ -z "$why" ] || break
		usleep 100000
	done
	echo "${why:-runs on}"
	gone "$1"
}

# --- channels --------------------------------------------------------------------------------------------

offer() { # PEER IDENTITY: ann's
	offers ann $gfn "$1" "$2"
}

# A channel of ann's and ben's, with the marker in all pages.
pair() {
	start ann 1
	start ben 2
	offer 1 "$ben"
	must_say ben "accept $last 1 $ann $slot" ""
	must_say ann "fill $at $pages 0" ""
	must_say ben "look $slot $pages" "seen marker"
}

watch() { # NAME GPA
	must_say "$1" "watch $2 $pages" ""
}

watched() { # NAME: what it has seen since
	says "$1" stop | sed 's/.*seen/seen/'
}

# holds FILE GUEST GFN PAGES: a mapping of dom0's; held FILE: what it shows now
holds() {
	host hold "$(domid "$2")" "$3" "$4" "/tmp/$1.held" >"/tmp/$1.out" &
	echo $! >"/tmp/$1.pid"
	until [ -e "/tmp/$1.held" ]; do
		[ -d "/proc/$(cat "/tmp/$1.pid")" ] || break
		usleep 10000
	done
}

held() {
	rm -f "/tmp/$1.held"
	wait "$(cat "/tmp/$1.pid")"
	cat "/tmp/$1.out"
}

# --- what dom0 can do if a guest lets it ---------------------------------------------------------------

echo "--- three guests"
create ann 1
holds early ann $gfn 16
begin ann
start ben 2
start eve 0
ann=$(digest_of ann) ben=$(digest_of ben) eve=$(digest_of eve)

echo "--- a channel for the host"
offer 3 $nobody
control "not-accepted: $(host read "$(domid ann)" $gfn 16)"
holds host ann $gfn 16
attack "accept-unmapped: $(host accept 0 0 "$last")"
control "accept: $(as_host accept)"
must_say ann "fill $at $pages 0" ""
control "read: $(host read "$(domid ann)" $gfn 16)"
control "old-mapping: $(held host)"
control "search: $(host search "$(domid ann)")"
control "save: $(saved ann), ann: $(seen ann $at)"
control "write: $(host write "$(domid ann)" $gfn), ann: $(seen ann $at)"
control "close: $(as_host close), ann: $(seen ann $at)"
must_say ann "close $last" ""

echo "--- an offer to ben"
holds offered ann $gfn 16
offer 1 "$ben"
attack "pending: $(says eve 'pending 0')"
attack "accept: $(says eve "accept $last 1 $ann $slot")"
guessed=""
for id in 0 1 2 3 4 ffffffffffffffff; do
	guessed="$guessed $(says eve "accept $id 1 $ann $slot")"
done
attack "guess:$(echo "$guessed" | sed 's/refused 2//g')"
attack "other-offerer: $(says ben "accept $last 1 $eve $slot")"
attack "host-accept: $(as_host accept), $(as_host page)"
control "pending: $(says ben 'pending 0' | sed 's/id 0*/id /' | sed "s/id $last\$/its own/")"
control "accepted: $(says ben "accept $last 1 $ann $slot")"
must_say ann "fill $at $pages 0" ""
control "shared: $(seen ben $slot)"

echo "--- while it is open"
attack "accept-twice: $(says ben "accept $last 1 $ann $next"), $(says eve "accept $last 1 $ann $slot")"
attack "third-close: $(says eve "close $last")"
attack "host-close: $(as_host close), $(as_host accept), ben: $(seen ben $slot)"
attack "read: $(host read "$(domid ann)" $gfn 16)"
attack "aperture-read: $(host read "$(domid ben)" 8000000 16)"
attack "search: $(host search "$(domid ann)" "$(domid ben)" "$(domid eve)" | sed 's/pages [1-9][0-9]* //' | tr '\n' ' ')"
attack "save: $(saved ann), $(saved ben), ann: $(seen ann $at), ben: $(seen ben $slot)"
attack "mapped-before-start: $(held early)"
attack "mapped-before-offer: $(held offered)"
attack "offer-nothing: $(says eve "offer 2000 1 1 $ben")"
attack "offer-device: $(says eve "offer fee00 1 1 $ben")"
attack "offer-shared: $(says eve "offer feffc 1 1 $ben")"
attack "offer-accepted: $(says ben "offer 8000000 1 1 $eve")"
attack "offer-twice: $(says ann "offer $gfn 1 1 $eve"), $(says ann "offer 7ff 2 1 $eve")"
attack "guess-place: $(says eve "look $slot 1")"
attack "guess-place-end: $(stopped eve)"
start eve 0
tell eve "offer $(says eve root | sed 's/gfn //') 1 1 $ben"
attack "own-tables: eve: $(gone eve && echo over), ann: $(seen ann $at), ben: $(seen ben $slot)"
start eve 0

echo "--- ends, while the other side looks"
watch ben $slot
must_say ann "close $last" ""
must_say ann "fill $at $pages 1" ""
attack "offerer-closes: ben: $(watched ben), then $(seen ben $slot); ann: $(seen ann $at); dom0: $(host read "$(domid ann)" $gfn 16)"
must_say ben "close $last" ""

pair
watch ann $at
must_say ben "close $last" ""
attack "acceptor-closes: ann: $(watched ann), then $(seen ann $at); eve: $(says eve "accept $last 1 $ann $slot"); dom0: $(host read "$(domid ann)" $gfn 16)"
must_say ben "accept $last 1 $ann $slot" ""
attack "again: ben: $(seen ben $slot)"

must_say ann "fill $at $pages 0" ""
watch ann $at
end ben
attack "acceptor-destroyed: ann: $(watched ann), then $(seen ann $at)"
start ben 2
must_say ben "accept $last 1 $ann $slot" ""
attack "successor: ben: $(seen ben $slot)"

must_say ann "fill $at $pages 0" ""
holds destroyed ann $gfn 16
watch ben $slot
end ann
attack "offerer-destroyed: ben: $(watched ben), then $(seen ben $slot); dom0: $(held destroyed)"
must_say ben "close $last" ""

echo "--- dom0 takes a page, or writes to it, while both look"
for how in balloon populate unmap exchange; do
	pair
	holds $how ann $gfn 16
	watch ann $at
	watch ben $slot
	attack "$how: $(host $how "$(domid ann)" 803), ben: $(watched ben), then $(seen ben $slot); ann: $(stopped ann); dom0: $(held $how)"
	must_say ben "close $last" ""
done
pair
watch ben $slot
attack "write: $(host write "$(domid ann)" 805), ben: $(watched ben), then $(seen ben $slot); ann: $(stopped ann)"
must_say ben "close $last" ""

# --- who takes part in what they send each other ----------------------------------------------------------

exits() { # NAME FILE: how many of each reason
	netherctl stat | awk -v id="$(cat "/tmp/$1.id")," '/^[a-z]/ { its = $2 == id } its && $1 ~ /^[0-9]+$/ {
		n = $1; $1 = $2 = $3 = ""; print n, $0 }' >"/tmp/$2"
}

since() { # FILE FILE: those that are more
	awk 'NR == FNR { n = $1; $1 = ""; before[$0] = n; next }
		{ n = $1; $1 = ""; if (n > before[$0]) printf "%s %d,", $0, n - before[$0] }' "/tmp/$1" "/tmp/$2" | sed -e 's/  */ /g' -e 's/,$//'
}

echo "--- frames"
pair
for guest in ann ben; do
	must_say $guest spin ""
	exits $guest $guest.before
done
tell ben "ring $slot $pages 0 4000 5d8"
sent=$(says ann "ring $at $pages 1 4000 5d8")
answer ben NET-DONE || die "ben takes no frames"
echo "FRAMES $sent"
for guest in ann ben; do
	exits $guest $guest.after
	echo "EXITS $guest:$(since $guest.before $guest.after)"
done
guest-destroy-all
