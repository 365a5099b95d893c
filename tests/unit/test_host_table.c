/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's nested table in both formats: splitting, rights, and what happens when the table pages run
 * out. Memory types, which only EPT's leaves have, are in test_ept_types.c too.
 */
#include "tests/unit/test_host_leaf.h"

static void memory_is_one_to_one(void **state)
{
	for (unsigned int large = 2; large <= 3; large++) {
		set_up(large == 3);
		/* Large pages do not cross the first MiB's devices, nor those below 4 GiB. */
		expect_leaf(0, 1, TABLE_RWX);
		expect_leaf(2 * MIB - 1, 1, TABLE_RWX);
		expect_leaf(2 * MIB, 2, TABLE_RWX);
		expect_leaf(0x12345678, 2, TABLE_RWX);
#ifdef FORMAT_EPT
		expect_leaf(3 * GIB - 1, large, TABLE_RWX); /* but what has one type may be large */
		expect_leaf(3 * GIB, large, TABLE_RWX);
		expect_leaf(4 * GIB - 1, large, TABLE_RWX);
#else
		expect_leaf(4 * GIB - 1, 2, TABLE_RWX);
#endif
		expect_leaf(4 * GIB, large, TABLE_RWX);
		expect_leaf(TOP - 1, large, TABLE_RWX);
		expect_absent(TOP);
		expect_absent(512 * GIB);
	}
}

static void a_top_that_is_no_gigabyte(void **state)
{
	fake_reset();
	types = pc_types();
	assert_int_equal(start_table(5 * GIB + 6 * MIB, true), 0);
	expect_leaf(5 * GIB - 1, 3, TABLE_RWX);
	expect_leaf(5 * GIB + 6 * MIB - 1, 2, TABLE_RWX);
	expect_absent(5 * GIB + 6 * MIB);
}

static void a_page_splits_all_levels(void **state)
{
	const uint64_t at = 5 * GIB + 0x12345000;

	set_up(true);
	assert_int_equal(host_set(HPA(at), PAGE_SIZE, TABLE_R), 0);
	expect_leaf(at, 1, TABLE_R);
	expect_leaf(at + PAGE_SIZE - 1, 1, TABLE_R);
	expect_leaf(at - 1, 1, TABLE_RWX);
	expect_leaf(at + PAGE_SIZE, 1, TABLE_RWX);
	expect_leaf(ALIGN_DOWN(at, SPAN(2)), 1, TABLE_RWX);
	expect_leaf(ALIGN_DOWN(at, SPAN(2)) - 1, 2, TABLE_RWX);
	expect_leaf(ALIGN_UP(at, SPAN(2)), 2, TABLE_RWX);
	expect_leaf(5 * GIB, 2, TABLE_RWX);
	expect_leaf(6 * GIB - 1, 2, TABLE_RWX);
	expect_leaf(5 * GIB - 1, 3, TABLE_RWX);
	expect_leaf(4 * GIB, 3, TABLE_RWX);
}

/* What a split makes says the same as the page before it, whatever that was. */
static void a_split_keeps_rights(void **state)
{
	const unsigned int rights[] = {TABLE_R, TABLE_R | TABLE_W, TABLE_R | TABLE_X};

	for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
		set_up(true);
		assert_int_equal(host_set(HPA(5 * GIB), GIB, rights[i]), 0);
		expect_leaf(5 * GIB, 3, rights[i]);
		assert_int_equal(host_set(HPA(5 * GIB + 4 * MIB), PAGE_SIZE, TABLE_RWX), 0);
		expect_leaf(5 * GIB + 4 * MIB, 1, TABLE_RWX);
		expect_leaf(5 * GIB + 4 * MIB + PAGE_SIZE, 1, rights[i]);
		expect_leaf(5 * GIB, 2, rights[i]);
		expect_leaf(6 * GIB - 1, 2, rights[i]);
	}
}

static void a_range_uses_large_pages(void **state)
{
	const uint64_t start = 5 * GIB - 2 * PAGE_SIZE, end = 6 * GIB + 2 * MIB + 3 * PAGE_SIZE;

	set_up(true);
	assert_int_equal(host_set(HPA(start), end - start, TABLE_R), 0);
	expect_leaf(start - 1, 1, TABLE_RWX);
	expect_leaf(start, 1, TABLE_R);
	expect_leaf(5 * GIB, 3, TABLE_R);
	expect_leaf(6 * GIB, 2, TABLE_R);
	expect_leaf(6 * GIB + 2 * MIB, 1, TABLE_R);
	expect_leaf(end - 1, 1, TABLE_R);
	expect_leaf(end, 1, TABLE_RWX);
}

/* Where there is a table already it is not thrown away for a large page. */
static void a_range_over_smaller_pages(void **state)
{
	set_up(true);
	assert_int_equal(host_set(HPA(5 * GIB + 5 * PAGE_SIZE), PAGE_SIZE, TABLE_R), 0);
	fake_limit_tables(0);
	assert_int_equal(host_set(HPA(5 * GIB), GIB, TABLE_R | TABLE_X), 0);
	for (uint64_t at = 5 * GIB; at < 5 * GIB + 4 * MIB; at += PAGE_SIZE)
		assert_true(host_allows(HPA(at), TABLE_R | TABLE_X) &&
			    !host_allows(HPA(at), TABLE_W));
	expect_leaf(6 * GIB - 1, 2, TABLE_R | TABLE_X);
	expect_leaf(6 * GIB, 3, TABLE_RWX);
}

