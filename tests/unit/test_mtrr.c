/* SPDX-License-Identifier: Apache-2.0 */
/* The MTRRs' memory types: worked by hand, and against the manual's words on random settings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/mtrr.h"

#define ON 0x800u
#define FIXED_ON 0xc00u
#define CAP 0x508u /* write-combining, fixed ranges, 8 variable ones */
#define VALID 0x800u
#define PHYS_BITS 36

static struct mtrr m;

static int set_up(void **state)
{
	m = (struct mtrr){.cap = CAP, .def_type = ON | MEM_UC, .phys_bits = PHYS_BITS};
	return 0;
}

/* Variable range i: size is a power of two. */
static void range(unsigned int i, uint64_t base, uint64_t size, uint64_t type)
{
	m.variable[i].base = base | type;
	m.variable[i].mask = (((uint64_t)1 << PHYS_BITS) - size) | VALID;
}

static void expect_page(uint64_t hpa, enum mem_type type)
{
	bool uniform = false;

	assert_int_equal(mtrr_type(&m, HPA(hpa), PAGE_SIZE, &uniform), type);
	assert_true(uniform);
}

static void expect_span(uint64_t hpa, uint64_t len, enum mem_type type)
{
	bool uniform = false;

	assert_int_equal(mtrr_type(&m, HPA(hpa), len, &uniform), type);
	assert_true(uniform);
}

static void expect_mixed(uint64_t hpa, uint64_t len)
{
	bool uniform = true;

	assert_int_equal(mtrr_type(&m, HPA(hpa), len, &uniform), MEM_UC);
	assert_false(uniform);
}

/* --- by hand ----------------------------------------------------------------------------------- */

static void disabled_is_uncacheable(void **state)
{
	range(0, 0, GIB, MEM_WB);
	m.fixed[0] = 0x0606060606060606;
	m.def_type = 0x400 | MEM_WB; /* E clear; FE alone means nothing */
	expect_page(0, MEM_UC);
	expect_page(2 * MIB, MEM_UC);
	expect_span(0, GIB, MEM_UC);
	m.def_type |= ON;
	expect_page(0, MEM_WB);
	expect_page(2 * MIB, MEM_WB);
}

static void default_type(void **state)
{
	static const enum mem_type types[] = {MEM_UC, MEM_WC, MEM_WT, MEM_WP, MEM_WB};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		m.def_type = ON | types[i];
		expect_page(0, types[i]);
		expect_span(7 * GIB, GIB, types[i]);
	}
	m.def_type = ON | 2;
	expect_span(7 * GIB, GIB, MEM_UC);
	m.def_type = ON | 7;
	expect_span(7 * GIB, GIB, MEM_UC);
}

/* Each of the 88 fixed ranges in turn has a type of its own, from its first page to its last. */
static void fixed_ranges(void **state)
{
	uint64_t at = 0;

	m.def_type = FIXED_ON | MEM_WT;
	for (unsigned int i = 0; i < 88; i++) {
		uint64_t size = i < 8 ? 64 << 10 : i < 24 ? 16 << 10 : 4 << 10;

		for (unsigned int r = 0; r < MTRR_FIXED; r++)
			m.fixed[r] = 0x0606060606060606;
		m.fixed[i / 8] &= ~((uint64_t)0xff << i % 8 * 8);
		m.fixed[i / 8] |= (uint64_t)MEM_WP << i % 8 * 8;
		expect_span(at, size, MEM_WP);
		expect_page(at, MEM_WP);
		expect_page(at + size - PAGE_SIZE, MEM_WP);
		if (at)
			expect_page(at - PAGE_SIZE, MEM_WB);
		expect_page(at + size, at + size == MIB ? MEM_WT : MEM_WB);
		expect_mixed(0, MIB);
		expect_mixed(0, 2 * MIB);
		at += size;
	}
	assert_int_equal(at, MIB);
}

