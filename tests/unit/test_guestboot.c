/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sealed guest finds by ports, over a device model that has all that a host would boot it from. Whole exits: what
 * L1 is told of each access, and what the guest gets.
 */
#include "monitor/disks.h"
#include "tests/unit/test_disclose.h"

#define ADDRESS(devfn, reg) (0x80000000u | (uint32_t)(devfn) << 8 | (reg))
#define ONES(bytes) (UINT32_MAX >> (32 - 8 * (bytes)))

/* --- the device model -------------------------------------------------------------------------------------- */

static struct {
	uint32_t config; /* of bus 0, and of all others */
	uint32_t space[256][64];
	uint8_t index, cmos[128];
	unsigned int asked, written;
	struct ide_access last;
} dm;

static bool within(const struct ide_access *a, uint16_t first, unsigned int n)
{
	return a->port >= first && a->port + a->bytes <= first + n;
}

static void config_data(struct ide_access *a)
{
	uint8_t *at =
		(uint8_t *)dm.space[dm.config >> 8 & 0xff] + (dm.config & 0xfc) + (a->port & 3);

	if (a->out)
		memcpy(at, &a->value, a->bytes);
	else
		memcpy(&a->value, at, a->bytes);
}

static void device(struct ide_access *a)
{
	dm.asked++;
	dm.written += a->out;
	dm.last = *a;
	if (!a->out)
		a->value = 0xeeeeeeee & ONES(a->bytes);
	if (a->out && a->port == 0xcf8 && a->bytes == 4)
		dm.config = a->value;
	else if (within(a, 0xcfc, 4))
		config_data(a);
	else if (a->out && within(a, 0x70, 1))
		dm.index = a->value & 0x7f;
	else if (!a->out && within(a, 0x71, 1))
		a->value = dm.cmos[dm.index];
}

static void has_function(uint8_t devfn, uint32_t id, uint32_t class, uint8_t header)
{
	memset(dm.space[devfn], 0x5a, sizeof(dm.space[devfn]));
	dm.space[devfn][0] = id;
	dm.space[devfn][2] = class;
	dm.space[devfn][3] = (uint32_t)header << 16 | 0x1f00c010;
	dm.space[devfn][12] = 0xf1000001; /* an option ROM */
}

/* --- the guest ----------------------------------------------------------------------------------------------- */

/* L1 gets a port access, with what it needs for that, and makes it. */
static void l1_does_it(const struct ide_access *own)
{
	const struct guest_port *p = &v->disclosure->port;
	struct ide_access a = p->active && p->asked ? p->op.ask : *own;

	if (p->active && p->string)
		assert_true(p->asked); /* the guest's instruction is not L1's to do */
	expect_nothing_seen();
	for (unsigned int i = 0; i < 16; i++)
		if (i != RAX || !a.out)
			assert_int_equal(cpu->regs.r[i], 0);
	assert_int_equal(cpu->regs.rip, 0);
	a.value = (uint32_t)cpu->regs.r[RAX];
	device(&a);
	if (!a.out)
		cpu->regs.r[RAX] = 0xbad00000000u | a.value;
	cpu->regs.rip = cpu->hw->guest_insn_len > 0 ? (uint64_t)cpu->hw->guest_insn_len : 0;
}

static void comes_out_for(const struct ide_access *a, bool string)
{
	const struct guest_exit x = {.reason = EXIT_PORT,
				     .port = a->port,
				     .bytes = a->bytes,
				     .write = a->out,
				     .string = string};
	enum guest_entry how = GUEST_ENTRY_EXIT;

	allowed_count = 0;
	regs = cpu->regs;
	switch (leave_guest(&x)) {
	case DISCLOSE_AGAIN:
		return;
	case DISCLOSE_TELL:
		break;
	default:
		fail_msg("stopped for %u", guest->stop_reason);
	}
	while (how == GUEST_ENTRY_EXIT) {
		l1_does_it(a);
		how = enter();
	}
	assert_int_equal(how, GUEST_ENTRY_OK);
}

