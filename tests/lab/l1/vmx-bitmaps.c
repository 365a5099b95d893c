/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O and MSR bitmaps: exactly what they say exits. SDM 3, 24.6.4, 24.6.9 and 25.1.3. */
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/trap.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

/* The exit qualification of I/O: SDM 3, table 27-5. */
#define IO_SIZE(bytes) ((bytes)-1u)
#define IO_IN 0x8u
#define IO_STRING 0x10u
#define IO_REP 0x20u
#define IO_IMMEDIATE 0x40u
#define IO_PORT(p) ((uint64_t)(p) << 16)

/* Instruction information of INS and OUTS: SDM 3, table 27-8. */
#define INFO_ADDRESS 0x380u
#define INFO_A32 0x80u
#define INFO_A64 0x100u
#define INFO_SEGMENT(n) ((uint32_t)(n) << 15)
#define DS 3
#define FS 4

/* A port that nothing answers, or that does no harm: 0x80 is the POST code. */
#define QUIET_PORT 0x80
#define ABSENT_MSR 0x1ffe

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
CODE(outsb_fs, "lea -64(%rsp), %rsi", "outsb %fs:(%rsi), %dx");
CODE(rep_insb, "lea -64(%rsp), %rdi; mov $3, %ecx", "rep insb");
CODE(rep_outsw, "lea -64(%rsp), %rsi; mov $3, %ecx", "rep outsw");
CODE(rep_outsb_a32, "lea -64(%rsp), %rsi; mov $3, %ecx", ".byte 0x67; rep outsb");
#define REP_INSB 13

static const struct io ios[] = {
	{CASE(inb, IO_IN, 1)},
	{CASE(inw, IO_IN, 2)},
	{CASE(inl, IO_IN, 4)},
	{CASE(outb, 0, 1)},
	{CASE(outw, 0, 2)},
	{CASE(outl, 0, 4)},
	{CASE(inl_rex, IO_IN, 4)},
	{CASE(insb, IO_IN | IO_STRING, 1), .address = INFO_A64},
	{CASE(insw, IO_IN | IO_STRING, 2), .address = INFO_A64},
	{CASE(insl, IO_IN | IO_STRING, 4), .address = INFO_A64},
	{CASE(outsb, IO_STRING, 1), .address = INFO_A64, .segment = DS},
	{CASE(outsl, IO_STRING, 4), .address = INFO_A64, .segment = DS},
	{CASE(outsb_fs, IO_STRING, 1), .address = INFO_A64, .segment = FS},
	{CASE(rep_insb, IO_IN | IO_STRING | IO_REP, 1), .address = INFO_A64},
	{CASE(rep_outsw, IO_STRING | IO_REP, 2), .address = INFO_A64, .segment = DS},
	{CASE(rep_outsb_a32, IO_STRING | IO_REP, 1), .address = INFO_A32, .segment = DS},
};

static void set_bit(uint8_t *map, size_t bit, bool on)
{
	map[bit / 8] = (uint8_t)((map[bit / 8] & ~(1u << bit % 8)) | (unsigned)on << bit % 8);
}

static void set_port(const struct guest *g, unsigned port, bool on)
{
	set_bit(port < 0x8000 ? g->io_a : g->io_b, port & 0x7fff, on);
}

static struct guest io_guest(const struct io *i, uint16_t port)
{
	struct guest g = guest_long(i->code);

	g.r.rdx = port;
	return g;
}

static void io_exits(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, 0x1234);

	set_port(&g, 0x1234, true);
	guest_expect_at(&g, X_IO, i->at);
	CHECK_EQ(get(&g, I_QUALIFICATION), IO_PORT(0x1234) | i->info | IO_SIZE(i->size));
	CHECK_EQ(get(&g, I_LENGTH), i->next - i->at);
	if (i->info & IO_REP)
		CHECK_EQ(g.r.rcx, 3);
}

static void io_string_info(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, 0x1234);
	uint64_t info;

	if (!(rdmsr(MSR_VMX_BASIC) & BASIC_INS_INFO))
		test_skip("no information on INS and OUTS");
	put(&g, G_FS_BASE, 0x1000);
	set_port(&g, 0x1234, true);
	guest_expect_at(&g, X_IO, i->at);
	info = get(&g, I_INFO);
	CHECK_EQ(info & INFO_ADDRESS, i->address);
	if (i->segment)
		CHECK_EQ(info & INFO_SEGMENT(7), INFO_SEGMENT(i->segment));
	CHECK_EQ(get(&g, I_LINEAR), (uint64_t)g.stack - 128 + (i->segment == FS ? 0x1000 : 0));
}

