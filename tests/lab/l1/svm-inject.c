/* SPDX-License-Identifier: Apache-2.0 */
/* Events that the hypervisor injects, and interrupts: delivered, interrupted, masked, held by GIF. */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/trap.h"
#include "svm/known.h"
#include "svm/svm.h"

#define IRQ 0x52
#define REAL_IDT (REAL_GUEST + 0x8000)
#define REAL_HANDLER 0x4000
#define TIMER_TICKS 3000000
#define UNMAPPED_VA 0x7f0012345000

GUEST(guest_stop, STOP);
GUEST(guest_spin, "1: jmp 1b\n");
GUEST(guest_sti, "sti; nop; after_window: nop;" STOP);
GUEST_LABEL(after_window);
GUEST(guest_cr8, "mov %rcx, %cr8; after_cr8: nop;" STOP);
GUEST_LABEL(after_cr8);
GUEST(guest_read_cr8, "mov %cr8, %rbx;" STOP);
GUEST(guest_ud, "ud2\n");
GUEST(guest_int, "int $0x42; after_int:" STOP);
GUEST_LABEL(after_int);
GUEST(guest_page_fault, "mov $0x7f0012345000, %rax; mov %rax, (%rax);" STOP);

struct event {
	const char *name;
	uint32_t event, error;
	unsigned vector;
	bool has_error;
};

static const struct event events[] = {
	{"interrupt", EVENT_INTR | 0x40, 0, 0x40, false},
	{"interrupt-ff", EVENT_INTR | 0xff, 0, 0xff, false},
	{"nmi", EVENT_NMI | VEC_NMI, 0, VEC_NMI, false},
	{"exception-ud", EVENT_EXCEPTION | VEC_UD, 0, VEC_UD, false},
	{"exception-db", EVENT_EXCEPTION | VEC_DB, 0, VEC_DB, false},
	{"exception-gp", EVENT_EXCEPTION | EVENT_ERROR | VEC_GP, 0x1234, VEC_GP, true},
	{"exception-pf", EVENT_EXCEPTION | EVENT_ERROR | VEC_PF, 0x6, VEC_PF, true},
	{"exception-df", EVENT_EXCEPTION | EVENT_ERROR | VEC_DF, 0, VEC_DF, true},
	{"software", EVENT_SOFT | 0x43, 0, 0x43, false},
};

/* The event about to be injected; next RIP is where a software interrupt returns to. */
static void inject(struct guest *g, const struct event *e)
{
	g->vmcb->event = e->event | EVENT_VALID;
	g->vmcb->event_error = e->error;
	g->vmcb->next_rip = g->vmcb->rip;
}

/* It arrived at its handler, once, with the right frame. */
static void check_arrived(const struct guest *g, const struct event *e, const void *from)
{
	const uint64_t *frame = (const uint64_t *)g->vmcb->rsp;

	CHECK(g->vmcb->rip == (uint64_t)guest_stub(e->vector), "stopped at rip 0x%x", g->vmcb->rip);
	if (e->has_error)
		CHECK_EQ(*frame++, e->error);
	CHECK_EQ(frame[0], from);
	CHECK_EQ(frame[1] & 0xffff, SEL_CODE64);
	CHECK_EQ(g->vmcb->event & EVENT_VALID, 0);
	CHECK_EQ(g->vmcb->exit_int_info & EVENT_VALID, 0);
}

static void delivered(const void *arg)
{
	const struct event *e = arg;
	struct guest g = guest_long(guest_stop);

	inject(&g, e);
	guest_expect(&g, X_VMMCALL);
	check_arrived(&g, e, guest_stop);
	g.vmcb->rip += STOP_SIZE;
	g.vmcb->rsp += e->has_error ? 8 : 0;
	guest_expect_at(&g, X_VMMCALL, guest_stop);
}

