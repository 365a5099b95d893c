/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/memmap.h"

/* How far from RAM a type is; where regions overlap, the higher wins. */
static unsigned int rank(uint32_t type)
{
	switch (type) {
	case REGION_RAM:
		return 0;
	case REGION_ACPI:
		return 1;
	case REGION_NVS:
		return 2;
	case REGION_BAD:
		return 4;
	default:
		return 3;
	}
}

static int insert(struct memmap *map, unsigned int at, struct region region)
{
	if (map->count == MEMMAP_MAX)
		return ERR_2BIG;
	for (unsigned int i = map->count; i > at; i--)
		map->region[i] = map->region[i - 1];
	map->region[at] = region;
	map->count++;
	return 0;
}

static void merge(struct memmap *map)
{
	unsigned int kept = 0;

	for (unsigned int i = 1; i < map->count; i++) {
		struct region *last = &map->region[kept];
		struct region next = map->region[i];

		if (last->end == next.start && last->type == next.type)
			last->end = next.end;
		else
			map->region[++kept] = next;
	}
	if (map->count)
		map->count = kept + 1;
}

/* Cuts region i in two at address cut, which lies inside it. */
static int split(struct memmap *map, unsigned int i, uint64_t cut)
{
	struct region upper = map->region[i];

	upper.start = cut;
	map->region[i].end = cut;
	return insert(map, i + 1, upper);
}

/* Gives [start, end), which lies in region i, the type; splits off what is left and right of it. */
static int repaint(struct memmap *map, unsigned int i, struct region paint)
{
	int error = 0;

	if (rank(paint.type) <= rank(map->region[i].type))
		return 0;
	if (map->region[i].end > paint.end)
		error = split(map, i, paint.end);
	if (!error && map->region[i].start < paint.start)
		error = split(map, i++, paint.start);
	if (!error)
		map->region[i].type = paint.type;
	return error;
}

static uint64_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * Lays the lowest part of *rest that is either in a hole or in one region, and takes it off *rest.
 */
static int lay(struct memmap *map, struct region *rest)
{
	struct region part = *rest;
	unsigned int i = 0;
	int error;

	while (i < map->count && map->region[i].end <= part.start)
		i++;
	if (i == map->count || part.start < map->region[i].start) {
		if (i < map->count)
			part.end = min(part.end, map->region[i].start);
		error = insert(map, i, part);
	} else {
		part.end = min(part.end, map->region[i].end);
		error = repaint(map, i, part);
	}
	rest->start = part.end;
	return error;
}

int memmap_add(struct memmap *map, uint64_t start, uint64_t len, uint32_t type)
{
	struct region rest = {start, start + len, type};
	int error = 0;

	if (len > UINT64_MAX - start)
		return ERR_INVAL;
	while (!error && rest.start < rest.end) {
		error = lay(map, &rest);
		if (!error)
			merge(map);
	}
	return error;
}

bool memmap_is_ram(const struct memmap *map, struct range range)
{
	return range.start >= range.end || memmap_ram_end(map, range.start) >= range.end;
}

/*
 * The highest place for want in [low, high): below whatever it meets in avoid. Each step goes
 * below one range of avoid, so it ends.
 */
static bool place_top(const struct memmap_want *want, struct range room, const struct range *avoid,
		      unsigned int n, uint64_t *at)
{
	unsigned int i = 0;

	while (room.end >= room.start && room.end - room.start >= want->size) {
		struct range try = {ALIGN_DOWN(room.end - want->size, want->align), 0};

		try.end = try.start + want->size;
		if (try.start < room.start)
			return false;
		for (i = 0; i < n && !range_overlaps(try, avoid[i]); i++)
			;
		if (i == n) {
			*at = try.start;
			return true;
		}
		room.end = avoid[i].start;
	}
	return false;
}

int memmap_find_top(const struct memmap *map, const struct memmap_want *want,
		    const struct range *avoid, unsigned int n, uint64_t *at)
{
	for (unsigned int i = map->count; i-- > 0;) {
		const struct region *region = &map->region[i];
		struct range room = {region->start, min(region->end, want->limit)};

		if (region->type != REGION_RAM)
			continue;
		if (room.start < want->floor)
			room.start = want->floor;
		if (place_top(want, room, avoid, n, at))
			return 0;
	}
	return ERR_NOMEM;
}

uint64_t memmap_ram_bytes(const struct memmap *map)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < map->count; i++)
		if (map->region[i].type == REGION_RAM)
			bytes += map->region[i].end - map->region[i].start;
	return bytes;
}

uint64_t memmap_ram_end(const struct memmap *map, uint64_t start)
{
	for (unsigned int i = 0; i < map->count; i++) {
		const struct region *region = &map->region[i];

		if (region->type == REGION_RAM && region->start <= start && start < region->end)
			return region->end;
	}
	return start;
}

uint32_t memmap_lower_kib(const struct memmap *map)
{
	return (uint32_t)(min(memmap_ram_end(map, 0), 640 << 10) >> 10);
}

uint32_t memmap_upper_kib(const struct memmap *map)
{
	return (uint32_t)min((memmap_ram_end(map, MIB) - MIB) >> 10, UINT32_MAX);
}
