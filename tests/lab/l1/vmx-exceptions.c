/* SPDX-License-Identifier: Apache-2.0 */
/* Exits that are not instructions: exceptions, interrupts, NMI, task switch, triple fault. SDM 3, 25.2. */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/raise.h"
#include "lib/start.h"
#include "lib/trap.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define IRQ_VECTOR 0x51
#define DR6_BS 0x4000u
#define RFLAGS_RF 0x10000u
#define PF_P 0x1u
#define PF_W 0x2u
#define PF_U 0x4u
#define PF_I 0x10u

void task_switched_on(struct guest *g)
{
	set_bits(g, G_CR0, CR0_TS);
}

void bad_link(struct guest *g)
{
	uint16_t *tss32 = page_alloc();

	put(g, G_TR_BASE, (uint64_t)tss32);
	*tss32 = 4;
}

void no_idt(struct guest *g)
{
	put(g, G_IDTR_LIMIT, 0);
	clear_bits(g, C_EXCEPTIONS, 1u << VEC_UD | 1u << VEC_GP | 1u << VEC_NP);
}

void user_mode_aligned(struct guest *g)
{
	guest_user(g);
	set_bits(g, G_CR0, CR0_AM);
	set_bits(g, G_RFLAGS, 0x40000);
}

static void exits(const void *arg)
{
	const struct exception *e = arg;
	struct guest g = guest_raising(e);
	uint64_t type = e->soft ? EVENT_SOFT_EXCEPTION : EVENT_EXCEPTION;

	guest_expect_event(&g, EVENT_VALID | type | e->vector | (e->has_error ? EVENT_ERROR : 0));
	CHECK(get(&g, G_RIP) == (uint64_t)(e->trap ? e->after : e->at),
	      "exit at 0x%x, the instruction is at 0x%x", get(&g, G_RIP), U64(e->at));
	if (e->has_error)
		CHECK_EQ(get(&g, I_EVENT_ERROR), e->error);
	if (e->soft)
		CHECK_EQ(get(&g, I_LENGTH), e->after - e->at);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	CHECK_EQ(get(&g, I_QUALIFICATION), e->vector == VEC_PF   ? UNMAPPED_VA
					   : e->vector == VEC_DB ? DR6_BS
								 : 0);
}

/* The stub of the vector is reached, the error code is on the stack, and RIP above it is right. */
static void delivered(const void *arg)
{
	const struct exception *e = arg;
	struct guest g = guest_raising(e);
	const uint64_t *frame;

	clear_bits(&g, C_EXCEPTIONS, 1u << e->vector);
	guest_expect_at(&g, X_VMCALL, guest_stub(e->vector));
	frame = (const uint64_t *)get(&g, G_RSP);
	if (e->has_error)
		CHECK_EQ(*frame++, e->error);
	CHECK_EQ(frame[0], e->trap || e->soft ? e->after : e->at);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	if (e->vector == VEC_PF)
		CHECK_EQ(read_cr2(), UNMAPPED_VA);
}

/* What is stored is the RFLAGS that the IDT would have pushed: RF set by a fault (SDM 3, 27.3.3). */
static void fault_sets_rf(const void *arg)
{
	struct guest g = guest_long(code_page);

	(void)arg;
	guest_expect(&g, X_EXCEPTION);
	bochs_limit(!(get(&g, G_RFLAGS) & RFLAGS_RF), "Bochs does not store RF set by a fault");
	CHECK_EQ(get(&g, G_RFLAGS) & RFLAGS_RF, RFLAGS_RF);
}

/* A #PF that exits leaves CR2 alone; DR6 is left alone by a #DB. */
static void registers_untouched(const void *arg)
{
	struct guest g = guest_long(code_page);

	(void)arg;
	write_cr2(0x99000);
	guest_expect(&g, X_EXCEPTION);
	CHECK_EQ(read_cr2(), 0x99000);
	write_dr6(0xffff0ff0);
	guest_at(&g, code_single_step);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | VEC_DB);
	CHECK_EQ(read_dr6(), 0xffff0ff0);
}

GUEST(guest_pf_read, "mov (%rbx), %rax\n" STOP);
GUEST(guest_pf_write, "mov %rax, (%rbx)\n" STOP);
GUEST(guest_pf_fetch, "jmp *%rbx\n");

