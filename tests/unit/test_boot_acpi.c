/* SPDX-License-Identifier: Apache-2.0 */
/* Which CPUs there are, out of ACPI's tables, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/acpi.h"
#include "tests/unit/test_boot_ram.h"

#define RSDP_AT 0xf52a0u
#define ROOT_AT 0x3e00000u
#define MADT_AT 0x3e02000u
#define OTHER_AT 0x3e0a000u
#define HPET_AT 0x3e0c000u
#define HEADER 36u

static struct boot_info info;
static struct acpi_info acpi;
static const char *why;
static uint32_t madt_len;

static uint8_t sum(uint64_t at, uint64_t len)
{
	uint8_t total = 0;

	while (len--)
		total += ram[at++];
	return total;
}

static void seal(uint64_t at, uint32_t len)
{
	ram_put32(at + 4, len);
	ram[at + 9] = 0;
	ram[at + 9] = (uint8_t)-sum(at, len);
}

static void put_rsdp(uint64_t at, uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
	memset(&ram[at], 0, 36);
	ram_put(at, "RSD PTR ", 8);
	ram[at + 15] = revision;
	ram_put32(at + 16, rsdt);
	ram_put32(at + 20, 36);
	ram_put(at + 24, &xsdt, 8);
	ram[at + 8] = (uint8_t)-sum(at, 20);
	ram[at + 32] = (uint8_t)-sum(at, 36);
}

static void put_root(const char *signature, const uint64_t *entries, uint32_t count)
{
	uint32_t width = signature[0] == 'X' ? 8 : 4;

	memset(&ram[ROOT_AT], 0, HEADER);
	ram_put(ROOT_AT, signature, 4);
	for (uint32_t i = 0; i < count; i++)
		ram_put(ROOT_AT + HEADER + i * width, &entries[i], width);
	seal(ROOT_AT, HEADER + count * width);
}

static void madt_start(void)
{
	memset(&ram[MADT_AT], 0, 0x7000);
	ram_put(MADT_AT, "APIC", 4);
	ram_put32(MADT_AT + HEADER, 0xfee00000);
	madt_len = HEADER + 8;
	seal(MADT_AT, madt_len);
}

static void madt_add(const void *entry, uint32_t len)
{
	ram_put(MADT_AT + madt_len, entry, len);
	madt_len += len;
	seal(MADT_AT, madt_len);
}

static void add_apic(uint8_t id, uint8_t flags)
{
	uint8_t entry[8] = {0, 8, id, id, flags};

	madt_add(entry, 8);
}

static void add_x2apic(uint32_t id, uint32_t flags)
{
	uint32_t entry[4] = {0x00001009, id, flags, id};

	madt_add(entry, 16);
}

static void put_hpet(uint64_t at, uint64_t address, uint8_t space, uint32_t len)
{
	memset(&ram[at], 0, 56);
	ram_put(at, "HPET", 4);
	ram_put32(at + 4, len);
	ram[at + 40] = space;
	ram_put(at + 44, &address, 8);
}

/* Two CPUs, an I/O APIC and an override, as SeaBIOS has them: ACPI 1.0, RSDT. */
static int setup(void **state)
{
	static const uint64_t tables[] = {OTHER_AT, MADT_AT};
	static const uint8_t ioapic[12] = {1, 12, 0, 0, 0, 0, 0xc0, 0xfe};
	static const uint8_t override[10] = {2, 10, 0, 0, 2};

	memset(ram, 0, sizeof(ram));
	memset(&info, 0, sizeof(info));
	ram_all(true);
	put_rsdp(RSDP_AT, 0, ROOT_AT, 0);
	ram_put(OTHER_AT, "FACP", 4); /* broken, and none of our business */
	put_root("RSDT", tables, 2);
	madt_start();
	add_apic(0, 1);
	add_apic(1, 1);
	madt_add(ioapic, sizeof(ioapic));
	madt_add(override, sizeof(override));
	return 0;
}

static int parse(void)
{
	why = NULL;
	return acpi_parse(&acpi, &info, &why);
}

