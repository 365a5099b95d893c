/* SPDX-License-Identifier: Apache-2.0 */
/* Sleep, power-off and reset by ACPI's registers. */
#include "tests/unit/test_ports.h"

#define MMIO 0xfed40000u

static const struct last_write *off(uint16_t port, unsigned int size, uint32_t value,
				    unsigned int *n)
{
	assert_int_equal(do_port(port, size, false, value), FAKE_OFF);
	assert_int_equal(fake_outs(), 0);
	return fake_last_writes(n);
}

static void sleep_is_refused(void **state)
{
	platform();
	passes(PM1, 2, SLP(1));
	passes(PM1, 2, 1);
	refuses(PM1, 2, SLP(1) | SLP_EN);
	refuses(PM1, 2, SLP(5) | SLP_EN | 1);
	refuses(PM1, 2, SLP_EN);
	/* Half a register, or more than it. */
	refuses(PM1 + 1, 1, SLP_EN >> 8);
	refuses(PM1, 1, 0);
	refuses(PM1, 4, SLP(S5) | SLP_EN);
	refuses(PMBASE + 2, 4, (SLP(1) | SLP_EN) << 16);
}

static void off_by_pm1(void **state)
{
	const struct last_write *last;
	unsigned int n;

	platform();
	fake_ports_reset();
	last = off(PM1, 2, SLP(S5) | SLP_EN | 1, &n);
	assert_int_equal(n, 1);
	assert_int_equal(last->at.space, ACPI_PORT);
	assert_int_equal(last->at.address, PM1);
	assert_int_equal(last->at.size, 2);
	assert_int_equal(last->value, SLP(S5) | SLP_EN | 1);
}

/* Each of two registers has a type of its own; whichever L1 writes first, both are written. */
static void off_by_two(void **state)
{
	const struct last_write *last;
	unsigned int n;

	machine(1);
	chips();
	fake_ports_reset();
	fadt.pm1_count = 2;
	fadt.pm1[1].at = (struct acpi_register){ACPI_PORT, 2, 0x904};
	fadt.pm1[1].b = true;
	fadt.off_type[1] = 3;
	closed();
	fake_ports_reset();
	refuses(0x904, 2, SLP(S5) | SLP_EN);
	last = off(0x904, 2, SLP(3) | SLP_EN, &n);
	assert_int_equal(n, 2);
	assert_int_equal(last[0].at.address, PM1);
	assert_int_equal(last[0].value, SLP(S5) | SLP_EN);
	assert_int_equal(last[1].at.address, 0x904);
	assert_int_equal(last[1].value, SLP(3) | SLP_EN);
}

static void any_sleep_is_off_where_the_type_is_not_known(void **state)
{
	const struct last_write *last;
	unsigned int n;

	machine(1);
	chips();
	fadt.off_known = false;
	closed();
	fake_ports_reset();
	last = off(PM1, 2, SLP(1) | SLP_EN, &n);
	assert_int_equal(n, 1);
	assert_int_equal(last->value, SLP(1) | SLP_EN);
}

static void sleep_control(void **state)
{
	const struct last_write *last;
	unsigned int n;

	machine(1);
	chips();
	fadt.pm1_count = 0;
	fadt.sleep = (struct acpi_register){ACPI_PORT, 1, 0x800};
	closed();
	fake_ports_reset();
	passes(0x800, 1, 1 << 2);
	refuses(0x800, 1, 1 << 5 | 3 << 2);
	fake_ports_reset();
	last = off(0x800, 1, 1 << 5 | S5 << 2, &n);
	assert_int_equal(n, 1);
	assert_int_equal(last->value, 1 << 5 | S5 << 2);
}

static void a_reset_register_of_its_own(void **state)
{
	uint8_t value;

	machine(1);
	chips();
	fadt.reset.address = 0x1234;
	closed();
	resets(0x1234, 1, 0xf);
	refuses(0x1234, 1, 1);
	refuses(0x1233, 2, 0xf00);
	assert_int_equal(power_reset_register(&value)->address, 0x1234);
	assert_int_equal(value, 0xf);
}

/* CF9h is served by its own rule, which knows more of it. */
static void the_usual_reset_register(void **state)
{
	uint8_t value;

	platform();
	assert_null(power_reset_register(&value));
	resets(0xcf9, 1, 0xf);
}

