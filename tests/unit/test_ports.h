/* SPDX-License-Identifier: Apache-2.0 */
/* A software machine with ports, PCI functions and ACPI's registers, as QEMU's q35 has them. */
#ifndef TESTS_UNIT_TEST_PORTS_H
#define TESTS_UNIT_TEST_PORTS_H

#include "tests/unit/test_machine.h"

#include "monitor/chipset.h"
#include "monitor/fake/port.h"
#include "monitor/hypercall.h"
#include "monitor/platform.h"
#include "monitor/port.h"
#include "monitor/power.h"

#define ECAM 0xb0000000u
#define ECAM_BUSES 2u
#define PM1 0x604u
#define PMBASE 0x600u
#define HOST_BRIDGE 0x00u
#define LPC 0xf8u
#define DISK 0x10u
#define CONFIG_ENABLE 0x80000000u
#define S5 7u
#define SLP_EN (1u << 13)
#define SLP(type) ((uint32_t)(type) << 10)

static struct fadt fadt;

static inline void put16(uint8_t *at, uint16_t value)
{
	memcpy(at, &value, sizeof(value));
}

static inline void function(uint8_t devfn, uint16_t vendor, uint16_t device, uint16_t class)
{
	put16(fake_pci(devfn), vendor);
	put16(fake_pci(devfn) + 2, device);
	put16(fake_pci(devfn) + 10, class);
}

static inline void default_fadt(void)
{
	memset(&fadt, 0, sizeof(fadt));
	fadt.pm1_count = 1;
	fadt.pm1[0].at = (struct acpi_register){ACPI_PORT, 2, PM1};
	fadt.sleep.space = ACPI_NONE;
	fadt.reset = (struct acpi_register){ACPI_PORT, 1, 0xcf9};
	fadt.reset_value = 0xf;
	fadt.off_known = true;
	fadt.off_type[0] = fadt.off_type[1] = S5;
}

/* The chipset, without anything of ours on it. */
static inline void chips(void)
{
	fake_ports_reset();
	function(HOST_BRIDGE, 0x8086, 0x29c0, 0x0600);
	fake_pci(HOST_BRIDGE)[0x9d] = 0x42;
	function(DISK, 0x8086, 0x7010, 0x0101);
	function(LPC, 0x8086, 0x2918, 0x0601);
	fake_pci(LPC)[14] = 0x80;
	put16(fake_pci(LPC) + 0x40, PMBASE | 1);
	default_fadt();
}

/* All of it, closed by the monitor. */
static inline void closed(void)
{
	struct mcfg mcfg = {.count = 1, .range[0] = {ECAM, 0, 0, ECAM_BUSES - 1}};

	port_init();
	assert_int_equal(port_list(), 0);
	assert_int_equal(power_init(&fadt), 0);
	assert_int_equal(pci_config_init(&mcfg), 0);
	assert_int_equal(chipset_init(), 0);
}

static inline void platform(void)
{
	machine(2);
	fake_add_device(HPA(ECAM), ECAM_BUSES * MIB);
	chips();
	closed();
}

/* OUT DX, AL/AX/EAX and IN in 32-bit code. */
static inline enum fake_end do_port(uint16_t port, unsigned int size, bool in, uint64_t rax)
{
	struct exit exit = {.reason = EXIT_PORT, .port = port, .size = (uint8_t)size, .in = in};
	uint8_t insn[2], *p = insn;

	if (size == 2)
		*p++ = 0x66;
	*p++ = (uint8_t)((in ? 0xec : 0xee) | (size > 1));
	code(insn, (size_t)(p - insn));
	cpu->regs.r[RAX] = rax;
	cpu->regs.r[RDX] = port;
	return fake_exit(cpu, &exit);
}

static inline void out(uint16_t port, unsigned int size, uint32_t value)
{
	assert_int_equal(do_port(port, size, false, value), FAKE_RETURNED);
	expect_done(size == 2 ? 2 : 1);
}

static inline uint32_t in(uint16_t port, unsigned int size)
{
	assert_int_equal(do_port(port, size, true, 0), FAKE_RETURNED);
	expect_done(size == 2 ? 2 : 1);
	return (uint32_t)cpu->regs.r[RAX];
}

/* An OUT that reaches the hardware as it is, and one that does not. */
static inline void passes(uint16_t port, unsigned int size, uint32_t value)
{
	uint64_t refused = platform_report().refused;
	unsigned int outs = fake_outs();

	out(port, size, value);
	assert_int_equal(fake_outs(), outs + 1);
	assert_int_equal(fake_last_out().port, port);
	assert_int_equal(fake_last_out().size, size);
	assert_int_equal(fake_last_out().value, value);
	assert_int_equal(platform_report().refused, refused);
}

static inline void stays_out(uint16_t port, unsigned int size, uint32_t value, bool counted)
{
	uint64_t refused = platform_report().refused;
	unsigned int outs = fake_outs();

	out(port, size, value);
	assert_int_equal(fake_outs(), outs);
	assert_int_equal(platform_report().refused, refused + counted);
}

static inline void refuses(uint16_t port, unsigned int size, uint32_t value)
{
	stays_out(port, size, value, true);
	assert_int_equal(platform_report().space, PLATFORM_PORT);
	assert_int_equal(platform_report().address, port);
	assert_int_equal(platform_report().value, value);
}

static inline void resets(uint16_t port, unsigned int size, uint32_t value)
{
	unsigned int outs = fake_outs();

	assert_int_equal(do_port(port, size, false, value), FAKE_RESET);
	assert_int_equal(fake_outs(), outs);
}

#endif