/* From ring 3 to ring 0: the TSS's stack. */
static void delivered_from_user(const void *arg)
{
	const struct event *e = arg;
	struct guest g = guest_long(guest_stop);
	const uint64_t *frame;

	g.vmcb->cs.selector = SEL_USER_CODE64;
	g.vmcb->cs.attributes = 0xafb;
	g.vmcb->ss.selector = SEL_USER_DATA;
	g.vmcb->ss.attributes = 0xcf3;
	g.vmcb->cpl = 3;
	g.vmcb->cr3 = (uint64_t)table_identity();
	g.idt[0x43].attributes = GATE_USER;
	inject(&g, e);
	guest_expect_at(&g, X_VMMCALL, guest_stub(e->vector));
	CHECK_EQ(g.vmcb->cpl, 0);
	frame = (const uint64_t *)g.vmcb->rsp + (e->has_error ? 1 : 0);
	CHECK_EQ(frame[1] & 0xffff, SEL_USER_CODE64);
	CHECK_EQ(frame[3], (uint64_t)g.stack - 64);
}

static void delivered_in_real_mode(const void *arg)
{
	struct guest g = guest_real(guest_spin, guest_spin_end);

	(void)arg;
	memcpy((void *)(REAL_GUEST + REAL_HANDLER), guest_stop, STOP_SIZE);
	((volatile uint32_t *)REAL_IDT)[0x40] = REAL_GUEST >> 4 << 16 | REAL_HANDLER;
	g.vmcb->event = EVENT_VALID | EVENT_INTR | 0x40;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->rip, REAL_HANDLER);
	CHECK_EQ(g.vmcb->rsp, 0xff00 - 6);
}

enum obstacle { NO_IDT_PAGE, NO_STACK_PAGE };

static void hide(struct guest *g, enum obstacle what, bool hidden)
{
	uint64_t page = (what == NO_IDT_PAGE ? (uint64_t)g->idt : (uint64_t)g->stack - PAGE_SIZE);

	table_map(g->nested, page, page, hidden ? 0 : PTE_ALL);
	g->vmcb->tlb_control = TLB_FLUSH_ALL;
}

static void interrupted(const struct event *e, enum obstacle what)
{
	struct guest g = guest_long(guest_stop);

	hide(&g, what, true);
	inject(&g, e);
	guest_expect_at(&g, X_NPF, guest_stop);
	CHECK_EQ(g.vmcb->exit_info1, NPF_FINAL | PF_U | (what == NO_STACK_PAGE ? PF_W : 0));
	CHECK_EQ(g.vmcb->exit_info2 & PAGE_MASK,
		 what == NO_IDT_PAGE ? (uint64_t)g.idt : (uint64_t)g.stack - PAGE_SIZE);
	CHECK_EQ(g.vmcb->exit_int_info, e->event | EVENT_VALID);
	if (e->has_error)
		CHECK_EQ(g.vmcb->exit_int_error, e->error);
	CHECK_EQ(g.vmcb->rsp, (uint64_t)g.stack - 64);
	hide(&g, what, false);
	g.vmcb->event = g.vmcb->exit_int_info;
	g.vmcb->event_error = g.vmcb->exit_int_error;
	g.vmcb->next_rip = g.vmcb->rip;
	guest_expect(&g, X_VMMCALL);
	check_arrived(&g, e, guest_stop);
}

static void interrupted_at_idt(const void *arg)
{
	interrupted(arg, NO_IDT_PAGE);
}

static void interrupted_at_stack(const void *arg)
{
	interrupted(arg, NO_STACK_PAGE);
}

/* The same for what the guest raises itself. */
static void own_exception_interrupted(const void *arg)
{
	struct guest g = guest_long(guest_ud);

	(void)arg;
	intercept_clear(&g, X_EXCEPTION + VEC_UD);
	hide(&g, NO_IDT_PAGE, true);
	guest_expect_at(&g, X_NPF, guest_ud);
	CHECK_EQ(g.vmcb->exit_int_info, EVENT_VALID | EVENT_EXCEPTION | VEC_UD);
}

static void own_page_fault_interrupted(const void *arg)
{
	struct guest g = guest_long(guest_page_fault);

	(void)arg;
	intercept_clear(&g, X_EXCEPTION + VEC_PF);
	hide(&g, NO_IDT_PAGE, true);
	guest_expect(&g, X_NPF);
	CHECK_EQ(g.vmcb->exit_int_info, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_PF);
	CHECK_EQ(g.vmcb->exit_int_error, PF_W);
	CHECK_EQ(g.vmcb->cr2, UNMAPPED_VA);
}