static void io_passes(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, QUIET_PORT);

	memset(g.io_a, 0xff, PAGE_SIZE);
	memset(g.io_b, 0xff, PAGE_SIZE);
	for (unsigned p = 0; p < i->size; p++)
		set_port(&g, QUIET_PORT + p, false);
	guest_expect_at(&g, X_VMCALL, i->next);
	if (i->info & IO_REP)
		CHECK_EQ(g.r.rcx, 0);
}

/* Any byte of a wide access decides, also across a byte of the map and from one map to the other. */
static void io_each_byte(const void *arg)
{
	const struct io *i = arg;
	static const uint16_t ports[] = {0x1230, 0x1237, 0x7fff, 0x7ffe, 0x8000, 0xfff8, 0xfffc};

	for (unsigned p = 0; p < ARRAY_SIZE(ports); p++) {
		struct guest g = io_guest(i, ports[p]);

		for (unsigned b = 0; b < i->size; b++) {
			set_port(&g, ports[p] + b, true);
			guest_at(&g, i->code);
			guest_expect_at(&g, X_IO, i->at);
			CHECK_EQ(get(&g, I_QUALIFICATION) >> 16, ports[p]);
			set_port(&g, ports[p] + b, false);
		}
	}
}

/* An access that wraps around the 16-bit port space always exits. */
static void io_wraps(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, (uint16_t)(0x10001 - i->size));

	guest_expect_at(&g, X_IO, i->at);
}

GUEST(guest_immediate, "at_immediate: outb %al, $0x80\n at_in_immediate: inl $0x90, %eax\n" STOP);
GUEST_LABEL(at_immediate);
GUEST_LABEL(at_in_immediate);
static void io_immediate(const void *arg)
{
	struct guest g = guest_long(guest_immediate);

	(void)arg;
	set_port(&g, 0x80, true);
	set_port(&g, 0x93, true);
	guest_expect_at(&g, X_IO, at_immediate);
	CHECK_EQ(get(&g, I_QUALIFICATION), IO_PORT(0x80) | IO_IMMEDIATE | IO_SIZE(1));
	guest_at(&g, at_in_immediate);
	guest_expect_at(&g, X_IO, at_in_immediate);
	CHECK_EQ(get(&g, I_QUALIFICATION), IO_PORT(0x90) | IO_IN | IO_IMMEDIATE | IO_SIZE(4));
}

/* Without the bitmaps, "unconditional I/O exiting" decides; with them it does not count. */
static void io_unconditional(const void *arg)
{
	struct guest g = io_guest(&ios[0], QUIET_PORT);

	(void)arg;
	set_bits(&g, C_PROC, PROC_IO);
	guest_expect_at(&g, X_VMCALL, ios[0].next);
	clear_bits(&g, C_PROC, PROC_IO_MAPS);
	guest_at(&g, ios[0].code);
	guest_expect_at(&g, X_IO, ios[0].at);
	CHECK_EQ(get(&g, I_QUALIFICATION), IO_PORT(QUIET_PORT) | IO_IN);
	clear_bits(&g, C_PROC, PROC_IO);
	memset(g.io_a, 0xff, PAGE_SIZE);
	guest_at(&g, ios[0].code);
	guest_expect_at(&g, X_VMCALL, ios[0].next);
}

static void io_map_changes(const void *arg)
{
	struct guest g = io_guest(&ios[0], QUIET_PORT);

	(void)arg;
	for (unsigned n = 0; n < 20; n++) {
		guest_at(&g, ios[0].code);
		set_port(&g, QUIET_PORT, n % 2);
		guest_expect(&g, n % 2 ? X_IO : X_VMCALL);
	}
}

static void io_other_map(const void *arg)
{
	struct guest g = io_guest(&ios[0], QUIET_PORT), h = io_guest(&ios[0], 0x9234);
	uint8_t *all = page_alloc();

	(void)arg;
	memset(all, 0xff, PAGE_SIZE);
	for (unsigned n = 0; n < 20; n++) {
		guest_at(&g, ios[0].code);
		put(&g, C_IO_MAP_A, (uint64_t)(n % 2 ? all : g.io_a));
		guest_expect(&g, n % 2 ? X_IO : X_VMCALL);
		guest_at(&h, ios[0].code);
		put(&h, C_IO_MAP_B, (uint64_t)(n % 2 ? h.io_b : all));
		guest_expect(&h, n % 2 ? X_VMCALL : X_IO);
	}
}

