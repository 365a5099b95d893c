/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IO table: what devices reach by DMA (invariant I4). One table for all devices, one to one. It
 * follows the host table: a page is in it only while L1 may do everything with it, and L1's CPUs
 * never lose a page that devices keep. Device registers and frames of windows are never in it.
 *
 * What leaves it counts as gone when every IOMMU has forgotten it and what was on its way has
 * arrived: phys_flush() sees to that.
 */
#ifndef EPT_IO_H
#define EPT_IO_H

#include "ept/addr.h"

#define IO_LEVELS_MAX 4

/*
 * How an IOMMU wants entries; 0 is an absent one in every format. An entry is one of these words and
 * an address (TABLE_ADDR_MASK), by the level of the table that it is in, 1 for 4 KiB pages.
 */
struct io_format {
	unsigned int levels;   /* of tables: 3 or 4 */
	unsigned int leaf_max; /* the highest level that may map a page: 1 to 3 */
	uint64_t leaf[IO_LEVELS_MAX + 1];
	uint64_t table[IO_LEVELS_MAX + 1];
};

/* Makes an empty table (format is copied), for addresses below top. ERR_NOMEM; ERR_2BIG: no reach. */
int io_init(const struct io_format *format, uint64_t top);

/* Where it is; 0 if there is none: then nothing below does anything. */
hpa_t io_root(void);
unsigned int io_levels(void);

/*
 * Devices reach [start, start + len), page aligned, from now on; or they do not, once flushed. What is
 * beyond top is out of reach. 0, or ERR_NOMEM with a prefix of the range changed.
 */
int io_set(hpa_t start, uint64_t len, bool reach);

/* Whether the table lets devices reach hpa. */
bool io_reaches(hpa_t hpa);

/* Counts calls that took something out: it has to be flushed away if this has changed. */
uint64_t io_removed(void);

/* After a write to what an IOMMU reads past the caches: [p, p + len) is in memory. */
void io_write_back(const void *p, size_t len);

#endif