static void firmware_sleep(void **state)
{
	machine(1);
	chips();
	fadt.smi_command = 0xb2;
	fadt.s4_request = 0xf2;
	closed();
	passes(0xb2, 1, 0xf1);
	refuses(0xb2, 1, 0xf2);
	refuses(0xb2, 2, 0xf1f2);
}

static void smi_command_without_sleep_does_not_exit(void **state)
{
	machine(1);
	chips();
	fadt.smi_command = 0xb2;
	closed();
	assert_false(port_exits(0xb2, 1));
}

static void registers_in_memory(void **state)
{
	const struct last_write *last;
	uint32_t *at;
	unsigned int n;

	machine(1);
	fake_add_device(HPA(MMIO), PAGE_SIZE);
	chips();
	fadt.pm1[0].at = (struct acpi_register){ACPI_MEMORY, 2, MMIO + 0x14};
	fadt.reset = (struct acpi_register){ACPI_MEMORY, 1, MMIO + 0x20};
	closed();
	at = mem_at(HPA(MMIO));
	assert_false(host_allows(HPA(MMIO), TABLE_W));
	assert_true(host_allows(HPA(MMIO), TABLE_R));
	store_eax(MMIO + 0x10, 0x11); /* a neighbour */
	expect_done(5);
	assert_int_equal(at[4], 0x11);
	store_eax(MMIO + 0x14, SLP(S5) | SLP_EN); /* too wide */
	expect_done(5);
	assert_int_equal(at[5], 0);
	assert_int_equal(platform_report().refused, 1);
	assert_int_equal(platform_report().space, PLATFORM_MEMORY);
	assert_int_equal(platform_report().address, MMIO + 0x14);

	CODE_IS(0x66, 0xa3, 0x14, 0, 0xd4, 0xfe); /* MOV [], AX */
	cpu->regs.r[RAX] = SLP(1) | SLP_EN;
	touch(MMIO + 0x14, true);
	expect_done(6);
	assert_int_equal(at[5], 0);
	assert_int_equal(platform_report().refused, 2);
	CODE_IS(0x66, 0xa3, 0x14, 0, 0xd4, 0xfe);
	cpu->regs.r[RAX] = SLP(S5) | SLP_EN;
	assert_int_equal(fake_exit(cpu, &(struct exit){.reason = EXIT_NESTED_FAULT,
						       .fault = HPA(MMIO + 0x14),
						       .write = true}),
			 FAKE_OFF);
	last = fake_last_writes(&n);
	assert_int_equal(n, 1);
	assert_int_equal(last->at.address, MMIO + 0x14);
	CODE_IS(0xa2, 0x20, 0, 0xd4, 0xfe); /* MOV [], AL */
	cpu->regs.r[RAX] = 0xf;
	assert_int_equal(fake_exit(cpu, &(struct exit){.reason = EXIT_NESTED_FAULT,
						       .fault = HPA(MMIO + 0x20),
						       .write = true}),
			 FAKE_RESET);
	CODE_IS(0x87, 0x05, 0x10, 0, 0xd4, 0xfe); /* XCHG */
	touch(MMIO + 0x10, true);
	expect_fault(VECTOR_GP);
}

static void a_register_out_of_reach_is_reported(void **state)
{
	machine(1);
	chips();
	fadt.reset = (struct acpi_register){ACPI_MEMORY, 1, (uint64_t)1 << 45};
	closed();
	assert_int_equal(platform_report().open, PLATFORM_OPEN_POWER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sleep_is_refused),
		cmocka_unit_test(off_by_pm1),
		cmocka_unit_test(off_by_two),
		cmocka_unit_test(any_sleep_is_off_where_the_type_is_not_known),
		cmocka_unit_test(sleep_control),
		cmocka_unit_test(a_reset_register_of_its_own),
		cmocka_unit_test(the_usual_reset_register),
		cmocka_unit_test(firmware_sleep),
		cmocka_unit_test(smi_command_without_sleep_does_not_exit),
		cmocka_unit_test(registers_in_memory),
		cmocka_unit_test(a_register_out_of_reach_is_reported),
	};

	return RUN_APART(tests);
}