static uint32_t make_access(uint16_t port, uint8_t bytes, bool out, uint32_t value)
{
	const struct ide_access a = {port, bytes, out, value};

	fill_registers();
	cpu->regs.r[RAX] = out ? value : 0;
	comes_out_for(&a, false);
	assert_int_equal(cpu->regs.rip, GUEST_CODE + 2);
	expect_registers(R(RAX));
	if (out)
		assert_int_equal(cpu->regs.r[RAX], value);
	return (uint32_t)cpu->regs.r[RAX] & ONES(bytes);
}

#define in(port, bytes) make_access((uint16_t)(port), (uint8_t)(bytes), false, 0)
#define out(port, bytes, value) make_access((uint16_t)(port), (uint8_t)(bytes), true, value)

static uint32_t read_config(uint8_t devfn, uint8_t reg, uint8_t bytes)
{
	out(0xcf8, 4, ADDRESS(devfn, reg & 0xfc));
	return in(0xcfc + (reg & 3), bytes);
}

static void write_config(uint8_t devfn, uint8_t reg, uint8_t bytes, uint32_t value)
{
	out(0xcf8, 4, ADDRESS(devfn, reg & 0xfc));
	out(0xcfc + (reg & 3), bytes, value);
}

static void begin(bool sealed)
{
	memset(&dm, 0, sizeof(dm));
	memset(dm.space, 0xff, sizeof(dm.space));
	memset(dm.cmos, 0xcc, sizeof(dm.cmos));
	launch();
	assert_false(guest->protection.disks.boot.sealed);
	guest->protection.disks.boot.sealed = sealed;
}

/* --- ports that are not there ---------------------------------------------------------------------------------- */

static bool is_hidden(unsigned int port)
{
	return (port >= 0x510 && port < 0x51c) || (port >= 0x3f0 && port < 0x3f8 && port != 0x3f6);
}

/* Every access that has one of them in it, of every width. */
static void expect_hidden(uint16_t port, uint8_t bytes)
{
	bool any = false;

	for (unsigned int i = 0; i < bytes; i++)
		any |= is_hidden(port + i);
	if (!any)
		return;
	dm.asked = 0;
	assert_int_equal(in(port, bytes), ONES(bytes));
	out(port, bytes, 0x12345678 & ONES(bytes));
	assert_int_equal(dm.asked, 0);
}

static void hidden_ports(void **state)
{
	begin(true);
	for (unsigned int bytes = 1; bytes <= 4; bytes *= 2) {
		for (unsigned int port = 0x50c; port < 0x520; port++)
			expect_hidden((uint16_t)port, (uint8_t)bytes);
		for (unsigned int port = 0x3ec; port < 0x3fc; port++)
			expect_hidden((uint16_t)port, (uint8_t)bytes);
	}
	for (unsigned int port = 0x50c; port < 0x520; port++)
		assert_int_equal(in(port, 1), is_hidden(port) ? 0xff : 0xee);
}

/* SeaBIOS reads fw_cfg with REP INSB. */
static void hidden_strings(void **state)
{
	const struct ide_access read = {0x511, 1, false, 0}, write = {0x510, 2, true, 0};
	uint8_t ones[5];

	begin(true);
	memset(ones, 0xff, sizeof(ones));
	GUEST_CODE_IS(0xf3, 0x6c);
	fill_registers();
	cpu->regs.r[RDI] = DATA + 8;
	cpu->regs.r[RCX] = sizeof(ones);
	keep();
	for (unsigned int i = 1; i <= sizeof(ones); i++) {
		assert_int_equal(cpu->regs.rip, GUEST_CODE);
		comes_out_for(&read, true);
		assert_int_equal(cpu->regs.r[RCX], sizeof(ones) - i);
	}
	assert_int_equal(cpu->regs.rip, GUEST_CODE + 2);
	assert_memory_equal(fake_at(HPA(hpa_at(DATA + 8)), sizeof(ones)), ones, sizeof(ones));

	GUEST_CODE_IS(0x66, 0x6f);
	fill_registers();
	cpu->regs.r[RSI] = DATA;
	comes_out_for(&write, true);
	assert_int_equal(cpu->regs.rip, GUEST_CODE + 2);
	assert_int_equal(dm.asked, 0);
}

