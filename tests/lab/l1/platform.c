/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways around a monitor by the platform: chipset registers that move memory, devices that write it, the A20
 * gate, sleep. On a bare machine each of them works, which shows that there is something to close; above the
 * monitor none does. docs/platform.md has the list.
 */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/smp_tests.h"
#include "lib/test.h"
#include "lib/trap.h"
#include "monitor/hypercall.h"
#include "vendor.h"

#define HOST 0u
#define LPC (0x1fu << 3)
#define DISK (0x1fu << 3 | 2)
#define COMMAND 0x04
#define DISK_PORTS 0x20 /* BAR of 32 ports */
#define DISK_MEMORY 0x24
#define OVER_CONFIG 0xce0u /* to CFFh */
#define PIIX_PM (1u << 3 | 3)
#define Q35 0x29c08086u
#define I440FX 0x12378086u
#define PIIX4_PM 0x71138086u
#define PIIX_MEMORY 0x72
#define SMRAM 0x9d
#define D_OPEN 0x40u
#define PCIEXBAR 0x60
#define PMBASE 0x40
#define RCBA 0xf0
#define TCO_TMR 0x72 /* behind PMBASE */
#define WORD 0x1122334455667788u

static bool closed; /* by the monitor */

static void port_out(uint16_t port, unsigned size, uint32_t v)
{
	if (size == 1)
		outb(port, (uint8_t)v);
	else if (size == 2)
		outw(port, (uint16_t)v);
	else
		__asm__ volatile("outl %0, %1" : : "a"(v), "d"(port) : "memory");
}

static uint32_t port_in(uint16_t port, unsigned size)
{
	uint32_t v = 0;

	if (size == 1)
		return inb(port);
	if (size == 2)
		__asm__ volatile("inw %1, %w0" : "+a"(v) : "d"(port) : "memory");
	else
		__asm__ volatile("inl %1, %0" : "=a"(v) : "d"(port) : "memory");
	return v;
}

static uint32_t config(uint32_t function, uint32_t offset, unsigned size)
{
	port_out(0xcf8, 4, 0x80000000u | function << 8 | (offset & 0xfc));
	return port_in((uint16_t)(0xcfc + (offset & 3)), size);
}

static void config_set(uint32_t function, uint32_t offset, unsigned size, uint32_t value)
{
	port_out(0xcf8, 4, 0x80000000u | function << 8 | (offset & 0xfc));
	port_out((uint16_t)(0xcfc + (offset & 3)), size, value);
}

static void need_q35(void)
{
	if (config(HOST, 0, 4) != Q35)
		test_skip("needs a q35");
}

static uint64_t refused(void)
{
	uint64_t out[8] = {0};
	int64_t rax = -1;

	CHECK(hypercall(HYPERCALL_PLATFORM, 0, 0, &rax, out) && !rax, "no answer: %d", U64(rax));
	return out[0];
}

/* A register that L1 must not change: tries, and puts it back where it could. */
static void change(uint32_t function, uint32_t offset, unsigned size, uint32_t flip)
{
	uint32_t before = config(function, offset, size), now;
	uint64_t count = closed ? refused() : 0;

	config_set(function, offset, size, before ^ flip);
	now = config(function, offset, size);
	if (!closed)
		config_set(function, offset, size, before);
	CHECK((now == before) == closed, "offset 0x%x: 0x%x became 0x%x", U64(offset), U64(before),
	      U64(now));
	if (!closed)
		return;
	CHECK_EQ(refused(), count + 1);
	config_set(function, offset, size, before); /* no change, no refusal */
	CHECK_EQ(refused(), count + 1);
}

static void smram(const void *arg)
{
	uint32_t host = config(HOST, 0, 4);

	(void)arg;
	if (host == Q35)
		change(HOST, SMRAM, 1, D_OPEN);
	else if (host == I440FX)
		change(HOST, PIIX_MEMORY, 1, D_OPEN);
	else
		test_skip("the host bridge is none that is known");
}

static void moved_config_space(const void *arg)
{
	(void)arg;
	need_q35();
	change(HOST, PCIEXBAR, 4, 0x70000000);
}

