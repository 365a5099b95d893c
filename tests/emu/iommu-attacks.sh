#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A device of L1's attacks behind the two kinds of IOMMU that make test T='attack/*' does not have; and
# what else programs in L1's place see of them.
# timeout: 900
. "$(dirname "$0")/lib.sh"

[ -n "${LAB_NO_MONITOR:-}" ] && exit 0
for kind in vtd48 amdvi; do
	tests/attack/l1/run --only with --iommu $kind dma-read dma-write dma-cached dma-table dma-late dma-taken \
		dma-read-below dma-write-below || fail "attacks behind $kind"
	lab_run "emu-iommu-attacks-$kind" --l1 build/l1/svm-dma.elf --iommu $kind --device edu --timeout 120 ||
		fail "svm-dma behind $kind"
done
# A CPU that is no virtual machine's, so that interrupts are filtered.
lab_run emu-iommu-attacks-filter --l1 build/l1/svm-dma.elf --l1-args filtered=1 --iommu amdvi \
	--cpu-model max,-smap,-rdtscp,-hypervisor --device edu --timeout 120 || fail "svm-dma with a filter"