/* A string that exits and goes on: nothing was done before, all of it after. */
static void io_string_continues(const void *arg)
{
	const struct io *i = &ios[REP_INSB];
	struct guest g = io_guest(i, QUIET_PORT);

	(void)arg;
	set_port(&g, QUIET_PORT, true);
	guest_expect_at(&g, X_IO, i->at);
	CHECK_EQ(g.r.rcx, 3);
	set_port(&g, QUIET_PORT, false);
	guest_expect_at(&g, X_VMCALL, i->next);
	CHECK_EQ(g.r.rcx, 0);
	CHECK_EQ(g.r.rdi, (uint64_t)g.stack - 64 - 64 + 3);
}

/* The TSS's permissions, and IOPL, come first (SDM 3, 25.1.1). */
static void io_privilege(const void *arg)
{
	struct guest g = io_guest(&ios[0], 0x1234);

	(void)arg;
	guest_user(&g);
	set_port(&g, 0x1234, true);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, G_RIP), ios[0].at);
}

GUEST(guest_rdmsr, "at_rdmsr: rdmsr; next_rdmsr:" STOP);
GUEST(guest_wrmsr, "rdmsr; at_wrmsr: wrmsr; next_wrmsr:" STOP);
GUEST(guest_wrmsr_only, "at_wrmsr_only: wrmsr\n" STOP);
GUEST_LABEL(at_rdmsr);
GUEST_LABEL(next_rdmsr);
GUEST_LABEL(at_wrmsr);
GUEST_LABEL(next_wrmsr);
GUEST_LABEL(at_wrmsr_only);

/* Read low, read high, write low, write high: 1 KiB each. */
static size_t msr_bit(uint32_t msr, bool write)
{
	return (write ? 0x4000u : 0) + (msr >= 0xc0000000 ? 0x2000u : 0) + (msr & 0x1fff);
}

static struct guest msr_guest(const void *code, uint32_t msr)
{
	struct guest g = guest_long(code);

	g.r.rcx = msr;
	return g;
}

static const uint32_t msrs[] = {MSR_SYSENTER_CS, MSR_SYSENTER_EIP, MSR_PAT,     MSR_EFER,
				MSR_STAR,        MSR_LSTAR,        MSR_FS_BASE, MSR_KERNEL_GS_BASE};

static void msr_read_bit(const void *arg)
{
	struct guest g = msr_guest(guest_rdmsr, 0);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++) {
		memset(g.msr_map, 0, PAGE_SIZE);
		set_bit(g.msr_map, msr_bit(msrs[n], false), true);
		g.r.rcx = msrs[n];
		guest_at(&g, guest_rdmsr);
		guest_expect_at(&g, X_RDMSR, at_rdmsr);
		CHECK_EQ(get(&g, I_LENGTH), next_rdmsr - at_rdmsr);
		CHECK_EQ(get(&g, I_QUALIFICATION), 0);
	}
}

static void msr_write_bit(const void *arg)
{
	struct guest g = msr_guest(guest_wrmsr, 0);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++) {
		memset(g.msr_map, 0, PAGE_SIZE);
		set_bit(g.msr_map, msr_bit(msrs[n], true), true);
		g.r.rcx = msrs[n];
		guest_at(&g, guest_wrmsr);
		guest_expect_at(&g, X_WRMSR, at_wrmsr);
		CHECK_EQ(get(&g, I_LENGTH), next_wrmsr - at_wrmsr);
	}
}

/* All bits but the two of this MSR set: nothing exits. */
static void msr_passes(const void *arg)
{
	struct guest g = msr_guest(guest_wrmsr, 0);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(msrs); n++) {
		memset(g.msr_map, 0xff, PAGE_SIZE);
		set_bit(g.msr_map, msr_bit(msrs[n], false), false);
		set_bit(g.msr_map, msr_bit(msrs[n], true), false);
		g.r.rcx = msrs[n];
		guest_at(&g, guest_wrmsr);
		guest_expect_at(&g, X_VMCALL, next_wrmsr);
	}
}

/* First and last of each range. */
static void msr_range_ends(const void *arg)
{
	static const uint32_t ends[] = {0, 0x1fff, 0xc0000000, 0xc0001fff};
	struct guest g = msr_guest(guest_rdmsr, 0);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(ends); n++) {
		for (unsigned write = 0; write < 2; write++) {
			memset(g.msr_map, 0, PAGE_SIZE);
			set_bit(g.msr_map, msr_bit(ends[n], write), true);
			g.r.rcx = ends[n];
			guest_at(&g, write ? guest_wrmsr_only : guest_rdmsr);
			guest_expect_at(&g, write ? X_WRMSR : X_RDMSR,
					write ? at_wrmsr_only : at_rdmsr);
		}
	}
}

