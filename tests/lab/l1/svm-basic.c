/* SPDX-License-Identifier: Apache-2.0 */
/* SVM's own switches, and what VMRUN and #VMEXIT keep, load and store. */
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/start.h"
#include "lib/trap.h"
#include "svm/known.h"
#include "svm/svm.h"

#define VM_CR_SVMDIS 0x10u
#define RFLAGS_STATUS 0x8d5u /* CF PF AF ZF SF OF */

GUEST(guest_stop, STOP);
GUEST(guest_ud, "ud2\n");
GUEST(guest_shadow, "sti\n shadowed:" STOP "nop\n after_shadow:" STOP);
GUEST_LABEL(shadowed);
GUEST_LABEL(after_shadow);
GUEST(guest_tsc, "rdtsc\n" STOP);
GUEST(guest_invert,
      "not %rax\n not %rbx\n not %rcx\n not %rdx\n not %rsi\n not %rdi\n not %rbp\n"
      "not %r8\n not %r9\n not %r10\n not %r11\n not %r12\n not %r13\n not %r14\n not %r15\n" STOP);
GUEST(guest_state, "mov %rax, %cr2\n mov %rbx, %dr0\n mov %rcx, %dr6\n mov %rdx, %dr7\n" STOP);
GUEST(guest_read_state, "mov %cr2, %rax\n mov %dr6, %rcx\n mov %dr7, %rdx\n" STOP);
GUEST(guest_segments, "mov %rax, %ds\n mov %rax, %es\n push $0x5a\n" STOP);
GUEST(guest_flags, "std\n stc\n" STOP);

static void feature_leaf(const void *arg)
{
	struct regs4 r = cpuid(0x8000000A, 0);

	(void)arg;
	CHECK((r.a & 0xff) >= 1, "SVM revision is 0");
	CHECK(r.b >= 2, "only %u ASIDs", U64(r.b));
	CHECK(r.d & SVM_NPT, "no nested paging");
}

static void svme_toggles(const void *arg)
{
	(void)arg;
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SVME);
	CHECK(!(rdmsr(MSR_EFER) & EFER_SVME), "SVME stays set");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	CHECK(rdmsr(MSR_EFER) & EFER_SVME, "SVME stays clear");
}

#define DEFINE_INSTRUCTION(name)                                          \
	static void do_##name(void *page)                                 \
	{                                                                 \
		__asm__ volatile(#name : : "a"(page), "c"(0) : "memory"); \
	}
DEFINE_INSTRUCTION(vmrun)
DEFINE_INSTRUCTION(vmload)
DEFINE_INSTRUCTION(vmsave)
DEFINE_INSTRUCTION(stgi)
DEFINE_INSTRUCTION(clgi)
DEFINE_INSTRUCTION(invlpga)
DEFINE_INSTRUCTION(vmmcall)
DEFINE_INSTRUCTION(skinit)

static const struct instruction {
	const char *name;
	void (*fn)(void *);
} instructions[] = {
	{"ud-without-svme-vmrun", do_vmrun},   {"ud-without-svme-vmload", do_vmload},
	{"ud-without-svme-vmsave", do_vmsave}, {"ud-without-svme-stgi", do_stgi},
	{"ud-without-svme-clgi", do_clgi},     {"ud-without-svme-invlpga", do_invlpga},
};

static void ud_without_svme(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g = guest_long(guest_stop);
	struct fault f;

	if (i->fn == do_stgi && (cpuid(0x80000001, 0).c & 0x1000))
		test_skip("with SKINIT, STGI is legal without SVME");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SVME);
	f = expect_fault(i->fn, g.vmcb);
	CHECK(f.taken && f.vector == VEC_UD, "fault %u vector %u", U64(f.taken), U64(f.vector));
}

/* RAX = 0, so that no monitor takes it for its own hypercall. */
static void vmmcall_in_host(const void *arg)
{
	(void)arg;
	CHECK(faults_with(do_vmmcall, NULL, VEC_UD), "VMMCALL with nobody to take it is no #UD");
}

