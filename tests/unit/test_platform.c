/* SPDX-License-Identifier: Apache-2.0 */
/* What boot makes of ACPI's tables together. */
#include "tests/unit/test_ports.h"

#include "tests/unit/test_boot_launch.h"
#include "tests/unit/test_boot_tables.h"

#define TABLES 0x3e02000u
#define MAP_ADD(start, len) assert_int_equal(memmap_add(&info.map, start, len, REGION_RAM), 0)

static struct boot_info info;
static const char *why;

static void start(void)
{
	machine(1);
	chips();
	ram_all(false);
	memset(&ram[TABLES_RSDP], 0, 20);
	memset(&info, 0, sizeof(info));
	info.wiped_at_reset = true;
	MAP_ADD(0, 0x80000000);
}

static void put_mcfg(uint64_t base)
{
	uint8_t body[24] = {0};

	memcpy(body + 8, &base, sizeof(base));
	body[19] = 1;
	table_put(TABLES, "MCFG", body, TABLE_HEADER + sizeof(body));
	tables_root(TABLES);
}

static void no_acpi(void **state)
{
	start();
	assert_int_equal(platform_init(&info, &why), 0);
	assert_int_equal(platform_report().open, PLATFORM_OPEN_POWER);
	resets(0xcf9, 1, 6);
	assert_false(port_exits(PM1, 2));
}

static void memory_that_is_left_as_it_is(void **state)
{
	start();
	info.wiped_at_reset = false;
	assert_int_equal(platform_init(&info, &why), 0);
	assert_int_equal(platform_report().open, PLATFORM_OPEN_POWER | PLATFORM_OPEN_MEMORY);
}

/* SECRETS has it wiped. */
static void memory_after_a_txt_launch(void **state)
{
	const struct tboot_shared shared = launch_shared();

	start();
	fake_add_device(HPA(TXT_PUBLIC), PAGE_SIZE);
	put_registers();
	put_heap();
	put_shared(&shared);
	put_info(&info, "nethervisor tboot=0x2473000");
	assert_int_equal(tboot_find(&info, &why), 0);
	assert_int_equal(tboot_found()->state, TBOOT_MEASURED);
	assert_int_equal(platform_init(&info, &why), 0);
	assert_int_equal(platform_report().open, PLATFORM_OPEN_POWER);
}

/* Nobody lists them: no ACPI at all, no MADT, or one without CPUs. A bad one is no machine to start on. */
static void cpus_that_are_not_listed(void **state)
{
	uint8_t madt[8 + 8] = {0};
	struct acpi_info acpi;

	start();
	assert_int_equal(platform_cpus(&acpi, &info, &why), 0);
	assert_int_equal(acpi.cpu_count, 0);
	assert_int_equal(platform_report().open, PLATFORM_OPEN_CPUS);
	put_mcfg(ECAM);
	assert_int_equal(platform_cpus(&acpi, &info, &why), 0);
	assert_int_equal(acpi.cpu_count, 0);
	table_put(TABLES, "APIC", madt, TABLE_HEADER + 8);
	tables_root(TABLES);
	assert_int_equal(platform_cpus(&acpi, &info, &why), 0);
	assert_int_equal(acpi.cpu_count, 0);
	table_put(TABLES, "APIC", madt, TABLE_HEADER + 7);
	assert_int_not_equal(platform_cpus(&acpi, &info, &why), 0);
}

static void cpus_that_are_listed(void **state)
{
	/* 5.2.12, 5.2.12.2: a local APIC of id 3, enabled */
	const uint8_t madt[8 + 8] = {[2] = 0xe0, 0xfe, [9] = 8, [11] = 3, [12] = 1};
	struct acpi_info acpi;

	start();
	table_put(TABLES, "APIC", madt, TABLE_HEADER + sizeof(madt));
	tables_root(TABLES);
	assert_int_equal(platform_cpus(&acpi, &info, &why), 0);
	assert_int_equal(acpi.cpu_count, 1);
	assert_int_equal(acpi.cpu[0].apic_id, 3);
	assert_int_equal(platform_report().open, 0);
}

static void configuration_space(void **state)
{
	start();
	put_mcfg(ECAM);
	assert_int_equal(platform_init(&info, &why), 0);
	assert_false(host_allows(HPA(ECAM), TABLE_W));
	assert_true(host_allows(HPA(ECAM + 2 * MIB), TABLE_W));
}

static void configuration_space_in_ram(void **state)
{
	start();
	put_mcfg(0x7ff00000);
	assert_int_equal(platform_init(&info, &why), ERR_INVAL);
	assert_string_equal(why, "ACPI's MCFG lies in RAM");
}

static void bad_tables_stop_the_boot(void **state)
{
	start();
	put_mcfg(ECAM + 1);
	assert_int_equal(platform_init(&info, &why), ERR_INVAL);
	table_put(TABLES, "FACP", "", TABLE_HEADER);
	tables_root(TABLES);
	assert_int_equal(platform_init(&info, &why), ERR_INVAL);
	assert_string_equal(why, "ACPI's FADT is too short");
}

static void sleep_registers(void **state)
{
	uint8_t body[116 - TABLE_HEADER] = {0};

	start();
	put16(&body[64 - TABLE_HEADER], PM1);
	table_put(TABLES, "FACP", body, TABLE_HEADER + sizeof(body));
	tables_root(TABLES);
	assert_int_equal(platform_init(&info, &why), 0);
	assert_int_equal(platform_report().open, 0);
	assert_true(port_exits(PM1, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_acpi),
		cmocka_unit_test(memory_that_is_left_as_it_is),
		cmocka_unit_test(memory_after_a_txt_launch),
		cmocka_unit_test(cpus_that_are_not_listed),
		cmocka_unit_test(cpus_that_are_listed),
		cmocka_unit_test(configuration_space),
		cmocka_unit_test(configuration_space_in_ram),
		cmocka_unit_test(bad_tables_stop_the_boot),
		cmocka_unit_test(sleep_registers),
	};

	return RUN_APART(tests);
}
