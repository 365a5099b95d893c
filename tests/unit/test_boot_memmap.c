/* SPDX-License-Identifier: Apache-2.0 */
/* Memory map: overlaps, carving, searching, totals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/test_boot_ram.h"

static struct memmap map;

static int setup(void **state)
{
	map.count = 0;
	return 0;
}

static void add(uint64_t start, uint64_t end, uint32_t type)
{
	assert_int_equal(memmap_add(&map, start, end - start, type), 0);
	assert_true(memmap_is_sound(&map));
}

static void expect(unsigned int i, uint64_t start, uint64_t end, uint32_t type)
{
	assert_true(i < map.count);
	assert_int_equal(map.region[i].start, start);
	assert_int_equal(map.region[i].end, end);
	assert_int_equal(map.region[i].type, type);
}

static void sorts_and_merges(void **state)
{
	add(0x3000, 0x4000, REGION_RAM);
	add(0x1000, 0x2000, REGION_RAM);
	assert_int_equal(map.count, 2);
	add(0x2000, 0x3000, REGION_RAM);
	assert_int_equal(map.count, 1);
	expect(0, 0x1000, 0x4000, REGION_RAM);
	add(0x4000, 0x5000, REGION_ACPI);
	assert_int_equal(map.count, 2);
}

static void reserved_wins_over_ram(void **state)
{
	add(0, 0x10000, REGION_RAM);
	add(0x4000, 0x5000, REGION_RESERVED);
	assert_int_equal(map.count, 3);
	expect(0, 0, 0x4000, REGION_RAM);
	expect(1, 0x4000, 0x5000, REGION_RESERVED);
	expect(2, 0x5000, 0x10000, REGION_RAM);

	add(0, 0x20000, REGION_RAM); /* the other way round changes nothing but the hole */
	assert_int_equal(map.count, 3);
	expect(1, 0x4000, 0x5000, REGION_RESERVED);
	expect(2, 0x5000, 0x20000, REGION_RAM);
}

static void carves_at_edges_and_across(void **state)
{
	add(0x1000, 0x3000, REGION_RAM);
	add(0x4000, 0x6000, REGION_RAM);
	add(0x0000, 0x2000, REGION_RESERVED);
	expect(0, 0x0000, 0x2000, REGION_RESERVED);
	expect(1, 0x2000, 0x3000, REGION_RAM);
	add(0x2800, 0x7000, REGION_RESERVED);
	assert_int_equal(map.count, 3);
	expect(1, 0x2000, 0x2800, REGION_RAM);
	expect(2, 0x2800, 0x7000, REGION_RESERVED);
	add(0x2000, 0x2800, REGION_RESERVED);
	assert_int_equal(map.count, 1);
	expect(0, 0, 0x7000, REGION_RESERVED);
}

static void keeps_unknown_types_away_from_ram(void **state)
{
	add(0, 0x4000, REGION_RAM);
	add(0x1000, 0x2000, 7);
	add(0x1000, 0x2000, REGION_RAM);
	expect(1, 0x1000, 0x2000, 7);
	add(0x1000, 0x2000, REGION_BAD);
	expect(1, 0x1000, 0x2000, REGION_BAD);
	add(0x2000, 0x3000, 0);
	expect(2, 0x2000, 0x3000, 0);
	assert_true(memmap_is_ram(&map, (struct range){0, 0x1000}));
	assert_false(memmap_is_ram(&map, (struct range){0, 0x1001}));
	assert_false(memmap_is_ram(&map, (struct range){0x2000, 0x3000}));
}

static void refuses_wrap_and_too_many(void **state)
{
	assert_int_equal(memmap_add(&map, UINT64_MAX - 0xfff, 0x1001, REGION_RAM), ERR_INVAL);
	assert_int_equal(memmap_add(&map, UINT64_MAX, 2, REGION_RAM), ERR_INVAL);
	assert_int_equal(memmap_add(&map, 0x1000, 0, REGION_RAM), 0);
	assert_int_equal(map.count, 0);
	assert_int_equal(memmap_add(&map, UINT64_MAX - 0x1000, 0x1000, REGION_RAM), 0);
	map.count = 0;
	for (unsigned int i = 0; i < MEMMAP_MAX; i++)
		add(i * 0x2000, i * 0x2000 + 0x1000, REGION_RAM);
	assert_int_equal(map.count, MEMMAP_MAX);
	add(0x0800, 0x1000, REGION_RAM); /* no new region */
	assert_int_equal(memmap_add(&map, 0x10000000, 0x1000, REGION_RAM), ERR_2BIG);
	assert_int_equal(memmap_add(&map, 0x400, 0x100, REGION_RESERVED), ERR_2BIG);
}

/* Against a model that paints 64 single bytes. */
static void agrees_with_a_painted_model(void **state)
{
	static const uint32_t types[] = {REGION_RAM, REGION_ACPI, REGION_NVS, REGION_RESERVED,
					 REGION_BAD};
	unsigned int seed = 1;

	for (int round = 0; round < 2000; round++) {
		int paint[64];

		map.count = 0;
		memset(paint, -1, sizeof(paint));
		for (int step = 0; step < 12; step++) {
			unsigned int start = (unsigned int)rand_r(&seed) % 64;
			unsigned int end = start + (unsigned int)rand_r(&seed) % (65 - start);
			int rank = rand_r(&seed) % 5;

			add(start, end, types[rank]);
			for (unsigned int i = start; i < end; i++)
				if (rank > paint[i])
					paint[i] = rank;
		}
		for (unsigned int i = 0, r = 0; i < 64; i++) {
			while (r < map.count && map.region[r].end <= i)
				r++;
			if (r == map.count || map.region[r].start > i)
				assert_int_equal(paint[i], -1);
			else
				assert_int_equal(map.region[r].type, types[paint[i]]);
		}
	}
}

