/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several CPUs: INIT, SIPI, NMI and interrupts to a CPU in L1, in VMX root operation and in a guest;
 * guests side by side; a VMCS that moves. SDM 3, 23.8, 24.1, 25.2.
 */
#include "lib/apic.h"
#include "lib/smp.h"
#include "lib/smp_guest_tests.h"
#include "lib/trap.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define NOT_YET 0x1234

GUEST(guest_signal_halt, "incl (%rbx); 1: hlt; jmp 1b\n");

void init_block(void)
{
	vmx_enable();
}

void init_unblock(void)
{
	vmx_disable();
}

/* In VMX root operation INIT is blocked (SDM 3, 23.8): the CPU goes on. */
static void init_blocked_in_root(const void *arg)
{
	struct cpu c = new_cpu(guest_add), other = new_cpu(guest_add);

	(void)arg;
	smp_need_two();
	smp_start(1, count_blocked, &c);
	CHECK(WAIT_FOR(*c.flag == 1), "CPU 1 does not run");
	apic_send(1, ICR_INIT);
	apic_send(1, ICR_SIPI | TRAMPOLINE >> 12);
	cpu_idle(100000);
	*c.flag = 2;
	CHECK(WAIT_FOR(c.result == 1), "CPU 1 is gone though it is in VMX root operation");
	*c.flag = 3;
	WAIT_FOR(*c.flag == 4);
	smp_start(1, once, &other);
	smp_wait_finished(1);
}

/* With VMXOFF the INIT that was blocked is taken. */
static void init_waits_for_vmxoff(const void *arg)
{
	smp_need_two();
	bochs_lax(true, "Bochs loses an INIT that comes in VMX root operation");
	init_waits(arg);
}

static void take_ipis_in_root(void *arg)
{
	struct cpu *c = arg;

	vmx_enable();
	smp_take_ipis(c->flag);
	vmx_disable();
}

/* NMIs and interrupts to a CPU in VMX root operation are its own. */
static void ipis_in_root(const void *arg)
{
	struct cpu c = new_cpu(guest_add);

	smp_need_two();
	smp_ipis(*(const uint32_t *)arg, take_ipis_in_root, &c, c.flag);
}

static void side_by_side(const void *arg)
{
	static struct cpu cpus[MAX_CPUS];
	unsigned vpid = *(const unsigned *)arg;

	smp_need_two();
	for (unsigned i = 0; i < cpu_count(); i++) {
		cpus[i] = new_cpu(guest_add);
		if (!vpid)
			continue;
		need(C_PROC2, PROC2_VPID);
		set_bits(&cpus[i].g, C_PROC2, PROC2_VPID);
		put(&cpus[i].g, C_VPID, vpid == 1 ? 1 : i + 1);
		guest_clear(&cpus[i].g);
	}
	run_side_by_side(cpus);
}

static void run_spinning(void *arg)
{
	struct cpu *c = arg;

	vmx_enable();
	for (unsigned i = 0; i < SMP_ROUNDS; i++) {
		guest_at(&c->g, c->code);
		put(&c->g, G_RFLAGS, 2 | FLAG_IF);
		c->result = guest_enter(&c->g) ? ~0ull : get(&c->g, I_REASON);
		c->event = get(&c->g, I_EVENT);
		if (c->result == X_INIT && c->again)
			continue;
		if (c->result == X_INIT) {
			c->result2 = NOT_YET;
			break;
		}
		if (c->event & EVENT_VALID && c->result == X_INTERRUPT)
			apic_eoi();
		else if (c->result == X_INTERRUPT) {
			interrupts_on();
			interrupts_off();
		}
		nmis_unblock();
		c->result2 = i + 1;
	}
	guest_clear(&c->g);
	vmx_disable();
}

/* The guest says that it runs; then the IPI takes it out. */
static void ipi_takes_guest_out(const void *arg)
{
	struct cpu c = new_cpu(guest_signal_spin);
	bool nmi = *(const uint32_t *)arg == ICR_NMI;

	smp_need_two();
	if (nmi)
		ipis_take_guest_out(&c, run_spinning, ICR_NMI, X_EXCEPTION,
				    EVENT_VALID | EVENT_NMI | VEC_NMI);
	else
		ipis_take_guest_out(&c, run_spinning, ICR_FIXED | SMP_IRQ, X_INTERRUPT, 0);
	CHECK_EQ(interrupts_taken(1, SMP_IRQ) + nmis_taken(1), nmi ? 0 : SMP_ROUNDS);
}