static void fixed_ranges_come_first(void **state)
{
	range(0, 0, GIB, MEM_UC);
	m.def_type = FIXED_ON | MEM_UC;
	m.fixed[0] = 0x0606060606060606;
	expect_page(0x7f000, MEM_WB);
	expect_page(0x80000, MEM_UC);
	expect_page(MIB, MEM_UC);
	expect_mixed(0, 2 * MIB);
	m.def_type = ON | MEM_WB; /* FE clear */
	expect_page(0x7f000, MEM_UC);
	m.def_type = FIXED_ON | MEM_WB;
	m.cap = 8; /* no fixed ranges, whatever FE says */
	expect_page(0x7f000, MEM_UC);
	m.cap = CAP;
	m.fixed[0] = 0x0203070806ff0601; /* what is no type is UC */
	expect_page(0x00000, MEM_WC);
	expect_page(0x10000, MEM_WB);
	expect_page(0x20000, MEM_UC);
	expect_page(0x40000, MEM_UC);
	expect_page(0x50000, MEM_UC);
	expect_page(0x60000, MEM_UC);
	expect_page(0x70000, MEM_UC);
}

static void fixed_and_variable_alike(void **state)
{
	m.def_type = FIXED_ON | MEM_UC;
	range(0, 0, 2 * MIB, MEM_WB);
	memset(m.fixed, MEM_WB, sizeof(m.fixed));
	expect_span(0, 2 * MIB, MEM_WB);
	expect_mixed(0, 4 * MIB);
	m.fixed[10] = 0x0506060606060606; /* the last page below 1 MiB */
	expect_mixed(0, 2 * MIB);
	expect_page(0xff000, MEM_WP);
	m.fixed[10] = 0x0606060606060606;
	range(0, 0, MIB, MEM_WB); /* above it the default: uncacheable */
	expect_mixed(0, 2 * MIB);
	expect_span(0, MIB, MEM_WB);
}

/* All pairs: UC wins, WT wins over WB, equals stay, all else is undefined and taken as UC. */
static void pairs(void **state)
{
	static const struct {
		enum mem_type a, b, both;
	} rows[] = {
		{MEM_UC, MEM_UC, MEM_UC}, {MEM_UC, MEM_WC, MEM_UC}, {MEM_UC, MEM_WT, MEM_UC},
		{MEM_UC, MEM_WP, MEM_UC}, {MEM_UC, MEM_WB, MEM_UC}, {MEM_WC, MEM_WC, MEM_WC},
		{MEM_WC, MEM_WT, MEM_UC}, {MEM_WC, MEM_WP, MEM_UC}, {MEM_WC, MEM_WB, MEM_UC},
		{MEM_WT, MEM_WT, MEM_WT}, {MEM_WT, MEM_WP, MEM_UC}, {MEM_WT, MEM_WB, MEM_WT},
		{MEM_WP, MEM_WP, MEM_WP}, {MEM_WP, MEM_WB, MEM_UC}, {MEM_WB, MEM_WB, MEM_WB},
	};

	for (unsigned int def = 0; def < 7; def++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			m.def_type = ON | def;
			range(0, GIB, GIB, rows[i].a);
			range(1, GIB, GIB, rows[i].b);
			expect_span(GIB, GIB, rows[i].both);
			range(0, GIB, GIB, rows[i].b);
			range(1, GIB, GIB, rows[i].a);
			expect_span(GIB, GIB, rows[i].both);
		}
	range(2, GIB, GIB, MEM_WT); /* three of them */
	range(0, GIB, GIB, MEM_WB);
	range(1, GIB, GIB, MEM_WB);
	expect_span(GIB, GIB, MEM_WT);
	range(1, GIB, GIB, MEM_UC);
	expect_span(GIB, GIB, MEM_UC);
}