static void absent_ranges(void **state)
{
	set_up(true);
	assert_int_equal(host_set(HPA(4 * MIB), 2 * MIB + PAGE_SIZE, 0), 0);
	expect_leaf(4 * MIB - 1, 2, TABLE_RWX);
	expect_absent(4 * MIB);
	expect_absent(6 * MIB);
	expect_absent(6 * MIB + PAGE_SIZE - 1);
	expect_leaf(6 * MIB + PAGE_SIZE, 1, TABLE_RWX);
	/* and a page of an absent large one comes back alone */
	assert_int_equal(host_set(HPA(4 * MIB + 7 * PAGE_SIZE), PAGE_SIZE, TABLE_R), 0);
	expect_leaf(4 * MIB + 7 * PAGE_SIZE, 1, TABLE_R);
	expect_absent(4 * MIB + 6 * PAGE_SIZE);
	expect_absent(4 * MIB + 8 * PAGE_SIZE);
	assert_int_equal(host_set(HPA(4 * MIB), 0, TABLE_RWX), 0); /* nothing */
	expect_absent(4 * MIB);
}

/* With n pages left: what was set is a prefix, the rest says what it said. */
static void running_out_leaves_a_prefix(void **state)
{
	const uint64_t start = 2 * MIB - PAGE_SIZE, end = 3 * GIB + PAGE_SIZE;
	bool enough = false;

	for (unsigned int n = 0; !enough; n++) {
		bool reached = false;
		int err;

		assert_true(n < 10);
		set_up(true);
		fake_limit_tables(n);
		err = host_set(HPA(start), end - start, TABLE_R);
		enough = !err;
		assert_true(enough || err == ERR_NOMEM);
		for (uint64_t at = 0; at < TOP; at += at < 4 * MIB ? PAGE_SIZE : MIB) {
			bool changed = !host_allows(HPA(at), TABLE_W);

			assert_true(host_allows(HPA(at), TABLE_R));
			assert_true(!changed || (at >= start && at < end));
			assert_true(!changed || !reached);
			reached |= !changed && at >= start;
			assert_true(!enough || changed == (at >= start && at < end));
		}
		for (uint64_t at = 0; at < TOP; at += 2 * MIB) {
			uint64_t entry;
			unsigned int level = level_of(at, &entry);

			assert_int_equal(table_hpa(entry, level).a, ALIGN_DOWN(at, SPAN(level)));
		}
	}
	assert_true(enough);
}

static void no_pages_at_all(void **state)
{
	fake_reset();
	fake_limit_tables(0);
	assert_int_equal(start_table(TOP, true), ERR_NOMEM);
	fake_reset();
	fake_limit_tables(1);
	assert_int_equal(start_table(TOP, true), ERR_NOMEM);
}

/* Addresses that only differ in the key of the same memory. */
static void aliases(void **state)
{
	set_up(true);
	host_limit(43);
	assert_int_equal(host_map_device(HPA((uint64_t)1 << 43)), ERR_FAULT);
	assert_int_equal(host_map_device(HPA((uint64_t)1 << 47)), ERR_FAULT);
	expect_absent((uint64_t)1 << 43);
	assert_int_equal(host_map_device(HPA(((uint64_t)1 << 43) - 1)), 0);
	host_limit(52); /* more than the table has */
	assert_int_equal(host_map_device(HPA((uint64_t)1 << 48)), ERR_FAULT);
}

static void devices(void **state)
{
	const uint64_t last = ((uint64_t)1 << TABLE_GPA_BITS) - 1;

	set_up(true);
	assert_int_equal(host_map_device(HPA(TOP - 1)), ERR_FAULT);
	assert_int_equal(host_map_device(HPA(0)), ERR_FAULT);
	assert_int_equal(host_map_device(HPA(last + 1)), ERR_FAULT);
	assert_int_equal(host_map_device(HPA(UINT64_MAX)), ERR_FAULT);
	expect_absent(TOP);
	assert_int_equal(host_map_device(HPA(TOP)), 0);
	expect_leaf(TOP + GIB - 1, 3, TABLE_RWX);
	expect_absent(TOP + GIB);
	assert_int_equal(host_map_device(HPA(last)), 0);
	expect_leaf(last, 3, TABLE_RWX);
	expect_absent(last - GIB);
	fake_limit_tables(0);
	assert_int_equal(host_map_device(HPA(last - 512 * GIB)), ERR_NOMEM);
	expect_absent(last - 512 * GIB);
	assert_int_equal(host_map_device(HPA(last - GIB)), 0);
	assert_int_equal(host_map_device(HPA(last)), 0); /* another CPU was quicker */
	expect_leaf(last, 3, TABLE_RWX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_one_to_one),
		cmocka_unit_test(a_top_that_is_no_gigabyte),
		cmocka_unit_test(a_page_splits_all_levels),
		cmocka_unit_test(a_split_keeps_rights),
		cmocka_unit_test(a_range_uses_large_pages),
		cmocka_unit_test(a_range_over_smaller_pages),
		cmocka_unit_test(absent_ranges),
		cmocka_unit_test(running_out_leaves_a_prefix),
		cmocka_unit_test(no_pages_at_all),
		cmocka_unit_test(devices),
		cmocka_unit_test(aliases),
	};

	return RUN_APART(tests);
}
