/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's table from launch to the end, in both formats: who owns what, what L1 reaches, which
 * stores are refused. Each test is a process.
 */
#include "tests/unit/test_guest_table.h"

/* Everything is as before, whatever was tried. */
static void expect_nothing_taken(void)
{
	assert_false(table.live);
	assert_int_equal(table.pages, 0);
	assert_int_equal(table.tables, 0);
	for (uint64_t at = 0; at < RAM; at += PAGE_SIZE)
		if (owner_kind(owner_of(HPA(at))) != OWNER_HOST ||
		    !host_allows(HPA(at), TABLE_RWX) || !io_reaches(HPA(at)))
			fail_msg("page %lx", at);
}

static void refused(int err)
{
	assert_int_equal(guest_table_launch(&table), err);
	expect_nothing_taken();
}

static void a_launch(void **state)
{
	launch();
	expect_private(PAGES, MIB);
	expect_private(PAGES + 7 * PAGE_SIZE, MIB + PAGE_SIZE);
	for (uint64_t at = 0; at < 2 * MIB; at += PAGE_SIZE)
		expect_private(PAGES + 2 * MIB + at, 4 * MIB + at);
	expect_owner(PAGES + PAGE_SIZE, OWNER_SHARED, DEVICES + PAGE_SIZE);
	assert_true(host_allows(HPA(PAGES + PAGE_SIZE), TABLE_RWX));
	assert_true(io_reaches(HPA(PAGES + PAGE_SIZE)));
	expect_table(ROOT, 0, 4);
	expect_table(ROOT + PAGE_SIZE, 0, 3);
	expect_table(entry_for(4 * MIB, 2).a, 0, 2);
	expect_table(entry_for(MIB, 1).a, 0, 1);
	expect_table(entry_for(DEVICES, 1).a, DEVICES, 1);
	expect_host(PAGES + 2 * PAGE_SIZE);
	assert_int_equal(table.pages, 2 + 512);
	assert_int_equal(table.tables, 6);
	assert_int_equal(filled + left, 0);
}

static void launches_that_are_refused(void **state)
{
	begin();
	map(0, PAGES, 1);
	map(PAGE_SIZE, PAGES, 1); /* a page twice */
	refused(ERR_PERM);
	begin();
	map(0, ROOT, 1); /* a table's page */
	refused(ERR_PERM);
	begin();
	map(0, RAM, 1); /* no RAM */
	refused(ERR_PERM);
	begin();
	map(0, (uint64_t)1 << 45, 1);
	refused(ERR_PERM);
	begin();
	map(2 * MIB, RAM - 2 * MIB + 0x200000, 2);
	refused(ERR_PERM);
	begin();
	map(DEVICES, RAM, 1);
	refused(ERR_PERM);
	begin();
	map(DEVICES - 2 * MIB, PAGES, 2);
	table.shared[0].start = GPA(DEVICES - MIB); /* a large page over both kinds */
	refused(ERR_PERM);
	begin();
	*(uint64_t *)fake_at(entry_for(0, 1), 8) = UNCACHED(leaf(PAGES, 1));
	refused(ERR_PERM);
}

static void somebody_elses_pages(void **state)
{
	const enum owner_kind kinds[] = {OWNER_NONE, OWNER_MONITOR, OWNER_SHARED, OWNER_TABLE,
					 OWNER_GUEST};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (int device = 0; device < 2; device++) {
			begin();
			map(device ? DEVICES : 0, PAGES, 1);
			fake_give(HPA(PAGES), kinds[i]);
			assert_int_equal(guest_table_launch(&table), ERR_PERM);
			fake_give(HPA(PAGES), OWNER_HOST);
			expect_nothing_taken();
		}
}

