/* SPDX-License-Identifier: Apache-2.0 */
/* Memory types in L1's table where the leaves carry them. */
#include "tests/unit/test_host_leaf.h"

#define LOW (16 * MIB)

static void range(unsigned int i, uint64_t base, uint64_t size, enum mem_type type)
{
	types.variable[i].base = base | type;
	types.variable[i].mask = (((uint64_t)1 << 48) - size) | 0x800;
}

/* Every leaf has one type, hpa's, over all its pages: looked at page by page. */
static void expect_types(uint64_t start, uint64_t end)
{
	for (uint64_t at = start; at < end; at += PAGE_SIZE) {
		uint64_t entry;
		unsigned int level = level_of(at, &entry);

		if (!table_present(entry))
			continue;
		assert_int_equal(entry & table_format.leaf_type, type_bits(at));
		assert_int_equal(table_hpa(entry, level).a, ALIGN_DOWN(at, SPAN(level)));
	}
}

static uint64_t type_at(uint64_t hpa)
{
	uint64_t entry;

	level_of(hpa, &entry);
	assert_true(table_present(entry));
	return entry >> 3 & 7;
}

static void a_pc(void **state)
{
	for (unsigned int large = 2; large <= 3; large++) {
		set_up(large == 3);
		assert_int_equal(type_at(0x9ffff), MEM_WB);
		assert_int_equal(type_at(0xa0000), MEM_UC);
		assert_int_equal(type_at(0xbffff), MEM_UC);
		assert_int_equal(type_at(0xc0000), MEM_WP);
		assert_int_equal(type_at(0xfffff), MEM_WP);
		assert_int_equal(type_at(0x100000), MEM_WB);
		assert_int_equal(type_at(3 * GIB - 1), MEM_WB);
		assert_int_equal(type_at(3 * GIB), MEM_UC);
		assert_int_equal(type_at(4 * GIB), MEM_WB);
		expect_types(0, 4 * MIB);
		expect_leaf(0xa0000, 1, TABLE_RWX);
		expect_leaf(2 * MIB, 2, TABLE_RWX);
		expect_leaf(2 * GIB, large, TABLE_RWX);
		expect_leaf(3 * GIB, large, TABLE_RWX);
		expect_leaf(4 * GIB, large, TABLE_RWX);
	}
}

/* Nothing needs a small page: none is used. */
static void one_type_is_one_page(void **state)
{
	fake_reset();
	types = (struct mtrr){.def_type = 0x800 | MEM_WB, .phys_bits = 48};
	assert_int_equal(start_table(TOP, true), 0);
	expect_leaf(0, 3, TABLE_RWX);
	expect_leaf(TOP - 1, 3, TABLE_RWX);
}

static void a_page_of_its_own_type(void **state)
{
	fake_reset();
	types = pc_types();
	range(1, 5 * GIB + 3 * MIB, PAGE_SIZE, MEM_WT);
	assert_int_equal(start_table(TOP, true), 0);
	expect_leaf(5 * GIB + 3 * MIB, 1, TABLE_RWX);
	assert_int_equal(type_at(5 * GIB + 3 * MIB), MEM_WT);
	expect_leaf(5 * GIB + 3 * MIB - 1, 1, TABLE_RWX);
	expect_leaf(5 * GIB + 4 * MIB, 2, TABLE_RWX);
	expect_leaf(5 * GIB, 2, TABLE_RWX);
	expect_leaf(6 * GIB, 3, TABLE_RWX);
	expect_types(5 * GIB, 5 * GIB + 8 * MIB);
}

static void splits_and_rights_keep_types(void **state)
{
	set_up(true);
	assert_int_equal(host_set(HPA(3 * GIB + MIB), PAGE_SIZE, TABLE_R), 0);
	expect_leaf(3 * GIB + MIB, 1, TABLE_R);
	assert_int_equal(type_at(3 * GIB + MIB), MEM_UC);
	expect_types(3 * GIB, 3 * GIB + 8 * MIB);
	assert_int_equal(host_set(HPA(3 * GIB + MIB), PAGE_SIZE, 0), 0);
	assert_int_equal(host_set(HPA(3 * GIB + MIB), PAGE_SIZE, TABLE_RWX), 0);
	expect_leaf(3 * GIB + MIB, 3, TABLE_RWX); /* merged again */
	/* one call over several types, whose leaves are as large as before */
	assert_int_equal(host_set(HPA(0), TOP, TABLE_R), 0);
	expect_types(0, 8 * MIB);
	expect_types(3 * GIB, 3 * GIB + 8 * MIB);
	expect_leaf(2 * GIB, 3, TABLE_R);
	expect_leaf(4 * GIB, 3, TABLE_R);
}

