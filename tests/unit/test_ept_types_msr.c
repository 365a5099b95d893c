/* SPDX-License-Identifier: Apache-2.0 */
/* L1's MTRRs: which registers they are, and how L1's table follows what L1 writes to them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/ept.h"
#include "ept/format.h"
#include "ept/host.h"
#include "ept/mtrr.h"
#include "monitor/fake/machine.h"
#include "monitor/fake/msr.h"
#include "monitor/types.h"

#define TOP (4 * GIB)
#define DEF_TYPE 0x2ffu
#define ON 0xc06u /* enabled, fixed ranges too, write-back where no range says otherwise */
#define MASK_1G (((1ull << 40) - GIB) | 0x800)
#define BASE(n) (0x200u + 2 * (n))
#define MASK(n) (0x201u + 2 * (n))

static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
				 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

/* The firmware's: 8 ranges, of which one says that the fourth GiB is uncached. */
static int set_up(void **state)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	fake_msr_reset();
	fake_set_msr(0xfe, 0x508);
	fake_set_msr(DEF_TYPE, ON);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		fake_set_msr(fixed[i], 0x0606060606060606);
	for (uint32_t i = 0; i < 8; i++) {
		fake_set_msr(BASE(i), i ? 0 : 3 * GIB);
		fake_set_msr(MASK(i), i ? 0 : MASK_1G);
	}
	fake_catch();
	ept_limits(true, true);
	assert_int_equal(host_init(TOP, true, types_read(40, true)), 0);
	return 0;
}

static int tear_down(void **state)
{
	fake_reset();
	return 0;
}

/* What the leaf for hpa says: SDM volume 3, table 29-6, bits 5:3. */
static uint64_t type_at(uint64_t hpa)
{
	const uint64_t *table = phys_table(host_root());

	for (unsigned int level = TABLE_LEVELS;; level--) {
		uint64_t entry = table[table_index(level, hpa)];

		assert_true(table_present(entry));
		if (table_is_leaf(entry, level))
			return entry >> 3 & 7;
		table = phys_table(table_hpa(entry, level));
	}
}

static void set(uint32_t msr, uint64_t value)
{
	assert_true(types_is_mtrr(msr));
	assert_int_equal(types_set(msr, value), 0);
}

static uint64_t get(uint32_t msr)
{
	uint64_t value = 0;

	assert_int_equal(types_get(msr, &value), 0);
	return value;
}

static bool is_fixed(uint32_t msr)
{
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++)
		if (fixed[i] == msr)
			return true;
	return false;
}

static void registers(void **state)
{
	for (uint32_t msr = 0; msr < 0x2000; msr++) {
		bool variable = msr >= 0x200 && msr < 0x210;

		assert_int_equal(types_is_mtrr(msr), variable || is_fixed(msr) || msr == DEF_TYPE);
	}
	assert_false(types_is_mtrr(0xc0000200));
	assert_false(types_is_mtrr(UINT32_MAX));
}

static void the_firmwares_at_first(void **state)
{
	assert_int_equal(get(DEF_TYPE), ON);
	assert_int_equal(get(BASE(0)), 3 * GIB);
	assert_int_equal(get(MASK(0)), MASK_1G);
	assert_int_equal(get(fixed[3]), 0x0606060606060606);
	assert_int_equal(type_at(0), MEM_WB);
	assert_int_equal(type_at(3 * GIB), MEM_UC);
}

/* As Linux and Xen do it (SDM volume 3, 12.11.8): off, all registers, on. */
static void off_and_on(void **state)
{
	set(DEF_TYPE, ON & ~0x800u);
	assert_int_equal(type_at(2 * GIB), MEM_WB);
	set(BASE(1), 2 * GIB | MEM_WT);
	set(MASK(1), MASK_1G);
	set(fixed[0], 0x0600060606060606);
	assert_int_equal(type_at(2 * GIB), MEM_WB); /* not yet */
	assert_int_equal(get(BASE(1)), 2 * GIB | MEM_WT);
	set(DEF_TYPE, ON);
	assert_int_equal(type_at(2 * GIB), MEM_WT);
	assert_int_equal(type_at(3 * GIB - 1), MEM_WT);
	assert_int_equal(type_at(2 * GIB - 1), MEM_WB);
	assert_int_equal(type_at(3 * GIB), MEM_UC);
	assert_int_equal(type_at(0x5ffff), MEM_WB);
	assert_int_equal(type_at(0x60000), MEM_UC);
	assert_int_equal(type_at(0x70000), MEM_WB);
	assert_int_equal(fake_msr_writes(), 0); /* the processor's stay */
}

static void while_they_are_on(void **state)
{
	set(BASE(2), GIB | MEM_UC);
	assert_int_equal(type_at(GIB), MEM_WB);
	set(MASK(2), MASK_1G);
	assert_int_equal(type_at(GIB), MEM_UC);
	set(MASK(2), 0);
	assert_int_equal(type_at(GIB), MEM_WB);
}

/* Another CPU writes the same, with the same going off and on. */
static void the_default_type(void **state)
{
	set(DEF_TYPE, 0xc00);
	assert_int_equal(type_at(GIB), MEM_UC);
	for (int cpu = 0; cpu < 2; cpu++) {
		set(DEF_TYPE, 0x400 | MEM_WB);
		assert_int_equal(type_at(GIB), cpu ? MEM_WB : MEM_UC);
		set(DEF_TYPE, ON);
		assert_int_equal(type_at(GIB), MEM_WB);
	}
	assert_int_equal(type_at(3 * GIB), MEM_UC);
}

static void what_raises_a_fault(void **state)
{
	assert_int_equal(types_set(DEF_TYPE, 0xc02), ERR_INVAL);
	assert_int_equal(types_set(DEF_TYPE, ON | 1ull << 63), ERR_INVAL);
	assert_int_equal(types_set(BASE(0), 3), ERR_INVAL);
	assert_int_equal(types_set(MASK(0), 1ull << 40), ERR_INVAL);
	assert_int_equal(types_set(fixed[0], 7), ERR_INVAL);
	the_firmwares_at_first(state);
}

#define T(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(registers),         T(the_firmwares_at_first), T(off_and_on),
		T(while_they_are_on), T(the_default_type),       T(what_raises_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
