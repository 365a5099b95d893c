/* SPDX-License-Identifier: Apache-2.0 */
/* Exits that are not instructions: exceptions, interrupts, NMI, task switch, shutdown. */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/raise.h"
#include "lib/smp.h"
#include "lib/start.h"
#include "lib/trap.h"
#include "svm/known.h"
#include "svm/svm.h"

#define IRQ_VECTOR 0x51
#define TASK_BY_JUMP (1ull << 38) /* exit_info2 of a task switch: APM 2, 15.14.1 */

void task_switched_on(struct guest *g)
{
	g->vmcb->cr0 |= CR0_TS;
}

void bad_link(struct guest *g)
{
	g->vmcb->tr.base = (uint64_t)page_alloc();
	*(uint16_t *)g->vmcb->tr.base = 4;
}

void no_idt(struct guest *g)
{
	g->vmcb->idtr.limit = 0;
	intercept_clear(g, X_EXCEPTION + VEC_UD);
	intercept_clear(g, X_EXCEPTION + VEC_GP);
	intercept_clear(g, X_EXCEPTION + VEC_NP);
}

void user_mode_aligned(struct guest *g)
{
	g->vmcb->cs.selector = SEL_USER_CODE64;
	g->vmcb->cs.attributes = 0xafb;
	g->vmcb->ss.selector = g->vmcb->ds.selector = SEL_USER_DATA;
	g->vmcb->ss.attributes = g->vmcb->ds.attributes = 0xcf3;
	g->vmcb->cpl = 3;
	g->vmcb->cr3 = (uint64_t)table_identity();
	g->vmcb->cr0 |= CR0_AM;
	g->vmcb->rflags |= 0x40000;
}

/* What TCG is known to do otherwise, or NULL. */
static const char *deviation(const struct exception *e)
{
	switch (e->vector) {
	case VEC_BP:
	case VEC_OF:
		return "TCG takes INT3 and INTO for INTn: neither #BP nor #OF can be intercepted";
	case VEC_DF:
		return "TCG does not look at the intercept of #DF";
	case VEC_AC:
		return "TCG does not check alignment";
	case VEC_XM:
		return "TCG does not raise #XM";
	default:
		return e->code == code_stack_canonical
			       ? "TCG raises #GP, not #SS, for a non-canonical stack"
			       : NULL;
	}
}

static void intercepted(const void *arg)
{
	const struct exception *e = arg;
	struct guest g = guest_raising(e);
	uint64_t exit = X_EXCEPTION + e->vector;

	guest_run(&g);
	tcg_limit(deviation(e) && g.vmcb->exit_code != exit, deviation(e));
	CHECK_EQ(g.vmcb->exit_code, exit);
	CHECK(g.vmcb->rip == (uint64_t)(e->trap ? e->after : e->at),
	      "exit at 0x%x, the instruction is at 0x%x", g.vmcb->rip, U64(e->at));
	if (e->has_error)
		CHECK_EQ(g.vmcb->exit_info1, e->error);
	if (e->vector != VEC_DF)
		CHECK_EQ(g.vmcb->exit_int_info & EVENT_VALID, 0);
	if (e->vector == VEC_PF)
		CHECK_EQ(g.vmcb->exit_info2, UNMAPPED_VA);
}

/* The stub of the vector is reached, the error code is on the stack, and RIP above it is right. */
static void delivered(const void *arg)
{
	const struct exception *e = arg;
	struct guest g = guest_raising(e);
	const uint64_t *frame;

	intercept_clear(&g, X_EXCEPTION + e->vector);
	guest_run(&g);
	tcg_limit(deviation(e) && g.vmcb->rip != (uint64_t)guest_stub(e->vector), deviation(e));
	CHECK_EQ(g.vmcb->exit_code, X_VMMCALL);
	CHECK_EQ(g.vmcb->rip, guest_stub(e->vector));
	frame = (const uint64_t *)g.vmcb->rsp;
	if (e->has_error)
		CHECK_EQ(*frame++, e->error);
	CHECK_EQ(frame[0], e->trap || e->soft ? e->after : e->at);
	if (e->vector == VEC_PF)
		CHECK_EQ(g.vmcb->cr2, UNMAPPED_VA);
}

/* An intercepted #PF leaves the guest's CR2 as it was (APM 2, 15.12.15). */
static void page_fault_cr2(const void *arg)
{
	struct guest g = guest_long(code_page);

	(void)arg;
	g.vmcb->cr2 = 0x99000;
	guest_expect(&g, X_EXCEPTION + VEC_PF);
	CHECK_EQ(g.vmcb->cr2, 0x99000);
}

static void page_fault_bytes(const void *arg)
{
	struct guest g = guest_long(code_page);
	size_t len = (size_t)(after_page - at_page);

	(void)arg;
	if (!(svm_features() & SVM_DECODE))
		test_skip("no decode assists");
	guest_expect(&g, X_EXCEPTION + VEC_PF);
	CHECK((g.vmcb->fetched & 0xf) >= len, "%u bytes, the instruction has %u",
	      U64(g.vmcb->fetched), len);
	CHECK(!memcmp(g.vmcb->bytes, at_page, len), "the bytes are not the instruction's");
}

GUEST(guest_spin, "1: jmp 1b\n");
GUEST(guest_stop, STOP);

