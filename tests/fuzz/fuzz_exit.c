/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hostile L1 on the software machine. Input: struct start, then up to STEPS_MAX struct step: each
 * changes a register, puts code and a word into memory, and leaves with any exit. Whatever it does,
 * the monitor must answer by the rules that check() states.
 */
#include <string.h>

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/apic.h"
#include "monitor/fake/cpu.h"
#include "monitor/fake/machine.h"
#include "monitor/guest.h"
#include "monitor/channel.h"
#include "monitor/icr.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/msr.h"

#define CPUS 2u
#define RAM_SIZE (64 * PAGE_SIZE)
#define ROOTS 0x8000u /* a few guests' tables */
#define CODE 0x1000u
#define DATA 0x2000u
#define BLOCK (8 * MIB)
/* What guest_init() and channel_init() take, and two pages or more. */
#define BLOCK_SIZE \
	(ALIGN_UP(GUEST_VCPU_MAX * sizeof(struct disclosure), PAGE_SIZE) + 160 * PAGE_SIZE)
#define APIC_AT 0xfee00000u
#define ADDRESS_MASK 0x000ffffffffff000u
#define MSR_SOME 0x48u
#define STEPS_MAX 32
#define SECRET 0x5ec4e75ec4e75ec4u

struct start {
	uint8_t mode, paging, x2apic, real;
	uint32_t cr4;
	uint64_t cr3;
	uint64_t base[SEG_COUNT];
};

struct step {
	uint8_t cpu, reason, flags, reg;
	uint32_t msr;
	uint64_t value; /* for a register */
	uint64_t fault;
	uint64_t word; /* for a byte in DATA and the code's page */
	uint8_t code[16];
};

