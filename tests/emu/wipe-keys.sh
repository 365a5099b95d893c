#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A guest runs from a disk whose keys its tenant has released to the monitor, when dom0 ends the machine. Before that the keys, in the
# forms in which they are used, are in the monitor's memory and nowhere else, and what the guest has read of its disk is in the
# guest's, where dom0 does not find it; behind it none of them is there.
# timeout: 1200
# shellcheck disable=SC2154 # lib.sh and tenant.sh set run_name, story, line, host, pin, marker, host_log
. "$(dirname "$0")/lib.sh"
. tests/lab/tenant.sh

ram=/dev/shm/nethervisor-$run_name.$$
trap 'host_stop; rm -f "$ram"' EXIT
trap 'exit 1' HUP INT TERM

# find_keys WHEN: into the file of that name
find_keys() {
	tests/emu/find-keys "$ram" "$start" "$mib" "$story/tenant/disk.key" "$story/tenant/receipt" "$marker" >"$story/$1" || fail "$1: nothing to search"
	sed "s/^/$1: /" "$story/$1"
}

# used NAME..: found in the monitor's memory, and there only
used() {
	local name

	for name; do
		grep -Eq "^$name [1-9][0-9]* 0\$" "$story/running" || fail "$name is not where it must be while the guest runs"
	done
}

# What runs in dom0. It ends the machine when the tenant begins to upload an image of the name `end`.
# shellcheck disable=SC2016 # for dom0's shell
command='
	netherctl log | grep " MiB for the monitor at "
	guest-digest /etc/nethervisor/vms/demo.cfg || exit 1
	guest-watch demo || exit 1
	guest-attack demo || exit 1
	echo "dom0 has looked"
	until [ -e /var/lib/nethervisor/api/images/tenant/end ]; do usleep 200000; done
	netherctl disks
	case $(xl info xen_commandline) in *reboot=off*) poweroff -f ;; *) reboot -f ;; esac
	sleep 60
'

# ending HOW
ending() {
	rm -f "$ram"
	host_start "$run_name-$1" 900 "$command" --ram "$ram" --xen-args "reboot=$1" || fail "$1: the host did not come up"
	host_says ' MiB for the monitor at ' || fail "$1: no word of the monitor's memory"
	mib=$(printf '%s\n' "$line" | sed -En 's/.* ([0-9]+) MiB for the monitor at .*/\1/p')
	start=$(printf '%s\n' "$line" | sed -En 's/.* MiB for the monitor at ([0-9a-f]+),.*/\1/p')
	host_says '^launch digest .*[0-9a-f]{64}' || fail "$1: no launch digest"
	digest=${line##* }
	rm -f "$story/tenant/first.json" "$story/tenant/policy"
	story_trust "$run_name-$1" || fail "$1: no policy"
	build/nether-image upload --tls-pin "$pin" --token-file "$story/tenant/token" --name demo "$host" \
		"$story/tenant/data" "$story/tenant/sidecar" >"$story/upload.txt" || fail "$1: the upload"
	release "$digest" --vm demo || fail "$1: the release"
	host_says '^dom0 has looked' || fail "$1: the guest did not come up"
	withstood "$host_log" || { grep -a -e ^SEARCH -e ^REGISTERS "$host_log"; fail "$1: dom0 has found something of the guest's"; }

	find_keys running
	used xts-data xts-tweak hmac-sector hmac-node hmac-header hmac-journal
	[ "$(grep -Ec '^[a-z-]+ 0 0$' "$story/running")" = 6 ] || fail "$1: other keys are in memory than those that are used"
	grep -Eq '^marker [0-9]+ [1-9]' "$story/running" || fail "$1: the guest has not what it has read, so dom0 proves nothing"

	api POST /v1/images '{"name": "end", "data_bytes": 4096, "sidecar_bytes": 4096}' || fail "$1: dom0 was not told"
	echo
	host_end || true
	grep -aq '^disk 1, .*: live' "$host_log" || fail "$1: the disk was not in use at the end"
	grep -aq 'the machine ended before dom0 did' "$host_log" || { tail -n 5 "$host_log"; fail "$1: the machine did not end"; }
	find_keys ended
	[ "$(grep -c ' 0 0$' "$story/ended")" = "$(wc -l <"$story/running")" ] || fail "$1: keys, or what the guest had, are still there"
}

story_prepare "build/test/$run_name"
story_attacker
for how in ${ENDINGS:-acpi}; do
	ending "$how"
done
