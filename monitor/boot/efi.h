/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leaving UEFI's boot services, which GRUB's multiboot2 keeps alive for us (header tag 7), and what has to be asked for
 * before: the event log, the memory map, where ACPI is, that memory is wiped at the next boot. Nothing of UEFI is called afterwards.
 */
#ifndef MONITOR_BOOT_EFI_H
#define MONITOR_BOOT_EFI_H

#include "monitor/boot/boot.h"

#define EFI_LOG_MAX (256u << 10) /* a longer event log is none */
#define EFI_MAP_MAX (48u << 10)  /* bytes of the memory map: 1000 regions */

/*
 * Called in the firmware's environment: its page tables, which are one to one, and its stack. info: multiboot2's. image: where
 * this program is. Takes what there is and calls ExitBootServices(); what went wrong is for efi_fill() to say.
 */
void efi_leave(hpa_t info, struct range image);

/* For boot_parse(): what efi_leave() took. An error with *why set if it did not leave. */
int efi_fill(struct boot_info *info, const char **why);

#endif
