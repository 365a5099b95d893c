/* SPDX-License-Identifier: Apache-2.0 */
/* Each paging mode: what translates, what faults and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/test_walk_tables.h"

/* --- no paging ------------------------------------------------------------------------------- */

static void test_no_paging(void **state)
{
	struct walk_space s = {.phys_bits = 40};

	expect(&s, 0x12345, WALK_WRITE, 0x12345);
	expect(&s, 0xfffffff0, WALK_EXEC, 0xfffffff0);
	expect(&s, 0x100001234, WALK_READ, 0x1234); /* modulo 4 GiB */
	assert_int_equal(r.gpa.a, 0x1234);
}

/* --- 4-byte entries --------------------------------------------------------------------------- */

static void test_narrow(void **state)
{
	struct walk_space s = narrow_space();

	put32(CR3 + 3 * 4, 0x101000 | ALL); /* an odd and an even entry of each table */
	put32(CR3 + 4 * 4, 0x102000 | ALL);
	put32(0x101000 + 5 * 4, DATA | ALL);
	put32(0x102000 + 6 * 4, 0xffffe000u | ALL);
	expect(&s, 3 << 22 | 5 << 12 | 0x678, WALK_WRITE, DATA + 0x678);
	expect(&s, 4 << 22 | 6 << 12 | 0x678, WALK_EXEC, 0xffffe678);
	expect(&s, 1ull << 32 | 3 << 22 | 5 << 12, WALK_READ, DATA);
	s.cr3 |= 0xfff; /* PWT, PCD and the ignored bits */
	s.cr3 |= 1ull << 32;
	expect(&s, 3 << 22 | 5 << 12 | 0x678, WALK_WRITE, DATA + 0x678);
	expect_page_fault(&s, 3 << 22 | 6 << 12, WALK_READ, 0);
	expect_page_fault(&s, 5 << 22, WALK_WRITE, WALK_WRITE);
	put32(0x101000 + 1000 * 4, 0xa00000 | ALL);
	expect(&s, 3 << 22 | 1000 << 12, WALK_READ, 0xa00000);
	expect_page_fault(&s, 5 << 22, WALK_EXEC, 0); /* no way to forbid fetches: not told */
	s.cr4 |= CR4_SMEP;
	expect_page_fault(&s, 5 << 22, WALK_EXEC, WALK_EXEC);
}

static void test_narrow_large(void **state)
{
	struct walk_space s = narrow_space();

	put32(CR3 + 8, 0x00c00000 | PS | ALL);
	expect(&s, 2 << 22 | 0x3abcde, WALK_READ, 0xc00000 + 0x3abcde);
	put32(CR3 + 8, 0x00c00000 | 0x12 << 13 | PS | ALL); /* PSE-36 */
	expect(&s, 2 << 22 | 0x3abcde, WALK_READ, 0x1200c00000 + 0x3abcde);
	s.phys_bits = 36;
	expect_page_fault(&s, 2 << 22, WALK_READ, WALK_PRESENT | WALK_RESERVED);
	put32(CR3 + 8, 0x00c00000 | 1 << 21 | PS | ALL);
	expect_page_fault(&s, 2 << 22, WALK_READ, WALK_PRESENT | WALK_RESERVED);
	put32(CR3 + 8, 0x00c00000 | PS | ALL); /* without PSE it points at a table */
	s.cr4 = 0;
	put32(0xc00000 + 7 * 4, DATA | ALL);
	expect(&s, 2 << 22 | 7 << 12, WALK_READ, DATA);
}

static void test_narrow_rights(void **state)
{
	struct walk_space s = narrow_space();
	uint32_t va = 3 << 22 | 5 << 12;

	put32(CR3 + 3 * 4, 0xc00000 | PS | P);
	expect(&s, va, WALK_READ, 0xc05000);
	expect_page_fault(&s, va, WALK_WRITE, WALK_PRESENT | WALK_WRITE);

	put32(CR3 + 3 * 4, 0x101000 | P | U);
	put32(0x101000 + 5 * 4, DATA | ALL);
	expect(&s, va, WALK_READ, DATA);
	expect_page_fault(&s, va, WALK_WRITE, WALK_PRESENT | WALK_WRITE);
	put32(CR3 + 3 * 4, 0x101000 | P | W);
	s.cpl = 3;
	expect_page_fault(&s, va, WALK_READ, WALK_PRESENT | WALK_USER);
	put32(CR3 + 3 * 4, 0x101000 | ALL);
	put32(0x101000 + 5 * 4, DATA | P | W);
	expect_page_fault(&s, va, WALK_READ, WALK_PRESENT | WALK_USER);
	put32(0x101000 + 5 * 4, DATA | ALL);
	expect(&s, va, WALK_WRITE, DATA);
}

