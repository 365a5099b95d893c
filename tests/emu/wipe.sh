#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest runs and holds a secret while another CPU resets the machine or powers it off, and memory is searched
# for it behind that: without the monitor it is there, with it it is gone, whichever way the machine ends; by a
# bug of the monitor, too.
# timeout: 2400
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

out=build/lab/runs/$run_name
seed=5ec4e75ec4e701
mkdir -p "$out/overlay/attack" || exit 1
cp build/attack/guest.elf "$out/overlay/attack/" || fail "no build/attack/guest.elf"
ram=/dev/shm/nethervisor-$run_name.$$
trap 'rm -f "$ram"' EXIT

# What runs in dom0: the victim must have said that it is there. `END` is the last word before the end.
cat >"$out/overlay/attack/end.sh" <<-'END'
	#!/bin/sh
	cat >/tmp/victim.cfg <<-CFG
		name = "victim"
		type = "pvh"
		vcpus = 1
		memory = 36
		kernel = "/attack/guest.elf"
		cmdline = "victim seed=$1 ticks=40000000"
	CFG
	console=/var/log/xen/console/guest-victim.log
	: >$console
	xl create -q /tmp/victim.cfg || exit 1
	n=0
	until [ -s $console ]; do
		usleep 200000
		n=$((n + 1))
		[ $n -lt 600 ] || exit 1
	done
	echo "VICTIM $(head -n 1 $console)"
	sync
	case $2 in
	port) printf '\6' | dd of=/dev/port bs=1 seek=3321 conv=notrunc ;;
	off) poweroff -f ;;
	panic) # when the monitor has the bug
		sleep 20
		printf '\2' | dd of=/dev/port bs=1 seek=146 conv=notrunc
		;;
	*) reboot -f ;;
	esac
	sleep 60
END

# break_monitor LOG: when the guest is there the monitor gets a bug, where port 92h is served
break_monitor() {
	n=0
	until grep -q '^VICTIM' "$1" 2>/dev/null; do
		sleep 1
		n=$((n + 1))
		[ $n -lt 400 ] || return
	done
	tests/emu/break-monitor "$ram" build/nethervisor-svm.elf64 port_92
}

# ending HOW OPTIONS..: how often the secret is in memory after that, in $found
ending() {
	how=$1
	shift
	rm -f "$ram" "build/lab/runs/$test_name-$how/dom0.log"
	if [ "$how" = panic ]; then
		break_monitor "build/lab/runs/$test_name-$how/dom0.log" &
	fi
	output=$("$@" --ram "$ram" --mem 2048 --cpus 2 --name "$test_name-$how" --timeout 400 \
		--overlay "$out/overlay" --xen-args "reboot=$how" --exec "sh /attack/end.sh $seed $how" 2>&1)
	wait
	printf '%s\n' "$output" | grep -E 'VICTIM|lab: .*ended|PANIC' || true
	printf '%s\n' "$output" | grep -q '^VICTIM' || fail "$how: no guest was there to be wiped"
	end='the machine ended before dom0 did'
	[ "$how" != panic ] || end='the monitor stopped the machine: nethervisor: PANIC: exception 6,'
	printf '%s\n' "$output" | grep -q "$end" || fail "$how: the machine did not end"
	found=$(tests/emu/find-secret "$ram" $seed) || fail "$how: nothing to search"
	echo "$how: found $found times"
}

for how in acpi off; do
	ending $how tests/lab/lab run --hw svm --no-monitor
	[ "$found" -gt 0 ] || fail "$how: without the monitor the secret is not found either"
done
for how in ${ENDINGS:-acpi kbd triple pci port off panic}; do
	ending $how tests/lab/lab run --hw svm ${LAB_NO_MONITOR:+--no-monitor}
	[ "$found" = 0 ] || fail "$how: the secret is still there"
done
