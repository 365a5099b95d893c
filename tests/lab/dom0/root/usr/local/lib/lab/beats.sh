# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For commands in dom0 that watch a guest with lab.run=beat: `log=FILE; . beats.sh`. It says there every
# second how often it has, and how much memory it has: "LAB-GUEST beat n=7 kb=150000".
last() { sed -n "s/^LAB-GUEST beat .*$1=\([0-9]*\).*/\1/p" "${log:?}" | tail -n 1; }

die() {
	echo "$1"
	tail -n 5 "$log"
	xl list
	netherctl guests
	netherctl log | tail -n 5
	exit 1
}

until_true() { # WHAT COMMAND: until it is true, for 120 s; else WHAT is wrong
	tries=0
	until eval "$2"; do
		tries=$((tries + 1))
		[ $tries -lt 240 ] || die "$1"
		usleep 500000
	done
}

beats_on() { # WHEN: it lives, says something new
	before=$(last n)
	until_true "no sign of life from the guest $1" '[ "$(last n)" != "$before" ]'
}

silent() { # it says nothing in 2.5 s
	usleep 500000 # xenconsoled takes what it said before
	before=$(last n)
	usleep 2500000
	[ "$(last n)" = "$before" ] || die "the guest goes on"
}