static void refused(int error, const char *text)
{
	assert_int_equal(parse(), error);
	assert_non_null(why);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
}

static void expect_cpus(unsigned int count, const uint32_t *ids)
{
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.cpu_count, count);
	for (unsigned int i = 0; i < count; i++)
		assert_int_equal(acpi.cpu[i].apic_id, ids[i]);
}

static const uint32_t two[] = {0, 1};

static void reads_seabios(void **state)
{
	expect_cpus(2, two);
	assert_true(acpi.cpu[0].enabled && acpi.cpu[1].enabled);
	assert_int_equal(acpi.local_apic, 0xfee00000);
}

static void finds_interrupt_devices(void **state)
{
	static const uint64_t tables[] = {HPET_AT, OTHER_AT, MADT_AT, HPET_AT + 0x100};
	uint8_t io_apic[12] = {1, 12, 1, 0, 0, 0x10, 0xc0, 0xfe};

	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.io_apic_count, 1);
	assert_int_equal(acpi.io_apic[0], 0xfec00000);
	assert_int_equal(acpi.hpet_count, 0);
	madt_add(io_apic, sizeof(io_apic));
	put_root("RSDT", tables, 4);
	put_hpet(HPET_AT, 0xfed00000, 0, 56);
	put_hpet(HPET_AT + 0x100, 0x1234567000, 1, 56); /* in port space: none that L1 could use */
	expect_cpus(2, two);
	assert_int_equal(acpi.io_apic_count, 2);
	assert_int_equal(acpi.io_apic[1], 0xfec01000);
	assert_int_equal(acpi.hpet_count, 1);
	assert_int_equal(acpi.hpet[0], 0xfed00000);
	put_hpet(HPET_AT + 0x100, 0x1234567000, 0, 56);
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.hpet_count, 2);
	assert_int_equal(acpi.hpet[1], 0x1234567000);
	put_hpet(HPET_AT + 0x100, 0x1234567000, 0, 51); /* too short */
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.hpet_count, 1);
}

static void counts_interrupt_devices(void **state)
{
	uint8_t io_apic[12] = {1, 12, 1, 0, 0, 0x10, 0xc0, 0xfe};
	uint64_t tables[10] = {MADT_AT};

	for (unsigned int i = 1; i < 64; i++)
		madt_add(io_apic, sizeof(io_apic));
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.io_apic_count, 64);
	madt_add(io_apic, sizeof(io_apic));
	refused(ERR_2BIG, "64 I/O APICs");
	io_apic[1] = 8;
	madt_start();
	add_apic(0, 1);
	madt_add(io_apic, 8);
	refused(ERR_INVAL, "too short");
	madt_start();
	add_apic(0, 1);
	put_hpet(HPET_AT, 0xfed00000, 0, 56);
	for (unsigned int i = 1; i < 10; i++)
		tables[i] = HPET_AT;
	put_root("RSDT", tables, 9);
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.hpet_count, 8);
	put_root("RSDT", tables, 10);
	refused(ERR_2BIG, "8 HPETs");
}

static void prefers_the_xsdt(void **state)
{
	static const uint64_t tables[] = {OTHER_AT, MADT_AT};

	put_rsdp(RSDP_AT, 2, 0xdeadbeef, ROOT_AT);
	put_root("XSDT", tables, 2);
	expect_cpus(2, two);
	put_rsdp(RSDP_AT, 2, ROOT_AT, 0);
	put_root("RSDT", tables, 2);
	expect_cpus(2, two);
}

