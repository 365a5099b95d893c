/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's IVRS: what is taken from it, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/iommu/unit.h"
#include "tests/unit/test_boot_ram.h"

#define AT 0x3e00000u
#define HEADER 48u
#define UNIT 0xfed80000u

static struct iommu_list list;
static struct acpi_table table;
static const char *why;

static void begin(void)
{
	ram_all(true);
	memset(&ram[AT], 0, 0x4000);
	memset(&list, 0, sizeof(list));
	table = (struct acpi_table){HPA(AT), HEADER, "IVRS"};
}

static void add(uint8_t type, uint8_t flags, uint16_t length)
{
	uint64_t at = AT + table.length;

	ram_put(at, &type, 1);
	ram_put(at + 1, &flags, 1);
	ram_put(at + 2, &length, 2);
	table.length += length;
}

static void add_unit(uint8_t type, uint8_t flags, uint64_t base, const void *entries, size_t bytes)
{
	uint64_t at = AT + table.length;
	uint16_t header = type == 0x10 ? 24 : 40;

	add(type, flags, (uint16_t)(header + bytes));
	ram_put(at + 8, &base, 8);
	if (entries)
		ram_put(at + header, entries, bytes);
}

static void add_memory(uint8_t type, uint64_t start, uint64_t bytes)
{
	uint64_t at = AT + table.length;

	add(type, 0, 32);
	ram_put(at + 16, &start, 8);
	ram_put(at + 24, &bytes, 8);
}

static void refused(int err, const char *text)
{
	why = NULL;
	assert_int_equal(ivrs_parse(&list, &table, &why), err);
	assert_non_null(why);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
}

static const uint8_t all_devices[] = {1, 0, 0, 0};
static const uint8_t ioapic[] = {0x48, 0, 0, 0, 0, 0xa0, 0, 1};
static const uint8_t hpet[] = {0x48, 0, 0, 0, 0, 0xa0, 0, 2};

static void reads_units(void **state)
{
	begin();
	add_unit(0x10, 0xd1, UNIT, all_devices, sizeof(all_devices));
	assert_int_equal(ivrs_parse(&list, &table, &why), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.unit[0].base, UNIT);
	assert_int_equal(list.unit[0].flags, 0xd1);
	assert_false(list.remaps);
	add_unit(0x11, 0, UNIT, NULL, 0); /* the same one */
	add_unit(0x40, 0, UNIT + 0x4000, NULL, 0);
	add_memory(0x20, 0x7f000000, 0x1000);
	add_memory(0x21, 0x7f001000, 0x2000);
	add_memory(0x22, 0x7f003000, 0x3000);
	memset(&list, 0, sizeof(list));
	assert_int_equal(ivrs_parse(&list, &table, &why), 0);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.unit[1].base, UNIT + 0x4000);
	assert_int_equal(list.reserved_count, 3);
	assert_int_equal(list.reserved[2].start, 0x7f003000);
	assert_int_equal(list.reserved[2].end, 0x7f006000);
}

/* Entries of every length, with the I/O APIC's behind them. */
static void finds_the_io_apic(void **state)
{
	static const uint8_t before[][32] = {{2}, {0x42}, {0x80}, {0xc0}, {0xf0}};
	static const size_t bytes[] = {4, 8, 16, 32, 22 + 5};
	uint8_t entries[64];

	for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
		memset(entries, 0, sizeof(entries));
		memcpy(entries, before[i], bytes[i]);
		if (before[i][0] == 0xf0)
			entries[21] = 5; /* bytes of a name */
		memcpy(entries + bytes[i], ioapic, sizeof(ioapic));
		begin();
		add_unit(0x40, 0, UNIT, entries, bytes[i] + sizeof(ioapic));
		assert_int_equal(ivrs_parse(&list, &table, &why), 0);
		assert_true(list.remaps);
	}
	begin();
	add_unit(0x10, 0, UNIT, hpet, sizeof(hpet));
	assert_int_equal(ivrs_parse(&list, &table, &why), 0);
	assert_false(list.remaps);
}

static void refuses_bad_entries(void **state)
{
	static const uint8_t types[] = {1, 0x42, 0x80, 0xc0, 0xf0};
	static const size_t bytes[] = {3, 7, 15, 31, 21};
	uint8_t entry[32] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		entry[0] = types[i];
		begin();
		add_unit(0x10, 0, UNIT, entry, bytes[i]);
		refused(ERR_INVAL, "device");
	}
	entry[0] = 0xf0;
	entry[21] = 1; /* a name outside of the block */
	begin();
	add_unit(0x40, 0, UNIT, entry, 22);
	refused(ERR_INVAL, "device");
}

static void refuses_bad_blocks(void **state)
{
	static const uint16_t lengths[] = {0, 3, 41, 0xffff};

	begin();
	table.length = HEADER - 1;
	refused(ERR_INVAL, "too short");
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		begin();
		add(0x10, 0, lengths[i]);
		table.length = HEADER + 40;
		refused(ERR_INVAL, "wrong size");
	}
	begin();
	add(0x12, 0, 24);
	refused(ERR_NOSYS, "unknown");
	begin();
	add(0x10, 0, 23);
	refused(ERR_INVAL, "unit");
	begin();
	add(0x11, 0, 39);
	refused(ERR_INVAL, "unit");
	begin();
	add(0x20, 0, 33);
	refused(ERR_INVAL, "reserved memory");
	begin();
	add_unit(0x10, 0, UNIT + 1, NULL, 0);
	refused(ERR_INVAL, "wrong address");
	begin();
	add_memory(0x20, 0x1000, 0);
	refused(ERR_INVAL, "bounds");
	begin();
	add_memory(0x20, 0x1000, -(uint64_t)0x1000);
	refused(ERR_INVAL, "bounds");
}

static void refuses_what_is_outside_of_memory(void **state)
{
	begin();
	add_unit(0x10, 0, UNIT, all_devices, sizeof(all_devices));
	ram_reset((struct range){0, AT + HEADER + 24}, true);
	refused(ERR_INVAL, "device");
	ram_reset((struct range){0, AT + HEADER + 8}, true);
	refused(ERR_INVAL, "unit");
	ram_reset((struct range){0, AT + HEADER}, true);
	refused(ERR_INVAL, "wrong size");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_units),
		cmocka_unit_test(finds_the_io_apic),
		cmocka_unit_test(refuses_bad_entries),
		cmocka_unit_test(refuses_bad_blocks),
		cmocka_unit_test(refuses_what_is_outside_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
