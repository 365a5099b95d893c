#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: dom0.sh plain|encrypted FIRST NAME.. makes the attacks in the order of attacks.sh, on one guest and, after
# it, on another with the same disk. From sector FIRST on the disk has what content.awk says, version 1; each attack has 256
# sectors of its own, which are one leaf of the tree. Prints for each attack
#   BEGIN NAME
#   attack NAME: succeeded|failed|untried (what came of it)
#   guest NAME: goes on|silent|ended
#   END NAME SECONDS
# shellcheck disable=SC2034,SC2120 # attacks.sh uses what is set, and calls with arguments
world=$1 first=$2
shift 2
chosen=" $* "
cd /disk || exit 1
console=/var/log/xen/console/serial-disk.log
lie=/run/lie
cr=$(printf '\r')

now() {
	read -r uptime _ </proc/uptime
	now=${uptime%.*}
}

die() {
	echo "dom0.sh: $*"
	[ -z "${serial:-}" ] || ask log
	tail -n 40 $console /var/log/xen/netherd-disk.log /var/log/xen/qemu-dm-disk.log
	xl list
	[ "$world" = plain ] || {
		netherctl stat | tail -n 20
		netherctl disks
	}
	exit 1
}

await() { # SECONDS CONDITION
	tries=$(($1 * 20))
	until eval "$2"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		usleep 50000
	done
}

# --- the guest ------------------------------------------------------------------------------------------

guest_up() {
	rm -f guest.in guest.out
	mkfifo guest.in guest.out
	cat guest.out >>$console &
	guest-up /disk/disk.cfg 400 || die "no guest"
	exec 3<$console
	part='' serial=0
}

send() { # COMMAND..
	serial=$((serial + 1))
	echo "$serial $*" >guest.in
}

# Looks for the answer to what was sent last, in what is new on the console.
look() {
	while IFS= read -r piece <&3; do
		line=$part$piece part=''
		line=${line%"$cr"}
		case $line in
		"@$serial "*)
			reply=${line#* }
			return
			;;
		esac
	done
	part=$part$piece
	return 1
}

answer() { # [SECONDS]
	await "${1:-60}" look || reply=nothing
}

ask() {
	send "$@"
	answer
}

write() { # FIRST COUNT VERSION, which are durable then
	ask write "$@"
	[ "$reply" = "done" ] || die "the guest cannot write: $reply"
}

# --- what sectors have ----------------------------------------------------------------------------------

fill() { awk -v first="$1" -v count="$2" -v version="$3" -f content.awk; }

sum() { fill "$@" | md5sum | cut -c 1-32; }

area() { echo $((first + 256 * $1)); }

copy() { # FROM FROM-BYTE TO TO-BYTE BYTES, of which all are a multiple of 512
	dd if="$1" of="$3" bs=512 skip=$(($2 / 512)) seek=$(($4 / 512)) count=$(($5 / 512)) conv=notrunc 2>/dev/null
}

flip() { # FILE BYTE: one bit of it
	old=$(dd if="$1" bs=1 skip="$2" count=1 2>/dev/null | od -An -tu1)
	# shellcheck disable=SC2059 # an octal number
	printf "\\$(printf %o $((old ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

# --- verdicts -------------------------------------------------------------------------------------------

verdict() { # WORD TEXT
	[ -n "$said" ] || echo "attack $name: $1 ($2)"
	said=yes
}

# Whether the last answer has wrong bytes without an error.
judge() { # FIRST COUNT VERSION
	case $reply in
	error) verdict failed "a disk error" ;;
	"$(sum "$@")") verdict failed "the right bytes" ;;
	nothing) verdict failed "no answer" ;;
	????????????????????????????????) verdict succeeded "wrong bytes, and no error" ;;
	*) verdict untried "it says $reply" ;;
	esac
}

# It is that and nothing else which made it fail: without it, all is right again.
control() { # FIRST COUNT VERSION
	ask read "$1" "$2"
	[ "$reply" = "$(sum "$@")" ] || verdict untried "afterwards $reply: not right although all is as it was"
}

must_fail() { # TEXT: an attack that has to show as an error. The verdict is the caller's, after its control
	if [ "$reply" = error ]; then
		outcome="a disk error"
	else
		verdict untried "no error: $reply"
	fi
}

told() { wc -c </run/lies-told; }

lying() { # LIE COMMAND..: the answer, while a program lies
	lies=$(told)
	echo "$1" >"$lie"
	shift
	ask "$@"
	rm -f "$lie"
	[ "$(told)" -gt "$lies" ] || verdict untried "nobody lied"
}

wanted() { # NAME-WITH_
	name=$(echo "${1#attack_}" | tr _ -)
	case $chosen in
	*" $name "*) ;;
	*) return 1 ;;
	esac
}

attack() { # FUNCTION.. [over]
	wanted "$1" || return
	said='' outcome=''
	now
	begun=$now
	echo "BEGIN $name"
	"$1"
	verdict untried "it says nothing"
	rm -f "$lie"
	alive=ended
	if [ -z "${2:-}" ]; then
		ask ping
		alive=silent
		[ "$reply" != pong ] || alive="goes on"
	fi
	echo "guest $name: $alive"
	[ "$alive" != silent ] || echo "it says: $reply"
	now
	echo "END $name $((now - begun))"
}

# --- netherd, and images that are to be attached ----------------------------------------------------------

netherd_pid() { pidof netherd; }

gone() { [ -z "$(netherd_pid)" ]; }

kill_netherd() {
	kill -9 "$(netherd_pid)"
	await 10 gone || die "netherd does not die"
}

start_netherd() { # PROGRAM
	# shellcheck disable=SC2046 # words
	"$1" --domain disk $(cat disk.disks) >>/var/log/xen/netherd-disk.log 2>&1 || die "$1 does not start"
}

# Attaches an image to a guest that never runs: 0 if it was opened. What netherd says is in attach.log.
attach() { # DATA SIDECAR OPTIONS
	xl domid try >/dev/null 2>&1 || xl create -q -p try.cfg || die "no domain to attach disks to"
	/usr/bin/netherd --domain try --disk "hda=/disk/$1,/disk/$2,key=/disk/key$3" >attach.log 2>&1 || return
	xl destroy try
	await 30 'detached' || die "it stays attached"
}

detached() { ! xl list | grep -q '(null)\|^try '; }

# An image that the monitor must refuse, for the reason that netherd tells.
refused() { # REASON DATA SIDECAR OPTIONS
	reason=$1
	shift
	if attach "$@"; then
		verdict succeeded "it was opened"
	elif grep -q "$reason" attach.log; then
		outcome="not opened: $reason"
	else
		verdict untried "$(tail -n 1 attach.log)"
	fi
}

. ./attacks.sh
