/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each instruction that exits, always or by a control: the exit has the right reason, RIP, length,
 * qualification and instruction information; without the control, the instruction executes. SDM 3,
 * 25.1 and 27.2.
 */
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/start.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define CPUID_ECX_MONITOR 0x8u
#define CPUID_ECX_XSAVE 0x4000000u
#define CPUID_ECX_RDRAND 0x40000000u
#define CPUID7_EBX_INVPCID 0x400u
#define CPUID7_EBX_RDSEED 0x40000u
#define CPUID_EDX_RDTSCP 0x8000000u

/* Instruction information: SDM 3, tables 27-9 to 27-14. */
#define INFO_SCALE(n) (n)
#define INFO_REG1(n) ((uint32_t)(n) << 3)
#define INFO_A64 0x100u
#define INFO_REGISTER 0x400u
#define INFO_SEGMENT(n) ((uint32_t)(n) << 15)
#define INFO_INDEX(n) ((uint32_t)(n) << 18)
#define INFO_NO_INDEX 0x400000u
#define INFO_BASE(n) ((uint32_t)(n) << 23)
#define INFO_NO_BASE 0x8000000u
#define INFO_REG2(n) ((uint32_t)(n) << 28)
#define INFO_WHICH(n) ((uint32_t)(n) << 28)
#define SS 2
#define DS 3
#define FS 4
#define MEMORY(segment, base) (INFO_A64 | INFO_SEGMENT(segment) | INFO_BASE(base) | INFO_NO_INDEX)

enum plain {
	EXECUTES,  /* STOP right after it is reached */
	RAISES_UD, /* #UD at the instruction */
	GOES_ON,   /* anything but this exit */
	NEVER,     /* must not be run without its control */
	ALWAYS,    /* exits whatever the controls are */
};

enum info { NO_INFO, OPERAND, OPERAND_AND_REGISTER, OPERAND_AND_WHICH, RANDOM };

struct instruction {
	const char *name;
	const uint8_t *code, *at, *next;
	unsigned exit;
	enum plain plain;
	enum field control;
	uint32_t bit;
	uint64_t qualification;
	enum info kind;
	uint32_t info;
	bool (*present)(void);
	void (*prepare)(struct guest *g);
	/* For exits by a mask, not by a bit; with it the instruction exits */
	void (*intercept)(struct guest *g);
};

