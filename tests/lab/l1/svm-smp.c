/* SPDX-License-Identifier: Apache-2.0 */
/* Several CPUs: INIT and SIPI, IPIs into guests, guests side by side. */
#include "lib/apic.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/smp_tests.h"
#include "lib/trap.h"
#include "svm/known.h"
#include "svm/svm.h"

#define IRQ 0x54
#define ROUNDS 20
#define RUNS 2000

GUEST(guest_signal_spin, "incl (%rbx); 1: jmp 1b\n");
GUEST(guest_add, "add %rcx, %rax; xor %rax, (%rbx);" STOP);

struct cpu {
	struct guest g;
	volatile uint32_t *flag; /* written by the guest, or by the CPU's function */
	volatile uint64_t result, result2;
};

static struct cpu new_cpu(const void *code)
{
	struct cpu c = {.g = guest_long(code)};

	c.flag = page_alloc();
	c.g.r.rbx = (uint64_t)c.flag;
	return c;
}

static void once(void *arg)
{
	struct cpu *c = arg;

	++*c->flag;
}

static void read_state(void *arg)
{
	struct cpu *c = arg;

	c->result = rdmsr(MSR_EFER);
	c->result2 = read_dr7();
	svm_enable();
	write_dr7(0x408);
}

/* INIT clears EFER.SVME and DR7. */
static void init_resets(const void *arg)
{
	struct cpu c = new_cpu(guest_add);

	(void)arg;
	smp_need_two();
	for (unsigned i = 0; i < 3; i++) {
		smp_start(1, read_state, &c);
		smp_wait_finished(1);
		CHECK_EQ(c.result & EFER_SVME, 0);
		CHECK_EQ(c.result2, 0x400);
	}
}

static void count_without_gif(void *arg)
{
	struct cpu *c = arg;

	svm_enable();
	clgi();
	*c->flag = 1;
	while (*c->flag != 2)
		cpu_idle(100);
	c->result = 1;
	while (*c->flag != 3)
		cpu_idle(100);
	stgi();
	for (;;)
		c->result2++;
}

/* While GIF is clear INIT waits (APM 2, 15.17); with STGI it is taken. */
static void init_waits_for_gif(const void *arg)
{
	struct cpu c = new_cpu(guest_add), other = new_cpu(guest_add);
	uint64_t seen;

	(void)arg;
	smp_need_two();
	tcg_lax(true, "TCG takes INIT while GIF is clear");
	smp_start(1, count_without_gif, &c);
	CHECK(WAIT_FOR(*c.flag == 1), "CPU 1 does not run");
	apic_send(1, ICR_INIT);
	*c.flag = 2;
	CHECK(WAIT_FOR(c.result == 1), "CPU 1 is gone though its GIF is clear");
	*c.flag = 3;
	CHECK(WAIT_FOR((seen = c.result2, cpu_idle(1000000), seen == c.result2)),
	      "CPU 1 still runs");
	smp_start(1, once, &other);
	smp_wait_finished(1);
}

/* Sums in the guest's registers and memory; a register or a page of another CPU would show. */
static void run_many(void *arg)
{
	struct cpu *c = arg;
	uint64_t expected = 0, sum = 0;

	svm_enable();
	c->result = 0;
	for (uint64_t i = 1; i <= RUNS; i++) {
		c->g.vmcb->rip = (uint64_t)guest_add;
		c->g.vmcb->rax = sum;
		c->g.r.rcx = i * (uint64_t)c->flag;
		guest_run(&c->g);
		sum += i * (uint64_t)c->flag;
		expected ^= sum;
		if (c->g.vmcb->exit_code != X_VMMCALL || c->g.vmcb->rax != sum)
			return;
	}
	c->result = *(volatile uint64_t *)c->flag == expected;
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
	for (unsigned i = 1; i < cpu_count(); i++)
		smp_start(i, run_many, &cpus[i]);
	run_many(&cpus[0]);
	for (unsigned i = 1; i < cpu_count(); i++)
		smp_wait_finished(i);
	for (unsigned i = 0; i < cpu_count(); i++)
		CHECK(cpus[i].result == 1, "CPU %u: exit 0x%x, sums differ", U64(i),
		      cpus[i].g.vmcb->exit_code);
}

static void run_spinning(void *arg)
{
	struct cpu *c = arg;

	svm_enable();
	for (unsigned i = 0; i < ROUNDS; i++) {
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
	c.g.vmcb->rflags |= FLAG_IF;
	smp_start(1, run_spinning, &c);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		CHECK(WAIT_FOR(*c.flag == i), "the guest does not run, round %u", U64(i));
		apic_send(1, kind);
		CHECK(WAIT_FOR(c.result2 == i), "no exit in round %u", U64(i));
		CHECK_EQ(c.result, kind == ICR_NMI ? X_NMI : X_INTR);
	}
	smp_wait_finished(1);
	CHECK_EQ(interrupts_taken(1, IRQ) + nmis_taken(1), ROUNDS);
}

static void init_in_guest(const void *arg)
{
	struct cpu c = new_cpu(guest_signal_spin);

	(void)arg;
	smp_need_two();
	for (unsigned i = 0; i < ROUNDS; i++) {
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
	static const uint32_t nmi = ICR_NMI, fixed = ICR_FIXED | IRQ;

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