static void skinit_absent(const void *arg)
{
	(void)arg;
	if (cpuid(0x80000001, 0).c & 0x1000)
		test_skip("this CPU offers SKINIT");
	CHECK(faults_with(do_skinit, NULL, VEC_UD), "SKINIT without the CPUID bit is no #UD");
}

static void write_hsave(void *value)
{
	wrmsr(SVM_MSR_HSAVE, (uint64_t)value);
}

static void hsave_keeps(const void *arg)
{
	uint64_t page = (uint64_t)page_alloc();

	(void)arg;
	wrmsr(SVM_MSR_HSAVE, page);
	CHECK_EQ(rdmsr(SVM_MSR_HSAVE), page);
}

static void hsave_bad(const void *arg)
{
	struct fault f = expect_fault(write_hsave, *(void *const *)arg);

	tcg_lax(!f.taken, "TCG takes any VM_HSAVE_PA");
	CHECK(f.taken && f.vector == VEC_GP && f.error == 0, "no #GP(0)");
}

static void vm_cr(const void *arg)
{
	(void)arg;
	CHECK(!(rdmsr(SVM_MSR_VM_CR) & VM_CR_SVMDIS), "SVM is disabled in VM_CR");
}

static void write_vm_cr(void *value)
{
	wrmsr(SVM_MSR_VM_CR, (uint64_t)value);
}

static void vm_cr_disable(const void *arg)
{
	struct fault f = expect_fault(write_vm_cr, (void *)VM_CR_SVMDIS);

	(void)arg;
	tcg_lax(!f.taken, "TCG has no VM_CR");
	CHECK(f.taken && f.vector == VEC_GP, "SVMDIS can be set while EFER.SVME is set");
}

static void bad_address(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g = guest_long(guest_stop);
	void *shifted = (uint8_t *)pages_alloc(2, PAGE_SIZE) + 8;
	struct fault f;

	memcpy(shifted, g.vmcb, PAGE_SIZE - 8);
	f = expect_fault(i->fn, shifted);
	stgi();
	tcg_lax(!f.taken, "TCG takes an address that is not page-aligned");
	CHECK(f.taken && f.vector == VEC_GP && f.error == 0, "misaligned: no #GP(0)");
	f = expect_fault(i->fn, (void *)(1ull << 52));
	CHECK(f.taken && f.vector == VEC_GP && f.error == 0, "beyond physical: no #GP(0)");
}
static const struct instruction addressed[] = {
	{"gp-bad-address-vmrun", do_vmrun},
	{"gp-bad-address-vmload", do_vmload},
	{"gp-bad-address-vmsave", do_vmsave},
};

static void round_trip(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	for (unsigned i = 0; i < 1000; i++)
		guest_expect_at(&g, X_VMMCALL, guest_stop);
}

static void registers(const void *arg)
{
	struct guest g = guest_long(guest_invert);
	uint64_t *r = (uint64_t *)&g.r;

	(void)arg;
	for (unsigned i = 0; i < 14; i++)
		r[i] = 0x0123456789abcdefull * (i + 3);
	g.vmcb->rax = 0x5555000011112222;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rax, ~0x5555000011112222ull);
	for (unsigned i = 0; i < 14; i++)
		CHECK(r[i] == ~(0x0123456789abcdefull * (i + 3)), "register %u is 0x%x", U64(i),
		      r[i]);
	CHECK_EQ(g.vmcb->rsp, g.stack - 64);
}

