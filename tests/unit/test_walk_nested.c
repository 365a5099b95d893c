/* SPDX-License-Identifier: Apache-2.0 */
/* Walks through the nested table, and copies that cross pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/test_walk_tables.h"

/* --- nested ----------------------------------------------------------------------------------- */

#define NESTED_SHIFT 0x800000u /* where the nested table puts gpa 0 */

/* Guest tables and data as in long_space(), seen NESTED_SHIFT lower as gpas; 8 MiB of guest. */
static struct walk_space nested_space(void)
{
	struct walk_space s = long_space();

	s.nested = true;
	s.nested_root = HPA(NESTED);
	for (uint64_t gpa = 0; gpa < 8 * MIB; gpa += PAGE_SIZE)
		map(NESTED, 4, 1, gpa, (gpa + NESTED_SHIFT) | N_LEAF, N_ALL);
	return s;
}

static void guest_put64(uint64_t gpa, uint64_t v)
{
	put64(gpa + NESTED_SHIFT, v);
}

/* va 0 -> gpa 0x5000 through tables at gpa 0x1000.. */
static struct walk_space nested_guest(void)
{
	struct walk_space s = nested_space();

	s.cr3 = 0x1000;
	guest_put64(0x1000, 0x2000 | ALL);
	guest_put64(0x2000, 0x3000 | ALL);
	guest_put64(0x3000, 0x4000 | ALL);
	guest_put64(0x4000, 0x5000 | ALL);
	return s;
}

static void test_nested(void **state)
{
	struct walk_space s = nested_guest();

	expect(&s, 0x123, WALK_WRITE, NESTED_SHIFT + 0x5123);
	assert_int_equal(r.gpa.a, 0x5123);
	expect(&s, 0x123, WALK_EXEC, NESTED_SHIFT + 0x5123);
	map(NESTED, 4, 2, 0x40000000, 0xe00000 | N_LARGE, N_ALL);
	guest_put64(0x4000, 0x40101000 | ALL);
	expect(&s, 0x123, WALK_READ, 0xe00000 + 0x101123);
	map(NESTED, 4, 3, 0x80000000, 0x1c0000000 | N_LARGE, N_ALL);
	guest_put64(0x4000, 0x80abc000 | ALL);
	expect(&s, 0x123, WALK_READ, 0x1c0000000 + 0xabc123);
	put64(0xe00000, 0x2000 | ALL); /* tables of one walk in different GiBs */
	s.cr3 = 0x40000000;
	guest_put64(0x4000, 0x5000 | ALL);
	expect(&s, 0x123, WALK_WRITE, NESTED_SHIFT + 0x5123);
	s.cr0 = 0; /* no paging in the guest: the gpa is the gva */
	s.efer = 0;
	expect(&s, 0x123, WALK_READ, NESTED_SHIFT + 0x123);
}

static void test_nested_faults(void **state)
{
	struct walk_space s = nested_guest();
	const uint32_t user = WALK_USER, present = WALK_PRESENT | WALK_USER;

	/* the page itself */
	map(NESTED, 4, 1, 0x5000, 0, N_ALL);
	expect_nested_fault(&s, 0x123, WALK_READ, 0x5123, user, false);
	expect_nested_fault(&s, 0x123, WALK_WRITE, 0x5123, user | WALK_WRITE, false);
	expect_nested_fault(&s, 0x123, WALK_EXEC, 0x5123, user | WALK_EXEC, false);
	map(NESTED, 4, 1, 0x5000, NO_WRITE(DATA | N_LEAF), N_ALL);
	expect(&s, 0x123, WALK_EXEC, DATA + 0x123);
	expect_nested_fault(&s, 0x123, WALK_WRITE, 0x5123, present | WALK_WRITE, false);
	map(NESTED, 4, 1, 0x5000, NO_EXEC(DATA | N_LEAF), N_ALL);
	expect(&s, 0x123, WALK_WRITE, DATA + 0x123);
	expect_nested_fault(&s, 0x123, WALK_EXEC, 0x5123, present | WALK_EXEC, false);
	/* every nested access is a user access */
	map(NESTED, 4, 1, 0x5000, NO_READ(DATA | N_LEAF), N_ALL);
	expect_nested_fault(&s, 0x123, WALK_READ, 0x5123, present, false);
	/* a page-table page of the guest: read-only is enough for us, absent is not */
	map(NESTED, 4, 1, 0x5000, DATA | N_LEAF, N_ALL);
	map(NESTED, 4, 1, 0x3000, NO_EXEC(NO_WRITE((0x3000 + NESTED_SHIFT) | N_LEAF)), N_ALL);
	expect(&s, 0x123, WALK_EXEC, DATA + 0x123);
	map(NESTED, 4, 1, 0x3000, 0, N_ALL);
	expect_nested_fault(&s, 0x123, WALK_WRITE, 0x3000, user, true);
	/* the guest's own fault comes first */
	guest_put64(0x2000, 0);
	expect_page_fault(&s, 0x123, WALK_READ, 0);
}

