#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: switch.sh [short]: two protected guests and a switch domain between them, whose flows say what may pass; a third guest gets nothing.
# The switch dies, is started anew, and (not if short) is replaced; the guests, their pings and their TCP stream stay as they are. Says what was
# seen in capitals.
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
priority=10,icmp,icmp_type=8,in_port=@db,nw_src=10.9.0.8,actions=output:@web
priority=10,icmp,icmp_type=0,in_port=@web,nw_src=10.9.0.1,actions=output:@db
priority=10,tcp,in_port=@db,tp_dst=80,actions=output:@web
priority=10,tcp,in_port=@web,tp_src=80,actions=output:@db
priority=10,tcp,in_port=@db,nw_src=10.9.0.8,tp_dst=81,actions=output:@web
priority=10,tcp,in_port=@web,tp_src=81,actions=output:@db
priority=10,tcp,in_port=@db,tp_dst=5201,actions=output:@web
priority=10,tcp,in_port=@web,tp_src=5201,actions=output:@db'
echo "--- a switch domain with ports for web and db, and flows: db may ping web by two addresses, and speak to its ports 80 and 5201, to port" \
	"81 by the second address only; web may answer"
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
must replies db 10.9.0.1
must ask web 'for port in 80 81; do (while :; do echo "hello from $port" | nc -l -p $port; done) >/dev/null 2>&1 & done'
must ask db 'ip addr add 10.9.0.77/24 dev lan0 && ip addr add 10.9.0.8/24 dev lan0'

# What is refused has as long as what is allowed.
limit=20
echo "--- what the flows allow"
must ask db "/bin/ping -c 3 -w $limit 10.9.0.1"
echo "ALLOWED ping"
must ask db "nc -w $limit 10.9.0.1 80 </dev/null | grep hello"
must ask db "/bin/ping -c 1 -w $limit -I 10.9.0.8 10.9.0.1 >/dev/null"
echo "ALLOWED the second address"
must ask db "ip route add 10.9.0.1 dev lan0 src 10.9.0.8 && nc -w $limit 10.9.0.1 81 </dev/null | grep hello && ip route del 10.9.0.1"
echo "ALLOWED port 81 by the second address"
must bells web
must bells db
echo "--- what they do not: all of it in the same $limit s"
must ask web "rm -f /tmp/ping; (/bin/ping -c 1 -w $limit 10.9.0.2 >/dev/null; echo \$? >/tmp/ping) &"
must ask db "(nc -w $limit 10.9.0.1 81 </dev/null >/tmp/81 2>&1; echo \$? >>/tmp/81) & /bin/ping -c 1 -w $limit -I 10.9.0.77 10.9.0.1 >/dev/null; echo \$? >/tmp/77; wait"
must ask web 'until [ -f /tmp/ping ] && read -r status </tmp/ping; do sleep 1; done; [ "$status" = 1 ]'
echo "REFUSED ping by web"
must ask db '[ "$(tail -n 1 /tmp/81)" = 1 ] && ! grep hello /tmp/81'
echo "REFUSED port 81"
must ask db 'read -r status </tmp/77 && [ "$status" = 1 ]'
echo "REFUSED another's address"
netherctl guests
netherctl channels | tee /tmp/channels
[ "$(grep -c ', lan: open, ' /tmp/channels)" = 2 ] || { echo "FAILED: web's and db's channels" && exit 1; }
[ "$(grep -c ', lan: offered, .* to a launch digest; .* accepted 0 times' /tmp/channels)" = 1 ] || { echo "FAILED: eve's offer" && exit 1; }
must ask eve 'read -r c </sys/class/net/lan0/carrier && [ "$c" = 0 ] && read -r s </sys/class/net/lan0/nether/state && [ "$s" = waiting ]'
echo "REFUSED eve"
xl destroy eve

echo "--- the switch is destroyed, and started anew, while db pings web and sends it a TCP stream"
must traffic_start
must stream_flows
since-up db &
xl destroy doms
for guest in web db; do
	must carrier $guest 0
done
echo "CARRIER off"
must nether-doms start
[ "$(digest_of doms)" = "$first" ] || { echo "the switch's digest has changed" && exit 1; }
must replies db 10.9.0.1
must wait $!
echo "BACK after its end"
must stream_flows
must stream_shown
echo "STREAM goes on after its end"

[ "${1-}" != short ] || { guest-destroy-all && exit; }
echo "--- the next one takes its place"
before=$(xl domid doms)
must nether-doms replace
[ "$(xl domid doms)" != "$before" ] || { echo "it is the same domain" && exit 1; }
must doms_shows web=1
must doms_shows db=1
must replies db 10.9.0.1
echo "BACK after its replacement"
must stream_flows
must stream_shown
echo "STREAM goes on after its replacement"
netherctl guests
grep ^DOMS /var/log/xen/console/guest-doms*.log*
guest-destroy-all
