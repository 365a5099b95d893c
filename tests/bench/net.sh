#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: net.sh netfront|channel WORK.. Two guests, and Open vSwitch in dom0 or in a switch domain between them; each WORK
# is "KIND:BYTES:COUNT", of net.c. Prints the asking guest's "BENCH KIND result" lines.
# shellcheck disable=SC1091 # the lab's
. channels.sh
way=$1
shift
case $way in
netfront)
	server=server client=client interface=eth0
	ovs-up || exit 3
	for guest in server client; do
		guest_start /net/$guest.cfg || exit 4
	done
	;;
channel)
	server=web client=db interface=lan0
	for guest in web db; do
		guest_start /net/$guest.cfg || exit 4
	done
	doms_start "web lan digest:$(digest_of web)
db lan digest:$(digest_of db)" "actions=NORMAL" || exit 3
	for guest in web:1 db:2; do
		ask ${guest%:*} "channel lan0 10.9.0.${guest#*:}/24 role=offer service=lan peer=digest:${doms:?}" || exit 4
	done
	;;
esac
ask $server "net serve >/tmp/log 2>&1 &" || exit 5
# Whose interface has no carrier yet has no answer.
ask $client "n=0; until /bin/ping -c 1 -w 1 10.9.0.1 >/tmp/log; do n=\$((n + 1)); [ \$n -lt 60 ] || exit 1; done" || {
	cat /proc/net/dev /var/log/openvswitch/ovs-vswitchd.log
	grep DOMS /var/log/xen/console/guest-doms.log
	exit 6
}
for work in "$@"; do
	kind=${work%%:*} rest=${work#*:}
	ask $client "echo BENCH $kind \$(net $kind 10.9.0.1 ${rest%:*} ${rest#*:} $interface 2>/tmp/log); cat /tmp/log" || exit 7
done
ask $server "iperf3 -s -D -1 >/tmp/iperf3" && ask $client "sleep 0.5; iperf3 -c 10.9.0.1 -t 1 -f m | tail -n 4" || exit 8
guest-destroy-all