/* With next-RIP, RIP stays at the INT that is injected, and the handler returns behind it. */
static void int_returns_behind(const void *arg)
{
	struct guest g = guest_long(guest_int);
	const uint64_t *frame;

	(void)arg;
	if (!(svm_features() & SVM_NRIPS))
		test_skip("CPUID does not offer next-RIP");
	g.vmcb->event = EVENT_VALID | EVENT_SOFT | 0x43;
	g.vmcb->next_rip = (uint64_t)after_int;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x43));
	frame = (const uint64_t *)g.vmcb->rsp;
	CHECK_EQ(frame[0], after_int);
}

/* The same cut short: RIP is at the INT, and next RIP behind it. */
static void int_interrupted(const void *arg)
{
	struct guest g = guest_long(guest_int);

	(void)arg;
	if (!(svm_features() & SVM_NRIPS))
		test_skip("CPUID does not offer next-RIP");
	hide(&g, NO_IDT_PAGE, true);
	g.vmcb->event = EVENT_VALID | EVENT_SOFT | 0x42;
	g.vmcb->next_rip = (uint64_t)after_int;
	guest_expect_at(&g, X_NPF, guest_int);
	CHECK_EQ(g.vmcb->exit_int_info, EVENT_VALID | EVENT_SOFT | 0x42);
	CHECK_EQ(g.vmcb->next_rip, after_int);
}

static void own_int_interrupted(const void *arg)
{
	struct guest g = guest_long(guest_int);

	(void)arg;
	hide(&g, NO_IDT_PAGE, true);
	guest_expect_at(&g, X_NPF, guest_int);
	CHECK_EQ(g.vmcb->exit_int_info, EVENT_VALID | EVENT_SOFT | 0x42);
	if (svm_features() & SVM_NRIPS)
		CHECK_EQ(g.vmcb->next_rip, after_int);
}

static void virtual_interrupt(struct guest *g, unsigned priority, unsigned tpr)
{
	g->vmcb->int_control = V_IRQ | V_PRIORITY(priority) | V_VECTOR(0x44) | tpr;
}

static void virq_interrupted(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 15, 0);
	hide(&g, NO_IDT_PAGE, true);
	guest_expect_at(&g, X_NPF, guest_spin);
	tcg_limit(g.vmcb->exit_int_info == (EVENT_VALID | EVENT_EXCEPTION | 0x44),
		  "TCG reports an interrupted virtual interrupt as an exception");
	CHECK_EQ(g.vmcb->exit_int_info, EVENT_VALID | EVENT_INTR | 0x44);
}

/* A gate that is not present: #NP, intercepted, while 0x40 was being delivered. */
static void fault_in_delivery(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.idt[0x40].attributes &= 0x7fff;
	g.vmcb->event = EVENT_VALID | EVENT_INTR | 0x40;
	guest_expect_at(&g, X_EXCEPTION + VEC_NP, guest_stop);
	CHECK_EQ(g.vmcb->exit_int_info, EVENT_VALID | EVENT_INTR | 0x40);
	tcg_limit(g.vmcb->exit_info1 == (0x40 << 4 | 2),
		  "TCG's error code has the gate's offset, not its index");
	CHECK_EQ(g.vmcb->exit_info1 & 0xfffe, 0x40 << 3 | 2);
}

static void virq_delivered(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 8, 7);
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x44));
	CHECK_EQ(g.vmcb->int_control & V_IRQ, 0);
	CHECK_EQ(*(uint64_t *)g.vmcb->rsp, guest_spin);
}

static void virq_masked_by_if(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	virtual_interrupt(&g, 15, 0);
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	CHECK_EQ(g.vmcb->int_control & V_IRQ, V_IRQ);
	g.vmcb->rip = (uint64_t)guest_sti;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x44));
	CHECK_EQ(*(uint64_t *)g.vmcb->rsp, after_window);
}

static void virq_masked_by_tpr(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 4, 8);
	g.vmcb->int_control |= V_INTR_MASKING;
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	CHECK_EQ(g.vmcb->int_control & V_IRQ, V_IRQ);
	g.vmcb->int_control = (g.vmcb->int_control & ~V_TPR_MASK) | 3;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x44));
	CHECK_EQ(g.vmcb->int_control & V_TPR_MASK, 3);
}

