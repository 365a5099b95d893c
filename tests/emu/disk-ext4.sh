#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM guest as it is installed (GRUB, Debian's kernel, an ext4 root) boots from an encrypted disk and uses it: fsck, fio with
# verification, a clean end. While it runs, dom0 looks for what the guest has read and written, and does not find
# it. Then its owner opens the disk here, without dom0. The same guest without the monitor, on the plain disk: dom0 finds it.
# long
# timeout: 2100
# shellcheck disable=SC2154,SC2034 # lib.sh sets test_name, reads run_name and LAB_NO_MONITOR
. "$(dirname "$0")/lib.sh"
PATH=$PATH:/usr/sbin:/sbin

dir=build/test/emu-$test_name
overlay=$dir/overlay
rm -rf "$dir"
mkdir -p "$overlay/ext4"
tests/lab/lab images || fail "no test guests"

# The tenant: a disk with this run's marker on it, and that encrypted. The guest writes the marker reversed.
partition=offset=1048576
marker=$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')
reversed=$(printf %s "$marker" | rev)
cp --sparse=always build/lab/guests/ext4.img "$dir/raw"
yes "$marker" | head -n 200 >"$dir/marker"
debugfs -w -f - "$dir/raw?$partition" >"$dir/debugfs.log" 2>&1 <<END
rm /marker
write $dir/marker /marker
END
cp --sparse=always "$dir/raw" "$dir/plain"
image() { # what nether-image is to do with the disk
	action=$1
	shift
	build/nether-image "$action" --quiet --key "$overlay/ext4/key" "$@" || fail "nether-image $action"
}
build/nether-image key new "$overlay/ext4/key" || fail "nether-image key"
image encrypt --receipt-out "$overlay/ext4/receipt" "$dir/raw" "$dir/data" "$dir/sidecar"
cp "$overlay/ext4/receipt" "$dir/receipt"

# Decrypts data and sidecar to $dir/opened, by nether-image and by another reader, which has OpenSSL's AES-XTS.
opened() {
	image verify --receipt "$dir/receipt" "$dir/data" "$dir/sidecar"
	image decrypt --force --receipt "$dir/receipt" "$dir/data" "$dir/sidecar" "$dir/opened"
	python3 -B - "$overlay/ext4/key" "$dir/data" "$dir/sidecar" "$dir/opened" <<'END' || fail "two readers differ"
import sys
sys.path.insert(0, "tests/image")
from sidecar import Image
key, data, sidecar, opened = sys.argv[1:]
plain = Image(open(key, "rb").read(), data, sidecar).plaintext()
with open(opened, "rb") as f:
    sectors = iter(lambda: f.read(512), b"")
    sys.exit(any(plain.get(i, bytes(512)) != sector for i, sector in enumerate(sectors)))
END
}
opened
cmp "$dir/raw" "$dir/opened" || fail "another disk than was encrypted"

# dom0. It has the markers inverted, or it would find what it brought along.
printf %s "$marker$reversed" | python3 -c 'import sys
sys.stdout.buffer.write(bytes(b ^ 0xff for b in sys.stdin.buffer.read()))' >"$overlay/ext4/markers"
cp build/attack/disk-search "$overlay/ext4/search"
cp tests/lab/guests/hvm-ext4.cfg "$overlay/ext4/ext4.cfg"
echo '--disk hda=/dev/vda,/dev/vdb,key=/ext4/key,receipt=/ext4/receipt' >"$overlay/ext4/ext4.disks"
# Without firmware and GRUB, which take minutes to read the kernel.
cat tests/lab/guests/hvm-ext4.cfg - >"$overlay/ext4/direct.cfg" <<'END'
kernel = "/guests/vmlinuz"
ramdisk = "/guests/initrd-ext4"
cmdline = "root=/dev/sda1 ro console=ttyS0 quiet tsc=reliable nokaslr"
END
cat >"$overlay/ext4/run" <<'END'
cfg=$1
shift
log=/var/log/xen/console/serial-hvm-ext4.log
now() {
	read -r up _ </proc/uptime
	echo "-- $1 at ${up%.*}"
}
heard() { # REGEX SECONDS: waits until the guest has said it
	tries=0
	until grep -q "$1" $log; do
		tries=$((tries + 1))
		if [ $tries -gt "$2" ] || ! xl domid hvm-ext4 >/dev/null 2>&1; then
			echo "not heard: $1"
			tail -n 30 $log
			netherctl log | tail -n 5
			exit 1
		fi
		[ $((tries % 60)) != 0 ] || now "waiting for $1"
		sleep 1
	done
}
tell() { echo "$1" | nc 127.0.0.1 4555 >/dev/null; }
process() { # its number
	for at in /proc/[0-9]*; do
		tr '\0' ' ' <"$at/cmdline" | grep -q "^[^ ]*$1 " && echo "${at#/proc/}"
	done 2>/dev/null | head -n 1
}
depmod
modprobe virtio_pci && modprobe virtio_blk || exit 1
guest-up "$cfg" 1000 || exit 1
now up
for what; do
	case $what in
	fio)
		tell fio
		heard '^LAB-GUEST fio' 400
		now fio
		;;
	search)
		agent=$(process netherd)
		# shellcheck disable=SC2046 # words
		/ext4/search /ext4/markers ram "pid=$(process qemu-system-i386)" ${agent:+"pid=$agent"} $(ls /dev/vd?) \
			"domain=$(xl domid hvm-ext4)" || exit 1
		now searched
		;;
	esac