/* --- PAE -------------------------------------------------------------------------------------- */

static void test_pae(void **state)
{
	struct walk_space s = pae_space();
	uint32_t va = 2u << 30 | 3 << 21 | 4 << 12;

	s.cr3 = CR3 + 0x20; /* 32-byte aligned */
	put64(CR3 + 0x20 + 2 * 8, 0x101000 | P);
	put64(0x101000 + 3 * 8, 0x102000 | ALL);
	put64(0x102000 + 4 * 8, HIGH_RAM | ALL);
	s.cpl = 3; /* top-level entries carry no rights */
	expect(&s, va | 0x10, WALK_WRITE, HIGH_RAM + 0x10);
	put64(0x101000 + 3 * 8, 0xa00000 | PS | ALL);
	expect(&s, va | 0x10, WALK_WRITE, 0xa00000 + 0x4010);
	put64(CR3 + 0x20 + 3 * 8, 0x101000);
	expect_page_fault(&s, va | 3u << 30, WALK_READ, WALK_USER);
}

static void test_pae_reserved(void **state)
{
	static const struct {
		unsigned int level;
		uint64_t bits;
		bool reserved;
	} rows[] = {
		{3, 1 << 1, true},     {3, 1 << 2, true},     {3, 1 << 3, false},
		{3, 1 << 5, true},     {3, 1 << 8, true},     {3, 1 << 9, false},
		{3, 1ull << 40, true}, {3, 1ull << 52, true}, {3, NX, true},
		{2, 1ull << 40, true}, {2, 1ull << 52, true}, {2, 1ull << 62, true},
		{2, 1 << 9, false},    {1, 1ull << 40, true}, {1, 1ull << 52, true},
		{1, 1 << 9, false},    {1, 1 << 7, false},    {1, 1ull << 39, false},
		{2, NX, false},
	};
	struct walk_space s = pae_space();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put64(CR3, 0x101000 | P | (rows[i].level == 3 ? rows[i].bits : 0));
		put64(0x101000, 0x102000 | ALL | (rows[i].level == 2 ? rows[i].bits : 0));
		put64(0x102000, DATA | ALL | (rows[i].level == 1 ? rows[i].bits : 0));
		if (rows[i].reserved)
			expect_page_fault(&s, 0, WALK_READ, WALK_PRESENT | WALK_RESERVED);
		else
			assert_int_equal(walk_gva(&s, GVA(0), WALK_READ, &r), 0);
	}
}

/* --- long mode -------------------------------------------------------------------------------- */

static void test_long(void **state)
{
	struct walk_space s = long_space();
	uint64_t low = 0x00007edcba987654, high = 0xffff800012345678;

	map(CR3, 4, 1, low, DATA | ALL, ALL);
	map(CR3, 4, 1, high, HIGH_RAM | ALL, ALL);
	expect(&s, low, WALK_WRITE, DATA + 0x654);
	expect(&s, high, WALK_EXEC, HIGH_RAM + 0x678);
	assert_int_equal(r.gpa.a, HIGH_RAM + 0x678);
	s.cr3 |= 0xfff | 1ull << 63; /* PCID and no-flush */
	expect(&s, low, WALK_WRITE, DATA + 0x654);
	map(CR3, 4, 2, 5ull << 30 | 7 << 21, 0x7fe00000 | PS | ALL, ALL);
	expect(&s, 5ull << 30 | 7 << 21 | 0x1abcde, WALK_READ, 0x7fe00000 + 0x1abcde);
	map(CR3, 4, 3, 9ull << 30, 0x1240000000 | PS | ALL, ALL);
	expect(&s, 9ull << 30 | 0x3abcdef0, WALK_READ, 0x1240000000 + 0x3abcdef0);
}

static void test_not_canonical(void **state)
{
	struct walk_space s = long_space();
	static const uint64_t bad[] = {0x0000800000000000, 0xffff7fffffffffff, 0x8000000000000000,
				       0x0001000000000000, 0x7fffffffffffffff};

	map(CR3, 4, 1, 0, DATA | ALL, ALL);
	map(CR3, 4, 1, 0xffff800000000000, DATA | ALL, ALL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(walk_gva(&s, GVA(bad[i]), WALK_READ, &r), ERR_FAULT);
		assert_int_equal(r.stop, WALK_GUEST);
		assert_false(r.canonical);
	}
	expect(&s, 0xffff800000000000, WALK_READ, DATA);
}

