/* SPDX-License-Identifier: Apache-2.0 */
/* The processors: one struct each, in the monitor's memory, found through the stack pointer. */
#ifndef MONITOR_CPU_H
#define MONITOR_CPU_H

#include "ept/owner.h"
#include "monitor/fpu.h"
#include "monitor/reasons.h"

#define CPU_MAX 64
#define CPU_STACK_SIZE 16384u

/* Registers of L1 or L2, whichever left the CPU last. r[] in encoding order (enum gpr). */
struct regs {
	uint64_t r[16];
	uint64_t rip;
	uint64_t rflags;
};

/* Exits by reason, and the TSC cycles that the monitor spent until it entered something again. */
struct exit_stats {
	uint64_t count[EXIT_REASON_COUNT];
	uint64_t cycles[EXIT_REASON_COUNT];
};

/* What one CPU asks of another; bits of cpu.requests. */
enum cpu_request {
	CPU_INIT = 1,  /* L1 sent an INIT */
	CPU_SIPI = 2,  /* L1 sent a start-up IPI with cpu.sipi_vector */
	CPU_HALT = 4,  /* the monitor is dying, or the machine is being reset */
	CPU_RESET = 8, /* reset the machine; to the boot CPU */
};

struct guest_vcpu;

struct cpu {
	struct regs regs; /* first: enter.S of the backends */
	struct hw_cpu *hw;
	unsigned int index;
	uint32_t apic_id;
	uint32_t requests;     /* enum cpu_request; atomic, set by any CPU, cleared by this one */
	uint32_t flush_wanted; /* counts flushes asked of this CPU; atomic */
	uint32_t flush_done;   /* the one up to which it has forgotten its translations */
	uint8_t sipi_vector;
	bool waiting; /* L1's CPU is in the wait-for-SIPI state */
	bool sipi_pending;
	bool nmi_seen;                /* an NMI was taken while the monitor let NMIs in */
	bool kicked;                  /* one of ours is on its way; atomic, set by the sender */
	bool nmi_pending;             /* an NMI for L1 that could not be delivered yet */
	bool init_pending;            /* an INIT for L1 that could not be delivered yet */
	struct guest_vcpu *last_vcpu; /* guest.c: entered last on this CPU */
	unsigned int last_guest;      /* of the vCPU taken last: its number, plus one; 0: none */
	/* A bit for each guest whose translations it may know; atomic, changed by this CPU only. */
	uint64_t knows[OWNER_GUESTS_MAX / 64];
	uint64_t tsc_moved;      /* uptime.c: what L1 has added to its counter */
	uint64_t exit_tsc;       /* when the CPU came out last */
	uint64_t *charge;        /* where the time since then goes; NULL: charged already */
	struct exit_stats stats; /* L1's exits on this CPU */
	struct fpu_host fpu;
};

/* Sets up n CPUs (1..CPU_MAX) by their APIC ids; the caller runs on apic_id[0]. */
void cpu_init(const uint32_t *apic_id, unsigned int n);

unsigned int cpu_count(void);
struct cpu *cpu_at(unsigned int index);

/* The CPU that executes this. */
struct cpu *cpu_this(void);

/* False while the boot CPU still runs on the loader's stack: cpu_this() means nothing there. */
bool cpu_on_own_stack(void);

/* Runs fn(cpu) on the CPU's own stack, for ever. */
_Noreturn void cpu_on_stack(struct cpu *cpu, void (*fn)(struct cpu *));

/*
 * Starts every other CPU (Intel SDM vol. 3, 9.4; AMD APM vol. 2, 14.1) one after the other through
 * the trampoline in the page at low (below 1 MiB); each runs fn on its own stack. Returns how many
 * came up; those that did not are named in the log.
 */
unsigned int cpu_start_others(hpa_t low, void (*fn)(struct cpu *));

/* For fn: this CPU is ready, and the next may start. */
void cpu_started(void);

/* Lets about that much time pass. */
void cpu_delay(unsigned int microseconds);

/* Sets request bits of another CPU and makes it come out; waits until it has seen them. */
void cpu_request(struct cpu *cpu, uint32_t requests);

/* Tells every other CPU to stop for good, without waiting. */
void cpu_halt_others(void);

/* The same, and waits until they have, for about a second. */
void cpu_stop_others(void);

/*
 * After NMIs were let in: one that no CPU of the monitor sent is L1's and becomes nmi_pending. One
 * of each kind that the hardware merged counts as ours: L1's is lost then, as it may be on any
 * machine whose NMI sources collide.
 */
void cpu_nmi(struct cpu *cpu);

/*
 * Before L1 is entered, where an INIT may reach it: carries out a pending one; while L1's CPU is in
 * the wait-for-SIPI state, waits for the start-up IPI (Intel SDM vol. 3, 9.4).
 */
void cpu_start_up(struct cpu *cpu);

/* Before a vCPU of that guest is dealt with on this CPU. */
static inline void cpu_meets(struct cpu *cpu, unsigned int guest)
{
	uint64_t bit = (uint64_t)1 << guest % 64;

	cpu->last_guest = guest + 1;
	if (!(cpu->knows[guest / 64] & bit))
		__atomic_fetch_or(&cpu->knows[guest / 64], bit, __ATOMIC_SEQ_CST);
}

static inline bool cpu_knows(const struct cpu *cpu, unsigned int guest)
{
	return __atomic_load_n(&cpu->knows[guest / 64], __ATOMIC_SEQ_CST) >> guest % 64 & 1;
}

/* The CPU has forgotten all; the guest that it may be dealing with counts as known. */
static inline void cpu_forgets(struct cpu *cpu)
{
	unsigned int last = cpu->last_guest;

	for (unsigned int i = 0; i < ARRAY_SIZE(cpu->knows); i++)
		__atomic_store_n(&cpu->knows[i],
				 last && (last - 1) / 64 == i ? (uint64_t)1 << (last - 1) % 64 : 0,
				 __ATOMIC_SEQ_CST);
}

/* Serves what others asked of this CPU. Called before every entry and while waiting. */
void cpu_serve(struct cpu *cpu);

#endif
