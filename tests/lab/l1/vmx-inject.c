/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that L1 injects: delivered, cut short and injected again, held back; interrupt and NMI
 * windows, virtual NMIs, pending debug exceptions, the monitor trap flag. SDM 3, 26.6 and 27.2.4.
 */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/trap.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define IRQ 0x52
#define REAL_IDT (REAL_GUEST + 0x8000)
#define REAL_HANDLER 0x4000
#define UNMAPPED_VA 0x7f0012345000
#define DEBUG_BS 0x4000u
#define Q_UNBLOCKED 0x1000u /* of an EPT violation: NMI unblocking due to IRET */
#define PF_W 0x2u

GUEST(guest_stop, STOP);
GUEST(guest_spin, "1: jmp 1b\n");
GUEST(guest_sti, "sti; nop; after_window: nop;" STOP);
GUEST_LABEL(after_window);
GUEST(guest_ud, "ud2\n");
GUEST(guest_int, "int $0x42; after_int:" STOP);
GUEST_LABEL(after_int);
GUEST(guest_int3, "int3; after_int3:" STOP);
GUEST_LABEL(after_int3);
GUEST(guest_page_fault, "mov $0x7f0012345000, %rax; mov %rax, (%rax);" STOP);
GUEST(guest_nops, "nop; second_nop: nop;" STOP);
GUEST_LABEL(second_nop);
GUEST(guest_iret, "at_iret: iretq\n");
GUEST_LABEL(at_iret);

struct event {
	const char *name;
	uint32_t event, error, length;
	unsigned vector;
};

static const struct event events[] = {
	{"interrupt", EVENT_INTR | 0x40, 0, 0, 0x40},
	{"interrupt-ff", EVENT_INTR | 0xff, 0, 0, 0xff},
	{"nmi", EVENT_NMI | VEC_NMI, 0, 0, VEC_NMI},
	{"exception-ud", EVENT_EXCEPTION | VEC_UD, 0, 0, VEC_UD},
	{"exception-db", EVENT_EXCEPTION | VEC_DB, 0, 0, VEC_DB},
	{"exception-gp", EVENT_EXCEPTION | EVENT_ERROR | VEC_GP, 0x1234, 0, VEC_GP},
	{"exception-pf", EVENT_EXCEPTION | EVENT_ERROR | VEC_PF, 0x6, 0, VEC_PF},
	{"exception-df", EVENT_EXCEPTION | EVENT_ERROR | VEC_DF, 0, 0, VEC_DF},
	{"exception-ac", EVENT_EXCEPTION | EVENT_ERROR | VEC_AC, 0, 0, VEC_AC},
	{"software", EVENT_SOFT | 0x43, 0, 2, 0x43},
	{"software-long", EVENT_SOFT | 0x43, 0, 15, 0x43},
	{"int3", EVENT_SOFT_EXCEPTION | VEC_BP, 0, 1, VEC_BP},
	{"into", EVENT_SOFT_EXCEPTION | VEC_OF, 0, 1, VEC_OF},
	{"icebp", EVENT_ICEBP | VEC_DB, 0, 1, VEC_DB},
};

static void inject(struct guest *g, const struct event *e)
{
	put(g, C_EVENT, e->event | EVENT_VALID);
	put(g, C_EVENT_ERROR, e->error);
	put(g, C_EVENT_LENGTH, e->length);
	set_bits(g, G_RFLAGS, FLAG_IF);
}

/* It arrived at its handler, once, with the right frame. */
static void check_arrived(const struct guest *g, const struct event *e, const uint8_t *from)
{
	const uint64_t *frame = (const uint64_t *)get(g, G_RSP);

	CHECK(get(g, G_RIP) == (uint64_t)guest_stub(e->vector), "stopped at rip 0x%x",
	      get(g, G_RIP));
	if (e->event & EVENT_ERROR)
		CHECK_EQ(*frame++, e->error);
	CHECK_EQ(frame[0], from + e->length);
	CHECK_EQ(frame[1] & 0xffff, SEL_CODE64);
	CHECK_EQ(frame[2] & FLAG_IF, FLAG_IF);
	CHECK_EQ(get(g, C_EVENT) & EVENT_VALID, 0);
	CHECK_EQ(get(g, I_VECTORING) & EVENT_VALID, 0);
	CHECK_EQ(get(g, G_RFLAGS) & FLAG_IF, 0);
}

