/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/map_tests.h"

#include "lib/mem.h"
#include "lib/msr_guests.h"
#include "lib/pages.h"

IO_CODE(inb, "", "inb %dx, %al");
IO_CODE(inw, "", "inw %dx, %ax");
IO_CODE(inl, "", "inl %dx, %eax");
IO_CODE(outb, "", "outb %al, %dx");
IO_CODE(outw, "", "outw %ax, %dx");
IO_CODE(outl, "", "outl %eax, %dx");
IO_CODE(inl_rex, "", ".byte 0x48; inl %dx, %eax");
IO_CODE(insb, "lea -64(%rsp), %rdi", "insb");
IO_CODE(insw, "lea -64(%rsp), %rdi", "insw");
IO_CODE(insl, "lea -64(%rsp), %rdi", "insl");
IO_CODE(outsb, "lea -64(%rsp), %rsi", "outsb");
IO_CODE(outsl, "lea -64(%rsp), %rsi", "outsl");
IO_CODE(rep_insb, "lea -64(%rsp), %rdi; mov $3, %ecx", "rep insb");
IO_CODE(rep_outsw, "lea -64(%rsp), %rsi; mov $3, %ecx", "rep outsw");
IO_CODE(rep_outsb_a32, "lea -64(%rsp), %rsi; mov $3, %ecx", ".byte 0x67; rep outsb");
#define REP_INSB 12

#define INS .in = true, .string = true, .segment = SEGMENT_ES
#define OUTS .string = true, .segment = SEGMENT_DS

const struct io ios[IOS] = {
	{IO_CASE(inb, 1), .in = true},
	{IO_CASE(inw, 2), .in = true},
	{IO_CASE(inl, 4), .in = true},
	{IO_CASE(outb, 1)},
	{IO_CASE(outw, 2)},
	{IO_CASE(outl, 4)},
	{IO_CASE(inl_rex, 4), .in = true},
	{IO_CASE(insb, 1), INS, .address = 64},
	{IO_CASE(insw, 2), INS, .address = 64},
	{IO_CASE(insl, 4), INS, .address = 64},
	{IO_CASE(outsb, 1), OUTS, .address = 64},
	{IO_CASE(outsl, 4), OUTS, .address = 64},
	[REP_INSB] = {IO_CASE(rep_insb, 1), INS, .rep = true, .address = 64},
	{IO_CASE(rep_outsw, 2), OUTS, .rep = true, .address = 64},
	{IO_CASE(rep_outsb_a32, 1), OUTS, .rep = true, .address = 32},
};

struct guest io_guest(const struct io *i, uint16_t port)
{
	struct guest g = mapped_guest(i->code);

	g.r.rdx = port;
	return g;
}

static void io_exits(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, 0x1234);

	port_exits(&g, 0x1234, true);
	expect_io(&g, i, 0x1234);
	if (i->rep)
		CHECK_EQ(g.r.rcx, 3);
}

static void io_passes(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, QUIET_PORT);

	all_ports_exit(&g);
	for (unsigned p = 0; p < i->size; p++)
		port_exits(&g, QUIET_PORT + p, false);
	guest_expect_at(&g, X_STOP, i->next);
	if (i->rep)
		CHECK_EQ(g.r.rcx, 0);
}

/* Any byte of a wide access decides, also across a byte of the map and at its ends. */
static void io_each_byte(const void *arg)
{
	const struct io *i = arg;
	static const uint16_t ports[] = {0x1230, 0x1237, 0x7fff, 0x7ffe, 0x8000,
					 0xfff8, 0xfffc, 0xfffd, 0xffff};

	for (unsigned p = 0; p < ARRAY_SIZE(ports); p++) {
		struct guest g = io_guest(i, ports[p]);

		for (unsigned b = 0; b < i->size; b++) {
			if (ports[p] + i->size > 0x10000 && !map_shape.beyond_last_port)
				break;
			port_exits(&g, ports[p] + b, true);
			guest_at(&g, i->code);
			expect_io(&g, i, ports[p]);
			port_exits(&g, ports[p] + b, false);
		}
	}
}

static void io_map_changes(const void *arg)
{
	struct guest g = io_guest(&ios[0], QUIET_PORT);

	(void)arg;
	for (unsigned n = 0; n < 20; n++) {
		guest_at(&g, ios[0].code);
		port_exits(&g, QUIET_PORT, n % 2);
		guest_expect(&g, n % 2 ? X_IO : X_STOP);
	}
}