/* A guest with the setup, the instruction between two labels, and STOP. */
#define CODE(id, setup, instruction) \
	GUEST_LABEL(at_##id);        \
	GUEST_LABEL(next_##id);      \
	GUEST(code_##id, setup "\nat_" #id ": " instruction "\nnext_" #id ":" STOP)

#define CASE(id, x) .name = #id, .code = code_##id, .at = at_##id, .next = next_##id, .exit = x
#define PROC(b) .control = C_PROC, .bit = (b)
#define PROC2(b) .control = C_PROC2, .bit = (b)

static bool has_rdtscp(void)
{
	return cpuid(0x80000001, 0).d & CPUID_EDX_RDTSCP && can(C_PROC2, PROC2_RDTSCP);
}

static bool has_monitor(void)
{
	return cpuid(1, 0).c & CPUID_ECX_MONITOR;
}

static bool has_xsave(void)
{
	return cpuid(1, 0).c & CPUID_ECX_XSAVE;
}

static bool has_rdrand(void)
{
	return cpuid(1, 0).c & CPUID_ECX_RDRAND;
}

static bool has_rdseed(void)
{
	return cpuid(7, 0).b & CPUID7_EBX_RDSEED;
}

static bool has_invpcid(void)
{
	return cpuid(7, 0).b & CPUID7_EBX_INVPCID && can(C_PROC2, PROC2_INVPCID);
}

static void allow_xsetbv(struct guest *g)
{
	put(g, G_CR4, get(g, G_CR4) | CR4_OSXSAVE);
}

/* LTR wants a TSS that is not busy. */
static void free_tss(struct guest *g)
{
	(void)g;
	gdt_set(SEL_TSS, descriptor((uint32_t)(uint64_t)&tss, sizeof(tss) - 1, 0x89), 0);
}

/* Registers that hold the guest's CR0 and CR4, for the writes. */
static void know_registers(struct guest *g)
{
	g->r.rdx = get(g, G_CR0);
	g->r.r12 = get(g, G_CR4);
	g->r.r8 = get(g, G_CR3);
	g->r.rbp = 0;
}

static void mask_cr0(struct guest *g)
{
	put(g, C_CR0_MASK, CR0_WP);
	put(g, C_CR0_SHADOW, 0);
}

static void mask_cr4(struct guest *g)
{
	put(g, C_CR4_MASK, CR4_PAE);
	put(g, C_CR4_SHADOW, 0);
}

static void mask_ts(struct guest *g)
{
	put(g, C_CR0_MASK, CR0_TS);
	put(g, C_CR0_SHADOW, CR0_TS);
}

static void mask_em(struct guest *g)
{
	put(g, C_CR0_MASK, CR0_EM);
	put(g, C_CR0_SHADOW, CR0_EM);
	g->r.rax = 0x33;
	((uint16_t *)(g->stack - 64))[-16] = 0x33;
}

static void plain_lmsw(struct guest *g)
{
	g->r.rax = 0x33;
	((uint16_t *)(g->stack - 64))[-16] = 0x33;
}

/* Memory operands at RBX, whatever they mean. */
static void operand(struct guest *g)
{
	g->r.rbx = (uint64_t)page_alloc();
	g->r.r9 = 0x10;
	g->r.rdx = INV_ALL;
}

/* What LGDT and LIDT load, where they look for it. */
static void gdt_pointer_ready(struct guest *g)
{
	struct table_pointer p = {(uint16_t)get(g, G_GDTR_LIMIT), get(g, G_GDTR_BASE)};

	memcpy(g->stack - 96, &p, sizeof(p));
}

static void idt_pointer_ready(struct guest *g)
{
	struct table_pointer p = {(uint16_t)get(g, G_IDTR_LIMIT), get(g, G_IDTR_BASE)};

	memcpy(g->stack - 96, &p, sizeof(p));
}

#define CR(n, access, reg) ((uint64_t)(n) | (access) << 4 | (reg) << 8)
#define TO 0
#define FROM 1
#define CLTS 2
#define LMSW 3
#define DR_TO(n, reg) ((uint64_t)(n) | (reg) << 8)
#define DR_FROM(n, reg) ((uint64_t)(n) | 0x10 | (reg) << 8)

CODE(cpuid, "xor %eax, %eax; xor %ecx, %ecx", "cpuid");
CODE(cpuid_66, "xor %eax, %eax; xor %ecx, %ecx", ".byte 0x66; cpuid");
CODE(cpuid_66_2e_rex, "xor %eax, %eax; xor %ecx, %ecx", ".byte 0x66, 0x2e, 0x4f; cpuid");
CODE(invd, "", "invd");
CODE(xsetbv, "mov $1, %eax; xor %ecx, %ecx; xor %edx, %edx", "xsetbv");
CODE(vmcall, "", "vmcall");
CODE(vmcall_rex, "", ".byte 0x48; vmcall");
CODE(vmxoff, "", "vmxoff");
CODE(vmlaunch, "", "vmlaunch");
CODE(vmresume, "", "vmresume");
CODE(vmclear, "", "vmclear (%rbx)");
CODE(vmclear_disp, "", "vmclear 0x12345678(%rbx)");
CODE(vmptrld, "", "vmptrld -8(%rsp)");
CODE(vmptrst, "", "vmptrst 0x40(%rbx, %r9, 4)");
CODE(vmxon, "", "vmxon at_vmxon(%rip)");
CODE(vmxon_fs, "", "vmxon %fs:-0x10(%r13)");
CODE(vmread_register, "", "vmread %rcx, %r14");
CODE(vmread_memory, "", "vmread %r8, 0x7(, %rdx, 2)");
CODE(vmwrite_register, "", "vmwrite %r15, %rbp");
CODE(vmwrite_memory, "", "vmwrite (%r12), %rdi");
CODE(invept, "", "invept (%rbx), %rdx");
CODE(invvpid, "", "invvpid 0x80(%rbx), %r10");
CODE(hlt, "", "hlt");
CODE(hlt_66, "", ".byte 0x66; hlt");
CODE(invlpg, "mov $0x123456, %eax", "invlpg (%rax)");
CODE(invlpg_sib, "mov $0x123400, %ebx; mov $0x10, %r9d", "invlpg 0x6(%rbx, %r9, 4)");
CODE(invlpg_gs, "mov $0x123456, %eax", "invlpg %gs:(%rax)");
CODE(mwait, "xor %eax, %eax; xor %ecx, %ecx", "mwait");
CODE(monitor, "lea -64(%rsp), %rax; xor %ecx, %ecx; xor %edx, %edx", "monitor");
CODE(rdpmc, "xor %ecx, %ecx", "rdpmc");
CODE(rdtsc, "", "rdtsc");
CODE(rdtscp, "", "rdtscp");
CODE(pause, "", "pause");
CODE(read_cr3, "", "mov %cr3, %r15");
CODE(write_cr3, "", "mov %r8, %cr3");
CODE(read_cr8, "", "mov %cr8, %rbx");
CODE(write_cr8, "", "mov %rbp, %cr8");
CODE(write_cr0, "", "mov %rdx, %cr0");
CODE(write_cr4, "", "mov %r12, %cr4");
CODE(clts, "", "clts");
CODE(lmsw, "", "lmsw %ax");
CODE(lmsw_memory, "", "lmsw -32(%rsp)");
CODE(read_dr0, "", "mov %dr0, %rax");
CODE(read_dr3, "", "mov %dr3, %r9");
CODE(read_dr6, "", "mov %dr6, %r14");
CODE(read_dr7, "", "mov %dr7, %rsi");
CODE(write_dr1, "", "mov %r11, %dr1");
CODE(write_dr2, "", "mov %rbx, %dr2");
CODE(write_dr6, "mov $0xffff0ff0, %r13d", "mov %r13, %dr6");
CODE(write_dr7, "mov $0x400, %edi", "mov %rdi, %dr7");
CODE(wbinvd, "", "wbinvd");
CODE(sgdt, "", "sgdt -32(%rsp)");
CODE(sidt, "", "sidt -32(%rsp)");
CODE(lgdt, "", "lgdt -32(%rsp)");
CODE(lidt, "", "lidt -32(%rsp)");
CODE(sldt, "", "sldt %edi");
CODE(str, "", "str %rcx");
CODE(lldt, "mov $0x40, %eax", "lldt %ax");
CODE(ltr, "mov $0x30, %r10d", "ltr %r10w");
CODE(rdrand, "", "rdrand %ecx");
CODE(rdrand64, "", "rdrand %r11");
CODE(rdseed, "", "rdseed %edx");
CODE(invpcid, "", "invpcid (%rbx), %rdx");

static const struct instruction instructions[] = {
	{CASE(cpuid, X_CPUID), .plain = ALWAYS},
	{CASE(cpuid_66, X_CPUID), .plain = ALWAYS},
	{CASE(cpuid_66_2e_rex, X_CPUID), .plain = ALWAYS},
	{CASE(invd, X_INVD), .plain = ALWAYS},
	{CASE(xsetbv, X_XSETBV), .plain = ALWAYS, .present = has_xsave, .prepare = allow_xsetbv},
	{CASE(vmcall, X_VMCALL), .plain = ALWAYS},
	{CASE(vmcall_rex, X_VMCALL), .plain = ALWAYS},
	{CASE(vmxoff, X_VMXOFF), .plain = ALWAYS},
	{CASE(vmlaunch, X_VMLAUNCH), .plain = ALWAYS},
	{CASE(vmresume, X_VMRESUME), .plain = ALWAYS},
	{CASE(vmclear, X_VMCLEAR), .plain = ALWAYS, .prepare = operand, .kind = OPERAND,
	 .info = MEMORY(DS, 3)},
	{CASE(vmclear_disp, X_VMCLEAR), .plain = ALWAYS, .prepare = operand, .kind = OPERAND,
	 .info = MEMORY(DS, 3), .qualification = 0x12345678},
	{CASE(vmptrld, X_VMPTRLD), .plain = ALWAYS, .kind = OPERAND, .info = MEMORY(SS, 4),
	 .qualification = -8ull},
	{CASE(vmptrst, X_VMPTRST), .plain = ALWAYS, .prepare = operand, .kind = OPERAND,
	 .info = INFO_A64 | INFO_SEGMENT(DS) | INFO_BASE(3) | INFO_INDEX(9) | INFO_SCALE(2),
	 .qualification = 0x40},
	{CASE(vmxon, X_VMXON), .plain = ALWAYS, .kind = OPERAND,
	 .info = INFO_A64 | INFO_SEGMENT(DS) | INFO_NO_BASE | INFO_NO_INDEX,
	 .qualification = (uint64_t)at_vmxon},
	{CASE(vmxon_fs, X_VMXON), .plain = ALWAYS, .kind = OPERAND, .info = MEMORY(FS, 13),
	 .qualification = -0x10ull},
	{CASE(vmread_register, X_VMREAD), .plain = ALWAYS, .kind = OPERAND_AND_REGISTER,
	 .info = INFO_REGISTER | INFO_REG1(14) | INFO_REG2(1)},
	{CASE(vmread_memory, X_VMREAD), .plain = ALWAYS, .kind = OPERAND_AND_REGISTER,
	 .info = INFO_A64 | INFO_SEGMENT(DS) | INFO_NO_BASE | INFO_INDEX(2) | INFO_SCALE(1) |
		 INFO_REG2(8),
	 .qualification = 7},
	{CASE(vmwrite_register, X_VMWRITE), .plain = ALWAYS, .kind = OPERAND_AND_REGISTER,
	 .info = INFO_REGISTER | INFO_REG1(15) | INFO_REG2(5)},
	{CASE(vmwrite_memory, X_VMWRITE), .plain = ALWAYS, .kind = OPERAND_AND_REGISTER,
	 .info = MEMORY(DS, 12) | INFO_REG2(7)},
	{CASE(invept, X_INVEPT), .plain = ALWAYS, .prepare = operand, .kind = OPERAND_AND_REGISTER,
	 .info = MEMORY(DS, 3) | INFO_REG2(2)},
	{CASE(invvpid, X_INVVPID), .plain = ALWAYS, .prepare = operand,
	 .kind = OPERAND_AND_REGISTER, .info = MEMORY(DS, 3) | INFO_REG2(10),
	 .qualification = 0x80},
	{CASE(hlt, X_HLT), .plain = NEVER, PROC(PROC_HLT)},
	{CASE(hlt_66, X_HLT), .plain = NEVER, PROC(PROC_HLT)},
	{CASE(invlpg, X_INVLPG), PROC(PROC_INVLPG), .qualification = 0x123456},
	{CASE(invlpg_sib, X_INVLPG), PROC(PROC_INVLPG), .qualification = 0x123446},
	{CASE(invlpg_gs, X_INVLPG), PROC(PROC_INVLPG), .qualification = 0x123456},
	{CASE(mwait, X_MWAIT), .plain = NEVER, PROC(PROC_MWAIT), .present = has_monitor},
	{CASE(monitor, X_MONITOR), PROC(PROC_MONITOR), .present = has_monitor},
	{CASE(rdpmc, X_RDPMC), .plain = GOES_ON, PROC(PROC_RDPMC)},
	{CASE(rdtsc, X_RDTSC), PROC(PROC_RDTSC)},
	{CASE(rdtscp, X_RDTSCP), PROC(PROC_RDTSC), .present = has_rdtscp},
	{CASE(pause, X_PAUSE), PROC(PROC_PAUSE)},
	{CASE(read_cr3, X_CR), PROC(PROC_CR3_STORE), .qualification = CR(3, FROM, 15)},
	{CASE(write_cr3, X_CR), PROC(PROC_CR3_LOAD), .prepare = know_registers,
	 .qualification = CR(3, TO, 8)},
	{CASE(read_cr8, X_CR), PROC(PROC_CR8_STORE), .qualification = CR(8, FROM, 3)},
	{CASE(write_cr8, X_CR), PROC(PROC_CR8_LOAD), .prepare = know_registers,
	 .qualification = CR(8, TO, 5)},
	{CASE(write_cr0, X_CR), .prepare = know_registers, .intercept = mask_cr0,
	 .qualification = CR(0, TO, 2)},
	{CASE(write_cr4, X_CR), .prepare = know_registers, .intercept = mask_cr4,
	 .qualification = CR(4, TO, 12)},
	{CASE(clts, X_CR), .intercept = mask_ts, .qualification = CR(0, CLTS, 0)},
	{CASE(lmsw, X_CR), .prepare = plain_lmsw, .intercept = mask_em,
	 .qualification = CR(0, LMSW, 0) | 0x33 << 16},
	{CASE(lmsw_memory, X_CR), .prepare = plain_lmsw, .intercept = mask_em,
	 .qualification = CR(0, LMSW, 0) | 0x40 | 0x33 << 16},
	{CASE(read_dr0, X_DR), PROC(PROC_MOV_DR), .qualification = DR_FROM(0, 0)},
	{CASE(read_dr3, X_DR), PROC(PROC_MOV_DR), .qualification = DR_FROM(3, 9)},
	{CASE(read_dr6, X_DR), PROC(PROC_MOV_DR), .qualification = DR_FROM(6, 14)},
	{CASE(read_dr7, X_DR), PROC(PROC_MOV_DR), .qualification = DR_FROM(7, 6)},
	{CASE(write_dr1, X_DR), PROC(PROC_MOV_DR), .qualification = DR_TO(1, 11)},
	{CASE(write_dr2, X_DR), PROC(PROC_MOV_DR), .qualification = DR_TO(2, 3)},
	{CASE(write_dr6, X_DR), PROC(PROC_MOV_DR), .qualification = DR_TO(6, 13)},
	{CASE(write_dr7, X_DR), PROC(PROC_MOV_DR), .qualification = DR_TO(7, 7)},
	{CASE(wbinvd, X_WBINVD), PROC2(PROC2_WBINVD)},
	{CASE(sgdt, X_GDTR_IDTR), PROC2(PROC2_TABLES), .kind = OPERAND_AND_WHICH,
	 .info = MEMORY(SS, 4) | INFO_WHICH(0), .qualification = -32ull},
	{CASE(sidt, X_GDTR_IDTR), PROC2(PROC2_TABLES), .kind = OPERAND_AND_WHICH,
	 .info = MEMORY(SS, 4) | INFO_WHICH(1), .qualification = -32ull},
	{CASE(lgdt, X_GDTR_IDTR), PROC2(PROC2_TABLES), .prepare = gdt_pointer_ready,
	 .kind = OPERAND_AND_WHICH, .info = MEMORY(SS, 4) | INFO_WHICH(2), .qualification = -32ull},
	{CASE(lidt, X_GDTR_IDTR), PROC2(PROC2_TABLES), .prepare = idt_pointer_ready,
	 .kind = OPERAND_AND_WHICH, .info = MEMORY(SS, 4) | INFO_WHICH(3), .qualification = -32ull},
	{CASE(sldt, X_LDTR_TR), PROC2(PROC2_TABLES), .kind = OPERAND_AND_WHICH,
	 .info = INFO_REGISTER | INFO_REG1(7) | INFO_WHICH(0)},
	{CASE(str, X_LDTR_TR), PROC2(PROC2_TABLES), .kind = OPERAND_AND_WHICH,
	 .info = INFO_REGISTER | INFO_REG1(1) | INFO_WHICH(1)},
	{CASE(lldt, X_LDTR_TR), PROC2(PROC2_TABLES), .kind = OPERAND_AND_WHICH,
	 .info = INFO_REGISTER | INFO_REG1(0) | INFO_WHICH(2)},
	{CASE(ltr, X_LDTR_TR), PROC2(PROC2_TABLES), .prepare = free_tss, .kind = OPERAND_AND_WHICH,
	 .info = INFO_REGISTER | INFO_REG1(10) | INFO_WHICH(3)},
	{CASE(rdrand, X_RDRAND), PROC2(PROC2_RDRAND), .present = has_rdrand, .kind = RANDOM,
	 .info = INFO_REG1(1) | 1 << 11},
	{CASE(rdrand64, X_RDRAND), PROC2(PROC2_RDRAND), .present = has_rdrand, .kind = RANDOM,
	 .info = INFO_REG1(11) | 2 << 11},
	{CASE(rdseed, X_RDSEED), PROC2(PROC2_RDSEED), .present = has_rdseed, .kind = RANDOM,
	 .info = INFO_REG1(2) | 1 << 11},
	{CASE(invpcid, X_INVPCID), PROC(PROC_INVLPG), .present = has_invpcid, .prepare = operand,
	 .kind = OPERAND_AND_REGISTER, .info = MEMORY(DS, 3) | INFO_REG2(2)},
};

static struct guest make(const struct instruction *i)
{
	struct guest g;

	if (i->present && !i->present())
		test_skip("the CPU does not have this instruction");
	if (i->bit)
		need(i->control, i->bit);
	g = guest_long(i->code);
	if (i->prepare)
		i->prepare(&g);
	return g;
}

static void intercept(const struct instruction *i, struct guest *g)
{
	if (i->intercept)
		i->intercept(g);
	if (i->bit)
		set_bits(g, i->control, i->bit);
}

static void check_info(const struct instruction *i, const struct guest *g)
{
	uint32_t seen = (uint32_t)get(g, I_INFO), want = i->info;
	uint32_t mask = INFO_REGISTER;

	if (i->kind == NO_INFO)
		return;
	if (i->kind == RANDOM) {
		mask = INFO_REG1(15) | 3 << 11;
	} else if (want & INFO_REGISTER) {
		mask |= INFO_REG1(15);
	} else {
		mask |= 0x380 | INFO_SEGMENT(7) | INFO_NO_INDEX | INFO_NO_BASE;
		mask |= want & INFO_NO_BASE ? 0 : INFO_BASE(15);
		mask |= want & INFO_NO_INDEX ? 0 : INFO_INDEX(15) | INFO_SCALE(3);
	}
	if (i->kind == OPERAND_AND_REGISTER)
		mask |= INFO_REG2(15);
	if (i->kind == OPERAND_AND_WHICH)
		mask |= INFO_WHICH(3);
	CHECK((seen & mask) == want, "information 0x%x, not 0x%x (of 0x%x)", U64(seen), U64(want),
	      U64(mask));
}

static void intercepted(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g = make(i);

	intercept(i, &g);
	guest_expect_at(&g, i->exit, i->at);
	CHECK_EQ(get(&g, I_LENGTH), i->next - i->at);
	if (!(i->info & INFO_REGISTER))
		CHECK_EQ(get(&g, I_QUALIFICATION), i->qualification);
	CHECK_EQ(get(&g, I_EVENT) & EVENT_VALID, 0);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	if (i->exit == X_CR && i->qualification & 0x40)
		CHECK_EQ(get(&g, I_LINEAR), g.stack - 96);
	check_info(i, &g);
}

static void executes(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g = make(i);

	if (i->bit && allowed(i->control).must & i->bit)
		test_skip("this control cannot be switched off");
	if (i->plain == GOES_ON) {
		CHECK_EQ(guest_enter(&g), 0);
		CHECK(get(&g, I_REASON) != i->exit, "exits though not asked to");
		return;
	}
	guest_expect_at(&g, X_VMCALL, i->next);
}

/* With every control that makes instructions exit, the exit is still this one. */
static void among_all(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g = make(i);

	set_bits(&g, C_PROC,
		 allowed(C_PROC).may &
			 (PROC_HLT | PROC_INVLPG | PROC_MWAIT | PROC_RDPMC | PROC_RDTSC |
			  PROC_CR3_LOAD | PROC_CR3_STORE | PROC_CR8_LOAD | PROC_CR8_STORE |
			  PROC_MOV_DR | PROC_MONITOR | PROC_PAUSE));
	set_bits(&g, C_PROC2,
		 allowed(C_PROC2).may &
			 (PROC2_TABLES | PROC2_WBINVD | PROC2_RDRAND | PROC2_RDSEED));
	intercept(i, &g);
	if (i->exit == X_CR && (i->qualification & 0xf) != 3 && (i->qualification & 0xf) != 8)
		i->intercept(&g);
	guest_at(&g, i->at);
	guest_expect_at(&g, i->exit, i->at);
	CHECK_EQ(get(&g, I_LENGTH), i->next - i->at);
}

/* The qualification is the displacement: 0 of an operand that has none (SDM 3, 27.2.1). */
static void register_qualification(const void *arg)
{
	const struct instruction *i = arg;
	struct guest g = make(i);

	intercept(i, &g);
	guest_expect_at(&g, i->exit, i->at);
	bochs_limit(get(&g, I_QUALIFICATION) != 0,
		    "Bochs reports a displacement of an instruction that has none");
	CHECK_EQ(get(&g, I_QUALIFICATION), 0);
}

void l1_main(void)
{
	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
		test_named("intercept-", instructions[i].name, intercepted, &instructions[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (instructions[i].plain != NEVER && instructions[i].plain != ALWAYS)
			test_named("execute-", instructions[i].name, executes, &instructions[i]);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++)
		test_named("among-all-", instructions[i].name, among_all, &instructions[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(instructions); i++) {
		if (instructions[i].info & INFO_REGISTER)
			test_named("qualification-", instructions[i].name, register_qualification,
				   &instructions[i]);
	}
}
