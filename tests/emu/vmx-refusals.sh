#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What an Intel CPU lacks for the monitor is said in one line, for each generation that lacks it.
# timeout: 420
# shellcheck disable=SC2154 # lib.sh sets run_name
. "$(dirname "$0")/lib.sh"

# refused NAME REGEX CPU: the monitor does not start Xen on that model of Bochs', and says why
refused() {
	name=$run_name-$1 regex=$2
	tests/lab/lab run --hw vmx --icount --cpus 1 --cpu-model "$3" --name "$name" --timeout 100 \
		--l1 build/lab/xen >/dev/null 2>&1 && fail "$1: it started"
	line=$(tr -d '\r' <"build/lab/runs/$name/xen.log" | grep '^nethervisor: FATAL: ') ||
		fail "$1: no FATAL line: $(tail -n 3 "build/lab/runs/$name/xen.log")"
	echo "$1: $line"
	printf '%s\n' "$line" | grep -Eqx "nethervisor: FATAL: .*($regex).*" || fail "$1: unclear"
}

tests/lab/lab images || fail "the images cannot be built"
refused no-vmx 'no VMX' ryzen
refused no-ept 'no EPT' core2_penryn_t9600
refused no-unrestricted-guest 'no unrestricted guest' corei5_lynnfield_750