/* Others than hidden ones pass by single elements. */
static void other_strings(void **state)
{
	const struct ide_access index = {0x70, 1, true, 0}, data = {0x71, 1, false, 0};

	begin(true);
	out(0x70, 1, 0x3d);
	GUEST_CODE_IS(0xf3, 0x6c);
	fill_registers();
	cpu->regs.r[RDI] = DATA;
	cpu->regs.r[RCX] = 1;
	dm.asked = 0;
	comes_out_for(&data, true);
	assert_int_equal(dm.asked, 0);
	assert_int_equal(*(uint8_t *)fake_at(HPA(hpa_at(DATA)), 1), 2);

	*(uint8_t *)fake_at(HPA(hpa_at(DATA)), 1) = 0x5f;
	GUEST_CODE_IS(0x90, 0x6e);
	fill_registers();
	cpu->regs.rip = GUEST_CODE + 1;
	cpu->hw->guest_insn_len = 1;
	cpu->regs.r[RSI] = DATA;
	comes_out_for(&index, true);
	assert_int_equal(cpu->regs.rip, GUEST_CODE + 2);
	assert_int_equal(dm.index, 0x5f);
	dm.cmos[0x5f] = 0x77;
	GUEST_CODE_IS(0xf3, 0x6c);
	fill_registers();
	cpu->regs.r[RDI] = DATA;
	cpu->regs.r[RCX] = 1;
	comes_out_for(&data, true);
	assert_int_equal(*(uint8_t *)fake_at(HPA(hpa_at(DATA)), 1), 0x77);
}

/* --- CMOS -------------------------------------------------------------------------------------------------------- */

static void boot_order(void **state)
{
	static const uint8_t own[][2] = {{0x10, 0}, {0x38, 0}, {0x39, 0x55}, {0x3d, 0x02}};

	begin(true);
	for (unsigned int i = 0; i < ARRAY_SIZE(own); i++)
		for (unsigned int nmi = 0; nmi <= 0x80; nmi += 0x80) {
			out(0x70, 1, own[i][0] | nmi);
			assert_int_equal(in(0x71, 1), own[i][1]);
			dm.asked = 0;
			out(0x71, 1, 0x13);
			assert_int_equal(dm.asked, 0);
			assert_int_equal(in(0x71, 1), own[i][1]);
		}
	out(0x70, 1, 0x5f);
	assert_int_equal(in(0x71, 1), 0xcc);
	/* Both registers at once: nobody does that. */
	dm.asked = 0;
	for (unsigned int port = 0x6d; port <= 0x71; port++)
		for (unsigned int bytes = 2; bytes <= 4; bytes += 2)
			if (port + bytes > 0x70) {
				assert_int_equal(in(port, bytes), ONES(bytes));
				out(port, bytes, 0x133d133d & ONES(bytes));
			}
	assert_int_equal(dm.asked, 0);
	assert_int_equal(in(0x71, 1), 0xcc); /* the index is what it was */
}

/* --- PCI --------------------------------------------------------------------------------------------------------- */

static void expect_no_function(uint8_t devfn)
{
	const unsigned int had = dm.written;

	for (unsigned int bytes = 1; bytes <= 4; bytes *= 2)
		for (unsigned int reg = 0; reg < 0x40; reg += bytes)
			assert_int_equal(read_config(devfn, (uint8_t)reg, (uint8_t)bytes),
					 ONES(bytes));
	for (unsigned int reg = 0; reg < 0x40; reg += 4) {
		uint32_t was = dm.space[devfn][reg / 4];

		write_config(devfn, (uint8_t)reg, 4, 0x12345670);
		assert_int_equal(dm.space[devfn][reg / 4], was);
	}
	assert_true(dm.written > had); /* the address was passed on */
}

/* A register of 4 bytes, in all ways that there are to read it. */
static void expect_config(uint8_t devfn, uint8_t reg, uint32_t value)
{
	for (unsigned int bytes = 1; bytes <= 4; bytes++)
		for (unsigned int at = 0; bytes != 3 && at + bytes <= 4; at++)
			assert_int_equal(read_config(devfn, (uint8_t)(reg + at), (uint8_t)bytes),
					 value >> 8 * at & ONES(bytes));
}

