/* SPDX-License-Identifier: Apache-2.0 */
/* Walks in a guest whose memory is out of L1's reach: what may be read, the path, A and D bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/test_walk_tables.h"

#define A 0x20u
#define D 0x40u

#define SHIFT 0x800000u /* where the nested table puts gpa 0 */
#define GUEST 7u

static struct walk_path path;

static void own(uint64_t gpa, owner_t from, owner_t to)
{
	assert_true(owner_change(HPA(gpa + SHIFT), from, to));
}

static owner_t guests(unsigned int guest, uint64_t gpa)
{
	return owner_word(OWNER_GUEST, guest, GPA(gpa));
}

/* Eight MiB of guest; its first eight pages are the guest's own, the rest is L1's. */
static struct walk_space guest_space(struct walk_space s)
{
	s.nested = true;
	s.nested_root = HPA(NESTED);
	s.cr3 = 0x1000;
	s.private = true;
	s.guest = GUEST;
	s.path = &path;
	memset(&path, 0xee, sizeof(path));
	for (uint64_t gpa = 0; gpa < 8 * MIB; gpa += PAGE_SIZE)
		map(NESTED, 4, 1, gpa, (gpa + SHIFT) | N_LEAF, N_ALL);
	for (uint64_t gpa = 0; gpa < 0x8000; gpa += PAGE_SIZE) {
		fake_give(HPA(gpa + SHIFT), OWNER_HOST);
		own(gpa, OWNER_WORD(OWNER_HOST), guests(GUEST, gpa));
	}
	return s;
}

static void guest_put64(uint64_t gpa, uint64_t v)
{
	put64(gpa + SHIFT, v);
}

static uint64_t guest_get64(uint64_t gpa)
{
	return get64(gpa + SHIFT);
}

static void guest_put32(uint64_t gpa, uint32_t v)
{
	put32(gpa + SHIFT, v);
}

static uint32_t guest_get32(uint64_t gpa)
{
	uint32_t v;

	memcpy(&v, fake_at(HPA(gpa + SHIFT), 4), 4);
	return v;
}

/* va 0x7123 -> gpa 0x5123 through tables at gpa 0x1000.. */
static struct walk_space long_guest(void)
{
	struct walk_space s = guest_space(long_space());

	guest_put64(0x1000, 0x2000 | ALL);
	guest_put64(0x2000, 0x3000 | ALL);
	guest_put64(0x3000, 0x4000 | ALL);
	guest_put64(0x4038, 0x5000 | ALL);
	return s;
}

/* va 0xc0803123 -> gpa 0x5123, the top at gpa 0x1020 */
static struct walk_space pae_guest(void)
{
	struct walk_space s = guest_space(pae_space());

	s.cr3 = 0x1020;
	guest_put64(0x1038, 0x3000 | P);
	guest_put64(0x3020, 0x4000 | ALL);
	guest_put64(0x4018, 0x5000 | ALL);
	return s;
}

/* va 0x00c05123 -> gpa 0x5123 through an odd entry, then another */
static struct walk_space narrow_guest(void)
{
	struct walk_space s = guest_space(narrow_space());

	guest_put32(0x1008, 0xaaaaaaa0);
	guest_put32(0x100c, 0x4000 | ALL);
	guest_put32(0x4010, 0xbbbbbbb0);
	guest_put32(0x4014, 0x5000 | ALL);
	guest_put32(0x4018, 0xccccccc0);
	return s;
}

static void expect_entry(unsigned int i, uint64_t gpa, uint64_t value)
{
	assert_true(i < path.count);
	assert_int_equal(path.entry[i].gpa.a, gpa);
	assert_int_equal(path.entry[i].hpa.a, gpa + SHIFT);
	assert_int_equal(path.entry[i].value, value);
}

/* --- the path --------------------------------------------------------------------------------- */

static void test_path_of_long_mode(void **state)
{
	struct walk_space s = long_guest();

	expect(&s, 0x7123, WALK_READ, SHIFT + 0x5123);
	assert_int_equal(path.count, 4);
	assert_int_equal(path.size, 8);
	expect_entry(0, 0x1000, 0x2000 | ALL);
	expect_entry(1, 0x2000, 0x3000 | ALL);
	expect_entry(2, 0x3000, 0x4000 | ALL);
	expect_entry(3, 0x4038, 0x5000 | ALL);
	/* a large page ends it sooner */
	guest_put64(0x3008, 0x600000 | PS | ALL);
	expect(&s, 0x201234, WALK_READ, SHIFT + 0x601234);
	assert_int_equal(path.count, 3);
	expect_entry(2, 0x3008, 0x600000 | PS | ALL);
	/* a level more */
	guest_put64(0x6000, 0x1000 | ALL);
	s.cr3 = 0x6000;
	s.cr4 |= CR4_LA57;
	expect(&s, 0x7123, WALK_READ, SHIFT + 0x5123);
	assert_int_equal(path.count, 5);
	expect_entry(0, 0x6000, 0x1000 | ALL);
	expect_entry(4, 0x4038, 0x5000 | ALL);
}

