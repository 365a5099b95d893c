#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM guest boots from its IDE disk by bus-master DMA, and its own driver reads the disk.
# Without isolation: the device model writes what it reads from the disk into the guest's memory.
# timeout: 900
. "$(dirname "$0")/lib.sh"

guest_reports hvm-disk 'nproc=1 .*disk=lab disk label 1' --monitor-args no-isolation
