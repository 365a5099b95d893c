/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The IO table by itself, in both IOMMUs' shapes, and behind the host table: what L1's CPUs lose,
 * devices lose. test_guest_table.c looks at it through a guest's life.
 */
#include "ept/guest_table.h"
#include "ept/io.h"
#include "monitor/hypercall.h"
#include "monitor/iommu/iommu.h"
#include "monitor/iommu/unit.h"
#include "tests/unit/test_host_leaf.h"

#define RAM (4 * GIB) /* devices reach it at first */

/* Every level has bits of its own, so that a mixture is seen. */
static const struct io_format deep = {
	.levels = 4,
	.leaf_max = 3,
	.leaf = {0, 0x101, 0x103, 0x105},
	.table = {0, 0, 0x203, 0x205, 0x207},
};
static const struct io_format shallow = {
	.levels = 3,
	.leaf_max = 2,
	.leaf = {0, 3, 0x83},
	.table = {0, 0, 3, 3},
};

static void set_up_io(const struct io_format *format)
{
	set_up(true);
	assert_int_equal(io_init(format, TOP), 0);
	assert_int_equal(io_set(HPA(0), RAM, true), 0);
}

/* The level of the entry that decides, and that it is as the format has it, all the way. */
static unsigned int level_at(const struct io_format *f, uint64_t hpa)
{
	const uint64_t *table = phys_table(io_root());

	for (unsigned int level = f->levels;; level--) {
		uint64_t e = table[table_index(level, hpa)];

		if (e && (level == 1 || (e & 0xfff) == (f->leaf[level] & 0xfff))) {
			assert_true(level <= f->leaf_max);
			assert_int_equal(e, ALIGN_DOWN(hpa, SPAN(level)) | f->leaf[level]);
		}
		if (!e || level == 1 || (e & 0xfff) == (f->leaf[level] & 0xfff))
			return level;
		assert_int_equal(e & ~TABLE_ADDR_MASK, f->table[level]);
		table = phys_table(HPA(e & TABLE_ADDR_MASK));
	}
}

static void expect(const struct io_format *f, uint64_t hpa, unsigned int level, bool reach)
{
	assert_int_equal(level_at(f, hpa), level);
	assert_int_equal(io_reaches(HPA(hpa)), reach);
}

static void large_pages(void **state)
{
	set_up_io(&deep);
	expect(&deep, 0, 3, true);
	expect(&deep, RAM - 1, 3, true);
	expect(&deep, RAM, 3, false);
	assert_false(io_reaches(HPA(TOP)));
	assert_false(io_reaches(HPA((uint64_t)1 << 51)));
	set_up_io(&shallow);
	expect(&shallow, 0, 2, true);
	expect(&shallow, RAM - 1, 2, true);
	expect(&shallow, RAM, 3, false);
}

static void a_page_leaves_and_comes_back(void **state)
{
	static const struct io_format *const formats[] = {&deep, &shallow};
	const uint64_t at = GIB + 4 * MIB + 5 * PAGE_SIZE;

	for (size_t i = 0; i < 2; i++) {
		const struct io_format *f = formats[i];
		uint64_t removed;

		set_up_io(f);
		removed = io_removed();
		assert_int_equal(io_set(HPA(at), PAGE_SIZE, false), 0);
		assert_int_equal(io_removed(), removed + 1);
		expect(f, at, 1, false);
		expect(f, at - 1, 1, true);
		expect(f, at + PAGE_SIZE, 1, true);
		expect(f, GIB + 2 * MIB, 2, true);
		expect(f, GIB + 6 * MIB, 2, true);
		expect(f, GIB - 1, f->leaf_max, true);
		expect(f, 2 * GIB, f->leaf_max, true);
		assert_int_equal(io_set(HPA(at), PAGE_SIZE, true), 0);
		assert_int_equal(io_removed(), removed + 1);
		expect(f, at, 1, true);
	}
}

