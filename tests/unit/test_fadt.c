/* SPDX-License-Identifier: Apache-2.0 */
/* The registers that ACPI's FADT names, and the types of S5. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/fadt.h"
#include "tests/unit/test_boot_tables.h"

#define FADT 0x3e02000u
#define DSDT 0x3e04000u
#define LENGTH 276u /* of revision 6 */
#define FLAG_RESET (1u << 10)

static struct boot_info info;
static struct fadt fadt;
static const char *why;
static uint8_t body[LENGTH - TABLE_HEADER];

/* Fields by their offset in the table. */
static void put(uint32_t at, const void *value, size_t size)
{
	memcpy(&body[at - TABLE_HEADER], value, size);
}

static void put32(uint32_t at, uint32_t value)
{
	put(at, &value, sizeof(value));
}

static void put_generic(uint32_t at, uint8_t space, uint64_t address)
{
	put(at, (uint8_t[4]){space, 16, 0, 2}, 4);
	put(at + 4, &address, sizeof(address));
}

static void dsdt(const void *aml, size_t n)
{
	table_put(DSDT, "DSDT", aml, TABLE_HEADER + (uint32_t)n);
}

#define AML(...)                                     \
	do {                                         \
		const uint8_t aml[] = {__VA_ARGS__}; \
		dsdt(aml, sizeof(aml));              \
	} while (0)

static int setup(void **state)
{
	ram_all(true);
	memset(body, 0, sizeof(body));
	memset(&info, 0, sizeof(info));
	why = NULL;
	put32(40, DSDT);
	put32(64, 0x604);
	AML(0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 7, 0x0a, 5, 0, 0);
	return 0;
}

static int parse_as(uint32_t length)
{
	table_put(FADT, "FACP", body, length);
	tables_root(FADT);
	return fadt_parse(&fadt, &info, &why);
}

static void parse(void)
{
	assert_int_equal(parse_as(LENGTH), 0);
}

static void expect_off(bool known, uint8_t a, uint8_t b)
{
	parse();
	assert_int_equal(fadt.off_known, known);
	if (known) {
		assert_int_equal(fadt.off_type[0], a);
		assert_int_equal(fadt.off_type[1], b);
	}
}

static void registers(void **state)
{
	put32(48, 0xb2);
	body[54 - TABLE_HEADER] = 0xf2;
	put32(68, 0x904);
	put32(112, FLAG_RESET);
	put_generic(116, ACPI_PORT, 0xcf9);
	body[128 - TABLE_HEADER] = 0x0f;
	put_generic(244, ACPI_MEMORY, 0xfed40000);
	parse();
	assert_int_equal(fadt.pm1_count, 2);
	assert_int_equal(fadt.pm1[0].at.space, ACPI_PORT);
	assert_int_equal(fadt.pm1[0].at.size, 2);
	assert_int_equal(fadt.pm1[0].at.address, 0x604);
	assert_false(fadt.pm1[0].b);
	assert_int_equal(fadt.pm1[1].at.address, 0x904);
	assert_true(fadt.pm1[1].b);
	assert_int_equal(fadt.smi_command, 0xb2);
	assert_int_equal(fadt.s4_request, 0xf2);
	assert_int_equal(fadt.reset.space, ACPI_PORT);
	assert_int_equal(fadt.reset.address, 0xcf9);
	assert_int_equal(fadt.reset.size, 1);
	assert_int_equal(fadt.reset_value, 0x0f);
	assert_int_equal(fadt.sleep.space, ACPI_MEMORY);
	assert_int_equal(fadt.sleep.address, 0xfed40000);
}

/* Of power management: a port, by the old address or by the new one. */
static void timer(void **state)
{
	parse();
	assert_int_equal(fadt.timer.space, ACPI_NONE);
	put_generic(208, ACPI_MEMORY, 0xfed00000);
	parse();
	assert_int_equal(fadt.timer.space, ACPI_NONE);
	put_generic(208, ACPI_PORT, 0x1808);
	parse();
	assert_int_equal(fadt.timer.space, ACPI_PORT);
	assert_int_equal(fadt.timer.address, 0x1808);
	put32(76, 0x608);
	parse();
	assert_int_equal(fadt.timer.address, 0x608);
	assert_int_equal(fadt.timer.size, 4);
}

static void extended_addresses(void **state)
{
	put_generic(172, ACPI_PORT, 0x604); /* the same */
	put_generic(184, ACPI_PORT, 0xa04);
	parse();
	assert_int_equal(fadt.pm1_count, 2);
	assert_true(fadt.pm1[1].b);
	put_generic(172, ACPI_MEMORY, 0x604); /* another */
	put32(68, 0x904);
	parse();
	assert_int_equal(fadt.pm1_count, FADT_PM1_MAX);
}