static int find(uint64_t size, uint64_t floor, uint64_t limit, const struct range *avoid,
		unsigned int n, uint64_t *at)
{
	struct memmap_want want = {size, PAGE_SIZE, floor, limit};

	return memmap_find_top(&map, &want, avoid, n, at);
}

static void finds_the_highest_room(void **state)
{
	uint64_t at = 0;

	add(0, 0x9fc00, REGION_RAM);
	add(MIB, 64 * MIB + 0x123, REGION_RAM);
	add(4 * GIB, 5 * GIB, REGION_RAM);
	assert_int_equal(find(0x1000, MIB, 4 * GIB, NULL, 0, &at), 0);
	assert_int_equal(at, 64 * MIB - 0x1000);
	assert_int_equal(find(0x1000, 0, MIB, NULL, 0, &at), 0);
	assert_int_equal(at, 0x9e000);
	assert_int_equal(find(GIB, 0, UINT64_MAX, NULL, 0, &at), 0);
	assert_int_equal(at, 4 * GIB);
	assert_int_equal(find(63 * MIB, MIB, 4 * GIB, NULL, 0, &at), 0);
	assert_int_equal(at, MIB);
	assert_int_equal(find(63 * MIB + 0x1000, MIB, 4 * GIB, NULL, 0, &at), ERR_NOMEM);
	assert_int_equal(find(0x2000, 63 * MIB, 63 * MIB + 0x1000, NULL, 0, &at), ERR_NOMEM);
}

static void finds_room_between_what_to_avoid(void **state)
{
	/* Free: 2 pages below the first, 1 between the two, none above. */
	static const struct range avoid[] = {{0x102000, 0x103000}, {0x104000, 0x110000}};
	uint64_t at = 0;

	add(MIB, MIB + 0x10000, REGION_RAM);
	assert_int_equal(find(0x1000, 0, 4 * GIB, avoid, 2, &at), 0);
	assert_int_equal(at, 0x103000);
	assert_int_equal(find(0x2000, 0, 4 * GIB, avoid, 2, &at), 0);
	assert_int_equal(at, 0x100000);
	assert_int_equal(find(0x3000, 0, 4 * GIB, avoid, 2, &at), ERR_NOMEM);

	/* What is in the way begins within the first try: the next ends right there. */
	map.count = 0;
	add(MIB, MIB + 0x5000, REGION_RAM);
	assert_int_equal(find(0x4000, 0, 4 * GIB, &(struct range){0x104000, 0x105000}, 1, &at), 0);
	assert_int_equal(at, 0x100000);

	/* Large enough, but not from a page boundary on. */
	map.count = 0;
	add(0x1800, 0x2900, REGION_RAM);
	assert_int_equal(find(0x1000, 0, 4 * GIB, NULL, 0, &at), ERR_NOMEM);
}

static void counts(void **state)
{
	add(0, 0x9fc00, REGION_RAM);
	add(0x9fc00, 0xa0000, REGION_RESERVED);
	add(0xf0000, MIB, REGION_RESERVED);
	add(MIB, 256 * MIB, REGION_RAM);
	add(4 * GIB, 5 * GIB, REGION_RAM);
	assert_int_equal(memmap_lower_kib(&map), 639);
	assert_int_equal(memmap_upper_kib(&map), 255 * 1024);
	assert_int_equal(memmap_ram_bytes(&map), 0x9fc00 + 255 * MIB + GIB);
	add(0x9d000, 0x9e000, REGION_RESERVED); /* the monitor's */
	add(200 * MIB, 256 * MIB, REGION_RESERVED);
	assert_int_equal(memmap_lower_kib(&map), 0x9d000 / 1024);
	assert_int_equal(memmap_upper_kib(&map), 199 * 1024);
	map.count = 0;
	assert_int_equal(memmap_lower_kib(&map), 0);
	assert_int_equal(memmap_upper_kib(&map), 0);
	add(0, 16 * GIB, REGION_RAM);
	assert_int_equal(memmap_lower_kib(&map), 640);
	assert_int_equal(memmap_upper_kib(&map), 16 * 1024 * 1024 - 1024);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(sorts_and_merges, setup),
		cmocka_unit_test_setup(reserved_wins_over_ram, setup),
		cmocka_unit_test_setup(carves_at_edges_and_across, setup),
		cmocka_unit_test_setup(keeps_unknown_types_away_from_ram, setup),
		cmocka_unit_test_setup(refuses_wrap_and_too_many, setup),
		cmocka_unit_test_setup(agrees_with_a_painted_model, setup),
		cmocka_unit_test_setup(finds_the_highest_room, setup),
		cmocka_unit_test_setup(finds_room_between_what_to_avoid, setup),
		cmocka_unit_test_setup(counts, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