static void variable_edges(void **state)
{
	m.def_type = ON | MEM_WB;
	range(3, 0xfee00000, PAGE_SIZE, MEM_UC);
	expect_page(0xfee00000, MEM_UC);
	expect_page(0xfedff000, MEM_WB);
	expect_page(0xfee01000, MEM_WB);
	expect_mixed(0xfee00000, 2 * MIB);
	expect_mixed(3 * GIB, GIB);
	expect_span(0xfec00000, 2 * MIB, MEM_WB);
	m.variable[3].mask &= ~(uint64_t)VALID;
	expect_page(0xfee00000, MEM_WB);
	range(7, 0, (uint64_t)1 << PHYS_BITS, MEM_WP); /* an empty mask takes in everything */
	expect_span(0, GIB, MEM_WP);
	m.variable[7].mask = VALID;
	expect_span(63 * GIB, GIB, MEM_WP);
	m.cap = 0x507; /* one range fewer */
	expect_span(63 * GIB, GIB, MEM_WB);
}

static void masks_with_holes(void **state)
{
	m.def_type = ON | MEM_WB;
	m.variable[0].base = 0x1000 | MEM_UC; /* every odd page */
	m.variable[0].mask = 0x1000 | VALID;
	expect_page(0x5000, MEM_UC);
	expect_page(0x6000, MEM_WB);
	expect_mixed(8 * GIB, 8 << 10);
	expect_mixed(8 * GIB, GIB);
	m.variable[0].base = GIB | MEM_WT; /* every odd GiB */
	m.variable[0].mask = GIB | VALID;
	expect_span(7 * GIB, GIB, MEM_WT);
	expect_span(8 * GIB, GIB, MEM_WB);
	expect_mixed(8 * GIB, 2 * GIB);
}

/* A range that covers a part changes nothing if the type is the same with and without it. */
static void parts_that_do_not_matter(void **state)
{
	range(0, 0, GIB, MEM_UC);
	range(1, 0, 2 * MIB, MEM_WB);
	expect_span(0, GIB, MEM_UC);
	range(0, 0, GIB, MEM_WT);
	expect_span(0, GIB, MEM_WT);
	range(1, 0, 2 * MIB, MEM_UC);
	expect_mixed(0, GIB);
	range(0, 0, GIB, MEM_WB);
	range(1, 0, 2 * MIB, MEM_WT);
	expect_mixed(0, GIB);
	expect_span(0, 2 * MIB, MEM_WT);
	expect_span(2 * MIB, 2 * MIB, MEM_WB);
	m.variable[0].mask = 0;
	m.def_type = ON | MEM_WT;
	expect_span(0, GIB, MEM_WT);
	range(1, 0, 2 * MIB, MEM_WB); /* a range replaces the default, it does not add to it */
	expect_mixed(0, GIB);
	expect_span(0, 2 * MIB, MEM_WB);
}

/* Masks wider or narrower than the processor's addresses. */
static void address_bits_count_only(void **state)
{
	m.def_type = ON | MEM_WB;
	m.variable[0].base = 4 * GIB | MEM_UC | 0xf00;
	m.variable[0].mask = 0xffffffff00000000u | 0x7ff | VALID;
	expect_span(4 * GIB, GIB, MEM_UC);
	expect_span(8 * GIB, GIB, MEM_WB);
	m.variable[0].base |= 0xfff0000000000000u;
	expect_span(4 * GIB, GIB, MEM_UC);
	m.phys_bits = 32; /* 4 GiB is not in the mask any more, nor in the base */
	expect_span(0, GIB, MEM_UC);
}

