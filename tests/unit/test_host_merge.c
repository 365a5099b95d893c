/* SPDX-License-Identifier: Apache-2.0 */
/* Small pages of L1's nested table that say again what a large one says become one, in both formats. */
#include "tests/unit/test_host_leaf.h"

#define AT (5 * GIB + 8 * MIB)

static void set(uint64_t hpa, uint64_t len, unsigned int rights)
{
	assert_int_equal(host_set(HPA(hpa), len, rights), 0);
}

static void release(void)
{
	host_release(host_retired());
}

static void a_page_that_comes_back(void **state)
{
	for (unsigned int largest = 2; largest <= 3; largest++) {
		set_up(largest == 3);
		set(AT + 3 * PAGE_SIZE, PAGE_SIZE, 0);
		expect_absent(AT + 3 * PAGE_SIZE);
		expect_leaf(AT, 1, TABLE_RWX);
		set(AT + 3 * PAGE_SIZE, PAGE_SIZE, TABLE_RWX);
		expect_leaf(AT, largest, TABLE_RWX);
		expect_leaf(AT + 3 * PAGE_SIZE, largest, TABLE_RWX);
	}
}

/* In any order, the last one merges them, and not before. */
static void pages_in_any_order(void **state)
{
	for (unsigned int step = 1; step < TABLE_ENTRIES; step += 2) {
		set_up(false);
		set(AT, 2 * MIB, TABLE_R);
		set(AT, PAGE_SIZE, TABLE_R | TABLE_X);
		for (unsigned int i = 0, n = step; i < TABLE_ENTRIES; i++, n += step) {
			expect_leaf(AT, 1,
				    host_allows(HPA(AT), TABLE_W) ? TABLE_RWX : TABLE_R | TABLE_X);
			set(AT + n % TABLE_ENTRIES * PAGE_SIZE, PAGE_SIZE, TABLE_RWX);
		}
		expect_leaf(AT, 2, TABLE_RWX);
		release();
	}
}

static void less_than_every_right_is_not_merged(void **state)
{
	set_up(true);
	set(AT + PAGE_SIZE, PAGE_SIZE, TABLE_R);
	set(AT, 2 * MIB, TABLE_R | TABLE_X);
	expect_leaf(AT, 1, TABLE_R | TABLE_X);
	set(AT, 2 * MIB - PAGE_SIZE, TABLE_RWX);
	expect_leaf(AT, 1, TABLE_RWX);
	expect_leaf(AT + 2 * MIB - PAGE_SIZE, 1, TABLE_R | TABLE_X);
}

/* Below 2 MiB, and for NPT below 4 GiB, pages stay as small as they were made. */
static void no_larger_than_at_boot(void **state)
{
	set_up(true);
	set(MIB / 2, PAGE_SIZE, 0);
	set(MIB / 2, PAGE_SIZE, TABLE_RWX);
	expect_leaf(MIB / 2, 1, TABLE_RWX);
#ifndef FORMAT_EPT
	set(GIB, PAGE_SIZE, 0);
	set(GIB, PAGE_SIZE, TABLE_RWX);
	expect_leaf(GIB, 2, TABLE_RWX);
#endif
}

/* A table that was replaced is not handed out before host_release(), and is then. */
static void tables_are_kept_until_a_flush(void **state)
{
	uint32_t before;

	set_up(false);
	fake_limit_tables(1);
	set(AT, PAGE_SIZE, 0);
	before = host_retired();
	set(AT, PAGE_SIZE, TABLE_RWX);
	expect_leaf(AT, 2, TABLE_RWX);
	assert_int_equal(host_set(HPA(AT), PAGE_SIZE, 0), ERR_NOMEM);
	host_release(before);
	assert_int_equal(host_set(HPA(AT), PAGE_SIZE, 0), ERR_NOMEM);
	release();
	set(AT, PAGE_SIZE, 0);
	expect_absent(AT);
	expect_leaf(AT + PAGE_SIZE, 1, TABLE_RWX);
	release(); /* nothing more */
	assert_int_equal(host_set(HPA(AT + 2 * MIB), PAGE_SIZE, 0), ERR_NOMEM);
}

/* More of them than can be kept: the rest stays small, and says the same. */
static void too_many_at_once(void **state)
{
	unsigned int merged = 0;
	uint64_t entry;

	set_up(false);
	for (uint64_t at = AT; at < AT + 80 * 2 * MIB; at += 2 * MIB)
		set(at, PAGE_SIZE, 0);
	for (uint64_t at = AT; at < AT + 80 * 2 * MIB; at += 2 * MIB) {
		set(at, PAGE_SIZE, TABLE_RWX);
		assert_true(host_allows(HPA(at), TABLE_RWX));
		merged += level_of(at, &entry) == 2;
	}
	assert_int_equal(merged, 64);
	release();
	for (uint64_t at = AT; at < AT + 80 * 2 * MIB; at += 2 * MIB) {
		set(at, PAGE_SIZE, TABLE_RWX);
		expect_leaf(at, 2, TABLE_RWX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_that_comes_back),
		cmocka_unit_test(pages_in_any_order),
		cmocka_unit_test(less_than_every_right_is_not_merged),
		cmocka_unit_test(no_larger_than_at_boot),
		cmocka_unit_test(tables_are_kept_until_a_flush),
		cmocka_unit_test(too_many_at_once),
	};

	return RUN_APART(tests);
}