static void test_path_of_pae(void **state)
{
	struct walk_space s = pae_guest();

	expect(&s, 0xc0803123, WALK_READ, SHIFT + 0x5123);
	assert_int_equal(path.count, 3);
	assert_int_equal(path.size, 8);
	expect_entry(0, 0x1038, 0x3000 | P);
	expect_entry(1, 0x3020, 0x4000 | ALL);
	expect_entry(2, 0x4018, 0x5000 | ALL);
}

static void test_path_of_2_levels(void **state)
{
	struct walk_space s = narrow_guest();

	expect(&s, 0xc05123, WALK_READ, SHIFT + 0x5123);
	assert_int_equal(path.count, 2);
	assert_int_equal(path.size, 4);
	expect_entry(0, 0x100c, 0x4000 | ALL);
	expect_entry(1, 0x4014, 0x5000 | ALL);
	guest_put32(0x1010, 0x400000 | PS | ALL);
	expect(&s, 0x1005123, WALK_READ, SHIFT + 0x405123);
	assert_int_equal(path.count, 1);
	expect_entry(0, 0x1010, 0x400000 | PS | ALL);
}

/* What was read up to a fault is there; nothing is left of a walk before. */
static void test_path_of_failed_walks(void **state)
{
	struct walk_space s = long_guest();

	guest_put64(0x3000, 0x4000);
	expect_page_fault(&s, 0x7123, WALK_READ, 0);
	assert_int_equal(path.count, 3);
	expect_entry(2, 0x3000, 0x4000);
	map(NESTED, 4, 1, 0x2000, 0, N_ALL);
	expect_nested_fault(&s, 0x7123, WALK_READ, 0x2000, WALK_USER, true);
	assert_int_equal(path.count, 1);
	assert_int_equal(walk_gva(&s, GVA(1ull << 47), WALK_READ, &r), ERR_FAULT);
	assert_int_equal(path.count, 0);
	s.cr0 = 0;
	s.efer = 0;
	expect(&s, 0x5123, WALK_READ, SHIFT + 0x5123);
	assert_int_equal(path.count, 0);
}

/* --- whose memory is read --------------------------------------------------------------------- */

static void test_private_tables(void **state)
{
	static const enum owner_kind others[] = {OWNER_NONE, OWNER_MONITOR, OWNER_BUSY};
	struct walk_space s = long_guest();
	const uint64_t at = SHIFT + 0x3000;

	s.guest = 0;
	expect_no_memory(&s, 0x7123, SHIFT + 0x1000);
	s.guest = GUEST + 1;
	expect_no_memory(&s, 0x7123, SHIFT + 0x1000);
	s.guest = GUEST;
	s.private = false;
	expect_no_memory(&s, 0x7123, SHIFT + 0x1000);
	s.private = true;
	expect(&s, 0x7123, WALK_READ, SHIFT + 0x5123);
	own(0x3000, guests(GUEST, 0x3000), guests(GUEST - 1, 0x3000));
	expect_no_memory(&s, 0x7123, at);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		fake_give(HPA(at), others[i]);
		expect_no_memory(&s, 0x7123, at);
	}
	/* tables in memory that is shared */
	fake_give(HPA(at), OWNER_SHARED);
	expect(&s, 0x7123, WALK_READ, SHIFT + 0x5123);
}

static void test_no_number_is_none(void **state)
{
	struct walk_space s = long_guest();

	for (uint64_t gpa = 0; gpa < 0x8000; gpa += PAGE_SIZE)
		own(gpa, guests(GUEST, gpa), guests(0, gpa));
	s.private = false;
	s.guest = 0;
	expect_no_memory(&s, 0x7123, SHIFT + 0x1000);
	s.private = true;
	expect(&s, 0x7123, WALK_READ, SHIFT + 0x5123);
}

