/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests that change their mode: real to protected to long mode and back, compatibility mode, PAE with
 * its PDPTEs. What the exits then say of EFER, CR0 and the entry controls. SDM 3, 26.3.1.6, 27.3.
 */
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/start.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define LOW_CODE 0x11000 /* guests that leave real mode run here: below 1 MiB */
#define LOW_GDT 0x12000
#define TEST_VA 0x40000000u /* of PAE guests: the second GiB */

GUEST(guest_stop, STOP);

/* Real mode: load the GDT at CS:0x2000, set PE, go to 32-bit code at LOW_CODE. */
GUEST(guest_to_protected, ".code16; lgdtl 0x2100; mov %cr0, %eax; or $1, %eax; mov %eax, %cr0;"
			  "in_protected_soon:" STOP "ljmpl $0x08, $0x11000\n");
GUEST_LABEL(in_protected_soon);
GUEST(guest_in_protected, ".code32; mov $0x10, %eax; mov %eax, %ss; mov %eax, %ds;" STOP);

/* Protected mode without paging: to long mode, then back out of it. */
GUEST(guest_to_long,
      ".code32; mov %cr4, %eax; or $0x20, %eax; mov %eax, %cr4; mov %ebx, %cr3;"
      "mov $0xc0000080, %ecx; rdmsr; or $0x100, %eax; wrmsr; lme_set:" STOP
      "mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0; compatible:" STOP
      "ljmp $0x18, $1f; .code64; 1: in_long:" STOP
      "pushq $0x08; lea 2f(%rip), %rax; push %rax; lretq; .code32; 2: back_compatible:" STOP
      "mov %cr0, %eax; and $0x7fffffff, %eax; mov %eax, %cr0; paging_off:" STOP);
GUEST_LABEL(lme_set);
GUEST_LABEL(compatible);
GUEST_LABEL(in_long);
GUEST_LABEL(back_compatible);
GUEST_LABEL(paging_off);

static void step(struct guest *g, const uint8_t *at)
{
	guest_expect_at(g, X_VMCALL, at);
	CHECK_EQ(get(g, I_LENGTH), STOP_SIZE);
	put(g, G_RIP, (uint64_t)at + STOP_SIZE);
}

static void real_to_protected(const void *arg)
{
	struct guest g = guest_real(guest_to_protected, guest_to_protected_end);
	struct table_pointer p = {(uint16_t)(gdt_end - (uint8_t *)gdt - 1), LOW_GDT};

	(void)arg;
	memcpy((void *)LOW_CODE, guest_in_protected,
	       (size_t)(guest_in_protected_end - guest_in_protected));
	memcpy((void *)LOW_GDT, gdt, (size_t)(gdt_end - (uint8_t *)gdt));
	memcpy((void *)(REAL_GUEST + 0x2100), &p, sizeof(p));
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_RIP), in_protected_soon - guest_to_protected);
	CHECK_EQ(get(&g, G_CR0) & CR0_PE, CR0_PE);
	CHECK_EQ(get(&g, G_CS_BASE), REAL_GUEST);
	CHECK_EQ(get(&g, G_CS_LIMIT), 0xffff);
	CHECK_EQ(get(&g, G_GDTR_BASE), LOW_GDT);
	put(&g, G_RIP, get(&g, G_RIP) + STOP_SIZE);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_CS), SEL_CODE32);
	CHECK_EQ(get(&g, G_CS_RIGHTS), 0xc09b);
	CHECK_EQ(get(&g, G_SS), SEL_DATA);
	CHECK_EQ(get(&g, G_DS_RIGHTS), 0xc093);
	CHECK_EQ(get(&g, G_RIP), LOW_CODE + 9);
}