/* A string that exits and goes on: nothing was done before, all of it after. */
static void io_string_continues(const void *arg)
{
	const struct io *i = &ios[REP_INSB];
	struct guest g = io_guest(i, QUIET_PORT);

	(void)arg;
	port_exits(&g, QUIET_PORT, true);
	guest_expect_at(&g, X_IO, i->at);
	CHECK_EQ(g.r.rcx, 3);
	port_exits(&g, QUIET_PORT, false);
	guest_expect_at(&g, X_STOP, i->next);
	CHECK_EQ(g.r.rcx, 0);
	CHECK_EQ(g.r.rdi, (uint64_t)g.stack - 64 - 64 + 3);
}

static const uint32_t msrs[] = {MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_PAT,     MSR_EFER,
				MSR_STAR,        MSR_LSTAR,        MSR_FS_BASE, MSR_KERNEL_GS_BASE};

/* One bit of the map set: that access exits. `first` is where the guest starts. */
static void check_msr_bit(struct guest *g, uint32_t msr, bool write, const uint8_t *first)
{
	all_msrs_exit(g, false);
	msr_exits(g, msr, write, true);
	g->r.rcx = msr;
	guest_at(g, first);
	expect_msr(g, write, write ? at_wrmsr : at_rdmsr, write ? next_wrmsr : next_rdmsr);
}

static void msr_read_bit(const void *arg)
{
	struct guest g = mapped_guest(guest_rdmsr);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++)
		check_msr_bit(&g, msrs[n], false, guest_rdmsr);
	if (map_shape.own_msr)
		check_msr_bit(&g, map_shape.own_msr, false, guest_rdmsr);
}

/* The guest reads first, which passes. */
static void msr_write_bit(const void *arg)
{
	struct guest g = mapped_guest(guest_wrmsr);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++)
		check_msr_bit(&g, msrs[n], true, guest_wrmsr);
	if (map_shape.own_msr)
		check_msr_bit(&g, map_shape.own_msr, true, at_wrmsr);
}

/* All bits but the two of this MSR set: nothing exits. */
static void msr_passes(const void *arg)
{
	struct guest g = mapped_guest(guest_wrmsr);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++) {
		all_msrs_exit(&g, true);
		msr_exits(&g, msrs[n], false, false);
		msr_exits(&g, msrs[n], true, false);
		g.r.rcx = msrs[n];
		guest_at(&g, guest_wrmsr);
		guest_expect_at(&g, X_STOP, next_wrmsr);
	}
}

static void msr_range_ends(const void *arg)
{
	struct guest g = mapped_guest(guest_rdmsr);

	(void)arg;
	for (unsigned n = 0; n < map_shape.ends; n++) {
		for (unsigned write = 0; write < 2; write++)
			check_msr_bit(&g, map_shape.msr_ends[n], write,
				      write ? at_wrmsr : at_rdmsr);
	}
}

static void msr_outside(const void *arg)
{
	struct guest g = mapped_guest(guest_rdmsr);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(map_shape.msr_outside); n++) {
		g.r.rcx = map_shape.msr_outside[n];
		guest_at(&g, at_rdmsr);
		expect_msr(&g, false, at_rdmsr, next_rdmsr);
		guest_at(&g, at_wrmsr);
		expect_msr(&g, true, at_wrmsr, next_wrmsr);
	}
}

static void msr_map_changes(const void *arg)
{
	struct guest g = mapped_guest(guest_rdmsr);
	uint8_t *all = pages_alloc(2, PAGE_SIZE);

	(void)arg;
	memset(all, 0xff, 2 * PAGE_SIZE);
	g.r.rcx = MSR_STAR;
	for (unsigned n = 0; n < 40; n++) {
		bool exits = n % 2;

		guest_at(&g, guest_rdmsr);
		use_msr_map(&g, n >= 20 && exits ? all : NULL);
		msr_exits(&g, MSR_STAR, false, n < 20 && exits);
		if (exits)
			expect_msr(&g, false, at_rdmsr, next_rdmsr);
		else
			guest_expect(&g, X_STOP);
	}
}

void io_tests(const struct io *i)
{
	test_named("io-exits-", i->name, io_exits, i);
	test_named("io-passes-", i->name, io_passes, i);
	test_named("io-each-byte-", i->name, io_each_byte, i);
}

void map_tests(void)
{
	for (unsigned i = 0; i < IOS; i++)
		io_tests(&ios[i]);
	test("io-map-changes", io_map_changes, NULL);
	test("io-string-continues", io_string_continues, NULL);
	test("msr-read-bit", msr_read_bit, NULL);
	test("msr-write-bit", msr_write_bit, NULL);
	test("msr-passes", msr_passes, NULL);
	test("msr-range-ends", msr_range_ends, NULL);
	test("msr-outside", msr_outside, NULL);
	test("msr-map-changes", msr_map_changes, NULL);
}
