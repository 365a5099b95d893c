/* SPDX-License-Identifier: Apache-2.0 */
/* The table of monitor/exposure.h, read by other code than the monitor's. */
#ifndef TESTS_FUZZ_ROWS_H
#define TESTS_FUZZ_ROWS_H

#include "monitor/exposure.h"

struct columns {
	unsigned int bytes, rip;
	uint32_t shown, accepted;
};

/* As the table has it, read by other code. */
static inline struct columns columns_of(unsigned int row)
{
	switch (row) {
#define X(name, bytes, shown, accepted, rip, ...) \
	case EXPOSURE_##name:                     \
		return (struct columns){bytes, rip, shown, accepted};
		EXPOSURE_ROWS(X)
#undef X
	default:
		return (struct columns){EXPOSURE_NEVER, 0, 0, 0};
	}
}

static inline bool names(const struct exposure *e, uint32_t set, unsigned int r)
{
	return (set >> r & 1) || ((set & EXPOSURE_OPERAND) && e->operand == r);
}

static inline unsigned int width(const struct exposure *e, const struct columns *c)
{
	unsigned int bytes = c->bytes ? c->bytes : e->bytes;

	return bytes > 4 && !e->wide ? 4 : bytes;
}

static inline uint64_t low(unsigned int bytes)
{
	return UINT64_MAX >> (64 - 8 * bytes);
}

#endif
