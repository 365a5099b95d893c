#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An HVM guest boots from its IDE disk by bus-master DMA, and its own driver reads the disk.
# Isolated: what the device model reads and writes of its memory are the windows over a command's buffers.
# timeout: 900
. "$(dirname "$0")/lib.sh"

guest_reports hvm-disk 'nproc=1 .*disk=lab disk label 1'