static void msr_outside(const void *arg)
{
	static const uint32_t outside[] = {0x2000,     0x40000000, 0xbfffffff,
					   0xc0002000, 0xc0010000, 0xffffffff};
	struct guest g = msr_guest(guest_rdmsr, 0);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(outside); n++) {
		for (unsigned write = 0; write < 2; write++) {
			g.r.rcx = outside[n];
			guest_at(&g, write ? guest_wrmsr_only : guest_rdmsr);
			guest_expect_at(&g, write ? X_WRMSR : X_RDMSR,
					write ? at_wrmsr_only : at_rdmsr);
		}
	}
}

/* Without bitmaps every access exits. */
static void msr_without_map(const void *arg)
{
	struct guest g = msr_guest(guest_rdmsr, MSR_STAR);

	(void)arg;
	clear_bits(&g, C_PROC, PROC_MSR_MAPS);
	guest_expect_at(&g, X_RDMSR, at_rdmsr);
	guest_at(&g, at_wrmsr_only);
	guest_expect_at(&g, X_WRMSR, at_wrmsr_only);
}

static void msr_map_changes(const void *arg)
{
	struct guest g = msr_guest(guest_rdmsr, MSR_STAR);
	uint8_t *all = page_alloc();

	(void)arg;
	memset(all, 0xff, PAGE_SIZE);
	for (unsigned n = 0; n < 40; n++) {
		bool exits = n % 2;

		guest_at(&g, guest_rdmsr);
		put(&g, C_MSR_MAP, (uint64_t)(n >= 20 && exits ? all : g.msr_map));
		set_bit(g.msr_map, msr_bit(MSR_STAR, false), n < 20 && exits);
		guest_expect(&g, exits ? X_RDMSR : X_VMCALL);
	}
}

/* The guest's access reaches the real register, and the value stays when L1 reads it. */
static void msr_values(const void *arg)
{
	static const uint32_t kept[] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_KERNEL_GS_BASE};
	struct guest g = msr_guest(guest_wrmsr_only, 0);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(kept); n++) {
		uint64_t before = rdmsr(kept[n]);

		g.r.rcx = kept[n];
		g.r.rax = 0x12345000 + n;
		g.r.rdx = 0x7fff;
		guest_at(&g, guest_wrmsr_only);
		guest_expect(&g, X_VMCALL);
		CHECK_EQ(rdmsr(kept[n]), 0x7fff12345000 + n);
		wrmsr(kept[n], before);
	}
}

static void read_absent(void *arg)
{
	(void)arg;
	rdmsr(ABSENT_MSR);
}

/* RDMSR of what is not there is the guest's own #GP, if it is one for L1 (Bochs can ignore it). */
static void msr_absent(const void *arg)
{
	struct guest g = msr_guest(guest_rdmsr, ABSENT_MSR);

	(void)arg;
	if (!expect_fault(read_absent, NULL).taken)
		test_skip("this machine answers for MSRs that are not there");
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, G_RIP), at_rdmsr);
}

/* WRMSR of what is not canonical, and RDMSR in ring 3: the guest's own #GP. */
static void msr_faults(const void *arg)
{
	struct guest g = msr_guest(guest_rdmsr, MSR_LSTAR);

	(void)arg;
	g.r.rcx = MSR_LSTAR;
	g.r.rdx = 0x12345678;
	guest_at(&g, guest_wrmsr_only);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	guest_user(&g);
	set_bit(g.msr_map, msr_bit(MSR_STAR, false), true);
	g.r.rcx = MSR_STAR;
	guest_at(&g, guest_rdmsr);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
}

void l1_main(void)
{
	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++)
		test_named("io-exits-", ios[i].name, io_exits, &ios[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++)
		test_named("io-passes-", ios[i].name, io_passes, &ios[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++)
		test_named("io-each-byte-", ios[i].name, io_each_byte, &ios[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++) {
		if (ios[i].size > 1)
			test_named("io-wraps-", ios[i].name, io_wraps, &ios[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(ios); i++) {
		if (ios[i].address)
			test_named("io-string-info-", ios[i].name, io_string_info, &ios[i]);
	}
	test("io-immediate", io_immediate, NULL);
	test("io-unconditional", io_unconditional, NULL);
	test("io-map-changes", io_map_changes, NULL);
	test("io-other-map", io_other_map, NULL);
	test("io-string-continues", io_string_continues, NULL);
	test("io-privilege", io_privilege, NULL);
	test("msr-read-bit", msr_read_bit, NULL);
	test("msr-write-bit", msr_write_bit, NULL);
	test("msr-passes", msr_passes, NULL);
	test("msr-range-ends", msr_range_ends, NULL);
	test("msr-outside", msr_outside, NULL);
	test("msr-without-map", msr_without_map, NULL);
	test("msr-map-changes", msr_map_changes, NULL);
	test("msr-values", msr_values, NULL);
	test("msr-absent", msr_absent, NULL);
	test("msr-faults", msr_faults, NULL);
}