static void host_registers(const void *arg)
{
	struct guest g = guest_long(guest_segments);
	struct table_pointer gdtr = read_gdtr(), idtr = read_idtr();
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);

	(void)arg;
	g.r.rbp = g.r.r15 = 0xdead;
	g.vmcb->rax = SEL_USER_DATA;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->ds.selector, SEL_USER_DATA);
	CHECK_EQ(*(uint64_t *)g.vmcb->rsp, 0x5a);
	CHECK_EQ(read_cr0(), cr0);
	CHECK_EQ(read_cr3(), cr3);
	CHECK_EQ(read_cr4(), cr4);
	CHECK_EQ(rdmsr(MSR_EFER), efer);
	CHECK_EQ(read_cs(), SEL_CODE64);
	CHECK_EQ(read_ss(), SEL_DATA);
	CHECK_EQ(read_ds(), SEL_DATA);
	CHECK_EQ(read_es(), SEL_DATA);
	CHECK(read_gdtr().base == gdtr.base && read_gdtr().limit == gdtr.limit, "GDTR changed");
	CHECK(read_idtr().base == idtr.base && read_idtr().limit == idtr.limit, "IDTR changed");
}

static void host_flags(const void *arg)
{
	struct guest g = guest_long(guest_flags);
	uint64_t flags;

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	guest_run_gif0(&g);
	flags = read_flags();
	stgi();
	CHECK(!(flags & (FLAG_IF | 0x400)), "the guest's IF or DF came to the host");
	CHECK((g.vmcb->rflags & (FLAG_IF | 0x401)) == (FLAG_IF | 0x401),
	      "the guest's flags are lost");
	clgi();
	interrupts_on();
	svm_enter(g.vmcb, &g.r, g.host);
	flags = read_flags();
	interrupts_off();
	stgi();
	CHECK(flags & FLAG_IF, "the host's IF is lost");
}

static void host_rax(const void *arg)
{
	struct guest g = guest_long(guest_invert);
	uint64_t rax = (uint64_t)g.vmcb;

	(void)arg;
	clgi();
	__asm__ volatile("push %%rbp; vmrun; pop %%rbp"
			 : "+a"(rax)
			 :
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "memory", "cc");
	stgi();
	CHECK_EQ(rax, g.vmcb);
}

static void guest_segments_saved(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	struct vmcb_segment before[6];

	(void)arg;
	g.vmcb->ds.base = 0x1234000;
	g.vmcb->es.limit = 0xfffff;
	g.vmcb->es.attributes = 0x493;
	memcpy(before, &g.vmcb->es, sizeof(before));
	guest_expect(&g, X_VMMCALL);
	CHECK(!memcmp(before, &g.vmcb->es, 4 * sizeof(before[0])),
	      "ES CS SS DS not saved as loaded");
	CHECK_EQ(g.vmcb->idtr.base, g.idt);
	CHECK_EQ(g.vmcb->gdtr.base, gdt);
	CHECK_EQ(g.vmcb->idtr.limit, 0xfff);
}

static void guest_control_registers(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->cr0 |= CR0_TS;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->cr0, read_cr0() | CR0_TS);
	CHECK_EQ(g.vmcb->cr3, read_cr3());
	CHECK_EQ(g.vmcb->cr4, read_cr4());
	CHECK_EQ(g.vmcb->efer, rdmsr(MSR_EFER));
	CHECK_EQ(g.vmcb->cpl, 0);
}

static void debug_registers(const void *arg)
{
	struct guest g = guest_long(guest_state);

	(void)arg;
	g.vmcb->rax = 0x123456789000;
	g.r.rbx = 0x4000;
	g.r.rcx = 0xffff4ff1;
	g.r.rdx = 0x10402; /* a breakpoint that this guest does not meet */
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->cr2, 0x123456789000);
	CHECK_EQ(g.vmcb->dr6, 0xffff4ff1);
	CHECK_EQ(g.vmcb->dr7, 0x10402);
	CHECK_EQ(read_dr0(), 0x4000);
}

static void debug_registers_loaded(const void *arg)
{
	struct guest g = guest_long(guest_read_state);

	(void)arg;
	write_cr2(0x77);
	write_dr6(0xffff0ff0);
	g.vmcb->cr2 = 0xabc000;
	g.vmcb->dr6 = 0xffff0ff4;
	g.vmcb->dr7 = 0x408;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rax, 0xabc000);
	CHECK_EQ(g.r.rcx, 0xffff0ff4);
	CHECK_EQ(g.r.rdx, 0x408);
}

