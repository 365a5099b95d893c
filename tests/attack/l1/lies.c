/* SPDX-License-Identifier: Apache-2.0 */
/* L1 changes the machine that the victim sees: its features, its clock, XCR0, what it comes out for. */
#include "tests/attack/l1/exits.h"

#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/trap.h"
#include "tests/attack/l1/attacks.h"

#define MSR_APIC_BASE 0x1bu
#define APIC_BASE_BITS 0xfffu
#define MSR_TSC 0x10u
#define CPUID_XSAVE (1u << 26) /* leaf 1, ECX */
#define CPUID_AES (1u << 25)
#define CPUID_RDRAND (1u << 30)
#define CPUID_BYTES 2u
#define XSETBV_BYTES 3u
#define BACK (1ull << 36)
#define Q35 0x29c08086u
#define Q35_SMRAM 0x9du
#define PIIX_SMRAM 0x72u
#define SMRAM_OPEN 0x40u
#define MSR_BIT (1ull << 34)

/* --- CPUID ------------------------------------------------------------------------------------------ */

/* The guest asks, L1 answers as the CPU does, but for bits of ECX. What the guest has then. */
static uint32_t ask(struct vm *v, uint32_t leaf, uint32_t hidden)
{
	struct regs4 r;

	vm_tell(v, VICTIM_CPUID, leaf, 0);
	vm_enter(v);
	CHECK(v->exit == hv_kinds[KIND_CPUID].exit, "no exit for CPUID: 0x%x", v->exit);
	r = cpuid(leaf, 0);
	guest_set_rax(&v->g, r.a);
	v->g.r.rbx = r.b;
	v->g.r.rcx = r.c & ~hidden;
	v->g.r.rdx = r.d;
	hv_skip(&v->g, CPUID_BYTES);
	CHECK(vm_enter(v) == CAME_SIGNAL, "it does not go on: exit 0x%x", v->exit);
	return (uint32_t)v->shared->out[2];
}

/* From one moment to the next the CPU has no random numbers and no AES. */
static void cpuid_hidden(void)
{
	struct vm *v = victim_new();
	const uint32_t bits = cpuid(1, 0).c & (CPUID_AES | CPUID_RDRAND);
	uint32_t before, after;

	hv_ask(&v->g, KIND_CPUID);
	CHECK(bits, "the CPU has neither");
	before = ask(v, 1, 0) & bits;
	after = ask(v, 1, bits) & bits;
	CHECK(before == bits, "the guest has 0x%x at first", U64(before));
	if (after == before)
		failed("it sees what it saw before");
	else
		succeeded("its features are 0x%x, were 0x%x", U64(after), U64(before));
}

/* --- time ------------------------------------------------------------------------------------------- */

static uint64_t time_of(struct vm *v)
{
	CHECK(vm_do(v, VICTIM_TIME, 0, 0), "exit 0x%x", v->exit);
	return v->shared->reply;
}

static void judge_time(uint64_t before, uint64_t after)
{
	if ((int64_t)(after - before) < 0)
		succeeded("its clock has gone back");
	else
		failed("its clock goes on");
}

static void clock_back(void)
{
	struct vm *v = victim_new();
	uint64_t before = time_of(v);

	hv_time_offset(&v->g, -BACK);
	judge_time(before, time_of(v));
}

/* RDTSC comes out as it never did, and L1 answers. */
static void clock_answered(void)
{
	struct vm *v = victim_new();
	uint64_t before = time_of(v);

	hv_ask_time(&v->g);
	vm_tell(v, VICTIM_TIME, 0, 0);
	if (vm_enter(v) != CAME_SIGNAL) {
		guest_set_rax(&v->g, 1);
		v->g.r.rdx = 0;
		hv_skip(&v->g, HV_RDTSC_BYTES);
		CHECK(vm_enter(v) == CAME_SIGNAL, "it does not go on: exit 0x%x", v->exit);
	}
	judge_time(before, v->shared->reply);
}

static void write_time(void *arg)
{
	wrmsr(MSR_TSC, *(uint64_t *)arg);
}

/* L1 sets the CPU's own counter back. */
static void clock_written(void)
{
	struct vm *v = victim_new();
	uint64_t before = time_of(v), value = 1000, after;

	expect_fault(write_time, &value);
	after = time_of(v);
	value = before + 1000000;
	expect_fault(write_time, &value);
	judge_time(before, after);
}

/* --- XCR0 -------------------------------------------------------------------------------------------- */

static void xsetbv(uint64_t value)
{
	__asm__ volatile("xsetbv" ::"a"((uint32_t)value), "d"((uint32_t)(value >> 32)), "c"(0)
			 : "memory");
}

