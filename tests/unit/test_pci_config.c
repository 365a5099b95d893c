/* SPDX-License-Identifier: Apache-2.0 */
/* PCI configuration space, by ports and by memory. */
#include "tests/unit/test_ports.h"

#define SMRAM 0x9d
#define PCIEXBAR 0x60
#define RCBA 0xf0

static uint32_t address(uint8_t devfn, unsigned int offset)
{
	return CONFIG_ENABLE | (uint32_t)devfn << 8 | (offset & 0xfc);
}

static void write_at(uint32_t cf8, unsigned int byte, unsigned int size, uint32_t value)
{
	out(0xcf8, 4, cf8);
	out((uint16_t)(0xcfc + byte), size, value);
}

static void config_write(uint8_t devfn, unsigned int offset, unsigned int size, uint32_t value)
{
	write_at(address(devfn, offset), offset & 3, size, value);
}

static uint32_t config_read(uint8_t devfn, unsigned int offset, unsigned int size)
{
	out(0xcf8, 4, address(devfn, offset));
	return in((uint16_t)(0xcfc + (offset & 3)), size);
}

static void expect_refused(unsigned int n, uint8_t devfn, unsigned int offset)
{
	assert_int_equal(platform_report().refused, n);
	assert_int_equal(platform_report().space, PLATFORM_PCI);
	assert_int_equal(platform_report().address, (uint64_t)devfn << 12 | offset);
}

static void others_are_l1s(void **state)
{
	platform();
	config_write(DISK, 0x40, 4, 0x12345678);
	config_write(DISK, 0x46, 2, 0xabcd);
	config_write(DISK, 0x49, 1, 0xef);
	assert_memory_equal(fake_pci(DISK) + 0x40, "\x78\x56\x34\x12\0\0\xcd\xab\0\xef", 10);
	assert_int_equal(config_read(DISK, 0x40, 4), 0x12345678);
	assert_int_equal(config_read(DISK, 0x41, 1), 0x56);
	assert_int_equal(config_read(0x20, 0, 4), UINT32_MAX);
	assert_int_equal(in(0xcf8, 4), address(0x20, 0));
	assert_int_equal(platform_report().refused, 0);
}

static void the_chipset_is_not(void **state)
{
	platform();
	config_write(HOST_BRIDGE, PCIEXBAR, 4, 0xc0000001);
	expect_refused(1, HOST_BRIDGE, PCIEXBAR);
	assert_int_equal(config_read(HOST_BRIDGE, PCIEXBAR, 4), 0);
	config_write(HOST_BRIDGE, SMRAM, 1, 0x4a);
	expect_refused(2, HOST_BRIDGE, SMRAM);
	config_write(LPC, 0x40, 2, 0x701);
	expect_refused(3, LPC, 0x40);
	config_write(LPC, RCBA + 3, 1, 0xc0);
	expect_refused(4, LPC, RCBA + 3);
	config_write(LPC, RCBA, 4, 1);
	expect_refused(5, LPC, RCBA);
	config_write(HOST_BRIDGE, 4, 2, 7); /* its header */
	config_write(LPC, 0x60, 1, 0x0b);   /* interrupt routing */
	assert_int_equal(platform_report().refused, 5);
	assert_int_equal(fake_pci(HOST_BRIDGE)[4], 7);
	assert_int_equal(fake_pci(LPC)[0x60], 0x0b);
}

/* A driver that writes a register back as it read it, or changes a neighbour only. */
static void no_change_passes(void **state)
{
	platform();
	config_write(LPC, 0x40, 4, config_read(LPC, 0x40, 4));
	config_write(HOST_BRIDGE, SMRAM, 1, config_read(HOST_BRIDGE, SMRAM, 1));
	config_write(LPC, 0x3e, 2, 0x1111);
	assert_int_equal(platform_report().refused, 0);
	assert_int_equal(fake_last_out().value, 0x1111);
}

