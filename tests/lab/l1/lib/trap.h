/* SPDX-License-Identifier: Apache-2.0 */
/* Exceptions and interrupts of L1 itself. */
#ifndef L1_LIB_TRAP_H
#define L1_LIB_TRAP_H

#include "lib/cpu.h"

struct fault {
	bool taken;
	uint8_t vector;
	uint32_t error;
	uint64_t rip, cr2;
};

/* Runs fn(arg) on this CPU and says which exception ended it, if any. */
struct fault expect_fault(void (*fn)(void *), void *arg);

/* True if fn(arg) ends in that exception. */
bool faults_with(void (*fn)(void *), void *arg, enum vector v);

/* Checks that `what` raised it, with the error code 0 if it has one (that of #PF does not count). */
void check_fault(const char *what, struct fault f, enum vector v);

/* WRMSR of pair[1] to the MSR pair[0], for expect_fault(). */
void write_msr(void *pair);

/* The IDT on the boot CPU, and on another CPU. */
void trap_init(void);
void trap_load(void);

/* Forgets what was counted. */
void trap_reset(void);

/* Interrupts (vector >= 32; acknowledged at the APIC) and NMIs taken so far, by CPU. */
unsigned interrupts_taken(unsigned cpu, unsigned vector);
unsigned nmis_taken(unsigned cpu);

/* Has an interrupt of ours wait in the boot CPU's APIC: IF is 0. Then takes it. */
void interrupt_pend(unsigned vector);
void interrupt_take(unsigned vector);

/* An IRET, which ends the blocking of NMIs that one taken elsewhere has left. */
void nmis_unblock(void);

#endif