static void what_makes_no_sense_is_not_there(void **state)
{
	static const struct {
		uint8_t space;
		uint64_t address;
	} bad[] = {{ACPI_PORT, 0},
		   {ACPI_PORT, 0x10000},
		   {3, 0x100},
		   {0x7f, 0x100},
		   {ACPI_MEMORY, (uint64_t)1 << 52},
		   {ACPI_PCI, (uint64_t)32 << 32 | 0x40},
		   {ACPI_PCI, 8 << 16 | 0x40},
		   {ACPI_PCI, 0x1000}};

	put32(112, FLAG_RESET);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put_generic(116, bad[i].space, bad[i].address);
		parse();
		assert_int_equal(fadt.reset.space, ACPI_NONE);
	}
	put_generic(116, ACPI_PCI, (uint64_t)31 << 32 | 7 << 16 | 0xfff);
	parse();
	assert_int_equal(fadt.reset.space, ACPI_PCI);
	put32(112, 0);
	parse();
	assert_int_equal(fadt.reset.space, ACPI_NONE);
}

static void an_old_table_is_shorter(void **state)
{
	put32(112, FLAG_RESET);
	put_generic(116, ACPI_PORT, 0xcf9);
	put_generic(172, ACPI_PORT, 0x704);
	assert_int_equal(parse_as(116), 0);
	assert_int_equal(fadt.pm1_count, 1);
	assert_int_equal(fadt.reset.space, ACPI_NONE);
	assert_int_equal(fadt.sleep.space, ACPI_NONE);
	assert_true(fadt.off_known);
	assert_int_equal(parse_as(115), ERR_INVAL);
	assert_non_null(why);
}

static void none(void **state)
{
	table_put(FADT, "SSDT", body, LENGTH);
	tables_root(FADT);
	assert_int_equal(fadt_parse(&fadt, &info, &why), ERR_NOENT);
	assert_int_equal(fadt.pm1_count, 0);
	ram[TABLES_RSDP] = 0;
	assert_int_equal(fadt_parse(&fadt, &info, &why), ERR_NOENT);
	assert_non_null(why);
}

static void broken(void **state)
{
	parse();
	ram[FADT + 60]++;
	assert_int_equal(fadt_parse(&fadt, &info, &why), ERR_INVAL);
	assert_non_null(why);
}

static void off_types(void **state)
{
	expect_off(true, 7, 5);
	AML(0x08, '\\', '_', 'S', '5', '_', 0x12, 6, 4, 0, 1, 0, 0);
	expect_off(true, 0, 1);
	AML(0xff, 0x08, '_', 'S', '5', '_', 0x12, 0x46, 0, 2, 1, 0x0a, 2);
	expect_off(true, 1, 2);
	/* Twice the same. */
	AML(0x08, '_', 'S', '5', '_', 0x12, 4, 2, 1, 1, 0x08, '_', 'S', '5', '_', 0x12, 4, 2, 1, 1);
	expect_off(true, 1, 1);
}

static void off_types_not_understood(void **state)
{
	AML(0x08, '_', 'S', '4', '_', 0x12, 6, 4, 0x0a, 7, 0x0a, 5, 0, 0);
	expect_off(false, 0, 0);
	AML(0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 8, 0x0a, 5, 0, 0); /* 8 */
	expect_off(false, 0, 0);
	AML(0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0b, 7, 0, 0, 0, 0); /* a word */
	expect_off(false, 0, 0);
	AML(0x08, '_', 'S', '5', '_', 0x12, 3, 1, 1, 1); /* one element */
	expect_off(false, 0, 0);
	AML(0x08, '_', 'S', '5', '_', 0x70, 6, 4, 1, 1); /* no package */
	expect_off(false, 0, 0);
	AML(0x10, '_', 'S', '5', '_', 0x12, 6, 4, 1, 1); /* no name */
	expect_off(false, 0, 0);
	/* Two that differ. */
	AML(0x08, '_', 'S', '5', '_', 0x12, 4, 2, 1, 1, 0x08, '_', 'S', '5', '_', 0x12, 4, 2, 1, 0);
	expect_off(false, 0, 0);
	ram[DSDT + 40]++;
	expect_off(false, 0, 0);
	put32(40, 0);
	expect_off(false, 0, 0);
}

/* Cut off at each byte: nothing behind the end is read (each copy is exact), and nothing is made up. */
static void off_types_cut_off(void **state)
{
	static const uint8_t aml[] = {0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0x0a, 7, 0x0a, 5};

	for (size_t n = 0; n <= sizeof(aml); n++) {
		ram_all(true);
		dsdt(aml, n);
		expect_off(n == sizeof(aml), 7, 5);
	}
}

static void the_extended_address_of_the_dsdt_counts(void **state)
{
	uint64_t at = DSDT;

	put32(40, 0x1000);
	put(140, &at, sizeof(at));
	expect_off(true, 7, 5);
	ram_put(DSDT, "SSDT", 4);
	table_seal(DSDT, TABLE_HEADER + 14);
	expect_off(false, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(registers, setup),
		cmocka_unit_test_setup(timer, setup),
		cmocka_unit_test_setup(extended_addresses, setup),
		cmocka_unit_test_setup(what_makes_no_sense_is_not_there, setup),
		cmocka_unit_test_setup(an_old_table_is_shorter, setup),
		cmocka_unit_test_setup(none, setup),
		cmocka_unit_test_setup(broken, setup),
		cmocka_unit_test_setup(off_types, setup),
		cmocka_unit_test_setup(off_types_not_understood, setup),
		cmocka_unit_test_setup(off_types_cut_off, setup),
		cmocka_unit_test_setup(the_extended_address_of_the_dsdt_counts, setup),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	ram_all(false);
	return failed;
}
