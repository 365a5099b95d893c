/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spin locks. Interrupts are off in the monitor, so a holder is never preempted. Order, outermost
 * first: guest table (ept/guest_table.c), channels (monitor/channel.c), host table (ept/host.c), log.
 * None is held over an entry into L1 or L2.
 */
#ifndef EPT_LOCK_H
#define EPT_LOCK_H

#include "ept/phys.h"

/* CPUs have it in the order in which they came, so none can be kept from it by others that take it again and again. */
struct lock {
	uint16_t next;   /* for who comes next */
	uint16_t served; /* who has it now, or will; both wrap, there are fewer CPUs */
};

static inline bool lock_waits(const struct lock *l, uint16_t ticket)
{
	return __atomic_load_n(&l->served, __ATOMIC_ACQUIRE) != ticket;
}

static inline void lock_take(struct lock *l)
{
	uint16_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (lock_waits(l, ticket))
		__builtin_ia32_pause();
}

/* For locks that are held over a flush: serves other CPUs meanwhile. */
static inline void lock_take_relaxed(struct lock *l)
{
	uint16_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (lock_waits(l, ticket))
		phys_relax();
}

static inline void lock_drop(struct lock *l)
{
	__atomic_store_n(&l->served, (uint16_t)(l->served + 1), __ATOMIC_RELEASE);
}

#endif
