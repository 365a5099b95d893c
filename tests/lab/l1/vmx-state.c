/* SPDX-License-Identifier: Apache-2.0 */
/* What VM entries load, and what VM exits store and load: SDM volume 3, chapters 26 and 27. */
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/start.h"
#include "lib/trap.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define CR4_DE 0x8u
#define CR4_TSD 0x4u
#define LAR_BITS 0xf0ff00u
#define PAT_GUEST 0x0006060606060606ull
#define PAT_HOST 0x0007040600070406ull
#define PAT_OTHER 0x0600000000000006ull

GUEST(guest_stop, STOP);

/* Distinct values wherever a value is free. */
static void odd_guest(struct guest *g)
{
	put(g, G_ES, SEL_USER_DATA);
	put(g, G_ES_LIMIT, 0xfffff);
	put(g, G_ES_RIGHTS, 0x40f3);
	put(g, G_DS_BASE, 0x1234000);
	put(g, G_DS_RIGHTS, 0xd0f1);
	put(g, G_DS, SEL_USER_DATA);
	put(g, G_FS_BASE, 0xffff800012345678);
	put(g, G_FS_LIMIT, 0x7fff);
	put(g, G_FS_RIGHTS, 0x0093);
	put(g, G_GS, 0);
	put(g, G_GS_BASE, 0x7fff12345678);
	put(g, G_GS_RIGHTS, UNUSABLE);
	put(g, G_LDTR_LIMIT, 0xf);
	put(g, G_TR_LIMIT, 0x167);
	put(g, G_GDTR_LIMIT, 0x47);
	put(g, G_IDTR_LIMIT, 0xabc);
	put(g, G_SYSENTER_CS, 0x1234);
	put(g, G_SYSENTER_ESP, 0x7fff80001111);
	put(g, G_SYSENTER_EIP, 0xffff800000002222);
	put(g, G_PAT, PAT_GUEST);
	put(g, G_DR7, 0x10402);
	put(g, G_CR0, read_cr0() | CR0_TS);
	put(g, G_CR4, read_cr4() | CR4_DE);
}

static const enum field guest_fields[] = {
	GUEST_STATE_FIELDS, C_ENTRY, C_EXIT, C_PROC, C_PIN, C_PROC2, C_EPTP,
};

/* What was loaded and not changed is stored as it was. */
static void guest_state_kept(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t before[ARRAY_SIZE(guest_fields)];

	(void)arg;
	odd_guest(&g);
	for (unsigned i = 0; i < ARRAY_SIZE(guest_fields); i++)
		before[i] = get(&g, guest_fields[i]);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK(get(&g, G_GS_RIGHTS) & UNUSABLE, "GS became usable");
	for (unsigned i = 0; i < ARRAY_SIZE(guest_fields); i++)
		CHECK(get(&g, guest_fields[i]) == before[i], "field 0x%x was 0x%x, is 0x%x",
		      U64(guest_fields[i]), before[i], get(&g, guest_fields[i]));
}

/* The guest sees what was loaded: selectors, tables, MSRs, control and debug registers. */
GUEST(guest_looks, "sgdt (%rbx); sidt 16(%rbx); str %eax; mov %eax, 32(%rbx); sldt %eax;"
		   "mov %eax, 36(%rbx); mov %ds, %eax; mov %eax, 40(%rbx); mov %es, %eax;"
		   "mov %eax, 44(%rbx); mov %gs, %eax; mov %eax, 48(%rbx);"
		   "mov %dr7, %rax; mov %rax, 56(%rbx); mov %cr0, %rax; mov %rax, 64(%rbx);"
		   "mov %cr4, %rax; mov %rax, 72(%rbx); mov %cr3, %rax; mov %rax, 80(%rbx);"
		   "lea 88(%rbx), %rdi; lea table_msrs(%rip), %rsi; mov $6, %r8d;"
		   "1: mov (%rsi), %ecx; rdmsr; mov %eax, (%rdi); mov %edx, 4(%rdi);"
		   "add $4, %rsi; add $8, %rdi; dec %r8d; jnz 1b; mov %fs:(%r9), %r10; " STOP
		   "table_msrs: .long 0x174, 0x175, 0x176, 0x277, 0xc0000080, 0xc0000101\n");

static uint64_t at(const uint8_t *p, unsigned offset, unsigned bytes)
{
	uint64_t v = 0;

	memcpy(&v, p + offset, bytes);
	return v;
}

