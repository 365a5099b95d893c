#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Xen's own log of its boot is the same with and without the monitor (see dmesg.sed).
# timeout: 1200
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

out=build/lab/runs/$run_name
mkdir -p "$out"

# dmesg_of NAME OPTIONS..: Xen's log, normalized
dmesg_of() {
	name=$1
	shift
	"$@" --cpus 2 --name "$name" --timeout 540 --exec 'xl dmesg' >"$out/$name.raw" || fail "the run $name"
	sed -E -f tests/emu/dmesg.sed "$out/$name.raw" >"$out/$name.txt"
	grep -q 'Brought up 2 CPUs' "$out/$name.txt" || fail "$name: this is no log of a boot"
}

dmesg_of "$test_name-without" tests/lab/lab run --hw "${hw:-svm}" --no-monitor
dmesg_of "$test_name-with" tests/lab/lab run --hw "${hw:-svm}" ${LAB_NO_MONITOR:+--no-monitor}
monitor_ran "$test_name-with"
diff -u "$out/$test_name-without.txt" "$out/$test_name-with.txt" || fail "Xen's log differs"
echo "$(wc -l <"$out/$test_name-with.txt") lines are the same"
