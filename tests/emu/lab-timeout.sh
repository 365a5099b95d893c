#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A machine that hangs ends in a named timeout with the end of its logs, in time.
# timeout: 300
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

start=$(date +%s)
text=$(lab_run "$run_name" --timeout 60 --exec 'echo now it hangs; while :; do sleep 100; done' 2>&1)
status=$?
took=$(($(date +%s) - start))
[ $status = 204 ] || fail "status $status instead of 204: $text"
[ $took -lt 240 ] || fail "a timeout of 60 s took $took s"
printf '%s\n' "$text" | tail -n 1 | grep -Eq '^lab: timeout after 60 s; reached: [a-z0-9_]+ \(at' ||
	fail "the last line does not name the phase: $text"
for log in xen.log dom0.log qemu.log; do
	printf '%s\n' "$text" | grep -q "^--- .*/$log, last lines:" || fail "no end of $log"
done
[ "$(summary "$run_name" 's["failure"]["code"]')" = 204 ] || fail "summary.json does not say so"
printf '%s\n' "$text" | tail -n 1
