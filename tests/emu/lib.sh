# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the emulator tests share; sourced, from any directory. A test exits with 0 if it passed, else
# prints what failed. A test for VMX says hw=vmx before. LAB_NO_MONITOR=1 runs the same test without
# the monitor, to test the test.
set -u
cd "$(dirname "$0")/../.." || exit 1
test_name=$(basename "$0" .sh)
run_name=emu-$test_name

fail() {
	echo "$test_name: FAILED: $*"
	exit 1
}

# summary NAME EXPRESSION: a Python expression over s, the summary of the run NAME
summary() {
	python3 -c 'import json, sys; s = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
		"build/lab/runs/$1/summary.json" "$2"
}

# lab_run NAME OPTIONS..: the lab, with or without the monitor
lab_run() {
	name=$1
	shift
	tests/lab/lab run --hw "${hw:-svm}" ${LAB_NO_MONITOR:+--no-monitor} --name "$name" "$@"
}

# monitor_ran NAME: fails unless the monitor ran below that run's Xen and answered its dom0
monitor_ran() {
	[ -n "${LAB_NO_MONITOR:-}" ] && return
	[ "$(summary "$1" '"monitor_up" in s["phases_s"] and s["monitor_stat"]["after"]["host"]["exits"] > 0')" \
		= True ] || fail "no sign of the monitor in build/lab/runs/$1"
}

# in_dom0 COMMAND OPTIONS..: runs it in a new dom0, which must succeed; its output is $output too
in_dom0() {
	command=$1
	shift
	output=$(lab_run "$run_name" --exec "$command" "$@")
	status=$?
	printf '%s\n' "$output"
	[ $status = 0 ] || fail "status $status; logs in build/lab/runs/$run_name"
	monitor_ran "$run_name"
}

# expect REGEX WHAT: a line of the output must match
expect() {
	printf '%s\n' "$output" | grep -Eq -- "$1" || fail "$2 (no line matches: $1)"
}

# boot_with_cpus N: Xen and dom0 must both see N CPUs
boot_with_cpus() {
	in_dom0 'echo "dom0 sees $(grep -c ^processor /proc/cpuinfo)"; echo "Xen has $(xl info nr_cpus)"' \
		--cpus "$1" --in-turn --timeout 600
	expect "^dom0 sees $1\$" "dom0's count of CPUs"
	expect "^Xen has $1\$" "Xen's count of CPUs"
}

# guest_reports NAME REGEX OPTIONS..: starts /guests/NAME.cfg and compares what its user space says
guest_reports() {
	guest=$1 regex=$2
	shift 2
	in_dom0 "guest-up /guests/$guest.cfg 700 && guest-destroy-all" --timeout 840 "$@"
	expect "^LAB-GUEST up $regex" "the guest's own report"
}

# encrypted_disk GUEST IMAGE: makes $overlay/enc, see tests/lab/encrypt-guest
encrypted_disk() {
	overlay=build/test/$run_name
	tests/lab/encrypt-guest "$1" "$2" "$overlay" || fail "no encrypted disk"
}

# small_guests FILE..: makes $overlay, with the small guests that have channels, what a command in dom0 needs to tell them what to do, and in
# /attack these files. $seed is for such a command: what the guests' markers are made of
small_guests() {
	overlay=build/test/$run_name
	rm -rf "$overlay"
	mkdir -p "$overlay/attack" "$overlay/usr/local/lib/lab"
	cp build/attack/peer.elf "$@" "$overlay/attack" || fail "not built"
	cp tests/lab/net/ask.sh tests/lab/net/channels.sh tests/attack/channel/peers.sh "$overlay/usr/local/lib/lab"
	# shellcheck disable=SC2034 # the caller's
	seed=$(od -An -v -tx1 -N8 /dev/urandom | tr -d ' \n')
}

