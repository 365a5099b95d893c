#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The same by multiboot 2, with Xen and dom0's kernel compressed as Debian has them.
# timeout: 420
. "$(dirname "$0")/lib.sh"

boot_by_grub --boot grub2 --packed