enum { WRITE = 1, IN_WALK = 2, TAKE = 4, KEEP = 8, FAR_RIP = 16, FAULT_IS_VALUE = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct regs before;
static uint64_t secrets; /* where they begin in the block, behind what the monitor has taken */
static struct guest_vcpu *held[CPUS];

static void start_machine(const struct start *s)
{
	uint64_t secret = SECRET;

	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	fake_add_monitor(HPA(BLOCK), BLOCK_SIZE);
	fake_add_device(HPA(APIC_AT), PAGE_SIZE);
	fake_msr_reset();
	fake_set_msr(MSR_APIC_BASE,
		     APIC_AT | APIC_BASE_ENABLE | (s->x2apic & 1 ? APIC_BASE_X2APIC : 0));
	fake_set_msr(MSR_X2APIC_ICR, 0);
	fake_set_msr(MSR_SOME, 0);
	fake_cpus(CPUS);
	fake_catch();
	protect_off = true;
	guest_init();
	channel_init();
	ASSERT(!host_init(mem_top(), true, NULL));
	ASSERT(!host_set(HPA(BLOCK), BLOCK_SIZE, 0));
	ASSERT(!icr_init());
	secrets = mem_hpa(mem_pages(1)).a;
	for (uint64_t i = secrets; i < BLOCK + BLOCK_SIZE; i += sizeof(secret))
		memcpy(mem_at(HPA(i)), &secret, sizeof(secret));
	for (unsigned int i = 0; i < CPUS; i++) {
		struct hw_cpu *hw = cpu_at(i)->hw;

		hw->mode = s->mode % 3 == 0 ? DECODE_16 : s->mode % 3 == 1 ? DECODE_32 : DECODE_64;
		hw->space.cr0 = (s->paging & 1 ? CR0_PG : 0) | (s->real & 1 ? 0 : CR0_PE);
		hw->space.cr3 = s->cr3;
		hw->space.cr4 = s->cr4;
		hw->space.efer = s->paging & 2 ? EFER_LME | EFER_LMA : 0;
		memcpy(hw->segment, s->base, sizeof(s->base));
		if (!(s->paging & 4))
			hw->segment[SEG_CS] = 0;
	}
}

/* The records outlive a machine: all guests end, so that each input starts nearly alike. */
static void end_guests(void)
{
	struct guest_summary guest;

	for (unsigned int i = 0; i < CPUS; i++) {
		if (held[i])
			guest_vcpu_drop(held[i]);
		held[i] = NULL;
	}
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		if (!guest_summary(i, &guest))
			guest_end(guest_numbered(i), STOP_NONE);
}

static void use_guest(struct cpu *cpu, const struct step *s)
{
	struct guest_vcpu *v;
	const char *why;

	if (held[cpu->index])
		guest_vcpu_drop(held[cpu->index]);
	v = guest_vcpu_take(cpu, HPA(0x10000 + (s->msr & 3) * PAGE_SIZE),
			    HPA(ROOTS + (s->msr >> 2 & 3) * PAGE_SIZE), &why);
	ASSERT(!v || v->cpu == cpu->index + 1);
	ASSERT(!v || !held[1 - cpu->index] || v != held[1 - cpu->index]);
	held[cpu->index] = v;
	if (v && !(s->flags & KEEP)) {
		guest_vcpu_drop(v);
		held[cpu->index] = NULL;
	}
}

static bool asked_for(enum exit_reason reason)
{
	return reason == EXIT_CPUID || reason == EXIT_MSR_READ || reason == EXIT_MSR_WRITE ||
	       reason == EXIT_NESTED_FAULT || reason == EXIT_HYPERCALL || reason == EXIT_CACHE ||
	       reason == EXIT_SHUTDOWN;
}

static void check_machine(void)
{
	uint32_t icr = *(uint32_t *)((char *)mem_at(HPA(APIC_AT)) + APIC_ICR_LOW) & ICR_MODE_MASK;
	uint64_t secret;

	/* The monitor's memory is whole, and out of reach. */
	for (uint64_t i = secrets; i < BLOCK + BLOCK_SIZE; i += sizeof(secret)) {
		memcpy(&secret, mem_at(HPA(i)), sizeof(secret));
		ASSERT(secret == SECRET);
	}
	for (uint64_t i = BLOCK; i < BLOCK + BLOCK_SIZE; i += PAGE_SIZE)
		ASSERT(!host_allows(HPA(i), TABLE_R));
	/* No INIT or start-up IPI goes to the wire, now or through a page that is not watched. */
	ASSERT(icr != ICR_MODE_INIT && icr != ICR_MODE_SIPI);
	icr = (uint32_t)fake_msr(MSR_X2APIC_ICR) & ICR_MODE_MASK;
	ASSERT(icr != ICR_MODE_INIT && icr != ICR_MODE_SIPI);
	ASSERT(!host_allows(HPA(APIC_AT), TABLE_W));
	ASSERT((fake_msr(MSR_APIC_BASE) & ADDRESS_MASK) == APIC_AT);
	ASSERT(fake_msr(MSR_APIC_BASE) & APIC_BASE_ENABLE);
}

static void check(const struct cpu *cpu, const struct exit *exit, enum fake_end end, int insn_len)
{
	const struct hw_cpu *hw = cpu->hw;
	uint64_t rip = before.rip + hw->insn_len;

	ASSERT(end == FAKE_RETURNED || end == (asked_for(exit->reason) ? FAKE_RESET : FAKE_PANIC));
	ASSERT((end == FAKE_RESET) == (exit->reason == EXIT_SHUTDOWN));
	ASSERT(hw->completed + hw->injected <= 1);
	ASSERT(!hw->injected || hw->vector == VECTOR_GP || hw->vector == VECTOR_UD);
	if (hw->mode != DECODE_64)
		rip &= UINT32_MAX;
	if (hw->completed)
		ASSERT(insn_len > 0 && hw->insn_len == (unsigned int)insn_len &&
		       cpu->regs.rip == rip);
	else
		ASSERT(cpu->regs.rip == before.rip);
	if (end != FAKE_RETURNED || exit->reason == EXIT_NESTED_FAULT)
		ASSERT(!memcmp(cpu->regs.r, before.r, sizeof(before.r)));
	ASSERT(cpu->regs.rflags == before.rflags);
	for (unsigned int i = 0; i < 16; i++)
		ASSERT(cpu->regs.r[i] != SECRET);
	check_machine();
}

static void do_step(const struct step *s)
{
	struct cpu *cpu = cpu_at(s->cpu % CPUS);
	struct exit exit = {
		.reason = s->reason % (EXIT_REASON_COUNT + 1),
		.fault = HPA(s->flags & FAULT_IS_VALUE ? s->value : s->fault),
		.write = s->flags & WRITE,
		.in_walk = s->flags & IN_WALK,
	};
	int insn_len;

	fake_become(cpu);
	if (s->flags & TAKE)
		use_guest(cpu, s);
	memcpy(fake_at(HPA(CODE), sizeof(s->code)), s->code, sizeof(s->code));
	memcpy(fake_at(HPA(DATA + (s->word & 0x7ff8)), 8), &s->word, 8);
	cpu->regs.rip = s->flags & FAR_RIP ? s->word : CODE;
	if (s->value != SECRET)
		cpu->regs.r[s->reg % 16] = s->value;
	if (exit.reason == EXIT_MSR_READ || exit.reason == EXIT_MSR_WRITE)
		cpu->regs.r[RCX] = s->msr;
	fake_forget(cpu);
	before = cpu->regs;
	insn_len = hw_host_insn_len(cpu);
	check(cpu, &exit, fake_exit(cpu, &exit), insn_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct start start;
	struct step step;

	if (size < sizeof(start))
		return 0;
	log_console(false);
	memcpy(&start, data, sizeof(start));
	start_machine(&start);
	data += sizeof(start);
	size -= sizeof(start);
	for (unsigned int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	end_guests();
	return 0;
}
