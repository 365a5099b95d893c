#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The switch domain as an HVM guest: a protected guest reaches dom0 through it, and dom0 the guest.
# timeout: 1800
# long
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/uplink-guests "$overlay" || fail "no guests"
in_dom0 'sh /net/uplink.sh hvm' --overlay "$overlay" --timeout 1700
for what in 'PASSED ping and TCP in both directions' 'REFUSED by flows' 'BACK after nether-port was killed'; do
	expect "^$what\$" "$what"
done