/* What Xen's machine has, and L1 says that it is something else. */
static void the_board(void **state)
{
	static const struct {
		uint8_t devfn, header;
		uint32_t id, class;
	} board[] = {{0x00, 0, 0x12378086, 0x06000002},
		     {0x08, 0x80, 0x70008086, 0x06010000},
		     {0x09, 0, 0x70108086, 0x01018000},
		     {0x0b, 0, 0x71138086, 0x06800003}};

	begin(true);
	for (unsigned int i = 0; i < ARRAY_SIZE(board); i++) {
		has_function(board[i].devfn, 0x00021af4, 0x01080202, 0x81);
		expect_config(board[i].devfn, 0, board[i].id);
		expect_config(board[i].devfn, 8, board[i].class);
		expect_config(board[i].devfn, 0xc, (uint32_t)board[i].header << 16 | 0x1f00c010);
		expect_config(board[i].devfn, 0x30, 0);
		write_config(board[i].devfn, 0x30, 4, 0xf2000001);
		write_config(board[i].devfn, 0x30, 1, 1);
		write_config(board[i].devfn, 0x32, 2, 0xf300);
		assert_int_equal(dm.space[board[i].devfn][12], 0xf1000001);
		/* The rest is L1's. */
		expect_config(board[i].devfn, 0x40, 0x5a5a5a5a);
		write_config(board[i].devfn, 0x41, 2, 0x1234);
		assert_int_equal(dm.space[board[i].devfn][16], 0x5a12345a);
	}
	for (unsigned int devfn = 1; devfn < 256; devfn++)
		if (devfn % 8 && devfn != 0x9 && devfn != 0xb) {
			has_function((uint8_t)devfn, 0x11111234, 0x03000002, 0);
			expect_no_function((uint8_t)devfn);
		}
}

static void what_is_listed(void **state)
{
	begin(true);
	has_function(0x10, 0x11111234, 0x01018a00, 1);
	has_function(0x18, 0x00015853, 0x01080200, 0x80);
	has_function(0x20, 0x00b81013, 0x02000000, 0);
	has_function(0x28, 0x29228086, 0x01000000, 0);
	expect_config(0x10, 8, 0x03000002); /* the class comes first, as in hvmloader */
	expect_config(0x10, 0, 0x11111234);
	expect_config(0x10, 0xc, 0x1f00c010);
	expect_config(0x10, 0x30, 0);
	write_config(0x10, 0x30, 4, 0xfffffffe);
	assert_int_equal(dm.space[0x10][12], 0xf1000001);
	expect_config(0x18, 0, 0x00015853);
	expect_config(0x18, 8, 0xff800001);
	expect_config(0x20, 0, 0x00b81013);
	expect_config(0x20, 8, 0x03000000);
	expect_config(0x28, 0, 0x29228086);
	expect_config(0x28, 8, 0x01060102);
	assert_true(guest->protection.disks.ahci.found);
	assert_int_equal(guest->protection.disks.ahci.function, ADDRESS(0x28, 0));
	/* What was once there stays, and what was not does not come. */
	has_function(0x10, 0x29228086, 0x01060102, 0);
	expect_config(0x10, 0, 0x11111234);
	expect_no_function(0x30);
	has_function(0x30, 0x00b81013, 0x03000000, 0);
	expect_no_function(0x30);
}

static void what_is_not(void **state)
{
	static const uint32_t id[] = {
		0x00108086,                                     /* NVMe */
		0x10011af4,                                     /* virtio block */
		0x00121000,                                     /* LSI */
		0x00071b36,                                     /* SD */
		0x24cd8086,                                     /* USB */
		0x100e8086,                                     /* e1000 */
		0x06461095,                                     /* CMD646: IDE */
		0x71118086,                                     /* PIIX4's IDE, */
		0x70108086,                                     /* PIIX3's elsewhere, */
		0x70008086, 0x12378086, 0x71138086, 0x00011b36, /* a bridge */
	};

	begin(true);
	for (unsigned int i = 0; i < ARRAY_SIZE(id); i++) {
		uint8_t devfn = (uint8_t)(0x10 + 8 * i);

		has_function(devfn, id[i], 0x01060102, 0);
		expect_no_function(devfn);
	}
}

static void only_one(void **state)
{
	begin(true);
	has_function(0x20, 0x29228086, 0x01060102, 0);
	has_function(0x30, 0x29228086, 0x01060102, 0);
	has_function(0x31, 0x29228086, 0x01060102, 0);
	has_function(0x21, 0x00b81013, 0x03000000, 0);
	expect_config(0x30, 0, 0x29228086);
	expect_no_function(0x20);
	expect_no_function(0x31);
	expect_no_function(0x21);
	expect_config(0x30, 0, 0x29228086);
	assert_int_equal(guest->protection.disks.ahci.function, ADDRESS(0x30, 0));
}