static void test_five_levels(void **state)
{
	struct walk_space s = long_space();
	uint64_t va = 0x00ab123456789000, high = 0xff00000000000000;

	s.cr4 |= CR4_LA57;
	map(CR3, 5, 1, va, DATA | ALL, ALL);
	map(CR3, 5, 1, high, DATA | ALL, ALL);
	expect(&s, va | 0xabc, WALK_READ, DATA + 0xabc);
	expect(&s, high, WALK_READ, DATA);
	assert_int_equal(walk_gva(&s, GVA(0x0100000000000000), WALK_READ, &r), ERR_FAULT);
	assert_false(r.canonical);
	map(CR3, 5, 5, va, 0x500000 | PS | ALL, ALL);
	expect_page_fault(&s, va, WALK_READ, WALK_PRESENT | WALK_RESERVED);
}

/* Not present, each level in turn; nothing else in the entry counts then. */
static void test_long_not_present(void **state)
{
	struct walk_space s = long_space();

	for (unsigned int level = 4; level >= 1; level--) {
		uint64_t va = (uint64_t)level << 39;
		uint64_t at = map(CR3, 4, level, va, 0x500000 | P, ALL);

		put64(at, ~(uint64_t)P);
		expect_page_fault(&s, va, WALK_READ, 0);
		expect_page_fault(&s, va, WALK_EXEC, WALK_EXEC);
		expect_page_fault(&s, va, WALK_WRITE, WALK_WRITE);
	}
}

static void test_long_reserved(void **state)
{
	static const struct {
		unsigned int level;
		uint64_t bits;
		bool reserved;
	} rows[] = {
		{4, PS, true},
		{4, 1ull << 40, true},
		{4, 1ull << 51, true},
		{3, 1ull << 40, true},
		{2, 1ull << 45, true},
		{1, 1ull << 40, true},
		{1, 1ull << 51, true},
		{1, 1ull << 52, false},
		{1, 1ull << 62, false},
		{4, 1ull << 62, false},
		{1, PS, false},
		{3, PS | 1 << 13, true},
		{3, PS | 1 << 29, true},
		{2, PS | 1 << 13, true},
		{2, PS | 1 << 20, true},
		{2, PS | 1 << 12, false},
		{2, PS | 1 << 21, false},
		{2, PS | 1ull << 40, true},
		{1, 0x7f8, false},
		{4, NX, false},
	};
	struct walk_space s = long_space();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bool large = rows[i].level > 1 && (rows[i].bits & PS);

		next_table = 0x400000;
		memset(fake_at(HPA(CR3), PAGE_SIZE), 0, PAGE_SIZE);
		memset(fake_at(HPA(next_table), 4 * PAGE_SIZE), 0, 4 * PAGE_SIZE);
		map(CR3, 4, 1, 0, DATA | ALL, ALL);
		/* level 4 is in CR3's page, level n in that of 0x400000 + (3 - n) pages */
		uint64_t at = rows[i].level == 4 ? CR3 : 0x400000 + (3 - rows[i].level) * PAGE_SIZE;

		put64(at, (large ? (uint64_t)ALL : get64(at)) | rows[i].bits);
		if (rows[i].reserved)
			expect_page_fault(&s, 0, WALK_READ, WALK_PRESENT | WALK_RESERVED);
		else
			assert_int_equal(walk_gva(&s, GVA(0), WALK_READ, &r), 0);
	}
}

/* phys_bits = 52 reserves nothing, and NX is reserved unless EFER.NXE. */
static void test_long_reserved_by_mode(void **state)
{
	struct walk_space s = long_space();

	s.phys_bits = 52;
	map(CR3, 4, 1, 0, 1ull << 51 | DATA | ALL, ALL);
	expect(&s, 0, WALK_READ, 1ull << 51 | DATA);
	map(CR3, 4, 1, 0, DATA | ALL | NX, ALL);
	expect(&s, 0, WALK_READ, DATA);
	s.efer = EFER_LONG;
	expect_page_fault(&s, 0, WALK_READ, WALK_PRESENT | WALK_RESERVED);
}