static void devices_take_types(void **state)
{
	fake_reset();
	types = pc_types();
	range(1, 16 * GIB, 2 * GIB, MEM_WC);
	range(2, 32 * GIB + 64 * MIB, 2 * MIB, MEM_UC);
	assert_int_equal(start_table(TOP, true), 0);
	assert_int_equal(host_map_device(HPA(16 * GIB + 0x1234)), 0);
	expect_leaf(16 * GIB, 3, TABLE_RWX);
	assert_int_equal(type_at(16 * GIB), MEM_WC);
	assert_int_equal(host_map_device(HPA(32 * GIB)), 0);
	expect_leaf(32 * GIB, 2, TABLE_RWX);
	expect_leaf(32 * GIB + 64 * MIB, 2, TABLE_RWX);
	assert_int_equal(type_at(32 * GIB + 64 * MIB), MEM_UC);
	assert_int_equal(type_at(32 * GIB + 66 * MIB), MEM_WB);
	/* and those of today: */
	range(3, 64 * GIB, 64 * GIB, MEM_UC);
	assert_int_equal(host_retype(&types), 0);
	assert_int_equal(host_map_device(HPA(65 * GIB)), 0);
	assert_int_equal(type_at(65 * GIB), MEM_UC);
	expect_absent(64 * GIB);
}

static void retyped(void **state)
{
	set_up(true);
	assert_int_equal(host_set(HPA(16 * MIB), 2 * MIB, 0), 0);
	assert_int_equal(host_set(HPA(5 * GIB), PAGE_SIZE, TABLE_R), 0);
	assert_int_equal(host_set(HPA(6 * GIB), GIB, TABLE_R | TABLE_X), 0);
	/* what is large comes to have two types, absent and read-only pages among them */
	range(1, 16 * MIB, 16 * MIB, MEM_WT);
	range(2, 5 * GIB, 8 << 10, MEM_WC);
	range(3, 6 * GIB + 512 * MIB, 512 * MIB, MEM_UC);
	assert_int_equal(host_retype(&types), 0);
	expect_absent(16 * MIB);
	expect_absent(18 * MIB - 1);
	assert_int_equal(type_at(18 * MIB), MEM_WT);
	expect_leaf(18 * MIB, 2, TABLE_RWX);
	expect_leaf(5 * GIB, 1, TABLE_R);
	assert_int_equal(type_at(5 * GIB), MEM_WC);
	expect_leaf(5 * GIB + PAGE_SIZE, 1, TABLE_RWX);
	assert_int_equal(type_at(5 * GIB + PAGE_SIZE), MEM_WC);
	assert_int_equal(type_at(5 * GIB + 2 * PAGE_SIZE), MEM_WB);
	expect_leaf(6 * GIB, 2, TABLE_R | TABLE_X);
	expect_leaf(7 * GIB - 1, 2, TABLE_R | TABLE_X);
	assert_int_equal(type_at(7 * GIB - 1), MEM_UC);
	expect_leaf(7 * GIB, 3, TABLE_RWX);
	expect_types(0, 32 * MIB);
	expect_types(6 * GIB, 7 * GIB);
}

/* As a system does around its changes. Twice the same needs no page. */
static void disabled_and_enabled(void **state)
{
	set_up(true);
	types.def_type &= ~(uint64_t)0x800;
	assert_int_equal(host_retype(&types), 0);
	for (uint64_t at = 0; at < TOP; at += MIB)
		assert_int_equal(type_at(at), MEM_UC);
	types.def_type |= 0x800;
	fake_limit_tables(0);
	assert_int_equal(host_retype(&types), 0);
	expect_types(0, LOW);
	expect_leaf(2 * GIB, 3, TABLE_RWX);
	assert_int_equal(type_at(2 * GIB), MEM_WB);
	assert_int_equal(type_at(3 * GIB), MEM_UC);
}