/* The monitor asks with accesses of its own, and leaves L1's address register as the guest wrote it. */
static void asking(void **state)
{
	begin(true);
	has_function(0x18, 0x00015853, 0xff800001, 0);
	out(0xcf8, 4, ADDRESS(0x18, 0x40));
	dm.asked = 0;
	assert_int_equal(in(0xcfc, 4), 0x5a5a5a5a);
	assert_int_equal(dm.asked, 4);
	assert_int_equal(dm.config, ADDRESS(0x18, 0x40));
	assert_int_equal(in(0xcfc, 4), 0x5a5a5a5a);
	assert_int_equal(dm.asked, 5);
	/* L1's own idea of the address changes nothing of what the monitor answers. */
	dm.config = ADDRESS(0x30, 0);
	has_function(0x30, 0x00108086, 0x01080202, 0);
	out(0xcf8, 4, ADDRESS(0x18, 0));
	dm.config = ADDRESS(0x30, 0);
	assert_int_equal(in(0xcfc, 4), 0x00015853);
}

/* Two processors do so at once, which no driver does: what was found first stays. */
static void asking_twice(void **state)
{
	struct guest_boot b = {.sealed = true, .config = ADDRESS(0x18, 0)};
	struct ide_access read = {0xcfc, 4, false, 0}, ask[2];
	uint8_t step[2] = {0, 0};

	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(guestboot_begin(&b, &read, &step[i], &ask[i]), IDE_ASK);
		assert_int_equal(guestboot_resume(&b, &step[i], &ask[i]), IDE_ASK);
		assert_int_equal(ask[i].port, 0xcfc);
	}
	for (unsigned int i = 0; i < 2; i++) {
		ask[i].value = i ? 0x00b81013 : 0x29228086;
		assert_int_equal(guestboot_resume(&b, &step[i], &ask[i]), IDE_ASK);
		assert_int_equal(guestboot_resume(&b, &step[i], &ask[i]), IDE_PASS);
		assert_int_equal(guestboot_begin(&b, &read, &step[i], &ask[i]), IDE_PASS);
		guestboot_answer(&b, &read);
		assert_int_equal(read.value, 0x29228086);
	}
}

static void odd_accesses(void **state)
{
	begin(true);
	has_function(0x00, 0x12378086, 0x06000002, 0);
	/* Another bus, reserved bits, no enable bit: nothing is there. */
	for (unsigned int bit = 0; bit < 32; bit++) {
		if (bit >= 2 && bit < 16)
			continue;
		out(0xcf8, 4, ADDRESS(0, 0x40) ^ 1u << bit);
		assert_int_equal(in(0xcfc, 4), UINT32_MAX);
	}
	/* What is partly an access to something else. */
	out(0xcf8, 4, ADDRESS(0, 0x40));
	dm.asked = 0;
	for (unsigned int bytes = 2; bytes <= 4; bytes += 2)
		for (unsigned int port = 0xcf9 - bytes; port < 0xd00; port++) {
			unsigned int end = port + bytes;

			if ((port >= 0xcf8 && end <= 0xcfc) || (port >= 0xcfc && end <= 0xd00))
				continue;
			assert_int_equal(in(port, bytes), ONES(bytes));
			out(port, bytes, 0x89abcdef & ONES(bytes));
		}
	assert_int_equal(dm.asked, 0);
	assert_int_equal(in(0xcfc, 4), 0x5a5a5a5a);
	/* Less than the address register does not change it; CF9h resets. */
	out(0xcf8, 2, 0x1800);
	out(0xcf9, 1, 2);
	out(0xcfb, 1, 0);
	assert_int_equal(dm.last.port, 0xcfb);
	assert_int_equal(in(0xcfc, 4), 0x5a5a5a5a);
}

