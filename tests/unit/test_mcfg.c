/* SPDX-License-Identifier: Apache-2.0 */
/* Where PCI configuration space lies in memory, out of ACPI's MCFG. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/mcfg.h"
#include "tests/unit/test_boot_tables.h"

#define MCFG 0x3e02000u

static struct boot_info info;
static struct mcfg mcfg;
static const char *why;

struct entry {
	uint64_t base;
	uint16_t segment;
	uint8_t first, last;
	uint32_t reserved;
};

static int parse_as(const struct entry *e, unsigned int n, uint32_t more)
{
	uint8_t body[8 + 32 * sizeof(*e)] = {0};

	ram_all(true);
	if (n)
		memcpy(body + 8, e, n * sizeof(*e));
	table_put(MCFG, "MCFG", body, TABLE_HEADER + 8 + n * (uint32_t)sizeof(*e) + more);
	tables_root(MCFG);
	why = NULL;
	return mcfg_parse(&mcfg, &info, &why);
}

static void ranges(void **state)
{
	static const struct entry e[] = {{0xb0000000, 0, 0, 255, 0}, {0x1000000000, 1, 16, 31, 0}};
	struct range r;

	assert_int_equal(parse_as(e, 2, 0), 0);
	assert_int_equal(mcfg.count, 2);
	assert_int_equal(mcfg.range[1].segment, 1);
	r = mcfg_bytes(&mcfg, 0);
	assert_int_equal(r.start, 0xb0000000);
	assert_int_equal(r.end, 0xc0000000);
	r = mcfg_bytes(&mcfg, 1);
	assert_int_equal(r.start, 0x1001000000);
	assert_int_equal(r.end, 0x1002000000);
	assert_int_equal(parse_as(e, 0, 0), 0);
	assert_int_equal(mcfg.count, 0);
}

static void expect_bad(struct entry e)
{
	assert_int_equal(parse_as(&e, 1, 0), ERR_INVAL);
	assert_non_null(why);
	assert_int_equal(mcfg.count, 0);
}

static void bad_ranges(void **state)
{
	expect_bad((struct entry){0xb0080000, 0, 0, 255, 0});
	expect_bad((struct entry){0xb0000000, 0, 2, 1, 0});
	expect_bad((struct entry){(uint64_t)1 << 52, 0, 0, 1, 0});
	expect_bad((struct entry){0xfffffffffff00000, 0, 0, 255, 0});
}

static void bad_lengths(void **state)
{
	static const struct entry e[MCFG_MAX + 1] = {{0}};

	assert_int_equal(parse_as(e, MCFG_MAX, 0), 0);
	assert_int_equal(mcfg.count, MCFG_MAX);
	assert_int_equal(parse_as(e, MCFG_MAX + 1, 0), ERR_2BIG);
	assert_int_equal(mcfg.count, 0);
	assert_int_equal(parse_as(e, 1, 1), ERR_INVAL);
	assert_int_equal(parse_as(e, 0, (uint32_t)-1), ERR_INVAL);
	assert_non_null(why);
}

static void none(void **state)
{
	parse_as(NULL, 0, 0);
	table_put(MCFG, "SSDT", "", TABLE_HEADER);
	ram_all(true);
	assert_int_equal(mcfg_parse(&mcfg, &info, &why), ERR_NOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges),
		cmocka_unit_test(bad_ranges),
		cmocka_unit_test(bad_lengths),
		cmocka_unit_test(none),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	ram_all(false);
	return failed;
}
