/* SPDX-License-Identifier: Apache-2.0 */
/* Which ports exit, and what becomes of L1's accesses to them. */
#include "tests/unit/test_ports.h"

#include "monitor/permit.h"

static const uint16_t closed_ports[] = {0x60,  0x64,    0x92,          0xcf8,        0xcf9, 0xcfb,
					0xcfc, 0xcff,   0x00,          0x0f,         0xc0,  0xdf,
					PM1,   PM1 + 1, PMBASE + 0x60, PMBASE + 0x7f};
static const uint16_t open_ports[] = {0x10,  0x20,  0x61,  0x63,  0x65,  0x70,          0x7e,
				      0x80,  0x91,  0x93,  0xbf,  0xe0,  0x1f0,         0x3f8,
				      0x514, 0xcf7, 0xd00, 0x603, 0x606, PMBASE + 0x5f, 0xffff};

static void only_listed_ports_exit(void **state)
{
	const uint8_t *map;

	platform();
	map = mem_at(port_map());
	for (size_t i = 0; i < ARRAY_SIZE(closed_ports); i++) {
		assert_true(port_exits(closed_ports[i], 1));
		assert_true(map[closed_ports[i] / 8] >> closed_ports[i] % 8 & 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(open_ports); i++) {
		assert_false(port_exits(open_ports[i], 1));
		assert_false(map[open_ports[i] / 8] >> open_ports[i] % 8 & 1);
	}
	assert_true(port_exits(0x63, 2));
	assert_true(port_exits(0x61, 4));
	assert_false(port_exits(0x61, 2));
	assert_false(port_exits(0xffff, 4));
	for (unsigned int i = 65536 / 8; i < PORT_MAP_PAGES * PAGE_SIZE; i++)
		assert_int_equal(map[i], 0);
}

/* L1 leaves all to its guest; the ports that exit in L1 do so in the guest. */
static void guests_do_not_reach_them(void **state)
{
	static uint8_t bits[2 * PAGE_SIZE];
	struct permit_map m = {.bits = bits, .size = sizeof(bits), .l1_open = true};

	platform();
	permit_reset(&m);
	assert_true(permit_port(&m, false, 0x80, 1));
	assert_false(permit_port(&m, false, 0xcf9, 1));
	assert_false(permit_port(&m, false, 0x63, 2));
	assert_false(permit_port(&m, false, PM1, 2));
	assert_int_equal(bits[0xcf9 / 8] >> 0xcf9 % 8 & 1, 1);
}

static void keyboard(void **state)
{
	platform();
	passes(0x64, 1, 0x20);
	passes(0x64, 1, 0xff); /* pulses nothing */
	passes(0x64, 1, 0xdf); /* A20 on */
	passes(0x60, 1, 0xfe);
	resets(0x64, 1, 0xfe);
	resets(0x64, 1, 0xf0);
	refuses(0x64, 1, 0xdd); /* A20 off */
	refuses(0x64, 2, 0x20);
	refuses(0x63, 2, 0xfe00);
	refuses(0x61, 4, 0xfe000000);
	fake_ports[0x64] = 0x1c;
	assert_int_equal(in(0x64, 1), 0x1c);
}

static void keyboard_output_port(void **state)
{
	platform();
	stays_out(0x64, 1, 0xd1, false);
	stays_out(0x60, 1, 0xdf, false); /* as it is */
	passes(0x60, 1, 0xdd);           /* a byte for the keyboard */
	stays_out(0x64, 1, 0xd1, false);
	refuses(0x60, 1, 0xdd); /* A20 off */
	stays_out(0x64, 1, 0xd1, false);
	passes(0x64, 1, 0x60); /* another command */
	passes(0x60, 1, 0x00);
	stays_out(0x64, 1, 0xd1, false);
	resets(0x60, 1, 0xde);
}

static void port_92h(void **state)
{
	platform();
	passes(0x92, 1, 0x02);
	refuses(0x92, 1, 0x00);
	resets(0x92, 1, 0x03);
	resets(0x92, 1, 0x01);
	refuses(0x91, 2, 0x0100);
}

static void reset_control(void **state)
{
	platform();
	passes(0xcf9, 1, 0x02);
	passes(0xcf9, 1, 0x0a);
	resets(0xcf9, 1, 0x06);
	resets(0xcf9, 1, 0x04);
	refuses(0xcf9, 2, 0x0006);
	refuses(0xcf8, 1, 0x06);
	refuses(0xcf8, 2, 0x0600);
	refuses(0xcfa, 2, 0x0600);
	stays_out(0xcfb, 1, 1, false);
	fake_ports[0xcf9] = 0x0a;
	assert_int_equal(in(0xcf9, 1), 0x0a);
	assert_int_equal(in(0xcfa, 2), 0xffff);
}

static void isa_dma_and_watchdog(void **state)
{
	platform();
	refuses(0x0b, 1, 0x44);
	refuses(0xd4, 1, 0x00);
	refuses(PMBASE + 0x60, 2, 1);
	refuses(PMBASE + 0x68, 2, 0);
	fake_ports[0x08] = 5;
	assert_int_equal(in(0x08, 1), 5);
}

static void upper_bits_stay(void **state)
{
	platform();
	for (unsigned int i = 0; i < 4; i++)
		fake_ports[PM1 + i] = (uint8_t)(0x12 + 0x22 * i);
	do_port(PM1, 1, true, 0xaaaaaaaaaaaaaaaau);
	assert_int_equal(cpu->regs.r[RAX], 0xaaaaaaaaaaaaaa12u);
	do_port(PM1, 2, true, 0xaaaaaaaaaaaaaaaau);
	assert_int_equal(cpu->regs.r[RAX], 0xaaaaaaaaaaaa3412u);
	do_port(PM1, 4, true, 0xaaaaaaaaaaaaaaaau);
	assert_int_equal(cpu->regs.r[RAX], 0x78563412u);
	do_port(PM1, 2, false, 0xaaaaaaaaaaaa0001u);
	assert_int_equal(fake_last_out().value, 1);
}

static void strings_and_strays_fault(void **state)
{
	struct exit exit = {.reason = EXIT_PORT, .port = 0x64, .size = 1, .string = true};
	unsigned int outs;

	platform();
	outs = fake_outs();
	CODE_IS(0x6e);
	leave(&exit);
	expect_fault(VECTOR_GP);
	exit = (struct exit){.reason = EXIT_PORT, .port = 0x80, .size = 1};
	CODE_IS(0xe6, 0x80);
	leave(&exit);
	expect_fault(VECTOR_GP);
	assert_int_equal(fake_outs(), outs);
}

static void no_qemu_no_fw_cfg(void **state)
{
	platform();
	assert_false(port_exits(0x514, 8));
	assert_false(port_exits(0x7e, 2));
}

/* QEMU's machines are found by their fw_cfg device. */
static void qemu(void)
{
	machine(1);
	chips();
	fake_port_stream(0x511, "QEMU");
	closed();
}

static void virtual_apic(void **state)
{
	qemu();
	refuses(0x7e, 1, 1);
	refuses(0x7e, 2, 0x1234);
	refuses(0x7e, 4, 1);
	refuses(0x7f, 1, 1);
}

static void fw_cfg_dma_fails(void **state)
{
	uint8_t *request;

	qemu();
	request = fake_at(HPA(0x123458), 16);
	memset(request, 0x5a, 16);
	assert_false(port_exits(0x510, 2));
	assert_int_equal(request[0], 0x5a);
	stays_out(0x514, 4, 0, false);
	refuses(0x518, 4, __builtin_bswap32(0x123458));
	assert_memory_equal(request, "\0\0\0\1\x5a", 5);
	refuses(0x518, 4, __builtin_bswap32(0x12345c));
	refuses(0x51a, 2, 0);
	refuses(0x516, 4, 0);
	refuses(0x518, 1, 0);
	assert_memory_equal(request, "\0\0\0\1\0\0\0\1\x5a", 9);
	/* What is not L1's is not written. */
	fake_give(HPA(0x2000), OWNER_GUEST);
	memset(fake_at(HPA(0x2000), 4), 0x5a, 4);
	refuses(0x518, 4, __builtin_bswap32(0x2000));
	refuses(0x518, 4, __builtin_bswap32(0x1ffe));
	refuses(0x518, 4, __builtin_bswap32(BLOCK));
	stays_out(0x514, 4, UINT32_MAX, false);
	refuses(0x518, 4, UINT32_MAX);
	assert_memory_equal(fake_at(HPA(0x2000), 4), "\x5a\x5a\x5a\x5a", 4);
}

static void rules_are_bounded(void **state)
{
	struct port_rule rule = {0x1000, 0x1001, 0, "some", NULL, NULL};
	int err = 0;

	platform();
	assert_int_equal(port_add(&rule), 0);
	assert_int_equal(port_add(&rule), ERR_PERM);
	for (unsigned int i = 0; i < PORT_RULES_MAX && !err; i++) {
		rule.first = rule.last = (uint16_t)(0x2000 + i);
		err = port_add(&rule);
	}
	assert_int_equal(err, ERR_NOMEM);
	rule.first = rule.last = 0x3000;
	assert_int_equal(port_add(&rule), ERR_NOMEM);
	assert_false(port_exits(0x3000, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_listed_ports_exit),
		cmocka_unit_test(guests_do_not_reach_them),
		cmocka_unit_test(keyboard),
		cmocka_unit_test(keyboard_output_port),
		cmocka_unit_test(port_92h),
		cmocka_unit_test(reset_control),
		cmocka_unit_test(isa_dma_and_watchdog),
		cmocka_unit_test(upper_bits_stay),
		cmocka_unit_test(strings_and_strays_fault),
		cmocka_unit_test(no_qemu_no_fw_cfg),
		cmocka_unit_test(virtual_apic),
		cmocka_unit_test(fw_cfg_dma_fails),
		cmocka_unit_test(rules_are_bounded),
	};

	return RUN_APART(tests);
}
