# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the emulator tests share; sourced, from any directory. A test exits with 0 if it passed, else
# prints what failed. LAB_NO_MONITOR=1 runs the same test without the monitor, to test the test.
set -u
cd "$(dirname "$0")/../.." || exit 1
test_name=$(basename "$0" .sh)
run_name=emu-$test_name

fail() {
	echo "$test_name: FAILED: $*"
	exit 1
}

# summary NAME EXPRESSION: a Python expression over s, the summary of the run NAME
summary() {
	python3 -c 'import json, sys; s = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
		"build/lab/runs/$1/summary.json" "$2"
}

# lab_run NAME OPTIONS..: the lab, with or without the monitor
lab_run() {
	name=$1
	shift
	tests/lab/lab run ${LAB_NO_MONITOR:+--no-monitor} --name "$name" "$@"
}

# monitor_ran NAME: fails unless the monitor ran below that run's Xen and answered its dom0
monitor_ran() {
	[ -n "${LAB_NO_MONITOR:-}" ] && return
	[ "$(summary "$1" '"monitor_up" in s["phases_s"] and s["monitor_stat"]["after"]["host"]["exits"] > 0')" \
		= True ] || fail "no sign of the monitor in build/lab/runs/$1"
}

# in_dom0 COMMAND OPTIONS..: runs it in a new dom0, which must succeed; its output is $output too
in_dom0() {
	command=$1
	shift
	output=$(lab_run "$run_name" --exec "$command" "$@")
	status=$?
	printf '%s\n' "$output"
	[ $status = 0 ] || fail "status $status; logs in build/lab/runs/$run_name"
	monitor_ran "$run_name"
}

# expect REGEX WHAT: a line of the output must match
expect() {
	printf '%s\n' "$output" | grep -Eq -- "$1" || fail "$2 (no line matches: $1)"
}

# boot_with_cpus N: Xen and dom0 must both see N CPUs
boot_with_cpus() {
	in_dom0 'echo "dom0 sees $(grep -c ^processor /proc/cpuinfo)"; echo "Xen has $(xl info nr_cpus)"' \
		--cpus "$1" --timeout 600
	expect "^dom0 sees $1\$" "dom0's count of CPUs"
	expect "^Xen has $1\$" "Xen's count of CPUs"
}

# guest_reports NAME REGEX: starts /guests/NAME.cfg and compares what its user space says
guest_reports() {
	in_dom0 "guest-up /guests/$1.cfg 700 && guest-destroy-all" --timeout 840
	expect "^LAB-GUEST up $2" "the guest's own report"
}
