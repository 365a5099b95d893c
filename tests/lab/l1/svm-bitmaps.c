/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O and MSR permission maps: exactly what they say exits. */
#include "lib/mem.h"
#include "lib/pages.h"
#include "svm/known.h"
#include "svm/svm.h"

/* exit_info1 of IOIO: APM 2, 15.10.2 */
#define IO_IN 0x1u
#define IO_STRING 0x4u
#define IO_REP 0x8u
#define IO_SIZE(bytes) ((uint32_t)(bytes) << 4)
#define IO_A32 0x100u
#define IO_A64 0x200u
#define IO_ADDRESS 0x380u
#define IO_SEGMENT 0x1c00u
#define IO_SEGMENT_SHIFT 10

/* The APM numbers segments as instructions do: ES 0, CS 1, SS 2, DS 3, FS 4, GS 5. */
#define SEGMENT_ES 0
#define SEGMENT_DS 3

/* Ports that nothing answers on q35, or that do no harm: 0x80 is the POST code. */
#define QUIET_PORT 0x80

struct io {
	const char *name;
	const uint8_t *code, *at, *next;
	uint32_t info, size;
	uint32_t address, segment; /* for strings */
};

#define CODE(id, setup, instruction) \
	GUEST_LABEL(at_##id);        \
	GUEST_LABEL(next_##id);      \
	GUEST(code_##id, setup "\nat_" #id ": " instruction "\nnext_" #id ":" STOP)
#define CASE(id, bits, bytes)                                                             \
	.name = #id, .code = code_##id, .at = at_##id, .next = next_##id, .info = (bits), \
	.size = (bytes)

/* DX has the port. */
CODE(inb, "", "inb %dx, %al");
CODE(inw, "", "inw %dx, %ax");
CODE(inl, "", "inl %dx, %eax");
CODE(outb, "", "outb %al, %dx");
CODE(outw, "", "outw %ax, %dx");
CODE(outl, "", "outl %eax, %dx");
CODE(inl_rex, "", ".byte 0x48; inl %dx, %eax");
CODE(insb, "lea -64(%rsp), %rdi", "insb");
CODE(insw, "lea -64(%rsp), %rdi", "insw");
CODE(insl, "lea -64(%rsp), %rdi", "insl");
CODE(outsb, "lea -64(%rsp), %rsi", "outsb");
CODE(outsl, "lea -64(%rsp), %rsi", "outsl");
CODE(rep_insb, "lea -64(%rsp), %rdi; mov $3, %ecx", "rep insb");
CODE(rep_outsw, "lea -64(%rsp), %rsi; mov $3, %ecx", "rep outsw");
CODE(rep_outsb_a32, "lea -64(%rsp), %rsi; mov $3, %ecx", ".byte 0x67; rep outsb");

static const struct io ios[] = {
	{CASE(inb, IO_IN, 1)},
	{CASE(inw, IO_IN, 2)},
	{CASE(inl, IO_IN, 4)},
	{CASE(outb, 0, 1)},
	{CASE(outw, 0, 2)},
	{CASE(outl, 0, 4)},
	{CASE(inl_rex, IO_IN, 4)},
	{CASE(insb, IO_IN | IO_STRING, 1), .address = IO_A64, .segment = SEGMENT_ES},
	{CASE(insw, IO_IN | IO_STRING, 2), .address = IO_A64, .segment = SEGMENT_ES},
	{CASE(insl, IO_IN | IO_STRING, 4), .address = IO_A64, .segment = SEGMENT_ES},
	{CASE(outsb, IO_STRING, 1), .address = IO_A64, .segment = SEGMENT_DS},
	{CASE(outsl, IO_STRING, 4), .address = IO_A64, .segment = SEGMENT_DS},
	{CASE(rep_insb, IO_IN | IO_STRING | IO_REP, 1), .address = IO_A64, .segment = SEGMENT_ES},
	{CASE(rep_outsw, IO_STRING | IO_REP, 2), .address = IO_A64, .segment = SEGMENT_DS},
	{CASE(rep_outsb_a32, IO_STRING | IO_REP, 1), .address = IO_A32, .segment = SEGMENT_DS},
};

static void set_bit(uint8_t *map, size_t bit, bool on)
{
	map[bit / 8] = (uint8_t)((map[bit / 8] & ~(1u << bit % 8)) | (unsigned)on << bit % 8);
}

static struct guest io_guest(const struct io *i, uint16_t port)
{
	struct guest g = guest_long(i->code);

	intercept(&g, X_IOIO);
	g.r.rdx = port;
	return g;
}

static void io_exits(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, 0x1234);

	set_bit(g.iopm, 0x1234, true);
	guest_expect_at(&g, X_IOIO, i->at);
	CHECK_EQ(g.vmcb->exit_info1 & ~(uint64_t)(IO_ADDRESS | IO_SEGMENT),
		 0x12340000u | i->info | IO_SIZE(i->size));
	CHECK_EQ(g.vmcb->exit_info2, i->next);
}

/* Address size always; the segment of OUTS with decode assists (APM 2, 15.10.2 and 15.34). */
static void io_address_size(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, 0x1234);

	set_bit(g.iopm, 0x1234, true);
	guest_expect_at(&g, X_IOIO, i->at);
	tcg_limit(!(svm_features() & SVM_DECODE) && !(g.vmcb->exit_info1 & IO_ADDRESS),
		  "TCG does not report the address size");
	CHECK_EQ(g.vmcb->exit_info1 & IO_ADDRESS, i->address);
	if ((svm_features() & SVM_DECODE) && i->segment == SEGMENT_DS)
		CHECK_EQ((g.vmcb->exit_info1 & IO_SEGMENT) >> IO_SEGMENT_SHIFT, i->segment);
}

static void io_passes(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, QUIET_PORT);

	memset(g.iopm, 0xff, IOPM_SIZE);
	for (unsigned p = 0; p < i->size; p++)
		set_bit(g.iopm, QUIET_PORT + p, false);
	guest_expect_at(&g, X_VMMCALL, i->next);
	if (i->info & IO_REP)
		CHECK_EQ(g.r.rcx, 0);
}

