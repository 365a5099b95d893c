/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on the monitor that are the same for both vendors: its memory, MSRs, CPUID, hypercalls,
 * INITs and SIPIs. After each of them the monitor must still answer. Options: seed=N.
 */
#ifndef L1_LIB_ATTACKS_H
#define L1_LIB_ATTACKS_H

#include "ept/base.h"

/* An MSR whose random values cannot stop this program itself, but for the bits `never`. */
struct attack_msr {
	uint32_t msr;
	uint64_t never;
};

struct attacker {
	void (*recover)(void); /* virtualization on again, and a good guest runs */
	void (*leave)(void);   /* out of the state in which VENDOR_CALL is no #UD */
	const struct attack_msr *msrs;
	size_t msr_count;
};

/* Runs them all, and sets attack_seed for the vendor's own. */
void attacks(const struct attacker *a);
extern uint64_t attack_seed;

/* Fails the test if a monitor was there and answers no more. */
void attack_survived(void);

/* Skips the test on a bare machine; the monitor's block of memory. */
void attack_needs_monitor(void);
void attack_target(uint64_t *start, uint64_t *size);

#endif