/* As firmware sets them on a PC with 3 GiB below and 5 above 4 GiB. */
static void a_pc(void **state)
{
	m.def_type = FIXED_ON | MEM_WB;
	memset(m.fixed, MEM_WB, sizeof(m.fixed));
	m.fixed[2] = 0;
	for (unsigned int i = 3; i < MTRR_FIXED; i++)
		m.fixed[i] = 0x0505050505050505;
	range(0, 3 * GIB, GIB, MEM_UC);
	expect_page(0x9f000, MEM_WB);
	expect_page(0xa0000, MEM_UC);
	expect_page(0xbf000, MEM_UC);
	expect_page(0xc0000, MEM_WP);
	expect_page(0xff000, MEM_WP);
	expect_page(0x100000, MEM_WB);
	expect_mixed(0, 2 * MIB);
	expect_span(2 * MIB, 2 * MIB, MEM_WB);
	expect_mixed(0, GIB);
	expect_span(2 * GIB, GIB, MEM_WB);
	expect_span(3 * GIB, GIB, MEM_UC);
	expect_span(4 * GIB, GIB, MEM_WB);
}

/* --- registers --------------------------------------------------------------------------------- */

static void expect_register(uint32_t msr, const uint64_t *at)
{
	assert_ptr_equal(mtrr_register(&m, msr), at);
}

static void registers(void **state)
{
	static const uint16_t fixed[MTRR_FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
						   0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
	unsigned int known = 0;

	expect_register(0x200, &m.variable[0].base);
	expect_register(0x201, &m.variable[0].mask);
	expect_register(0x20e, &m.variable[7].base);
	expect_register(0x20f, &m.variable[7].mask);
	expect_register(0x210, NULL);
	for (unsigned int i = 0; i < MTRR_FIXED; i++)
		expect_register(fixed[i], &m.fixed[i]);
	expect_register(0x2ff, &m.def_type);
	expect_register(0xfe, NULL);  /* the capability is read-only */
	expect_register(0x277, NULL); /* the PAT */
	for (uint32_t msr = 0; msr < 0x10000; msr++)
		known += mtrr_register(&m, msr) != NULL;
	assert_int_equal(known, 16 + 11 + 1);
	expect_register(UINT32_MAX, NULL);
	m.cap = 0; /* nothing but the default type */
	for (uint32_t msr = 0; msr < 0x10000; msr++)
		expect_register(msr, msr == 0x2ff ? &m.def_type : NULL);
	m.cap = 0x1ff; /* more than there are numbers for */
	expect_register(0x24f, &m.variable[39].mask);
	expect_register(0x250, &m.fixed[0]);
}

static bool was_read[0x10000];

static uint64_t give_number(uint32_t msr)
{
	assert_true(msr < 0x10000);
	was_read[msr] = true;
	return msr == 0xfe ? CAP : (uint64_t)msr << 16;
}

static void reading_all(void **state)
{
	mtrr_read(&m, give_number, 39);
	assert_int_equal(m.cap, CAP);
	assert_int_equal(m.phys_bits, 39);
	for (uint32_t msr = 0; msr < 0x10000; msr++) {
		uint64_t *at = mtrr_register(&m, msr);

		assert_int_equal(was_read[msr], at || msr == 0xfe);
		assert_true(!at || *at == (uint64_t)msr << 16);
	}
	assert_int_equal(m.variable[8].base | m.variable[39].mask, 0);
}

static void writing(void **state)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
		int result;
	} rows[] = {
		{0x2ff, 0xc06, 0},
		{0x2ff, 0x800, 0},
		{0x2ff, 0x000, 0},
		{0x2ff, 0xc02, ERR_INVAL},
		{0x2ff, 0xc07, ERR_INVAL},
		{0x2ff, 0xc08, ERR_INVAL},
		{0x2ff, 0xd06, ERR_INVAL},
		{0x2ff, 0xe06, ERR_INVAL},
		{0x2ff, 0x1c06, ERR_INVAL},
		{0x2ff, 0x8000000000000c06, ERR_INVAL},
		{0x200, 0xffffff006, 0},
		{0x200, 0x1000000006, ERR_INVAL}, /* bit 36 */
		{0x20e, 0x000000001, 0},
		{0x200, 0xffffff003, ERR_INVAL},
		{0x200, 0xffffff007, ERR_INVAL},
		{0x200, 0xffffff106, ERR_INVAL},
		{0x200, 0xffffff806, ERR_INVAL},
		{0x201, 0xffffff800, 0},
		{0x201, 0xffffff000, 0},
		{0x201, 0x1000000800, ERR_INVAL},
		{0x201, 0xffffffc00, ERR_INVAL},
		{0x201, 0xffffff801, ERR_INVAL},
		{0x250, 0x0605040100060606, 0},
		{0x250, 0x0706060606060606, ERR_INVAL},
		{0x26f, 0x0606060606060602, ERR_INVAL},
		{0x26f, 0x0606060603060606, ERR_INVAL},
		{0x26f, 0x0606060606068606, ERR_INVAL},
		{0x210, 0, ERR_NOENT},
		{0x277, 0, ERR_NOENT},
		{0xfe, 0, ERR_NOENT},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t *at = mtrr_register(&m, rows[i].msr);
		uint64_t before = at ? *at : 0;

		assert_int_equal(mtrr_write(&m, rows[i].msr, rows[i].value), rows[i].result);
		if (at)
			assert_int_equal(*at, rows[i].result ? before : rows[i].value);
	}
	m.cap = 0x108; /* no write-combining */
	assert_int_equal(mtrr_write(&m, 0x200, MEM_WC), ERR_INVAL);
	assert_int_equal(mtrr_write(&m, 0x250, MEM_WC), ERR_INVAL);
	assert_int_equal(mtrr_write(&m, 0x2ff, MEM_WC), ERR_INVAL);
	assert_int_equal(mtrr_write(&m, 0x201, 1), ERR_INVAL);
	assert_int_equal(mtrr_write(&m, 0x2ff, MEM_WB), 0);
	m.cap = 8;
	assert_int_equal(mtrr_write(&m, 0x250, 0), ERR_NOENT);
	assert_int_equal(mtrr_write(&m, 0x2ff, 0xc06), 0); /* FE stays without a meaning */
	m.phys_bits = 52;
	assert_int_equal(mtrr_write(&m, 0x201, 0xffffffffff800), 0);
	assert_int_equal(mtrr_write(&m, 0x201, 0x10000000000000), ERR_INVAL);
}