static void guest_state_seen(const void *arg)
{
	struct guest g = guest_long(guest_looks);
	uint8_t *p = page_alloc();
	uint64_t *word = page_alloc();

	(void)arg;
	odd_guest(&g);
	*word = 0x7766554433221100;
	put(&g, G_CR0, read_cr0());
	put(&g, G_DS_BASE, 0);
	put(&g, G_FS_BASE, (uint64_t)word - 0x1000);
	g.r.rbx = (uint64_t)p;
	g.r.r9 = 0x1000;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(at(p, 0, 2), 0x47);
	CHECK_EQ(at(p, 2, 8), get(&g, G_GDTR_BASE));
	CHECK_EQ(at(p, 16, 2), 0xabc);
	CHECK_EQ(at(p, 18, 8), g.idt);
	CHECK_EQ(at(p, 32, 2), SEL_TSS);
	CHECK_EQ(at(p, 36, 2), SEL_LDT);
	CHECK_EQ(at(p, 40, 2), SEL_USER_DATA);
	CHECK_EQ(at(p, 44, 2), SEL_USER_DATA);
	CHECK_EQ(at(p, 48, 2), 0);
	CHECK_EQ(at(p, 56, 8), 0x10402);
	CHECK_EQ(at(p, 64, 8), read_cr0());
	CHECK_EQ(at(p, 72, 8), read_cr4() | CR4_DE);
	CHECK_EQ(at(p, 80, 8), read_cr3());
	CHECK_EQ(at(p, 88, 8), 0x1234);
	CHECK_EQ(at(p, 96, 8), 0x7fff80001111);
	CHECK_EQ(at(p, 104, 8), 0xffff800000002222);
	CHECK_EQ(at(p, 112, 8), PAT_GUEST);
	CHECK_EQ(at(p, 120, 8), rdmsr(MSR_EFER));
	CHECK_EQ(at(p, 128, 8), 0x7fff12345678);
	CHECK_EQ(g.r.r10, 0x7766554433221100);
}

/* The guest changes what it can; the exit stores that, and loads the host's. */
GUEST(guest_changes,
      "mov %rbx, %ds; mov %rbx, %es; mov %rbx, %fs; mov %rbx, %gs; xor %eax, %eax; lldt %ax;"
      "mov $0x174, %ecx; mov $0x99, %eax; xor %edx, %edx; wrmsr;"
      "inc %ecx; mov $0x9999, %eax; wrmsr; inc %ecx; mov $0x999900, %eax; wrmsr;"
      "mov $0x277, %ecx; mov $6, %eax; mov $0x06000000, %edx; wrmsr;"
      "mov $0xc0000080, %ecx; rdmsr; and $~1, %eax; wrmsr;"
      "mov $0xc0000101, %ecx; mov $0x123000, %eax; xor %edx, %edx; wrmsr;"
      "lidt (%r8); lgdt (%r8); mov %cr4, %rax; or $0xc, %rax; mov %rax, %cr4;"
      "mov %cr0, %rax; or $8, %rax; mov %rax, %cr0; mov %r9, %cr3; mov $0x20402, %eax;"
      "mov %rax, %dr7; mov $0x44000, %eax; mov %rax, %dr0; mov %rax, %cr2;" STOP);

struct host_seen {
	uint64_t cr0, cr3, cr4, dr7, efer, pat, cs, esp, eip, fs, gs;
	uint16_t selectors[6], tr, ldtr;
	struct table_pointer gdtr, idtr;
	uint32_t lar_cs, lar_ss, lar_ds, lar_tr;
};

static uint32_t lar(uint16_t selector)
{
	uint32_t v = 0;

	__asm__("lar %1, %0" : "=r"(v) : "r"((uint32_t)selector) : "cc");
	return v & LAR_BITS;
}

static struct host_seen look(void)
{
	struct host_seen h = {
		.cr0 = read_cr0(),
		.cr3 = read_cr3(),
		.cr4 = read_cr4(),
		.dr7 = read_dr7(),
		.efer = rdmsr(MSR_EFER),
		.pat = rdmsr(MSR_PAT),
		.cs = rdmsr(MSR_SYSENTER_CS),
		.esp = rdmsr(MSR_SYSENTER_ESP),
		.eip = rdmsr(MSR_SYSENTER_EIP),
		.fs = rdmsr(MSR_FS_BASE),
		.gs = rdmsr(MSR_GS_BASE),
		.selectors = {read_es(), read_cs(), read_ss(), read_ds(), read_fs(), read_gs()},
		.gdtr = read_gdtr(),
		.idtr = read_idtr(),
		.lar_cs = lar(read_cs()),
		.lar_ss = lar(read_ss()),
		.lar_ds = lar(read_ds()),
	};

	__asm__ volatile("str %0; sldt %1" : "=r"(h.tr), "=r"(h.ldtr));
	h.lar_tr = lar(h.tr);
	return h;
}

