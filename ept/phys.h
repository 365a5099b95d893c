/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How vendor-neutral code reaches physical memory. Implemented by the monitor (monitor/mem.c) and
 * by the software machine (monitor/fake).
 */
#ifndef EPT_PHYS_H
#define EPT_PHYS_H

#include "ept/addr.h"

/*
 * Where the monitor sees [hpa, hpa + len), or NULL if any byte of it is not RAM that the host owns
 * (so not the monitor's memory, not MMIO, no wrap-around). The memory stays the host's: another CPU
 * may write it at any time, so read each value once (phys_read) and check the copy.
 */
void *phys_host(hpa_t hpa, size_t len);

/* Copies host memory once; 0, or ERR_FAULT with dst untouched if phys_host() refuses the range. */
int phys_read(void *dst, hpa_t hpa, size_t len);

/* One aligned 8-byte load that the compiler can neither split nor repeat. */
int phys_read64(uint64_t *dst, hpa_t hpa);

/* A zeroed page of the monitor's own for a table, never given back; 0 or ERR_NOMEM. */
int phys_table_alloc(hpa_t *out);

/* Where the monitor sees a page that phys_table_alloc() gave. */
uint64_t *phys_table(hpa_t hpa);

#endif
