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

# doms_heard: what switch domains say goes to dom0's console, too: the lab hears that something goes on, and has it in a failed run's log
doms_heard() {
	[ -z "${hearer-}" ] || return 0
	tail -q -n 0 -F /var/log/xen/console/guest-doms.log /var/log/xen/console/guest-doms-next.log >/dev/console 2>/dev/null &
	hearer=$!
}

# doms_start PORTS FLOWS [SETUP]: a switch domain with that configuration in its image, and with the files in the directory $doms_more, if it is
# set; $doms is its digest
doms_start() {
	rm -rf /tmp/doms
	mkdir -p /tmp/doms/etc/doms
	printf '%s\n' "$1" >/tmp/doms/etc/doms/ports
	printf '%s\n' "$2" >/tmp/doms/etc/doms/flows
	[ -z "${3-}" ] || printf '%s\n' "$3" >/tmp/doms/etc/doms/setup
	[ -z "${doms_more-}" ] || cp -R "$doms_more/." /tmp/doms || return 1
	# An archive of its own, before the image's, which libxc would unpack if it came first, and fail.
	{
		(cd /tmp/doms && find . | cpio -o -H newc 2>/dev/null)
		cat /net/doms/initrd
	} >/net/doms/initrd-configured || return 1
	doms_heard
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

# doms_shows PORT=CARRIER: waits until the switch says so
doms_shows() {
	tries=0
	until grep '^DOMS ports' /var/log/xen/console/guest-doms.log | tail -n 1 | grep -q " $1\\>"; do
		tries=$((tries + 1))
		[ $tries -lt 120 ] || { echo "the switch does not show $1:" && grep DOMS /var/log/xen/console/guest-doms.log && return 1; }
		sleep 1
	done
}

# carrier GUEST 0|1: waits until its port has that; 20 s
carrier() {
	ask "$1" "n=0; until read -r c </sys/class/net/lan0/carrier && [ \"\$c\" = $2 ]; do n=\$((n + 1)); [ \$n -lt 100 ] || exit 1; usleep 200000; done"
}

# replies GUEST ADDRESS: waits until it answers that guest's ping, which gives up at once where there is no neighbour; 60 s and more
replies() {
	ask "$1" "n=0; until /bin/ping -c 1 -w 5 $2 >/dev/null; do n=\$((n + 1)); [ \$n -lt 60 ] || exit 1; sleep 1; done"
}

# bells GUEST: how many its ports have heard, by Xen's event channels; fails if none
bells() {
	ask "$1" "awk '/nether-vif/ { for (i = 2; \$i ~ /^[0-9]+\$/; i++) n += \$i } END { print \"BELLS heard:\", n + 0; exit !n }' /proc/interrupts"
}

# traffic_start: db pings web, and sends it a TCP stream of 12 KB/s, all the time. What db says of its pings when they come back is
# `pinging`'s.
traffic_start() {
	ask web 'iperf3 -s -i 1 --forceflush --rcv-timeout 900000 >/tmp/stream 2>&1 &' &&
		ask db 'iperf3 -c 10.9.0.1 -t 3600 -b 100K -l 2K --pacing-timer 100000 -i 60 >/tmp/client 2>&1 & pinging 10.9.0.1 lan0 &'
}

# stream_flows: waits until web has got something in the last second; 300 s
stream_flows() {
	ask web 'n=0; until tail -n 1 /tmp/stream | grep -q "sec  *[1-9]"; do n=$((n + 1)); [ $n -lt 300 ] || exit 1; sleep 1; done'
}

# stream_shown: what web has got of the stream: its iperf3's lines where the stream stopped for more than 5 s, and a sum
stream_shown() {
	ask web 'cat /tmp/stream' >/tmp/stream || return 1
	awk '
		/ connected to / { print; connections++ }
		/ error / { print; failed = 1 }
		/ sec / { line[++n] = $0 }
		END {
			for (i = 1; i <= n; i = end) {
				for (end = i; end <= n && line[end] ~ / 0\.00 Bytes /; end++)
					;
				if (end - i <= 5) {
					data += end - i + (end <= n)
					end++
					continue
				}
				print line[i - 1]
				print line[i]
				print line[end - 1]
				print line[end]
				sum = sum data " s of data, " end - i " s without, "
				data = 0
			}
			if (connections != 1 || failed || !data)
				exit 1
			print "STREAM in one TCP connection: " sum data " s of data"
		}' /tmp/stream || { cat /tmp/stream && return 1; }
}

# must COMMAND..: ends the test if it fails
must() {
	"$@" || { echo "FAILED: $*" && netherctl log | tail -n 10 && exit 1; }
}

must_not() {
	! "$@" || { echo "SUCCEEDED: $*" && exit 1; }
}