static void finds_the_rsdp_in_the_ebda(void **state)
{
	memset(&ram[RSDP_AT], 0, 36);
	refused(ERR_NOENT, "RSDP");
	put_rsdp(0x9fc10, 0, ROOT_AT, 0);
	refused(ERR_NOENT, "RSDP");
	ram[0x40e] = 0xc0;
	ram[0x40f] = 0x9f;
	expect_cpus(2, two);
	memset(&ram[0x9fc10], 0, 36);
	put_rsdp(0x9fc10 + 0x3f0, 0, ROOT_AT, 0); /* past the first KiB */
	refused(ERR_NOENT, "RSDP");
	put_rsdp(0xe0000, 0, ROOT_AT, 0);
	expect_cpus(2, two);
	memset(&ram[0xe0000], 0, 36);
	put_rsdp(0xe0008, 0, ROOT_AT, 0); /* not on a paragraph */
	refused(ERR_NOENT, "RSDP");
	memset(&ram[0xe0008], 0, 36);
	put_rsdp(0xffff0, 0, ROOT_AT, 0); /* only 16 bytes of it are below 1 MiB */
	refused(ERR_NOENT, "RSDP");
	put_rsdp(0xfffe0, 0, ROOT_AT, 0); /* version 1's 20 are */
	expect_cpus(2, two);
}

static void takes_the_loaders_rsdp(void **state)
{
	put_rsdp(0x5000, 0, ROOT_AT, 0);
	memcpy(info.rsdp, &ram[0x5000], 36);
	memset(&ram[RSDP_AT], 0, 36);
	info.rsdp_len = 20;
	expect_cpus(2, two);
	/* A loader may cut version 2's short: then there is only an RSDT. */
	put_rsdp(0x5000, 2, ROOT_AT, 0xdeadbeef);
	memcpy(info.rsdp, &ram[0x5000], 20);
	expect_cpus(2, two);
	info.rsdp[19] ^= 1;
	refused(ERR_NOENT, "RSDP");
}

static void checks_the_rsdp(void **state)
{
	ram[RSDP_AT + 8]++;
	refused(ERR_NOENT, "RSDP");
	put_rsdp(RSDP_AT, 2, ROOT_AT, 0);
	ram[RSDP_AT + 32]++;
	refused(ERR_NOENT, "RSDP");
}

static void lists_cpus_of_both_kinds_once(void **state)
{
	static const uint32_t ids[] = {0, 1, 7, 300, 5};

	add_apic(3, 0);    /* absent */
	add_apic(0xff, 1); /* a placeholder */
	add_apic(7, 2);    /* can be plugged in */
	add_x2apic(300, 1);
	add_x2apic(301, 0);
	add_x2apic(1, 1); /* the second one again */
	add_x2apic(5, 2);
	add_x2apic(5, 3);
	expect_cpus(5, ids);
	assert_false(acpi.cpu[2].enabled);
	assert_true(acpi.cpu[3].enabled);
	assert_true(acpi.cpu[4].enabled);
}

static void moves_the_local_apic(void **state)
{
	static const uint8_t entry[12] = {5, 12, 0, 0, 0, 0, 0xe0, 0xfd, 1, 0, 0, 0};

	madt_add(entry, sizeof(entry));
	expect_cpus(2, two);
	assert_int_equal(acpi.local_apic, 0x1fde00000);
}

static void refuses_bad_tables(void **state)
{
	ram[MADT_AT + 9]++;
	refused(ERR_INVAL, "checksum");
	setup(NULL);
	ram[ROOT_AT + 9]++;
	refused(ERR_INVAL, "checksum");
	setup(NULL);
	seal(ROOT_AT, 35);
	refused(ERR_INVAL, "wrong length");
	seal(ROOT_AT, (1u << 20) + 1);
	refused(ERR_INVAL, "wrong length");
	setup(NULL);
	put_root("XSDT", NULL, 0);
	refused(ERR_INVAL, "signature");
	put_root("RSDT", NULL, 0);
	refused(ERR_NOENT, "no MADT");
	setup(NULL);
	seal(MADT_AT, HEADER + 7);
	refused(ERR_INVAL, "too short");
	seal(MADT_AT, HEADER + 8);
	refused(ERR_NOENT, "no CPU");
}

static void refuses_bad_entries(void **state)
{
	static const uint8_t lengths[] = {0, 1, 100};
	static const uint8_t types[] = {0, 5, 9};
	uint8_t entry[12] = {0x7f, 0};

	for (unsigned int i = 0; i < ARRAY_SIZE(lengths); i++) {
		setup(NULL);
		entry[1] = lengths[i];
		madt_add(entry, 12);
		refused(ERR_INVAL, "wrong size");
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		setup(NULL);
		entry[0] = types[i];
		entry[1] = 7;
		madt_add(entry, 7);
		refused(ERR_INVAL, "too short");
	}
	setup(NULL);
	entry[0] = 0x7f;
	madt_add(entry, 1); /* half a head */
	refused(ERR_INVAL, "wrong size");
}