static void virq_unmasked_by_cr8(const void *arg)
{
	struct guest g = guest_long(guest_cr8);

	(void)arg;
	tcg_limit(true, "QEMU aborts (iothread lock) when a guest's CR8 write unmasks V_IRQ");
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 4, 8);
	g.vmcb->int_control |= V_INTR_MASKING;
	g.r.rcx = 3;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x44));
	CHECK_EQ(*(uint64_t *)g.vmcb->rsp, after_cr8);
	CHECK_EQ(g.vmcb->int_control & V_TPR_MASK, 3);
}

/* As on an APIC, a priority that equals the TPR waits (APM 2, 15.21.4). */
static void virq_equal_priority(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 6, 6);
	guest_run(&g);
	tcg_limit(g.vmcb->rip == (uint64_t)guest_stub(0x44),
		  "TCG lets V_INTR_PRIO equal to V_TPR through");
	CHECK_EQ(g.vmcb->rip, guest_stop);
}

static void virq_ignores_tpr(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 1, 15);
	g.vmcb->int_control |= V_IGNORE_TPR;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x44));
}

static void vintr_exit(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 15, 0);
	intercept(&g, X_VINTR);
	guest_expect_at(&g, X_VINTR, guest_spin);
	CHECK_EQ(g.vmcb->int_control & V_IRQ, V_IRQ);
	CHECK_EQ(g.vmcb->exit_int_info & EVENT_VALID, 0);
}

static void interrupt_window(const void *arg)
{
	struct guest g = guest_long(guest_sti);

	(void)arg;
	virtual_interrupt(&g, 15, 0);
	intercept(&g, X_VINTR);
	guest_expect_at(&g, X_VINTR, after_window);
	g.vmcb->int_control = 0;
	g.vmcb->event = EVENT_VALID | EVENT_INTR | 0x40;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x40));
	CHECK_EQ(*(uint64_t *)g.vmcb->rsp, after_window);
}

static void injection_before_virq(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	virtual_interrupt(&g, 15, 0);
	g.vmcb->event = EVENT_VALID | EVENT_INTR | 0x40;
	guest_expect_at(&g, X_VMMCALL, guest_stub(0x40));
	CHECK_EQ(g.vmcb->int_control & V_IRQ, V_IRQ);
}

static void masking_cr8(const void *arg)
{
	struct guest g = guest_long(guest_cr8);

	(void)arg;
	write_cr8(2);
	g.vmcb->int_control = V_INTR_MASKING | 7;
	g.r.rcx = 5;
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(read_cr8(), 2);
	CHECK_EQ(g.vmcb->int_control & V_TPR_MASK, 5);
	g.vmcb->rip = (uint64_t)guest_read_cr8;
	guest_expect(&g, X_VMMCALL);
	write_cr8(0);
	CHECK_EQ(g.r.rbx, 5);
}

static void plain_cr8(const void *arg)
{
	struct guest g = guest_long(guest_cr8);
	uint64_t seen;

	(void)arg;
	g.r.rcx = 5;
	guest_expect(&g, X_VMMCALL);
	seen = read_cr8();
	write_cr8(0);
	CHECK_EQ(seen, 5);
}

/* VMRUN with the host's IF set, which V_INTR_MASKING makes the mask of physical interrupts. */
static void run_host_if(struct guest *g)
{
	clgi();
	interrupts_on();
	svm_enter(g->vmcb, &g->r, g->host);
	interrupts_off();
	stgi();
}

static void take_pending(void)
{
	interrupts_on();
	interrupts_off();
	CHECK_EQ(interrupts_taken(0, IRQ), 1);
}

static void masking_timer(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->int_control = V_INTR_MASKING;
	apic_timer(IRQ, TIMER_TICKS);
	run_host_if(&g);
	CHECK_EQ(g.vmcb->exit_code, X_INTR);
	CHECK_EQ(g.vmcb->rip, guest_spin);
	take_pending();
}

static void masking_host_off(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	g.vmcb->int_control = V_INTR_MASKING;
	apic_send(0, ICR_SELF | ICR_FIXED | IRQ);
	CHECK(WAIT_FOR(apic_pending(IRQ)), "the self-IPI does not arrive");
	guest_expect_at(&g, X_VMMCALL, guest_stop);
	take_pending();
}

static void plain_timer(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	apic_timer(IRQ, TIMER_TICKS);
	guest_expect_at(&g, X_INTR, guest_spin);
	take_pending();
}

