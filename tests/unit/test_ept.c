/* SPDX-License-Identifier: Apache-2.0 */
/* EPT's entries: those made here, and what the walker takes from those that L1 made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/format.h"
#include "ept/mtrr.h"
#include "tests/unit/test_ept_model.h"
#include "tests/unit/test_walk_tables.h"

#define PHYS_BITS 40
#define MALFORMED_FAULT (WALK_PRESENT | WALK_RESERVED | WALK_USER)
#define SECOND(level) \
	((uint64_t)table_span(level) + 0x123) /* a gpa by way of entry 1 of that level */

static const uint32_t accesses[] = {WALK_READ, WALK_WRITE, WALK_EXEC};

static struct walk_space space(void)
{
	return (struct walk_space){.nested = true,
				   .nested_root = HPA(NESTED),
				   .phys_bits = PHYS_BITS};
}

/* Tables for SECOND(level) with an entry of that level at the address returned. */
static uint64_t make_entry(unsigned int level, uint64_t entry)
{
	return map(NESTED, 4, level, SECOND(level), entry, N_ALL);
}

static void expect_stop(unsigned int level, uint32_t access, uint32_t error_code)
{
	struct walk_space s = space();

	assert_int_equal(walk_gpa(&s, GPA(SECOND(level)), access, &r), ERR_FAULT);
	assert_int_equal(r.stop, WALK_NESTED);
	assert_int_equal(r.gpa.a, SECOND(level));
	assert_int_equal(r.error_code, error_code);
}

static void expect_malformed(unsigned int level)
{
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
		expect_stop(level, accesses[i], accesses[i] | MALFORMED_FAULT);
}

static void expect_hpa(unsigned int level, uint32_t access, uint64_t hpa)
{
	struct walk_space s = space();

	assert_int_equal(walk_gpa(&s, GPA(SECOND(level)), access, &r), 0);
	assert_int_equal(r.hpa.a, hpa);
}

/* Run first: nothing was said about the CPU. */
static void nothing_optional_before_it_is_known(void **state)
{
	assert_true(table_malformed(0x34, 1, 0));
	assert_true(table_malformed(0xb7, 3, 0));
	assert_false(table_malformed(0x37, 1, 0));
	assert_false(table_malformed(0xb7, 2, 0));
}

static void entries_that_are_made(void **state)
{
	uint64_t type;
	struct mtrr wb = {.def_type = 0x806, .phys_bits = PHYS_BITS};

	assert_int_equal(table_entry(HPA(0x123456000)), 0x123456107);
	assert_true(table_type(&wb, HPA(0), 3, &type));
	assert_int_equal(table_leaf(HPA(0x1000), 1, TABLE_RWX, type), 0x1337);
	assert_int_equal(table_leaf(HPA(0x200000), 2, TABLE_RWX, type), 0x2003b7);
	assert_int_equal(table_leaf(HPA(0x40000000), 3, TABLE_R, type), 0x400003b1);
	assert_int_equal(table_leaf(HPA(0x1000), 1, TABLE_X, type), 0x1335);
	assert_int_equal(table_leaf(HPA(0x1000), 1, TABLE_W, type), 0x1333);
	assert_int_equal(table_leaf(HPA(0x1000), 1, 0, type), 0);
	wb.def_type = 0;
	assert_true(table_type(&wb, HPA(0), 3, &type));
	assert_int_equal(table_leaf(HPA(0x1000), 1, TABLE_RWX, type), 0x1307);
	for (unsigned int rights = 1; rights <= TABLE_RWX; rights++)
		for (unsigned int level = 1; level <= 3; level++) {
			uint64_t leaf = table_leaf(HPA(0), level, rights, type);

			assert_true(table_present(leaf) && table_is_leaf(leaf, level));
			assert_int_equal(table_rights(leaf), rights | TABLE_R);
			assert_false(table_malformed(leaf, level, 0));
		}
}

/* Xen's "still mapped, recalculate" (R7), at every level, with every bit of rights it may carry. */
static void type_7_is_no_translation(void **state)
{
	for (unsigned int level = 1; level <= 4; level++)
		for (uint64_t rights = 1; rights <= 7; rights++) {
			make_entry(level, DATA | 7 << 3 | rights);
			expect_malformed(level);
			if (level > 1) {
				make_entry(level, 7 << 3 | PS | rights);
				expect_malformed(level);
			}
			make_entry(level, 0);
		}
	/* Not present with a type is not present. */
	make_entry(1, DATA | 7 << 3);
	expect_stop(1, WALK_READ, WALK_USER);
}

static void leaf_types(void **state)
{
	static const bool good[8] = {[0] = true, [1] = true, [4] = true, [5] = true, [6] = true};

	for (uint64_t type = 0; type < 8; type++)
		for (unsigned int level = 1; level <= 3; level++) {
			make_entry(level, type << 3 | N_ALL | (level > 1 ? PS : 0));
			if (good[type])
				expect_hpa(level, WALK_WRITE, 0x123);
			else
				expect_malformed(level);
			make_entry(level, type << 3 | N_ALL | 1 << 6 | (level > 1 ? PS : 0));
			if (good[type]) /* bit 6: ignore PAT */
				expect_hpa(level, WALK_EXEC, 0x123);
			else
				expect_malformed(level);
		}
}