/* Any byte of a wide access decides, also across a byte of the map, and past port 0xffff. */
static void io_each_byte(const void *arg)
{
	const struct io *i = arg;
	static const uint16_t ports[] = {0x1230, 0x1237, 0x7fff, 0xfff8, 0xfffd, 0xffff};

	for (unsigned p = 0; p < ARRAY_SIZE(ports); p++) {
		for (unsigned b = 0; b < i->size; b++) {
			size_t mark = pages_mark();
			struct guest g = io_guest(i, ports[p]);

			set_bit(g.iopm, (size_t)ports[p] + b, true);
			guest_expect_at(&g, X_IOIO, i->at);
			CHECK_EQ(g.vmcb->exit_info1 >> 16, ports[p]);
			pages_release(mark);
		}
	}
}

GUEST(guest_immediate, "at_immediate: outb %al, $0x80\n" STOP);
GUEST_LABEL(at_immediate);
static void io_immediate(const void *arg)
{
	struct guest g = guest_long(guest_immediate);

	(void)arg;
	intercept(&g, X_IOIO);
	set_bit(g.iopm, 0x80, true);
	guest_expect_at(&g, X_IOIO, at_immediate);
	CHECK_EQ(g.vmcb->exit_info1,
		 0x800000 | IO_SIZE(1) | (g.vmcb->exit_info1 & (IO_ADDRESS | IO_SEGMENT)));
}

/* Without the intercept, the map does not matter. */
static void io_not_intercepted(const void *arg)
{
	struct guest g = io_guest(&ios[0], QUIET_PORT);

	(void)arg;
	intercept_clear(&g, X_IOIO);
	memset(g.iopm, 0xff, IOPM_SIZE);
	guest_expect_at(&g, X_VMMCALL, ios[0].next);
}

static void io_map_changes(const void *arg)
{
	struct guest g = io_guest(&ios[0], QUIET_PORT);

	(void)arg;
	for (unsigned n = 0; n < 20; n++) {
		g.vmcb->rip = (uint64_t)ios[0].code;
		set_bit(g.iopm, QUIET_PORT, n % 2);
		guest_expect(&g, n % 2 ? X_IOIO : X_VMMCALL);
	}
}

