#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A protected guest offers a channel to the switch domain with a certain launch digest; that one accepts it because of the guest's.
# timeout: 1200
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

overlay=build/test/$run_name
tests/lab/channel-guests "$overlay" || fail "no guests"
in_dom0 "$(cat <<'END'
. channels.sh
must guest_start /net/web.cfg
web=$(digest_of web)
must doms_start "web lan digest:$web" ""
echo "web $web"
echo "doms $doms"
must ask web "channel lan0 10.9.0.1/24 role=offer service=lan peer=digest:$doms"
must doms_shows web=1
must ask web 'until read -r c </sys/class/net/lan0/carrier 2>/dev/null && [ "$c" = 1 ]; do sleep 1; done; echo carrier $c'
netherctl guests
grep ^DOMS /var/log/xen/console/guest-doms.log
guest-destroy-all
END
)" --overlay "$overlay" --timeout 1100
expect '^web: carrier 1$' "the guest's interface has a carrier"
expect '^DOMS up Open vSwitch .* ports 1,' "the switch's own report"
expect '^DOMS ports web=1' "the switch's port has a carrier"