/* It is not switched by hardware. Where the guest's XSETBV comes out, L1 does it for it. */
static void xcr0_from_below(void)
{
	struct vm *v;

	if (!(cpuid(1, 0).c & CPUID_XSAVE))
		test_skip("no XSAVE");
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXSAVE);
	xsetbv(1);
	v = victim_new();
	vm_tell(v, VICTIM_XCR0, 3, 0);
	if (vm_enter(v) != CAME_SIGNAL) {
		CHECK(v->exit == X_XSETBV, "exit 0x%x", v->exit);
		xsetbv(3);
		hv_skip(&v->g, XSETBV_BYTES);
		CHECK(vm_enter(v) == CAME_SIGNAL, "it does not go on: exit 0x%x", v->exit);
	}
	CHECK_EQ(v->shared->reply, 3);
	xsetbv(1);
	CHECK(vm_do(v, VICTIM_XCR0, 0, 0), "exit 0x%x", v->exit);
	if (v->shared->reply == 3)
		failed("its XCR0 is its own");
	else
		succeeded("its XCR0 is L1's");
}

/* --- exits ------------------------------------------------------------------------------------------- */

/* L1 asks to be told of what is not its business: each tells what the guest does, and where. */
static void intercepts_on(void)
{
	for (unsigned kind = KIND_READ_CR3; kind < KIND_COUNT; kind++) {
		struct vm *v;

		if (!hv_kinds[kind].name)
			continue;
		way_begin(hv_kinds[kind].name);
		v = exits_victim((enum kind)kind);
		vm_enter(v);
		print("%s: exit 0x%x\n", hv_kinds[kind].name, v->exit);
		way(v->exit == hv_kinds[kind].exit);
		if (monitor_present())
			CHECK(vm_intact(v), "%s: it does not go on: exit 0x%x", hv_kinds[kind].name,
			      v->exit);
		victim_is(NULL);
		vm_drop(v);
	}
	judge_ways();
}

static uint8_t host_bridge(uint32_t at)
{
	__asm__ volatile("outl %0, %1" : : "a"(0x80000000u | (at & ~3u)), "d"((uint16_t)0xcf8));
	return inb((uint16_t)(0xcfc + (at & 3)));
}

/* What L1 may not do, a guest does for it, which nothing makes come out: open SMRAM, change an MSR. */
static void exits_off(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint32_t smram = host_bridge(2) == (Q35 >> 16 & 0xff) ? Q35_SMRAM : PIIX_SMRAM;
	uint8_t before = host_bridge(smram);
	uint64_t msr = hv_closed_msr ? rdmsr(hv_closed_msr) : 0;

	CHECK(vm_launch(a), "not launched: exit 0x%x", a->exit);
	hv_open(&a->g);
	way_begin("port");
	vm_tell(a, VICTIM_CONFIG, smram, before ^ SMRAM_OPEN);
	vm_enter(a);
	way(host_bridge(smram) != before);
	outb((uint16_t)(0xcfc + (smram & 3)), before);
	vm_drop(a);
	if (hv_closed_msr) {
		a = vm_new();
		CHECK(vm_launch(a), "not launched: exit 0x%x", a->exit);
		hv_open(&a->g);
		way_begin("MSR");
		vm_tell(a, VICTIM_WRMSR, hv_closed_msr, msr ^ MSR_BIT);
		vm_enter(a);
		way(rdmsr(hv_closed_msr) != msr);
		wrmsr(hv_closed_msr, msr);
	}
	judge_ways();
	CHECK(vm_intact(v), "the victim has changed");
}

/* --- the APIC ---------------------------------------------------------------------------------------- */

static void write_base(void *arg)
{
	wrmsr(MSR_APIC_BASE, *(uint64_t *)arg);
}

/* L1's own APIC goes where the victim has a page: its registers would be what the victim reads. */
static void apic_moved(void)
{
	struct vm *v = victim_new();
	uint64_t old = rdmsr(MSR_APIC_BASE), base = (uint64_t)v->data[3];

	if (!hv_reads_apic()) {
		failed("not tried: this emulated CPU ends at wide reads of an APIC");
		return;
	}
	base |= old & APIC_BASE_BITS;
	expect_fault(write_base, &base);
	if (!vm_do(v, VICTIM_CHECK, 0, 0))
		failed("the victim was not entered again");
	else if (v->shared->reply)
		succeeded("the victim reads the APIC's registers");
	else
		failed("its page is its own");
	expect_fault(write_base, &old);
}

const struct attack lie_attacks[] = {
	{"cpuid-hidden", cpuid_hidden},
	{"clock-back", clock_back},
	{"clock-answered", clock_answered},
	{"clock-written", clock_written},
	{"xcr0-from-below", xcr0_from_below},
	{"intercepts-on", intercepts_on},
	{"exits-off", exits_off},
	{"apic-moved", apic_moved},
	{NULL, NULL},
};