/* Page faults of each kind, against each mask and match: the bitmap's bit decides for those that match. */
static void page_fault_filter(const void *arg)
{
	static const struct {
		const uint8_t *code;
		uint64_t rights;
		bool user;
		uint32_t error;
	} faults[] = {
		{guest_pf_read, 0, false, 0},
		{guest_pf_write, 0, false, PF_W},
		{guest_pf_write, PTE_P, false, PF_P | PF_W},
		{guest_pf_read, PTE_P | PTE_W, true, PF_P | PF_U},
		{guest_pf_write, 0, true, PF_W | PF_U},
		{guest_pf_fetch, PTE_P | PTE_W | PTE_NX, false, PF_P | PF_I},
	};
	static const struct {
		uint32_t mask, match;
	} filters[] = {{0, 0}, {0, 1}, {~0u, 0},     {1, 1}, {1, 0},
		       {2, 2}, {6, 4}, {0x10, 0x10}, {3, 3}};
	uint64_t page = (uint64_t)page_alloc();
	bool bit = arg != NULL;

	for (unsigned n = 0; n < ARRAY_SIZE(faults); n++) {
		struct guest g = guest_long(faults[n].code);
		uint64_t *own = table_identity();

		if (faults[n].user)
			guest_user(&g);
		table_map(own, page, page, faults[n].rights);
		put(&g, G_CR3, (uint64_t)own);
		if (!bit)
			clear_bits(&g, C_EXCEPTIONS, 1u << VEC_PF);
		for (unsigned f = 0; f < ARRAY_SIZE(filters); f++) {
			bool matches = (faults[n].error & filters[f].mask) == filters[f].match;

			put(&g, C_PF_MASK, filters[f].mask);
			put(&g, C_PF_MATCH, filters[f].match);
			put(&g, G_RSP, (uint64_t)g.stack - 64);
			if (faults[n].user)
				guest_user(&g);
			put(&g, G_CR3, (uint64_t)own);
			g.r.rbx = page;
			guest_at(&g, faults[n].code);
			CHECK_EQ(guest_enter(&g), 0);
			if (matches == bit) {
				CHECK_EQ(get(&g, I_REASON), X_EXCEPTION);
				CHECK_EQ(get(&g, I_EVENT_ERROR), faults[n].error);
				CHECK_EQ(get(&g, I_QUALIFICATION), page);
			} else {
				CHECK_EQ(get(&g, I_REASON), X_VMCALL);
				CHECK_EQ(get(&g, G_RIP), guest_stub(VEC_PF));
				CHECK_EQ(*(const uint64_t *)get(&g, G_RSP), faults[n].error);
			}
		}
	}
}

/* A fault that exits while another exception was being delivered. */
static void fault_in_delivery(const void *arg)
{
	struct guest g = guest_long(code_ud2);

	(void)arg;
	clear_bits(&g, C_EXCEPTIONS, 1u << VEC_UD);
	put(&g, G_IDTR_LIMIT, 0);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, I_EVENT_ERROR) & 0xfffe, VEC_UD << 3 | 2);
	CHECK_EQ(get(&g, I_VECTORING), EVENT_VALID | EVENT_EXCEPTION | VEC_UD);
	CHECK_EQ(get(&g, G_RIP), at_ud2);
}

static void triple_fault(const void *arg)
{
	struct guest g = guest_long(code_ud2);

	(void)arg;
	put(&g, C_EXCEPTIONS, 0);
	put(&g, G_IDTR_LIMIT, 0);
	guest_expect(&g, X_TRIPLE_FAULT);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	CHECK_EQ(get(&g, I_EVENT) & EVENT_VALID, 0);
	CHECK_EQ(get(&g, I_QUALIFICATION), 0);
}

GUEST(guest_spin, "1: jmp 1b\n");
GUEST(guest_stop, STOP);
GUEST(guest_waits, "mov $1000000, %ecx; 1: dec %ecx; jnz 1b;" STOP);

static void interrupt_exit(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	set_bits(&g, G_RFLAGS, FLAG_IF);
	interrupt_pend(IRQ_VECTOR);
	guest_expect_at(&g, X_INTERRUPT, guest_spin);
	CHECK_EQ(get(&g, I_EVENT) & EVENT_VALID, 0);
	CHECK(apic_pending(IRQ_VECTOR), "the exit took the interrupt");
	interrupt_take(IRQ_VECTOR);
}

/* The control makes the guest's IF of no account (SDM 3, 25.2). */
static void interrupt_exit_masked(const void *arg)
{
	struct guest g = guest_long(guest_waits);

	(void)arg;
	interrupt_pend(IRQ_VECTOR);
	CHECK_EQ(guest_enter(&g), 0);
	interrupt_take(IRQ_VECTOR);
	bochs_limit(
		get(&g, I_REASON) == X_VMCALL,
		"Bochs does not see interrupts after an entry with IF=0 until the guest changes IF");
	CHECK_EQ(get(&g, I_REASON), X_INTERRUPT);
	CHECK_EQ(get(&g, G_RIP), guest_waits);
}

