/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that are the same in each run with the same seed (xorshift64*). */
#ifndef L1_LIB_RANDOM_H
#define L1_LIB_RANDOM_H

#include "ept/base.h"

struct random {
	uint64_t state; /* never 0 */
};

static inline uint64_t random_next(struct random *r)
{
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1dull;
}

/* 0 .. n - 1 */
static inline uint64_t random_below(struct random *r, uint64_t n)
{
	return (random_next(r) >> 16) % n;
}

static inline bool random_one_in(struct random *r, uint64_t n)
{
	return random_below(r, n) == 0;
}

#endif
