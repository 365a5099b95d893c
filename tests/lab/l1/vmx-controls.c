/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Controls that change what the guest sees rather than make it exit: masks and shadows of CR0 and
 * CR4, CR3 targets, the TPR shadow, the APIC-access page, x2APIC mode, and the MSR areas.
 * SDM 3, 24.6 to 24.8, 25.3, 29.
 */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define CR4_TSD 0x4u
#define CR4_DE 0x8u
#define Q_APIC_WRITE 0x1000u
#define Q_APIC_EVENT 0x3000u
#define MSR_X2APIC_TPR 0x808u
#define APIC_GPA 0xfee00000u

GUEST(guest_stop, STOP);
GUEST(guest_read_cr0, "mov %cr0, %rax; smsw %rbx;" STOP);
GUEST(guest_write_cr0, "mov %rcx, %cr0; mov %cr0, %rax;" STOP);
GUEST(guest_clts, "clts; after_clts:" STOP);
GUEST_LABEL(after_clts);
GUEST(guest_lmsw, "lmsw %cx; after_lmsw:" STOP);
GUEST_LABEL(after_lmsw);
GUEST(guest_read_cr4, "mov %cr4, %rax;" STOP);
GUEST(guest_write_cr4, "mov %rcx, %cr4; mov %cr4, %rax;" STOP);
GUEST(guest_write_cr3, "mov %rcx, %cr3; mov %cr3, %rax;" STOP);
GUEST(guest_cr8, "mov %rcx, %cr8; after_cr8: nop; mov %cr8, %rax;" STOP);
GUEST_LABEL(after_cr8);
GUEST(guest_read, "mov (%rbx), %eax; after_read:" STOP);
GUEST_LABEL(after_read);
GUEST(guest_write, "mov %ecx, (%rbx); after_write: nop;" STOP);
GUEST_LABEL(after_write);
GUEST(guest_read64, "mov (%rbx), %rax;" STOP);
GUEST(guest_rdmsr, "rdmsr;" STOP);
GUEST(guest_wrmsr, "wrmsr; after_wrmsr: nop;" STOP);
GUEST_LABEL(after_wrmsr);

static void cr0_shadow_read(const void *arg)
{
	struct guest g = guest_long(guest_read_cr0);
	uint64_t cr0 = get(&g, G_CR0);

	(void)arg;
	put(&g, C_CR0_MASK, CR0_WP | CR0_AM | CR0_TS);
	put(&g, C_CR0_SHADOW, CR0_AM | CR0_TS | CR0_EM);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, (cr0 & ~(uint64_t)CR0_WP) | CR0_AM | CR0_TS);
	CHECK_EQ(g.r.rbx & 0xffff, (cr0 | CR0_TS) & 0xffff);
	CHECK_EQ(get(&g, G_CR0), cr0);
}

/* A write that agrees with the shadow where the mask is set: the other bits change, without an exit. */
static void cr0_write_agrees(const void *arg)
{
	struct guest g = guest_long(guest_write_cr0);
	uint64_t cr0 = get(&g, G_CR0);

	(void)arg;
	put(&g, C_CR0_MASK, CR0_WP | CR0_TS);
	put(&g, C_CR0_SHADOW, CR0_TS);
	g.r.rcx = (cr0 & ~(uint64_t)CR0_WP) | CR0_TS | CR0_AM;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_CR0), cr0 | CR0_AM);
	CHECK_EQ(g.r.rax, g.r.rcx);
	guest_at(&g, guest_write_cr0);
	g.r.rcx = cr0 | CR0_TS;
	guest_expect_at(&g, X_CR, guest_write_cr0);
	CHECK_EQ(get(&g, I_QUALIFICATION), 1 << 8);
}

/* CLTS: with TS masked and clear in the shadow it does nothing; unmasked it clears TS. */
static void clts_masked(const void *arg)
{
	struct guest g = guest_long(guest_clts);

	(void)arg;
	set_bits(&g, G_CR0, CR0_TS);
	put(&g, C_CR0_MASK, CR0_TS);
	put(&g, C_CR0_SHADOW, 0);
	guest_expect_at(&g, X_VMCALL, after_clts);
	CHECK_EQ(get(&g, G_CR0) & CR0_TS, CR0_TS);
	put(&g, C_CR0_MASK, 0);
	guest_at(&g, guest_clts);
	guest_expect_at(&g, X_VMCALL, after_clts);
	CHECK_EQ(get(&g, G_CR0) & CR0_TS, 0);
}

