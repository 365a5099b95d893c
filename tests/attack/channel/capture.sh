#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: capture.sh MARKER: two protected guests send each other a marker through a switch domain, and dom0 looks for it in its interfaces,
# its own memory and all that it can map of the three. MARKER: 64 hexadecimal digits, each of which the guests take for 15 less it, so that
# dom0 does not have the marker before a guest gives it to it; /attack/markers has it for disk-search.
# shellcheck disable=SC1091 # the lab's
# shellcheck disable=SC2016 # for the guests' shells
. channels.sh
seldom="busy_us=0 sleep_us=20000"
for guest in web db; do
	must guest_start /net/$guest.cfg
done
must doms_start "web lan digest:$(digest_of web) $seldom
db lan digest:$(digest_of db) $seldom" "actions=NORMAL"
n=0
for guest in web db; do
	n=$((n + 1))
	must ask $guest "channel lan0 10.9.0.$n/24 role=offer service=lan peer=digest:${doms:?} $seldom"
	must ask $guest "echo $1 | tr 0123456789abcdef fedcba9876543210 >/tmp/marker"
done
must doms_shows web=1
must doms_shows db=1
echo "dom0's interfaces: $(echo /sys/class/net/* | sed 's,/sys/class/net/,,g')"

echo "--- web sends it again and again"
must ask web '(while cat /tmp/marker; do usleep 50000; done | nc -l -p 80) >/dev/null 2>&1 &'
must ask db 'm=$(cat /tmp/marker); (sleep 100000 | nc 10.9.0.1 80 | { n=0; while read -r l; do [ "$l" != "$m" ] || n=$((n + 1)); echo $n >/tmp/got; done; }) >/dev/null 2>&1 &'
must ask db 'until [ -s /tmp/got ] && [ "$(cat /tmp/got)" -gt 0 ]; do sleep 1; done'
/attack/disk-search /attack/markers ram "pid=$(pidof xenconsoled)" \
	"domain=$(xl domid web)" "domain=$(xl domid db)" "domain=$(xl domid doms)" || exit 1
must ask db 'a=$(cat /tmp/got); sleep 5; b=$(cat /tmp/got); [ "$b" -gt "$a" ] && echo still receiving'

echo "--- web gives it to dom0, by its console"
must ask web 'cat /tmp/marker' >/dev/null
/attack/disk-search /attack/markers ram "domain=$(xl domid web)" | sed 's/SEARCH/GIVEN/'
guest-destroy-all