/* --- at random --------------------------------------------------------------------------------- */

static uint64_t seed = 88172645463325252u;

static uint64_t rnd(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

/* SDM vol. 3, 12.11.4.1, step by step. */
static unsigned int model(uint64_t hpa)
{
	bool seen[256] = {false};
	unsigned int kinds = 0, last = 0;

	if (!(m.def_type >> 11 & 1))
		return MEM_UC;
	if (hpa < 0x100000 && (m.def_type >> 10 & 1)) {
		uint64_t at = 0;

		for (unsigned int i = 0; i < 88; i++) {
			at += i < 8 ? 0x10000 : i < 24 ? 0x4000 : 0x1000;
			if (hpa < at)
				return m.fixed[i / 8] >> i % 8 * 8 & 0xff;
		}
	}
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t mask = m.variable[i].mask >> 12, base = m.variable[i].base >> 12;

		if ((m.variable[i].mask >> 11 & 1) && (mask & base) == (mask & hpa >> 12)) {
			last = m.variable[i].base & 0xff;
			kinds += !seen[last];
			seen[last] = true;
		}
	}
	if (kinds == 0)
		return m.def_type & 0xff;
	if (kinds == 1)
		return last;
	if (kinds == 2 && seen[MEM_WT] && seen[MEM_WB])
		return MEM_WT;
	return MEM_UC;
}

static unsigned int random_type(void)
{
	static const enum mem_type types[] = {MEM_UC, MEM_WC, MEM_WT, MEM_WP, MEM_WB, MEM_WB};

	return types[rnd(ARRAY_SIZE(types))];
}