/* LMSW cannot clear PE, so a shadow with PE set never makes it exit; other bits do as for MOV. */
static void lmsw_masked(const void *arg)
{
	struct guest g = guest_long(guest_lmsw);

	(void)arg;
	put(&g, C_CR0_MASK, CR0_PE | CR0_TS);
	put(&g, C_CR0_SHADOW, CR0_PE);
	g.r.rcx = CR0_MP;
	guest_expect_at(&g, X_VMCALL, after_lmsw);
	CHECK_EQ(get(&g, G_CR0) & (CR0_PE | CR0_MP | CR0_TS), CR0_PE | CR0_MP);
	guest_at(&g, guest_lmsw);
	g.r.rcx = CR0_TS | CR0_PE;
	guest_expect_at(&g, X_CR, guest_lmsw);
	CHECK_EQ(get(&g, I_QUALIFICATION), (uint64_t)(CR0_TS | CR0_PE) << 16 | 0x30);
}

static void cr4_shadow(const void *arg)
{
	struct guest g = guest_long(guest_read_cr4);
	uint64_t cr4 = get(&g, G_CR4);

	(void)arg;
	put(&g, C_CR4_MASK, CR4_VMXE | CR4_TSD);
	put(&g, C_CR4_SHADOW, CR4_TSD);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, (cr4 & ~(uint64_t)CR4_VMXE) | CR4_TSD);
	guest_at(&g, guest_write_cr4);
	g.r.rcx = g.r.rax | CR4_DE;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_CR4), cr4 | CR4_DE);
	CHECK_EQ(g.r.rax, g.r.rcx);
	guest_at(&g, guest_write_cr4);
	g.r.rcx |= CR4_VMXE;
	guest_expect_at(&g, X_CR, guest_write_cr4);
	CHECK_EQ(get(&g, I_QUALIFICATION), 4 | 1 << 8);
}

/* VMXE is fixed in VMX operation: a guest that clears it unmasked takes a #GP (SDM 3, 25.3). */
static void cr4_fixed(const void *arg)
{
	struct guest g = guest_long(guest_write_cr4);

	(void)arg;
	g.r.rcx = get(&g, G_CR4) & ~(uint64_t)CR4_VMXE;
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, G_RIP), guest_write_cr4);
}

static void cr3_targets(const void *arg)
{
	static const enum field targets[] = {C_CR3_TARGET0, C_CR3_TARGET1, C_CR3_TARGET2,
					     C_CR3_TARGET3};
	struct guest g = guest_long(guest_write_cr3);
	unsigned n = (unsigned)(rdmsr(MSR_VMX_MISC) >> 16 & 0x1ff);
	uint64_t roots[4];

	(void)arg;
	if (n == 0)
		test_skip("no CR3 targets");
	set_bits(&g, C_PROC, PROC_CR3_LOAD);
	for (unsigned i = 0; i < n; i++) {
		roots[i] = (uint64_t)table_identity();
		put(&g, targets[i], roots[i]);
	}
	for (unsigned count = 0; count <= n; count++) {
		put(&g, C_CR3_COUNT, count);
		for (unsigned i = 0; i < n; i++) {
			guest_at(&g, guest_write_cr3);
			g.r.rcx = roots[i];
			guest_expect(&g, i < count ? X_VMCALL : X_CR);
			if (i < count)
				CHECK_EQ(get(&g, G_CR3), roots[i]);
		}
	}
}

static uint32_t *virtual_apic(struct guest *g)
{
	uint32_t *page;

	need(C_PROC, PROC_TPR_SHADOW);
	page = page_alloc();
	set_bits(g, C_PROC, PROC_TPR_SHADOW);
	put(g, C_VIRTUAL_APIC, (uint64_t)page);
	put(g, C_TPR_THRESHOLD, 0);
	return page;
}

static void tpr_shadow(const void *arg)
{
	struct guest g = guest_long(guest_cr8);
	uint32_t *page = virtual_apic(&g);

	(void)arg;
	write_cr8(2);
	page[APIC_TPR / 4] = 0xb7;
	g.r.rcx = 5;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(read_cr8(), 2);
	write_cr8(0);
	CHECK_EQ(g.r.rax, 5);
	CHECK_EQ(page[APIC_TPR / 4], 0x50);
	page[APIC_TPR / 4] = 0x93;
	guest_at(&g, after_cr8);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, 9);
}

