/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel TXT after a measured launch: its public registers and its heap, as the TXT Software
 * Development Guide (Measured Launched Environment Developer's Guide, 315168) lays them out in
 * appendices B and C. Everything read is checked; nothing here writes.
 */
#ifndef MONITOR_BOOT_TXT_H
#define MONITOR_BOOT_TXT_H

#include "monitor/boot/boot.h"

struct eventlog; /* attest/eventlog.h */

/* Appendix B.1: registers whose commands end the protection, and the page that only tells. */
#define TXT_PRIVATE 0xfed20000u
#define TXT_PUBLIC 0xfed30000u
#define TXT_REGISTERS_SIZE 0x10000u
/* The TPM's localities 1 to 4 (TCG PC Client TIS 1.3, table 4): 0 is the host's. */
#define TPM_LOCALITY_1 0xfed41000u
#define TPM_LOCALITY_END 0xfed45000u

/* What the launch left in memory. Heap and SINIT are page-aligned, not empty, below 4 GiB. */
struct txt_memory {
	struct range heap;
	struct range sinit;
	struct range
		for_sinit; /* the heap's part with what SINIT was told, its size field included */
};

/*
 * Checks that a launch took place, that the hardware will have memory cleared after a reset
 * (SECRETS), and that the heap is well-formed. To be called only when something says so: elsewhere
 * there may be other devices at these addresses. 0, or ERR_NOSYS (no launch), ERR_INVAL, ERR_FAULT,
 * with *why set.
 */
int txt_check(struct txt_memory *memory, const char **why);

/*
 * Copies the event log that SINIT began and the loader continued (TPM 2.0, TCG's crypto-agile format)
 * out of the heap to log->bytes, which have room for log->size, and walks it to its end: log->used. Or
 * an error with *why set, and log->used is 0: ERR_NOENT, the heap names none in this format;
 * ERR_INVAL, ERR_FAULT, ERR_2BIG.
 */
int txt_log_read(const struct txt_memory *memory, struct eventlog *log, const char **why);

#endif