static void refuses_tables_outside_of_memory(void **state)
{
	uint64_t far[] = {UINT64_MAX - 3, 0xfffff000, MADT_AT};

	put_rsdp(RSDP_AT, 0, 0xfffffff0, 0);
	refused(ERR_FAULT, "outside");
	put_rsdp(RSDP_AT, 2, 0, UINT64_MAX - 16);
	refused(ERR_FAULT, "outside");
	put_rsdp(RSDP_AT, 2, 0, ROOT_AT);
	put_root("XSDT", far, 3); /* skipped: only the MADT matters */
	expect_cpus(2, two);
	seal(MADT_AT, 0x10000);
	ram_reset((struct range){0, MADT_AT + 0xffff}, true);
	refused(ERR_FAULT, "outside");
}

static void survives_loops(void **state)
{
	uint64_t self[] = {ROOT_AT, ROOT_AT};

	put_root("RSDT", self, 2);
	refused(ERR_NOENT, "no MADT");
	ram_put(ROOT_AT, "APIC", 4);
	seal(ROOT_AT, HEADER + 8);
	refused(ERR_INVAL, "signature");
}

static void finds_and_hides_a_table(void **state)
{
	struct acpi_table table;

	ram_all(false); /* hiding writes */
	assert_int_equal(acpi_find(&table, &info, "APIC", &why), 0);
	assert_int_equal(table.at.a, MADT_AT);
	assert_int_equal(table.length, madt_len);
	assert_int_equal(acpi_find(&table, &info, "DMAR", &why), ERR_NOENT);
	assert_int_equal(acpi_find(&table, &info, "APIC", &why), 0);
	acpi_hide(&table);
	assert_memory_equal(&ram[MADT_AT], "XPIC", 4);
	assert_int_equal(sum(MADT_AT, madt_len), 0);
	assert_int_equal(acpi_find(&table, &info, "APIC", &why), ERR_NOENT);
}

static void refuses_too_many(void **state)
{
	static uint64_t many[1025];

	madt_start();
	for (uint32_t i = 0; i < ACPI_CPUS_MAX; i++)
		add_x2apic(i, 1);
	assert_int_equal(parse(), 0);
	assert_int_equal(acpi.cpu_count, ACPI_CPUS_MAX);
	add_x2apic(ACPI_CPUS_MAX, 1);
	refused(ERR_2BIG, "256");
	many[1023] = MADT_AT;
	madt_start();
	add_apic(0, 1);
	put_root("RSDT", many, 1024);
	expect_cpus(1, two);
	put_root("RSDT", many, 1025);
	refused(ERR_2BIG, "1024");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_seabios, setup),
		cmocka_unit_test_setup(finds_interrupt_devices, setup),
		cmocka_unit_test_setup(counts_interrupt_devices, setup),
		cmocka_unit_test_setup(prefers_the_xsdt, setup),
		cmocka_unit_test_setup(finds_the_rsdp_in_the_ebda, setup),
		cmocka_unit_test_setup(takes_the_loaders_rsdp, setup),
		cmocka_unit_test_setup(checks_the_rsdp, setup),
		cmocka_unit_test_setup(lists_cpus_of_both_kinds_once, setup),
		cmocka_unit_test_setup(moves_the_local_apic, setup),
		cmocka_unit_test_setup(refuses_bad_tables, setup),
		cmocka_unit_test_setup(refuses_bad_entries, setup),
		cmocka_unit_test_setup(refuses_tables_outside_of_memory, setup),
		cmocka_unit_test_setup(survives_loops, setup),
		cmocka_unit_test_setup(finds_and_hides_a_table, setup),
		cmocka_unit_test_setup(refuses_too_many, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