static void interrupt_acknowledged(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	need(C_EXIT, EXIT_ACKNOWLEDGE);
	set_bits(&g, C_EXIT, EXIT_ACKNOWLEDGE);
	set_bits(&g, G_RFLAGS, FLAG_IF);
	interrupt_pend(IRQ_VECTOR);
	guest_expect_at(&g, X_INTERRUPT, guest_spin);
	CHECK_EQ(get(&g, I_EVENT), EVENT_VALID | EVENT_INTR | IRQ_VECTOR);
	CHECK(!apic_pending(IRQ_VECTOR), "the exit did not take the interrupt");
	interrupts_on();
	interrupts_off();
	apic_eoi();
	CHECK_EQ(interrupts_taken(0, IRQ_VECTOR), 0);
	interrupt_pend(IRQ_VECTOR);
	interrupt_take(IRQ_VECTOR);
}

/* Without the control, the guest takes the machine's interrupt, if its IF lets it. */
static void interrupt_to_guest(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	set_bits(&g, G_RFLAGS, FLAG_IF);
	clear_bits(&g, C_PIN, PIN_INTERRUPT);
	interrupt_pend(IRQ_VECTOR);
	guest_expect_at(&g, X_VMCALL, guest_stub(IRQ_VECTOR));
	CHECK(!apic_pending(IRQ_VECTOR), "the interrupt is still pending");
	apic_eoi();
	CHECK_EQ(interrupts_taken(0, IRQ_VECTOR), 0);
}

static void interrupt_masked_by_guest(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	clear_bits(&g, C_PIN, PIN_INTERRUPT);
	interrupt_pend(IRQ_VECTOR);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	interrupt_take(IRQ_VECTOR);
}

/* A guest that sends itself an NMI: it has L1's APIC. */
GUEST(guest_sends_nmi, "movl $0, 0x10(%rbx); movl $0x4400, (%rbx); 1: jmp 1b\n");

/* An exit by an NMI consumes it and leaves NMIs blocked in L1 (SDM 3, 27.5.5) until an IRET. */
static void nmi_exits(const void *arg)
{
	struct guest g = guest_long(guest_sends_nmi);
	unsigned at_exit, while_blocked;

	(void)arg;
	g.r.rbx = APIC_BASE + APIC_ICR_LOW;
	guest_expect_event(&g, EVENT_VALID | EVENT_NMI | VEC_NMI);
	at_exit = nmis_taken(0);
	apic_send(0, ICR_NMI);
	cpu_idle(10000);
	while_blocked = nmis_taken(0);
	nmis_unblock();
	CHECK_EQ(at_exit, 0);
	CHECK(while_blocked == 0, "NMIs are not blocked after an exit by one");
	CHECK(WAIT_FOR(nmis_taken(0) == 1), "%u NMIs after IRET", U64(nmis_taken(0)));
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
}

/* The blocking begins after the exit: the guest's state does not have it (SDM 3, 27.1). */
static void nmi_exit_state(const void *arg)
{
	struct guest g = guest_long(guest_sends_nmi);

	(void)arg;
	g.r.rbx = APIC_BASE + APIC_ICR_LOW;
	CHECK_EQ(guest_enter(&g), 0);
	nmis_unblock();
	CHECK_EQ(get(&g, I_EVENT), EVENT_VALID | EVENT_NMI | VEC_NMI);
	bochs_limit(get(&g, G_INTERRUPTIBILITY) == BLOCKED_NMI,
		    "Bochs stores NMIs as blocked in the guest that an NMI takes out");
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), 0);
}

/* Bochs takes the interrupted RIP for that of an exit by the first instruction of an NMI's handler. */
GUEST(guest_nmi_handler, "nop; nmi_arrived:" STOP);
GUEST_LABEL(nmi_arrived);

static void nmi_to_guest(const void *arg)
{
	struct guest g = guest_long(guest_sends_nmi);

	(void)arg;
	g.idt[VEC_NMI] = gate64((uint64_t)guest_nmi_handler, SEL_CODE64, GATE_INTERRUPT);
	clear_bits(&g, C_PIN, PIN_NMI);
	g.r.rbx = APIC_BASE + APIC_ICR_LOW;
	guest_expect_at(&g, X_VMCALL, nmi_arrived);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), BLOCKED_NMI);
	nmis_unblock();
	CHECK_EQ(nmis_taken(0), 0);
}