static void disguises(void **state)
{
	platform();
	fake_forget(cpu);
	write_at(address(HOST_BRIDGE, 0x60) | 0x01000000, 0, 4, 1); /* offset 160h, or 60h */
	write_at(address(HOST_BRIDGE, 0) | 0x01000000, 0, 4, 1);    /* offset 100h, or 0 */
	write_at(address(LPC, 0xf0) | 3, 0, 4, 0xfed1c001);         /* low bits mean nothing */
	assert_int_equal(platform_report().refused, 3);
	assert_int_equal(fake_pci(HOST_BRIDGE)[0], 0x86);
	assert_int_equal(fake_pci(HOST_BRIDGE)[0x60], 0);
	assert_int_equal(fake_pci(LPC)[0xf0], 0);
	write_at(address(DISK, 0x40) | 3, 0, 1, 0x77);
	assert_int_equal(fake_pci(DISK)[0x40], 0x77);
	assert_int_equal(in(0xcfc, 1), 0x77);
	/* Unaligned, over the end, and while the address is no address. */
	out(0xcf8, 4, address(LPC, 0xf0));
	refuses(0xcfd, 2, 1);
	refuses(0xcfe, 4, 1);
	refuses(0xcff, 2, 1);
	out(0xcf8, 4, address(DISK, 0x40) & ~CONFIG_ENABLE);
	refuses(0xcfc, 4, 1);
	assert_int_equal(in(0xcfc, 4), UINT32_MAX);
}

/* The hardware keeps the address of whoever used it last, L1 its own. */
static void the_address_is_l1s_own(void **state)
{
	platform();
	out(0xcf8, 4, address(DISK, 0x40));
	assert_int_equal(pci_config_read(BDF(0, 0, 0), 0, 4), 0x29c08086);
	out(0xcfc, 4, 0x55);
	assert_int_equal(fake_pci(DISK)[0x40], 0x55);
	assert_int_equal(in(0xcf8, 4), address(DISK, 0x40));
}

static void smram_is_locked_at_boot(void **state)
{
	platform();
	assert_int_equal(fake_pci(HOST_BRIDGE)[SMRAM], 0x12);
	assert_int_equal(platform_report().open, 0);
}

static void an_unknown_chipset_is_reported(void **state)
{
	uint64_t from;

	machine(1);
	chips();
	function(HOST_BRIDGE, 0x1022, 0x1480, 0x0600);
	from = log_end();
	closed();
	assert_int_equal(platform_report().open, PLATFORM_OPEN_CHIPSET);
	assert_non_null(strstr(log_text(&from), "chipset not known"));
	assert_int_equal(fake_pci(HOST_BRIDGE)[SMRAM], 0x42);
	config_write(HOST_BRIDGE, 0x60, 4, 0x12345678); /* but host bridges are closed anyway */
	expect_refused(1, HOST_BRIDGE, 0x60);
}

/* AMD's says in its capability where its registers are. */
static void an_iommu_is_closed(void **state)
{
	machine(1);
	chips();
	function(0x10, 0x1022, 0x1481, 0x0806);
	closed();
	config_write(0x10, 0x44, 4, 0xfeb80000);
	expect_refused(1, 0x10, 0x44);
	assert_int_equal(config_read(0x10, 0x44, 4), 0);
	config_write(0x10, 4, 2, 4); /* its header */
	assert_int_equal(platform_report().refused, 1);
}

/* Function 0 need not be the one, and a device without it has no others. */
static void functions_are_found(void **state)
{
	machine(1);
	chips();
	fake_pci(DISK)[14] = 0x80;
	function(DISK + 3, 0x8086, 0x7113, 0x0680);
	function(0x31, 0x8086, 0x7113, 0x0680);
	closed();
	config_write(DISK + 3, 0x40, 4, 0xb101);
	expect_refused(1, DISK + 3, 0x40);
	config_write(DISK + 3, 0x80, 2, 0x1100); /* its neighbour only */
	assert_int_equal(fake_pci(DISK + 3)[0x81], 0x11);
	config_write(0x31, 0x40, 4, 0xb101);
	assert_int_equal(platform_report().refused, 1);
}

/* --- memory ----------------------------------------------------------------------------------- */