/* What cannot be split is uncacheable; all else is right. Later it can be made good. */
static void no_pages_to_split_with(void **state)
{
	struct mtrr now;

	set_up(true);
	assert_int_equal(host_set(HPA(4 * GIB), GIB, TABLE_R), 0);
	range(1, 4 * GIB, 2 * MIB, MEM_WT);
	range(2, 5 * GIB, GIB, MEM_WT);
	now = types;
	fake_limit_tables(0);
	assert_int_equal(host_retype(&now), ERR_NOMEM);
	memset(&now, 0xff, sizeof(now)); /* it was copied */
	assert_int_equal(type_at(4 * GIB), MEM_UC);
	assert_int_equal(type_at(5 * GIB - 1), MEM_UC);
	assert_true(host_allows(HPA(4 * GIB), TABLE_R));
	assert_false(host_allows(HPA(4 * GIB), TABLE_W));
	expect_leaf(5 * GIB, 3, TABLE_RWX);
	assert_int_equal(type_at(5 * GIB), MEM_WT);
	expect_leaf(6 * GIB, 3, TABLE_RWX);
	fake_limit_tables(1);
	assert_int_equal(host_set(HPA(4 * GIB), 4 * MIB, TABLE_R | TABLE_X), 0);
	expect_leaf(4 * GIB, 2, TABLE_R | TABLE_X);
	assert_int_equal(type_at(4 * GIB), MEM_WT);
	assert_int_equal(host_retype(&types), 0);
	expect_leaf(5 * GIB - 1, 2, TABLE_R);
	expect_types(4 * GIB, 5 * GIB);
}

/* --- at random --------------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static uint64_t rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

static void random_types(void)
{
	static const enum mem_type all[] = {MEM_UC, MEM_WC, MEM_WT, MEM_WP, MEM_WB};

	types.def_type = (rnd(10) ? 0x800 : 0) | rnd(2) << 10 | all[rnd(5)];
	for (unsigned int i = 0; i < MTRR_FIXED; i++)
		memset(&types.fixed[i], all[rnd(5)], 8);
	for (unsigned int i = 0; i < 6; i++) {
		uint64_t size = PAGE_SIZE << rnd(13);

		range(i, rnd(LOW) & ~(size - 1), size, all[rnd(5)]);
		if (!rnd(2))
			types.variable[i].mask = 0;
	}
}

/* Rights set and types changed in any order: each page has the last of both. */
static void at_random(void **state)
{
	static const unsigned int some[] = {0, TABLE_R, TABLE_R | TABLE_X, TABLE_RWX};
	static unsigned int rights[LOW / PAGE_SIZE];

	for (unsigned int round = 0; round < 60; round++) {
		set_up(rnd(2));
		for (size_t i = 0; i < ARRAY_SIZE(rights); i++)
			rights[i] = TABLE_RWX;
		for (unsigned int step = 0; step < 30; step++) {
			uint64_t first = rnd(ARRAY_SIZE(rights));
			uint64_t n = rnd(ARRAY_SIZE(rights) - first) >> rnd(12);
			unsigned int r = some[rnd(ARRAY_SIZE(some))];

			if (!rnd(5)) {
				random_types();
				assert_int_equal(host_retype(&types), 0);
			}
			assert_int_equal(host_set(HPA(first * PAGE_SIZE), n * PAGE_SIZE, r), 0);
			for (uint64_t i = first; i < first + n; i++)
				rights[i] = r;
		}
		expect_types(0, LOW);
		for (uint64_t i = 0; i < ARRAY_SIZE(rights); i++) {
			uint64_t entry;

			level_of(i * PAGE_SIZE, &entry);
			assert_int_equal(table_present(entry) ? table_rights(entry) : 0, rights[i]);
		}
	}
}

/* What L1 sees in the place of a page that is not its own. */
static void frames_stay(void **state)
{
	const uint64_t page = LOW + 5 * PAGE_SIZE, frame = 4 * LOW;
	uint64_t entry;

	set_up(true);
	fake_add_ram(HPA(0), 2 * LOW);
	for (unsigned int rights = TABLE_R; rights <= (TABLE_R | TABLE_W); rights += TABLE_W) {
		assert_int_equal(host_show(HPA(page), HPA(frame), rights, owner_of(HPA(page))), 0);
		for (enum mem_type type = MEM_WT; type <= MEM_WB; type += MEM_WB - MEM_WT) {
			range(1, LOW, LOW, type);
			assert_int_equal(host_retype(&types), 0);
			assert_int_equal(level_of(page, &entry), 1);
			assert_int_equal(table_hpa(entry, 1).a, frame);
			assert_int_equal(table_rights(entry), rights);
			assert_int_equal(entry >> 3 & 7, type);
		}
	}
	expect_leaf(page + PAGE_SIZE, 1, TABLE_RWX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pc),
		cmocka_unit_test(one_type_is_one_page),
		cmocka_unit_test(a_page_of_its_own_type),
		cmocka_unit_test(splits_and_rights_keep_types),
		cmocka_unit_test(devices_take_types),
		cmocka_unit_test(retyped),
		cmocka_unit_test(disabled_and_enabled),
		cmocka_unit_test(no_pages_to_split_with),
		cmocka_unit_test(at_random),
		cmocka_unit_test(frames_stay),
	};

	return RUN_APART(tests);
}
