#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On VMX: a channel of two small protected guests, of which dom0 sees zeros, and ciphertext when the pages are the offerer's alone again; its ends.
# long
# timeout: 1700
# shellcheck disable=SC2034,SC2154 # lib.sh reads hw and sets output, overlay, seed
hw=vmx
. "$(dirname "$0")/lib.sh"

small_guests build/attack/channel-host tests/attack/channel/pair.sh
in_dom0 "sh /attack/pair.sh $seed" --overlay "$overlay" --cpus 1 --timeout 1640
expect "^another's: refused 1\$" "an acceptance with another offerer's identity"
expect '^open: ann: seen marker, ben: seen marker, dom0: seen zeros$' "the channel while it is open"
expect '^channel 1, .*: open, guest 1 to guest 2; 16 pages' "the monitor's list"
expect '^closed: ann: seen zeros, ben: seen zeros, dom0: seen other$' "the channel after its end"
expect '^over: ben: seen zeros$' "the channel after the offerer's end"