static void delivered(const void *arg)
{
	const struct event *e = arg;
	struct guest g = guest_long(guest_stop - e->length);

	write_cr2(0x77000);
	inject(&g, e);
	guest_expect(&g, X_VMCALL);
	check_arrived(&g, e, guest_stop - e->length);
	CHECK_EQ(read_cr2(), 0x77000);
	put(&g, G_RIP, get(&g, G_RIP) + STOP_SIZE);
	put(&g, G_RSP, get(&g, G_RSP) + (e->event & EVENT_ERROR ? 8 : 0));
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, G_RFLAGS) & FLAG_IF, FLAG_IF);
}

/* From ring 3 to ring 0: the TSS's stack. */
static void delivered_from_user(const void *arg)
{
	const struct event *e = arg;
	struct guest g = guest_long(guest_stop);
	const uint64_t *frame;

	guest_user(&g);
	g.idt[e->vector].attributes = GATE_USER;
	inject(&g, e);
	guest_expect_at(&g, X_VMCALL, guest_stub(e->vector));
	CHECK_EQ(get(&g, G_SS_RIGHTS) >> 5 & 3, 0);
	frame = (const uint64_t *)get(&g, G_RSP) + (e->event & EVENT_ERROR ? 1 : 0);
	CHECK_EQ(frame[1] & 0xffff, SEL_USER_CODE64);
	CHECK_EQ(frame[3], (uint64_t)g.stack - 64);
}

static void delivered_in_real_mode(const void *arg)
{
	const struct event *e = arg;
	struct guest g = guest_real(guest_spin, guest_spin_end);

	memcpy((void *)(REAL_GUEST + REAL_HANDLER), guest_stop, STOP_SIZE);
	((volatile uint32_t *)REAL_IDT)[e->vector] = REAL_GUEST >> 4 << 16 | REAL_HANDLER;
	inject(&g, e);
	put(&g, C_EVENT, (e->event | EVENT_VALID) & ~(uint64_t)EVENT_ERROR);
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(get(&g, G_RIP), REAL_HANDLER);
	CHECK_EQ(get(&g, G_RSP), 0xff00 - 6);
	CHECK_EQ(*(volatile uint16_t *)(REAL_GUEST + 0xff00 - 6), e->length);
}

/* Without the valid bit nothing is injected. */
static void not_valid(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	put(&g, C_EVENT, EVENT_EXCEPTION | VEC_UD);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, G_RSP), g.stack - 64);
}

enum obstacle { NO_IDT_PAGE, NO_STACK_PAGE };

static void hide(struct guest *g, enum obstacle what, bool hidden)
{
	uint64_t page = (what == NO_IDT_PAGE ? (uint64_t)g->idt : (uint64_t)g->stack - PAGE_SIZE);

	ept_map(g->ept, page, page, hidden ? 0 : EPT_ALL);
	flush_all();
}

static void inject_again(struct guest *g)
{
	put(g, C_EVENT, get(g, I_VECTORING) & ~(uint64_t)EVENT_IRET);
	put(g, C_EVENT_ERROR, get(g, I_VECTORING_ERROR));
	put(g, C_EVENT_LENGTH, get(g, I_LENGTH));
}

