/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's table that L1 has built, for both formats, and what L1 may store into it. */
#ifndef TESTS_TEST_GUEST_TABLE_H
#define TESTS_TEST_GUEST_TABLE_H

#include "ept/guest_table.h"
#include "ept/io.h"
#include "ept/mtrr.h"
#include "tests/unit/test_host_leaf.h"

#define RAM (64 * MIB)
#define ROOT (16 * MIB)  /* L1's pages for tables start here */
#define PAGES (32 * MIB) /* and those that it maps here */
#define GUEST 5
#define DEVICES (3 * GIB) /* gpas that L1 may back */
#ifdef FORMAT_EPT
#define WB ((uint64_t)MEM_WB << 3)
#define MARKED(entry) ((entry) | (uint64_t)7 << 3)
#define UNCACHED(entry) ((entry) & ~((uint64_t)7 << 3))
#else
#define WB 0
#define MARKED(entry) ((entry) & ~(uint64_t)4)
#define UNCACHED(entry) ((entry) | 0x18)
#endif

static struct guest_table table;
static uint64_t next_table;
static unsigned int filled, left;
static gpa_t last_filled, last_left;
static int fill_error, leave_error;
static uint64_t asked; /* where the guest lets L1 put a page of its own just now */

static inline int come(struct guest_table *t, gpa_t gpa, void *page)
{
	filled++;
	last_filled = gpa;
	memset(page, 0, PAGE_SIZE);
	return fill_error;
}

static inline int go(struct guest_table *t, gpa_t gpa, void *page)
{
	left++;
	last_left = gpa;
	memset(page, 0xee, PAGE_SIZE);
	return leave_error;
}

static inline bool share(struct guest_table *t, gpa_t gpa)
{
	return asked && gpa.a == asked;
}

/* An IO table of three levels, that all of L1's RAM is in. */
static inline void start_io(void)
{
	const struct io_format format = {
		.levels = 3,
		.leaf_max = 3,
		.leaf = {0, 3, 0x83, 0x83},
		.table = {0, 0, 3, 3},
	};

	assert_int_equal(io_init(&format, TOP), 0);
	assert_int_equal(io_set(HPA(0), RAM, true), 0);
}

static inline void begin(void)
{
	fake_reset();
	fake_add_ram(HPA(0), RAM);
	fake_cpus(2);
	types = pc_types();
	assert_int_equal(start_table(TOP, true), 0);
	start_io();
	next_table = ROOT + PAGE_SIZE;
	table = (struct guest_table){.guest = GUEST,
				     .root = HPA(ROOT),
				     .shared = {{GPA(DEVICES), GPA(4 * GIB)}},
				     .shared_count = 1,
				     .share = share,
				     .fill = come,
				     .leave = go};
}

static inline uint64_t leaf(uint64_t hpa, unsigned int level)
{
	return table_leaf(HPA(hpa), level, TABLE_RWX, WB);
}

static inline uint64_t *slot(uint64_t hpa, unsigned int level, uint64_t gpa)
{
	return (uint64_t *)fake_at(HPA(hpa), PAGE_SIZE) + table_index(level, gpa);
}

/* Where the entry of this level for gpa is; makes tables on the way, as L1 does before a launch. */
static inline hpa_t entry_for(uint64_t gpa, unsigned int level)
{
	uint64_t at = ROOT;

	for (unsigned int l = TABLE_LEVELS; l > level; l--) {
		uint64_t *e = slot(at, l, gpa);

		if (!*e) {
			*e = table_entry(HPA(next_table));
			next_table += PAGE_SIZE;
		}
		at = table_hpa(*e, l).a;
	}
	return HPA(at + table_index(level, gpa) * sizeof(uint64_t));
}

static inline void map(uint64_t gpa, uint64_t hpa, unsigned int level)
{
	*(uint64_t *)fake_at(entry_for(gpa, level), 8) = leaf(hpa, level);
}

static inline void expect_owner(uint64_t hpa, enum owner_kind kind, uint64_t gpa)
{
	owner_t o = owner_of(HPA(hpa));

	assert_int_equal(owner_kind(o), kind);
	if (kind == OWNER_HOST)
		return;
	assert_int_equal(owner_guest(o), GUEST);
	assert_int_equal(owner_gpa(o).a, gpa);
}

/* The guest's alone. */
static inline void expect_private(uint64_t hpa, uint64_t gpa)
{
	expect_owner(hpa, OWNER_GUEST, gpa);
	assert_false(host_allows(HPA(hpa), TABLE_R));
	assert_false(io_reaches(HPA(hpa)));
}

static inline void expect_host(uint64_t hpa)
{
	expect_owner(hpa, OWNER_HOST, 0);
	assert_true(host_allows(HPA(hpa), TABLE_RWX));
	assert_true(io_reaches(HPA(hpa)));
}

static inline void expect_table(uint64_t hpa, uint64_t gpa, unsigned int level)
{
	expect_owner(hpa, OWNER_TABLE, gpa);
	assert_int_equal(owner_level(owner_of(HPA(hpa))), level);
	assert_true(host_allows(HPA(hpa), TABLE_R));
	assert_false(host_allows(HPA(hpa), TABLE_W));
	assert_false(io_reaches(HPA(hpa)));
}

/* Two pages at 1 MiB, 2 MiB at 4 MiB, a device's page. */
static inline void launch(void)
{
	begin();
	map(MIB, PAGES, 1);
	map(MIB + PAGE_SIZE, PAGES + 7 * PAGE_SIZE, 1);
	map(4 * MIB, PAGES + 2 * MIB, 2);
	map(DEVICES + PAGE_SIZE, PAGES + PAGE_SIZE, 1);
	assert_int_equal(guest_table_launch(&table), 0);
}

static inline int store(uint64_t gpa, unsigned int level, uint64_t value)
{
	hpa_t at = entry_for(gpa, level);
	uint64_t before = *(uint64_t *)fake_at(at, 8);
	int err = guest_table_store(&table, at, value);

	if (!err)
		assert_int_equal(*(uint64_t *)fake_at(at, 8), value);
	else
		assert_true(*(uint64_t *)fake_at(at, 8) == before || !*(uint64_t *)fake_at(at, 8));
	return err;
}

/* Fills a table that is not linked yet. */
static inline uint64_t children(uint64_t hpa, unsigned int level, uint64_t step)
{
	uint64_t at = next_table;
	uint64_t *e = fake_at(HPA(at), PAGE_SIZE);

	next_table += PAGE_SIZE;
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++)
		e[i] = hpa ? leaf(hpa + i * step, level) : 0;
	return at;
}

#endif
