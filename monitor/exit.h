/* SPDX-License-Identifier: Apache-2.0 */
/* What the monitor does when a CPU comes out of L1 or L2. */
#ifndef MONITOR_EXIT_H
#define MONITOR_EXIT_H

#include "ept/addr.h"
#include "monitor/cpu.h"

struct guest_vcpu;

/* One exit, in the backend's decoding. Fields beyond reason are valid for the reasons named. */
struct exit {
	enum exit_reason reason;
	hpa_t fault;  /* NESTED_FAULT of L1: what was touched */
	bool write;   /* NESTED_FAULT */
	bool in_walk; /* NESTED_FAULT: by the CPU itself, reading L1's page tables */
	uint16_t port;
	uint8_t size; /* PORT: bytes, 1, 2 or 4 */
	bool in;      /* PORT: IN or INS */
	bool string;  /* PORT: INS or OUTS */
};

/* The instruction L1 left for is done; #GP, logged, if it cannot be read any more. */
void exit_complete(struct cpu *cpu);

/*
 * Whether an access that the host table stopped will pass now: another CPU gave the page back after
 * this one faulted, or it is device memory, mapped here. For L1, or a guest that runs on L1's table.
 */
bool exit_may_repeat(struct cpu *cpu, hpa_t fault);

/* Acts on an exit of L1: emulates, injects a fault, or stops the machine. Never guesses. */
void exit_host(struct cpu *cpu, const struct exit *exit);

#endif
