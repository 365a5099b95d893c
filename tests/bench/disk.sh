#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs in dom0: disk.sh plain|encrypted. A guest with a disk of 1 GiB (sparse, in memory), plain or encrypted, from which it
# boots; prints its "BENCH" lines (disk-init), then what the monitor says of the disk.
mkdir /tmp/disk && mount -t tmpfs tmpfs /tmp/disk && mv /disk/boot.img /tmp/disk/data && cd /tmp/disk || exit 1
truncate -s 1073741824 data
if [ "$1" = encrypted ]; then
	mv data source
	/disk/nether-image key new key &&
		/disk/nether-image encrypt --quiet --key key --receipt-out receipt source data sidecar || exit 2
	rm source
fi
xl create -q -p /disk/disk.cfg || exit 3
if [ "$1" = encrypted ]; then
	mkfifo ready
	netherd --foreground --domain "$(xl domid disk)" --disk hda=/tmp/disk/data,/tmp/disk/sidecar,key=/tmp/disk/key,receipt=/tmp/disk/receipt \
		--ready-fd 3 3>ready >netherd.log 2>&1 &
	read -r _ <ready || { cat netherd.log && exit 4; }
fi
until tty=$(xenstore-read "/local/domain/$(xl domid disk)/serial/0/tty" 2>/dev/null) && [ -c "$tty" ]; do
	usleep 10000
done
stty -F "$tty" raw -echo
exec 3<>"$tty"
xl unpause disk || exit 3
while read -r line <&3; do
	echo "$line"
	case $line in "BENCH end"*) break ;; esac
done
[ "$1" = plain ] || netherctl disks
xl destroy disk