static uint64_t ecam(uint8_t devfn, unsigned int offset)
{
	return ECAM + ((uint64_t)devfn << 12) + offset;
}

static void memory(void **state)
{
	uint32_t *disk, *bridge;

	platform();
	disk = mem_at(HPA(ecam(DISK, 0)));
	bridge = mem_at(HPA(ecam(HOST_BRIDGE, 0)));
	for (uint64_t a = ECAM; a < ECAM + ECAM_BUSES * MIB; a += PAGE_SIZE) {
		assert_false(host_allows(HPA(a), TABLE_W));
		assert_true(host_allows(HPA(a), TABLE_R));
	}
	assert_true(host_allows(HPA(ECAM - PAGE_SIZE), TABLE_W));
	assert_true(host_allows(HPA(ECAM + ECAM_BUSES * MIB), TABLE_W));
	store_eax(ecam(DISK, 0x104), 0x77);
	expect_done(5);
	assert_int_equal(disk[0x41], 0x77);
	store_eax(ecam(HOST_BRIDGE, PCIEXBAR), 0x77);
	expect_done(5);
	assert_int_equal(bridge[PCIEXBAR / 4], 0);
	expect_refused(1, HOST_BRIDGE, PCIEXBAR);
	store_eax(ecam(HOST_BRIDGE, 0x140), 0x77);
	expect_refused(2, HOST_BRIDGE, 0x140);
	store_eax(ecam(HOST_BRIDGE, 4), 7);
	assert_int_equal(bridge[1], 7);
	bridge[PCIEXBAR / 4] = 0x99;
	store_eax(ecam(HOST_BRIDGE, PCIEXBAR), 0x99);
	expect_done(5);
	assert_int_equal(platform_report().refused, 2);
	/* Function 0 of bus 1 is another device. */
	store_eax(ECAM + MIB + PCIEXBAR, 0x77);
	assert_int_equal(platform_report().refused, 2);
	CODE_IS(0x87, 0x05, 0x60, 0, 0, 0xb0); /* XCHG */
	touch(ecam(HOST_BRIDGE, PCIEXBAR), true);
	expect_fault(VECTOR_GP);
	assert_int_equal(bridge[PCIEXBAR / 4], 0x99);
}

static void what_cannot_be_closed_is_reported(void **state)
{
	struct mcfg mcfg = {.count = 2, .range = {{(uint64_t)1 << 40, 0, 0, 255}, {ECAM, 1, 0, 1}}};

	machine(1);
	chips();
	closed();
	assert_int_equal(pci_config_init(&mcfg), 0);
	assert_int_equal(platform_report().open, PLATFORM_OPEN_CONFIG);
	assert_false(pci_config_store(cpu, HPA(ECAM)));
}

static void a_reset_register_in_pci(void **state)
{
	machine(1);
	fake_add_device(HPA(ECAM), ECAM_BUSES * MIB);
	chips();
	fadt.reset = (struct acpi_register){ACPI_PCI, 1, (uint64_t)2 << 32 | 0x45};
	closed();
	config_write(DISK, 0x44, 1, 0xf);
	config_write(DISK, 0x45, 1, 0xe);
	expect_refused(1, DISK, 0x45);
	out(0xcf8, 4, address(DISK, 0x44));
	resets(0xcfd, 1, 0xf);
	resets(0xcfc, 4, 0xf00);
	store_eax(ecam(DISK, 0x44), 0);
	expect_refused(2, DISK, 0x44);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(others_are_l1s),
		cmocka_unit_test(the_chipset_is_not),
		cmocka_unit_test(no_change_passes),
		cmocka_unit_test(disguises),
		cmocka_unit_test(the_address_is_l1s_own),
		cmocka_unit_test(smram_is_locked_at_boot),
		cmocka_unit_test(an_unknown_chipset_is_reported),
		cmocka_unit_test(an_iommu_is_closed),
		cmocka_unit_test(functions_are_found),
		cmocka_unit_test(memory),
		cmocka_unit_test(what_cannot_be_closed_is_reported),
		cmocka_unit_test(a_reset_register_in_pci),
	};

	return RUN_APART(tests);
}
