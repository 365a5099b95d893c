/* SPDX-License-Identifier: Apache-2.0 */
/* The map of physical memory: a sorted list of disjoint regions, neighbours of one type merged. */
#ifndef MONITOR_BOOT_MEMMAP_H
#define MONITOR_BOOT_MEMMAP_H

#include "ept/base.h"

#define MEMMAP_MAX 128 /* what Xen's trampoline has room for, too */

/* ACPI 6.4, table 15.4 (address range types). Other numbers are kept and are never RAM. */
enum region_type {
	REGION_RAM = 1,
	REGION_RESERVED = 2,
	REGION_ACPI = 3,
	REGION_NVS = 4,
	REGION_BAD = 5,
};

/* Host-physical bytes [start, end). Empty if start == end. */
struct range {
	uint64_t start;
	uint64_t end;
};

struct region {
	uint64_t start;
	uint64_t end;
	uint32_t type;
};

struct memmap {
	unsigned int count;
	struct region region[MEMMAP_MAX];
};

/* What memmap_find_top() is to find: size > 0, align a power of two, all within [floor, limit). */
struct memmap_want {
	uint64_t size;
	uint64_t align;
	uint64_t floor;
	uint64_t limit;
};

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end && a.start < a.end && b.start < b.end;
}

/*
 * Adds [start, start + len). Where it overlaps what is there, the type that is further from RAM
 * wins (bad, then reserved and unknown, then NVS, then ACPI tables): so adding REGION_RESERVED
 * carves a range out of RAM. len == 0 adds nothing. ERR_INVAL if the range wraps, ERR_2BIG if
 * there are too many regions; the map must not be used after ERR_2BIG.
 */
int memmap_add(struct memmap *map, uint64_t start, uint64_t len, uint32_t type);

/* Is every byte of the range RAM? True for an empty range. */
bool memmap_is_ram(const struct memmap *map, struct range range);

/*
 * The highest RAM that fits want and touches none of the n ranges in avoid; its start goes to *at.
 * ERR_NOMEM if there is none.
 */
int memmap_find_top(const struct memmap *map, const struct memmap_want *want,
		    const struct range *avoid, unsigned int n, uint64_t *at);

/* Bytes of RAM in all. */
uint64_t memmap_ram_bytes(const struct memmap *map);

/* The end of the RAM that begins at start without a hole; start itself if there is none. */
uint64_t memmap_ram_end(const struct memmap *map, uint64_t start);

/* KiB of RAM from 0 to the first hole, at most 640: multiboot's mem_lower. */
uint32_t memmap_lower_kib(const struct memmap *map);

/* KiB of RAM from 1 MiB to the first hole: multiboot's mem_upper. */
uint32_t memmap_upper_kib(const struct memmap *map);

#endif