static void host_state_loaded(const void *arg)
{
	struct guest g = guest_long(guest_changes);
	struct table_pointer none = {0x123, 0x123456000};
	struct host_seen h;
	uint64_t own = (uint64_t)table_identity(), cr4 = read_cr4(), cr3 = read_cr3();
	uint64_t cr0 = read_cr0();

	(void)arg;
	g.r.rbx = SEL_USER_DATA;
	g.r.r8 = (uint64_t)&none;
	g.r.r9 = own;
	put(&g, H_ES, 0);
	put(&g, H_FS_BASE, 0xffff800000001000);
	put(&g, H_GS_BASE, 0x7fff00002000);
	put(&g, H_SYSENTER_CS, 0x77);
	put(&g, H_SYSENTER_ESP, 0x7777);
	put(&g, H_SYSENTER_EIP, 0xffffffff80007777);
	put(&g, H_PAT, PAT_OTHER);
	guest_expect(&g, X_VMCALL);
	h = look();
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_PAT, PAT_HOST);
	wrmsr(MSR_SYSENTER_CS, 0);
	wrmsr(MSR_SYSENTER_ESP, 0);
	wrmsr(MSR_SYSENTER_EIP, 0);
	__asm__ volatile("mov %0, %%es" : : "r"(SEL_DATA));
	CHECK_EQ(h.cr0, cr0);
	CHECK_EQ(h.cr3, cr3);
	CHECK_EQ(h.cr4, cr4);
	CHECK_EQ(h.dr7, 0x400);
	CHECK_EQ(h.efer, get(&g, H_EFER));
	CHECK_EQ(h.pat, PAT_OTHER);
	CHECK_EQ(h.cs, 0x77);
	CHECK_EQ(h.esp, 0x7777);
	CHECK_EQ(h.eip, 0xffffffff80007777);
	CHECK_EQ(h.fs, 0xffff800000001000);
	CHECK_EQ(h.gs, 0x7fff00002000);
	CHECK_EQ(h.selectors[0], 0);
	CHECK_EQ(h.selectors[1], SEL_CODE64);
	for (unsigned i = 2; i < 6; i++)
		CHECK_EQ(h.selectors[i], SEL_DATA);
	CHECK_EQ(h.tr, SEL_TSS);
	CHECK_EQ(h.ldtr, 0);
	CHECK_EQ(h.gdtr.base, gdt);
	CHECK_EQ(h.gdtr.limit, 0xffff);
	CHECK_EQ(h.idtr.base, get(&g, H_IDTR_BASE));
	CHECK_EQ(h.idtr.limit, 0xffff);
	CHECK_EQ(read_dr0(), 0x44000);
	CHECK_EQ(read_cr2(), 0x44000);
}

static void guest_state_stored(const void *arg)
{
	struct guest g = guest_long(guest_changes);
	struct table_pointer none = {0x123, 0x123456000};
	uint64_t own = (uint64_t)table_identity();

	(void)arg;
	g.r.rbx = SEL_USER_DATA;
	g.r.r8 = (uint64_t)&none;
	g.r.r9 = own;
	guest_expect(&g, X_VMCALL);
	for (unsigned i = 0; i < 4; i++) {
		static const enum field data[] = {G_DS, G_ES, G_FS, G_GS};
		unsigned n = data[i] - G_ES;

		CHECK_EQ(get(&g, data[i]), SEL_USER_DATA);
		CHECK_EQ(get(&g, G_ES_RIGHTS + n), 0xc0f3);
		CHECK_EQ(get(&g, G_ES_LIMIT + n), 0xffffffff);
	}
	CHECK_EQ(get(&g, G_GS_BASE), 0x123000);
	CHECK(get(&g, G_LDTR_RIGHTS) & UNUSABLE, "a null LDTR is usable");
	CHECK_EQ(get(&g, G_LDTR), 0);
	CHECK_EQ(get(&g, G_SYSENTER_CS), 0x99);
	CHECK_EQ(get(&g, G_SYSENTER_ESP), 0x9999);
	CHECK_EQ(get(&g, G_SYSENTER_EIP), 0x999900);
	CHECK_EQ(get(&g, G_PAT), 0x0600000000000006);
	CHECK_EQ(get(&g, G_EFER), rdmsr(MSR_EFER) & ~(uint64_t)EFER_SCE);
	CHECK_EQ(get(&g, G_GDTR_BASE), 0x123456000);
	CHECK_EQ(get(&g, G_IDTR_BASE), 0x123456000);
	CHECK_EQ(get(&g, G_GDTR_LIMIT), 0x123);
	CHECK_EQ(get(&g, G_IDTR_LIMIT), 0x123);
	CHECK_EQ(get(&g, G_CR4), read_cr4() | CR4_DE | CR4_TSD);
	CHECK_EQ(get(&g, G_CR0), read_cr0() | CR0_TS);
	CHECK_EQ(get(&g, G_CR3), own);
	CHECK_EQ(get(&g, G_DR7), 0x20402);
}