static void loops(void **state)
{
	for (unsigned int level = 4; level >= 2; level--)
		for (unsigned int to = 4; to >= level; to--) {
			begin();
			map(0, PAGES, 1);
			*(uint64_t *)fake_at(entry_for(2 * table_span(level), level), 8) =
				table_entry(HPA(ALIGN_DOWN(entry_for(0, to).a, PAGE_SIZE)));
			refused(ERR_PERM);
		}
	/* and one table under two entries */
	begin();
	map(0, PAGES, 1);
	*(uint64_t *)fake_at(entry_for(2 * MIB, 2), 8) =
		table_entry(HPA(ALIGN_DOWN(entry_for(0, 1).a, PAGE_SIZE)));
	refused(ERR_PERM);
}

static void entries_that_mean_nothing(void **state)
{
	begin();
	*(uint64_t *)fake_at(entry_for(0, 4), 8) = leaf(0, 3); /* a leaf of 512 GiB */
	refused(ERR_PERM);
	begin();
	*(uint64_t *)fake_at(entry_for(2 * MIB, 2), 8) = leaf(PAGES, 2) | 0x2000;
	refused(ERR_PERM);
}

/* R7: entries that Xen marked to compute them anew are mapped all the same. */
static void marked_entries(void **state)
{
	begin();
	map(MIB, PAGES, 1);
	*(uint64_t *)fake_at(entry_for(MIB, 1), 8) = MARKED(leaf(PAGES, 1));
	*(uint64_t *)fake_at(entry_for(MIB, 2), 8) =
		MARKED(*(uint64_t *)fake_at(entry_for(MIB, 2), 8));
	assert_int_equal(guest_table_launch(&table), 0);
	expect_private(PAGES, MIB);
	assert_int_equal(guest_table_store(&table, entry_for(MIB, 1), leaf(PAGES, 1)), 0);
	assert_int_equal(*(uint64_t *)fake_at(entry_for(MIB, 1), 8), leaf(PAGES, 1));
	assert_int_equal(guest_table_store(&table, entry_for(MIB, 1), MARKED(leaf(PAGES, 1))), 0);
	expect_private(PAGES, MIB);
	assert_int_equal(filled + left, 0);
}

static void without_room_in_the_host_table(void **state)
{
	for (unsigned int n = 0;; n++) {
		int err;

		begin();
		map(MIB, PAGES, 1);
		map(4 * MIB, PAGES + 4 * MIB, 2);
		map(GIB, RAM - PAGE_SIZE, 1);
		fake_limit_tables(n);
		err = guest_table_launch(&table);
		if (!err)
			break;
		assert_int_equal(err, ERR_NOMEM);
		expect_nothing_taken();
		assert_true(n < 10);
	}
}

static void a_page_comes(void **state)
{
	launch();
	memset(fake_at(HPA(PAGES + 9 * PAGE_SIZE), PAGE_SIZE), 0x55, PAGE_SIZE);
	assert_int_equal(store(MIB + 9 * PAGE_SIZE, 1, leaf(PAGES + 9 * PAGE_SIZE, 1)), 0);
	expect_private(PAGES + 9 * PAGE_SIZE, MIB + 9 * PAGE_SIZE);
	assert_int_equal(filled, 1);
	assert_int_equal(last_filled.a, MIB + 9 * PAGE_SIZE);
	assert_int_equal(*(uint8_t *)fake_at(HPA(PAGES + 9 * PAGE_SIZE), 1), 0);
	assert_int_equal(store(6 * MIB, 2, leaf(PAGES + 6 * MIB, 2)), 0);
	assert_int_equal(filled, 513);
	assert_int_equal(store(DEVICES, 1, leaf(PAGES + 10 * PAGE_SIZE, 1)), 0);
	expect_owner(PAGES + 10 * PAGE_SIZE, OWNER_SHARED, DEVICES);
	assert_int_equal(filled, 513); /* L1's page is as L1 left it */
}

