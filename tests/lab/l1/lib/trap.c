/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/trap.h"

#include "lib/apic.h"
#include "lib/jump.h"
#include "lib/layout.h"
#include "lib/mem.h"
#include "lib/smp.h"
#include "lib/tables.h"
#include "lib/test.h"

#define STUB_SIZE 16

struct frame {
	uint64_t gpr[15]; /* RAX first */
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

extern uint8_t trap_stubs[];

static struct gate64 idt[256] __attribute__((aligned(16)));
static struct jump recovery[MAX_CPUS];
static volatile bool armed[MAX_CPUS];
static struct fault last[MAX_CPUS];
static volatile unsigned counts[MAX_CPUS][256];

_Noreturn static void unexpected(const struct frame *f)
{
	print("exception %u error %x cpu %u rip %x rsp %x flags %x cr2 %x cr3 %x\n", f->vector,
	      f->error, U64(cpu_index()), f->rip, f->rsp, f->rflags, read_cr2(), read_cr3());
	for (unsigned i = 0; i < ARRAY_SIZE(f->gpr); i++)
		print(" %x", f->gpr[i]);
	print("\n");
	test_end("an exception that no test expects");
}

void trap_enter(struct frame *f);
void trap_enter(struct frame *f)
{
	unsigned cpu = cpu_index();

	counts[cpu][f->vector]++;
	if (f->vector == VEC_NMI)
		return;
	if (f->vector >= 32) {
		if (f->vector != APIC_SPURIOUS_VECTOR)
			apic_eoi();
		return;
	}
	if (!armed[cpu])
		unexpected(f);
	armed[cpu] = false;
	last[cpu] =
		(struct fault){true, (uint8_t)f->vector, (uint32_t)f->error, f->rip, read_cr2()};
	jump_to(&recovery[cpu], 1);
}

struct fault expect_fault(void (*fn)(void *), void *arg)
{
	unsigned cpu = cpu_index();
	uint64_t flags = read_flags();

	last[cpu] = (struct fault){0};
	if (jump_save(&recovery[cpu]) == 0) {
		armed[cpu] = true;
		fn(arg);
	}
	armed[cpu] = false;
	write_flags(flags);
	return last[cpu];
}

bool faults_with(void (*fn)(void *), void *arg, enum vector v)
{
	struct fault f = expect_fault(fn, arg);

	return f.taken && f.vector == v;
}

void trap_load(void)
{
	struct table_pointer p = {sizeof(idt) - 1, (uint64_t)idt};

	__asm__ volatile("lidt %0" : : "m"(p));
}

void trap_init(void)
{
	for (unsigned i = 0; i < 256; i++)
		idt[i] = gate64((uint64_t)trap_stubs + (uint64_t)i * STUB_SIZE, SEL_CODE64,
				GATE_INTERRUPT);
	trap_load();
}

void trap_reset(void)
{
	memset((void *)counts, 0, sizeof(counts));
}

unsigned interrupts_taken(unsigned cpu, unsigned vector)
{
	return counts[cpu][vector];
}

unsigned nmis_taken(unsigned cpu)
{
	return counts[cpu][VEC_NMI];
}

void check_fault(const char *what, struct fault f, enum vector v)
{
	CHECK(f.taken && f.vector == v && (v == VEC_UD || v == VEC_PF || f.error == 0),
	      "%s: fault %u, vector %u, error 0x%x", what, U64(f.taken), U64(f.vector),
	      U64(f.error));
}

void write_msr(void *pair)
{
	const uint64_t *p = pair;

	wrmsr((uint32_t)p[0], p[1]);
}

void interrupt_pend(unsigned vector)
{
	apic_send(0, ICR_SELF | ICR_FIXED | vector);
	CHECK(WAIT_FOR(apic_pending(vector)), "the self-IPI does not arrive");
}

void interrupt_take(unsigned vector)
{
	unsigned before = interrupts_taken(0, vector);

	interrupts_on();
	interrupts_off();
	CHECK_EQ(interrupts_taken(0, vector), before + 1);
}

void nmis_unblock(void)
{
	__asm__ volatile(
		"mov %%rsp, %%rax; push %0; push %%rax; pushfq; push %1; push $1f; iretq; 1:"
		:
		: "i"(SEL_DATA), "i"(SEL_CODE64)
		: "rax", "memory");
}
