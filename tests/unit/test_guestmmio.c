/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest's accesses to its AHCI controller: what L1 is shown of them, and what the guest takes from it. */
#include "tests/unit/test_disclose.h"

#define REG(offset) (AT_DEVICE + (offset))
#define LIST AT(30)
#define RECEIVED (AT(30) + 0x400)
#define TABLE AT(31)
#define BUFFER (AT(32) + 0x200)
#define GPA_OF(gva) ((uint32_t)(SMALL + ((gva)-LINEAR)))

static const uint8_t load[] = {0x8b, 0x02}, store[] = {0x89, 0x02};

static void begin(void)
{
	launch();
	guest->protection.disks.ahci.base = DEVICE;
}

/* The guest comes out for a register. */
static void touches(uint16_t offset, bool write, enum disclose_result want)
{
	comes_out((struct guest_exit){.reason = EXIT_NESTED_FAULT,
				      .fault = GPA(DEVICE + offset),
				      .write = write},
		  want);
}

/* L1 sees that instruction in the page of the guest's, and the way to the register; no register but two. */
static void expect_told(bool write, uint16_t offset, uint64_t rax)
{
	const uint64_t rip = GUEST_CODE + (write ? 2 : 0);

	allowed_count = 0;
	allow_bytes(rip, 2, write ? store : load);
	allow_path(regs.rip);
	allow_path(AT_DEVICE);
	expect_seen();
	for (unsigned int i = 0; i < 16; i++)
		if (i != RAX && i != RDX)
			assert_int_equal(cpu->regs.r[i], 0);
	assert_int_equal(cpu->regs.r[RDX], REG(offset));
	assert_int_equal(cpu->regs.r[RAX], rax);
	assert_int_equal(cpu->regs.rip, rip);
	assert_false(v->disclosure->port.asked);
}

static void a_load(void **state)
{
	begin();
	fill_registers();
	cpu->regs.rip += 0x123;
	memcpy(fake_at(HPA(hpa_at(cpu->regs.rip)), 7),
	       (const uint8_t[]){0x44, 0x8b, 0x8f, 0x2c, 1, 0, 0}, 7); /* MOV R9D, [RDI + 12Ch] */
	cpu->regs.r[RDI] = AT_DEVICE;
	touches(0x12c, false, DISCLOSE_TELL);
	expect_told(false, 0x12c, 0);
	/* It did nothing: it gets the same again. */
	assert_int_equal(enter(), GUEST_ENTRY_EXIT);
	expect_told(false, 0x12c, 0);
	spoil_registers(0);
	cpu->regs.r[RAX] = 0x1122334455667788u;
	cpu->regs.rip += 2;
	goes_in();
	expect_registers(R(9));
	assert_int_equal(cpu->regs.r[9], 0x55667788);
	assert_int_equal(cpu->regs.rip, regs.rip + 7);
	expect_kept();
}

static void a_store(void **state)
{
	begin();
	GUEST_CODE_IS(0xc7, 0x87, 0x14, 1, 0, 0, 4, 3, 2, 0x81); /* MOV DWORD [RDI + 114h], .. */
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	touches(0x114, true, DISCLOSE_TELL);
	expect_told(true, 0x114, 0x81020304);
	spoil_registers(0);
	cpu->regs.rip += 2;
	goes_in();
	expect_registers(0);
	assert_int_equal(cpu->regs.rip, regs.rip + 10);
	expect_kept();
}

/* L1's way there needs no segment. */
static void by_a_segment(void **state)
{
	begin();
	GUEST_CODE_IS(0x64, 0x89, 0x0f); /* MOV FS:[RDI], ECX */
	fill_registers();
	cpu->hw->segment[SEG_FS] = AT_DEVICE;
	cpu->regs.r[RDI] = 0x114;
	cpu->regs.r[RCX] = 0x12340000abcd;
	touches(0x114, true, DISCLOSE_TELL);
	expect_told(true, 0x114, 0xabcd);
	cpu->regs.rip += 2;
	goes_in();
	assert_int_equal(cpu->regs.rip, regs.rip + 3);
}