static void a_page_goes(void **state)
{
	launch();
	assert_int_equal(store(MIB, 1, 0), 0);
	expect_host(PAGES);
	assert_int_equal(left, 1);
	assert_int_equal(last_left.a, MIB);
	assert_int_equal(store(4 * MIB, 2, 0), 0);
	for (uint64_t at = 0; at < 2 * MIB; at += PAGE_SIZE)
		expect_host(PAGES + 2 * MIB + at);
	assert_int_equal(left, 513);
	assert_int_equal(store(DEVICES + PAGE_SIZE, 1, 0), 0);
	expect_host(PAGES + PAGE_SIZE);
	assert_int_equal(left, 513);
	assert_int_equal(table.pages, 1);
}

/*
 * Every CPU that has run the guest has forgotten its translations before the page is let go (R2), others
 * are not asked. All have lost what they knew as L1 before a page is taken (R1).
 */
static void flush_before(void **state)
{
	unsigned int before, other;

	launch();
	cpu_meets(cpu_at(1), table.guest);
	before = cpu_at(1)->hw->flushed;
	other = cpu_at(0)->hw->flushed;
	assert_int_equal(store(MIB, 1, 0), 0);
	assert_true(cpu_at(1)->hw->flushed > before);
	assert_int_equal(cpu_at(0)->hw->flushed, other);
	before = cpu_at(1)->hw->flushed;
	assert_int_equal(store(MIB, 1, leaf(PAGES, 1)), 0);
	assert_true(cpu_at(1)->hw->flushed > before);
	assert_true(cpu_at(0)->hw->flushed > other);
	before = cpu_at(1)->hw->flushed;
	assert_int_equal(store(MIB, 1, MARKED(leaf(PAGES, 1))), 0);
	assert_int_equal(cpu_at(1)->hw->flushed, before); /* nothing moved */
}

static void one_page_for_another(void **state)
{
	launch();
	assert_int_equal(store(MIB, 1, leaf(PAGES + 9 * PAGE_SIZE, 1)), 0);
	expect_host(PAGES);
	expect_private(PAGES + 9 * PAGE_SIZE, MIB);
	assert_int_equal(filled, 1);
	assert_int_equal(left, 1);
}

static void stores_that_are_refused(void **state)
{
	const struct {
		uint64_t gpa, value;
		unsigned int level;
	} bad[] = {
		{MIB + 9 * PAGE_SIZE, leaf(PAGES, 1), 1},             /* its own page again */
		{MIB + 9 * PAGE_SIZE, leaf(PAGES + 2 * MIB, 1), 1},   /* part of its large page */
		{MIB, leaf(PAGES + 7 * PAGE_SIZE, 1), 1},             /* two swapped */
		{MIB + 9 * PAGE_SIZE, leaf(ROOT, 1), 1},              /* a table */
		{MIB + 9 * PAGE_SIZE, leaf(RAM, 1), 1},               /* no RAM */
		{MIB + 9 * PAGE_SIZE, leaf(PAGES + PAGE_SIZE, 1), 1}, /* a device's */
		{DEVICES, leaf(PAGES, 1), 1},                         /* its page as a device's */
		{MIB + 9 * PAGE_SIZE, UNCACHED(leaf(PAGES + 9 * PAGE_SIZE, 1)), 1},
		{MIB, UNCACHED(leaf(PAGES, 1)), 1},
		{6 * MIB, leaf(PAGES, 2), 2}, /* over pages that are taken */
		{6 * MIB, leaf(RAM - 2 * MIB, 2) + 2 * MIB, 2},
		{6 * MIB, table_entry(HPA(ROOT)), 2},  /* a loop */
		{6 * MIB, table_entry(HPA(PAGES)), 2}, /* a guest's page as a table */
		{6 * MIB, table_entry(HPA(RAM)), 2},
		{512 * GIB, leaf(0, 3), 4},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		launch();
		if (store(bad[i].gpa, bad[i].level, bad[i].value) != ERR_PERM)
			fail_msg("store %zu", i);
		expect_private(PAGES + 7 * PAGE_SIZE, MIB + PAGE_SIZE);
		expect_table(ROOT, 0, 4);
		guest_table_drop(&table);
		expect_host(ROOT);
	}
}

