/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numbers that tag a guest's translations in the TLB (ASID, VPID) are the monitor's own, never
 * L1's (R3). Each CPU hands them out in order; a vCPU keeps its number until L1 asks for a flush,
 * gives it another number, moves it to another CPU, or the CPU runs out. So a flush costs a new
 * number, and the hardware flushes only once a round.
 */
#ifndef MONITOR_TAGS_H
#define MONITOR_TAGS_H

#include "ept/base.h"

/* Of one CPU. */
struct tag_pool {
	uint64_t generation; /* of the numbers that are good now */
	uint32_t first, next;
	uint32_t limit; /* the first number that does not exist */
	bool flush;     /* the hardware must forget all tags before the next entry */
};

/* Of one vCPU record. */
struct tag {
	unsigned int cpu;    /* where value is good, */
	uint64_t generation; /* for as long as this is that CPU's */
	uint32_t value;      /* the number for the hardware */
	uint32_t l1;         /* L1's own */
};

/* A pool of first..limit - 1, at least one number; asks for a flush at once. */
void tags_init(struct tag_pool *p, uint32_t first, uint32_t limit);

/* Every tag handed out on this CPU is stale. */
void tags_forget(struct tag_pool *p);

/*
 * Before an entry on CPU number cpu, whose pool p is: gives t a number unless its own is still good
 * here. l1: the number L1 gave the vCPU. fresh: t says nothing, its record is another vCPU's now.
 */
void tags_assign(struct tag_pool *p, struct tag *t, unsigned int cpu, uint32_t l1, bool fresh);

#endif