# boot_by_grub OPTIONS..: dom0 must come up, and Xen's own memory map must leave out the monitor
boot_by_grub() {
	mem=3072 seconds=360 low='([0-9a-f]{2})000, 00000000000\1fff'
	if [ "${hw:-svm}" = vmx ]; then
		mem=1536 seconds=900              # Bochs has at most 2048, and GRUB copies slowly there
		low='9[0-9a-e]000, 000000000009ffff' # its BIOS keeps the page behind the monitor's
	fi
	in_dom0 'netherctl version; netherctl stat | head -n 20; netherctl log | grep " for the monitor"
		echo "total $(xl info total_memory)"
		xl dmesg | grep -E "Bootloader:|RAM map:|\((usable|reserved)\)"' --timeout $seconds --mem $mem "$@"
	expect '^monitor .*, backend ' "the monitor's version"
	expect '^\(XEN\) Bootloader: GRUB 2' "the boot loader"
	expect '^\(XEN\) Xen-e820 RAM map:' "where Xen has its memory map from"

	# Its block is a region of its own, to the byte, and so is one page below 1 MiB.
	mib=$(printf '%s\n' "$output" | sed -En 's/.* ([0-9]+) MiB for the monitor at .*/\1/p')
	start=$(printf '%s\n' "$output" | sed -En 's/.* MiB for the monitor at ([0-9a-f]+),.*/0x\1/p')
	[ -n "$mib" ] && [ -n "$start" ] || fail "the monitor does not say where it is"
	block=$(printf '%016x, %016x' $((start)) $((start + (mib << 20) - 1)))
	expect "^\\(XEN\\)  \\[$block\\] \\(reserved\\)" "the monitor's block in Xen's map"
	expect "^\\(XEN\\)  \\[00000000000$low\\] \\(reserved\\)" \
		"the monitor's low page in Xen's map"

	# The block, the page and what the BIOS keeps are missing, and nothing else.
	total=$(printf '%s\n' "$output" | sed -n 's/^total //p')
	lost=$((mem - mib - total))
	if [ $lost -lt 0 ] || [ $lost -gt 4 ]; then
		fail "Xen has $total MiB of $mem, the monitor $mib"
	fi
}

# iommu_works KIND NAME: dom0's disks work behind that IOMMU, before a guest and after its launch; Xen
# finds none. NAME is what the monitor calls it.
iommu_works() {
	in_dom0 'depmod; for m in ahci sd_mod virtio_pci virtio_blk; do modprobe $m || exit 1; done
		for i in $(seq 100); do [ -b /dev/sda ] && [ -b /dev/vda ] && break; sleep 0.1; done
		check() {
			dd if=/dev/urandom of=/tmp/data bs=64k count=32 2>/dev/null
			for disk in sda vda; do
				dd if=/tmp/data of=/dev/$disk bs=64k conv=fsync 2>/dev/null || return 1
				echo 3 >/proc/sys/vm/drop_caches
				dd if=/dev/$disk bs=64k count=32 2>/dev/null | cmp - /tmp/data || return 1
				echo "$1: $disk works"
			done
		}
		check before || exit 1
		guest-up /guests/pvh.cfg 700 || exit 1
		check behind || exit 1
		netherctl guests
		netherctl stat | grep ^DMA; netherctl log | grep DMA
		guest-destroy-all || exit 1
		check after || exit 1
		ls -1 /sys/firmware/acpi/tables; xl info | grep virt_caps' \
		--iommu "$1" --device ahci --device virtio --timeout 840
	for when in before behind after; do
		expect "^$when: sda works\$" "the AHCI disk $when the guest"
		expect "^$when: vda works\$" "the virtio disk $when the guest"
	done
	expect '^LAB-GUEST up ' "the guest's own report"
	[ -n "${LAB_NO_MONITOR:-}" ] && return
	if [ "$1" = none ]; then
		expect '^DMA: open, devices reach all memory' "netherctl's word of DMA"
		expect 'DMA is open: ' "the monitor's word at boot"
		return
	fi
	expect "DMA is blocked by 1 IOMMU \\($2\\)" "the monitor's word at boot"
	expect "^DMA: 1 IOMMU, devices reach the host's memory, and none before" "netherctl's word of DMA"
	expect '^X(MAR|VRS)$' "the hidden table"
	if printf '%s\n' "$output" | grep -Eq '^(DMAR|IVRS)$|hvm_directio'; then
		fail "Xen or dom0 finds an IOMMU"
	fi
}