/* With the intercept clear, the guest takes the timer's interrupt through its own IDT. */
static void timer_to_guest(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	intercept_clear(&g, X_INTR);
	apic_timer(IRQ, TIMER_TICKS);
	guest_expect_at(&g, X_VMMCALL, guest_stub(IRQ));
	apic_eoi();
	CHECK_EQ(interrupts_taken(0, IRQ), 0);
}

static void gif_holds_interrupts(const void *arg)
{
	unsigned held;

	(void)arg;
	clgi();
	interrupts_on();
	apic_send(0, ICR_SELF | ICR_FIXED | IRQ);
	WAIT_FOR(apic_pending(IRQ));
	held = interrupts_taken(0, IRQ);
	stgi();
	CHECK_EQ(held, 0);
	CHECK(WAIT_FOR(interrupts_taken(0, IRQ) == 1), "not delivered after STGI");
}

static void gif_holds_nmi(const void *arg)
{
	unsigned held;

	(void)arg;
	clgi();
	apic_send(0, ICR_NMI);
	held = nmis_taken(0);
	stgi();
	CHECK_EQ(held, 0);
	CHECK(WAIT_FOR(nmis_taken(0) == 1), "not delivered after STGI");
}

/* #VMEXIT clears GIF. */
static void exit_clears_gif(const void *arg)
{
	struct guest g = guest_long(guest_stop);
	unsigned held, held_nmi;

	(void)arg;
	svm_enter(g.vmcb, &g.r, g.host);
	interrupts_on();
	apic_send(0, ICR_SELF | ICR_FIXED | IRQ);
	apic_send(0, ICR_NMI);
	WAIT_FOR(apic_pending(IRQ));
	held = interrupts_taken(0, IRQ);
	held_nmi = nmis_taken(0);
	stgi();
	CHECK_EQ(held, 0);
	CHECK_EQ(held_nmi, 0);
	CHECK(WAIT_FOR(interrupts_taken(0, IRQ) == 1 && nmis_taken(0) == 1),
	      "not delivered after STGI");
}

/* VMRUN sets GIF for the guest even when it is clear. */
static void entry_sets_gif(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	g.vmcb->rflags |= FLAG_IF;
	clgi();
	apic_send(0, ICR_SELF | ICR_FIXED | IRQ);
	guest_run(&g);
	CHECK_EQ(g.vmcb->exit_code, X_INTR);
	take_pending();
}

void l1_main(void)
{
	svm_start();
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("inject-", events[i].name, delivered, &events[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("inject-user-", events[i].name, delivered_from_user, &events[i]);
	test("inject-real-mode", delivered_in_real_mode, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("interrupted-idt-", events[i].name, interrupted_at_idt, &events[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("interrupted-stack-", events[i].name, interrupted_at_stack, &events[i]);
	test("own-exception-interrupted", own_exception_interrupted, NULL);
	test("own-page-fault-interrupted", own_page_fault_interrupted, NULL);
	test("own-int-interrupted", own_int_interrupted, NULL);
	test("int-returns-behind", int_returns_behind, NULL);
	test("int-interrupted", int_interrupted, NULL);
	test("virq-interrupted", virq_interrupted, NULL);
	test("fault-in-delivery", fault_in_delivery, NULL);
	test("virq", virq_delivered, NULL);
	test("virq-masked-by-if", virq_masked_by_if, NULL);
	test("virq-masked-by-tpr", virq_masked_by_tpr, NULL);
	test("virq-unmasked-by-cr8", virq_unmasked_by_cr8, NULL);
	test("virq-equal-priority", virq_equal_priority, NULL);
	test("virq-ignores-tpr", virq_ignores_tpr, NULL);
	test("vintr-exit", vintr_exit, NULL);
	test("interrupt-window", interrupt_window, NULL);
	test("injection-before-virq", injection_before_virq, NULL);
	test("masking-cr8", masking_cr8, NULL);
	test("plain-cr8", plain_cr8, NULL);
	test("masking-timer", masking_timer, NULL);
	test("masking-host-off", masking_host_off, NULL);
	test("plain-timer", plain_timer, NULL);
	test("timer-to-guest", timer_to_guest, NULL);
	test("gif-holds-interrupts", gif_holds_interrupts, NULL);
	test("gif-holds-nmi", gif_holds_nmi, NULL);
	test("exit-clears-gif", exit_clears_gif, NULL);
	test("entry-sets-gif", entry_sets_gif, NULL);
}
