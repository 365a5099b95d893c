/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of a BIOS L1 finds where the firmware is UEFI: Xen, started by multiboot, calls INT 10h, 13h, 15h and 16h, reads where
 * base memory ends in the BIOS's data area, and looks for ACPI's root pointer in the ROM; so does dom0. docs/uefi.md.
 */
#ifndef MONITOR_LEGACY_H
#define MONITOR_LEGACY_H

#include "monitor/boot/boot.h"

/* RAM that there must be below the low page: Xen's trampoline and its stack, rounded (xen/arch/x86/boot/head.S). */
#define LEGACY_ROOM (72u << 10)

/*
 * After l1_load(), before bios_call_init(): fills page 0, and shows L1 a page with the RSDP at BOOT_LEGACY_START. low is the
 * page of the INT 15h handler. An error, with *why set: L1 must not be started.
 */
int legacy_init(const struct boot_info *info, hpa_t low, const char **why);

#endif
