/* SPDX-License-Identifier: Apache-2.0 */
/* Several CPUs: INIT and SIPI, IPIs into guests, guests side by side. */
#include "lib/apic.h"
#include "lib/smp.h"
#include "lib/smp_guest_tests.h"
#include "lib/trap.h"
#include "svm/known.h"
#include "svm/svm.h"

void init_block(void)
{
	svm_enable();
	clgi();
}

void init_unblock(void)
{
	stgi();
}

/* While GIF is clear INIT waits (APM 2, 15.17); with STGI it is taken. */
static void init_waits_for_gif(const void *arg)
{
	smp_need_two();
	tcg_lax(true, "TCG takes INIT while GIF is clear");
	init_waits(arg);
}

static void side_by_side(const void *arg)
{
	static struct cpu cpus[MAX_CPUS];
	bool same_asid = arg != NULL;

	smp_need_two();
	for (unsigned i = 0; i < cpu_count(); i++) {
		cpus[i] = new_cpu(guest_add);
		cpus[i].g.vmcb->asid = same_asid ? 1 : i + 1;
	}
	run_side_by_side(cpus);
}

static void run_spinning(void *arg)
{
	struct cpu *c = arg;

	svm_enable();
	for (unsigned i = 0; i < SMP_ROUNDS; i++) {
		c->g.vmcb->rip = (uint64_t)guest_signal_spin;
		guest_run(&c->g);
		c->result = c->g.vmcb->exit_code;
		if (c->result == X_INTR) {
			interrupts_on();
			interrupts_off();
		}
		c->result2 = i + 1;
	}
}

/* The guest says that it runs; then the IPI takes it out. */
static void ipi_takes_guest_out(const void *arg)
{
	uint32_t kind = *(const uint32_t *)arg;
	struct cpu c = new_cpu(guest_signal_spin);

	smp_need_two();
	ipis_take_guest_out(&c, run_spinning, kind, kind == ICR_NMI ? X_NMI : X_INTR, 0);
	CHECK_EQ(interrupts_taken(1, SMP_IRQ) + nmis_taken(1), SMP_ROUNDS);
}

static void init_in_guest(const void *arg)
{
	struct cpu c = new_cpu(guest_signal_spin);

	(void)arg;
	smp_need_two();
	for (unsigned i = 0; i < SMP_ROUNDS; i++) {
		*c.flag = 0;
		smp_start(1, run_spinning, &c);
		CHECK(WAIT_FOR(*c.flag > 0), "the guest does not run, round %u", U64(i));
	}
	smp_start(1, once, &c);
	smp_wait_finished(1);
}

static void init_intercepted(const void *arg)
{
	struct cpu c = new_cpu(guest_signal_spin);
	volatile uint64_t *code = &c.g.vmcb->exit_code;

	(void)arg;
	smp_need_two();
	intercept(&c.g, X_INIT);
	*code = 0x1234;
	smp_start(1, run_spinning, &c);
	CHECK(WAIT_FOR(*c.flag == 1), "the guest does not run");
	apic_send(1, ICR_INIT);
	CHECK(WAIT_FOR(*code != 0x1234), "no exit");
	CHECK_EQ(*code, X_INIT);
	smp_start(1, once, &c);
	smp_wait_finished(1);
}

void l1_main(void)
{
	static const uint32_t nmi = ICR_NMI, fixed = ICR_FIXED | SMP_IRQ;

	svm_start();
	smp_tests();
	test("init-resets", init_resets, NULL);
	test("init-waits-for-gif", init_waits_for_gif, NULL);
	test("side-by-side", side_by_side, NULL);
	test("side-by-side-one-asid", side_by_side, "");
	test("ipi-takes-guest-out", ipi_takes_guest_out, &fixed);
	test("nmi-takes-guest-out", ipi_takes_guest_out, &nmi);
	test("init-in-guest", init_in_guest, NULL);
	test("init-intercepted", init_intercepted, NULL);
}
