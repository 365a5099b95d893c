#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM Linux guest with two vCPUs, an emulated disk and VGA: dom0 sees its screen and its
# video memory, but not its memory; xl lists, pauses and destroys it.
# alone
# timeout: 900
# shellcheck disable=SC2154 # lib.sh sets test_name, run_name, output
. "$(dirname "$0")/lib.sh"

in_dom0 "$(cat <<'END'
log=/var/log/xen/console/serial-hvm-pio.log
sed 's/^vcpus = .*/vcpus = 2/' /guests/hvm-pio.cfg >/tmp/hvm.cfg
. beats.sh
seen() { xl qemu-monitor-command hvm-pio "xp /1xw $1" | tr -d '\r' | sed -n 's/^[0-9a-f]*: //p'; }

guest-up /tmp/hvm.cfg 700 || exit 1
beats_on "at first"
xl list hvm-pio | awk 'NR == 2 { print "listed:", $3, $4 }'
echo "running on CPUs: $(xl vcpu-list hvm-pio | awk '$1 == "hvm-pio" && $4 != "-"' | wc -l)"
xl qemu-monitor-command hvm-pio "screendump /tmp/screen" >/dev/null
echo "screen $(head -c 15 /tmp/screen | sed -n 2p), $(tail -c +16 /tmp/screen | tr -d '\000' | wc -c) bytes not black"
echo "video memory as dom0 sees it: $(seen 0xf0800000)"
xl pause hvm-pio
xl list hvm-pio | awk 'NR == 2 { print "paused:", $5 }'
silent
# Its kernel's banner, by the device model's own mappings of its memory: the kernel is at 16 MiB.
xl qemu-monitor-command hvm-pio 'pmemsave 0x1000000 0x2e00000 "/tmp/memory"' >/dev/null
echo "dumped $(stat -c %s /tmp/memory) bytes; with the kernel's name: $(grep -ac 'Linux version' /tmp/memory)"
xl unpause hvm-pio
beats_on "after xl unpause"
netherctl launch "$(xl domid hvm-pio)"
xl destroy hvm-pio || exit 1
guest-destroy-all
echo "domains left: $(($(xl list | wc -l) - 1))"
END
)" --cpus 2 --timeout 840
expect '^LAB-GUEST up nproc=2 .*vram=0x600DCAFE' "the guest's own report"
expect '^listed: 19[0-9] 2$' "xl list"
expect '^running on CPUs: 2$' "xl vcpu-list"
expect '^screen 720 400, [0-9]{4,} bytes not black$' "text on its screen"
expect '^video memory as dom0 sees it: 0x600dcafe' "video memory"
expect '^paused: -[b-]p---$' "xl pause"
expect '^domains left: 1$' "the end of the guest"
if [ -n "${LAB_NO_MONITOR:-}" ]; then
	expect "^dumped 48234496 bytes; with the kernel's name: [1-9]" "the dump without a monitor"
else
	expect "^dumped 48234496 bytes; with the kernel's name: 0" "a dump without secrets"
	expect '^launch digest \(SHA-256\) [0-9a-f]{64}$' "the guest was isolated"
fi
