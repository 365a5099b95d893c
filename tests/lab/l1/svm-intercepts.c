/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each instruction intercept: intercepted, the exit has the right code, RIP, next RIP and (if CPUID
 * offers them) decode assists; not intercepted, the instruction executes.
 */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/start.h"
#include "svm/known.h"
#include "svm/svm.h"

#define CPUID_ECX_MONITOR 0x8u
#define CPUID_ECX_XSAVE 0x4000000u
#define CPUID_EDX_RDTSCP 0x8000000u
#define INFO1_MOV_CR (1ull << 63)
#define TIMER_VECTOR 0x60

enum plain {
	EXECUTES,  /* STOP right after it is reached */
	RAISES_UD, /* #UD at the instruction */
	GOES_ON,   /* anything but the intercept's exit */
	STOPS_AT_STUB,
	NEVER, /* must not be run without its intercept */
};

enum assist { NO_ASSIST, GPR_OF_CR, GPR_OF_DR, VECTOR, LINEAR };

struct instruction {
	const char *name;
	const uint8_t *code, *at, *next;
	unsigned exit;
	enum plain plain;
	enum assist assist;
	uint64_t detail; /* register, vector or address that the assist tells */
	bool (*present)(void);
	const char *deviation; /* what TCG does, if it does not exit as it should */
	void (*prepare)(struct guest *g);
	struct guest (*make)(const void *code);
};