static void moved_power_management(const void *arg)
{
	(void)arg;
	if (config(HOST, 0, 4) == Q35)
		change(LPC, PMBASE, 4, 0x100);
	else if (config(PIIX_PM, 0, 4) == PIIX4_PM)
		change(PIIX_PM, PMBASE, 4, 0x100);
	else
		test_skip("no power management that is known");
}

/* Offset bits 11:8 by the address port, low bits of it, and the two ports in one access. */
static void disguised(const void *arg)
{
	uint32_t before;

	(void)arg;
	need_q35();
	before = config(HOST, PCIEXBAR, 4);
	if (!closed)
		test_skip("tried above the monitor only");
	port_out(0xcf8, 4, 0x81000000u | PCIEXBAR);
	port_out(0xcfc, 4, before ^ 0x70000000);
	port_out(0xcf8, 4, 0x80000003u | PCIEXBAR);
	port_out(0xcfc, 4, before ^ 0x70000000);
	port_out(0xcf8, 4, 0x80000000u | PCIEXBAR);
	port_out(0xcfe, 4, 0x70000000);
	port_out(0xcfa, 4, 0x70000000);
	port_out(0xcfb, 2, 0x7000);
	CHECK_EQ(config(HOST, PCIEXBAR, 4), before);
	CHECK(monitor_answers(), "the monitor does not answer any more");
}

/* Configuration space as memory: another device's register is L1's, the host bridge's is not. */
static void config_in_memory(const void *arg)
{
	volatile uint8_t *space;

	(void)arg;
	need_q35();
	space = (volatile uint8_t *)(uint64_t)(config(HOST, PCIEXBAR, 4) & 0xf0000000);
	CHECK_EQ(*(volatile uint32_t *)space, Q35);
	CHECK_EQ(*(volatile uint32_t *)(space + (DISK << 12)), config(DISK, 0, 4));
	space[(DISK << 12) + 0x3c] = 0x5;
	CHECK_EQ(config(DISK, 0x3c, 1), 0x5);
	*(volatile uint16_t *)(space + (DISK << 12) + 0x4) = 0x4;
	CHECK_EQ(config(DISK, 0x4, 2), 0x4);
	space[SMRAM] |= D_OPEN;
	CHECK_EQ(!(config(HOST, SMRAM, 1) & D_OPEN), closed);
	if (!closed)
		space[SMRAM] &= (uint8_t)~D_OPEN;
}

/* The chipset's own registers, put over memory of L1's: it could be a guest's. */
static void registers_over_memory(const void *arg)
{
	volatile uint64_t *page = pages_alloc(4, 4 * 4096);
	uint32_t before;
	uint64_t seen;

	(void)arg;
	need_q35();
	before = config(LPC, RCBA, 4);
	page[0x100] = WORD;
	config_set(LPC, RCBA, 4, (uint32_t)(uint64_t)page | 1);
	seen = page[0x100];
	config_set(LPC, RCBA, 4, before);
	CHECK((seen == WORD) == closed, "memory is 0x%x", seen);
}

/* A device's registers, put over memory of L1's: DRAM is decoded first, on any machine. */
static void bar_over_memory(const void *arg)
{
	volatile uint64_t *page = pages_alloc(1, 4096);
	uint32_t before, command;
	uint64_t seen;

	(void)arg;
	need_q35();
	before = config(DISK, DISK_MEMORY, 4);
	command = config(DISK, COMMAND, 2);
	page[0] = WORD;
	config_set(DISK, COMMAND, 2, command | 7);
	config_set(DISK, DISK_MEMORY, 4, (uint32_t)(uint64_t)page);
	CHECK_EQ(config(DISK, DISK_MEMORY, 4) & ~0xfffu, (uint64_t)page);
	seen = page[0];
	page[1] = WORD;
	config_set(DISK, DISK_MEMORY, 4, before);
	config_set(DISK, COMMAND, 2, command);
	CHECK_EQ(seen, WORD);
	CHECK_EQ(page[1], WORD);
}

static volatile bool moving;