#define TASK_CALL 0ull
#define TASK_IRET 1ull
#define TASK_JMP 2ull
#define TASK_GATE 3ull

GUEST(guest_jump_task, ".code32; ljmp $0x60, $0; after_jump_task:\n");
GUEST(guest_call_task, ".code32; lcall $0x60, $0; after_call_task:\n");
GUEST(guest_iret_task, ".code32; pushf; orl $0x4000, (%esp); popf; at_iret_task: iret;"
		       "after_iret_task:\n");
GUEST(guest_int_task, ".code32; int $0x40; after_int_task:\n");
GUEST_LABEL(after_jump_task);
GUEST_LABEL(after_call_task);
GUEST_LABEL(at_iret_task);
GUEST_LABEL(after_iret_task);
GUEST_LABEL(after_int_task);

static const struct task {
	const char *name;
	const uint8_t *code, *at, *after;
	uint64_t source;
} tasks[] = {
	{"jmp", guest_jump_task, guest_jump_task, after_jump_task, TASK_JMP},
	{"call", guest_call_task, guest_call_task, after_call_task, TASK_CALL},
	{"iret", guest_iret_task, at_iret_task, after_iret_task, TASK_IRET},
	{"int", guest_int_task, guest_int_task, after_int_task, TASK_GATE},
};

/* Task switches always exit, and nothing of them is done. */
static void task_switch(const void *arg)
{
	const struct task *t = arg;
	struct guest g = guest_protected(t->code);
	struct tss32 *a = page_alloc(), *b = page_alloc();
	unsigned type = t->source == TASK_IRET ? 0x8b : 0x89;
	uint64_t *idt32 = page_alloc();

	a->link = SEL_TSS32_B;
	gdt_set(SEL_TSS32_A, descriptor((uint32_t)(uint64_t)a, sizeof(*a) - 1, 0x8b), 0);
	gdt_set(SEL_TSS32_B, descriptor((uint32_t)(uint64_t)b, sizeof(*b) - 1, type), 0);
	idt32[0x40] = (uint64_t)SEL_TSS32_B << 16 | 0xe50000000000; /* task gate */
	put(&g, G_IDTR_BASE, (uint64_t)idt32);
	put(&g, G_TR, SEL_TSS32_A);
	put(&g, G_TR_BASE, (uint64_t)a);
	guest_expect_at(&g, X_TASK_SWITCH, t->at);
	CHECK_EQ(get(&g, I_QUALIFICATION), t->source << 30 | SEL_TSS32_B);
	CHECK_EQ(get(&g, I_LENGTH), t->after - t->at);
	CHECK_EQ(get(&g, I_VECTORING),
		 t->source == TASK_GATE ? EVENT_VALID | EVENT_SOFT | 0x40 : 0);
	CHECK_EQ(get(&g, G_TR), SEL_TSS32_A);
	CHECK_EQ(gdt[SEL_TSS32_B / 8] >> 40 & 0xff, type);
}

void l1_main(void)
{
	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(exceptions); i++)
		test_named("exit-", exceptions[i].name, exits, &exceptions[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(exceptions); i++) {
		if (!exceptions[i].make && exceptions[i].vector != VEC_DF &&
		    exceptions[i].vector != VEC_AC && exceptions[i].code != code_stack_canonical)
			test_named("deliver-", exceptions[i].name, delivered, &exceptions[i]);
	}
	test("fault-sets-rf", fault_sets_rf, NULL);
	test("registers-untouched", registers_untouched, NULL);
	test("page-fault-filter", page_fault_filter, "");
	test("page-fault-filter-inverse", page_fault_filter, NULL);
	test("fault-in-delivery", fault_in_delivery, NULL);
	test("triple-fault", triple_fault, NULL);
	test("interrupt-exit", interrupt_exit, NULL);
	test("interrupt-exit-masked", interrupt_exit_masked, NULL);
	test("interrupt-acknowledged", interrupt_acknowledged, NULL);
	test("interrupt-to-guest", interrupt_to_guest, NULL);
	test("interrupt-masked-by-guest", interrupt_masked_by_guest, NULL);
	test("nmi-exit", nmi_exits, NULL);
	test("nmi-exit-state", nmi_exit_state, NULL);
	test("nmi-to-guest", nmi_to_guest, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(tasks); i++)
		test_named("task-switch-", tasks[i].name, task_switch, &tasks[i]);
}