static void interrupted(const struct event *e, enum obstacle what)
{
	struct guest g = guest_long(guest_stop);

	hide(&g, what, true);
	inject(&g, e);
	guest_expect_at(&g, X_EPT_VIOLATION, guest_stop);
	CHECK_EQ(get(&g, I_QUALIFICATION) & 0x1bf, (what == NO_STACK_PAGE ? 2 : 1) | 0x180);
	CHECK_EQ(get(&g, I_GPA) & PAGE_MASK,
		 what == NO_IDT_PAGE ? (uint64_t)g.idt : (uint64_t)g.stack - PAGE_SIZE);
	CHECK_EQ(get(&g, I_VECTORING), e->event | EVENT_VALID);
	if (e->event & EVENT_ERROR)
		CHECK_EQ(get(&g, I_VECTORING_ERROR), e->error);
	if (e->length)
		CHECK_EQ(get(&g, I_LENGTH), e->length);
	CHECK_EQ(get(&g, G_RSP), (uint64_t)g.stack - 64);
	CHECK_EQ(get(&g, C_EVENT) & EVENT_VALID, 0);
	hide(&g, what, false);
	inject_again(&g);
	guest_expect(&g, X_VMCALL);
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
static void own_interrupted(const void *arg)
{
	static const struct own {
		const uint8_t *code, *at;
		uint64_t vectoring, error, length;
	} owns[] = {
		{guest_ud, guest_ud, EVENT_EXCEPTION | VEC_UD, 0, 0},
		{guest_page_fault, guest_page_fault + 10, EVENT_EXCEPTION | EVENT_ERROR | VEC_PF,
		 PF_W, 0},
		{guest_int, guest_int, EVENT_SOFT | 0x42, 0, 2},
		{guest_int3, guest_int3, EVENT_SOFT_EXCEPTION | VEC_BP, 0, 1},
	};
	const struct own *o = &owns[*(const unsigned *)arg];
	struct guest g = guest_long(o->code);

	put(&g, C_EXCEPTIONS, 0);
	hide(&g, NO_IDT_PAGE, true);
	guest_expect_at(&g, X_EPT_VIOLATION, o->at);
	CHECK_EQ(get(&g, I_VECTORING), EVENT_VALID | o->vectoring);
	if (o->vectoring & EVENT_ERROR)
		CHECK_EQ(get(&g, I_VECTORING_ERROR), o->error);
	if (o->length)
		CHECK_EQ(get(&g, I_LENGTH), o->length);
	if ((o->vectoring & 0xff) == VEC_PF)
		CHECK_EQ(read_cr2(), UNMAPPED_VA);
	hide(&g, NO_IDT_PAGE, false);
	inject_again(&g);
	guest_expect_at(&g, X_VMCALL, guest_stub((unsigned)o->vectoring & 0xff));
	CHECK_EQ(((const uint64_t *)get(&g, G_RSP))[o->vectoring & EVENT_ERROR ? 1 : 0],
		 o->at + o->length);
}

/* An interrupt of the machine's that the guest takes itself, cut short. */
static void machine_interrupt_interrupted(const void *arg)
{
	struct guest g = guest_long(guest_spin);

	(void)arg;
	clear_bits(&g, C_PIN, PIN_INTERRUPT);
	set_bits(&g, G_RFLAGS, FLAG_IF);
	hide(&g, NO_IDT_PAGE, true);
	apic_send(0, ICR_SELF | ICR_FIXED | IRQ);
	CHECK(WAIT_FOR(apic_pending(IRQ)), "the self-IPI does not arrive");
	guest_expect_at(&g, X_EPT_VIOLATION, guest_spin);
	CHECK_EQ(get(&g, I_VECTORING), EVENT_VALID | EVENT_INTR | IRQ);
	CHECK(!apic_pending(IRQ), "the interrupt is still pending");
	hide(&g, NO_IDT_PAGE, false);
	inject_again(&g);
	guest_expect_at(&g, X_VMCALL, guest_stub(IRQ));
	apic_eoi();
}

/* A gate that is not present: #NP, which exits, while 0x40 was being delivered. */
static void fault_in_delivery(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	g.idt[0x40].attributes &= 0x7fff;
	inject(&g, &events[0]);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_NP);
	CHECK_EQ(get(&g, I_EVENT_ERROR), 0x40 << 3 | 3);
	CHECK_EQ(get(&g, I_VECTORING), EVENT_VALID | EVENT_INTR | 0x40);
	CHECK_EQ(get(&g, G_RIP), guest_stop);
}