/* The disk's ports go over those of configuration space and back. */
static void move_ports(void *arg)
{
	volatile uint32_t *bar = arg;
	uint32_t before = *bar;

	while (moving) {
		*bar = OVER_CONFIG | 1;
		cpu_idle(50);
		*bar = before;
		cpu_idle(50);
	}
}

/* While they are there they answer for a register: with 0, so that to write 0 seems to change nothing. */
static void bar_over_config(const void *arg)
{
	volatile uint8_t *space;
	volatile uint32_t *pmbase;
	uint32_t before, now;

	(void)arg;
	need_q35();
	smp_need_two();
	space = (volatile uint8_t *)(uint64_t)(config(HOST, PCIEXBAR, 4) & 0xf0000000);
	pmbase = (volatile uint32_t *)(space + (LPC << 12) + PMBASE);
	before = *pmbase;
	config_set(DISK, COMMAND, 2, config(DISK, COMMAND, 2) | 7);
	moving = true;
	smp_start(1, move_ports, (void *)(space + (DISK << 12) + DISK_PORTS));
	for (unsigned i = 0; i < 20000 && *pmbase == before; i++)
		config_set(LPC, PMBASE, 4, 0);
	moving = false;
	smp_wait_finished(1);
	now = *pmbase;
	*pmbase = before;
	CHECK((now == before) == closed, "PMBASE 0x%x became 0x%x", U64(before), U64(now));
}

struct fw_cfg_request {
	uint32_t control, length;
	uint64_t address;
};

/* QEMU's configuration device reads the signature (item 0) to an address. */
static void fw_cfg(const void *arg)
{
	volatile struct fw_cfg_request *request = page_alloc();
	volatile uint32_t *to = page_alloc();
	uint64_t at = (uint64_t)request;

	(void)arg;
	port_out(0x510, 2, 0);
	for (const char *s = "QEMU"; *s; s++)
		if (inb(0x511) != (uint8_t)*s)
			test_skip("needs QEMU's fw_cfg");
	*to = 0x5a5a5a5a;
	request->control = __builtin_bswap32(0x0a); /* select and read */
	request->length = __builtin_bswap32(4);
	request->address = __builtin_bswap64((uint64_t)to);
	port_out(0x514, 4, __builtin_bswap32((uint32_t)(at >> 32)));
	port_out(0x518, 4, __builtin_bswap32((uint32_t)at));
	CHECK((*to == 0x5a5a5a5a) == closed, "memory is 0x%x", U64(*to));
	CHECK_EQ(request->control, closed ? __builtin_bswap32(1) : 0);
}

/* True if the page and the one a MiB below are the same memory now. */
static bool aliased(volatile uint64_t *page)
{
	volatile uint64_t *below = (void *)((uint64_t)page - MIB);

	invlpg((uint64_t)page);
	invlpg((uint64_t)below);
	*below = 1;
	*page = 2;
	return *below == 2;
}

static void a20_on(void)
{
	port_out(0x92, 1, 2);
	port_out(0x64, 1, 0xdf);
}

/* Pages on both sides of a MiB. All that this program itself needs lies between 2 and 3 MiB, bit 20 clear. */
static void a20(const void *arg)
{
	volatile uint64_t *page = pages_alloc(1024, 4 * MIB);
	bool by[3];

	(void)arg;
	page = (void *)((uint64_t)page + MIB);
	CHECK(!aliased(page), "A20 is off already");
	port_out(0x92, 1, 0);
	by[0] = aliased(page);
	a20_on();
	port_out(0x64, 1, 0xdd);
	by[1] = aliased(page);
	a20_on();
	port_out(0x64, 1, 0xd1);
	port_out(0x60, 1, 0xdd);
	by[2] = aliased(page);
	a20_on();
	CHECK(by[0] != closed, "port 92h: aliases %u", U64(by[0]));
	CHECK(by[1] != closed, "the keyboard controller: aliases %u", U64(by[1]));
	CHECK(by[2] != closed, "its output port: aliases %u", U64(by[2]));
}

