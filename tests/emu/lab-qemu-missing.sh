#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The lab fails, in one clear line, when its emulator is missing, cannot start, or just ends.
# timeout: 300
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

python=$(python3 -c 'import sys; print(sys.executable)') # not a wrapper that needs PATH
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
tests/lab/lab images || fail "the images cannot be built"

# refused STATUS WORDS WHAT OPTIONS..: the lab's status and last line
refused() {
	want=$1 words=$2 what=$3
	shift 3
	text=$(PATH=$path "$python" tests/lab/lab run --no-monitor --name "$run_name" --timeout 100 \
		--exec true "$@" 2>&1)
	status=$?
	[ $status = "$want" ] || fail "$what: status $status instead of $want: $text"
	printf '%s\n' "$text" | tail -n 1 | grep -q "^lab: .*$words" || fail "$what: unclear: $text"
	printf '%s\n' "$text" | tail -n 1
}

path=$bin
refused 201 'not installed' "no QEMU"
path=$PATH
refused 202 'could not start' "QEMU refuses its options" --cpus 100000
path=$bin
printf '#!/bin/sh\nexit 0\n' >"$bin/qemu-system-x86_64"
chmod +x "$bin/qemu-system-x86_64"
refused 203 'ended before' "QEMU ends at once"
