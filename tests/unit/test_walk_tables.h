/* SPDX-License-Identifier: Apache-2.0 */
/* Tables built by hand, bit by bit, for the walker's tests; include after cmocka.h. */
#ifndef TESTS_TEST_WALK_TABLES_H
#define TESTS_TEST_WALK_TABLES_H

#include "ept/ept.h"
#include "ept/walk.h"
#include "monitor/fake/machine.h"

#define P 0x1u
#define W 0x2u
#define U 0x4u
#define PS 0x80u
#define NX 0x8000000000000000u
#define ALL (P | W | U)

/* Nested entries: with every right, as a leaf with that, a large one, and with a right less. */
#ifdef FORMAT_EPT
#define N_ALL 0x7u
#define N_LEAF 0x37u /* write-back */
#define NO_READ(e) ((e) & ~(uint64_t)3)
#define NO_WRITE(e) ((e) & ~(uint64_t)2)
#define NO_EXEC(e) ((e) & ~(uint64_t)4)
#else
#define N_ALL ALL
#define N_LEAF ALL
#define NO_READ(e) ((e) & ~(uint64_t)U)
#define NO_WRITE(e) ((e) & ~(uint64_t)W)
#define NO_EXEC(e) ((e) | NX)
#endif
#define N_LARGE (N_LEAF | PS) /* bit 7 in both */

#define CR0_PE 0x1u
#define CR0_WP 0x10000u
#define CR0_PG 0x80000000u
#define CR4_PSE 0x10u
#define CR4_PAE 0x20u
#define CR4_LA57 0x1000u
#define CR4_SMEP 0x100000u
#define EFER_LONG 0x500u
#define EFER_NXE 0x800u

/* RAM: 16 MiB at 0 and 1 MiB at 4 GiB. Guest tables from CR3 up, nested ones from NESTED up. */
#define RAM_SIZE (16 * MIB)
#define HIGH_RAM (4 * GIB)
#define HOLE 0x80000000u
#define CR3 0x100000u
#define NESTED 0x200000u
#define DATA 0x300000u

static uint64_t next_table;
static struct walk_result r; /* of the last walk */

static inline int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	fake_add_ram(HPA(HIGH_RAM), MIB);
	next_table = 0x400000;
#ifdef FORMAT_EPT
	ept_limits(true, true);
#endif
	return 0;
}

static inline int tear_down(void **state)
{
	fake_reset();
	return 0;
}

static inline void put64(uint64_t hpa, uint64_t v)
{
	memcpy(fake_at(HPA(hpa), 8), &v, 8);
}

static inline void put32(uint64_t hpa, uint32_t v)
{
	memcpy(fake_at(HPA(hpa), 4), &v, 4);
}

static inline uint64_t get64(uint64_t hpa)
{
	uint64_t v;

	memcpy(&v, fake_at(HPA(hpa), 8), 8);
	return v;
}

/*
 * Maps va in 8-byte tables under root: an entry at `leaf` level, tables on the way as needed, with
 * `bits` in each. Returns where the last entry is.
 */
static inline uint64_t map(uint64_t root, unsigned int top, unsigned int leaf, uint64_t va,
			   uint64_t entry, uint64_t bits)
{
	uint64_t table = root;

	for (unsigned int level = top;; level--) {
		uint64_t at = table + (va >> (12 + 9 * (level - 1)) & 511) * 8;

		if (level == leaf) {
			put64(at, entry);
			return at;
		}
		if (!get64(at)) {
			put64(at, next_table | bits);
			next_table += PAGE_SIZE;
		}
		table = get64(at) & 0xffffffffff000;
	}
}

static inline struct walk_space long_space(void)
{
	return (struct walk_space){
		.cr0 = CR0_PE | CR0_PG | CR0_WP,
		.cr3 = CR3,
		.cr4 = CR4_PAE,
		.efer = EFER_LONG | EFER_NXE,
		.phys_bits = 40,
	};
}

static inline struct walk_space pae_space(void)
{
	struct walk_space s = long_space();

	s.efer = EFER_NXE;
	return s;
}

static inline struct walk_space narrow_space(void)
{
	struct walk_space s = pae_space();

	s.efer = 0;
	s.cr4 = CR4_PSE;
	return s;
}

static inline void expect(const struct walk_space *s, uint64_t gva, uint32_t access, uint64_t hpa)
{
	assert_int_equal(walk_gva(s, GVA(gva), access, &r), 0);
	assert_int_equal(r.stop, WALK_DONE);
	assert_int_equal(r.hpa.a, hpa);
}

static inline void expect_page_fault(const struct walk_space *s, uint64_t gva, uint32_t access,
				     uint32_t error_code)
{
	assert_int_equal(walk_gva(s, GVA(gva), access, &r), ERR_FAULT);
	assert_int_equal(r.stop, WALK_GUEST);
	assert_true(r.canonical);
	assert_int_equal(r.error_code, error_code);
}

static inline void expect_nested_fault(const struct walk_space *s, uint64_t gva, uint32_t access,
				       uint64_t gpa, uint32_t error_code, bool in_table)
{
	assert_int_equal(walk_gva(s, GVA(gva), access, &r), ERR_FAULT);
	assert_int_equal(r.stop, WALK_NESTED);
	assert_int_equal(r.gpa.a, gpa);
	assert_int_equal(r.error_code, error_code);
	assert_int_equal(r.in_table, in_table);
}

static inline void expect_no_memory(const struct walk_space *s, uint64_t gva, uint64_t hpa)
{
	assert_int_equal(walk_gva(s, GVA(gva), WALK_READ, &r), ERR_FAULT);
	assert_int_equal(r.stop, WALK_MEMORY);
	assert_int_equal(r.hpa.a, hpa);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
