/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/clock.h"

#include "monitor/arch.h"

#define MSR_TSC_ADJUST 0x3bu

/* Not backwards, and so far from wrapping around that no guest lives to see it. */
static bool may_be(const struct clock *c, uint64_t wanted)
{
	return (!c->started || (int64_t)(wanted - c->offset) >= 0) &&
	       (int64_t)(arch_rdtsc() + wanted) >= 0;
}

static uint64_t choose(struct clock *c, uint64_t wanted, bool exits)
{
	if (c->started && wanted == c->wanted && !c->set)
		return c->offset;
	if (!c->started)
		c->exits = exits;
	if (c->set || may_be(c, wanted))
		c->offset = wanted;
	if (c->set)
		c->seen = c->left = 0;
	c->wanted = wanted;
	c->started = true;
	c->set = false;
	return c->offset;
}

uint64_t clock_enter(struct clock *c, uint64_t wanted, bool exits)
{
	uint64_t now = arch_rdtsc();

	c->used = choose(c, wanted, exits);
	if (c->left && (int64_t)(now + c->used - c->left) < 0)
		c->used = c->left - now;
	return c->used;
}

void clock_leave(struct clock *c)
{
	c->left = arch_rdtsc() + c->used;
}

uint64_t clock_answer(struct clock *c, uint64_t answer)
{
	if (answer > c->seen)
		c->seen = answer;
	return c->seen;
}

void clock_written(struct clock *c, uint32_t msr)
{
	if (msr == MSR_TSC || msr == MSR_TSC_ADJUST)
		c->set = true;
}
