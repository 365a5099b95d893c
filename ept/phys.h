/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How vendor-neutral code reaches physical memory. Implemented by the monitor (monitor/mem.c) and
 * by the software machine (monitor/fake).
 */
#ifndef EPT_PHYS_H
#define EPT_PHYS_H

#include "ept/owner.h"

/* Where the monitor sees physical address 0, and so all of physical memory. */
extern uint64_t phys_direct;

static inline void *phys_at(hpa_t hpa)
{
	return (void *)(phys_direct + hpa.a);
}

/*
 * Where the monitor sees [hpa, hpa + len), if L1 may read all of it, or (_rw) write it: RAM that is
 * the host's by the table of owners (so not the monitor's memory, a guest's, MMIO). Else NULL.
 *
 * The memory stays the host's: another CPU may write it at any time, so read each value once
 * (phys_read) and check the copy. It stays the host's until this CPU next serves others' requests
 * (phys_relax, a flush, an entry): a page that is being taken is touched by its new owner only when
 * every CPU has acknowledged. So no such pointer is kept over one of those.
 */
static inline const void *phys_host(hpa_t hpa, size_t len)
{
	return owner_all(hpa, len, OWNER_L1_READS) ? phys_at(hpa) : NULL;
}

static inline void *phys_host_rw(hpa_t hpa, size_t len)
{
	return owner_all(hpa, len, OWNER_L1_WRITES) ? phys_at(hpa) : NULL;
}

/*
 * The same, for as long, of what that guest may read: L1's memory and its own. For its own the promise holds on a
 * CPU that has met the guest, and for an address that was found by a walk since the CPU served last.
 */
static inline const void *phys_seen(hpa_t hpa, size_t len, unsigned int guest)
{
	return owner_all_or_guest(hpa, len, OWNER_L1_READS, guest) ? phys_at(hpa) : NULL;
}

/* For writing a guest's own memory; NULL if it is not all that guest's now. */
static inline void *phys_guest(hpa_t hpa, size_t len, unsigned int guest)
{
	return owner_all_or_guest(hpa, len, 0, guest) ? phys_at(hpa) : NULL;
}

/* Copies host memory once; 0, or ERR_FAULT with dst untouched if phys_host() refuses the range. */
static inline int phys_read(void *dst, hpa_t hpa, size_t len)
{
	const void *src = phys_host(hpa, len);

	if (!src)
		return ERR_FAULT;
	__builtin_memcpy(dst, src, len);
	__asm__ volatile("" ::: "memory");
	return 0;
}

/* One aligned 8-byte load that the compiler can neither split nor repeat; ERR_FAULT gives 0. */
static inline int phys_read64(uint64_t *dst, hpa_t hpa)
{
	const uint64_t *src = phys_host(hpa, sizeof(*dst));

	ASSERT(hpa.a % sizeof(*dst) == 0);
	if (!src) {
		*dst = 0;
		return ERR_FAULT;
	}
	*dst = __atomic_load_n(src, __ATOMIC_RELAXED);
	return 0;
}

/* Serves what other CPUs want of this one, while it waits for something (lock_take_relaxed()). */
void phys_relax(void);

/*
 * Every CPU forgets what it knows through the host table and through guests' tables, and every IOMMU what
 * it knows of the IO table; returns when all have, or have left L1 and guests and will forget before they
 * go back, and when devices' accesses that are under way have arrived. Serves others meanwhile: no
 * lock that is taken without phys_relax() may be held.
 */
void phys_flush(void);

/*
 * The same for one guest, after a change of its table or its state: the CPUs that may know some of its
 * translations, or are dealing with an exit of its, forget what they know; returns when all of them have.
 */
void phys_flush_guest(unsigned int guest);

/* A zeroed page of the monitor's own for a table; 0 or ERR_NOMEM. */
int phys_table_alloc(hpa_t *out);
void phys_table_free(hpa_t table);

/* Where the monitor sees a page that phys_table_alloc() gave. */
uint64_t *phys_table(hpa_t hpa);

#endif