/* INT n to a gate of ring 0 from ring 3: #GP, with the INT as what was being delivered. */
static void soft_privilege(const void *arg)
{
	static const struct event soft = {"", EVENT_SOFT | 0x43, 0, 2, 0x43};
	struct guest g = guest_long(guest_stop);

	(void)arg;
	guest_user(&g);
	inject(&g, &soft);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | VEC_GP);
	CHECK_EQ(get(&g, I_EVENT_ERROR), 0x43 << 3 | 2);
	CHECK_EQ(get(&g, I_VECTORING), EVENT_VALID | EVENT_SOFT | 0x43);
	CHECK_EQ(get(&g, G_RIP), guest_stop);
}

/* A second contributory fault becomes #DF, delivered to the guest. */
static void becomes_double_fault(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	put(&g, C_EXCEPTIONS, 0);
	g.idt[VEC_GP].attributes &= 0x7fff;
	inject(&g, &events[5]);
	guest_expect_at(&g, X_VMCALL, guest_stub(VEC_DF));
	CHECK_EQ(*(const uint64_t *)get(&g, G_RSP), 0);
}

static void wakes_from_halt(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	if (!(rdmsr(MSR_VMX_MISC) & MISC_HLT))
		test_skip("no entry to the HLT state");
	put(&g, G_ACTIVITY, HALTED);
	inject(&g, &events[0]);
	guest_expect(&g, X_VMCALL);
	check_arrived(&g, &events[0], guest_stop);
	CHECK_EQ(get(&g, G_ACTIVITY), ACTIVE);
}

static void window_at_once(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	set_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	set_bits(&g, G_RFLAGS, FLAG_IF);
	guest_expect_at(&g, X_INTERRUPT_WINDOW, guest_stop);
	CHECK_EQ(get(&g, I_EVENT) & EVENT_VALID, 0);
	clear_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	guest_expect_at(&g, X_VMCALL, guest_stop);
}

static void window_after_sti(const void *arg)
{
	struct guest g = guest_long(guest_sti);

	(void)arg;
	set_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	guest_expect_at(&g, X_INTERRUPT_WINDOW, after_window);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), 0);
	clear_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	inject(&g, &events[0]);
	guest_expect(&g, X_VMCALL);
	check_arrived(&g, &events[0], after_window);
}

/* A shadow that entry loads holds the window shut for one instruction. */
static void window_after_shadow(const void *arg)
{
	struct guest g = guest_long(guest_nops);

	set_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	set_bits(&g, G_RFLAGS, FLAG_IF);
	put(&g, G_INTERRUPTIBILITY, arg ? BLOCKED_MOV_SS : BLOCKED_STI);
	guest_expect_at(&g, X_INTERRUPT_WINDOW, second_nop);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), 0);
}

static void window_masked(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	set_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	guest_expect_at(&g, X_VMCALL, guest_stop);
}

/* The event comes first; its handler has IF=0. */
static void injection_before_window(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	set_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	inject(&g, &events[0]);
	guest_expect(&g, X_VMCALL);
	check_arrived(&g, &events[0], guest_stop);
	put(&g, G_RIP, get(&g, G_RIP) + STOP_SIZE);
	guest_expect_at(&g, X_INTERRUPT_WINDOW, guest_stop);
}

static void window_wakes_halt(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	if (!(rdmsr(MSR_VMX_MISC) & MISC_HLT))
		test_skip("no entry to the HLT state");
	put(&g, G_ACTIVITY, HALTED);
	set_bits(&g, C_PROC, PROC_INTERRUPT_WINDOW);
	set_bits(&g, G_RFLAGS, FLAG_IF);
	apic_timer(IRQ, 3000000);
	CHECK_EQ(guest_enter(&g), 0);
	apic_timer(IRQ, 0);
	interrupts_on();
	interrupts_off();
	bochs_limit(get(&g, I_REASON) == X_INTERRUPT,
		    "Bochs does not wake a halted guest for the interrupt window");
	CHECK_EQ(get(&g, I_REASON), X_INTERRUPT_WINDOW);
	CHECK_EQ(get(&g, G_RIP), guest_stop);
}