/* CR2 is not host state that #VMEXIT brings back (APM 2, 15.6). */
static void host_cr2(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	write_cr2(0x1111);
	g.vmcb->cr2 = 0x2222000;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(read_cr2(), 0x2222000);
}

static void host_dr7(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t dr7;

	(void)arg;
	write_dr0(8);
	write_dr7(0x402);
	guest_run(&g);
	dr7 = read_dr7();
	write_dr7(0x400);
	tcg_lax(dr7 == 0x402, "TCG restores the host's DR7 instead of disabling it");
	CHECK_EQ(dr7, 0x400);
}

/* A guest on its way to long mode: EFER.LME set, PAE and paging not yet. */
static void host_cr0(const void *arg)
{
	struct guest g = guest_protected(guest_stop);
	uint64_t want = read_cr0(), cr0;

	(void)arg;
	g.vmcb->efer |= EFER_LME;
	guest_run(&g);
	cr0 = read_cr0();
	write_cr0(want);
	CHECK_EQ(g.vmcb->exit_code, X_VMMCALL);
	tcg_lax(cr0 != want, "TCG leaves the guest's CR0 if its LME is set and its PAE is clear");
	CHECK_EQ(cr0, want);
}

static void cpl_from_ss(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->cs.selector = SEL_USER_CODE64;
	g.vmcb->cs.attributes = 0xafb;
	g.vmcb->ss.selector = SEL_USER_DATA;
	g.vmcb->ss.attributes = 0xcf3;
	g.vmcb->cpl = 3;
	table_entry(g.nested, 0, LEVEL_2M);
	g.vmcb->cr3 = (uint64_t)table_identity();
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	CHECK_EQ(g.vmcb->cpl, 3);
	CHECK_EQ(g.vmcb->ss.selector, SEL_USER_DATA);
}

static void real_mode(const void *arg)
{
	struct guest g = guest_real(guest_stop, guest_stop_end);

	(void)arg;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rip, 0);
	CHECK_EQ(g.vmcb->cs.base, REAL_GUEST);
	CHECK_EQ(g.vmcb->efer, EFER_SVME);
	CHECK_EQ(g.vmcb->cr0, CR0_ET);
}

static void protected_mode(const void *arg)
{
	struct guest g = guest_protected(guest_stop);

	(void)arg;
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	CHECK_EQ(g.vmcb->cr0, CR0_PE | CR0_ET | CR0_NE);
	CHECK_EQ(g.vmcb->cs.attributes, 0xc9b);
	CHECK_EQ(rdmsr(MSR_EFER) & EFER_LMA, EFER_LMA);
}

static void exception_exit(const void *arg)
{
	struct guest g = guest_long(guest_ud);

	(void)arg;
	guest_expect_at(&g, X_EXCEPTION + VEC_UD, guest_ud);
	CHECK_EQ(g.vmcb->exit_int_info & EVENT_VALID, 0);
}

static void tsc_offset(const void *arg)
{
	struct guest g = guest_long(guest_tsc);
	uint64_t before, after, seen;

	(void)arg;
	g.vmcb->tsc_offset = 1ull << 60;
	before = rdtsc() + (1ull << 60);
	guest_expect(&g, X_VMMCALL);
	after = rdtsc() + (1ull << 60);
	seen = g.r.rdx << 32 | (uint32_t)g.vmcb->rax;
	CHECK(seen >= before && seen <= after, "guest read 0x%x, between 0x%x and 0x%x", seen,
	      before, after);
}