/* Ranges of 4 KiB to 16 MiB, in the first 16 MiB, so that they overlap. */
static void randomize(void)
{
	m.def_type = (rnd(20) ? ON : 0) | rnd(2) << 10 | random_type();
	for (unsigned int i = 0; i < MTRR_FIXED; i++) {
		unsigned int all = random_type();

		m.fixed[i] = 0;
		for (unsigned int byte = 0; byte < 8; byte++)
			m.fixed[i] |= (uint64_t)(rnd(8) ? all : random_type()) << byte * 8;
	}
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t size = PAGE_SIZE << rnd(13);

		range(i, rnd(16 * MIB) & ~(size - 1), size, random_type());
		if (!rnd(3))
			m.variable[i].mask = 0;
		for (uint64_t hole = rnd(20); hole < 2; hole++) /* a mask with holes */
			m.variable[i].mask &= ~(PAGE_SIZE << rnd(12));
	}
}

/* No range ends inside [hpa, hpa + len), and none is fixed there. */
static bool plain(uint64_t hpa, uint64_t len)
{
	if (hpa < MIB && (m.def_type >> 10 & 1))
		return false;
	for (unsigned int i = 0; i < 8; i++)
		if ((m.variable[i].mask & VALID) && (m.variable[i].mask & (len - 1) & PAGE_MASK))
			return false;
	return true;
}

static void at_random(void **state)
{
	static unsigned int page_type[16 * MIB / PAGE_SIZE];
	unsigned int mixed = 0, same = 0;

	for (unsigned int round = 0; round < 500; round++) {
		randomize();
		for (uint64_t hpa = 0; hpa < 16 * MIB; hpa += PAGE_SIZE) {
			page_type[hpa / PAGE_SIZE] = model(hpa);
			expect_page(hpa, page_type[hpa / PAGE_SIZE]);
		}
		for (uint64_t len = 2 * PAGE_SIZE; len <= 16 * MIB; len *= 2)
			for (uint64_t hpa = 0; hpa < 16 * MIB; hpa += len) {
				bool uniform;
				enum mem_type type = mtrr_type(&m, HPA(hpa), len, &uniform);
				const unsigned int *page = &page_type[hpa / PAGE_SIZE];

				for (uint64_t i = 0; uniform && i < len / PAGE_SIZE; i++)
					assert_int_equal(page[i], type);
				assert_true(uniform || type == MEM_UC);
				assert_true(uniform || !plain(hpa, len));
				mixed += !uniform;
				same += uniform;
			}
	}
	assert_true(mixed > 10000 && same > 10000);
}

/* Whatever is in the registers: a type, and one for a page. */
static void garbage(void **state)
{
	for (unsigned int round = 0; round < 20000; round++) {
		uint64_t *word = (uint64_t *)&m;
		bool uniform;
		enum mem_type type;

		for (size_t i = 0; i < offsetof(struct mtrr, phys_bits) / sizeof(*word); i++)
			word[i] = rnd(UINT32_MAX) << 32 ^ rnd(UINT32_MAX);
		m.phys_bits = 32 + rnd(21);
		type = mtrr_type(&m, HPA(rnd(1ull << 36) << 12), PAGE_SIZE, &uniform);
		assert_true(uniform);
		assert_true(type == MEM_UC || type == MEM_WC || type == MEM_WT || type == MEM_WP ||
			    type == MEM_WB);
	}
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(disabled_is_uncacheable),
		TEST(default_type),
		TEST(fixed_ranges),
		TEST(fixed_ranges_come_first),
		TEST(fixed_and_variable_alike),
		TEST(pairs),
		TEST(variable_edges),
		TEST(masks_with_holes),
		TEST(parts_that_do_not_matter),
		TEST(address_bits_count_only),
		TEST(a_pc),
		TEST(registers),
		TEST(reading_all),
		TEST(writing),
		TEST(at_random),
		TEST(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
