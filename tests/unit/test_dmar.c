/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's DMAR: what is taken from it, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/iommu/unit.h"
#include "tests/unit/test_boot_ram.h"

#define AT 0x3e00000u
#define HEADER 48u
#define UNIT 0xfed90000u

static struct iommu_list list;
static struct acpi_table table;
static const char *why;

static void begin(void)
{
	ram_all(true);
	memset(&ram[AT], 0, 0x4000);
	memset(&list, 0, sizeof(list));
	table = (struct acpi_table){HPA(AT), HEADER, "DMAR"};
}

static void add(uint16_t type, uint16_t length, uint64_t first, uint64_t second)
{
	uint64_t at = AT + table.length;

	ram_put(at, &type, 2);
	ram_put(at + 2, &length, 2);
	ram_put(at + 8, &first, 8);
	if (length >= 24)
		ram_put(at + 16, &second, 8);
	table.length += length;
}

static void refused(int err, const char *text)
{
	why = NULL;
	assert_int_equal(dmar_parse(&list, &table, &why), err);
	assert_non_null(why);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
}

/* A unit with scopes, reserved memory, and what is passed over. */
static void reads_units_and_reserved_memory(void **state)
{
	begin();
	add(0, 16, UNIT, 0);
	add(0, 48, UNIT + 0x1000, 0x1234);
	add(1, 32, 0x7f000000, 0x7f0fffff);
	for (uint16_t type = 2; type <= 6; type++)
		add(type, 8, 0, 0);
	add(0, 16, UNIT, 0); /* once more */
	assert_int_equal(dmar_parse(&list, &table, &why), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.unit[0].base, UNIT);
	assert_int_equal(list.unit[1].base, UNIT + 0x1000);
	assert_int_equal(list.reserved_count, 1);
	assert_int_equal(list.reserved[0].start, 0x7f000000);
	assert_int_equal(list.reserved[0].end, 0x7f100000);
	assert_false(list.remaps);
}

static void refuses_what_it_does_not_know(void **state)
{
	begin();
	add(7, 8, 0, 0);
	refused(ERR_NOSYS, "unknown");
	begin();
	add(0xffff, 16, 0, 0);
	refused(ERR_NOSYS, "unknown");
}

static void refuses_wrong_sizes(void **state)
{
	static const uint16_t lengths[] = {0, 3, 17, 0xffff};

	begin();
	table.length = HEADER - 1;
	refused(ERR_INVAL, "too short");
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		begin();
		add(2, lengths[i], 0, 0);
		table.length = HEADER + 16;
		refused(ERR_INVAL, "wrong size");
	}
	begin();
	add(2, 8, 0, 0);
	table.length += 3; /* less than a head */
	refused(ERR_INVAL, "wrong size");
	begin();
	add(0, 15, UNIT, 0);
	refused(ERR_INVAL, "unit");
	begin();
	add(1, 23, 0, 0);
	refused(ERR_INVAL, "reserved memory");
}

static void refuses_wrong_addresses(void **state)
{
	static const uint64_t bounds[][2] = {
		{0x1000, 0xfff},  {0x2000, 0xfff},      {0x1001, 0x1fff},
		{0x1000, 0x1ffe}, {0x1000, UINT64_MAX},
	};

	begin();
	add(0, 16, 0, 0);
	refused(ERR_INVAL, "wrong address");
	begin();
	add(0, 16, UNIT + 8, 0);
	refused(ERR_INVAL, "wrong address");
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++) {
		begin();
		add(1, 24, bounds[i][0], bounds[i][1]);
		refused(ERR_INVAL, "bounds");
	}
}

static void refuses_too_many(void **state)
{
	begin();
	for (uint64_t i = 0; i < IOMMU_UNITS_MAX; i++)
		add(0, 16, UNIT + i * PAGE_SIZE, 0);
	assert_int_equal(dmar_parse(&list, &table, &why), 0);
	add(0, 16, UNIT - PAGE_SIZE, 0);
	refused(ERR_2BIG, "64 IOMMUs");
	begin();
	for (uint64_t i = 0; i <= IOMMU_RESERVED_MAX; i++)
		add(1, 24, 0x1000, 0x1fff);
	refused(ERR_2BIG, "64 ranges");
}

static void refuses_what_is_outside_of_memory(void **state)
{
	begin();
	add(0, 16, UNIT, 0);
	ram_reset((struct range){0, AT + HEADER + 8}, true);
	refused(ERR_INVAL, "too short");
	ram_reset((struct range){0, AT + HEADER}, true);
	refused(ERR_INVAL, "wrong size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_units_and_reserved_memory),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(refuses_wrong_sizes),
		cmocka_unit_test(refuses_wrong_addresses),
		cmocka_unit_test(refuses_too_many),
		cmocka_unit_test(refuses_what_is_outside_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
