/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an isolated guest is told of its machine by CPUID and RDMSR. L1 answers; the monitor sees to it
 * that the answers are no lies that count:
 *
 *   forced   bits that say what protects a guest: AES, random numbers, NX, SMEP and the like. They are
 *            the hardware's, and in the launch digest
 *   sizes    of the state that XSAVE stores: the hardware's
 *   others   what L1 said the first time, for the guest's life. Some bits follow the vCPU or its mode:
 *            manifest.c lists them
 *   Xen's    leaves 40000000h to 400fffffh: L1's to say
 *
 * A guest uses what it is told of at its own risk otherwise: a feature that L1 offers and the CPU does
 * not have makes it fault.
 */
#ifndef MONITOR_MANIFEST_H
#define MONITOR_MANIFEST_H

#include "ept/lock.h"
#include "monitor/arch.h"
#include "monitor/cpu.h"

#define MANIFEST_PINS 96  /* distinct answers that a guest gets; Linux asks for 40 */
#define MANIFEST_WORDS 30 /* of the digest */

/* Of one guest; zeroed before its launch. */
struct manifest {
	struct lock lock;
	unsigned int pins;
	struct manifest_pin {
		uint32_t leaf, subleaf; /* or an MSR: leaf is MANIFEST_MSR, subleaf its number */
		struct cpuid value;
	} pin[MANIFEST_PINS];
};

/*
 * L1's answer to the guest's CPUID becomes the one that the guest gets. cr4 is the guest's. xsave_bytes:
 * EBX of the hardware's own answer at the exit, with the guest's XCR0 in the CPU; for leaf 0Dh.
 */
void manifest_cpuid(struct cpu *cpu, struct manifest *m, uint32_t leaf, uint32_t subleaf,
		    uint64_t cr4, uint32_t xsave_bytes, struct cpuid *answer);

/* The same for RDMSR: the value that the guest gets. */
uint64_t manifest_msr(struct manifest *m, uint32_t msr, uint64_t answer);

/* What is forced, as docs/launch-digest.md says. */
void manifest_words(struct cpu *cpu, uint64_t words[MANIFEST_WORDS]);

#endif
