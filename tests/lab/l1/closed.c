/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What L1 must not change: MSRs and the registers of interrupt controllers (docs/msr.md). Above the
 * monitor each write leaves the register as it was, without a fault that L1's software would not expect.
 * On a bare machine those that the emulators implement do change, which shows that the attempt is a real
 * one; the others are only tried.
 */
#include "lib/apic.h"
#include "lib/monitor.h"
#include "lib/test.h"
#include "lib/trap.h"
#include "monitor/hypercall.h"
#include "vendor.h"

#define IO_APIC 0xfec00000u
#define IO_APIC_DATA 0x10u
#define HPET 0xfed00000u
#define HPET_TIMER 0x100u
#define LVT_THERMAL 0x330u
#define LVT_LINT1 0x360u
#define MASKED 0x10000u
#define VECTOR 0x50u

/* The reference for AMD; that for Intel is Bochs, which keeps none of these. */
static bool is_qemu(void)
{
	uint32_t a = 0, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return b == 0x68747541; /* "Auth" */
}

struct access {
	uint32_t msr;
	uint64_t value;
};

static void do_rdmsr(void *arg)
{
	struct access *a = arg;

	a->value = rdmsr(a->msr);
}

static void do_wrmsr(void *arg)
{
	const struct access *a = arg;

	wrmsr(a->msr, a->value);
}

static bool can_read(uint32_t msr, uint64_t *value)
{
	struct access a = {msr, 0};
	bool taken = expect_fault(do_rdmsr, &a).taken;

	*value = a.value;
	return !taken;
}

static bool can_write(uint32_t msr, uint64_t value)
{
	struct access a = {msr, value};
	struct fault f = expect_fault(do_wrmsr, &a);

	CHECK(!f.taken || f.vector == VEC_GP, "WRMSR 0x%x: vector %u", U64(msr), U64(f.vector));
	return !f.taken;
}

/* Bits of an MSR that stay as they are. */
static const struct closed {
	const char *name;
	uint32_t msr;
	uint64_t bits;
	bool emulated; /* QEMU lets a bare machine change them */
} closed[] = {
	{"misc-enable-nx", 0x1a0, 1ull << 34, true},
	{"misc-enable-cpuid", 0x1a0, 1ull << 22, true},
	{"mc0-status", 0x401, 0xff, true},
	{"mc0-address", 0x402, 0xff000, true},
	{"debugctl-branches", 0x1d9, 0xc1, false},
	{"smrr-base", 0x1f2, 0xa0006, false},
	{"smm-monitor", 0x9b, 1, false},
	{"overclocking", 0x150, 1ull << 63, false},
	{"ds-area", 0x600, 0x1000, false},
	{"trace-control", 0x570, 1, false},
	{"power-limit", 0x610, 1, false},
	{"tme-activate", 0x982, 3, false},
	{"debug-interface", 0xc80, 1, false},
	{"paravirtual-clock", 0x4b564d01, 0x1001, false},
	{"tsc-ratio", 0xc0000104, 1ull << 33, false},
	{"profiling", 0xc0000106, 0x1000, false},
	{"syscfg", 0xc0010010, 1ull << 23 | 1ull << 19, false},
	{"iorr", 0xc0010016, 0x1000 | 0x18, false},
	{"top-of-memory", 0xc001001a, 1ull << 23, false},
	{"top-of-memory-2", 0xc001001d, 1ull << 32, false},
	{"hwcr-smm-lock", 0xc0010015, 1, false},
	{"p-state-definition", 0xc0010064, 0xff00, false},
	{"pci-window", 0xc0010058, 1ull << 24, false},
	{"smm-base", 0xc0010111, 0x10000, false},
	{"tseg-mask", 0xc0010113, 3, false},
	{"sev-ghcb", 0xc0010130, 0x1000, false},
	{"ibs-op", 0xc0011033, 1u << 17, false},
};

static void closed_msr(const void *arg)
{
	const struct closed *c = arg;
	uint64_t before, after;
	bool written;

	if (!can_read(c->msr, &before)) {
		CHECK(!monitor_present() || !can_write(c->msr, c->bits),
		      "no RDMSR of 0x%x, but WRMSR", U64(c->msr));
		test_skip("there is no such MSR");
	}
	written = can_write(c->msr, before ^ c->bits);
	CHECK(can_read(c->msr, &after), "RDMSR of 0x%x faults now", U64(c->msr));
	if (written)
		can_write(c->msr, before);
	if (monitor_present()) {
		CHECK_EQ(after, before);
		CHECK(monitor_answers(), "the monitor does not answer any more");
	} else if (c->emulated && is_qemu()) {
		CHECK_EQ(after, before ^ c->bits);
	}
}

static uint64_t refused(enum refusal why, uint64_t *last)
{
	uint64_t out[8];
	int64_t err;

	CHECK(hypercall(HYPERCALL_REFUSED, why, 0, &err, out) && !err,
	      "the monitor does not say what it refused");
	*last = out[1];
	return out[0];
}

/* Loading microcode is dropped: the revision is what it was, and who asked looks at that. */
static void microcode(const void *arg)
{
	static const uint32_t loaders[] = {0x79, 0xc0010020};
	uint64_t before, after, last, count;

	(void)arg;
	if (!monitor_present())
		test_skip("needs the monitor");
	for (size_t i = 0; i < ARRAY_SIZE(loaders); i++) {
		bool readable = can_read(0x8b, &before);

		count = refused(REFUSAL_MICROCODE, &last);
		CHECK(can_write(loaders[i], 0x100000), "WRMSR 0x%x faults", U64(loaders[i]));
		CHECK_EQ(refused(REFUSAL_MICROCODE, &last), count + 1);
		CHECK_EQ(last, loaders[i]);
		if (readable) {
			CHECK(can_read(0x8b, &after), "no microcode revision");
			CHECK_EQ(after, before);
		}
	}
}

