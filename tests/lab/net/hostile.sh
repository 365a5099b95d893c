#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: a protected guest, web, with the driver; the other end of its channels is a program in another, eve, that keeps none of the ring's
# rules. What web counts, that it closes channels, that the evidence says why, that its kernel does not mind, and that it goes on with an honest
# switch, which eve is at last. Says what was seen in capitals.
# shellcheck disable=SC1091 # the lab's
# shellcheck disable=SC2016 # for the guests' shells
. channels.sh
seldom="busy_us=0 sleep_us=20000"

# more PORT COUNT [THAN]: waits until web has counted that; 60 s
more() {
	ask web "n=0; until [ \$(ethtool -S $1 | sed -n 's/^ *$2: //p') -gt ${3:-0} ]; do n=\$((n + 1)); [ \$n -lt 120 ] || exit 1; usleep 500000; done"
}

# attack COMMAND..: by eve, as soon as there is an offer, and web has room for one
attack() {
	ask eve "n=0; until endpoint $*; do n=\$((n + 1)); [ \$n -lt 60 ] || exit 1; sleep 1; done"
}

web_is_fine() {
	ask web '! dmesg | grep -Ei "bug:|warning|oops|trace|corrupt|hung|lost"'
}

# setting lanN NAME VALUE: of a new interface by that name
setting() {
	ask web "cd /sys/kernel/config/nether-vif/$1 && echo 0 >enable && echo $3 >$2 && echo 1 >enable && ip addr add 10.9.${1#lan}.1/24 dev $1 && ip link set $1 up"
}

must guest_start /net/web.cfg
must guest_start /net/eve.cfg
web=$(digest_of web) eve=$(digest_of eve)
must ask eve 'load nether-vif && mount -t configfs configfs /sys/kernel/config'
must ask web "channel lan0 10.9.0.1/24 role=offer service=lan peer=digest:$eve violations=50 retry_ms=500 $seldom"
must ask web "channel lan1 10.9.1.1/24 role=accept service=back peer=digest:$web violations=0 retry_ms=500 $seldom"
must ask web 'dmesg -c >/dev/null; (while :; do for to in 0 1; do /bin/ping -c 20 -i 0.05 -W 1 -s 1000 -b 10.9.$to.255 >/dev/null 2>&1; done; done) &'
must_not ask eve "endpoint hostile-offer back 1 $web" # which is not whom web takes it from
must setting lan1 peer "digest:$eve"

echo "--- a switch that writes what the ring's rules exclude"
must attack hostile lan 10
must more lan0 closed_violation
must web_is_fine
netherctl channels
must sh -c 'netherctl channels | grep -q ", lan: .*; last ended by: a violation of the ring$"'
# docs/attestation.md: a channel's record has the service's 16 bytes, 68 others, and why it last ended.
must netherctl evidence "$(printf %064d 0)" /tmp/evidence
od -An -v -tx1 /tmp/evidence | tr -d ' \n' >/tmp/evidence.hex
must grep -q "$(printf lan | od -An -tx1 | tr -d ' \n')0\{26\}.\{136\}02000000" /tmp/evidence.hex
echo "CLOSED for a hostile switch's violations"

echo "--- the same, if it may"
must setting lan0 violations 0
for kind in bad_index bad_place bad_length bad_offload q0_rx_bad_header q0_rx_packets; do
	until more lan0 $kind >/dev/null; do must attack hostile lan 20; done
done
must ask web "ethtool -S lan0 | grep -E ' (bad_|closed_|q0_rx_(bad|pack))'"
must web_is_fine
echo "COUNTED each kind of violation"

echo "--- a hostile offerer"
must attack hostile-offer back 20 "$web"
must more lan1 bad_offload
must more lan1 channel_attached 1
must setting lan1 violations 50
must attack hostile-offer back 10 "$web"
must more lan1 closed_violation
must web_is_fine
echo "CLOSED for a hostile offerer's violations"

echo "--- a switch whose heart stands still"
must attack silent lan 30
must more lan0 peer_stalled
must carrier web 0
must web_is_fine
echo "STALLED, and without a carrier"

echo "--- an honest one"
must ask eve "channel lan0 10.9.0.2/24 role=accept service=lan peer=digest:$web retry_ms=500 $seldom"
must carrier web 1
must replies eve 10.9.0.1
must web_is_fine
echo "BACK with an honest switch"
guest-destroy-all