static void virtual_nmis(struct guest *g)
{
	need(C_PIN, PIN_VIRTUAL_NMI);
	need(C_PROC, PROC_NMI_WINDOW);
	set_bits(g, C_PIN, PIN_VIRTUAL_NMI);
}

static void nmi_window_at_once(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	virtual_nmis(&g);
	set_bits(&g, C_PROC, PROC_NMI_WINDOW);
	guest_expect_at(&g, X_NMI_WINDOW, guest_stop);
}

/* Injecting an NMI blocks virtual NMIs until the guest's IRET; then the window opens. */
static void nmi_window_after_iret(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	virtual_nmis(&g);
	inject(&g, &events[2]);
	set_bits(&g, C_PROC, PROC_NMI_WINDOW);
	guest_expect(&g, X_VMCALL);
	check_arrived(&g, &events[2], guest_stop);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), BLOCKED_NMI);
	put(&g, G_RIP, get(&g, G_RIP) + STOP_SIZE);
	guest_expect_at(&g, X_NMI_WINDOW, guest_stop);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), 0);
}

/* Blocking that entry loads. */
static void nmi_blocking_loaded(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	virtual_nmis(&g);
	set_bits(&g, C_PROC, PROC_NMI_WINDOW);
	put(&g, G_INTERRUPTIBILITY, BLOCKED_NMI);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), BLOCKED_NMI);
	put(&g, G_INTERRUPTIBILITY, 0);
	CHECK_EQ(guest_enter(&g), 0);
	bochs_limit(get(&g, I_REASON) == X_VMCALL,
		    "Bochs keeps virtual NMIs blocked through an entry that says otherwise");
	CHECK_EQ(get(&g, I_REASON), X_NMI_WINDOW);
}

/* An IRET that faults has unblocked NMIs already, and the exit says so (SDM 3, 27.2.3). */
static void iret_faults(const void *arg)
{
	struct guest g = guest_long(guest_iret);

	virtual_nmis(&g);
	put(&g, G_INTERRUPTIBILITY, BLOCKED_NMI);
	if (arg) {
		put(&g, G_RSP, UNMAPPED_VA);
		guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | EVENT_ERROR | EVENT_IRET |
					       VEC_PF);
	} else {
		hide(&g, NO_STACK_PAGE, true);
		guest_expect_at(&g, X_EPT_VIOLATION, at_iret);
		CHECK_EQ(get(&g, I_QUALIFICATION) & Q_UNBLOCKED, Q_UNBLOCKED);
	}
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY) & BLOCKED_NMI, 0);
}

static void pending_debug(const void *arg)
{
	struct guest g = guest_long(guest_nops);

	(void)arg;
	set_bits(&g, G_RFLAGS, FLAG_TF);
	put(&g, G_PENDING_DEBUG, DEBUG_BS);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | VEC_DB);
	CHECK_EQ(get(&g, G_RIP), guest_nops);
	CHECK_EQ(get(&g, I_QUALIFICATION), DEBUG_BS);
	put(&g, G_PENDING_DEBUG, 0);
	guest_expect_event(&g, EVENT_VALID | EVENT_EXCEPTION | VEC_DB);
	CHECK_EQ(get(&g, G_RIP), second_nop);
}

/* An exit between an instruction and its single-step trap keeps the trap (SDM 3, 27.3.4). */
GUEST(guest_steps, "pushfq; orl $0x100, (%rsp); mov %ss, %eax; popfq; mov %eax, %ss;"
		   "in_shadow:" STOP);