static void l1_goes_elsewhere(void **state)
{
	begin();
	GUEST_CODE_IS(0x8b, 0x87, 0x2c, 1, 0, 0);
	fill_registers();
	cpu->regs.r[RDI] = AT_DEVICE;
	touches(0x12c, false, DISCLOSE_TELL);
	cpu->regs.rip = regs.rip + 6; /* where the guest goes on */
	assert_int_equal(enter(), GUEST_ENTRY_OVER);
	expect_over(STOP_REGISTERS);
}

static void is_over(uint16_t offset, bool write)
{
	fill_registers();
	cpu->regs.r[RDI] = REG(offset);
	touches(offset, write, DISCLOSE_OVER);
	expect_over(STOP_INSTRUCTION);
}

static void a_narrow_access(void **state)
{
	begin();
	GUEST_CODE_IS(0x8a, 0x07);
	is_over(0x110, false);
}

static void a_wide_access(void **state)
{
	begin();
	GUEST_CODE_IS(0x48, 0x89, 0x07);
	is_over(0x100, true);
}

static void an_access_to_half_a_register(void **state)
{
	begin();
	GUEST_CODE_IS(0x89, 0x07);
	is_over(0x112, true);
}

static void another_instruction(void **state)
{
	begin();
	GUEST_CODE_IS(0x09, 0x07); /* OR [RDI], EAX */
	is_over(0x118, true);
}

/* Its operand is elsewhere: it came out for something that it did besides. */
static void another_address(void **state)
{
	begin();
	GUEST_CODE_IS(0x89, 0x07);
	fill_registers();
	cpu->regs.r[RDI] = REG(0x118);
	touches(0x138, true, DISCLOSE_OVER);
	expect_over(STOP_INSTRUCTION);
}

/* --- a command ---------------------------------------------------------------------------------------------- */

/* L1's device model: registers of port 0, and what it reads a disk's sector to be. */
static uint32_t port[32];

static void in_view(uint64_t gva, void *to, const void *from, size_t n)
{
	uint8_t *at = seen(hpa_at(gva));

	if (!at)
		fail();
	else if (from)
		memcpy(at, from, n);
	else
		memcpy(to, at, n);
}

static void execute(void)
{
	uint32_t header[4] = {0}, prd[4] = {0}, n = 512;
	uint8_t fis[20] = {0}, data[512];

	in_view(LIST, header, NULL, sizeof(header));
	assert_int_equal(header[0], 5 | 1 << 16);
	assert_int_equal(header[2], GPA_OF(TABLE));
	in_view(TABLE, fis, NULL, sizeof(fis));
	assert_int_equal(fis[2], 0x25);
	in_view(TABLE + 0x80, prd, NULL, sizeof(prd));
	assert_int_equal(prd[0], GPA_OF(BUFFER));
	assert_int_equal(prd[3], 511);
	memset(data, 0xd1, sizeof(data));
	in_view(BUFFER, NULL, data, sizeof(data));
	in_view(LIST + 4, NULL, &n, 4);
	port[0x38 / 4] = 0;
}