static void shadow_saved(const void *arg)
{
	struct guest g = guest_long(guest_shadow);

	(void)arg;
	guest_expect_at(&g, X_VMMCALL, shadowed);
	CHECK_EQ(g.vmcb->int_shadow & 1, 1);
	g.vmcb->rip += STOP_SIZE;
	g.vmcb->int_shadow = 0;
	guest_expect_at(&g, X_VMMCALL, after_shadow);
	CHECK_EQ(g.vmcb->int_shadow & 1, 0);
}

/* A virtual interrupt that is due has to wait for the instruction in the shadow. */
static void shadow_loaded(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	g.vmcb->int_shadow = 1;
	g.vmcb->int_control = V_IRQ | V_PRIORITY(15) | V_IGNORE_TPR | V_VECTOR(0x40);
	guest_run(&g);
	tcg_limit(g.vmcb->rip == (uint64_t)guest_stub(0x40),
		  "TCG does not load the interrupt shadow");
	CHECK_EQ(g.vmcb->rip, guest_stop);
}

struct vmload_field {
	const char *name;
	uint32_t msr;
	size_t offset;
	uint64_t value;
};
#define FIELD(f) offsetof(struct vmcb, f)
static const struct vmload_field vmload_fields[] = {
	{"vmload-fs-base", MSR_FS_BASE, FIELD(fs.base), 0x123456780},
	{"vmload-gs-base", MSR_GS_BASE, FIELD(gs.base), 0xffff800012345678},
	{"vmload-kernel-gs-base", MSR_KERNEL_GS_BASE, FIELD(kernel_gs_base), 0x7fff12345678},
	{"vmload-star", MSR_STAR, FIELD(star), 0x0023001812345678},
	{"vmload-lstar", MSR_LSTAR, FIELD(lstar), 0xffff8000aabbccdd},
	{"vmload-cstar", MSR_CSTAR, FIELD(cstar), 0xffff8000ddccbbaa},
	{"vmload-sfmask", MSR_SFMASK, FIELD(sfmask), 0x47700},
	{"vmload-sysenter-cs", MSR_SYSENTER_CS, FIELD(sysenter_cs), 0x18},
	{"vmload-sysenter-esp", MSR_SYSENTER_ESP, FIELD(sysenter_esp), 0x1234567},
	{"vmload-sysenter-eip", MSR_SYSENTER_EIP, FIELD(sysenter_eip), 0x7654321},
};

static void vmload_field(const void *arg)
{
	const struct vmload_field *f = arg;
	uint8_t *host = page_alloc(), *page = page_alloc();
	uint64_t loaded, saved;

	vmsave(host);
	memcpy(page, host, PAGE_SIZE);
	memcpy(page + f->offset, &f->value, 8);
	vmload(page);
	loaded = rdmsr(f->msr);
	wrmsr(f->msr, f->value ^ 0x10);
	vmsave(page);
	memcpy(&saved, page + f->offset, 8);
	vmload(host);
	CHECK_EQ(loaded, f->value);
	CHECK_EQ(saved, f->value ^ 0x10);
}

static void vmload_segments(const void *arg)
{
	struct vmcb *host = page_alloc(), *in = page_alloc(), *out = page_alloc();
	uint16_t tr, ldtr;

	(void)arg;
	vmsave(host);
	memcpy(in, host, PAGE_SIZE);
	in->fs = (struct vmcb_segment){SEL_USER_DATA, 0xcf3, 0xffffffff, 0x1000};
	in->gs = (struct vmcb_segment){SEL_DATA, 0x493, 0xfffff, 0x2000};
	in->tr = (struct vmcb_segment){SEL_TSS, 0x8b, 0x67, (uint64_t)&tss};
	in->ldtr = (struct vmcb_segment){SEL_LDT, 0x82, 0x1f, (uint64_t)ldt};
	vmload(in);
	vmsave(out);
	__asm__ volatile("str %0; sldt %1" : "=r"(tr), "=r"(ldtr));
	vmload(host);
	CHECK(!memcmp(&in->fs, &out->fs, 16), "FS not kept");
	CHECK(!memcmp(&in->gs, &out->gs, 16), "GS not kept");
	CHECK(!memcmp(&in->tr, &out->tr, 16), "TR not kept");
	CHECK(!memcmp(&in->ldtr, &out->ldtr, 16), "LDTR not kept");
	CHECK_EQ(tr, SEL_TSS);
	CHECK_EQ(ldtr, SEL_LDT);
}

