/* SPDX-License-Identifier: Apache-2.0 */
/* What comes before an exit and what after it: privilege, permissions, faults, waiting. SDM 3, 25.1. */
#include "lib/apic.h"
#include "lib/pages.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define CPUID_ECX_MONITOR 0x8u
#define CR4_SMXE 0x4000u
#define TIMER_VECTOR 0x60

static bool has_monitor(void)
{
	return cpuid(1, 0).c & CPUID_ECX_MONITOR;
}

/* An instruction that a secondary control has to permit: #UD without it. */
GUEST(guest_rdtscp, "rdtscp\n" STOP);
GUEST(guest_invpcid, "invpcid (%rbx), %rdx\n" STOP);
static void not_permitted(const void *arg)
{
	uint32_t bit = *(const uint32_t *)arg;
	struct guest g = guest_long(bit == PROC2_RDTSCP ? guest_rdtscp : guest_invpcid);

	need(C_PROC2, bit);
	g.r.rbx = (uint64_t)page_alloc();
	g.r.rdx = INV_ALL;
	clear_bits(&g, C_PROC2, bit);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | VEC_UD);
	set_bits(&g, C_PROC2, bit);
	guest_expect(&g, X_VMCALL);
}

/* HLT that is not intercepted waits for an interrupt, which then exits after the HLT. */
GUEST(guest_halts, "sti; hlt; after_hlt:" STOP);
GUEST_LABEL(after_hlt);
static void hlt_waits(const void *arg)
{
	struct guest g = guest_long(guest_halts);

	(void)arg;
	apic_timer(TIMER_VECTOR, 300000);
	guest_expect_at(&g, X_INTERRUPT, after_hlt);
	apic_timer(TIMER_VECTOR, 0);
	interrupts_on();
	interrupts_off();
	bochs_limit(get(&g, G_ACTIVITY) == ACTIVE,
		    "Bochs wakes from HLT before the exit that an interrupt makes");
	CHECK_EQ(get(&g, G_ACTIVITY), HALTED);
}

/* A guest that is entered halted stays so until an interrupt. */
static void entered_halted(const void *arg)
{
	struct guest g = guest_long(after_hlt);

	(void)arg;
	if (!(rdmsr(MSR_VMX_MISC) & MISC_HLT))
		test_skip("no entry to the HLT state");
	put(&g, G_RFLAGS, 2 | FLAG_IF);
	put(&g, G_ACTIVITY, HALTED);
	apic_timer(TIMER_VECTOR, 300000);
	guest_expect_at(&g, X_INTERRUPT, after_hlt);
	apic_timer(TIMER_VECTOR, 0);
	interrupts_on();
	interrupts_off();
}

/* MWAIT that is not intercepted may wait, or not; an interrupt comes out of it. */
GUEST(guest_mwaits, "sti; 1: lea -64(%rsp), %rax; xor %ecx, %ecx; xor %edx, %edx; monitor;"
		    "xor %eax, %eax; mwait; jmp 1b\n");
static void mwait_executes(const void *arg)
{
	struct guest g = guest_long(guest_mwaits);

	(void)arg;
	if (!has_monitor())
		test_skip("the CPU does not have this instruction");
	apic_timer(TIMER_VECTOR, 300000);
	guest_expect(&g, X_INTERRUPT);
	interrupts_on();
	interrupts_off();
}

/*
 * Privilege comes before the exit of what needs it, except for MOV DR (SDM 3, 25.1.3); VMX
 * instructions and CPUID exit at any level.
 */
GUEST(user_hlt, "hlt\n");
GUEST(user_invd, "invd\n");
GUEST(user_cr3, "mov %cr3, %rax\n");
GUEST(user_dr, "mov %dr0, %rax\n");
GUEST(user_vmread, "vmread %rax, %rbx\n");
GUEST(user_cpuid, "cpuid\n");
GUEST(user_vmxoff, "vmxoff\n");
static const struct {
	const char *name;
	const uint8_t *code;
	int exit; /* or -1: #GP */
} privileged[] = {
	{"hlt", user_hlt, -1},
	{"invd", user_invd, -1},
	{"cr3", user_cr3, -1},
	{"dr", user_dr, X_DR},
	{"vmread", user_vmread, X_VMREAD},
	{"cpuid", user_cpuid, X_CPUID},
	{"vmxoff", user_vmxoff, X_VMXOFF},
};

static void privilege(const void *arg)
{
	unsigned n = *(const unsigned *)arg;
	struct guest g = guest_long(privileged[n].code);

	guest_user(&g);
	set_bits(&g, C_PROC, PROC_HLT | PROC_CR3_STORE | PROC_MOV_DR);
	if (privileged[n].exit >= 0) {
		guest_expect_at(&g, (uint64_t)privileged[n].exit, privileged[n].code);
		return;
	}
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, I_EVENT_ERROR), 0);
	CHECK_EQ(get(&g, G_RIP), privileged[n].code);
}

/* The exit by the mask comes before the fault that the value would raise. */
GUEST(guest_cr0_bad, "mov $0x80000000, %eax; mov %rax, %cr0;" STOP);
static void write_cr0_before_fault(const void *arg)
{
	struct guest g = guest_long(guest_cr0_bad);

	(void)arg;
	put(&g, C_CR0_MASK, CR0_PE);
	put(&g, C_CR0_SHADOW, CR0_PE);
	guest_expect(&g, X_CR);
}

/* XSETBV without CR4.OSXSAVE, and GETSEC without CR4.SMXE: #UD, no exit. */
GUEST(guest_xsetbv, "xsetbv\n");
GUEST(guest_getsec, ".byte 0x0f, 0x37\n");
static void ud_before_exit(const void *arg)
{
	struct guest g = guest_long(arg ? guest_getsec : guest_xsetbv);

	put(&g, G_CR4, get(&g, G_CR4) & ~(uint64_t)(CR4_OSXSAVE | CR4_SMXE));
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | VEC_UD);
}

/* Setting a control between two entries takes effect at the next one. */
GUEST(guest_pause_loop, "1: pause; vmcall; jmp 1b\n");
static void control_changes(const void *arg)
{
	struct guest g = guest_long(guest_pause_loop);

	(void)arg;
	for (unsigned i = 0; i < 20; i++) {
		guest_at(&g, guest_pause_loop);
		if (i % 2)
			set_bits(&g, C_PROC, PROC_PAUSE);
		else
			clear_bits(&g, C_PROC, PROC_PAUSE);
		guest_expect(&g, i % 2 ? X_PAUSE : X_VMCALL);
	}
}

void l1_main(void)
{
	static const uint32_t rdtscp = PROC2_RDTSCP, invpcid = PROC2_INVPCID;

	vmx_start();
	test("not-permitted-rdtscp", not_permitted, &rdtscp);
	test("not-permitted-invpcid", not_permitted, &invpcid);
	test("hlt-waits", hlt_waits, NULL);
	test("entered-halted", entered_halted, NULL);
	test("execute-mwait", mwait_executes, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(privileged); i++)
		test_named("privilege-", privileged[i].name, privilege, &i);
	test("write-cr0-before-fault", write_cr0_before_fault, NULL);
	test("ud-before-xsetbv", ud_before_exit, NULL);
	test("ud-before-getsec", ud_before_exit, "");
	test("control-changes", control_changes, NULL);
}
