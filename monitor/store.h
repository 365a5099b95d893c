/* SPDX-License-Identifier: Apache-2.0 */
/* A store of L1 that trapped: what it would have written where. */
#ifndef MONITOR_STORE_H
#define MONITOR_STORE_H

#include "ept/addr.h"
#include "monitor/cpu.h"

struct store {
	hpa_t hpa;
	unsigned int size; /* bytes: 1, 2, 4 or 8; naturally aligned */
	uint64_t value;
	unsigned int insn_len;
};

/*
 * Decodes the instruction that L1 stopped at because it wrote to hpa: MOV and MOVNTI. Returns 0, or
 * an error if it is another instruction, could not be read, or is not an aligned store to hpa.
 */
int store_decode(struct cpu *cpu, hpa_t hpa, struct store *store);

/* Performs it at `at`, where the monitor sees store->hpa, as one access, and completes it for L1. */
void store_perform(struct cpu *cpu, const struct store *store, volatile void *at);

#endif
