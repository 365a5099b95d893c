#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On VMX: an HVM guest boots from its IDE disk by bus-master DMA, and its own driver reads the disk.
# Isolated: what the device model reads and writes of its memory are the windows over a command's buffers.
# long
# timeout: 1500
# shellcheck disable=SC2034 # lib.sh reads hw
hw=vmx
. "$(dirname "$0")/lib.sh"

guest_reports hvm-disk 'nproc=1 .*disk=lab disk label 1' --cpus 1 --timeout 1440