/* The controller still does what it is for. */
static void keyboard(const void *arg)
{
	(void)arg;
	while (inb(0x64) & 1)
		(void)inb(0x60);
	port_out(0x64, 1, 0xaa);
	CHECK(WAIT_FOR(inb(0x64) & 1), "no answer to the self-test");
	CHECK_EQ(inb(0x60), 0x55);
	port_out(0x64, 1, 0x20);
	CHECK(WAIT_FOR(inb(0x64) & 1), "no answer");
	(void)inb(0x60);
}

static void isa_dma(const void *arg)
{
	uint8_t low, high;

	(void)arg;
	port_out(0x0c, 1, 0);
	port_out(0x02, 1, 0x34);
	port_out(0x02, 1, 0x12);
	port_out(0x0c, 1, 0);
	low = inb(0x02);
	high = inb(0x02);
	CHECK((low == 0x34 || high == 0x34) != closed, "the address is 0x%x%x", U64(high),
	      U64(low));
}

static void watchdog(const void *arg)
{
	uint16_t port;
	uint32_t before, now;

	(void)arg;
	need_q35();
	port = (uint16_t)((config(LPC, PMBASE, 2) & 0xff80) + TCO_TMR);
	before = port_in(port, 2);
	port_out(port, 2, before ^ 0x100);
	now = port_in(port, 2);
	port_out(port, 2, before);
	CHECK((now == before) == closed, "the timer is 0x%x", U64(now));
}

/* S3 and S4, and the ways to write half of it. On a bare machine it would be the end. */
static void sleep(const void *arg)
{
	uint16_t port;
	uint64_t count;

	(void)arg;
	need_q35();
	if (!closed)
		test_skip("the machine would sleep");
	port = (uint16_t)((config(LPC, PMBASE, 2) & 0xff80) + 4);
	count = refused();
	port_out(port, 2, 1 << 13 | 1 << 10);
	port_out(port, 2, 1 << 13 | 2 << 10);
	port_out(port + 1, 1, 1 << 5 | 1 << 2);
	port_out(port, 4, 1 << 13 | 1 << 10);
	port_out(port - 2, 4, (1 << 13 | 1 << 10) << 16);
	CHECK_EQ(refused(), count + 5);
}

static void halves(const void *arg)
{
	(void)arg;
	if (!closed)
		test_skip("the machine would be reset");
	port_out(0xcf8, 2, 0x0600);
	port_out(0xcf9, 2, 0x0006);
	port_out(0xcf9, 4, 0x0006);
	port_out(0xcf7, 4, 0x060000);
	port_out(0x63, 2, 0xfe00);
	port_out(0x61, 4, 0xfe000000);
	port_out(0x91, 2, 0x0100);
	CHECK(monitor_answers(), "the monitor does not answer any more");
}

static void do_string(void *arg)
{
	static uint8_t byte = 0x06;
	const void *at = &byte;
	uint64_t n = 1;

	(void)arg;
	__asm__ volatile("rep outsb" : "+S"(at), "+c"(n) : "d"((uint16_t)0xcf9) : "memory");
}

static void strings(const void *arg)
{
	(void)arg;
	if (!closed)
		test_skip("the machine would be reset");
	CHECK(faults_with(do_string, NULL, VEC_GP), "OUTS to port CF9h is let through");
}

void l1_main(void)
{
	vendor_start();
	apic_init();
	closed = monitor_present();
	test("smram", smram, NULL);
	test("moved-config-space", moved_config_space, NULL);
	test("moved-power-management", moved_power_management, NULL);
	test("disguised", disguised, NULL);
	test("config-in-memory", config_in_memory, NULL);
	test("registers-over-memory", registers_over_memory, NULL);
	test("bar-over-memory", bar_over_memory, NULL);
	test("bar-over-config", bar_over_config, NULL);
	test("fw-cfg", fw_cfg, NULL);
	test("a20", a20, NULL);
	test("keyboard", keyboard, NULL);
	test("isa-dma", isa_dma, NULL);
	test("watchdog", watchdog, NULL);
	test("sleep", sleep, NULL);
	test("halves", halves, NULL);
	test("strings", strings, NULL);
}
