/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time-stamp counter of an isolated guest's vCPU. L1 chooses its offset, and whether it is read by
 * L1's grace, and may write to the processor's own counter, as long as the guest's never runs backwards. Only the
 * guest itself may set it back.
 */
#ifndef MONITOR_CLOCK_H
#define MONITOR_CLOCK_H

#include "ept/base.h"

/* Of one vCPU; zeroed when its record gets another use. */
struct clock {
	bool started;
	bool exits;      /* RDTSC comes out: as at the first entry, for ever */
	bool set;        /* the guest has set it since the last entry */
	uint64_t offset; /* that is used, or more if the processor's counter was set back */
	uint64_t wanted; /* by L1 */
	uint64_t used;   /* since the last entry */
	uint64_t left;   /* what the guest could read when it came out */
	uint64_t seen;   /* what RDTSC was answered last */
};

/* Before an entry for which L1 wants this offset, and that RDTSC exits or not. The offset to use. */
uint64_t clock_enter(struct clock *c, uint64_t wanted, bool exits);

/* The guest comes out to L1. */
void clock_leave(struct clock *c);

/* L1 answers RDTSC: the answer that the guest gets. */
uint64_t clock_answer(struct clock *c, uint64_t answer);

#define MSR_TSC 0x10u

/* The guest writes to an MSR, which may be the counter. */
void clock_written(struct clock *c, uint32_t msr);

#endif