static void test_private_copy(void **state)
{
	struct walk_space s = long_guest();
	uint8_t buf[64];

	/* L1's page, the guest's, another guest's */
	guest_put64(0x4038, 0x9000 | ALL);
	guest_put64(0x4040, 0x5000 | ALL);
	guest_put64(0x4048, 0x6000 | ALL);
	own(0x6000, guests(GUEST, 0x6000), guests(GUEST + 1, 0x6000));
	memset(fake_at(HPA(SHIFT + 0x9000), PAGE_SIZE), 'a', PAGE_SIZE);
	memset(fake_at(HPA(SHIFT + 0x5000), PAGE_SIZE), 'b', PAGE_SIZE);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(walk_copy(&s, GVA(0x7ff0), WALK_READ, buf, 32), 32);
	assert_memory_equal(buf, "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb", 33);
	expect_entry(3, 0x4040, 0x5000 | ALL);
	assert_int_equal(walk_copy(&s, GVA(0x8ff0), WALK_READ, buf, 32), 16);
	assert_int_equal(walk_copy(&s, GVA(0x9000), WALK_READ, buf, 32), 0);
	/* with tables that L1 may read, too */
	for (uint64_t gpa = 0x1000; gpa < 0x5000; gpa += PAGE_SIZE)
		fake_give(HPA(SHIFT + gpa), OWNER_SHARED);
	assert_int_equal(walk_copy(&s, GVA(0x7ff0), WALK_READ, buf, 32), 32);
	s.private = false;
	assert_int_equal(walk_copy(&s, GVA(0x7ff0), WALK_READ, buf, 32), 16);
}

static void test_seen(void **state)
{
	const uint64_t at = SHIFT + 0x7ff8; /* the last of the guest's, then L1's */

	guest_space(long_space());
	assert_ptr_equal(phys_seen(HPA(at), 8, GUEST), phys_at(HPA(at)));
	assert_non_null(phys_seen(HPA(at), 16, GUEST));
	assert_null(phys_seen(HPA(at), 16, GUEST + 1));
	assert_non_null(phys_seen(HPA(at + 8), 8, GUEST + 1));
	assert_ptr_equal(phys_guest(HPA(at), 8, GUEST), phys_at(HPA(at)));
	assert_null(phys_guest(HPA(at), 9, GUEST));
	assert_null(phys_guest(HPA(at), 8, GUEST + 1));
	assert_null(phys_guest(HPA(at + 8), 8, GUEST));
	assert_non_null(phys_guest(HPA(SHIFT), 0x8000, GUEST));
	assert_null(phys_seen(HPA(UINT64_MAX - 7), 16, GUEST));
	own(0x6000, guests(GUEST, 0x6000), owner_word(OWNER_SHARED, GUEST, GPA(0x6000)));
	assert_non_null(phys_seen(HPA(SHIFT + 0x6000), 8, GUEST));
	assert_null(phys_guest(HPA(SHIFT + 0x6000), 8, GUEST));
	own(0x6000, owner_word(OWNER_SHARED, GUEST, GPA(0x6000)),
	    owner_word(OWNER_BUSY, GUEST, GPA(0x6000)));
	assert_null(phys_seen(HPA(SHIFT + 0x6000), 8, GUEST));
	assert_null(phys_seen(HPA(HOLE), 8, GUEST));
	fake_give(HPA(at + 8), OWNER_TABLE);
	assert_non_null(phys_seen(HPA(at), 16, GUEST));
	fake_give(HPA(at + 8), OWNER_BUSY);
	assert_null(phys_seen(HPA(at), 16, GUEST));
}

/* --- A and D ---------------------------------------------------------------------------------- */

static void test_touch(void **state)
{
	struct walk_space s = long_guest();

	guest_put64(0x1000, 0x2000 | A | ALL);
	expect(&s, 0x7123, WALK_READ, SHIFT + 0x5123);
	assert_int_equal(walk_touch(&s, false), 0);
	assert_int_equal(guest_get64(0x1000), 0x2000 | A | ALL);
	assert_int_equal(guest_get64(0x2000), 0x3000 | A | ALL);
	assert_int_equal(guest_get64(0x3000), 0x4000 | A | ALL);
	assert_int_equal(guest_get64(0x4038), 0x5000 | A | ALL);
	expect_entry(3, 0x4038, 0x5000 | A | ALL);
	assert_int_equal(walk_touch(&s, true), 0); /* without another walk */
	assert_int_equal(guest_get64(0x4038), 0x5000 | A | D | ALL);
	/* D only at the end, and A for a write as well */
	guest_put64(0x4038, 0x5000 | NX | ALL);
	expect(&s, 0x7123, WALK_WRITE, SHIFT + 0x5123);
	assert_int_equal(walk_touch(&s, true), 0);
	assert_int_equal(guest_get64(0x3000), 0x4000 | A | ALL);
	assert_int_equal(guest_get64(0x4038), 0x5000 | NX | A | D | ALL);
	/* a large page has them at level 2 */
	guest_put64(0x3008, 0x600000 | PS | ALL);
	expect(&s, 0x201234, WALK_WRITE, SHIFT + 0x601234);
	assert_int_equal(walk_touch(&s, true), 0);
	assert_int_equal(guest_get64(0x3008), 0x600000 | PS | A | D | ALL);
	assert_int_equal(guest_get64(0x2000), 0x3000 | A | ALL);
}

