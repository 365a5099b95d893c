#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: uplink.sh [hvm]: a protected guest, web, behind a switch domain whose uplink dom0 has: nether-port --xen. What its flows let through and what
# not; nether-port is killed, and started again; the switch ends, and the next one has its uplink; a guest that breaks the ring's rules is
# cut off. With hvm: the switch domain is an HVM guest, and the test ends with its end. Says what was seen in capitals.
# shellcheck disable=SC1091 # the lab's
# shellcheck disable=SC2016 # for the guests' shells
. channels.sh
# Looking at rings less often than on a real machine: in an emulator each look is dear.
seldom="busy_us=0 sleep_us=20000"
log=/tmp/uplink.log

# uplink DOMAIN SERVICE DEVICE: dom0's end, in the background, as $port
uplink() {
	nether-port --xen "$1" --service "$2" --violations 50 --sleep 20000 "$3" >>$log 2>&1 &
	port=$!
}

# logged REGEX TIMES: waits until nether-port has said so as often
logged() {
	tries=0
	until [ "$(grep -c "$1" $log)" -ge "$2" ]; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || { echo "not in the log: $1" && cat $log && return 1; }
		usleep 100000
	done
}

carrier() {
	[ "$(cat /sys/class/net/up0/carrier)" = "$1" ]
}

# ends PID STATUS
ends() {
	status=0
	wait "$1" || status=$?
	[ $status = "$2" ] || { echo "nether-port has ended with $status" && cat $log && return 1; }
}

# What dom0's kernel has said since the last time; what bridges and devices say of their links is not meant.
kernel_is_quiet() {
	dmesg -c >/tmp/kernel
	cat /tmp/kernel >>/tmp/kernel.log
	! grep -Ei 'bug|warn|oops|trace|error|fail|privcmd|fault' /tmp/kernel
}

both_ways() {
	ask web '/bin/ping -c 3 -w 60 10.9.0.254' &&
		ask web 'nc -w 20 10.9.0.254 8080 </dev/null | grep "hello from dom0"' &&
		nc -w 20 10.9.0.1 80 </dev/null | grep "hello from web"
}

if [ "${1-}" = hvm ]; then
	must doms_hvm
	# The lab gives up a machine that says nothing.
	(while sleep 120; do echo "(at $(cut -d ' ' -f 1 /proc/uptime) s)"; done) &
fi
depmod
must modprobe tun
must tunctl -t up0 >/dev/null # it stays, with its address, when nether-port does not
must ip addr add 10.9.0.254/24 dev up0
must ip link set up0 up
for port in 8080 8081; do
	(while :; do echo "hello from dom0, $port" | nc -l -p $port; done) >/dev/null 2>&1 &
done

echo "--- a protected guest, and a switch domain with a port for it and an uplink"
must guest_start /net/web.cfg
ports="web lan digest:$(digest_of web) $seldom
uplink uplink host $seldom"
flows='priority=10,arp,in_port=@web,actions=output:@uplink
priority=10,arp,in_port=@uplink,actions=output:@web
priority=10,icmp,icmp_type=8,in_port=@web,actions=output:@uplink
priority=10,icmp,icmp_type=0,in_port=@uplink,actions=output:@web
priority=10,tcp,in_port=@web,tp_dst=8080,actions=output:@uplink
priority=10,tcp,in_port=@uplink,tp_src=8080,actions=output:@web
priority=10,tcp,in_port=@uplink,tp_dst=80,actions=output:@web
priority=10,tcp,in_port=@web,tp_src=80,actions=output:@uplink'
must doms_start "$ports" "$flows"
must ask web "channel lan0 10.9.0.1/24 role=offer service=lan peer=digest:${doms:?} $seldom"
must ask web 'for port in 80 81; do (while :; do echo "hello from web, $port" | nc -l -p $port; done) >/dev/null 2>&1 & done'
dmesg -c >/dev/null
must carrier 0
uplink "$(xl domid doms)" uplink up0
must doms_shows uplink=1
must doms_shows web=1
must carrier 1
must both_ways
echo "PASSED ping and TCP in both directions"
must_not ping -c 2 -w 5 10.9.0.1
must_not ask web 'nc -w 5 10.9.0.254 8081 </dev/null | grep hello'
must_not sh -c 'nc -w 5 10.9.0.1 81 </dev/null | grep hello'
echo "REFUSED by flows"
netherctl channels
id=$(netherctl channels | sed -n 's/^channel \([0-9]*\), uplink: .*/\1/p')
must_not nether-port --xen "$(xl domid doms)" "${id:?}" up1 2>/tmp/second
must grep 'another program has it' /tmp/second
must_not nether-port --xen "$(xl domid web)" "$id" up1 2>/tmp/web
must grep 'no such channel is offered to the host' /tmp/web
must both_ways
echo "REFUSED a second program, and another domain"

echo "--- nether-port is killed, and started again"
kill -KILL $port
ends $port 137
must carrier 0
must doms_shows uplink=0
uplink doms uplink up0
must logged attached 2
must doms_shows uplink=1
must both_ways
must kernel_is_quiet
echo "BACK after nether-port was killed"
grep '^DOMS up' /var/log/xen/console/guest-doms.log
netherctl guests

echo "--- the switch ends, and the next one is started; nether-port is left alone"
xl destroy doms
must logged 'for good' 1
must logged 'no such domain' 1
must carrier 0
must_not sh -c 'xl list | grep -E "null|doms"'
must kernel_is_quiet
must ask web 'echo alive'
[ "${1-}" != hvm ] || { cat $log && guest-destroy-all && exit; }
must nether-doms start
must doms_shows uplink=1
must doms_shows web=1
must both_ways
must kernel_is_quiet
echo "BACK with another switch"
kill -TERM $port
must ends $port 0
must doms_shows uplink=0

echo "--- a guest that breaks the ring's rules"
must ask web '(liar --guest cheat many=200 stay </dev/null >/dev/null 2>&1 &)'
uplink "$(xl domid web)" cheat up1
must ends $port 3
netherctl channels
must sh -c 'netherctl channels | grep -q "cheat: offered, .*; last ended by: a violation of the ring$"'
# docs/attestation.md: a channel's record has the service's 16 bytes, 68 others, and why it last ended.
must netherctl evidence "$(printf %064d 0)" /tmp/evidence
od -An -v -tx1 /tmp/evidence | tr -d ' \n' >/tmp/evidence.hex
must grep -q "$(printf cheat | od -An -tx1 | tr -d ' \n')0\{22\}.\{136\}02000000" /tmp/evidence.hex
must ask web 'echo alive'
echo "CUT OFF for violations"

echo "--- a guest closes its channel, and offers another; once while nether-port is dead"
liar='(liar --guest cheat stay </dev/null >/dev/null 2>&1 &)'
uplink "$(xl domid web)" cheat up1
must logged 'up1: attached' 2
must ask web 'killall liar'
must logged 'up1: for good' 1
must ask web "$liar"
must logged 'up1: attached' 3
kill -KILL $port
ends $port 137
must ask web 'killall liar'
must sh -c 'netherctl channels | grep "cheat: left by its offerer, "'
must ask web "$liar"
uplink "$(xl domid web)" cheat up1
must logged 'up1: attached' 4
must_not sh -c 'netherctl channels | grep "left by its offerer, "'
must kernel_is_quiet
echo "BACK with another channel"

echo "--- the guest ends"
xl destroy web
must ends $port 0
must logged 'no such domain' 2
must_not sh -c 'xl list | grep -E "null|web"'
must kernel_is_quiet
echo "ENDED with the guest"
cat $log /tmp/kernel.log
guest-destroy-all
