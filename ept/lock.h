/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spin locks. Interrupts are off in the monitor, so a holder is never preempted. Order, outermost
 * first: guest table (ept/guest_table.c), channels (monitor/channel.c), host table (ept/host.c), log.
 * None is held over an entry into L1 or L2.
 */
#ifndef EPT_LOCK_H
#define EPT_LOCK_H

#include "ept/phys.h"

struct lock {
	bool taken;
};

static inline void lock_take(struct lock *l)
{
	while (__atomic_test_and_set(&l->taken, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

/* For locks that are held over a flush: serves other CPUs meanwhile. */
static inline void lock_take_relaxed(struct lock *l)
{
	while (__atomic_test_and_set(&l->taken, __ATOMIC_ACQUIRE))
		phys_relax();
}

static inline void lock_drop(struct lock *l)
{
	__atomic_clear(&l->taken, __ATOMIC_RELEASE);
}

#endif
