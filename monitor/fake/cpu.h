/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The software machine's processors: monitor/hw.h, what the policy calls of monitor/cpu.h, panic
 * and reset. A test sets L1's state, calls the policy and looks at what was done. Nothing is
 * executed: L1 is a struct, and its next exit is whatever the test says.
 */
#ifndef MONITOR_FAKE_CPU_H
#define MONITOR_FAKE_CPU_H

#include "monitor/digest.h"
#include "monitor/exit.h"
#include "monitor/fake/msr.h"
#include "monitor/hw.h"
#include "monitor/reset.h"

#define FAKE_CPUS_MAX 8
#define FAKE_APIC_ID(index) (3 * (index) + 1) /* so that nobody takes one for the other */

struct hw_cpu {
	/* L1's state besides cpu->regs. Starts as flat 32-bit code without paging, CPL 0. */
	struct walk_space space;
	uint64_t segment[SEG_COUNT];
	enum decode_mode mode;
	/* What was done, counted, and the last call's arguments. */
	unsigned int completed, insn_len;
	int guest_insn_len; /* of the instruction that a guest came out for; a test sets it */
	unsigned int injected, vector;
	uint32_t error_code;
	unsigned int flushed; /* atomic: any CPU flushes all */
	unsigned int resets, started, sipi_vector;
	bool blocks_init;                    /* set by tests: hw_host_blocks_init() */
	uint64_t guest_state[DIGEST_STATES]; /* set by tests: hw_guest_state(), but for cpu->regs */
	struct hw_entry entry;               /* set by tests: hw_guest_entry() */
	unsigned int moved, began, took;     /* hw_guest_moved(), _reset(), _takes() */
	uint64_t xcr0;
};

struct hw_vcpu {
	unsigned int number; /* 0.., in the order of hw_vcpu_create() */
};

/* n CPUs (1..FAKE_CPUS_MAX) as after hw_cpu_enable(); the caller runs as CPU 0. */
void fake_cpus(unsigned int n);

/* From now on the calling thread is this CPU. */
void fake_become(struct cpu *cpu);

/* Forgets the counts in hw_cpu. */
void fake_forget(struct cpu *cpu);

/* Where a run ended. */
enum fake_end {
	FAKE_RETURNED,
	FAKE_RESET,   /* reset_machine() */
	FAKE_OFF,     /* power_off(): fake_last_writes() */
	FAKE_PANIC,   /* panic() or die(): fake_panic_text() */
	FAKE_NO_MORE, /* hw_run(), and fake_next_exit had nothing more to do */
};

/* exit_host(cpu, exit); the machine's end, if that comes, comes back to here. Not nested. */
enum fake_end fake_exit(struct cpu *cpu, const struct exit *exit);

/* hw_run(cpu): exit_host() for every exit that next() gives, until it returns false. */
enum fake_end fake_run(struct cpu *cpu, bool (*next)(struct cpu *cpu, struct exit *exit));

const char *fake_panic_text(void);

/* What power_off() was told; *n of them. */
const struct last_write *fake_last_writes(unsigned int *n);

/* What CPUID answers: the values set for this leaf (any subleaf), otherwise zeros. */
void fake_set_cpuid(uint32_t leaf, struct cpuid value);

#endif