static void an_empty_table_is_linked(void **state)
{
	uint64_t new;

	launch();
	new = children(0, 1, 0);
	assert_int_equal(store(6 * MIB, 2, table_entry(HPA(new))), 0);
	expect_table(new, 6 * MIB, 1);
	assert_int_equal(store(6 * MIB + PAGE_SIZE, 1, leaf(PAGES + 9 * PAGE_SIZE, 1)), 0);
	expect_private(PAGES + 9 * PAGE_SIZE, 6 * MIB + PAGE_SIZE);
	assert_int_equal(store(6 * MIB, 2, 0), 0); /* with the page below */
	expect_host(new);
	expect_host(PAGES + 9 * PAGE_SIZE);
	assert_int_equal(last_left.a, 6 * MIB + PAGE_SIZE);
}

/* A large page becomes a table of the same pages, and the reverse: nothing leaves the guest. */
static void split_and_merged(void **state)
{
	uint64_t new;

	launch();
	new = children(PAGES + 2 * MIB, 1, PAGE_SIZE);
	assert_int_equal(store(4 * MIB, 2, table_entry(HPA(new))), 0);
	expect_table(new, 4 * MIB, 1);
	expect_private(PAGES + 2 * MIB + PAGE_SIZE, 4 * MIB + PAGE_SIZE);
	assert_int_equal(filled + left, 0);
	assert_int_equal(table.pages, 514);
	assert_int_equal(store(4 * MIB, 2, leaf(PAGES + 2 * MIB, 2)), 0);
	expect_host(new);
	expect_private(PAGES + 2 * MIB + PAGE_SIZE, 4 * MIB + PAGE_SIZE);
	assert_int_equal(filled + left, 0);
	assert_int_equal(table.tables, 6);
}

/* All but one page of it: it is no split, but pages that go and come. */
static void a_split_that_is_none(void **state)
{
	uint64_t new;

	launch();
	new = children(PAGES + 2 * MIB, 1, PAGE_SIZE);
	*slot(new, 1, 4 * MIB) = 0;
	assert_int_equal(store(4 * MIB, 2, table_entry(HPA(new))), 0);
	expect_host(PAGES + 2 * MIB);
	expect_private(PAGES + 2 * MIB + PAGE_SIZE, 4 * MIB + PAGE_SIZE);
	assert_int_equal(left, 512);
	assert_int_equal(filled, 511);
	launch();
	new = children(PAGES + 2 * MIB, 1, PAGE_SIZE);
	*slot(new, 1, 4 * MIB) = leaf(PAGES, 1); /* mapped elsewhere */
	assert_int_equal(store(4 * MIB, 2, table_entry(HPA(new))), ERR_PERM);
	expect_private(PAGES, MIB);
}

static void a_subtree_is_linked(void **state)
{
	uint64_t pages, dir;

	launch();
	pages = children(PAGES + 6 * MIB, 1, PAGE_SIZE);
	dir = children(0, 2, 0);
	*slot(dir, 2, 2 * MIB) = table_entry(HPA(pages));
	assert_int_equal(store(2 * GIB, 3, table_entry(HPA(dir))), 0);
	expect_table(dir, 2 * GIB, 2);
	expect_table(pages, 2 * GIB + 2 * MIB, 1);
	expect_private(PAGES + 6 * MIB + PAGE_SIZE, 2 * GIB + 2 * MIB + PAGE_SIZE);
	assert_int_equal(filled, 512);
	/* with a loop inside */
	launch();
	dir = children(0, 2, 0);
	*slot(dir, 2, 0) = table_entry(HPA(dir));
	assert_int_equal(store(2 * GIB, 3, table_entry(HPA(dir))), ERR_PERM);
	expect_host(dir);
}