/* Without the shadow, CR8 is the machine's. */
static void plain_cr8(const void *arg)
{
	struct guest g = guest_long(guest_cr8);
	uint64_t seen;

	(void)arg;
	g.r.rcx = 5;
	guest_expect(&g, X_VMCALL);
	seen = read_cr8();
	write_cr8(0);
	CHECK_EQ(seen, 5);
	CHECK_EQ(g.r.rax, 5);
}

/* A TPR below the threshold exits, behind the instruction. */
static void tpr_threshold(const void *arg)
{
	struct guest g = guest_long(guest_cr8);
	uint32_t *page = virtual_apic(&g);

	(void)arg;
	page[APIC_TPR / 4] = 0x80;
	put(&g, C_TPR_THRESHOLD, 6);
	g.r.rcx = 7;
	guest_expect(&g, X_VMCALL);
	guest_at(&g, guest_cr8);
	g.r.rcx = 6;
	guest_expect(&g, X_VMCALL);
	guest_at(&g, guest_cr8);
	g.r.rcx = 5;
	guest_expect_at(&g, X_TPR_THRESHOLD, after_cr8);
	CHECK_EQ(page[APIC_TPR / 4], 0x50);
	CHECK_EQ(get(&g, I_EVENT) & EVENT_VALID, 0);
	put(&g, C_TPR_THRESHOLD, 5);
	guest_expect(&g, X_VMCALL);
}

/* A page of the guest's at APIC_GPA, which is the APIC-access page. */
static uint64_t apic_access(struct guest *g)
{
	uint64_t page;

	need(C_PROC2, PROC2_APIC_ACCESS);
	page = (uint64_t)page_alloc();
	set_bits(g, C_PROC2, PROC2_APIC_ACCESS);
	put(g, C_APIC_ACCESS, page);
	ept_map(g->ept, APIC_GPA, page, EPT_ALL);
	return page;
}

static void apic_access_exits(const void *arg)
{
	struct guest g = guest_long(guest_read);
	static const uint32_t offsets[] = {0, APIC_ID, APIC_TPR, APIC_EOI, APIC_ICR_LOW, 0xffc};

	(void)arg;
	apic_access(&g);
	for (unsigned i = 0; i < ARRAY_SIZE(offsets); i++) {
		g.r.rbx = APIC_GPA + offsets[i];
		guest_at(&g, guest_read);
		guest_expect_at(&g, X_APIC_ACCESS, guest_read);
		CHECK_EQ(get(&g, I_QUALIFICATION), offsets[i]);
		guest_at(&g, guest_write);
		guest_expect_at(&g, X_APIC_ACCESS, guest_write);
		CHECK_EQ(get(&g, I_QUALIFICATION), offsets[i] | Q_APIC_WRITE);
		CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	}
}

/* With the TPR shadow too, the TPR's 4 bytes are the virtual APIC's; all else exits. */
static void apic_access_tpr(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint32_t *page = virtual_apic(&g), *access = (uint32_t *)apic_access(&g);

	(void)arg;
	page[APIC_TPR / 4] = 0x97;
	g.r.rbx = APIC_GPA + APIC_TPR;
	guest_expect_at(&g, X_VMCALL, after_read);
	CHECK_EQ(g.r.rax, 0x97);
	guest_at(&g, guest_write);
	g.r.rcx = 0x53;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(page[APIC_TPR / 4], 0x53);
	CHECK_EQ(access[APIC_TPR / 4], 0);
	put(&g, C_TPR_THRESHOLD, 4);
	g.r.rcx = 0x30;
	guest_at(&g, guest_write);
	guest_expect_at(&g, X_TPR_THRESHOLD, after_write);
	CHECK_EQ(page[APIC_TPR / 4], 0x30);
	put(&g, C_TPR_THRESHOLD, 0);
	guest_at(&g, guest_read64);
	guest_expect_at(&g, X_APIC_ACCESS, guest_read64);
	CHECK_EQ(get(&g, I_QUALIFICATION), APIC_TPR);
	g.r.rbx = APIC_GPA + APIC_ID;
	guest_at(&g, guest_read);
	guest_expect_at(&g, X_APIC_ACCESS, guest_read);
}