static void protected_to_long(const void *arg)
{
	struct guest g = guest_protected(guest_to_long);

	(void)arg;
	g.r.rbx = (uint64_t)table_identity();
	put(&g, G_GDTR_BASE, (uint64_t)gdt);
	step(&g, lme_set);
	CHECK_EQ(get(&g, G_EFER), EFER_LME);
	CHECK_EQ(get(&g, C_ENTRY) & ENTRY_GUEST_64, 0);
	step(&g, compatible);
	CHECK_EQ(get(&g, G_EFER), EFER_LME | EFER_LMA);
	CHECK_EQ(get(&g, C_ENTRY) & ENTRY_GUEST_64, ENTRY_GUEST_64);
	CHECK_EQ(get(&g, G_CR0) & CR0_PG, CR0_PG);
	step(&g, in_long);
	CHECK_EQ(get(&g, G_CS_RIGHTS), 0xa09b);
	step(&g, back_compatible);
	CHECK_EQ(get(&g, G_CS_RIGHTS), 0xc09b);
	CHECK_EQ(get(&g, C_ENTRY) & ENTRY_GUEST_64, ENTRY_GUEST_64);
	step(&g, paging_off);
	CHECK_EQ(get(&g, G_EFER), EFER_LME);
	CHECK_EQ(get(&g, C_ENTRY) & ENTRY_GUEST_64, 0);
	CHECK_EQ(get(&g, G_CR0) & CR0_PG, 0);
	CHECK_EQ(rdmsr(MSR_EFER) & (EFER_LMA | EFER_LME), EFER_LMA | EFER_LME);
}

/* The same with CR0.PG and PE masked: each exits, and L1 does what it asks for. */
static void protected_to_long_masked(const void *arg)
{
	struct guest g = guest_protected(guest_to_long);

	(void)arg;
	g.r.rbx = (uint64_t)table_identity();
	put(&g, G_GDTR_BASE, (uint64_t)gdt);
	put(&g, C_CR0_MASK, CR0_PG | CR0_PE);
	put(&g, C_CR0_SHADOW, CR0_PE);
	step(&g, lme_set);
	guest_expect(&g, X_CR);
	CHECK_EQ(get(&g, I_QUALIFICATION), 0);
	CHECK_EQ(g.r.rax & CR0_PG, CR0_PG);
	set_bits(&g, G_CR0, CR0_PG);
	put(&g, C_CR0_SHADOW, CR0_PE | CR0_PG);
	set_bits(&g, G_EFER, EFER_LMA);
	set_bits(&g, C_ENTRY, ENTRY_GUEST_64);
	put(&g, G_RIP, get(&g, G_RIP) + get(&g, I_LENGTH));
	step(&g, compatible);
	step(&g, in_long);
}

/* Compatibility mode: 32-bit code, long mode's tables. */
GUEST(guest_compatible, ".code32; mov $0xffffffff, %eax; inc %eax; movl (%ebx), %ecx;" STOP);
static void compatibility(const void *arg)
{
	struct guest g = guest_long(guest_compatible);
	uint64_t *page = page_alloc();

	(void)arg;
	*page = 0x1122334455667788;
	put(&g, G_CS, SEL_CODE32);
	put(&g, G_CS_RIGHTS, 0xc09b);
	g.r.rbx = 0x5500000000 | (uint64_t)page;
	g.r.rcx = g.r.rax = ~0ull;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rcx, 0x55667788);
	CHECK_EQ(g.r.rax, 0);
	CHECK_EQ(get(&g, C_ENTRY) & ENTRY_GUEST_64, ENTRY_GUEST_64);
}

/* A PAE guest: its page directories, with TEST_VA at `page` in two of them. */
struct pae {
	struct guest g;
	uint64_t *pdpt, *other_pdpt, *low, *first, *second;
};

static uint64_t *directory(uint64_t start)
{
	uint64_t *pd = page_alloc();

	for (uint64_t i = 0; i < 512; i++)
		pd[i] = (start + i * 2 * MIB) | PTE_P | PTE_W | PTE_LARGE;
	return pd;
}

static struct pae pae_guest(const void *code)
{
	struct pae p = {.g = guest_protected(code)};
	uint64_t *a = page_alloc(), *b = page_alloc();

