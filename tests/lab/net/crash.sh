#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: the switch domain panics, hangs, and its Open vSwitch hangs; `nether-doms run`, started again and again as by systemd, sees to
# the next one. The guests are asked nothing meanwhile. The image's `setup` has what causes the first and the last: a frame to a certain port.
# shellcheck disable=SC1091 # the lab's
# shellcheck disable=SC2016 # for the guests' shells
. channels.sh
for guest in web db; do
	must guest_start /net/$guest.cfg
done
seldom="busy_us=0 sleep_us=20000"
must doms_start "web lan digest:$(digest_of web) $seldom
db lan digest:$(digest_of db) $seldom" 'tcp,in_port=@db,tp_dst=7,priority=20,actions=output:97
tcp,in_port=@db,tp_dst=8,priority=20,actions=output:98
priority=10,in_port=@web,actions=output:@db
priority=10,in_port=@db,actions=output:@web' 'for trap in 97:panic 98:stop; do
	name=${trap#*:}
	ovs-vsctl add-port br0 $name -- set interface $name type=internal ofport_request=${trap%:*}
	ip link set $name up
done
frames() {
	read -r n </sys/class/net/$1/statistics/rx_packets && [ $n != 0 ]
}
(
	while sleep 1; do
		! frames panic || echo c >/proc/sysrq-trigger
		! frames stop || kill -STOP $(cat /run/openvswitch/ovs-vswitchd.pid)
	done
) &'
n=0
for guest in web db; do
	n=$((n + 1))
	must ask $guest "channel lan0 10.9.0.$n/24 role=offer service=lan peer=digest:${doms:?} $seldom"
done
must replies db 10.9.0.1
must traffic_start
must stream_flows
while :; do
	nether-doms run
	sleep 1
done &
keeper=$!

# next_one COMMAND..: which ends the switch domain sooner or later; waits for the next one, and for traffic
next_one() {
	before=$(xl domid doms)
	since-up db &
	must "$@"
	wait $! || { xl list && tail -n 40 /var/log/xen/console/guest-doms.log* && exit 1; }
	[ "$(xl domid doms)" != "$before" ] || { echo "it is the same domain" && exit 1; }
	must replies db 10.9.0.1
}

# frames PORT: to which nobody answers; the first may be lost
frames() {
	ask db "for n in 1 2 3 4 5; do nc -w 1 10.9.0.1 $1 </dev/null; done; true"
}

echo "--- a frame makes its kernel panic"
next_one frames 7
grep -a 'Kernel panic' /var/log/xen/console/guest-doms.log.1 || { echo "FAILED: no panic" && exit 1; }
echo "BACK after its panic"
echo "--- it gets no processor any more"
next_one xl pause doms
echo "BACK after it hung"
echo "--- a frame stops its Open vSwitch"
next_one frames 8
grep -a '^DOMS hangs' /var/log/xen/console/guest-doms.log.1 | head -n 1 | grep . || { echo "FAILED: no hang" && exit 1; }
echo "BACK after its Open vSwitch hung"
must stream_flows
must stream_shown
kill $keeper
netherctl channels
grep -a '^DOMS [^a]' /var/log/xen/console/guest-doms*.log*
guest-destroy-all