static void write_without_read(void **state)
{
	for (unsigned int level = 1; level <= 4; level++)
		for (unsigned int exec_only = 0; exec_only < 2; exec_only++) {
			ept_limits(exec_only, true);
			make_entry(level, DATA | (level == 1 ? 0x32 : 2));
			expect_malformed(level);
			make_entry(level, DATA | (level == 1 ? 0x36 : 6));
			expect_malformed(level);
		}
}

static void execute_only(void **state)
{
	struct walk_space s = space();

	make_entry(1, DATA | 0x34);
	expect_hpa(1, WALK_EXEC, DATA + 0x123);
	expect_stop(1, WALK_READ, WALK_PRESENT | WALK_USER);
	expect_stop(1, WALK_WRITE, WALK_PRESENT | WALK_USER | WALK_WRITE);
	/* a table that may be executed only takes reading from all below it */
	make_entry(1, DATA | N_LEAF);
	put64(NESTED, get64(NESTED) & ~(uint64_t)3);
	expect_hpa(1, WALK_EXEC, DATA + 0x123);
	expect_stop(1, WALK_READ, WALK_PRESENT | WALK_USER);
	ept_limits(false, true);
	expect_malformed(1);
	put64(NESTED, get64(NESTED) | 3);
	make_entry(1, DATA | 0x34);
	expect_malformed(1);
	assert_int_equal(walk_gpa(&s, GPA(0), WALK_EXEC, &r), ERR_FAULT);
	assert_int_equal(r.error_code, WALK_EXEC | WALK_USER);
}

static void gigabyte_pages(void **state)
{
	make_entry(3, 0x1c0000000 | N_LARGE);
	expect_hpa(3, WALK_WRITE, 0x1c0000123);
	ept_limits(true, false);
	expect_malformed(3);
	make_entry(2, 0xc00000 | N_LARGE);
	expect_hpa(2, WALK_WRITE, 0xc00123);
}

/* A guest table under a malformed entry stops the walk of the guest's tables too. */
static void a_guest_table_that_is_malformed(void **state)
{
	struct walk_space s = long_space();

	s.nested = true;
	s.nested_root = HPA(NESTED);
	s.cr3 = 0x1000;
	for (uint64_t gpa = 0x1000; gpa < 0x6000; gpa += PAGE_SIZE) {
		map(NESTED, 4, 1, gpa, (gpa + DATA) | N_LEAF, N_ALL);
		put64(gpa + DATA, (gpa + PAGE_SIZE) | ALL);
	}
	expect(&s, 0x10, WALK_READ, DATA + 0x5010);
	map(NESTED, 4, 1, 0x3000, (0x3000 + DATA) | 7 << 3 | N_ALL, N_ALL);
	expect_nested_fault(&s, 0x10, WALK_WRITE, 0x3000, MALFORMED_FAULT, true);
	map(NESTED, 4, 1, 0x3000, (0x3000 + DATA) | N_LEAF, N_ALL);
	map(NESTED, 4, 1, 0x5000, (0x5000 + DATA) | 3 << 3 | N_ALL, N_ALL);
	expect_nested_fault(&s, 0x10, WALK_WRITE, 0x5010, WALK_WRITE | MALFORMED_FAULT, false);
}

static void compare(const struct ept_model *m, unsigned int level, uint64_t entry)
{
	struct walk_space s = space();
	uint64_t reserved = 0xfffffffffffff & ~(((uint64_t)1 << PHYS_BITS) - 1);

	if (entry & 7)
		assert_int_equal(table_malformed(entry, level, reserved),
				 model_misconfigured(m, entry, level));
	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++) {
		uint64_t hpa = 0;
		enum walk_stop stop =
			model_walk(m, s.nested_root, SECOND(level), accesses[i], &hpa);
		int err = walk_gpa(&s, GPA(SECOND(level)), accesses[i], &r);

		assert_int_equal(r.stop, stop);
		assert_int_equal(err, stop == WALK_DONE ? 0 : ERR_FAULT);
		assert_int_equal(err ? 0 : r.hpa.a, err ? 0 : hpa);
	}
}

/* Every value of the low byte with every other bit, at every level, on all kinds of CPU. */
static void as_the_manual_says(void **state)
{
	for (unsigned int kind = 0; kind < 4; kind++) {
		struct ept_model m = {kind & 1, kind & 2, PHYS_BITS};

		ept_limits(m.exec_only, m.leaf_1g);
		for (unsigned int level = 1; level <= 4; level++) {
			uint64_t at = make_entry(level, DATA | N_ALL);

			for (uint64_t low = 0; low < 256; low++)
				for (unsigned int bit = 7; bit < 64; bit++) {
					uint64_t entry = low | (bit > 7 ? (uint64_t)1 << bit : 0);

					put64(at, entry);
					compare(&m, level, entry);
				}
			put64(at, 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_optional_before_it_is_known),
		TEST(entries_that_are_made),
		TEST(type_7_is_no_translation),
		TEST(leaf_types),
		TEST(write_without_read),
		TEST(execute_only),
		TEST(gigabyte_pages),
		TEST(a_guest_table_that_is_malformed),
		TEST(as_the_manual_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