GUEST_LABEL(in_shadow);
static void pending_debug_saved(const void *arg)
{
	struct guest g = guest_long(guest_steps);

	(void)arg;
	guest_expect_at(&g, X_VMCALL, in_shadow);
	CHECK_EQ(get(&g, G_INTERRUPTIBILITY), BLOCKED_MOV_SS);
	bochs_limit(get(&g, G_PENDING_DEBUG) != DEBUG_BS,
		    "Bochs does not store a trap that MOV SS holds back");
	CHECK_EQ(get(&g, G_PENDING_DEBUG), DEBUG_BS);
}

static void trap_flag(const void *arg)
{
	struct guest g = guest_long(guest_nops);

	(void)arg;
	need(C_PROC, PROC_TRAP_FLAG);
	set_bits(&g, C_PROC, PROC_TRAP_FLAG);
	guest_expect_at(&g, X_TRAP_FLAG, second_nop);
	guest_expect_at(&g, X_TRAP_FLAG, second_nop + 1);
	guest_expect_at(&g, X_VMCALL, second_nop + 1);
	guest_at(&g, guest_stop);
	inject(&g, &events[0]);
	guest_expect_at(&g, X_TRAP_FLAG, guest_stub(0x40));
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
}

/* The last exit's vectoring information does not outlive it. */
static void vectoring_cleared(const void *arg)
{
	struct guest g = guest_long(guest_stop);

	(void)arg;
	hide(&g, NO_IDT_PAGE, true);
	inject(&g, &events[0]);
	guest_expect(&g, X_EPT_VIOLATION);
	CHECK_EQ(get(&g, I_VECTORING), EVENT_VALID | 0x40);
	guest_expect_at(&g, X_VMCALL, guest_stop);
	CHECK_EQ(get(&g, I_VECTORING) & EVENT_VALID, 0);
	CHECK_EQ(get(&g, I_EVENT) & EVENT_VALID, 0);
}

void l1_main(void)
{
	static const unsigned own[] = {0, 1, 2, 3};

	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("inject-", events[i].name, delivered, &events[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("inject-user-", events[i].name, delivered_from_user, &events[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("inject-real-", events[i].name, delivered_in_real_mode, &events[i]);
	test("inject-not-valid", not_valid, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("interrupted-idt-", events[i].name, interrupted_at_idt, &events[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		test_named("interrupted-stack-", events[i].name, interrupted_at_stack, &events[i]);
	test("own-ud-interrupted", own_interrupted, &own[0]);
	test("own-page-fault-interrupted", own_interrupted, &own[1]);
	test("own-int-interrupted", own_interrupted, &own[2]);
	test("own-int3-interrupted", own_interrupted, &own[3]);
	test("machine-interrupt-interrupted", machine_interrupt_interrupted, NULL);
	test("fault-in-delivery", fault_in_delivery, NULL);
	test("soft-privilege", soft_privilege, NULL);
	test("becomes-double-fault", becomes_double_fault, NULL);
	test("wakes-from-halt", wakes_from_halt, NULL);
	test("window-at-once", window_at_once, NULL);
	test("window-after-sti", window_after_sti, NULL);
	test("window-after-loaded-sti", window_after_shadow, NULL);
	test("window-after-loaded-mov-ss", window_after_shadow, "");
	test("window-masked", window_masked, NULL);
	test("injection-before-window", injection_before_window, NULL);
	test("window-wakes-halt", window_wakes_halt, NULL);
	test("nmi-window-at-once", nmi_window_at_once, NULL);
	test("nmi-window-after-iret", nmi_window_after_iret, NULL);
	test("nmi-blocking-loaded", nmi_blocking_loaded, NULL);
	test("iret-violation", iret_faults, NULL);
	test("iret-page-fault", iret_faults, "");
	test("pending-debug", pending_debug, NULL);
	test("pending-debug-saved", pending_debug_saved, NULL);
	test("trap-flag", trap_flag, NULL);
	test("vectoring-cleared", vectoring_cleared, NULL);
}
