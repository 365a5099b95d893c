#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest with an encrypted disk boots from it, and not what dom0 would have it boot: a CD that QEMU says is first, a
# kernel in fw_cfg, an option ROM of the VGA, an SD card in the place of its disk, settings in xenstore (R24). Without the
# monitor each does it.
# timeout: 600
# shellcheck disable=SC2154,SC2034 # lib.sh sets test_name, reads run_name and LAB_NO_MONITOR
. "$(dirname "$0")/lib.sh"

overlay=build/test/emu-$test_name
work=$overlay/enc
rm -rf "$overlay"
mkdir -p "$work/cd"
tests/lab/lab images || fail "no test guests"
cp build/lab/guests/tiny.img "$work/plain"
build/nether-image key new "$work/key" || fail "nether-image key"
build/nether-image encrypt --quiet --key "$work/key" --receipt-out "$work/receipt" \
	"$work/plain" "$work/data" "$work/sidecar" || fail "nether-image encrypt"

# The host's code, in its four forms.
form() { # NAME [OPTION]
	object=build/test/emu-$test_name.o
	cc -m32 ${2:+"$2"} -c -o "$object" tests/emu/host_code.S || fail "cc for $1"
	ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$work/$1" "$object" || fail "ld for $1"
}
form cd/boot
form rom -DROM
form kernel -DKERNEL
xorriso -as mkisofs -quiet -o "$work/iso" -b boot -c catalog -no-emul-boot -boot-load-size 1 "$work/cd" ||
	fail xorriso
cp "$work/cd/boot" "$work/sd"
truncate -s 1M "$work/sd"
python3 - "$work/rom" <<'END' || fail "the ROM's checksum"
import sys
rom = bytearray(open(sys.argv[1], "rb").read())
rom[-1] = -sum(rom) & 0xff
rom += bytes(4096 - len(rom)) # Xen maps pages
open(sys.argv[1], "wb").write(rom)
END

# guest NAME DISKS SETTINGS ARGUMENTS [vga]: hvm-NAME.cfg
guest() {
	{
		sed -e "s#hvm-tiny#hvm-$1#g" -e "s#^disk = .*#disk = [ $2 ]#" -e '/^boot =/d' -e '/^]/d' \
			${5:+-e '/^vga =/d' -e '/^memory =/d'} tests/lab/guests/hvm-tiny.cfg
		for argument in $4; do
			echo "	\"$argument\","
		done
		printf ']\non_reboot = "destroy"\n%s\n' "$3"
	} >"$work/hvm-$1.cfg"
}
plain="'/enc/plain,raw,hda,rw,backendtype=qdisk'"
data="'/enc/data,raw,hda,rw,backendtype=qdisk'"
cd="'/enc/iso,raw,hdc,ro,devtype=cdrom,backendtype=qdisk'"
vga='vga = "stdvga"
memory = 48
'
kernel='kernel = "/enc/kernel"'
rom="-global VGA.romfile=/enc/rom"
sd="-drive file=/enc/sd,format=raw,if=none,id=sd -device sdhci-pci -device sd-card,drive=sd"
guest cd "$plain, $cd" 'boot = "dc"' ""
guest kernel "$plain" "$kernel" ""
guest rom "$plain" "$vga" "$rom" vga
guest sd "" "" "$sd"
guest own "$plain" 'boot = "c"' ""
guest all "$data, $cd" "$vga$kernel
boot = \"dc\"" "$rom $sd" vga
guest none "$cd" "$vga$kernel
boot = \"dc\"" "$rom $sd" vga
keys='--disk hda=/enc/data,/enc/sidecar,key=/enc/key,receipt=/enc/receipt'
echo "$keys --plain hdc" >"$work/hvm-all.disks"
echo "$keys,consent" >"$work/hvm-none.disks" # as it was left by the guest before

cat >"$work/run" <<'END'
setting() { # GUEST: once it is there, and paused until netherd is ready, its firmware is to be another one
	until d=$(xl domid $1 2>/dev/null) && [ "$(xl list $d | awk 'NR == 2 { print $5 }')" = --p--- ] &&
			xenstore-exists /local/domain/$d/hvmloader/bios; do
		usleep 20000
	done
	xenstore-write /local/domain/$d/hvmloader/bios none
}
setting hvm-all &
guest-up /enc/hvm-all.cfg 200 || exit 1
wait $!
echo "setting: $(xenstore-read /local/domain/$(xl domid hvm-all)/hvmloader/bios)"
xl dmesg | grep 'Unknown BIOS'
netherctl guests
netherctl disks
guest-destroy-all
tries=600
while [ -n "$(pidof netherd)" ]; do # until it has closed the image
	tries=$((tries - 1))
	[ $tries -gt 0 ] || { echo "netherd does not end"; exit 1; }
	usleep 100000
done
xl dmesg -c >/dev/null
guest-up /enc/hvm-none.cfg 200 >/tmp/none 2>&1 &
log=/var/log/xen/console/serial-hvm-none.log
until xl dmesg | grep 'No bootable device' || grep -s LAB-GUEST $log; do
	kill -0 $! || { cat /tmp/none; exit 1; }
	sleep 1
done
kill $!
netherctl guests | sed 's/^/none: /'
guest-destroy-all
END
run_name=emu-$test_name
in_dom0 'sh /enc/run' --overlay "$overlay" --dev-keys --timeout 500
expect '^LAB-GUEST up boot sector$' "the guest's own boot sector"
expect '^ +[0-9]+ +1 +sealed .*running' "that it is sealed"
expect '^setting: none$' "what dom0 has put into xenstore"
expect '^none: +[0-9]+ +1 +sealed .*running' "that the other guest is sealed"
expect '^\(d[0-9]+\) No bootable device' "the firmware of the guest without a disk"
if printf '%s\n' "$output" | grep "the host's code"; then
	fail "the guest runs it"
fi

cat >"$work/run" <<'END'
for name in own cd kernel rom sd; do
	guest-up /enc/hvm-$name.cfg 200 | sed "s/^/$name: /"
	guest-destroy-all
done
xl create -qp /enc/hvm-own.cfg || exit 1
xenstore-write "/local/domain/$(xl domid hvm-own)/hvmloader/bios" none
xl unpause hvm-own
tries=600
until xl dmesg | grep 'Unknown BIOS'; do
	tries=$((tries - 1))
	[ $tries -gt 0 ] || exit 1
	usleep 100000
done
END
run_name=emu-$test_name-bare
LAB_NO_MONITOR=1
in_dom0 'sh /enc/run' --overlay "$overlay" --timeout 400
expect '^own: LAB-GUEST up boot sector$' "the guest alone, without the monitor"
expect 'Unknown BIOS none' "the firmware's settings without the monitor"
for name in cd kernel rom sd; do
	expect "^$name: LAB-GUEST up with the host's code" "$name without the monitor"
done
