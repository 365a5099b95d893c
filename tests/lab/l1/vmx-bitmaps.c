/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O and MSR bitmaps: exactly what they say exits. SDM 3, 24.6.4, 24.6.9 and 25.1.3. */
#include "lib/map_tests.h"
#include "lib/mem.h"
#include "lib/msr_guests.h"
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

#define ABSENT_MSR 0x1ffe

const struct map_shape map_shape = {
	.msr_ends = {0, 0x1fff, 0xc0000000, 0xc0001fff},
	.ends = 4,
	.msr_outside = {0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xc0010000, 0xffffffff},
};

IO_CODE(outsb_fs, "lea -64(%rsp), %rsi", "outsb %fs:(%rsi), %dx");
static const struct io outsb_fs = {IO_CASE(outsb_fs, 1), .string = true, .address = 64,
				   .segment = SEGMENT_FS};

struct guest mapped_guest(const void *code)
{
	return guest_long(code);
}

void port_exits(struct guest *g, unsigned port, bool exits)
{
	map_set(port < 0x8000 ? g->io_a : g->io_b, port & 0x7fff, exits);
}

void all_ports_exit(struct guest *g)
{
	memset(g->io_a, 0xff, PAGE_SIZE);
	memset(g->io_b, 0xff, PAGE_SIZE);
}

/* Read low, read high, write low, write high: 1 KiB each. */
static size_t msr_bit(uint32_t msr, bool write)
{
	return (write ? 0x4000u : 0) + (msr >= 0xc0000000 ? 0x2000u : 0) + (msr & 0x1fff);
}

void msr_exits(struct guest *g, uint32_t msr, bool write, bool exits)
{
	map_set(g->msr_map, msr_bit(msr, write), exits);
}

void all_msrs_exit(struct guest *g, bool exits)
{
	memset(g->msr_map, exits ? 0xff : 0, PAGE_SIZE);
}

void use_msr_map(struct guest *g, const void *map)
{
	put(g, C_MSR_MAP, (uint64_t)(map ? map : g->msr_map));
}

void expect_io(struct guest *g, const struct io *i, uint16_t port)
{
	uint32_t kind = (i->in ? IO_IN : 0) | (i->string ? IO_STRING : 0) | (i->rep ? IO_REP : 0);

	guest_expect_at(g, X_IO, i->at);
	CHECK_EQ(get(g, I_QUALIFICATION), IO_PORT(port) | kind | IO_SIZE(i->size));
	CHECK_EQ(get(g, I_LENGTH), i->next - i->at);
}

void expect_msr(struct guest *g, bool write, const uint8_t *at, const uint8_t *next)
{
	guest_expect_at(g, write ? X_WRMSR : X_RDMSR, at);
	CHECK_EQ(get(g, I_LENGTH), next - at);
	CHECK_EQ(get(g, I_QUALIFICATION), 0);
}

static void io_string_info(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, 0x1234);
	uint64_t info;

	if (!(rdmsr(MSR_VMX_BASIC) & BASIC_INS_INFO))
		test_skip("no information on INS and OUTS");
	put(&g, G_FS_BASE, 0x1000);
	port_exits(&g, 0x1234, true);
	guest_expect_at(&g, X_IO, i->at);
	info = get(&g, I_INFO);
	CHECK_EQ(info & INFO_ADDRESS, i->address == 32 ? INFO_A32 : INFO_A64);
	if (!i->in)
		CHECK_EQ(info & INFO_SEGMENT(7), INFO_SEGMENT(i->segment));
	CHECK_EQ(get(&g, I_LINEAR),
		 (uint64_t)g.stack - 128 + (i->segment == SEGMENT_FS ? 0x1000 : 0));
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
	port_exits(&g, 0x80, true);
	port_exits(&g, 0x93, true);
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

/* The TSS's permissions, and IOPL, come first (SDM 3, 25.1.1). */
static void io_privilege(const void *arg)
{
	struct guest g = io_guest(&ios[0], 0x1234);

	(void)arg;
	guest_user(&g);
	port_exits(&g, 0x1234, true);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, G_RIP), ios[0].at);
}

/* Without bitmaps every access exits. */
static void msr_without_map(const void *arg)
{
	struct guest g = mapped_guest(guest_rdmsr);

	(void)arg;
	g.r.rcx = MSR_STAR;
	clear_bits(&g, C_PROC, PROC_MSR_MAPS);
	guest_expect_at(&g, X_RDMSR, at_rdmsr);
	guest_at(&g, at_wrmsr);
	guest_expect_at(&g, X_WRMSR, at_wrmsr);
}

/* The guest's access reaches the real register, and the value stays when L1 reads it. */
static void msr_values(const void *arg)
{
	static const uint32_t kept[] = {MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_KERNEL_GS_BASE};
	struct guest g = mapped_guest(at_wrmsr);

	(void)arg;
	for (unsigned n = 0; n < ARRAY_SIZE(kept); n++) {
		uint64_t before = rdmsr(kept[n]);

		g.r.rcx = kept[n];
		g.r.rax = 0x12345000 + n;
		g.r.rdx = 0x7fff;
		guest_at(&g, at_wrmsr);
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
	struct guest g = mapped_guest(guest_rdmsr);

	(void)arg;
	g.r.rcx = ABSENT_MSR;
	if (!expect_fault(read_absent, NULL).taken)
		test_skip("this machine answers for MSRs that are not there");
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, G_RIP), at_rdmsr);
}

/* WRMSR of what is not canonical, and RDMSR in ring 3: the guest's own #GP. */
static void msr_faults(const void *arg)
{
	struct guest g = mapped_guest(guest_rdmsr);

	(void)arg;
	g.r.rcx = MSR_LSTAR;
	g.r.rdx = 0x12345678;
	guest_at(&g, at_wrmsr);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	guest_user(&g);
	map_set(g.msr_map, msr_bit(MSR_STAR, false), true);
	g.r.rcx = MSR_STAR;
	guest_at(&g, guest_rdmsr);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
}

void l1_main(void)
{
	vmx_start();
	map_tests();
	io_tests(&outsb_fs);
	for (unsigned i = 0; i < IOS; i++) {
		if (ios[i].size > 1)
			test_named("io-wraps-", ios[i].name, io_wraps, &ios[i]);
	}
	for (unsigned i = 0; i < IOS; i++) {
		if (ios[i].address)
			test_named("io-string-info-", ios[i].name, io_string_info, &ios[i]);
	}
	test_named("io-string-info-", outsb_fs.name, io_string_info, &outsb_fs);
	test("io-immediate", io_immediate, NULL);
	test("io-unconditional", io_unconditional, NULL);
	test("io-other-map", io_other_map, NULL);
	test("io-privilege", io_privilege, NULL);
	test("msr-without-map", msr_without_map, NULL);
	test("msr-values", msr_values, NULL);
	test("msr-absent", msr_absent, NULL);
	test("msr-faults", msr_faults, NULL);
}
