#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: net-pair.sh netfront|MODE ROUNDS WORK.. A guest on a processor, and what answers it on another: dom0 on the first, behind its
# Open vSwitch, or the switch domain on the third, behind its own, with channels in nether-vif's MODE; dom0 has nothing to do then. WORK as in net.sh. Prints "BENCH KIND result" lines, and
# "BENCH tsc KHZ".
# shellcheck disable=SC1091 # the lab's
. channels.sh
way=$1 rounds=$2
shift 2
case $way in
netfront)
	client=client interface=eth0
	ovs-up || exit 3
	ip addr add 10.9.0.1/24 dev br0 || exit 3
	/net/net serve >/tmp/log 2>&1 &
	guest_start /net/client.cfg || exit 4
	xl vcpu-pin $client all 1 || exit 4
	;;
*)
	client=db interface=lan0
	guest_start /net/db.cfg || exit 4
	xl vcpu-pin $client all 1 || exit 4
	# shellcheck disable=SC2034 # of doms_start
	doms_more=/net/more
	doms_start "db lan digest:$(digest_of db) mode=$way" "actions=NORMAL" "ip addr add 10.9.0.1/24 dev br0
ip link set br0 up
net serve &" || exit 3
	xl vcpu-pin doms all 2 || exit 4
	ask $client "channel lan0 10.9.0.2/24 role=offer service=lan peer=digest:${doms:?} mode=$way" || exit 4
	;;
esac
# measure KIND BYTES COUNT; anew if a datagram was lost, which "LOST" tells
measure() {
	for _ in 1 2 3; do
		ask $client "rm -f /tmp/got; net $1 10.9.0.1 $2 $3 $interface >/tmp/got 2>/tmp/log && echo BENCH $1 \$(cat /tmp/got)" && return
		ask $client "echo LOST in $1 of $2 bytes: \$(cat /tmp/log)" || return 1
	done
	return 1
}
must replies $client 10.9.0.1
ask $client "echo BENCH tsc \$(dmesg | sed -n 's/.*tsc: Detected \([0-9]*\)\.\([0-9]*\) MHz.*/\1\2/p' | head -n 1)"
for round in $(seq "$rounds"); do
	for work in "$@"; do
		kind=${work%%:*} rest=${work#*:}
		measure "$kind" "${rest%:*}" "${rest#*:}" || exit 7
	done
	echo "--- round $round of $rounds"
done
xl vcpu-list
guest-destroy-all