	p.pdpt = page_alloc();
	p.other_pdpt = page_alloc();
	p.low = directory(0);
	p.first = page_alloc();
	p.second = page_alloc();
	*p.first = 1;
	*p.second = 2;
	a[0] = (uint64_t)page_alloc() | PTE_P | PTE_W;
	*(uint64_t *)(a[0] & PTE_ADDRESS) = (uint64_t)p.first | PTE_P | PTE_W;
	b[0] = (uint64_t)page_alloc() | PTE_P | PTE_W;
	*(uint64_t *)(b[0] & PTE_ADDRESS) = (uint64_t)p.second | PTE_P | PTE_W;
	p.pdpt[0] = p.other_pdpt[0] = (uint64_t)p.low | PTE_P;
	p.pdpt[1] = (uint64_t)a | PTE_P;
	p.other_pdpt[1] = (uint64_t)b | PTE_P;
	p.g.r.rbx = TEST_VA;
	put(&p.g, G_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE);
	put(&p.g, G_CR4, CR4_VMXE | CR4_PAE);
	put(&p.g, G_CR3, (uint64_t)p.pdpt);
	put(&p.g, G_PDPTE0, p.pdpt[0]);
	put(&p.g, G_PDPTE1, p.pdpt[1]);
	put(&p.g, G_PDPTE2, 0);
	put(&p.g, G_PDPTE3, 0);
	return p;
}

GUEST(guest_pae_read, ".code32; mov (%ebx), %eax;" STOP);
GUEST(guest_pae_reload, ".code32; mov %ecx, %cr3; mov (%ebx), %eax; after_pae_reload:" STOP);
GUEST_LABEL(after_pae_reload);
GUEST(guest_pae_enable, ".code32; mov %cr4, %eax; or $0x20, %eax; mov %eax, %cr4; mov %ecx, %cr3;"
			"mov %cr0, %eax; or $0x80000000, %eax; at_pae_enable: mov %eax, %cr0;"
			"mov (%ebx), %eax;" STOP);
GUEST_LABEL(at_pae_enable);

/* With EPT, entry takes the PDPTEs from the VMCS, not from memory. */
static void pae_from_fields(const void *arg)
{
	struct pae p = pae_guest(guest_pae_read);

	(void)arg;
	put(&p.g, G_PDPTE1, p.other_pdpt[1]);
	guest_expect(&p.g, X_VMCALL);
	CHECK_EQ(p.g.r.rax, 2);
	CHECK_EQ(get(&p.g, G_PDPTE0), p.pdpt[0]);
	CHECK_EQ(get(&p.g, G_PDPTE1), p.other_pdpt[1]);
}

/* The guest's own MOV to CR3 loads them from its memory, and the exit stores them. */
static void pae_reload(const void *arg)
{
	struct pae p = pae_guest(guest_pae_reload);

	(void)arg;
	p.g.r.rcx = (uint64_t)p.other_pdpt;
	guest_expect_at(&p.g, X_VMCALL, after_pae_reload);
	CHECK_EQ(p.g.r.rax, 2);
	CHECK_EQ(get(&p.g, G_PDPTE1), p.other_pdpt[1]);
	CHECK_EQ(get(&p.g, G_CR3), p.other_pdpt);
	guest_at(&p.g, guest_pae_reload);
	p.g.r.rcx = (uint64_t)p.pdpt;
	guest_expect(&p.g, X_VMCALL);
	CHECK_EQ(p.g.r.rax, 1);
	CHECK_EQ(get(&p.g, G_PDPTE1), p.pdpt[1]);
}

/* A guest that switches PAE paging on itself. */
static void pae_enable(const void *arg)
{
	struct pae p = pae_guest(guest_pae_enable);

	(void)arg;
	put(&p.g, G_CR0, CR0_PE | CR0_ET | CR0_NE);
	put(&p.g, G_CR4, CR4_VMXE);
	put(&p.g, G_CR3, 0);
	put(&p.g, G_PDPTE0, 0);
	put(&p.g, G_PDPTE1, 0);
	p.g.r.rcx = (uint64_t)p.other_pdpt;
	guest_expect(&p.g, X_VMCALL);
	CHECK_EQ(p.g.r.rax, 2);
	CHECK_EQ(get(&p.g, G_PDPTE1), p.other_pdpt[1]);
	CHECK_EQ(get(&p.g, C_ENTRY) & ENTRY_GUEST_64, 0);
}

/* PDPTEs that are reserved: #GP in the guest at the MOV. */
static void pae_reserved(const void *arg)
{
	struct pae p = pae_guest(guest_pae_reload);

	(void)arg;
	p.other_pdpt[2] = PTE_P | PTE_W;
	p.g.r.rcx = (uint64_t)p.other_pdpt;
	guest_expect_event(&p.g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&p.g, G_RIP), guest_pae_reload);
	CHECK_EQ(get(&p.g, G_CR3), p.pdpt);
}

