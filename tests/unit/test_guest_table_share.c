/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores into a guest's table, in both formats: pages of L1's that the guest asked for, and what is left
 * of a subtree when its pages cannot come or go. Each test is a process.
 */
#include "tests/unit/test_guest_table.h"

/* Tables that nothing leads to any more are L1's again; pages that did not leave are not. */
static void subtrees_that_fill_and_leave_refuse(void **state)
{
	uint64_t new;

	launch();
	leave_error = ERR_NOMEM;
	assert_int_equal(store(0, 2, 0), ERR_NOMEM);
	expect_host(ALIGN_DOWN(ROOT + 3 * PAGE_SIZE, PAGE_SIZE));
	expect_private(PAGES, MIB);
	expect_private(PAGES + 7 * PAGE_SIZE, MIB + PAGE_SIZE);
	assert_int_equal(table.tables, 5);
	assert_int_equal(table.pages, 514);
	guest_table_drop(&table);
	assert_int_equal(table.tables, 0);

	launch(); /* one table for another */
	new = children(0, 1, 0);
	assert_int_equal(store(0, 2, table_entry(HPA(new))), ERR_NOMEM);
	expect_host(new);
	guest_table_drop(&table);
	assert_int_equal(table.tables, 0);
	leave_error = 0;

	launch();
	new = children(PAGES + 6 * MIB, 1, PAGE_SIZE);
	fill_error = ERR_PERM;
	assert_int_equal(store(6 * MIB, 2, table_entry(HPA(new))), ERR_PERM);
	fill_error = 0;
	expect_host(new);
	expect_private(PAGES + 6 * MIB, 6 * MIB); /* may be decrypted already */
	assert_int_equal(table.tables, 6);
	guest_table_drop(&table);
	assert_int_equal(table.tables, 0);
}

/* L1's page where the guest asks for one, just then. */
static void a_page_is_asked_for(void **state)
{
	const uint64_t gpa = MIB + 9 * PAGE_SIZE, page = PAGES + 9 * PAGE_SIZE;

	launch();
	filled = left = 0;
	asked = gpa;
	memset(fake_at(HPA(page), PAGE_SIZE), 0x55, PAGE_SIZE);
	assert_int_equal(store(gpa, 1, leaf(page, 1)), 0);
	expect_owner(page, OWNER_SHARED, gpa);
	assert_true(host_allows(HPA(page), TABLE_RWX));
	assert_int_equal(*(uint8_t *)fake_at(HPA(page), 1), 0x55);
	/* It stays what it is, marked or not, until another takes its place */
	asked = 0;
	assert_int_equal(store(gpa, 1, MARKED(leaf(page, 1))), 0);
	assert_int_equal(store(gpa, 1, UNCACHED(leaf(page, 1))), 0);
	expect_owner(page, OWNER_SHARED, gpa);
	assert_int_equal(filled + left, 0);
	assert_int_equal(store(gpa, 1, leaf(page + PAGE_SIZE, 1)), 0);
	expect_host(page);
	expect_private(page + PAGE_SIZE, gpa);
	assert_int_equal(filled, 1);
	/* In the place of a private one, which leaves */
	asked = MIB;
	assert_int_equal(store(MIB, 1, leaf(page, 1)), 0);
	expect_owner(page, OWNER_SHARED, MIB);
	expect_host(PAGES);
	assert_int_equal(left, 1);
	guest_table_drop(&table);
	expect_host(page);
}

/* Neither somebody else's page, nor a large one around it. */
static void what_can_not_be_shared(void **state)
{
	launch();
	asked = 6 * MIB + PAGE_SIZE;
	assert_int_equal(store(6 * MIB, 2, leaf(PAGES + 6 * MIB, 2)), ERR_PERM);
	expect_host(PAGES + 6 * MIB);
	asked = MIB + 9 * PAGE_SIZE;
	launch();
	assert_int_equal(store(asked, 1, leaf(ROOT, 1)), ERR_PERM);
	launch();
	assert_int_equal(store(asked, 1, leaf(PAGES, 1)), ERR_PERM);
	expect_private(PAGES, MIB);
	/* Nor before the guest runs */
	begin();
	asked = MIB;
	map(MIB, PAGES, 1);
	assert_int_equal(guest_table_launch(&table), 0);
	expect_private(PAGES, MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subtrees_that_fill_and_leave_refuse),
		cmocka_unit_test(a_page_is_asked_for),
		cmocka_unit_test(what_can_not_be_shared),
	};

	return RUN_APART(tests);
}
