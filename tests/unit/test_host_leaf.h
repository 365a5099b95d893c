/* SPDX-License-Identifier: Apache-2.0 */
/* What L1's nested table says about an address, for both formats. Each test is a process. */
#ifndef TESTS_TEST_HOST_LEAF_H
#define TESTS_TEST_HOST_LEAF_H

#include "ept/ept.h"
#include "ept/mtrr.h"
#include "tests/unit/test_machine.h"

#define TOP (8 * GIB)
#define SPAN(level) table_span(level)

/* A PC: write-back but for VGA, ROMs (write-protected) and the last GiB below 4. */
static inline struct mtrr pc_types(void)
{
	struct mtrr m = {.cap = 0x508, .def_type = 0xc00 | MEM_WB, .phys_bits = 48};

	memset(m.fixed, MEM_WB, sizeof(m.fixed));
	m.fixed[2] = 0;
	for (unsigned int i = 3; i < MTRR_FIXED; i++)
		memset(&m.fixed[i], MEM_WP, sizeof(m.fixed[i]));
	m.variable[0].base = 3 * GIB | MEM_UC;
	m.variable[0].mask = (((uint64_t)1 << 48) - GIB) | 0x800;
	return m;
}

static struct mtrr types; /* L1's */

static inline int start_table(uint64_t top, bool leaf_1g)
{
#ifdef FORMAT_EPT
	ept_limits(true, leaf_1g);
	return host_init(top, leaf_1g, &types);
#else
	return host_init(top, leaf_1g, NULL);
#endif
}

static inline void set_up(bool leaf_1g)
{
	fake_reset();
	types = pc_types();
	assert_int_equal(start_table(TOP, leaf_1g), 0);
}

/* The level of the entry that decides about hpa, and the entry. */
static inline unsigned int level_of(uint64_t hpa, uint64_t *entry)
{
	const uint64_t *table = phys_table(host_root());

	for (unsigned int level = TABLE_LEVELS;; level--) {
		*entry = table[table_index(level, hpa)];
		if (!table_present(*entry) || table_is_leaf(*entry, level))
			return level;
		table = phys_table(table_hpa(*entry, level));
	}
}

/* What a leaf for hpa carries as its type. */
static inline uint64_t type_bits(uint64_t hpa)
{
#ifdef FORMAT_EPT
	bool uniform;

	return (uint64_t)mtrr_type(&types, HPA(hpa & PAGE_MASK), PAGE_SIZE, &uniform) << 3;
#else
	return 0;
#endif
}

/* One to one, with these rights and hpa's type, in a leaf of this level. */
static inline void expect_leaf(uint64_t hpa, unsigned int level, unsigned int rights)
{
	uint64_t entry;

	assert_int_equal(level_of(hpa, &entry), level);
	assert_true(table_present(entry));
	assert_false(table_malformed(entry, level, 0));
	assert_int_equal(table_hpa(entry, level).a, ALIGN_DOWN(hpa, SPAN(level)));
	assert_int_equal(table_rights(entry), rights);
	assert_int_equal(entry & table_format.leaf_type, type_bits(hpa));
	for (unsigned int r = 0; r <= TABLE_RWX; r++)
		assert_int_equal(host_allows(HPA(hpa), r), (rights & r) == r);
}

static inline void expect_absent(uint64_t hpa)
{
	uint64_t entry;

	level_of(hpa, &entry);
	assert_int_equal(entry, 0);
	assert_false(host_allows(HPA(hpa), TABLE_R));
	assert_false(host_allows(HPA(hpa), 0));
}

#endif
