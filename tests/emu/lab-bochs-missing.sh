#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The lab fails, in one clear line, when Bochs is missing, cannot start, just ends, or hangs.
# timeout: 300
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

python=$(python3 -c 'import sys; print(sys.executable)') # not a wrapper that needs PATH
tests/lab/lab images || fail "the images cannot be built"
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
ln -s "$(command -v xorriso)" "$bin"
# Whoever has nested VMX would get QEMU; --icount asks for Bochs.
run="tests/lab/lab run --hw vmx --icount --no-monitor --exec true"

# refused STATUS WORDS WHAT OPTIONS..: the lab's status and last line
refused() {
	want=$1 words=$2 what=$3
	shift 3
	# shellcheck disable=SC2086 # words
	text=$(PATH=$path "$python" $run --name "$run_name" --timeout 100 "$@" 2>&1)
	status=$?
	[ $status = "$want" ] || fail "$what: status $status instead of $want: $text"
	printf '%s\n' "$text" | tail -n 1 | grep -q "^lab: .*$words" || fail "$what: unclear: $text"
	printf '%s\n' "$text" | tail -n 1
}

path=$bin
refused 201 'not installed' "no Bochs"
path=$PATH
refused 200 'no gdb' "no gdb stub" --gdb
refused 202 'could not start' "Bochs refuses its options" --mem 100000000
refused 204 'timeout after' "Bochs hangs" --timeout 10
grep -q '^rip: ' "build/lab/runs/$run_name/cpus.log" || fail "no registers of the machine that hangs"
path=$bin
printf '#!/bin/sh\nexit 0\n' >"$bin/bochs-bin"
chmod +x "$bin/bochs-bin"
refused 203 'ended before' "Bochs ends at once"