static void a_range_over_all_sizes(void **state)
{
	const uint64_t start = GIB - PAGE_SIZE, end = 3 * GIB + 2 * MIB + PAGE_SIZE;

	set_up_io(&deep);
	assert_int_equal(io_set(HPA(start), end - start, false), 0);
	expect(&deep, start - 1, 1, true);
	expect(&deep, start, 1, false);
	expect(&deep, GIB, 3, false);
	expect(&deep, 3 * GIB - 1, 3, false);
	expect(&deep, 3 * GIB, 2, false);
	expect(&deep, end - 1, 1, false);
	expect(&deep, end, 1, true);
	assert_int_equal(io_set(HPA(0), RAM, true), 0);
	for (uint64_t a = 0; a < RAM; a += PAGE_SIZE)
		assert_true(io_reaches(HPA(a)));
	assert_false(io_reaches(HPA(RAM)));
}

static void beyond_the_top(void **state)
{
	set_up_io(&deep);
	assert_int_equal(io_set(HPA(TOP), GIB, true), 0);
	assert_int_equal(io_set(HPA(TOP - PAGE_SIZE), 2 * PAGE_SIZE, true), 0);
	expect(&deep, TOP - 1, 1, true);
	assert_false(io_reaches(HPA(TOP)));
	assert_int_equal(io_init(&shallow, 513 * GIB), ERR_2BIG);
}

static void without_a_table_nothing_happens(void **state)
{
	set_up(true);
	assert_int_equal(io_root().a, 0);
	assert_int_equal(io_set(HPA(0), RAM, true), 0);
	assert_int_equal(host_set(HPA(GIB), PAGE_SIZE, 0), 0);
	assert_false(io_reaches(HPA(0)));
	assert_int_equal(iommu_count(), 0);
	assert_int_equal(iommu_flags(), DMA_OPEN);
	iommu_flush();
}

/* Any right that is missing in the host table takes the page from devices. */
static void it_follows_the_host_table(void **state)
{
	set_up_io(&deep);
	for (unsigned int rights = 0; rights <= TABLE_RWX; rights++) {
		if (rights & (TABLE_W | TABLE_X) && !(rights & TABLE_R))
			continue;
		assert_int_equal(host_set(HPA(GIB), 2 * PAGE_SIZE, rights), 0);
		assert_int_equal(io_reaches(HPA(GIB)), rights == TABLE_RWX);
		assert_int_equal(io_reaches(HPA(GIB + PAGE_SIZE)), rights == TABLE_RWX);
		assert_true(io_reaches(HPA(GIB + 2 * PAGE_SIZE)));
	}
}

/* Frames of windows, pages that L1 touches, and device memory: no business of devices'. */
static void it_follows_nothing_else(void **state)
{
	const uint64_t page = 3 * MIB;

	fake_reset();
	fake_add_ram(HPA(0), 64 * MIB);
	types = pc_types();
	assert_int_equal(start_table(TOP, true), 0);
	assert_int_equal(io_init(&deep, TOP), 0);
	assert_int_equal(host_set(HPA(page), PAGE_SIZE, 0), 0);
	assert_int_equal(host_fill(HPA(page)), 0);
	assert_false(io_reaches(HPA(page)));
	assert_int_equal(host_show(HPA(page), HPA(5 * MIB), TABLE_RWX, OWNER_WORD(OWNER_HOST)), 0);
	assert_false(io_reaches(HPA(page)) || io_reaches(HPA(5 * MIB)));
	assert_int_equal(host_map_device(HPA(TOP)), 0);
	assert_false(io_reaches(HPA(TOP)));
}

/* What cannot be taken from devices is not taken from L1 either, and the caller is told. */
static void running_out(void **state)
{
	set_up_io(&deep);
	fake_limit_tables(1); /* a GiB's page needs two in each table */
	assert_int_equal(host_set(HPA(GIB), PAGE_SIZE, 0), ERR_NOMEM);
	assert_true(host_allows(HPA(GIB), TABLE_RWX));
	assert_true(io_reaches(HPA(GIB)));
}

