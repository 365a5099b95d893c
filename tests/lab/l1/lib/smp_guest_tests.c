/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/smp_guest_tests.h"

#include "lib/apic.h"
#include "lib/pages.h"
#include "lib/smp.h"

#define RUNS 2000

struct cpu new_cpu(const void *code)
{
	struct cpu c = {.g = guest_long(code), .code = code};

	c.flag = page_alloc();
	c.g.r.rbx = (uint64_t)c.flag;
	guest_set_flags(&c.g, FLAG_IF);
	guest_release(&c.g);
	return c;
}

void once(void *arg)
{
	struct cpu *c = arg;

	++*c->flag;
}

static void read_state(void *arg)
{
	struct cpu *c = arg;

	c->result = vendor_enabled();
	c->result2 = read_dr7();
	vendor_enable();
	write_dr7(0x408);
	vendor_disable();
}

void init_resets(const void *arg)
{
	struct cpu c = new_cpu(guest_add);

	(void)arg;
	smp_need_two();
	for (unsigned i = 0; i < 3; i++) {
		smp_start(1, read_state, &c);
		smp_wait_finished(1);
		CHECK_EQ(c.result, 0);
		CHECK_EQ(c.result2, 0x400);
	}
}

void count_blocked(void *arg)
{
	struct cpu *c = arg;

	init_block();
	*c->flag = 1;
	while (*c->flag != 2)
		cpu_idle(100);
	c->result = 1;
	while (*c->flag != 3)
		cpu_idle(100);
	init_unblock();
	*c->flag = 4;
	for (;;)
		c->result2++;
}

static bool stands_still(const volatile uint64_t *count)
{
	uint64_t seen = *count;

	cpu_idle(1000000);
	return *count == seen;
}

void init_waits(const void *arg)
{
	struct cpu c = new_cpu(guest_add), other = new_cpu(guest_add);

	(void)arg;
	smp_start(1, count_blocked, &c);
	CHECK(WAIT_FOR(*c.flag == 1), "CPU 1 does not run");
	apic_send(1, ICR_INIT);
	*c.flag = 2;
	CHECK(WAIT_FOR(c.result == 1), "CPU 1 is gone though INIT is blocked");
	*c.flag = 3;
	CHECK(WAIT_FOR(stands_still(&c.result2)), "CPU 1 still runs");
	smp_start(1, once, &other);
	smp_wait_finished(1);
}

/* Sums in the guest's registers and memory; a register or a page of another CPU would show. */
static void run_many(void *arg)
{
	struct cpu *c = arg;
	uint64_t expected = 0, sum = 0;
	bool boot = cpu_index() == 0;

	if (!boot)
		vendor_enable();
	c->result = 0;
	for (uint64_t i = 1; i <= RUNS; i++) {
		guest_at(&c->g, guest_add);
		guest_set_rax(&c->g, sum);
		c->g.r.rcx = i * (uint64_t)c->flag;
		c->result2 = guest_try(&c->g);
		sum += i * (uint64_t)c->flag;
		expected ^= sum;
		if (c->result2 != X_STOP || guest_rax(&c->g) != sum)
			break;
		c->result = i == RUNS && *(volatile uint64_t *)c->flag == expected;
	}
	guest_release(&c->g);
	if (!boot)
		vendor_disable();
}

void run_side_by_side(struct cpu *cpus)
{
	for (unsigned i = 1; i < cpu_count(); i++)
		smp_start(i, run_many, &cpus[i]);
	run_many(&cpus[0]);
	for (unsigned i = 1; i < cpu_count(); i++)
		smp_wait_finished(i);
	for (unsigned i = 0; i < cpu_count(); i++)
		CHECK(cpus[i].result == 1, "CPU %u: exit 0x%x, sums differ", U64(i),
		      cpus[i].result2);
}

void ipis_take_guest_out(struct cpu *c, void (*run)(void *), uint32_t ipi, uint64_t exit_code,
			 uint64_t event)
{
	smp_start(1, run, c);
	for (unsigned i = 1; i <= SMP_ROUNDS; i++) {
		CHECK(WAIT_FOR(*c->flag == i), "the guest does not run, round %u", U64(i));
		apic_send(1, ipi);
		CHECK(WAIT_FOR(c->result2 == i), "no exit in round %u", U64(i));
		CHECK_EQ(c->result, exit_code);
		CHECK_EQ(c->event, event);
	}
	smp_wait_finished(1);
}