/* A new table shares one that is in use: until no CPU walks that one, L1 must not get it back. */
static void a_table_in_use_is_linked_again(void **state)
{
	unsigned int before;
	uint64_t used, dir;

	launch();
	cpu_meets(cpu_at(1), table.guest);
	before = cpu_at(1)->hw->flushed;
	used = ALIGN_DOWN(entry_for(MIB, 1).a, PAGE_SIZE);
	dir = children(0, 1, 0);
	*slot(dir, 2, 0) = table_entry(HPA(used));
	assert_int_equal(store(0, 3, table_entry(HPA(dir))), ERR_PERM);
	assert_int_equal(cpu_at(1)->hw->flushed,
			 before + 2); /* of L1, then of who walks the old ones */
	assert_int_equal(*(uint64_t *)fake_at(entry_for(0, 3), 8), 0);
	expect_host(dir);
	expect_host(used);
	expect_private(PAGES, MIB);
	guest_table_drop(&table);
	assert_int_equal(table.tables, 0);
}

static void what_fill_and_leave_refuse(void **state)
{
	launch();
	fill_error = ERR_INVAL;
	assert_int_equal(store(MIB + 9 * PAGE_SIZE, 1, leaf(PAGES + 9 * PAGE_SIZE, 1)), ERR_INVAL);
	expect_private(PAGES + 9 * PAGE_SIZE, MIB + 9 * PAGE_SIZE); /* not L1's to read */
	fill_error = 0;
	leave_error = ERR_NOMEM;
	assert_int_equal(store(MIB, 1, 0), ERR_NOMEM);
	expect_private(PAGES, MIB);
}

static void the_end(void **state)
{
	launch();
	assert_int_equal(guest_table_store(&table, HPA(ROOT), 0), GUEST_TABLE_GONE);
	expect_table(ROOT, 0, 4);
	guest_table_drop(&table);
	assert_false(table.live);
	assert_int_equal(table.tables, 0);
	expect_host(ROOT);
	expect_host(ROOT + PAGE_SIZE);
	expect_host(entry_for(MIB, 1).a & PAGE_MASK);
	expect_host(PAGES + PAGE_SIZE);
	expect_private(PAGES, MIB); /* until L1 touches it */
	assert_int_equal(left, 0);
	assert_int_equal(guest_table_store(&table, HPA(ROOT), 0), ERR_BUSY);
	guest_table_drop(&table);
}

static uint64_t seen;

static int see(void *context, gpa_t gpa, hpa_t page)
{
	assert_true(gpa.a >= seen);
	assert_true(owner_is_guest(page, 1, GUEST, gpa));
	seen = gpa.a + PAGE_SIZE;
	++*(unsigned int *)context;
	return 0;
}

static void in_order(void **state)
{
	unsigned int n = 0;

	launch();
	assert_int_equal(guest_table_each(&table, see, &n), 0);
	assert_int_equal(n, 514);
	assert_int_equal(seen, 6 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_launch),
		cmocka_unit_test(launches_that_are_refused),
		cmocka_unit_test(somebody_elses_pages),
		cmocka_unit_test(loops),
		cmocka_unit_test(entries_that_mean_nothing),
		cmocka_unit_test(marked_entries),
		cmocka_unit_test(without_room_in_the_host_table),
		cmocka_unit_test(a_page_comes),
		cmocka_unit_test(a_page_goes),
		cmocka_unit_test(flush_before),
		cmocka_unit_test(one_page_for_another),
		cmocka_unit_test(stores_that_are_refused),
		cmocka_unit_test(an_empty_table_is_linked),
		cmocka_unit_test(split_and_merged),
		cmocka_unit_test(a_split_that_is_none),
		cmocka_unit_test(a_subtree_is_linked),
		cmocka_unit_test(a_table_in_use_is_linked_again),
		cmocka_unit_test(what_fill_and_leave_refuse),
		cmocka_unit_test(the_end),
		cmocka_unit_test(in_order),
	};

	return RUN_APART(tests);
}