/* The addresses at which iodecrypt follows the controllers are the ones that the guest reads. */
static void base_addresses(void **state)
{
	static const struct {
		uint8_t devfn, reg;
		uint32_t ones, written, read;
	} base[] = {{0x09, 0x20, 0xfffffff1, 0xc001, 0xc001},
		    {0x20, 0x24, 0xfffff000, 0xf1004000, 0xf1004000}};

	begin(true);
	has_function(0x09, 0x70108086, 0x01018000, 0);
	has_function(0x20, 0x29228086, 0x01060102, 0);
	expect_config(0x20, 0, 0x29228086);
	for (unsigned int i = 0; i < 2; i++) {
		expect_config(base[i].devfn, base[i].reg, i ? 0 : 1);
		write_config(base[i].devfn, base[i].reg, 4, UINT32_MAX);
		expect_config(base[i].devfn, base[i].reg, base[i].ones);
		write_config(base[i].devfn, base[i].reg, 4, base[i].written);
		dm.space[base[i].devfn][base[i].reg / 4] = 0xc201;
		expect_config(base[i].devfn, base[i].reg, base[i].read);
		write_config(base[i].devfn, base[i].reg, 2, 0xc300);
		write_config(base[i].devfn, (uint8_t)(base[i].reg + 1), 1, 0xc4);
		assert_int_equal(dm.space[base[i].devfn][base[i].reg / 4], 0xc201);
		expect_config(base[i].devfn, base[i].reg, base[i].read);
	}
	assert_int_equal(guest->protection.disks.ide.bus_master, 0xc000);
	assert_int_equal(guest->protection.disks.ahci.base, 0xf1004000);
}

/* --- who is sealed ------------------------------------------------------------------------------------------------ */

static void an_open_guest(void **state)
{
	begin(false);
	has_function(0x18, 0x00108086, 0x01080202, 0);
	expect_config(0x18, 0, 0x00108086);
	expect_config(0x18, 0x30, 0xf1000001);
	assert_int_equal(in(0x511, 1), 0xee);
	assert_int_equal(in(0x3f5, 1), 0xee);
	dm.cmos[0x3d] = 0x13;
	out(0x70, 1, 0x3d);
	assert_int_equal(in(0x71, 1), 0x13);
}

static void attach(uint64_t page)
{
	const struct mailbox_attach a = {.version = MAILBOX_VERSION, .plain = 4, .uuid = {1}};
	uint64_t number;

	disks_init();
	assert_int_equal(disks_attach(HPA(page), &a, NULL, &number), 0);
}

/* A disk makes its guest sealed, whatever L1 declares then; all drives that are not declared plain are refused. */
static void attached(void **state)
{
	const struct guest_disks *disks;

	build(2, true);
	attach(PAGES + 3 * PAGE_SIZE);
	assert_int_equal(launch_declare(HPA(PAGES + 3 * PAGE_SIZE), false), 0);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	disks = &guest->protection.disks;
	assert_true(disks->boot.sealed);
	assert_true(launch_of(guest_number(guest)).sealed);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(disks->ide.channel[i / 2].drive[i % 2].kind,
				 i == 2 ? IDE_PLAIN : IDE_REFUSED);
	assert_int_equal(disks->ahci.port[0].drive.kind, IDE_REFUSED);
	assert_int_equal(in(0x511, 1), 0xff);
}

static void attached_to_another(void **state)
{
	build(2, true);
	attach(SPARE);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_false(guest->protection.disks.boot.sealed);
	assert_false(launch_of(guest_number(guest)).sealed);
}

static void declared(void **state)
{
	build(2, true);
	assert_int_equal(launch_declare(HPA(PAGES + 3 * PAGE_SIZE), true), 0);
	take();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_true(guest->protection.disks.boot.sealed);
	assert_int_equal(guest->protection.disks.ide.channel[0].drive[0].kind, IDE_PLAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hidden_ports),
		cmocka_unit_test(hidden_strings),
		cmocka_unit_test(other_strings),
		cmocka_unit_test(boot_order),
		cmocka_unit_test(the_board),
		cmocka_unit_test(what_is_listed),
		cmocka_unit_test(what_is_not),
		cmocka_unit_test(only_one),
		cmocka_unit_test(asking),
		cmocka_unit_test(asking_twice),
		cmocka_unit_test(odd_accesses),
		cmocka_unit_test(base_addresses),
		cmocka_unit_test(an_open_guest),
		cmocka_unit_test(attached),
		cmocka_unit_test(attached_to_another),
		cmocka_unit_test(declared),
	};

	return RUN_APART(tests);
}
