# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For scripts in dom0 with small protected guests (guest/peer.c) that have channels: `. peers.sh`, with their seed in $seed, and in $memory the MiB that each
# has (16). Status 1 ends the script if something cannot be done.
# shellcheck disable=SC1091 # the lab's
# shellcheck disable=SC2034,SC2154 # last, seed: the caller's
. channels.sh
pages=10 # of a channel: 16

die() {
	echo "$0: $*"
	xl list
	netherctl channels
	netherctl log | tail -n 20
	exit 1
}

domid() { cat "/tmp/$1.domid"; }

create() { # NAME CPU [OPTION]: paused
	cat >"/tmp/$1.cfg" <<-END
		name = "$1"
		type = "pvh"
		tsc_mode = "native"
		vcpus = 1
		cpus = "$2"
		memory = ${memory:-16}
		shadow_memory = 16
		on_reboot = "destroy"
		kernel = "/attack/peer.elf"
		cmdline = "seed=$seed name=$1${3:+ $3}"
	END
	{ xl create -q -p "/tmp/$1.cfg" && xl domid "$1" >"/tmp/$1.domid"; } || die "no $1"
	until tty=$(xenstore-read "/local/domain/$(domid "$1")/console/tty" 2>/dev/null) && [ -c "$tty" ]; do
		usleep 10000
	done
	stty -F "$tty" raw -echo
	echo "$tty" >"/tmp/$1.tty"
}

begin() { # NAME
	xl unpause "$1" || die "$1 does not start"
	read -r tty <"/tmp/$1.tty"
	exec 4<>"$tty"
	answer_line "$1" "NET-GUEST up" || die "$1 does not start"
	netherctl launch "$(domid "$1")" >"/tmp/$1.launch"
	sed -n 's/^guest \([0-9]*\), protected.*/\1/p' "/tmp/$1.launch" >"/tmp/$1.id"
	[ -s "/tmp/$1.id" ] || die "$1 is not protected"
}

start() { # NAME CPU [OPTION]: if it is not there
	xl domid "$1" >/dev/null 2>&1 || { create "$@" && begin "$1"; }
}

end() { # NAME
	xl destroy "$1" || die "$1 is not destroyed"
}

gone() { # NAME: waits until Xen has ended it, too; if that takes long it is destroyed, status 1
	for _ in $(seq 100); do
		xl domid "$1" >/dev/null 2>&1 || return 0
		usleep 100000
	done
	xl destroy "$1"
	return 1
}

# hears NAME COMMAND: what the guest answers, in one line, to $said; "refused N" is a call's error
hears() {
	read -r tty <"/tmp/$1.tty"
	exec 4<>"$tty"
	echo "$2" >&4
	said='' before=''
	for word in $(answer_line "$1" NET-DONE); do
		case $word in
		"$1:") continue ;;
		error) word=refused ;;
		esac
		while [ "$before" = refused ] && [ "${word#0}" != "$word" ]; do word=${word#0}; done
		said=${said:+$said }$word before=$word
	done
}

says() { # NAME COMMAND: prints it
	hears "$@"
	echo "$said"
}

must_say() { # NAME COMMAND ANSWER
	hears "$1" "$2"
	[ "$said" = "$3" ] || die "$1: $2: '$said', not '$3'"
}

offers() { # NAME GFN PEER IDENTITY: a channel; its id, as guests take it, to $last
	hears "$1" "offer $2 $pages $3 $4"
	case $said in
	"id "*) last=$(printf %x "0x${said#id }") ;;
	*) die "$1 cannot offer: $said" ;;
	esac
}
