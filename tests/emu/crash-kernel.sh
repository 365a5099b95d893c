#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dom0 crashes while a guest holds a secret, and Xen starts what dom0 has put there for that case (kdump): a
# program with the machine to itself, that searches all RAM. Without the monitor it finds the secret.
# timeout: 1800
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name
. "$(dirname "$0")/lib.sh"

overlay=build/lab/runs/$run_name/overlay
seed=5ec4e75ec4e702
mkdir -p "$overlay/attack" || exit 1
cp build/attack/guest.elf build/attack/crash.bin build/attack/crash-load "$overlay/attack/" || fail "not built"

cat >"$overlay/attack/crash.sh" <<-'END'
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
	/attack/crash-load /attack/crash.bin "$1" 2048 || exit 1
	xl create -q /tmp/victim.cfg || exit 1
	n=0
	until [ -s $console ]; do
		usleep 200000
		n=$((n + 1))
		[ $n -lt 600 ] || exit 1
	done
	echo "VICTIM $(head -n 1 $console)"
	sync
	echo c >/proc/sysrq-trigger
	sleep 60
END

# found WORLD OPTIONS..: how many words of the secret the program found, in $words
found() {
	name=$run_name-$1
	shift
	output=$(tests/lab/lab run --hw svm --mem 2048 --name "$name" --timeout 700 --overlay "$overlay" \
		--xen-args "crashkernel=64M" --exec "sh /attack/crash.sh $seed" "$@" 2>&1)
	printf '%s\n' "$output" | grep -q '^VICTIM' || fail "$name: no guest was there: $output"
	words=$(sed -n 's/.*CRASH: found \([0-9]*\) words.*/\1/p' "build/lab/runs/$name/xen.log")
	[ -n "$words" ] || fail "$name: nothing was started, or it did not end"
	grep -a CRASH: "build/lab/runs/$name/xen.log"
}

found without --no-monitor
[ "$words" -gt 0 ] || fail "without the monitor the secret is not found either"
[ -n "${LAB_NO_MONITOR:-}" ] && exit 0
found with
[ "$words" = 0 ] || fail "the secret is found in $words words"
