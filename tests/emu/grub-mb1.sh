#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# GRUB boots the monitor by multiboot 1; Xen asks the BIOS for the memory map and hears the truth.
# timeout: 420
. "$(dirname "$0")/lib.sh"

boot_by_grub --boot grub1
