#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# netherd on Xen, without the monitor, which is pretended (tests/ctl/fake_disks.c), as are the keys' use and the guest's being
# launched. The guest does to the mailbox what the monitor will (tests/lab/guests/mailbox.S), while netherd is killed,
# told to end, and started again.
# timeout: 900
. "$(dirname "$0")/lib.sh"

overlay=build/test/emu-netherd
rm -rf $overlay
mkdir -p $overlay/usr/bin $overlay/t
cp build/ctl/netherd $overlay/usr/bin/netherd
# A master key, a sidecar's header, and what of the derived keys the pretended monitor shows.
python3 - $overlay/t <<'END' || fail "python3"
import hashlib, hmac, os, sys
def hkdf(salt, secret, info, n):
    prk, out, t = hmac.digest(salt, secret, "sha256"), b"", b""
    while len(out) < n:
        t = hmac.digest(prk, t + info + bytes([len(out) // 32 + 1]), "sha256")
        out += t
    return out[:n]
os.chdir(sys.argv[1])
key, uuid = bytes(range(100, 132)), bytes(range(16))
name = b"nethervisor disk v1 "
with open("sidecar", "wb") as f:
    f.write(b"NETHDISK" + bytes([1, 0, 0, 0, 1, 0, 0, 0]) + uuid + hkdf(b"", key, name + b"key id", 16) + bytes(8144))
with open("data", "wb") as f:
    f.truncate(1 << 20)
with open("key", "wb") as f:
    f.write(key)
xts, tag = hkdf(uuid, key, name + b"xts", 64), hkdf(uuid, key, name + b"tag", 32)
with open("expected", "w") as f:
    f.write("xts %02x%02x tag %02x%02x\n" % (xts[0], xts[63], tag[0], tag[31]))
END
cat >$overlay/t/run <<'END'
export FAKE_MONITOR=/t/fake
cd /t
chmod 600 key
disk=hda=/t/data,/t/sidecar,key=/t/key,receipt=/t/receipt
console=/var/log/xen/console/serial-hvm-mailbox.log
die() { echo "FAILED: $*"; tail -c 300 $console; xl list; ls -l /run/netherd; exit 1; }
dots() { tr -cd . <$console | wc -c; }
await() { # SECONDS CONDITION
	tries=$(($1 * 10))
	until eval "$2"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || die "not within $1 s: $2"
		usleep 100000
	done
}
gone() { ! kill -0 "$1" 2>/dev/null; }

netherd --domain 1 --disk $disk 2>err && die "a domain that is not there"
grep -q "no domain '1'" err || die "$(cat err)"
: >$console
xl create -q -p /guests/hvm-mailbox.cfg || die create
id=$(xl domid hvm-mailbox)
netherd --domain hvm-mailbox --disk $disk --ready-fd 5 2>err 5>ready || die "netherd: $(cat err)"
cat err ready
first=$(pidof netherd)
[ "$(cat ready)" = ready ] || die "no word on --ready-fd"
grep -q "$(cat expected)" err || die "other keys than $(cat expected)"
netherd --foreground --domain $id --disk $disk 2>err && die "a second one"
cat err
touch fake.live
xl unpause $id
await 60 '[ $(dots) -ge 2 ]'

echo "killed"
kill -9 $first
sleep 1
before=$(dots)
sleep 2
[ $before = $(dots) ] || die "the guest goes on without netherd"
[ $before -lt 32 ] || die "the guest was too fast"
netherd --domain $id --disk $disk 2>err || die "again: $(cat err)"
cat err
await 60 '[ $(dots) -gt $((before + 1)) ]'

echo "told to end"
second=$(pidof netherd)
kill -TERM $second
await 5 'gone $second'
[ -f /run/netherd/domain-$id ] || die "no state is left"
before=$(dots)
[ $before -lt 32 ] || die "the guest was too fast"
netherd --foreground --domain $id --disk $disk >out 2>&1 &
third=$!
await 10 'grep -q "ready again" out'
await 200 'grep -q "LAB-GUEST up mailbox" $console'
cat out
[ $(dots) = 32 ] || die "$(dots) dots"
# Each list has left its number.
for n in 0 1 255 4000 8191; do
	[ "$(od -An -tu4 -N4 -j $((16384 + 4 * n)) sidecar | tr -d ' ')" = $n ] || die "number $n"
done

echo "destroyed"
xl destroy $id
sleep 3
gone $third && die "it did not wait for the monitor: $(cat out)"
xl list
touch fake.over
await 10 'gone $third'
wait $third || die "status $?: $(cat out)"
cat out receipt
[ ! -e /run/netherd/domain-$id ] || die "state is left"
[ "$(dd if=sidecar bs=1 skip=1000 count=6 2>/dev/null)" = closed ] || die "not closed"
await 10 '[ $(xl list | wc -l) = 2 ]'

echo "destroyed while there is none"
rm fake.over fake.live
xl create -q -p /guests/hvm-mailbox.cfg || die create
netherd --domain hvm-mailbox --disk $disk 2>err || die "netherd: $(cat err)"
cat err
touch fake.live
kill -9 $(pidof netherd)
xl destroy hvm-mailbox
await 10 '[ $(xl list | wc -l) = 2 ]'
touch fake.over
netherd --foreground --domain hvm-mailbox --disk $disk || die "not adopted"
[ ! -e fake ] || die "not closed"
echo "all done"
END
LAB_NO_MONITOR=1 in_dom0 'sh /t/run # /guests/hvm-mailbox' --overlay $overlay --timeout 600
expect '^all done$' "the end"
