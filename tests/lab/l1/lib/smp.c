/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/smp.h"

#include "lib/apic.h"
#include "lib/layout.h"
#include "lib/mem.h"
#include "lib/test.h"
#include "lib/trap.h"

extern uint8_t trampoline_start[], trampoline_end[];
extern uint8_t cpu_stacks[];

uint64_t ap_stack; /* read by boot.S: CPUs start one at a time */
static void (*volatile ap_fn)(void *);
static void *volatile ap_arg;
static bool used[MAX_CPUS];
static volatile bool arrived[MAX_CPUS], finished[MAX_CPUS];

unsigned cpu_index(void)
{
	uint64_t rsp;

	__asm__("mov %%rsp, %0" : "=r"(rsp));
	return (unsigned)((rsp - 1 - (uint64_t)cpu_stacks) / STACK_SIZE);
}

unsigned cpu_count(void)
{
	unsigned n = cpuid(1, 0).b >> 16 & 0xff;

	return n < 1 ? 1 : n > MAX_CPUS ? MAX_CPUS : n;
}

void ap_start(void);
void ap_start(void)
{
	unsigned cpu = cpu_index();
	void (*fn)(void *) = ap_fn;
	void *arg = ap_arg;

	trap_load();
	apic_init();
	arrived[cpu] = true;
	fn(arg);
	finished[cpu] = true;
}

bool cpu_start(unsigned cpu, void (*fn)(void *), void *arg)
{
	memcpy((void *)TRAMPOLINE, trampoline_start, (size_t)(trampoline_end - trampoline_start));
	ap_stack = (uint64_t)cpu_stacks + (uint64_t)(cpu + 1) * STACK_SIZE;
	ap_fn = fn;
	ap_arg = arg;
	used[cpu] = true;
	apic_send(cpu, ICR_INIT);
	arrived[cpu] = false;
	finished[cpu] = false;
	apic_send(cpu, ICR_SIPI | TRAMPOLINE >> 12);
	apic_send(cpu, ICR_SIPI | TRAMPOLINE >> 12);
	return WAIT_FOR(arrived[cpu]);
}

void cpus_stop(void)
{
	for (unsigned i = 1; i < MAX_CPUS; i++) {
		if (used[i])
			apic_send(i, ICR_INIT);
		used[i] = false;
	}
}

bool cpu_finished(unsigned cpu)
{
	return finished[cpu];
}
