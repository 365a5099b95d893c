#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: pair.sh SEED. A channel of two small protected guests on one processor, what dom0 sees of it, and its ends. Prints what was seen
# as "NAME: .."; tests/emu/vmx-channel.sh judges.
# shellcheck disable=SC1091,SC2154 # the lab's; pages: peers.sh's
seed=$1
. peers.sh
slot=8000000000
gfn=800 at=800000
last=0 # id of her last channel

host() { /attack/channel-host "$seed" "$@" 2>&1; }
identity() { sed -n 's/^launch digest (SHA-256) //p' "/tmp/$1.launch"; }

for guest in ann ben; do
	start $guest 0
done
ann=$(identity ann) ben=$(identity ben)
offers ann $gfn 1 "$ben"
echo "another's: $(says ben "accept $last 1 $ben $slot")"
must_say ben "accept $last 1 $ann $slot" ""
must_say ann "fill $at $pages 0" ""
echo "open: ann: $(says ann "look $at $pages"), ben: $(says ben "look $slot $pages"), dom0: $(host read "$(domid ann)" $gfn 16)"
netherctl channels
must_say ann "close $last" ""
echo "closed: ann: $(says ann "look $at $pages"), ben: $(says ben "look $slot $pages"), dom0: $(host read "$(domid ann)" $gfn 16)"
must_say ben "close $last" ""
offers ann $gfn 1 "$ben"
must_say ben "accept $last 1 $ann $slot" ""
must_say ann "fill $at $pages 0" ""
end ann
echo "over: ben: $(says ben "look $slot $pages")"
must_say ben "close $last" ""
end ben
netherctl channels