/* An event whose delivery reaches the page: the type says so, and the event is vectoring. */
static void apic_access_in_delivery(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	apic_access(&g);
	put(&g, G_RSP, APIC_GPA + 0x800);
	set_bits(&g, G_RFLAGS, FLAG_IF);
	put(&g, C_EVENT, EVENT_VALID | EVENT_INTR | 0x40);
	guest_expect_at(&g, X_APIC_ACCESS, guest_stop);
	CHECK_EQ(get(&g, I_QUALIFICATION) & 0xf000, Q_APIC_EVENT);
	CHECK_EQ(get(&g, I_VECTORING), EVENT_VALID | EVENT_INTR | 0x40);
}

/* Through any gpa, and not through a gpa that leads elsewhere. */
static void apic_access_is_physical(const void *arg)
{
	struct guest g = guest_long(guest_read);
	uint64_t page = apic_access(&g), *other = page_alloc();

	(void)arg;
	g.r.rbx = page + 0x40;
	guest_expect_at(&g, X_APIC_ACCESS, guest_read);
	CHECK_EQ(get(&g, I_QUALIFICATION), 0x40);
	other[8] = 0x1234;
	ept_map(g.ept, APIC_GPA, (uint64_t)other, EPT_ALL);
	flush_all();
	g.r.rbx = APIC_GPA + 0x40;
	guest_expect_at(&g, X_VMCALL, after_read);
	CHECK_EQ(g.r.rax, 0x1234);
	clear_bits(&g, C_PROC2, PROC2_APIC_ACCESS);
	flush_all();
	g.r.rbx = page + 0x40;
	guest_at(&g, guest_read);
	guest_expect_at(&g, X_VMCALL, after_read);
}

static void x2apic_tpr(const void *arg)
{
	struct guest g = guest_long(guest_rdmsr);
	uint32_t *page = virtual_apic(&g);

	(void)arg;
	need(C_PROC2, PROC2_X2APIC);
	set_bits(&g, C_PROC2, PROC2_X2APIC);
	page[APIC_TPR / 4] = 0x97;
	g.r.rcx = MSR_X2APIC_TPR;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, 0x97);
	CHECK_EQ(g.r.rdx, 0);
	put(&g, C_TPR_THRESHOLD, 6);
	g.r.rax = 0x70;
	guest_at(&g, guest_wrmsr);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(page[APIC_TPR / 4], 0x70);
	g.r.rax = 0x50;
	guest_at(&g, guest_wrmsr);
	guest_expect_at(&g, X_TPR_THRESHOLD, after_wrmsr);
	CHECK_EQ(page[APIC_TPR / 4], 0x50);
	CHECK_EQ(apic_read(APIC_TPR), 0);
}

struct msr_entry {
	uint32_t index, reserved;
	uint64_t value;
};

GUEST(guest_reads_msrs,
      "mov $0xc0000081, %ecx; rdmsr; mov %rax, %rbx; mov %rdx, %rbp; inc %ecx; rdmsr;"
      "mov %rax, %rsi; mov %rdx, %rdi; mov $0xc0000102, %ecx; rdmsr;" STOP);

static uint64_t both(uint64_t low, uint64_t high)
{
	return high << 32 | (uint32_t)low;
}

static void entry_loads_msrs(const void *arg)
{
	struct guest g = guest_long(guest_reads_msrs);
	struct msr_entry *area = page_alloc();

	(void)arg;
	area[0] = (struct msr_entry){MSR_STAR, 0, 0x0023001800000000};
	area[1] = (struct msr_entry){MSR_LSTAR, 0, 0xffff800012345678};
	area[2] = (struct msr_entry){MSR_KERNEL_GS_BASE, 0, 0x7fff12345678};
	area[3] = (struct msr_entry){MSR_LSTAR, 0,
				     0xffff800087654321}; /* in order: the last one stays */
	put(&g, C_ENTRY_LOAD, (uint64_t)area);
	put(&g, C_ENTRY_LOAD_COUNT, 4);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(both(g.r.rbx, g.r.rbp), 0x0023001800000000);
	CHECK_EQ(both(g.r.rsi, g.r.rdi), 0xffff800087654321);
	CHECK_EQ(both(g.r.rax, g.r.rdx), 0x7fff12345678);
	put(&g, C_ENTRY_LOAD_COUNT, 2);
	wrmsr(MSR_KERNEL_GS_BASE, 0x1000);
	guest_at(&g, guest_reads_msrs);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(both(g.r.rsi, g.r.rdi), 0xffff800012345678);
	CHECK_EQ(both(g.r.rax, g.r.rdx), 0x1000);
}

