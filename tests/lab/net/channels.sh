# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# For commands in dom0 that have guests with channels, and a switch domain: `. channels.sh`.
# shellcheck disable=SC1091 # the lab's
. ask.sh

digest_of() {
	tries=0
	until netherctl launch "$(xl domid "$1")" >/tmp/launch 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || { cat /tmp/launch && return 1; }
		usleep 100000
	done
	sed -n 's/^launch digest (SHA-256) //p' /tmp/launch
}

# doms_start PORTS FLOWS: a switch domain with that configuration in its image; $doms is its digest
doms_start() {
	rm -rf /tmp/doms
	mkdir -p /tmp/doms/etc/doms
	printf '%s\n' "$1" >/tmp/doms/etc/doms/ports
	printf '%s\n' "$2" >/tmp/doms/etc/doms/flows
	# An archive of its own, before the image's, which libxc would unpack if it came first, and fail.
	{
		(cd /tmp/doms && find . | cpio -o -H newc 2>/dev/null)
		cat /net/doms/initrd
	} >/net/doms/initrd-configured || return 1
	nether-doms start || { tail -n 20 /var/log/xen/console/guest-doms.log && return 1; }
	# shellcheck disable=SC2034 # the caller's
	doms=$(digest_of doms)
}

# doms_hvm: switch domains are HVM guests from now on, which have kernel and initrd from their device model, byte by byte (26 MiB take minutes in
# an emulator), and its serial port for a console
doms_hvm() {
	sed -e 's/^type = .*/type = "hvm"/' -e '/^cmdline/s/hvc0/ttyS0 tsc=reliable/' /etc/nethervisor/doms.cfg >/etc/nethervisor/doms-hvm.cfg
	cat >>/etc/nethervisor/doms-hvm.cfg <<-'END'
		vga = "none"
		usb = 0
		vnc = 0
		xen_platform_pci = 0
		device_model_args_hvm = [ "-chardev", "file,id=log,path=/var/log/xen/console/guest-doms.log,append=on", "-serial", "chardev:log" ]
	END
	echo 'CFG=/etc/nethervisor/doms-hvm.cfg UP_SECONDS=1200' >>/etc/nethervisor/doms.conf
}

# doms_shows PORT=CARRIER [DOMAIN]: waits until the switch says so
doms_shows() {
	tries=0
	until grep '^DOMS ports' "/var/log/xen/console/guest-${2:-doms}.log" | tail -n 1 | grep -q " $1\\>"; do
		tries=$((tries + 1))
		[ $tries -lt 120 ] || { echo "the switch does not show $1:" && grep DOMS "/var/log/xen/console/guest-${2:-doms}.log" && return 1; }
		sleep 1
	done
}

# must COMMAND..: ends the test if it fails
must() {
	"$@" || { echo "FAILED: $*" && netherctl log | tail -n 10 && exit 1; }
}

must_not() {
	! "$@" || { echo "SUCCEEDED: $*" && exit 1; }
}