done
[ ! -x /usr/bin/netherctl ] || netherctl disks
tell down
heard '^LAB-GUEST marker' 60
tries=0
while xl domid hvm-ext4 >/dev/null 2>&1 || [ -n "$(pidof netherd)" ]; do
	tries=$((tries + 1))
	[ $tries -lt 120 ] || { echo "the guest does not end"; tail -n 20 $log; exit 1; }
	sleep 1
done
now down
tr -d '\r' <$log
[ ! -x /usr/bin/netherd ] || cat /ext4/receipt
END

run_name=emu-$test_name
in_dom0 'sh /ext4/run /ext4/ext4.cfg fio search' --overlay "$overlay" --dev-keys --disk "$dir/data" --disk "$dir/sidecar" \
	--timeout 1500

expect 'LAB-GUEST grub' "GRUB's word"
expect '^LAB-GUEST fsck status=0$' "fsck of the root at boot"
expect '^LAB-GUEST pio status=0$' "the marker, read by PIO"
expect '^LAB-GUEST up kernel=[0-9.-]*-cloud-amd64 .* lines=200$' "the guest's own report"
# What it wrote, it also read again; the mixed job has both.
expect '^mixed;0;[1-9][0-9]{3,};[1-9][0-9]{3,}$' "fio, mixed sizes"
expect '^deep;0;8192;8192$' "fio, many at once"
expect '^sync;0;256;256$' "fio, synchronous"
expect '^LAB-GUEST fio status=0 ' "fio"
expect '^disk 1, .*: live, drive 0 of guest 1; .*refused: 0 sectors, 0 nodes' "the monitor's count"
expect '^LAB-GUEST marker status=0$' "the marker, read again"
expect '^LAB-GUEST down fsck=0$' "fsck of the root at the end"
for place in ram pid=[0-9]+ /dev/vda /dev/vdb; do
	expect "^SEARCH $place: [0-9]+ KiB, 0 0, control found\$" "a search of $place"
done
expect '^SEARCH domain=[0-9]+: [0-9]{6} KiB, 0 0$' "a search of the guest's memory"
[ "$(printf '%s\n' "$output" | grep -c '^SEARCH pid=.* 0 0, control found')" = 2 ] || fail "searches of QEMU and netherd"

# The tenant again: the state is a new one, and whole.
printf '%s\n' "$output" | grep '^uuid=' >"$dir/receipt.new"
expect '^uuid=.* generation=([2-9]|[1-9][0-9]+) ' "a new generation"
mv "$dir/receipt.new" "$dir/receipt"
opened
e2fsck -fn "$dir/opened?$partition" || fail "e2fsck of what was decrypted"
debugfs -R 'cat /written' "$dir/opened?$partition" 2>/dev/null | rev | cmp - "$dir/marker" || fail "what the guest wrote"

LAB_NO_MONITOR=1
run_name=emu-$test_name-bare
in_dom0 'sh /ext4/run /ext4/direct.cfg search; : /guests initrd-ext4' --overlay "$overlay" --disk "$dir/plain" --timeout 600
for place in ram /dev/vda; do
	expect "^SEARCH $place: [0-9]+ KiB, [1-9][0-9]* [1-9][0-9]*, control found\$" "a search of $place without the monitor"
done
expect '^SEARCH pid=[0-9]+: [0-9]+ KiB, [1-9][0-9]* [0-9]+, control found$' "a search of QEMU without the monitor"
expect '^SEARCH domain=[0-9]+: [0-9]+ KiB, [1-9][0-9]* [1-9][0-9]*$' "a search of the guest without the monitor"
rm -f "$dir/raw" "$dir/plain" "$dir/data" "$dir/sidecar" "$dir/opened"