static void exit_stores_and_loads_msrs(const void *arg)
{
	struct guest g = guest_long(guest_wrmsr);
	struct msr_entry *store = page_alloc(), *load = page_alloc();
	uint64_t star, lstar;

	(void)arg;
	store[0] = (struct msr_entry){MSR_LSTAR, 0, 0x77};
	store[1] = (struct msr_entry){MSR_KERNEL_GS_BASE, 0, 0x77};
	store[2] = (struct msr_entry){MSR_STAR, 0, 0x77};
	load[0] = (struct msr_entry){MSR_LSTAR, 0, 0x123456};
	wrmsr(MSR_KERNEL_GS_BASE, 0xabc000);
	wrmsr(MSR_STAR, 0x0008000000000000);
	put(&g, C_EXIT_STORE, (uint64_t)store);
	put(&g, C_EXIT_STORE_COUNT, 2);
	put(&g, C_EXIT_LOAD, (uint64_t)load);
	put(&g, C_EXIT_LOAD_COUNT, 1);
	g.r.rcx = MSR_LSTAR;
	g.r.rax = 0x11112222;
	g.r.rdx = 0x3333;
	guest_expect(&g, X_VMCALL);
	lstar = rdmsr(MSR_LSTAR);
	star = rdmsr(MSR_STAR);
	CHECK_EQ(store[0].value, 0x333311112222);
	CHECK_EQ(store[0].index, MSR_LSTAR);
	CHECK_EQ(store[1].value, 0xabc000);
	CHECK_EQ(store[2].value, 0x77);
	CHECK_EQ(lstar, 0x123456);
	CHECK_EQ(star, 0x0008000000000000);
}

/* The areas of one guest and the next: each entry has its own. */
static void msr_areas_of_two(const void *arg)
{
	struct guest a = guest_long(guest_reads_msrs), b = guest_long(guest_reads_msrs);
	struct msr_entry *area = page_alloc();

	(void)arg;
	area[0] = (struct msr_entry){MSR_LSTAR, 0, 0xaaaa000};
	area[64] = (struct msr_entry){MSR_LSTAR, 0, 0xbbbb000};
	put(&a, C_ENTRY_LOAD, (uint64_t)&area[0]);
	put(&a, C_ENTRY_LOAD_COUNT, 1);
	put(&b, C_ENTRY_LOAD, (uint64_t)&area[64]);
	put(&b, C_ENTRY_LOAD_COUNT, 1);
	for (unsigned i = 0; i < 4; i++) {
		guest_at(&a, guest_reads_msrs);
		guest_expect(&a, X_VMCALL);
		CHECK_EQ(both(a.r.rsi, a.r.rdi), 0xaaaa000 + i);
		guest_at(&b, guest_reads_msrs);
		guest_expect(&b, X_VMCALL);
		CHECK_EQ(both(b.r.rsi, b.r.rdi), 0xbbbb000 + i);
		area[0].value++;
		area[64].value++;
	}
}

void l1_main(void)
{
	vmx_start();
	test("cr0-shadow-read", cr0_shadow_read, NULL);
	test("cr0-write-agrees", cr0_write_agrees, NULL);
	test("clts-masked", clts_masked, NULL);
	test("lmsw-masked", lmsw_masked, NULL);
	test("cr4-shadow", cr4_shadow, NULL);
	test("cr4-fixed", cr4_fixed, NULL);
	test("cr3-targets", cr3_targets, NULL);
	test("tpr-shadow", tpr_shadow, NULL);
	test("plain-cr8", plain_cr8, NULL);
	test("tpr-threshold", tpr_threshold, NULL);
	test("apic-access-exits", apic_access_exits, NULL);
	test("apic-access-tpr", apic_access_tpr, NULL);
	test("apic-access-in-delivery", apic_access_in_delivery, NULL);
	test("apic-access-is-physical", apic_access_is_physical, NULL);
	test("x2apic-tpr", x2apic_tpr, NULL);
	test("entry-loads-msrs", entry_loads_msrs, NULL);
	test("exit-stores-and-loads-msrs", exit_stores_and_loads_msrs, NULL);
	test("msr-areas-of-two", msr_areas_of_two, NULL);
}
