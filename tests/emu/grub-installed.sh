#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make install` and its GRUB script leave in a /boot with Debian's Xen and Linux does boot.
# timeout: 480
# shellcheck disable=SC2154 # lib.sh sets run_name, output
. "$(dirname "$0")/lib.sh"

root=$PWD/build/lab/$run_name
uuid=2026-01-02-03-04-05-06 # of the lab's CD images (labkit/grub.py)
unset MAKEFLAGS MAKELEVEL MFLAGS

tests/lab/lab images || fail "the images cannot be built"
rm -rf "$root"
mkdir -p "$root/boot" "$root/tools" "$root/etc/default"
cp build/lab/debian/boot/{xen,vmlinuz,config}-* "$root/boot" || fail "Debian's /boot"
for f in "$root"/boot/vmlinuz-*; do
	: >"$root/boot/initrd.img-${f##*/vmlinuz-}" # the lab puts its own there
done
make -s install DESTDIR="$root" >"$root/log" 2>&1 || fail "make install: $(cat "$root/log")"

# The tools that want real devices are told of the CD.
cat >"$root/tools/grub-mkrelpath" <<END
#!/bin/sh
echo "\${1#$root}"
END
cat >"$root/tools/grub-probe" <<END
#!/bin/sh
case "\$*" in
*target=fs_uuid*) echo $uuid ;;
*target=fs*) echo iso9660 ;;
esac
END
chmod +x "$root"/tools/*
env -i PATH="$PATH" grub_probe="$root/tools/grub-probe" grub_mkrelpath="$root/tools/grub-mkrelpath" \
	NETHERVISOR_BOOT="$root/boot" NETHERVISOR_DEFAULTS="$root/etc/default/grub-nethervisor" \
	GRUB_DEVICE=/dev/sr0 GRUB_DEVICE_UUID=$uuid GRUB_DEVICE_BOOT=/dev/sr0 GRUB_FS=iso9660 \
	GRUB_DISTRIBUTOR=Debian GRUB_NETHERVISOR_BACKEND=svm \
	GRUB_CMDLINE_LINUX="console=hvc0 panic=1 rdinit=/init" GRUB_CMDLINE_LINUX_DEFAULT=quiet \
	GRUB_CMDLINE_XEN="com1=115200,8n1 console=com1 dom0_mem=640M,max:640M" \
	GRUB_CMDLINE_XEN_DEFAULT=loglvl=all \
	"$root/etc/grub.d/19_nethervisor" >"$root/grub.cfg" 2>"$root/log" ||
	fail "the GRUB script: $(cat "$root/log")"
grep -q "search .*--set=root.* $uuid" "$root/grub.cfg" || fail "the entry does not look for its disk"

# GRUB takes the first entry.
kernel=$(basename build/lab/debian/boot/vmlinuz-*[0-9]-amd64)
in_dom0 'netherctl version; xl dmesg | grep -E "Bootloader:|RAM map:"
	cat /proc/cmdline; echo "vmlinuz-$(uname -r)"' --boot-root "$root" --timeout 420
sed '/^nethervisor: version/q' "build/lab/runs/$run_name/xen.log" | grep -a 'error: ' && fail "GRUB's errors"
expect '^monitor .*, backend svm' "the monitor's version"
expect '^\(XEN\) Bootloader: GRUB 2' "the boot loader"
expect '^\(XEN\) Xen-e820 RAM map:' "where Xen has its memory map from"
expect '^vmlinuz root=.* ro console=hvc0 panic=1 rdinit=/init quiet' "dom0's command line"
expect "^$kernel\$" "dom0's kernel"
rm -rf "$root"