/* VMRUN and #VMEXIT leave VMLOAD's state alone: neither loaded from the VMCB nor stored in it. */
static void vmrun_leaves_vmload_state(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	uint64_t lstar;

	(void)arg;
	wrmsr(MSR_LSTAR, 0x1234000);
	g.vmcb->lstar = 0x5678000;
	clgi();
	__asm__ volatile("push %%rbp; vmrun; pop %%rbp"
			 :
			 : "a"(g.vmcb)
			 : "rbx", "rcx", "rdx", "memory", "cc");
	lstar = rdmsr(MSR_LSTAR);
	stgi();
	wrmsr(MSR_LSTAR, 0);
	CHECK_EQ(lstar, 0x1234000);
	CHECK_EQ(g.vmcb->lstar, 0x5678000);
}

static void vmsave_only_its_fields(const void *arg)
{
	uint8_t *page = page_alloc();

	(void)arg;
	memset(page, 0xa5, PAGE_SIZE);
	vmsave(page);
	for (size_t i = 0; i < PAGE_SIZE; i++) {
		bool its = (i >= FIELD(fs) && i < FIELD(gdtr)) ||
			   (i >= FIELD(ldtr) && i < FIELD(idtr)) ||
			   (i >= FIELD(tr) && i < FIELD(reserved_4a0)) ||
			   (i >= FIELD(star) && i < FIELD(cr2));

		CHECK(its || page[i] == 0xa5, "VMSAVE wrote at 0x%x", i);
	}
}

void l1_main(void)
{
	static const uint64_t misaligned = 0x100010, huge = 1ull << 52;

	svm_start();
	test("feature-leaf", feature_leaf, NULL);
	test("efer-svme", svme_toggles, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
		test(instructions[i].name, ud_without_svme, &instructions[i]);
	test("vmmcall-in-host", vmmcall_in_host, NULL);
	test("skinit-absent", skinit_absent, NULL);
	test("hsave-keeps", hsave_keeps, NULL);
	test("hsave-misaligned", hsave_bad, &misaligned);
	test("hsave-beyond-physical", hsave_bad, &huge);
	test("vm-cr", vm_cr, NULL);
	test("vm-cr-disable-while-on", vm_cr_disable, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(addressed); i++)
		test(addressed[i].name, bad_address, &addressed[i]);
	test("round-trip", round_trip, NULL);
	test("registers", registers, NULL);
	test("host-state", host_registers, NULL);
	test("host-flags", host_flags, NULL);
	test("host-rax", host_rax, NULL);
	test("guest-segments", guest_segments_saved, NULL);
	test("guest-control-registers", guest_control_registers, NULL);
	test("guest-debug-saved", debug_registers, NULL);
	test("guest-debug-loaded", debug_registers_loaded, NULL);
	test("host-cr2", host_cr2, NULL);
	test("host-dr7", host_dr7, NULL);
	test("host-cr0", host_cr0, NULL);
	test("cpl", cpl_from_ss, NULL);
	test("real-mode", real_mode, NULL);
	test("protected-mode", protected_mode, NULL);
	test("exception-exit", exception_exit, NULL);
	test("tsc-offset", tsc_offset, NULL);
	test("shadow-saved", shadow_saved, NULL);
	test("shadow-loaded", shadow_loaded, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(vmload_fields); i++)
		test(vmload_fields[i].name, vmload_field, &vmload_fields[i]);
	test("vmload-segments", vmload_segments, NULL);
	test("vmrun-leaves-vmload-state", vmrun_leaves_vmload_state, NULL);
	test("vmsave-only-its-fields", vmsave_only_its_fields, NULL);
}