static void test_nested_rights_of_upper_levels(void **state)
{
	struct walk_space s = {.nested = true, .nested_root = HPA(NESTED), .phys_bits = 40};
	uint64_t at[5] = {0, 0x402000, 0x401000, 0x400000, NESTED};

	for (unsigned int level = 1; level <= 4; level++) {
		map(NESTED, 4, 1, 0, DATA | N_LEAF, N_ALL);
		uint64_t entry = get64(at[level]);

		expect(&s, 0, WALK_WRITE, DATA);
		put64(at[level], NO_WRITE(entry));
		expect_nested_fault(&s, 0, WALK_WRITE, 0, WALK_PRESENT | WALK_USER | WALK_WRITE,
				    false);
		put64(at[level], NO_READ(entry));
		expect_nested_fault(&s, 0, WALK_READ, 0, WALK_PRESENT | WALK_USER, false);
		put64(at[level], NO_EXEC(entry));
		expect_nested_fault(&s, 0, WALK_EXEC, 0, WALK_PRESENT | WALK_USER | WALK_EXEC,
				    false);
		put64(at[level], entry);
	}
}

/* The same when the guest's tables were read by way of these levels before. */
static void test_nested_rights_are_kept(void **state)
{
	struct walk_space s = nested_guest();
	uint64_t root = get64(NESTED), level_3 = root & 0xffffffffff000;

	put64(NESTED, NO_WRITE(root));
	expect(&s, 0x123, WALK_EXEC, NESTED_SHIFT + 0x5123);
	expect_nested_fault(&s, 0x123, WALK_WRITE, 0x5123, WALK_PRESENT | WALK_USER | WALK_WRITE,
			    false);
	put64(NESTED, root);
	put64(level_3, NO_EXEC(get64(level_3)));
	expect(&s, 0x123, WALK_WRITE, NESTED_SHIFT + 0x5123);
	expect_nested_fault(&s, 0x123, WALK_EXEC, 0x5123, WALK_PRESENT | WALK_USER | WALK_EXEC,
			    false);
}

static void test_nested_reserved(void **state)
{
	static const struct {
		unsigned int level;
		uint64_t bits;
	} rows[] = {
		{4, PS},           {3, PS | 1 << 13}, {2, PS | 1 << 13}, {2, PS | 1 << 20},
		{1, 1ull << 40},   {4, 1ull << 51},   {3, PS | 1 << 29},
#ifdef FORMAT_EPT
		{4, 1 << 3},       {3, 1 << 6},       {2, 1 << 5},       {2, PS | 1 << 12},
		{3, PS | 1 << 12},
#else
		{4, 1 << 8},     {3, 1 << 8},
#endif
	};
	struct walk_space s = {.nested = true, .nested_root = HPA(NESTED), .phys_bits = 40};
	uint64_t at[5] = {0, 0x402000, 0x401000, 0x400000, NESTED};

	map(NESTED, 4, 1, 0, DATA | N_LEAF, N_ALL);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t entry = get64(at[rows[i].level]);

		put64(at[rows[i].level],
		      (rows[i].bits & PS ? (uint64_t)N_LEAF : entry) | rows[i].bits);
		expect_nested_fault(&s, 0x10, WALK_READ, 0x10,
				    WALK_PRESENT | WALK_USER | WALK_RESERVED, false);
		put64(at[rows[i].level], entry);
		expect(&s, 0x10, WALK_READ, DATA + 0x10);
	}
}

static void test_nested_limits(void **state)
{
	struct walk_space s = nested_guest();

	s.phys_bits = 52;
	guest_put64(0x4000, 1ull << 48 | 0x5000 | ALL); /* would alias gpa 0x5000 */
	expect_nested_fault(&s, 0x123, WALK_READ, 1ull << 48 | 0x5123, WALK_USER, false);
	guest_put64(0x4000, 0x5000 | ALL);
	map(NESTED, 4, 2, 0x0, HOLE | N_ALL, N_ALL);
	expect_no_memory(&s, 0, HOLE + 8); /* the nested entry of gpa 0x1000 */
	assert_int_equal(walk_gpa(&s, GPA(0x5123), WALK_READ, &r), ERR_FAULT);
	assert_int_equal(r.stop, WALK_MEMORY);
	assert_int_equal(r.hpa.a, HOLE + 5 * 8);
	s.nested_root = HPA(HOLE);
	expect_no_memory(&s, 0, HOLE);
	put64(NESTED, NESTED | N_ALL); /* a nested table that contains itself */
	s.nested_root = HPA(NESTED);
	assert_int_equal(walk_gpa(&s, GPA(0x10), WALK_READ, &r), 0);
	assert_int_equal(r.hpa.a, NESTED + 0x10);
}

static void test_walk_gpa(void **state)
{
	struct walk_space s = nested_space();

	assert_int_equal(walk_gpa(&s, GPA(0x5123), WALK_WRITE, &r), 0);
	assert_int_equal(r.hpa.a, NESTED_SHIFT + 0x5123);
	assert_int_equal(walk_gpa(&s, GPA(8 * MIB), WALK_WRITE, &r), ERR_FAULT);
	assert_int_equal(r.stop, WALK_NESTED);
	assert_int_equal(r.gpa.a, 8 * MIB);
	s.nested = false;
	assert_int_equal(walk_gpa(&s, GPA(8 * MIB), WALK_WRITE, &r), 0);
	assert_int_equal(r.hpa.a, 8 * MIB);
}

