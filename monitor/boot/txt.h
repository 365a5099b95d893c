/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel TXT after a measured launch: its public registers and its heap, as the TXT Software
 * Development Guide (Measured Launched Environment Developer's Guide, 315168) lays them out in
 * appendices B and C. Everything read is checked; nothing here writes.
 */
#ifndef MONITOR_BOOT_TXT_H
#define MONITOR_BOOT_TXT_H

#include "monitor/boot/boot.h"

/* Appendix B.1: registers whose commands end the protection, and the page that only tells. */
#define TXT_PRIVATE 0xfed20000u
#define TXT_PUBLIC 0xfed30000u
#define TXT_REGISTERS_SIZE 0x10000u
/* The TPM's localities 1 to 4 (TCG PC Client TIS 1.3, table 4): 0 is the host's. */
#define TPM_LOCALITY_1 0xfed41000u
#define TPM_LOCALITY_END 0xfed45000u

/* What the launch left in memory. Page-aligned, not empty, below 4 GiB. */
struct txt_memory {
	struct range heap;
	struct range sinit;
};

/*
 * Checks that a launch took place, that the hardware will have memory cleared after a reset
 * (SECRETS), and that the heap is well-formed. To be called only when something says so: elsewhere
 * there may be other devices at these addresses. 0, or ERR_NOSYS (no launch), ERR_INVAL, ERR_FAULT,
 * with *why set.
 */
int txt_check(struct txt_memory *memory, const char **why);

#endif