static void io_other_map(const void *arg)
{
	struct guest g = io_guest(&ios[0], QUIET_PORT);
	uint8_t *all = pages_alloc(IOPM_SIZE / PAGE_SIZE, PAGE_SIZE);

	(void)arg;
	memset(all, 0xff, IOPM_SIZE);
	for (unsigned n = 0; n < 20; n++) {
		g.vmcb->rip = (uint64_t)ios[0].code;
		g.vmcb->iopm = (uint64_t)(n % 2 ? all : g.iopm);
		guest_expect(&g, n % 2 ? X_IOIO : X_VMMCALL);
	}
}

/* A string that exits in its middle: what was done is done, and it can go on. */
static void io_string_continues(const void *arg)
{
	const struct io *i = &ios[12];
	struct guest g = io_guest(i, QUIET_PORT);

	(void)arg;
	set_bit(g.iopm, QUIET_PORT, true);
	guest_expect_at(&g, X_IOIO, i->at);
	CHECK_EQ(g.r.rcx, 3);
	set_bit(g.iopm, QUIET_PORT, false);
	guest_expect_at(&g, X_VMMCALL, i->next);
	CHECK_EQ(g.r.rcx, 0);
	CHECK_EQ(g.r.rdi, (uint64_t)g.stack - 64 - 64 + 3);
}

GUEST(guest_rdmsr, "at_rdmsr: rdmsr; next_rdmsr:" STOP);
GUEST(guest_wrmsr, "rdmsr; at_wrmsr: wrmsr; next_wrmsr:" STOP);
GUEST(guest_wrmsr_only, "at_wrmsr_only: wrmsr\n" STOP);
GUEST_LABEL(at_rdmsr);
GUEST_LABEL(next_rdmsr);
GUEST_LABEL(at_wrmsr);
GUEST_LABEL(next_wrmsr);
GUEST_LABEL(at_wrmsr_only);

/* Where the read bit of an MSR is; the write bit follows it (APM 2, 15.11). */
static size_t msr_bit(uint32_t msr)
{
	uint32_t range = msr >= 0xc0010000 ? 2 : msr >= 0xc0000000 ? 1 : 0;

	return (size_t)range * 0x4000 + (size_t)(msr & 0x1fff) * 2;
}

static struct guest msr_guest(const void *code, uint32_t msr)
{
	struct guest g = guest_long(code);

	intercept(&g, X_MSR);
	g.r.rcx = msr;
	return g;
}

static const uint32_t msrs[] = {MSR_SYSENTER_CS, MSR_SYSENTER_EIP,   MSR_PAT,
				MSR_EFER,        MSR_STAR,           MSR_LSTAR,
				MSR_FS_BASE,     MSR_KERNEL_GS_BASE, SVM_MSR_HSAVE};

static void msr_read_bit(const void *arg)
{
	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++) {
		size_t mark = pages_mark();
		struct guest g = msr_guest(guest_rdmsr, msrs[n]);

		set_bit(g.msrpm, msr_bit(msrs[n]), true);
		guest_expect_at(&g, X_MSR, at_rdmsr);
		CHECK_EQ(g.vmcb->exit_info1, 0);
		if (svm_features() & SVM_NRIPS)
			CHECK_EQ(g.vmcb->next_rip, next_rdmsr);
		pages_release(mark);
	}
}

static void msr_write_bit(const void *arg)
{
	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++) {
		size_t mark = pages_mark();
		struct guest g = msr_guest(guest_wrmsr, msrs[n]);

		set_bit(g.msrpm, msr_bit(msrs[n]) + 1, true);
		if (msrs[n] == SVM_MSR_HSAVE)
			g.vmcb->rip = (uint64_t)at_wrmsr;
		guest_expect_at(&g, X_MSR, at_wrmsr);
		CHECK_EQ(g.vmcb->exit_info1, 1);
		if (svm_features() & SVM_NRIPS)
			CHECK_EQ(g.vmcb->next_rip, next_wrmsr);
		pages_release(mark);
	}
}

/* All bits but the two of this MSR set: nothing exits. */
static void msr_passes(const void *arg)
{
	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++) {
		size_t mark = pages_mark();
		struct guest g = msr_guest(guest_wrmsr, msrs[n]);

		if (msrs[n] == SVM_MSR_HSAVE)
			continue;
		memset(g.msrpm, 0xff, MSRPM_SIZE);
		set_bit(g.msrpm, msr_bit(msrs[n]), false);
		set_bit(g.msrpm, msr_bit(msrs[n]) + 1, false);
		guest_expect_at(&g, X_VMMCALL, next_wrmsr);
		pages_release(mark);
	}
}

