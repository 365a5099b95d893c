/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How vendor-neutral code reaches physical memory. Implemented by the monitor (monitor/mem.c) and
 * by the software machine (monitor/fake).
 */
#ifndef EPT_PHYS_H
#define EPT_PHYS_H

#include "ept/addr.h"

/*
 * The largest pieces of host RAM, looked at first because almost every look-up ends there; empty
 * where unused. base is where the monitor sees start.
 */
struct phys_piece {
	uint64_t start, end;
	char *base;
};
extern struct phys_piece phys_pieces[2];

/* phys_host() for the rest of memory. */
void *phys_host_other(hpa_t hpa, size_t len);

/*
 * Where the monitor sees [hpa, hpa + len), or NULL if any byte of it is not RAM that the host owns
 * (so not the monitor's memory, not MMIO, no wrap-around). The memory stays the host's: another CPU
 * may write it at any time, so read each value once (phys_read) and check the copy.
 */
static inline void *phys_host(hpa_t hpa, size_t len)
{
	uint64_t end = hpa.a + len;

	for (size_t i = 0; i < ARRAY_SIZE(phys_pieces); i++) {
		const struct phys_piece *p = &phys_pieces[i];

		if (hpa.a >= p->start && end <= p->end && hpa.a <= end)
			return p->base + (hpa.a - p->start);
	}
	return phys_host_other(hpa, len);
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

/* A zeroed page of the monitor's own for a table, never given back; 0 or ERR_NOMEM. */
int phys_table_alloc(hpa_t *out);

/* Where the monitor sees a page that phys_table_alloc() gave. */
uint64_t *phys_table(hpa_t hpa);

#endif