/* The load of PDPTEs reaches a page that the EPT hides: no linear address (SDM 3, table 27-7). */
static void pae_violation(const void *arg)
{
	struct pae p = pae_guest(guest_pae_reload);

	(void)arg;
	p.g.r.rcx = (uint64_t)p.other_pdpt;
	*ept_entry(p.g.ept, (uint64_t)p.other_pdpt, LEVEL_4K) = 0;
	guest_expect_at(&p.g, X_EPT_VIOLATION, guest_pae_reload);
	CHECK_EQ(get(&p.g, I_QUALIFICATION) & 0xbf, 1);
	CHECK_EQ(get(&p.g, I_GPA) & PAGE_MASK, p.other_pdpt);
	ept_map(p.g.ept, (uint64_t)p.other_pdpt, (uint64_t)p.other_pdpt, EPT_ALL);
	guest_expect(&p.g, X_VMCALL);
	CHECK_EQ(p.g.r.rax, 2);
}

/* 32-bit paging without PAE. */
static void paging_32(const void *arg)
{
	struct guest g = guest_protected(guest_pae_read);
	uint32_t *pd = page_alloc(), *pt = page_alloc(), *page = page_alloc();

	(void)arg;
	*page = 0x1234;
	for (uint32_t i = 0; i < 16; i++)
		pd[i] = i << 22 | PTE_P | PTE_W | PTE_LARGE;
	pd[TEST_VA >> 22] = (uint32_t)(uint64_t)pt | PTE_P | PTE_W;
	pt[0] = (uint32_t)(uint64_t)page | PTE_P | PTE_W;
	put(&g, G_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE);
	put(&g, G_CR4, CR4_VMXE | 0x10);
	put(&g, G_CR3, (uint64_t)pd);
	g.r.rbx = TEST_VA;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(g.r.rax, 0x1234);
}

/* Virtual-8086 mode inside a protected-mode guest. */
static void virtual_8086(const void *arg)
{
	static const enum field all[] = {G_ES, G_CS, G_SS, G_DS, G_FS, G_GS};
	struct guest g = guest_protected(guest_stop);

	(void)arg;
	memcpy((void *)REAL_GUEST, guest_stop, STOP_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		unsigned n = all[i] - G_ES;

		put(&g, all[i], REAL_GUEST >> 4);
		put(&g, G_ES_BASE + n, REAL_GUEST);
		put(&g, G_ES_LIMIT + n, 0xffff);
		put(&g, G_ES_RIGHTS + n, 0xf3);
	}
	put(&g, G_RFLAGS, 2 | 0x20000 | 0x3000);
	put(&g, G_RIP, 0);
	put(&g, G_RSP, 0xff00);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_RIP), 0);
	CHECK_EQ(get(&g, G_RFLAGS), 2 | 0x20000 | 0x3000);
	CHECK_EQ(get(&g, G_CS_RIGHTS), 0xf3);
}

/* Without paging EFER.LME may be set: not yet long mode. */
static void lme_without_paging(const void *arg)
{
	struct guest g = guest_protected(guest_stop);

	(void)arg;
	put(&g, G_EFER, EFER_LME);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, G_EFER), EFER_LME);
	CHECK_EQ(read_cr0() & CR0_PG, CR0_PG);
}

void l1_main(void)
{
	vmx_start();
	test("real-to-protected", real_to_protected, NULL);
	test("protected-to-long", protected_to_long, NULL);
	test("protected-to-long-masked", protected_to_long_masked, NULL);
	test("compatibility", compatibility, NULL);
	test("pae-from-fields", pae_from_fields, NULL);
	test("pae-reload", pae_reload, NULL);
	test("pae-enable", pae_enable, NULL);
	test("pae-reserved", pae_reserved, NULL);
	test("pae-violation", pae_violation, NULL);
	test("paging-32", paging_32, NULL);
	test("virtual-8086", virtual_8086, NULL);
	test("lme-without-paging", lme_without_paging, NULL);
}
