#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: dom0.sh NAME... Prints "RESULT name t0 t1 ticks status" (dom0's TSC before and after,
# the guest's own ticks), "TRACE JSON" (the exits of a guest that Xen saw) and, above the monitor,
# "STAT name before|after JSON" (see parse in run).
# It waits by blocking reads only: polling would take the CPU that the guest needs.
tsc() { /usr/lib/lab/tsc; }

stat_now() {
	[ -x /usr/bin/netherctl ] || return 0
	netherctl stat --json >"/tmp/stat-$1-$2" || exit 3
}

# measured NAME FUNCTION: calls it between the readings; it sets ticks and status.
measured() {
	ticks=0 status=0
	stat_now "$1" before
	t0=$(tsc)
	"$2" "$1"
	t1=$(tsc)
	stat_now "$1" after
	echo "RESULT $1 $t0 $t1 $ticks $status" >>/tmp/results
}

# The guest's answer "BENCH name ticks status"; other lines are its kernel's.
answer() {
	while read -r word name ticks status <&3; do
		[ "$word $name" = "BENCH $1" ] && status=${status%[!0-9]} && return
	done
	echo "the guest's console ended" && exit 4
}

ask() {
	echo "$1" >&3
	answer "$1"
}

tty_of() { # of the guest's console, once its daemon has made it
	case $kind in pvh) node=console/tty ;; *) node=serial/0/tty ;; esac
	until tty=$(xenstore-read "/local/domain/$(xl domid "$kind")/$node" 2>/dev/null) &&
		[ -c "$tty" ]; do
		usleep 10000
	done
	stty -F "$tty" raw -echo
	exec 3<>"$tty"
}

start_guest() {
	xl create -q -p "/bench/$kind.cfg" || exit 5
	tty_of
	xl unpause "$kind" || exit 5
	answer ready
}

# A guest's boot, many exits and a computation, whose ticks it reports, while Xen records each exit that
# it sees.
exits() {
	xentrace -D -e 0x81000 -S 1024 /tmp/trace &
	tracer=$!
	usleep 500000 # until Xen records
	start_guest
	for name in cpuid port cpu; do
		ask $name
	done
	kill -INT $tracer
	wait $tracer || status=$?
	/bench/trace </tmp/trace >/tmp/traced
}

storm() {
	i=0
	while [ $i -lt 300 ]; do
		/bin/true
		i=$((i + 1))
	done
}

nothing() { :; }

# A guest that does nothing, of $size MiB and with $ramdisk; its first entry, until Xen has shut it down.
create_halt() {
	xl create -e -q -p /bench/halt.cfg "memory=$size" ${ramdisk:+"ramdisk=\"$ramdisk\""} || exit 5
}

run_halt() {
	xl unpause halt || exit 5
	wait $watcher
}

# launch NAME MIB [RAMDISK]: with results create-NAME and launch-NAME; the guest stays.
launch() {
	size=$2 ramdisk=${3-}
	measured "create-$1" create_halt
	: >/tmp/watch
	xenstore-watch -n 2 @releaseDomain >/tmp/watch & # says at once that it watches
	watcher=$!
	until [ -s /tmp/watch ]; do
		usleep 10000
	done
	measured "launch-$1" run_halt
	xl list halt | grep -q 's-- ' || { echo "halt did not" && exit 4; }
}

free_memory() { # MiB that Xen has to give
	xl info | sed -n 's/^free_memory *: *//p'
}

destroy_halt() {
	xl destroy halt || exit 5
	while xl domid halt >/dev/null 2>&1 || [ "$(free_memory)" -lt "$free" ]; do
		usleep 10000
	done
}

settle() { # Xen scrubs what it has got back while it is idle
	sleep 10
}

end_halt() {
	xl destroy halt
	settle
}

hash_busybox() {
	busybox sha256sum /tmp/random >/dev/null
}

hash_coreutils() {
	/bench/sha256sum /tmp/random >/dev/null
}

# Twice the same with more memory, and with 64 MiB of it that are no zeros.
launches() {
	head -c 67108864 /dev/urandom >/tmp/random
	launch small 64
	end_halt
	launch large 576
	end_halt
	launch data 576 /tmp/random
	end_halt
	measured hash-busybox hash_busybox
	measured hash-coreutils hash_coreutils
	rm /tmp/random
}

destroys() {
	settle
	free=$(free_memory)
	launch whole 1024
	measured destroy destroy_halt
	measured settle settle
}

for name in "$@"; do
	case $name in
	nothing) measured nothing nothing ;;
	storm) measured storm storm ;;
	pvh-boot | hvm-boot)
		kind=${name%-boot}
		measured "$name" start_guest
		;;
	exits)
		kind=pvh
		measured exits exits
		;;
	launch) launches ;;
	destroy) destroys ;;
	end) exec 3>&- && xl destroy "$kind" ;;
	*) measured "$name" ask ;;
	esac
done
cat /tmp/results
[ ! -f /tmp/traced ] || echo "TRACE $(cat /tmp/traced)"
for file in /tmp/stat-*; do
	[ -f "$file" ] || continue
	name=${file#/tmp/stat-}
	echo "STAT ${name%-*} ${name##*-} $(tr -d '\n' <"$file")"
done