static void test_long_rights(void **state)
{
	static const struct {
		uint64_t bits; /* of the level under test; the others have all rights */
		uint8_t cpl;
		bool wp, smep;
		uint32_t access;
		int64_t error_code; /* -1: allowed */
	} rows[] = {
		{P, 0, true, false, WALK_READ, -1},
		{P, 0, true, false, WALK_WRITE, WALK_PRESENT | WALK_WRITE},
		{P, 0, false, false, WALK_WRITE, -1},
		{P, 0, true, false, WALK_EXEC, -1},
		{P | W, 0, true, false, WALK_WRITE, -1},
		{P | W, 3, true, false, WALK_READ, WALK_PRESENT | WALK_USER},
		{P | W, 3, true, false, WALK_WRITE, WALK_PRESENT | WALK_USER | WALK_WRITE},
		{P | W, 3, true, false, WALK_EXEC, WALK_PRESENT | WALK_USER | WALK_EXEC},
		{P | U, 3, true, false, WALK_READ, -1},
		{P | U, 3, true, false, WALK_WRITE, WALK_PRESENT | WALK_USER | WALK_WRITE},
		{P | U, 3, false, false, WALK_WRITE, WALK_PRESENT | WALK_USER | WALK_WRITE},
		{ALL, 3, true, false, WALK_WRITE, -1},
		{ALL | NX, 3, true, false, WALK_WRITE, -1},
		{ALL | NX, 3, true, false, WALK_EXEC, WALK_PRESENT | WALK_USER | WALK_EXEC},
		{ALL | NX, 0, true, false, WALK_EXEC, WALK_PRESENT | WALK_EXEC},
		{ALL, 0, true, true, WALK_EXEC, WALK_PRESENT | WALK_EXEC},
		{ALL, 0, true, true, WALK_READ, -1},
		{ALL, 3, true, true, WALK_EXEC, -1},
		{P | W, 0, true, true, WALK_EXEC, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows) * 4; i++) {
		size_t n = i / 4;
		uint64_t at[5] = {0, 0x402000, 0x401000, 0x400000, CR3};
		struct walk_space s = long_space();

		next_table = 0x400000;
		for (unsigned int level = 1; level <= 4; level++)
			memset(fake_at(HPA(at[level]), PAGE_SIZE), 0, PAGE_SIZE);
		map(CR3, 4, 1, 0, DATA | ALL, ALL);
		put64(at[i % 4 + 1], (get64(at[i % 4 + 1]) & ~(uint64_t)ALL) | rows[n].bits);
		s.cpl = rows[n].cpl;
		s.cr0 = CR0_PE | CR0_PG | (rows[n].wp ? CR0_WP : 0);
		s.cr4 |= rows[n].smep ? CR4_SMEP : 0;
		if (rows[n].error_code < 0)
			expect(&s, 0x123, rows[n].access, DATA + 0x123);
		else
			expect_page_fault(&s, 0x123, rows[n].access, (uint32_t)rows[n].error_code);
	}
}

/* --- where tables are ------------------------------------------------------------------------- */

static void test_tables_outside_memory(void **state)
{
	struct walk_space s = long_space();

	s.cr3 = HOLE;
	expect_no_memory(&s, 0x8000000000, HOLE + 8);
	s.cr3 = CR3;
	for (unsigned int level = 4; level > 1; level--) {
		uint64_t va = (uint64_t)level << 39;

		map(CR3, 4, level, va, HOLE | ALL, ALL);
		expect_no_memory(&s, va, HOLE);
	}
	map(CR3, 4, 4, 0, RAM_SIZE | ALL, ALL); /* just behind RAM */
	expect_no_memory(&s, 0, RAM_SIZE);
	s = pae_space();
	s.cr3 = HOLE + 0x20;
	expect_no_memory(&s, 1 << 30, HOLE + 0x28);
	s = narrow_space();
	s.cr3 = HOLE;
	expect_no_memory(&s, 3 << 22, HOLE + 8); /* the 8 bytes around it */
}

/* A table that contains itself: the walk ends with the levels, in the table as a page. */
static void test_self_reference(void **state)
{
	struct walk_space s = long_space();

	put64(CR3 + 0x1ff * 8, CR3 | ALL);
	expect(&s, 0xfffffffffffff678, WALK_WRITE, CR3 + 0x678);
	put32(CR3, CR3 | ALL);
	s = narrow_space();
	expect(&s, 0x678, WALK_WRITE, CR3 + 0x678);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_no_paging),
		TEST(test_narrow),
		TEST(test_narrow_large),
		TEST(test_narrow_rights),
		TEST(test_pae),
		TEST(test_pae_reserved),
		TEST(test_long),
		TEST(test_not_canonical),
		TEST(test_five_levels),
		TEST(test_long_not_present),
		TEST(test_long_reserved),
		TEST(test_long_reserved_by_mode),
		TEST(test_long_rights),
		TEST(test_tables_outside_memory),
		TEST(test_self_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