/* First and last of each range. */
static void msr_range_ends(const void *arg)
{
	static const uint32_t ends[] = {0, 0x1fff, 0xc0000000, 0xc0001fff, 0xc0010000, 0xc0011fff};

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(ends); n++) {
		for (unsigned write = 0; write < 2; write++) {
			size_t mark = pages_mark();
			struct guest g = msr_guest(write ? guest_wrmsr_only : guest_rdmsr, ends[n]);

			set_bit(g.msrpm, msr_bit(ends[n]) + write, true);
			guest_expect_at(&g, X_MSR, write ? at_wrmsr_only : at_rdmsr);
			CHECK_EQ(g.vmcb->exit_info1, write);
			pages_release(mark);
		}
	}
}

static void msr_outside(const void *arg)
{
	static const uint32_t outside[] = {0x2000,     0x40000000, 0xbfffffff,
					   0xc0002000, 0xc0012000, 0xffffffff};

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(outside); n++) {
		for (unsigned write = 0; write < 2; write++) {
			size_t mark = pages_mark();
			struct guest g =
				msr_guest(write ? guest_wrmsr_only : guest_rdmsr, outside[n]);

			guest_expect_at(&g, X_MSR, write ? at_wrmsr_only : at_rdmsr);
			CHECK_EQ(g.vmcb->exit_info1, write);
			pages_release(mark);
		}
	}
}

static void msr_not_intercepted(const void *arg)
{
	struct guest g = msr_guest(guest_wrmsr, MSR_STAR);

	(void)arg;
	intercept_clear(&g, X_MSR);
	memset(g.msrpm, 0xff, MSRPM_SIZE);
	guest_expect_at(&g, X_VMMCALL, next_wrmsr);
}

static void msr_map_changes(const void *arg)
{
	struct guest g = msr_guest(guest_rdmsr, MSR_STAR);
	uint8_t *all = pages_alloc(MSRPM_SIZE / PAGE_SIZE, PAGE_SIZE);

	(void)arg;
	memset(all, 0xff, MSRPM_SIZE);
	for (unsigned n = 0; n < 40; n++) {
		bool exits = n % 2;

		g.vmcb->rip = (uint64_t)guest_rdmsr;
		g.vmcb->msrpm = (uint64_t)(n >= 20 && exits ? all : g.msrpm);
		set_bit(g.msrpm, msr_bit(MSR_STAR), n < 20 && exits);
		guest_expect(&g, exits ? X_MSR : X_VMMCALL);
	}
}

/* The low 12 bits of both addresses are ignored (APM 2, 15.10.1 and 15.11). */
static void low_address_bits(const void *arg)
{
	struct guest g = msr_guest(guest_rdmsr, MSR_STAR);

	(void)arg;
	set_bit(g.msrpm, msr_bit(MSR_STAR), true);
	g.vmcb->msrpm |= 0x7;
	g.vmcb->iopm |= 0x10;
	guest_run(&g);
	tcg_lax(g.vmcb->exit_code == X_VMMCALL, "TCG adds the low bits of the MSR map's address");
	CHECK_EQ(g.vmcb->exit_code, X_MSR);
}

void l1_main(void)
{
	svm_start();
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++)
		test_named("io-exits-", ios[i].name, io_exits, &ios[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++)
		test_named("io-passes-", ios[i].name, io_passes, &ios[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++)
		test_named("io-each-byte-", ios[i].name, io_each_byte, &ios[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++) {
		if (ios[i].address)
			test_named("io-address-size-", ios[i].name, io_address_size, &ios[i]);
	}
	test("io-immediate", io_immediate, NULL);
	test("io-not-intercepted", io_not_intercepted, NULL);
	test("io-map-changes", io_map_changes, NULL);
	test("io-other-map", io_other_map, NULL);
	test("io-string-continues", io_string_continues, NULL);
	test("msr-read-bit", msr_read_bit, NULL);
	test("msr-write-bit", msr_write_bit, NULL);
	test("msr-passes", msr_passes, NULL);
	test("msr-range-ends", msr_range_ends, NULL);
	test("msr-outside", msr_outside, NULL);
	test("msr-not-intercepted", msr_not_intercepted, NULL);
	test("msr-map-changes", msr_map_changes, NULL);
	test("low-address-bits", low_address_bits, NULL);
}