static unsigned int submitted;
static uint64_t answer[2];

static void submit(struct iommu_unit *unit)
{
	submitted++;
	*unit->done = ++unit->ticket;
}

static const struct iommu_kind kind = {.name = "test", .submit = submit};

static void flushes_are_for_all_that_left(void **state)
{
	static struct iommu_list list = {.count = 2,
					 .remaps = true,
					 .unit = {{.done = &answer[0]}, {.done = &answer[1]}}};

	set_up_io(&deep);
	fake_cpus(1);
	iommu_drive(&kind, &list);
	assert_int_equal(iommu_count(), 2);
	assert_int_equal(iommu_flags(), DMA_BLOCKED | DMA_INTERRUPTS);
	list.remaps = false;
	assert_int_equal(iommu_flags(), DMA_BLOCKED);
	phys_flush();
	submitted = 0;
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(host_set(HPA(GIB + i * PAGE_SIZE), PAGE_SIZE, 0), 0);
	assert_int_equal(submitted, 0);
	phys_flush();
	assert_int_equal(submitted, 2); /* each unit once */
	phys_flush();
	assert_int_equal(host_set(HPA(GIB), PAGE_SIZE, TABLE_RWX), 0);
	phys_flush();
	assert_int_equal(submitted, 2); /* nothing has left since */
	assert_int_equal(host_set(HPA(GIB), PAGE_SIZE, TABLE_R), 0);
	phys_flush();
	assert_int_equal(submitted, 4);
}

static bool never(struct guest_table *t, gpa_t gpa)
{
	return false;
}

/* One for each level of its tables, one for its pages, however many there are. */
static void a_launch_flushes_a_few_times(void **state)
{
	static struct iommu_list list = {.count = 1, .unit = {{.done = &answer[0]}}};
	struct guest_table t = {.guest = 1, .root = HPA(MIB), .share = never};
	uint64_t *table;

	fake_reset();
	fake_add_ram(HPA(0), 64 * MIB);
	fake_cpus(1);
	types = pc_types();
	assert_int_equal(start_table(TOP, true), 0);
	assert_int_equal(io_init(&deep, TOP), 0);
	assert_int_equal(io_set(HPA(0), 64 * MIB, true), 0);
	for (unsigned int i = 0; i < TABLE_LEVELS; i++) {
		table = fake_at(HPA(MIB + i * PAGE_SIZE), PAGE_SIZE);
		for (unsigned int n = 0; i == TABLE_LEVELS - 1 && n < TABLE_ENTRIES; n++)
			table[n] = table_leaf(HPA(4 * MIB + n * 2 * PAGE_SIZE), 1, TABLE_RWX, 0);
		if (i < TABLE_LEVELS - 1)
			table[0] = table_entry(HPA(MIB + (i + 1) * PAGE_SIZE));
	}
	iommu_drive(&kind, &list);
	phys_flush();
	submitted = 0;
	assert_int_equal(guest_table_launch(&t), 0);
	assert_int_equal(t.pages, TABLE_ENTRIES);
	assert_int_equal(submitted, TABLE_LEVELS + 1);
	assert_int_equal(owner_kind(owner_of(HPA(4 * MIB))), OWNER_GUEST);
	assert_false(io_reaches(HPA(4 * MIB)) || io_reaches(HPA(MIB)));
	assert_true(io_reaches(HPA(4 * MIB + PAGE_SIZE)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_table_nothing_happens),
		cmocka_unit_test(large_pages),
		cmocka_unit_test(a_page_leaves_and_comes_back),
		cmocka_unit_test(a_range_over_all_sizes),
		cmocka_unit_test(beyond_the_top),
		cmocka_unit_test(it_follows_the_host_table),
		cmocka_unit_test(it_follows_nothing_else),
		cmocka_unit_test(running_out),
		cmocka_unit_test(flushes_are_for_all_that_left),
		cmocka_unit_test(a_launch_flushes_a_few_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
