/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of our own memory (physical address = pointer), zeroed, freed at the end of each test. */
#ifndef L1_LIB_PAGES_H
#define L1_LIB_PAGES_H

#include "ept/base.h"

/* n contiguous pages aligned to `align` bytes (a power of two >= 4096); ends the program if none. */
void *pages_alloc(size_t n, size_t align);
void *page_alloc(void);

size_t pages_mark(void);
void pages_release(size_t mark);

/* All the memory that pages come from. */
void pages_range(uint64_t *start, uint64_t *end);

#endif
