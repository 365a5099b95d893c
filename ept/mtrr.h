/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory type the MTRRs give an address (SDM vol. 3, 12.11). Pure: whoever may read and write
 * the MSRs fills in the struct.
 */
#ifndef EPT_MTRR_H
#define EPT_MTRR_H

#include "ept/addr.h"

/* SDM vol. 3, table 12-8. EPT leaves have the same numbers. */
enum mem_type {
	MEM_UC = 0,
	MEM_WC = 1,
	MEM_WT = 4,
	MEM_WP = 5,
	MEM_WB = 6,
};

#define MSR_MTRR_CAP 0xfeu
#define MSR_MTRR_VARIABLE 0x200u /* base, mask, base, mask .. */
#define MSR_MTRR_END 0x300u      /* all others are below */
#define MTRR_VARIABLE_MAX 40     /* there are no more numbers before the fixed ranges' */
#define MTRR_FIXED 11            /* 64 KiB ranges, then 16 KiB, then 4 KiB: by address */

struct mtrr {
	uint64_t cap, def_type;
	uint64_t fixed[MTRR_FIXED];
	struct {
		uint64_t base, mask;
	} variable[MTRR_VARIABLE_MAX];
	uint8_t phys_bits; /* MAXPHYADDR, 32..52 */
};

/* Fills in the whole struct; rdmsr() is asked only for MSRs that exist, given that the CPU has MTRRs. */
void mtrr_read(struct mtrr *m, uint64_t (*rdmsr)(uint32_t msr), uint8_t phys_bits);

/* Where m keeps this MSR; NULL if it is none of the MTRRs that m->cap promises. Not for the cap MSR. */
uint64_t *mtrr_register(struct mtrr *m, uint32_t msr);

/*
 * WRMSR to m. Returns 0; ERR_NOENT if mtrr_register() knows none; ERR_INVAL, with nothing changed,
 * for what raises #GP: reserved bits, a type that is none or that m->cap lacks (SDM vol. 3, 12.11.2).
 */
int mtrr_write(struct mtrr *m, uint32_t msr, uint64_t value);

/*
 * The type of [hpa, hpa + len), where len is a power of two of at least a page, and hpa a multiple
 * of it. *uniform is false if its pages may differ: the type is then UC. Never for a single page.
 * Whatever the registers hold, the type is one of the enum.
 */
enum mem_type mtrr_type(const struct mtrr *m, hpa_t hpa, uint64_t len, bool *uniform);

#endif