/* With acknowledgement, the exit has the vector and L1's handler does not see it. */
static void ipi_acknowledged(const void *arg)
{
	struct cpu c = new_cpu(guest_signal_spin);

	(void)arg;
	smp_need_two();
	need(C_EXIT, EXIT_ACKNOWLEDGE);
	set_bits(&c.g, C_EXIT, EXIT_ACKNOWLEDGE);
	guest_clear(&c.g);
	ipis_take_guest_out(&c, run_spinning, ICR_FIXED | SMP_IRQ, X_INTERRUPT,
			    EVENT_VALID | EVENT_INTR | SMP_IRQ);
	CHECK_EQ(interrupts_taken(1, SMP_IRQ), 0);
}

/* INIT takes a guest out; L1 goes on in VMX root operation. */
static void init_in_guest(const void *arg)
{
	const uint8_t *code = arg;
	struct cpu c = new_cpu(code), other = new_cpu(guest_add);

	smp_need_two();
	for (unsigned i = 0; i < SMP_ROUNDS; i++) {
		*c.flag = 0;
		c.result = NOT_YET;
		smp_start(1, run_spinning, &c);
		CHECK(WAIT_FOR(*c.flag > 0), "the guest does not run, round %u", U64(i));
		apic_send(1, ICR_INIT);
		CHECK(WAIT_FOR(c.result != NOT_YET), "no exit in round %u", U64(i));
		CHECK_EQ(c.result, X_INIT);
		CHECK(WAIT_FOR(c.result2 == NOT_YET), "L1 does not go on in round %u", U64(i));
	}
	smp_start(1, once, &other);
	smp_wait_finished(1);
}

/* The exit consumes the INIT: L1 can enter the guest again, and leave VMX operation. */
static void init_consumed(const void *arg)
{
	struct cpu c = new_cpu(guest_signal_spin);

	(void)arg;
	smp_need_two();
	bochs_lax(true, "Bochs keeps an INIT pending after the exit that it makes");
	c.again = true;
	c.result = NOT_YET;
	smp_start(1, run_spinning, &c);
	CHECK(WAIT_FOR(*c.flag == 1), "the guest does not run");
	apic_send(1, ICR_INIT);
	CHECK(WAIT_FOR(*c.flag == 2), "the guest does not run again");
	CHECK_EQ(c.result, X_INIT);
	c.again = false;
	apic_send(1, ICR_INIT);
	smp_wait_finished(1);
}

static void add_once(void *arg)
{
	struct cpu *c = arg;

	vmx_enable();
	guest_at(&c->g, guest_add);
	c->result = guest_enter(&c->g) ? ~0ull : get(&c->g, I_REASON);
	guest_clear(&c->g);
	vmx_disable();
}

/* The same guest here and there, its VMCS cleared in between. */
static void vmcs_moves(const void *arg)
{
	struct cpu c = new_cpu(guest_add);
	uint64_t sum = 0;

	(void)arg;
	smp_need_two();
	c.g.r.rax = 0;
	for (unsigned i = 1; i <= SMP_ROUNDS; i++) {
		c.g.r.rcx = i;
		guest_at(&c.g, guest_add);
		guest_expect(&c.g, X_VMCALL);
		guest_clear(&c.g);
		sum += i;
		CHECK_EQ(c.g.r.rax, sum);
		smp_start(1, add_once, &c);
		smp_wait_finished(1);
		sum += i;
		CHECK_EQ(c.result, X_VMCALL);
		CHECK_EQ(c.g.r.rax, sum);
	}
}

void l1_main(void)
{
	static const uint32_t nmi = ICR_NMI, fixed = ICR_FIXED | SMP_IRQ;
	static const unsigned none = 0, same = 1, own = 2;

	vmx_start();
	smp_tests();
	test("init-resets", init_resets, NULL);
	test("init-blocked-in-root", init_blocked_in_root, NULL);
	test("init-waits-for-vmxoff", init_waits_for_vmxoff, NULL);
	test("interrupts-in-root", ipis_in_root, &fixed);
	test("nmis-in-root", ipis_in_root, &nmi);
	test("side-by-side", side_by_side, &own);
	test("side-by-side-one-vpid", side_by_side, &same);
	test("side-by-side-no-vpid", side_by_side, &none);
	test("ipi-takes-guest-out", ipi_takes_guest_out, &fixed);
	test("ipi-acknowledged", ipi_acknowledged, NULL);
	test("nmi-takes-guest-out", ipi_takes_guest_out, &nmi);
	test("init-in-guest", init_in_guest, guest_signal_spin);
	test("init-in-halted-guest", init_in_guest, guest_signal_halt);
	test("init-consumed", init_consumed, NULL);
	test("vmcs-moves", vmcs_moves, NULL);
}