/* --- copies ----------------------------------------------------------------------------------- */

static void test_fetch(void **state)
{
	struct walk_space s = long_space();
	uint8_t *page = fake_at(HPA(DATA), 2 * PAGE_SIZE);
	uint8_t buf[32];

	/* virtually adjacent pages in reverse order */
	map(CR3, 4, 1, 0x10000, (DATA + PAGE_SIZE) | ALL, ALL);
	map(CR3, 4, 1, 0x11000, DATA | ALL, ALL);
	for (size_t i = 0; i < 2 * PAGE_SIZE; i++)
		page[i] = (uint8_t)(i * 7 + (i >> 8));
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(walk_fetch(&s, GVA(0x10ffa), buf, 15), 15);
	assert_memory_equal(buf, page + 2 * PAGE_SIZE - 6, 6);
	assert_memory_equal(buf + 6, page, 9);
	assert_int_equal(buf[15], 0xee);
	/* the second page cannot be fetched from, then is absent, then no RAM */
	map(CR3, 4, 1, 0x11000, DATA | ALL | NX, ALL);
	memset(buf, 0xee, sizeof(buf));
	assert_int_equal(walk_fetch(&s, GVA(0x10ffa), buf, 15), 6);
	assert_int_equal(buf[6], 0xee);
	assert_int_equal(walk_copy(&s, GVA(0x10ffa), WALK_READ, buf, 15), 15);
	map(CR3, 4, 1, 0x11000, 0, ALL);
	assert_int_equal(walk_fetch(&s, GVA(0x10ffa), buf, 15), 6);
	map(CR3, 4, 1, 0x11000, HOLE | ALL, ALL);
	assert_int_equal(walk_fetch(&s, GVA(0x10ffa), buf, 15), 6);
	assert_int_equal(walk_fetch(&s, GVA(0x12000), buf, 15), 0);
	assert_int_equal(walk_fetch(&s, GVA(0x10ff0), buf, 0), 0);
	/* one byte less than the page has */
	assert_int_equal(walk_fetch(&s, GVA(0x10ff1), buf, 15), 15);
}

static void test_fetch_many_pages(void **state)
{
	struct walk_space s = long_space();
	uint8_t *buf = malloc(3 * PAGE_SIZE);

	for (uint64_t i = 0; i < 4; i++) {
		map(CR3, 4, 1, 0x10000 + i * PAGE_SIZE, (DATA + i * 2 * PAGE_SIZE) | ALL, ALL);
		memset(fake_at(HPA(DATA + i * 2 * PAGE_SIZE), PAGE_SIZE), 'a' + (int)i, PAGE_SIZE);
	}
	assert_int_equal(walk_fetch(&s, GVA(0x10800), buf, 3 * PAGE_SIZE), 3 * PAGE_SIZE);
	assert_int_equal(buf[0], 'a');
	assert_int_equal(buf[0x7ff], 'a');
	assert_int_equal(buf[0x800], 'b');
	assert_int_equal(buf[0x1800], 'c');
	assert_int_equal(buf[0x2fff], 'd');
	free(buf);
}

static void test_fetch_at_the_end(void **state)
{
	struct walk_space s = narrow_space();
	struct walk_space l = long_space();
	uint8_t buf[15];

	/* 32-bit addresses wrap, the upper half of long mode ends, so does the lower */
	put32(CR3, 0xc00000 | PS | ALL);
	put32(CR3 + 1023 * 4, 0xc00000 | PS | ALL);
	assert_int_equal(walk_fetch(&s, GVA(0xfffffffa), buf, 15), 15);
	memset(fake_at(HPA(CR3), PAGE_SIZE), 0, PAGE_SIZE);
	map(CR3, 4, 1, 0x7ffffffff000, DATA | ALL, ALL);
	assert_int_equal(walk_fetch(&l, GVA(0x7ffffffffffa), buf, 15), 6);
}

static void test_fetch_obeys_cpl(void **state)
{
	struct walk_space s = long_space();
	uint8_t buf[15];

	map(CR3, 4, 1, 0x10000, DATA | P, ALL);
	assert_int_equal(walk_fetch(&s, GVA(0x10000), buf, 15), 15);
	s.cpl = 3;
	assert_int_equal(walk_fetch(&s, GVA(0x10000), buf, 15), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nested),
		TEST(test_nested_faults),
		TEST(test_nested_rights_of_upper_levels),
		TEST(test_nested_rights_are_kept),
		TEST(test_nested_reserved),
		TEST(test_nested_limits),
		TEST(test_walk_gpa),
		TEST(test_fetch),
		TEST(test_fetch_many_pages),
		TEST(test_fetch_at_the_end),
		TEST(test_fetch_obeys_cpl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