/* A guest with the setup, the instruction between two labels, and STOP. */
#define CODE(id, setup, instruction) \
	GUEST_LABEL(at_##id);        \
	GUEST_LABEL(next_##id);      \
	GUEST(code_##id, setup "\nat_" #id ": " instruction "\nnext_" #id ":" STOP)

#define CASE(id, x) .name = #id, .code = code_##id, .at = at_##id, .next = next_##id, .exit = x

static bool has_rdtscp(void)
{
	return cpuid(0x80000001, 0).d & CPUID_EDX_RDTSCP;
}

static bool has_monitor(void)
{
	return cpuid(1, 0).c & CPUID_ECX_MONITOR;
}

static bool has_xsave(void)
{
	return cpuid(1, 0).c & CPUID_ECX_XSAVE;
}

static void allow_xsetbv(struct guest *g)
{
	g->vmcb->cr4 |= CR4_OSXSAVE;
}

/* LTR wants a TSS that is not busy. */
static void free_tss(struct guest *g)
{
	(void)g;
	gdt_set(SEL_TSS, descriptor((uint32_t)(uint64_t)&tss, sizeof(tss) - 1, 0x89), 0);
}

static void other_vmcb(struct guest *g)
{
	struct vmcb *other = page_alloc();

	memcpy(other, g->vmcb, PAGE_SIZE);
	vmsave(other);
	g->vmcb->rax = (uint64_t)other;
}

CODE(read_cr0, "", "mov %cr0, %rax");
CODE(read_cr0_r10, "", "mov %cr0, %r10");
CODE(read_cr2, "", "mov %cr2, %rcx");
CODE(read_cr3, "", "mov %cr3, %r15");
CODE(read_cr4, "", "mov %cr4, %rdi");
CODE(read_cr8, "", "mov %cr8, %rbx");
CODE(smsw, "", "smsw %eax");
CODE(write_cr0, "mov %cr0, %rdx", "mov %rdx, %cr0");
CODE(write_cr2, "", "mov %rsi, %cr2");
CODE(write_cr3, "mov %cr3, %r8", "mov %r8, %cr3");
CODE(write_cr4, "mov %cr4, %r12", "mov %r12, %cr4");
CODE(write_cr8, "xor %ebp, %ebp", "mov %rbp, %cr8");
CODE(clts, "", "clts");
CODE(lmsw, "smsw %eax", "lmsw %ax");
CODE(cr0_selective, "mov %cr0, %rax; xor $0x40000, %rax", "mov %rax, %cr0");
CODE(lmsw_selective, "smsw %eax; xor $4, %eax", "lmsw %ax");
CODE(read_dr0, "", "mov %dr0, %rax");
CODE(read_dr1, "", "mov %dr1, %rcx");
CODE(read_dr2, "", "mov %dr2, %rdx");
CODE(read_dr3, "", "mov %dr3, %r9");
CODE(read_dr4, "", ".byte 0x0f, 0x21, 0xe0");
CODE(read_dr5, "", ".byte 0x0f, 0x21, 0xe8");
CODE(read_dr6, "", "mov %dr6, %r14");
CODE(read_dr7, "", "mov %dr7, %rsi");
CODE(write_dr0, "", "mov %rbx, %dr0");
CODE(write_dr1, "", "mov %r11, %dr1");
CODE(write_dr2, "", "mov %rbx, %dr2");
CODE(write_dr3, "", "mov %rbx, %dr3");
CODE(write_dr4, "mov %dr6, %rax", ".byte 0x0f, 0x23, 0xe0");
CODE(write_dr5, "mov %dr7, %rax", ".byte 0x0f, 0x23, 0xe8");
CODE(write_dr6, "mov %dr6, %r13", "mov %r13, %dr6");
CODE(write_dr7, "mov %dr7, %rdi", "mov %rdi, %dr7");
CODE(sidt, "", "sidt -32(%rsp)");
CODE(sgdt, "", "sgdt -32(%rsp)");
CODE(sldt, "", "sldt %eax");
CODE(str, "", "str %rcx");
CODE(lidt, "sidt -32(%rsp)", "lidt -32(%rsp)");
CODE(lgdt, "sgdt -32(%rsp)", "lgdt -32(%rsp)");
CODE(lldt, "mov $0x40, %eax", "lldt %ax");
CODE(ltr, "mov $0x30, %eax", "ltr %ax");
CODE(rdtsc, "", "rdtsc");
CODE(rdtsc_rex, "", ".byte 0x48; rdtsc");
CODE(rdpmc, "xor %ecx, %ecx", "rdpmc");
CODE(pushf, "", "pushfq");
CODE(pushf16, "", "pushfw");
CODE(popf, "pushfq", "popfq");
CODE(cpuid, "xor %eax, %eax; xor %ecx, %ecx", "cpuid");
CODE(cpuid_66, "xor %eax, %eax; xor %ecx, %ecx", ".byte 0x66; cpuid");
CODE(cpuid_rex, "xor %eax, %eax; xor %ecx, %ecx", ".byte 0x48; cpuid");
CODE(cpuid_66_2e_rex, "xor %eax, %eax; xor %ecx, %ecx", ".byte 0x66, 0x2e, 0x4f; cpuid");
CODE(cpuid_32bit, ".code32; xor %eax, %eax; xor %ecx, %ecx", "cpuid");
CODE(rsm, "", "rsm");
CODE(iret, "mov %rsp, %rax; push $0x10; push %rax; pushfq; push $0x18; push $next_iret", "iretq");
CODE(int_n, "", "int $0x41");
CODE(invd, "", "invd");
CODE(wbinvd, "", "wbinvd");
CODE(wbinvd_66, "", ".byte 0x66; wbinvd");
CODE(pause, "", "pause");
CODE(hlt, "", "hlt");
CODE(hlt_66, "", ".byte 0x66; hlt");
CODE(hlt_32bit, ".code32", "hlt");
CODE(invlpg, "mov $0x123456, %eax", "invlpg (%rax)");
CODE(invlpg_sib, "mov $0x123400, %ebx; mov $0x10, %r9d", "invlpg 0x6(%rbx, %r9, 4)");
CODE(invlpg_gs, "mov $0x123456, %eax", "invlpg %gs:(%rax)");
CODE(invlpg_rip, "", "invlpg at_invlpg_rip(%rip)");
CODE(invlpga, "mov $0x123456, %eax; mov $1, %ecx", "invlpga");
CODE(vmrun, "", "vmrun");
CODE(vmmcall, "", "vmmcall");
CODE(vmmcall_rex, "", ".byte 0x48; vmmcall");
CODE(vmload, "", "vmload");
CODE(vmsave, "", "vmsave");
CODE(stgi, "", "stgi");
CODE(clgi, "", "clgi");
CODE(skinit, "xor %eax, %eax", "skinit");
CODE(rdtscp, "", "rdtscp");
CODE(icebp, "", ".byte 0xf1");
CODE(monitor, "lea -64(%rsp), %rax; xor %ecx, %ecx; xor %edx, %edx", "monitor");
CODE(mwait, "xor %eax, %eax; xor %ecx, %ecx", "mwait");
CODE(xsetbv, "mov $1, %eax; xor %ecx, %ecx; xor %edx, %edx", "xsetbv");

static const struct instruction instructions[] = {
	{CASE(read_cr0, X_CR_READ + 0), .assist = GPR_OF_CR, .detail = 0},
	{CASE(read_cr0_r10, X_CR_READ + 0), .assist = GPR_OF_CR, .detail = 10},
	{CASE(read_cr2, X_CR_READ + 2), .assist = GPR_OF_CR, .detail = 1},
	{CASE(read_cr3, X_CR_READ + 3), .assist = GPR_OF_CR, .detail = 15},
	{CASE(read_cr4, X_CR_READ + 4), .assist = GPR_OF_CR, .detail = 7},
	{CASE(read_cr8, X_CR_READ + 8), .assist = GPR_OF_CR, .detail = 3},
	{CASE(smsw, X_CR_READ + 0)},
	{CASE(write_cr0, X_CR_WRITE + 0), .assist = GPR_OF_CR, .detail = 2},
	{CASE(write_cr2, X_CR_WRITE + 2), .assist = GPR_OF_CR, .detail = 6},
	{CASE(write_cr3, X_CR_WRITE + 3), .assist = GPR_OF_CR, .detail = 8},
	{CASE(write_cr4, X_CR_WRITE + 4), .assist = GPR_OF_CR, .detail = 12},
	{CASE(write_cr8, X_CR_WRITE + 8), .assist = GPR_OF_CR, .detail = 5},
	{CASE(clts, X_CR_WRITE + 0)},
	{CASE(lmsw, X_CR_WRITE + 0)},
	{CASE(cr0_selective, X_CR0_SELECTIVE)},
	{CASE(lmsw_selective, X_CR0_SELECTIVE)},
	{CASE(read_dr0, X_DR_READ + 0), .assist = GPR_OF_DR, .detail = 0},
	{CASE(read_dr1, X_DR_READ + 1), .assist = GPR_OF_DR, .detail = 1},
	{CASE(read_dr2, X_DR_READ + 2), .assist = GPR_OF_DR, .detail = 2},
	{CASE(read_dr3, X_DR_READ + 3), .assist = GPR_OF_DR, .detail = 9},
	{CASE(read_dr4, X_DR_READ + 4), .assist = GPR_OF_DR, .detail = 0},
	{CASE(read_dr5, X_DR_READ + 5), .assist = GPR_OF_DR, .detail = 0},
	{CASE(read_dr6, X_DR_READ + 6), .assist = GPR_OF_DR, .detail = 14},
	{CASE(read_dr7, X_DR_READ + 7), .assist = GPR_OF_DR, .detail = 6},
	{CASE(write_dr0, X_DR_WRITE + 0), .assist = GPR_OF_DR, .detail = 3},
	{CASE(write_dr1, X_DR_WRITE + 1), .assist = GPR_OF_DR, .detail = 11},
	{CASE(write_dr2, X_DR_WRITE + 2), .assist = GPR_OF_DR, .detail = 3},
	{CASE(write_dr3, X_DR_WRITE + 3), .assist = GPR_OF_DR, .detail = 3},
	{CASE(write_dr4, X_DR_WRITE + 4), .assist = GPR_OF_DR, .detail = 0},
	{CASE(write_dr5, X_DR_WRITE + 5), .assist = GPR_OF_DR, .detail = 0},
	{CASE(write_dr6, X_DR_WRITE + 6), .assist = GPR_OF_DR, .detail = 13},
	{CASE(write_dr7, X_DR_WRITE + 7), .assist = GPR_OF_DR, .detail = 7},
	{CASE(sidt, X_IDTR_READ)},
	{CASE(sgdt, X_GDTR_READ)},
	{CASE(sldt, X_LDTR_READ)},
	{CASE(str, X_TR_READ)},
	{CASE(lidt, X_IDTR_WRITE)},
	{CASE(lgdt, X_GDTR_WRITE)},
	{CASE(lldt, X_LDTR_WRITE)},
	{CASE(ltr, X_TR_WRITE), .prepare = free_tss},
	{CASE(rdtsc, X_RDTSC)},
	{CASE(rdtsc_rex, X_RDTSC)},
	{CASE(rdpmc, X_RDPMC), .plain = GOES_ON},
	{CASE(pushf, X_PUSHF)},
	{CASE(pushf16, X_PUSHF)},
	{CASE(popf, X_POPF)},
	{CASE(cpuid, X_CPUID)},
	{CASE(cpuid_66, X_CPUID)},
	{CASE(cpuid_rex, X_CPUID)},
	{CASE(cpuid_66_2e_rex, X_CPUID)},
	{CASE(cpuid_32bit, X_CPUID), .make = guest_protected},
	{CASE(rsm, X_RSM), .plain = RAISES_UD},
	{CASE(iret, X_IRET)},
	{CASE(int_n, X_SWINT), .plain = STOPS_AT_STUB, .assist = VECTOR, .detail = 0x41},
	{CASE(invd, X_INVD), .deviation = "TCG takes INVD for WBINVD"},
	{CASE(wbinvd, X_WBINVD)},
	{CASE(wbinvd_66, X_WBINVD)},
	{CASE(pause, X_PAUSE)},
	{CASE(hlt, X_HLT), .plain = NEVER},
	{CASE(hlt_66, X_HLT), .plain = NEVER},
	{CASE(hlt_32bit, X_HLT), .plain = NEVER, .make = guest_protected},
	{CASE(invlpg, X_INVLPG), .assist = LINEAR, .detail = 0x123456},
	{CASE(invlpg_sib, X_INVLPG), .assist = LINEAR, .detail = 0x123446},
	{CASE(invlpg_gs, X_INVLPG), .assist = LINEAR, .detail = 0x123456},
	{CASE(invlpg_rip, X_INVLPG), .assist = LINEAR, .detail = (uint64_t)at_invlpg_rip},
	{CASE(invlpga, X_INVLPGA)},
	{CASE(vmrun, X_VMRUN), .plain = NEVER, .prepare = other_vmcb},
	{CASE(vmmcall, X_VMMCALL), .plain = RAISES_UD},
	{CASE(vmmcall_rex, X_VMMCALL), .plain = RAISES_UD},
	{CASE(vmload, X_VMLOAD), .prepare = other_vmcb},
	{CASE(vmsave, X_VMSAVE), .prepare = other_vmcb},
	{CASE(stgi, X_STGI)},
	{CASE(clgi, X_CLGI)},
	{CASE(skinit, X_SKINIT), .plain = NEVER},
	{CASE(rdtscp, X_RDTSCP), .present = has_rdtscp,
	 .deviation = "TCG gives RDTSCP the intercept and the exit code of RDTSC"},
	{CASE(icebp, X_ICEBP), .plain = NEVER, .deviation = "TCG has no ICEBP"},
	{CASE(monitor, X_MONITOR), .present = has_monitor},
	{CASE(mwait, X_MWAIT), .plain = NEVER, .present = has_monitor},
	{CASE(xsetbv, X_XSETBV), .present = has_xsave, .prepare = allow_xsetbv,
	 .deviation = "TCG does not intercept XSETBV"},
};

static struct guest make(const struct instruction *i)
{
	struct guest g = i->make ? i->make(i->code) : guest_long(i->code);

	if (i->prepare)
		i->prepare(&g);
	return g;
}

static void check_assist(const struct instruction *i, const struct vmcb *v)
{
	if (!(svm_features() & SVM_DECODE))
		return;
	switch (i->assist) {
	case NO_ASSIST:
		if (i->exit < X_DR_READ)
			CHECK(!(v->exit_info1 & INFO1_MOV_CR), "bit 63 says MOV CR");
		break;
	case GPR_OF_CR:
		CHECK(v->exit_info1 & INFO1_MOV_CR, "bit 63 does not say MOV CR");
		CHECK_EQ(v->exit_info1 & 0xf, i->detail);
		break;
	case GPR_OF_DR:
		CHECK_EQ(v->exit_info1 & 0xf, i->detail);
		break;
	case VECTOR:
		CHECK_EQ(v->exit_info1 & 0xff, i->detail);
		break;
	case LINEAR:
		CHECK_EQ(v->exit_info1, i->detail);
		break;
	}
}

static void intercepted(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g;

	if (i->present && !i->present())
		test_skip("the CPU does not have this instruction");
	g = make(i);
	intercept(&g, i->exit);
	if (i->deviation) {
		guest_run(&g);
		tcg_limit(g.vmcb->exit_code != i->exit, i->deviation);
		CHECK_EQ(g.vmcb->exit_code, i->exit);
		CHECK_EQ(g.vmcb->rip, i->at);
	} else {
		guest_expect_at(&g, i->exit, i->at);
	}
	CHECK_EQ(g.vmcb->exit_int_info & EVENT_VALID, 0);
	if (svm_features() & SVM_NRIPS)
		CHECK_EQ(g.vmcb->next_rip, i->next);
	check_assist(i, g.vmcb);
}

/* Clears the one intercept, which may be among those that every guest has. */
static void executes(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g;

	if (i->present && !i->present())
		test_skip("the CPU does not have this instruction");
	g = make(i);
	intercept_clear(&g, i->exit);
	switch (i->plain) {
	case EXECUTES:
		guest_expect_at(&g, X_VMMCALL, i->next);
		break;
	case RAISES_UD:
		guest_expect_at(&g, X_EXCEPTION + VEC_UD, i->at);
		break;
	case STOPS_AT_STUB:
		guest_expect_at(&g, X_VMMCALL, guest_stub((unsigned)i->detail));
		break;
	case GOES_ON:
		guest_run(&g);
		CHECK(g.vmcb->exit_code != i->exit, "exits though not intercepted");
		break;
	case NEVER:
		break;
	}
}

/* With all intercepts set, the exit is still this one: no other is taken for it or before it. */
static void among_all(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g;

	if (i->present && !i->present())
		test_skip("the CPU does not have this instruction");
	g = make(i);
	g.vmcb->intercept_cr_read = g.vmcb->intercept_cr_write = 0xffff;
	g.vmcb->intercept_dr_read = g.vmcb->intercept_dr_write = 0xffff;
	g.vmcb->intercept1 = ~0u;
	g.vmcb->intercept2 = 0x2fff;
	if (i->exit == X_CR0_SELECTIVE) {
		intercept_clear(&g, X_CR_WRITE + 0);
		g.vmcb->rax = read_cr0() ^ CR0_EM;
	}
	g.vmcb->rip = (uint64_t)i->at;
	guest_run(&g);
	tcg_limit(i->deviation && g.vmcb->exit_code != i->exit, i->deviation);
	CHECK_EQ(g.vmcb->exit_code, i->exit);
}

/* CR0 writes that change only TS or MP pass the selective intercept. */
GUEST(guest_ts, "mov %cr0, %rax; xor $8, %rax; mov %rax, %cr0; clts;" STOP);
static void selective_passes_ts(const void *arg)
{
	struct guest g = guest_long(guest_ts);

	(void)arg;
	intercept(&g, X_CR0_SELECTIVE);
	guest_expect(&g, X_VMMCALL);
}

/* HLT that is not intercepted waits for an interrupt, which then exits after the HLT. */
GUEST(guest_halts, "sti; hlt; after_hlt:" STOP);
GUEST_LABEL(after_hlt);
static void hlt_waits(const void *arg)
{
	struct guest g = guest_long(guest_halts);

	(void)arg;
	apic_timer(TIMER_VECTOR, 3000000);
	guest_expect_at(&g, X_INTR, after_hlt);
	apic_timer(TIMER_VECTOR, 0);
	interrupts_on();
	interrupts_off();
}

/* MWAIT that is not intercepted may wait, or not; an interrupt comes out of it. */
GUEST(guest_mwaits, "sti; 1: lea -64(%rsp), %rax; xor %ecx, %ecx; xor %edx, %edx; monitor;"
		    "xor %eax, %eax; mwait; jmp 1b\n");
static void mwait_executes(const void *arg)
{
	struct guest g;

	(void)arg;
	if (!has_monitor())
		test_skip("the CPU does not have this instruction");
	g = guest_long(guest_mwaits);
	apic_timer(TIMER_VECTOR, 3000000);
	guest_expect(&g, X_INTR);
	interrupts_on();
	interrupts_off();
}

/* The intercept is seen before the fault that a privileged instruction raises at CPL 0 only. */
GUEST(guest_cr0_bad, "mov $0x80000000, %eax; mov %rax, %cr0;" STOP);
static void write_cr0_before_fault(const void *arg)
{
	struct guest g = guest_long(guest_cr0_bad);

	(void)arg;
	intercept(&g, X_CR_WRITE + 0);
	guest_expect(&g, X_CR_WRITE + 0);
}

/* At CPL 3 the #GP comes first (APM 2, 15.9: exceptions before most instruction intercepts). */
GUEST(guest_user_hlt, "hlt\n");
static void privilege_before_intercept(const void *arg)
{
	struct guest g = guest_long(guest_user_hlt);

	(void)arg;
	g.vmcb->cs.selector = SEL_USER_CODE64;
	g.vmcb->cs.attributes = 0xafb;
	g.vmcb->ss.selector = SEL_USER_DATA;
	g.vmcb->ss.attributes = 0xcf3;
	g.vmcb->cpl = 3;
	g.vmcb->cr3 = (uint64_t)table_identity();
	intercept(&g, X_HLT);
	guest_expect_at(&g, X_EXCEPTION + VEC_GP, guest_user_hlt);
	CHECK_EQ(g.vmcb->exit_info1, 0);
}

/* Setting an intercept between two runs takes effect at the next VMRUN. */
GUEST(guest_cpuid_loop, "1: xor %eax, %eax; cpuid; vmmcall; jmp 1b\n");
static void intercept_changes(const void *arg)
{
	struct guest g = guest_long(guest_cpuid_loop);

	(void)arg;
	for (unsigned i = 0; i < 20; i++) {
		g.vmcb->rip = (uint64_t)guest_cpuid_loop;
		if (i % 2)
			intercept(&g, X_CPUID);
		else
			intercept_clear(&g, X_CPUID);
		guest_expect(&g, i % 2 ? X_CPUID : X_VMMCALL);
	}
}

void l1_main(void)
{
	svm_start();
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
		test_named("intercept-", instructions[i].name, intercepted, &instructions[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (instructions[i].plain != NEVER)
			test_named("execute-", instructions[i].name, executes, &instructions[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
		test_named("among-all-", instructions[i].name, among_all, &instructions[i]);
	test("selective-passes-ts", selective_passes_ts, NULL);
	test("hlt-waits", hlt_waits, NULL);
	test("execute-mwait", mwait_executes, NULL);
	test("write-cr0-before-fault", write_cr0_before_fault, NULL);
	test("privilege-before-intercept", privilege_before_intercept, NULL);
	test("intercept-changes", intercept_changes, NULL);
}
