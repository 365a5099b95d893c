#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: switch.sh [short]: two protected guests and a switch domain between them, whose flows say what may pass; a third guest gets nothing.
# The switch dies, is started anew, and (not if short) is replaced; the guests stay as they are. Says what was seen in capitals.
# shellcheck disable=SC1091 # the lab's
# shellcheck disable=SC2016 # for the guests' shells
. channels.sh
echo "--- three protected guests: web, db, eve"
for guest in web db eve; do
	must guest_start /net/$guest.cfg
done
# Looking at rings less often than a real guest would: in an emulator each look is dear.
seldom="busy_us=0 sleep_us=20000"
ports="web lan digest:$(digest_of web) $seldom
db lan digest:$(digest_of db) $seldom"
flows='priority=10,arp,in_port=@web,actions=output:@db
priority=10,arp,in_port=@db,actions=output:@web
priority=10,icmp,icmp_type=8,in_port=@db,nw_src=10.9.0.2,actions=output:@web
priority=10,icmp,icmp_type=0,in_port=@web,nw_src=10.9.0.1,actions=output:@db
priority=10,tcp,in_port=@db,tp_dst=80,actions=output:@web
priority=10,tcp,in_port=@web,tp_src=80,actions=output:@db'
echo "--- a switch domain with ports for web and db, and flows: db may ping web, and speak to its port 80"
must doms_start "$ports" "$flows"
first=${doms:?}
echo "--- each guest offers a channel to the guest with that launch digest"

n=0
for guest in web db eve; do
	n=$((n + 1))
	must ask $guest "channel lan0 10.9.0.$n/24 role=offer service=lan peer=digest:$doms $seldom"
done
must doms_shows web=1
must doms_shows db=1

must ask db '/bin/ping -c 3 -w 60 10.9.0.1'
echo "ALLOWED ping"
must_not ask web '/bin/ping -c 2 -w 5 10.9.0.2'
echo "REFUSED ping by web"
must ask web 'for port in 80 81; do (while :; do echo "hello from $port" | nc -l -p $port; done) >/dev/null 2>&1 & done'
must ask db 'nc -w 20 10.9.0.1 80 </dev/null | grep hello'
must_not ask db 'nc -w 5 10.9.0.1 81 </dev/null | grep hello'
echo "REFUSED port 81"
must ask db 'ip addr add 10.9.0.77/24 dev lan0'
must_not ask db '/bin/ping -c 2 -w 5 -I 10.9.0.77 10.9.0.1'
echo "REFUSED another's address"
must_not ask eve 'read -r c </sys/class/net/lan0/carrier && [ "$c" = 1 ]'
echo "REFUSED eve"
xl destroy eve

echo "--- the switch is destroyed, and started anew"
xl destroy doms
must ask web 'echo alive'
must_not ask db '/bin/ping -c 1 -w 3 10.9.0.1'
must nether-doms start
[ "$(digest_of doms)" = "$first" ] || { echo "the switch's digest has changed" && exit 1; }
must doms_shows db=1
must doms_shows web=1
must ask db '/bin/ping -c 3 -w 60 10.9.0.1'
echo "BACK after its end"

[ "${1-}" != short ] || { guest-destroy-all && exit; }
echo "--- the next one takes its place"
before=$(xl domid doms)
must nether-doms replace
[ "$(xl domid doms)" != "$before" ] || { echo "it is the same domain" && exit 1; }
must doms_shows web=1 doms-next
must doms_shows db=1 doms-next
must ask db '/bin/ping -c 3 -w 60 10.9.0.1'
echo "BACK after its replacement"
netherctl guests
grep ^DOMS /var/log/xen/console/guest-doms*.log
guest-destroy-all