/* Host RIP and RSP are where the exit goes, each time as they then are. */
static void host_rip_rsp(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t *stack = page_alloc(), rsp;

	(void)arg;
	guest_use(&g);
	stack += 512;
	__asm__ volatile(
		"push %%rbp; push %%rbx; mov %%rsp, %%r15; lea 1f(%%rip), %%rax;"
		"vmwrite %%rax, %%rdx; vmwrite %%rcx, %%rsi; vmwrite %%r15, %%rdi;"
		"vmlaunch; ud2; 1: mov %%rsp, %0; vmread %%rdi, %%rsp; pop %%rbx; pop %%rbp"
		: "=&a"(rsp)
		: "d"((uint64_t)H_RIP), "c"(stack), "S"((uint64_t)H_RSP),
		  "D"((uint64_t)H_SYSENTER_ESP)
		: "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	CHECK_EQ(rsp, stack);
	CHECK_EQ(get(&g, I_REASON), X_VMCALL);
}

/* Debug controls, PAT and EFER change hands only by their controls. */
static void without_load_save(const void *arg)
{
	struct guest g = guest_long(guest_changes);
	struct table_pointer none = {0, 0};
	uint64_t efer = rdmsr(MSR_EFER), seen, seen_pat;

	(void)arg;
	if (allowed(C_EXIT).must & EXIT_SAVE_DEBUG || allowed(C_ENTRY).must & ENTRY_LOAD_DEBUG)
		test_skip("debug controls cannot be left alone");
	g.r.rbx = SEL_DATA;
	g.r.r8 = (uint64_t)&none;
	g.r.r9 = read_cr3();
	clear_bits(&g, C_EXIT,
		   EXIT_SAVE_DEBUG | EXIT_SAVE_PAT | EXIT_LOAD_PAT | EXIT_SAVE_EFER |
			   EXIT_LOAD_EFER);
	put(&g, G_PAT, PAT_GUEST);
	put(&g, G_DR7, 0x10402);
	put(&g, H_EFER, 0);
	put(&g, H_PAT, 0x11);
	guest_expect(&g, X_VMCALL);
	seen = rdmsr(MSR_EFER);
	seen_pat = rdmsr(MSR_PAT);
	wrmsr(MSR_EFER, efer);
	wrmsr(MSR_PAT, PAT_HOST);
	CHECK_EQ(get(&g, G_PAT), PAT_GUEST);
	CHECK_EQ(get(&g, G_DR7), 0x10402);
	CHECK_EQ(get(&g, G_EFER), efer);
	CHECK_EQ(seen, efer & ~(uint64_t)EFER_SCE);
	CHECK_EQ(seen_pat, 0x0600000000000006);
	CHECK_EQ(read_dr7(), 0x400);
}

/* Without the entry controls the guest begins with the host's DR7, PAT and EFER. */
static void entry_without_load(const void *arg)
{
	struct guest g = guest_long(guest_looks);
	uint8_t *p = page_alloc();

	(void)arg;
	if (allowed(C_ENTRY).must & ENTRY_LOAD_DEBUG)
		test_skip("debug controls cannot be left alone");
	clear_bits(&g, C_ENTRY, ENTRY_LOAD_DEBUG | ENTRY_LOAD_PAT | ENTRY_LOAD_EFER);
	put(&g, G_PAT, PAT_GUEST);
	put(&g, G_DR7, 0x10402);
	put(&g, G_EFER, 0);
	g.r.rbx = (uint64_t)p;
	g.r.r9 = (uint64_t)p;
	write_dr7(0x700);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(at(p, 56, 8), 0x700);
	CHECK_EQ(at(p, 112, 8), PAT_HOST);
	CHECK_EQ(at(p, 120, 8), rdmsr(MSR_EFER));
	CHECK_EQ(get(&g, G_DR7), 0x700);
	CHECK_EQ(get(&g, G_EFER), rdmsr(MSR_EFER));
}

void l1_main(void)
{
	vmx_start();
	test("guest-state-kept", guest_state_kept, NULL);
	test("guest-state-seen", guest_state_seen, NULL);
	test("guest-state-stored", guest_state_stored, NULL);
	test("host-state", host_state_loaded, NULL);
	test("host-rip-rsp", host_rip_rsp, NULL);
	test("without-load-save", without_load_save, NULL);
	test("entry-without-load", entry_without_load, NULL);
}
