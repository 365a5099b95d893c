/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O and MSR permission maps: exactly what they say exits. */
#include "lib/map_tests.h"
#include "lib/mem.h"
#include "lib/msr_guests.h"
#include "lib/pages.h"
#include "svm/known.h"
#include "svm/svm.h"

/* exit_info1 of IOIO: APM 2, 15.10.2. Segments are numbered as in instructions. */
#define IO_IN 0x1u
#define IO_STRING 0x4u
#define IO_REP 0x8u
#define IO_SIZE(bytes) ((uint32_t)(bytes) << 4)
#define IO_A32 0x100u
#define IO_A64 0x200u
#define IO_ADDRESS 0x380u
#define IO_SEGMENT 0x1c00u
#define IO_SEGMENT_SHIFT 10

const struct map_shape map_shape = {
	.beyond_last_port = true,
	.own_msr = SVM_MSR_HSAVE,
	.msr_ends = {0, 0x1fff, 0xc0000000, 0xc0001fff, 0xc0010000, 0xc0011fff},
	.ends = 6,
	.msr_outside = {0x2000, 0x40000000, 0xbfffffff, 0xc0002000, 0xc0012000, 0xffffffff},
};

struct guest mapped_guest(const void *code)
{
	struct guest g = guest_long(code);

	intercept(&g, X_IOIO);
	intercept(&g, X_MSR);
	return g;
}

void port_exits(struct guest *g, unsigned port, bool exits)
{
	map_set(g->iopm, port, exits);
}

void all_ports_exit(struct guest *g)
{
	memset(g->iopm, 0xff, IOPM_SIZE);
}

/* Where the read bit of an MSR is; the write bit follows it (APM 2, 15.11). */
static size_t msr_bit(uint32_t msr)
{
	uint32_t range = msr >= 0xc0010000 ? 2 : msr >= 0xc0000000 ? 1 : 0;

	return (size_t)range * 0x4000 + (size_t)(msr & 0x1fff) * 2;
}

void msr_exits(struct guest *g, uint32_t msr, bool write, bool exits)
{
	map_set(g->msrpm, msr_bit(msr) + write, exits);
}

void all_msrs_exit(struct guest *g, bool exits)
{
	memset(g->msrpm, exits ? 0xff : 0, MSRPM_SIZE);
}

void use_msr_map(struct guest *g, const void *map)
{
	g->vmcb->msrpm = (uint64_t)(map ? map : g->msrpm);
}

void expect_io(struct guest *g, const struct io *i, uint16_t port)
{
	uint32_t kind = (i->in ? IO_IN : 0) | (i->string ? IO_STRING : 0) | (i->rep ? IO_REP : 0);

	guest_expect_at(g, X_IOIO, i->at);
	CHECK_EQ(g->vmcb->exit_info1 & ~(uint64_t)(IO_ADDRESS | IO_SEGMENT),
		 (uint32_t)port << 16 | kind | IO_SIZE(i->size));
	CHECK_EQ(g->vmcb->exit_info2, i->next);
}

void expect_msr(struct guest *g, bool write, const uint8_t *at, const uint8_t *next)
{
	guest_expect_at(g, X_MSR, at);
	CHECK_EQ(g->vmcb->exit_info1, write);
	if (svm_features() & SVM_NRIPS)
		CHECK_EQ(g->vmcb->next_rip, next);
}

/* Address size always; the segment of OUTS with decode assists (APM 2, 15.10.2 and 15.34). */
static void io_address_size(const void *arg)
{
	const struct io *i = arg;
	struct guest g = io_guest(i, 0x1234);

	map_set(g.iopm, 0x1234, true);
	guest_expect_at(&g, X_IOIO, i->at);
	tcg_limit(!(svm_features() & SVM_DECODE) && !(g.vmcb->exit_info1 & IO_ADDRESS),
		  "TCG does not report the address size");
	CHECK_EQ(g.vmcb->exit_info1 & IO_ADDRESS, i->address == 32 ? IO_A32 : IO_A64);
	if ((svm_features() & SVM_DECODE) && i->segment == SEGMENT_DS)
		CHECK_EQ((g.vmcb->exit_info1 & IO_SEGMENT) >> IO_SEGMENT_SHIFT, i->segment);
}

GUEST(guest_immediate, "at_immediate: outb %al, $0x80\n" STOP);
GUEST_LABEL(at_immediate);
static void io_immediate(const void *arg)
{
	struct guest g = mapped_guest(guest_immediate);

	(void)arg;
	map_set(g.iopm, 0x80, true);
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

static void msr_not_intercepted(const void *arg)
{
	struct guest g = mapped_guest(guest_wrmsr);

	(void)arg;
	g.r.rcx = MSR_STAR;
	intercept_clear(&g, X_MSR);
	memset(g.msrpm, 0xff, MSRPM_SIZE);
	guest_expect_at(&g, X_VMMCALL, next_wrmsr);
}

/* The low 12 bits of both addresses are ignored (APM 2, 15.10.1 and 15.11). */
static void low_address_bits(const void *arg)
{
	struct guest g = mapped_guest(guest_rdmsr);

	(void)arg;
	g.r.rcx = MSR_STAR;
	map_set(g.msrpm, msr_bit(MSR_STAR), true);
	g.vmcb->msrpm |= 0x7;
	g.vmcb->iopm |= 0x10;
	guest_run(&g);
	tcg_lax(g.vmcb->exit_code == X_VMMCALL, "TCG adds the low bits of the MSR map's address");
	CHECK_EQ(g.vmcb->exit_code, X_MSR);
}

void l1_main(void)
{
	svm_start();
	map_tests();
	for (unsigned i = 0; i < IOS; i++) {
		if (ios[i].address)
			test_named("io-address-size-", ios[i].name, io_address_size, &ios[i]);
	}
	test("io-immediate", io_immediate, NULL);
	test("io-not-intercepted", io_not_intercepted, NULL);
	test("io-other-map", io_other_map, NULL);
	test("msr-not-intercepted", msr_not_intercepted, NULL);
	test("low-address-bits", low_address_bits, NULL);
}