static void intr_exit(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	interrupt_pend(IRQ_VECTOR);
	guest_expect_at(&g, X_INTR, guest_spin);
	CHECK(apic_pending(IRQ_VECTOR), "the exit took the interrupt");
	interrupt_take(IRQ_VECTOR);
}

static void intr_masked_by_guest(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	interrupt_pend(IRQ_VECTOR);
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	interrupt_take(IRQ_VECTOR);
}

/* Without the intercept and without V_INTR_MASKING, the guest takes the machine's interrupt. */
static void intr_to_guest(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	intercept_clear(&g, X_INTR);
	interrupt_pend(IRQ_VECTOR);
	guest_expect_at(&g, X_VMMCALL, guest_stub(IRQ_VECTOR));
	CHECK(!apic_pending(IRQ_VECTOR), "the interrupt is still pending");
	apic_eoi();
}

static void nmi_exit(const void *arg)
{
	struct guest g = guest_long(guest_spin);
	unsigned in_guest;

	(void)arg;
	clgi();
	apic_send(0, ICR_NMI);
	guest_run_gif0(&g);
	in_guest = nmis_taken(0);
	stgi();
	CHECK_EQ(g.vmcb->exit_code, X_NMI);
	CHECK_EQ(g.vmcb->rip, guest_spin);
	CHECK_EQ(in_guest, 0);
	CHECK(WAIT_FOR(nmis_taken(0) == 1), "%u NMIs after STGI", U64(nmis_taken(0)));
}

static void nmi_to_guest(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	intercept_clear(&g, X_NMI);
	clgi();
	apic_send(0, ICR_NMI);
	guest_run(&g);
	nmis_unblock(); /* which the guest left without an IRET */
	CHECK_EQ(g.vmcb->exit_code, X_VMMCALL);
	CHECK_EQ(g.vmcb->rip, guest_stub(VEC_NMI));
	CHECK_EQ(nmis_taken(0), 0);
}

static void triple_fault(const void *arg)
{
	struct guest g = guest_long(code_ud2);

	(void)arg;
	g.vmcb->intercept_exceptions = 0;
	g.vmcb->idtr.limit = 0;
	guest_expect(&g, X_SHUTDOWN);
}

GUEST(guest_jump_task, ".code32; ljmp $0x60, $0\n");
GUEST(guest_task, ".code32;" STOP);

static struct guest guest_with_tasks(void)
{
	struct guest g = guest_protected(guest_jump_task);
	struct tss32 *a = page_alloc(), *b = page_alloc();

	b->eip = (uint32_t)(uint64_t)guest_task;
	b->eflags = 2;
	b->esp = (uint32_t)g.vmcb->rsp;
	b->cs = SEL_CODE32;
	b->ss = b->ds = b->es = b->fs = b->gs = SEL_DATA;
	gdt_set(SEL_TSS32_A, descriptor((uint32_t)(uint64_t)a, sizeof(*a) - 1, 0x8b), 0);
	gdt_set(SEL_TSS32_B, descriptor((uint32_t)(uint64_t)b, sizeof(*b) - 1, 0x89), 0);
	g.vmcb->tr = (struct vmcb_segment){SEL_TSS32_A, 0x8b, sizeof(*a) - 1, (uint64_t)a};
	return g;
}

static void task_switch(const void *arg)
{
	struct guest g = guest_with_tasks();

	(void)arg;
	intercept(&g, X_TASK_SWITCH);
	guest_run(&g);
	tcg_limit(g.vmcb->exit_code == X_VMMCALL && g.vmcb->rip == (uint64_t)guest_task,
		  "TCG does not intercept task switches");
	CHECK_EQ(g.vmcb->exit_code, X_TASK_SWITCH);
	CHECK_EQ(g.vmcb->exit_info1 & 0xffff, SEL_TSS32_B);
	CHECK(g.vmcb->exit_info2 & TASK_BY_JUMP, "exit_info2 0x%x does not say JMP",
	      g.vmcb->exit_info2);
	CHECK_EQ(g.vmcb->rip, guest_jump_task);
}

static void task_switch_executes(const void *arg)
{
	struct guest g = guest_with_tasks();

	(void)arg;
	guest_expect_at(&g, X_VMMCALL, guest_task);
	CHECK_EQ(g.vmcb->tr.selector, SEL_TSS32_B);
}

void l1_main(void)
{
	svm_start();
	for (unsigned i = 0; i < ARRAY_SIZE(exceptions); i++)
		test_named("intercept-", exceptions[i].name, intercepted, &exceptions[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(exceptions); i++) {
		if (!exceptions[i].make && exceptions[i].vector != VEC_DF &&
		    exceptions[i].vector != VEC_AC)
			test_named("deliver-", exceptions[i].name, delivered, &exceptions[i]);
	}
	test("page-fault-cr2", page_fault_cr2, NULL);
	test("page-fault-bytes", page_fault_bytes, NULL);
	test("intr-exit", intr_exit, NULL);
	test("intr-masked-by-guest", intr_masked_by_guest, NULL);
	test("intr-to-guest", intr_to_guest, NULL);
	test("nmi-exit", nmi_exit, NULL);
	test("nmi-to-guest", nmi_to_guest, NULL);
	test("triple-fault", triple_fault, NULL);
	test("task-switch", task_switch, NULL);
	test("task-switch-executes", task_switch_executes, NULL);
}
