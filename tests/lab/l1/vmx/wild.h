/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random VMCSs that may do anything to the machine below but nothing to this program: whatever runs
 * executes only the stubs here and writes only the arena's data pages, host state is good or is
 * refused, and interrupts, NMIs and triple faults always come out. Also on a bare machine, therefore.
 */
#ifndef L1_VMX_WILD_H
#define L1_VMX_WILD_H

#include "lib/random.h"
#include "vmx/vmx.h"

#define WILD_FIELDS 96
#define WILD_TABLES 8

struct wild {
	struct random random;
	struct guest g;                 /* the one that runs, whatever its fields are */
	uint64_t bases[3][WILD_FIELDS]; /* valid guests: long mode, 32-bit, real mode */
	uint64_t next[WILD_FIELDS];
	uint8_t *data;                  /* 2 MiB, the only memory its guests can write */
	void *idt;                      /* what the long-mode base began with, in data */
	uint64_t *ept, *own;            /* of just stubs and data; the guests' own tables */
	uint64_t *tables;               /* WILD_TABLES pages for each of the EPT's levels, random */
	uint64_t monitor, monitor_size; /* the monitor's memory, or 0 */
	bool bare;
};

void wild_start(struct wild *w, uint64_t seed);

/* Puts the next random guest into w->next and w->g.r. */
void wild_next(struct wild *w);

/*
 * Runs it, and takes the interrupts that came meanwhile; its exit reason, or WILD_VMFAIL + the number of
 * a VMfail.
 */
#define WILD_VMFAIL 0x10000u
uint64_t wild_run(struct wild *w);

static inline bool wild_refused(uint64_t reason)
{
	return reason & (WILD_VMFAIL | ENTRY_FAILURE);
}

#endif