/* What L1 says of memory types it reads back; above the monitor it is a copy. */
static void mtrrs(const void *arg)
{
	const uint64_t base = 0xd0000000 | 1, mask = 0xff0000000 | 0x800;
	uint64_t old_base, old_mask;

	(void)arg;
	old_base = rdmsr(0x20e);
	old_mask = rdmsr(0x20f);
	wrmsr(0x20e, base);
	wrmsr(0x20f, mask);
	CHECK_EQ(rdmsr(0x20e), base);
	CHECK_EQ(rdmsr(0x20f), mask);
	wrmsr(0x20f, old_mask);
	wrmsr(0x20e, old_base);
	CHECK_EQ(rdmsr(0x20f), old_mask);
	CHECK(!can_write(0x20e, 2) || !monitor_present(), "there is no memory type 2");
}

static void open_msrs(const void *arg)
{
	static const struct {
		uint32_t msr;
		uint64_t bits;
	} row[] = {{MSR_PAT, 7},
		   {MSR_STAR, 1ull << 40},
		   {MSR_LSTAR, 0x1000},
		   {MSR_SYSENTER_ESP, 0x1000},
		   {MSR_KERNEL_GS_BASE, 0x1000}};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t before = rdmsr(row[i].msr);

		wrmsr(row[i].msr, before ^ row[i].bits);
		CHECK_EQ(rdmsr(row[i].msr), before ^ row[i].bits);
		wrmsr(row[i].msr, before);
	}
}

static volatile uint32_t *at(uint64_t address)
{
	return (volatile uint32_t *)address;
}

static void entry_write(unsigned n, uint32_t value)
{
	*at(IO_APIC) = 0x10 + 2 * n;
	*at(IO_APIC + IO_APIC_DATA) = value;
}

static uint32_t entry_read(unsigned n)
{
	*at(IO_APIC) = 0x10 + 2 * n;
	return *at(IO_APIC + IO_APIC_DATA);
}

/* Bits that the device does not keep: delivery status, remote IRR. */
#define KEPT ~0x5000u

static void redirection(const void *arg)
{
	static const uint32_t bad[] = {0x200 | VECTOR, 0x500 | VECTOR};
	static const uint32_t fine[] = {MASKED | VECTOR, MASKED | 0x400, MASKED | 0x500 | VECTOR,
					MASKED | 0x200};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(fine); i++) {
		entry_write(23, fine[i]);
		CHECK_EQ(entry_read(23) & KEPT, fine[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint32_t want = monitor_present() ? MASKED | VECTOR : bad[i];

		entry_write(23, MASKED | VECTOR);
		entry_write(23, bad[i]);
		CHECK_EQ(entry_read(23) & KEPT, want);
		entry_write(23, MASKED | VECTOR);
	}
	entry_write(23, MASKED);
}

/* The registers may be there again, at addresses that the device does not tell from theirs. */
static void redirection_alias(const void *arg)
{
	(void)arg;
	entry_write(23, MASKED | VECTOR);
	*at(IO_APIC + 0x110) = 0x500 | VECTOR;
	CHECK(!monitor_present() || (entry_read(23) & KEPT) == (MASKED | VECTOR),
	      "the entry is 0x%x", U64(entry_read(23)));
	entry_write(23, MASKED);
}

static void local_vectors(const void *arg)
{
	static const uint32_t reg[] = {LVT_THERMAL, LVT_LINT1};

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(reg); i++) {
		uint32_t before = apic_read(reg[i]);

		apic_write(reg[i], MASKED | 0x500 | VECTOR);
		apic_write(reg[i], MASKED | VECTOR);
		CHECK_EQ(apic_read(reg[i]), MASKED | VECTOR);
		apic_write(reg[i], 0x200);
		if (monitor_present())
			CHECK_EQ(apic_read(reg[i]), MASKED | VECTOR);
		else
			CHECK_EQ(apic_read(reg[i]) & 0x700, 0x200);
		apic_write(reg[i], before);
	}
}

/* A timer's interrupt message is a write to memory, wherever its address is. */
static void timer_messages(const void *arg)
{
	uint64_t message = HPET + HPET_TIMER + 0x10, address = message + 4;
	uint32_t old_message = *at(message), old_address = *at(address);
	bool kept = monitor_present();

	(void)arg;
	if (!*at(HPET) || *at(HPET) == UINT32_MAX)
		test_skip("there is no HPET");
	*at(message) = VECTOR;
	*at(address) = 0xfee00000;
	CHECK_EQ(*at(message), VECTOR);
	CHECK_EQ(*at(address), 0xfee00000);
	*at(address) = 0x1000;
	CHECK_EQ(*at(address), kept ? 0xfee00000 : 0x1000);
	*at(message) = 0x500 | VECTOR;
	CHECK_EQ(*at(message), kept ? VECTOR : 0x500 | VECTOR);
	*at(message) = old_message;
	*at(address) = old_address;
}

void l1_main(void)
{
	vendor_start();
	apic_init();
	for (size_t i = 0; i < ARRAY_SIZE(closed); i++)
		test_named("msr-", closed[i].name, closed_msr, &closed[i]);
	test("microcode", microcode, NULL);
	test("mtrrs", mtrrs, NULL);
	test("open-msrs", open_msrs, NULL);
	test("redirection", redirection, NULL);
	test("redirection-alias", redirection_alias, NULL);
	test("local-vectors", local_vectors, NULL);
	test("timer-messages", timer_messages, NULL);
}