static void test_touch_pae(void **state)
{
	struct walk_space s = pae_guest();

	expect(&s, 0xc0803123, WALK_WRITE, SHIFT + 0x5123);
	assert_int_equal(walk_touch(&s, true), 0);
	assert_int_equal(guest_get64(0x1038), 0x3000 | P);
	assert_int_equal(guest_get64(0x3020), 0x4000 | A | ALL);
	assert_int_equal(guest_get64(0x4018), 0x5000 | A | D | ALL);
}

static void test_touch_2_levels(void **state)
{
	struct walk_space s = narrow_guest();

	expect(&s, 0xc05123, WALK_WRITE, SHIFT + 0x5123);
	guest_put32(0x4010, 0xbbbbbbb1); /* the neighbour may change */
	assert_int_equal(walk_touch(&s, true), 0);
	assert_int_equal(guest_get32(0x1008), 0xaaaaaaa0);
	assert_int_equal(guest_get32(0x100c), 0x4000 | A | ALL);
	assert_int_equal(guest_get32(0x4010), 0xbbbbbbb1);
	assert_int_equal(guest_get32(0x4014), 0x5000 | A | D | ALL);
	assert_int_equal(guest_get32(0x4018), 0xccccccc0);
}

static void test_touch_finds_a_change(void **state)
{
	struct walk_space s = long_guest();

	expect(&s, 0x7123, WALK_WRITE, SHIFT + 0x5123);
	guest_put64(0x4038, 0x6000 | ALL);
	assert_int_equal(walk_touch(&s, true), ERR_BUSY);
	assert_int_equal(guest_get64(0x4038), 0x6000 | ALL);
	expect(&s, 0x7123, WALK_WRITE, SHIFT + 0x6123);
	assert_int_equal(walk_touch(&s, true), 0);
	assert_int_equal(guest_get64(0x4038), 0x6000 | A | D | ALL);
	s = narrow_guest();
	expect(&s, 0xc05123, WALK_WRITE, SHIFT + 0x5123);
	guest_put32(0x100c, 0);
	assert_int_equal(walk_touch(&s, true), ERR_BUSY);
	assert_int_equal(guest_get32(0x100c), 0);
	assert_int_equal(guest_get32(0x4014), 0x5000 | ALL);
}

/* Entries that are not, or no longer, in the guest's own memory are left alone. */
static void test_touch_spares_others(void **state)
{
	static const enum owner_kind others[] = {OWNER_HOST, OWNER_SHARED,  OWNER_TABLE,
						 OWNER_BUSY, OWNER_MONITOR, OWNER_GUEST};
	struct walk_space s = long_guest();

	expect(&s, 0x7123, WALK_WRITE, SHIFT + 0x5123);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		fake_give(HPA(SHIFT + 0x4000), others[i]);
		assert_int_equal(walk_touch(&s, true), 0);
		assert_int_equal(guest_get64(0x4038), 0x5000 | ALL);
		expect_entry(3, 0x4038, 0x5000 | ALL);
	}
	s.private = false;
	guest_put64(0x3000, 0x4000 | ALL);
	path.entry[2].value = 0x4000 | ALL;
	assert_int_equal(walk_touch(&s, true), 0);
	assert_int_equal(guest_get64(0x3000), 0x4000 | ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_path_of_long_mode),
		TEST(test_path_of_pae),
		TEST(test_path_of_2_levels),
		TEST(test_path_of_failed_walks),
		TEST(test_private_tables),
		TEST(test_no_number_is_none),
		TEST(test_private_copy),
		TEST(test_seen),
		TEST(test_touch),
		TEST(test_touch_pae),
		TEST(test_touch_2_levels),
		TEST(test_touch_finds_a_change),
		TEST(test_touch_spares_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
