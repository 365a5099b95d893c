/* SPDX-License-Identifier: Apache-2.0 */
/* Random guests, entered by the hundred thousand: wild.h has the vendor's. */
#ifndef L1_LIB_WILD_TESTS_H
#define L1_LIB_WILD_TESTS_H

#include "ept/base.h"

struct wild_test {
	uint64_t entries;              /* unless the option entries=N says otherwise */
	uint64_t progress;             /* entries between two lines that say how far it is */
	uint32_t timer;                /* ticks between two interrupts; option timer=N */
	unsigned ways;                 /* a long run has more different exits than this */
	void (*good_guest_runs)(void); /* checks that an ordinary guest still does */
};

/* After each entry L1's control registers are as they were; the monitor answers. Option trace=N. */
void wild_entries(const struct wild_test *t);

#endif
