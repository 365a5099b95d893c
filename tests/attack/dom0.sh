#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: dom0.sh SEED TICKS NAME.. makes each attack on a new victim, a PVH guest, or an HVM guest if
# NAME begins with hvm-. SEED: 14 hex digits, of this boot; TICKS (hex): the victim's heartbeat. Prints
# for each attack
#   BEGIN NAME
#   ... the program's words, then why the monitor stopped guests ("STOPPED reason"), and what Xen ended
#   some for by itself ("XEN reason")
#   END NAME STATUS SECONDS
seed=$1 ticks=$2
shift 2
console=/var/log/xen/console

# create NAME TYPE MIB VCPUS COMMAND: paused; no network, no disk; a crashed one stays, to be looked at. As an
# HVM guest our program takes the firmware's place, and is told on its console.
create() {
	cat >"/tmp/$1.cfg" <<-END
		name = "$1"
		type = "$2"
		tsc_mode = "native"
		vcpus = $4
		memory = $3
		shadow_memory = 16
		on_crash = "preserve"
		on_poweroff = "preserve"
		on_reboot = "preserve"
	END
	if [ "$2" = hvm ]; then
		cat >>"/tmp/$1.cfg" <<-END
			firmware_override = "/attack/guest.elf"
			vga = "none"
			usb = 0
			vnc = 0
			xen_platform_pci = 0
		END
	else
		cat >>"/tmp/$1.cfg" <<-END
			kernel = "/attack/guest.elf"
			cmdline = "$5"
		END
	fi
	: >"$console/guest-$1.log"
	xl create -q -p "/tmp/$1.cfg" && xl domid "$1" >"/tmp/$1.domid" || return 2
	[ "$2" = pvh ] || tell "$1" "$5"
}

tell() { # NAME COMMAND, when xenconsoled has made its terminal
	node=/local/domain/$(cat "/tmp/$1.domid")/console/tty
	until tty=$(xenstore-read "$node" 2>/dev/null) && [ -c "$tty" ]; do
		usleep 20000
	done
	echo "$2" >"$tty"
}

# What the monitor says of guests that it has stopped; nothing without a monitor.
stopped() { # since it was asked last; its exits are still counted when it is stopped already
	[ -x /usr/bin/netherctl ] || return 0
	netherctl stat 2>/dev/null |
		sed -n 's/^guest \([0-9]*\),.* stopped: \(.*\), [0-9]* exits$/\1 \2/p' >/tmp/stopped
	grep -vxF -f /tmp/stopped.before /tmp/stopped | sed 's/^[0-9]* /STOPPED /'
	{ echo none; cat /tmp/stopped; } >/tmp/stopped.before
}

# What Xen has said since it was asked last is in /tmp/dmesg.
ended_by_xen() {
	xl dmesg -c >/tmp/dmesg
	sed -n -e 's/^.*d[0-9]*v[0-9]* Triple fault .*$/XEN triple fault/p' \
		-e 's#^.*domain_crash called from .*/\(svm\|vmcs\|vmx\)\.c:.*$#XEN a vCPU was not entered#p' /tmp/dmesg
}

now() {
	read -r up _ </proc/uptime
	echo "${up%.*}"
}

one() { # [hvm-]NAME SEED
	accomplice="" attack=${1#hvm-} type=pvh
	[ "$attack" = "$1" ] || type=hvm
	more="" vcpus=1
	for need in $(/attack/attack --needs "$attack"); do
		case $need in
		accomplice) accomplice=yes ;;
		two) vcpus=2 ;;
		*) more="$more $need" ;;
		esac
	done
	create victim $type 36 $vcpus "victim seed=$2 ticks=$ticks$more" || return 2
	if [ -n "$accomplice" ]; then
		create accomplice pvh 16 1 "accomplice seed=$2" || return 2
		accomplice=$(cat /tmp/accomplice.domid)
	fi
	# shellcheck disable=SC2086 # none is no argument
	timeout 600 /attack/attack "$attack" "$(cat /tmp/victim.domid)" "$2" $accomplice
}

echo none >/tmp/stopped.before
count=0
for name in "$@"; do
	count=$((count + 1)) start=$(now)
	echo "BEGIN $name"
	one "$name" "$seed$(printf %02x $count)"
	status=$?
	stopped
	ended_by_xen
	if [ $status != 0 ]; then
		tail -n 5 $console/guest-*.log
		xl list
		tail -n 12 /tmp/dmesg
	fi
	guest-destroy-all || exit 3
	echo "END $name $status $(($(now) - start))"
done
