/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of several CPUs with guests, or with INIT blocked, that are the same for both vendors. The
 * program names them, and defines init_block() and init_unblock().
 */
#ifndef L1_LIB_SMP_GUEST_TESTS_H
#define L1_LIB_SMP_GUEST_TESTS_H

#include "lib/smp_tests.h"
#include "vendor_guest.h"

GUEST(guest_signal_spin, "incl (%rbx); 1: jmp 1b\n");
GUEST(guest_add, "add %rcx, %rax; xor %rax, (%rbx);" STOP);

/* What a CPU does with a guest; all of it is for one CPU at a time. */
struct cpu {
	struct guest g;
	const uint8_t *code;
	volatile uint32_t *flag; /* written by the guest (RBX), or by the CPU's function */
	volatile uint64_t result, result2;
	volatile uint64_t event; /* that the exit brought, where the vendor's exits do */
	volatile bool again;     /* enter the guest again after an INIT too */
};

/* A guest that interrupts can reach, which any CPU may run. */
struct cpu new_cpu(const void *code);

/* INIT turns the vendor's extension off, and clears DR7. */
void init_resets(const void *arg);

/* A function for a CPU: counts in flag. */
void once(void *arg);

/* Turns the vendor's extension on, or off again, so that INIT waits meanwhile; it may do so already. */
void init_block(void);
void init_unblock(void);

/*
 * A function for a CPU: blocks INIT and sets flag to 1; sets result to 1 when flag is 2; unblocks INIT
 * and sets flag to 4 when it is 3, and counts in result2 for ever.
 */
void count_blocked(void *arg);

/* INIT waits while it is blocked, and is taken then. */
void init_waits(const void *arg);

/* A guest on each CPU of cpus[MAX_CPUS], all at once: each keeps its registers and memory. */
void run_side_by_side(struct cpu *cpus);

/*
 * IPIs to CPU 1 in a guest, whose function sets result to the exit code, event, and then result2 to the
 * number of exits so far: each of them takes the guest out in this way.
 */
void ipis_take_guest_out(struct cpu *c, void (*run)(void *), uint32_t ipi, uint64_t exit_code,
			 uint64_t event);

#endif