static uint32_t driver(uint16_t offset, bool write, uint32_t value)
{
	enum guest_entry how = GUEST_ENTRY_EXIT;
	unsigned int reg;

	GUEST_CODE_IS(0x8b, 0x07);
	if (write)
		GUEST_CODE_IS(0x89, 0x07);
	fill_registers();
	cpu->regs.r[RDI] = REG(offset);
	cpu->regs.r[RAX] = value;
	regs = cpu->regs;
	switch (leave_guest(&(struct guest_exit){.reason = EXIT_NESTED_FAULT,
						 .fault = GPA(DEVICE + offset),
						 .write = write})) {
	case DISCLOSE_AGAIN:
		return (uint32_t)cpu->regs.r[RAX];
	case DISCLOSE_TELL:
		break;
	default:
		fail_msg("stopped for %u", guest->stop_reason);
	}
	while (how == GUEST_ENTRY_EXIT) {
		reg = (unsigned int)(cpu->regs.r[RDX] - REG(0x100)) / 4;
		assert_true(reg < ARRAY_SIZE(port));
		if (*seen(hpa_at(cpu->regs.rip)) == 0x89)
			port[reg] = (uint32_t)cpu->regs.r[RAX];
		else
			cpu->regs.r[RAX] = port[reg];
		if (reg == 0x38 / 4 && port[reg])
			execute();
		cpu->regs.rip += 2;
		how = enter();
	}
	assert_int_equal(how, GUEST_ENTRY_OK);
	return (uint32_t)cpu->regs.r[RAX];
}

static void put(uint64_t gva, const void *bytes, size_t n)
{
	memcpy(fake_at(HPA(hpa_at(gva)), n), bytes, n);
}

/* The port is started, and has a command in slot 0. */
static void prepare(void)
{
	const uint32_t header[4] = {5 | 1 << 16, 0, GPA_OF(TABLE), 0};
	const uint32_t prd[4] = {GPA_OF(BUFFER), 0, 0, 511};
	const uint8_t fis[20] = {0x27, 0x80, 0x25, [7] = 0x40, [12] = 1};

	begin();
	put(LIST, header, sizeof(header));
	put(TABLE, fis, sizeof(fis));
	put(TABLE + 0x80, prd, sizeof(prd));
	driver(0x100, true, GPA_OF(LIST));
	driver(0x108, true, GPA_OF(RECEIVED));
	driver(0x118, true, 0x11);
}

static void expect_read(void)
{
	uint8_t want[512];
	uint32_t n = 512;

	keep();
	assert_int_equal(driver(0x138, false, 0), 0);
	memset(want, 0xd1, sizeof(want));
	expect_written(BUFFER, want, sizeof(want));
	expect_written(LIST + 4, &n, sizeof(n));
	expect_written(GUEST_CODE, (const uint8_t[]){0x8b, 0x07}, 2);
	expect_kept();
}

static void a_plain_read(void **state)
{
	prepare();
	driver(0x138, true, 1);
	expect_read();
	assert_null(memmem(seen(hpa_at(TABLE)), PAGE_SIZE, fake_at(HPA(hpa_at(TABLE + 0x20)), 0x20),
			   0x20));
	driver(0x118, true, 0);
}

/* The guest ends while L1 is at a port access of the monitor's. The next one that gets the record begins without it. */
static void the_next_guest(void **state)
{
	begin();
	GUEST_CODE_IS(0x8b, 0x07);
	fill_registers();
	cpu->regs.r[RDI] = REG(0x138);
	touches(0x138, false, DISCLOSE_TELL);
	assert_true(guestport_tells(&v->disclosure->port, IDE_WAIT));
	assert_true(v->disclosure->port.asked);
	disclose_forget(v);
	assert_false(v->disclosure->port.active);
	assert_false(v->disclosure->port.asked);
}

/* The guest reads; the monitor, at the same instruction, writes besides. */
static void what_waited(void **state)
{
	prepare();
	guest->protection.disks.ahci.port[0].held = 1;
	assert_int_equal(driver(0x138, false, 0), 1);
	assert_int_equal(port[0x38 / 4], 0);
	expect_read();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_load),
		cmocka_unit_test(a_store),
		cmocka_unit_test(by_a_segment),
		cmocka_unit_test(l1_goes_elsewhere),
		cmocka_unit_test(a_narrow_access),
		cmocka_unit_test(a_wide_access),
		cmocka_unit_test(an_access_to_half_a_register),
		cmocka_unit_test(another_instruction),
		cmocka_unit_test(another_address),
		cmocka_unit_test(a_plain_read),
		cmocka_unit_test(what_waited),
		cmocka_unit_test(the_next_guest),
	};

	return RUN_APART(tests);
}
