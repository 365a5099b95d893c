/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/smp_tests.h"

#include "lib/apic.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/test.h"
#include "lib/trap.h"

#define RESTARTS 50

struct cpu {
	volatile uint32_t *flag; /* written by the CPU's function */
};

static struct cpu new_cpu(void)
{
	return (struct cpu){page_alloc()};
}

void smp_need_two(void)
{
	if (cpu_count() < 2)
		test_skip("one CPU");
}

void smp_start(unsigned cpu, void (*fn)(void *), void *arg)
{
	CHECK(cpu_start(cpu, fn, arg), "CPU %u does not start", U64(cpu));
}

void smp_wait_finished(unsigned cpu)
{
	CHECK(WAIT_FOR(cpu_finished(cpu)), "CPU %u does not finish", U64(cpu));
}

static void spin(void *arg)
{
	struct cpu *c = arg;

	for (;;)
		++*c->flag;
}

static void once(void *arg)
{
	struct cpu *c = arg;

	++*c->flag;
}

static void starts_all(const void *arg)
{
	(void)arg;
	smp_need_two();
	for (unsigned i = 1; i < cpu_count(); i++) {
		struct cpu c = new_cpu();

		smp_start(i, once, &c);
		smp_wait_finished(i);
		CHECK_EQ(*c.flag, 1);
	}
}

static void restarts_halted(const void *arg)
{
	struct cpu c = new_cpu();

	(void)arg;
	smp_need_two();
	for (unsigned i = 1; i <= RESTARTS; i++) {
		smp_start(1, once, &c);
		smp_wait_finished(1);
		CHECK_EQ(*c.flag, i);
	}
}

/* INIT reaches a CPU in full run, which starts again. */
static void restarts_running(const void *arg)
{
	struct cpu c = new_cpu();

	(void)arg;
	smp_need_two();
	for (unsigned i = 0; i < RESTARTS; i++) {
		*c.flag = 0;
		smp_start(1, spin, &c);
		CHECK(WAIT_FOR(*c.flag > 100), "CPU 1 does not run");
	}
	smp_start(1, once, &c);
	smp_wait_finished(1);
}

/* After INIT alone, a CPU runs nothing until its SIPI. */
static void init_stops(const void *arg)
{
	struct cpu c = new_cpu();
	uint64_t seen, until;

	(void)arg;
	smp_need_two();
	smp_start(1, spin, &c);
	CHECK(WAIT_FOR(*c.flag > 100), "CPU 1 does not run");
	apic_send(1, ICR_INIT);
	/* It stopped when a million cycles pass without a count; it gets ten seconds for that. */
	CHECK(WAIT_FOR(({
		      seen = *c.flag;
		      until = rdtsc() + 1000000;
		      while (rdtsc() < until && seen == *c.flag)
			      cpu_pause();
		      seen == *c.flag;
	      })),
	      "CPU 1 still runs");
	smp_start(1, once, &c);
	smp_wait_finished(1);
}

void smp_take_ipis(volatile uint32_t *flag)
{
	interrupts_on();
	*flag = 1;
	while (interrupts_taken(1, SMP_IRQ) + nmis_taken(1) < SMP_ROUNDS)
		cpu_pause();
	interrupts_off();
}

void smp_ipis(uint32_t ipi, void (*fn)(void *), void *arg, const volatile uint32_t *flag)
{
	smp_start(1, fn, arg);
	CHECK(WAIT_FOR(*flag == 1), "CPU 1 does not run");
	for (unsigned i = 1; i <= SMP_ROUNDS; i++) {
		apic_send(1, ipi);
		CHECK(WAIT_FOR(interrupts_taken(1, SMP_IRQ) + nmis_taken(1) == i), "IPI %u is lost",
		      U64(i));
	}
	smp_wait_finished(1);
}

static void take_ipis(void *arg)
{
	struct cpu *c = arg;

	smp_take_ipis(c->flag);
}

static void ipis(const void *arg)
{
	struct cpu c = new_cpu();

	smp_need_two();
	smp_ipis(*(const uint32_t *)arg, take_ipis, &c, c.flag);
	CHECK_EQ(interrupts_taken(0, SMP_IRQ) + nmis_taken(0), 0);
}

/* To all but self: each other CPU once, this one not. */
static void nmi_to_others(const void *arg)
{
	struct cpu c = new_cpu();

	(void)arg;
	smp_need_two();
	for (unsigned i = 1; i < cpu_count(); i++) {
		*c.flag = 0;
		smp_start(i, spin, &c);
		CHECK(WAIT_FOR(*c.flag > 0), "CPU %u does not run", U64(i));
	}
	apic_send(0, ICR_NMI | ICR_ALL_BUT_SELF);
	for (unsigned i = 1; i < cpu_count(); i++)
		CHECK(WAIT_FOR(nmis_taken(i) == 1), "CPU %u got %u NMIs", U64(i),
		      U64(nmis_taken(i)));
	CHECK_EQ(nmis_taken(0), 0);
	for (unsigned i = 1; i < cpu_count(); i++) {
		smp_start(i, once, &c);
		smp_wait_finished(i);
	}
}

void smp_tests(void)
{
	static const uint32_t nmi = ICR_NMI, fixed = ICR_FIXED | SMP_IRQ;

	print("%u CPUs\n", U64(cpu_count()));
	test("starts-all", starts_all, NULL);
	test("restarts-halted", restarts_halted, NULL);
	test("restarts-running", restarts_running, NULL);
	test("init-stops", init_stops, NULL);
	test("ipi-fixed", ipis, &fixed);
	test("ipi-nmi", ipis, &nmi);
	test("nmi-to-others", nmi_to_others, NULL);
}
