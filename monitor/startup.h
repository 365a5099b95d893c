/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vCPUs an isolated guest has (R19): the one that was measured, and those that it starts itself
 * by start-up IPIs. Each of the latter begins where the guest said, in the state after a SIPI; where a
 * vCPU is entered again is not looked at here.
 */
#ifndef MONITOR_STARTUP_H
#define MONITOR_STARTUP_H

#include "ept/addr.h"

struct cpu;

/* Of a guest: the start-up IPIs that it has sent, a bit for each vector and each APIC id. */
struct startup {
	uint64_t vectors[4], targets[4];
	uint32_t started, entered; /* vCPUs: those that it has sent one to, and those that came */
};

/*
 * The guest writes to its interrupt command register, as x2APIC has it: the destination's APIC id in
 * bits 63:32 (SDM vol. 3, 11.6.1, 11.12.9).
 */
void startup_note(struct startup *s, uint64_t icr);

/*
 * Whether the guest state that is about to be entered on this CPU for the first time is one that a
 * start-up IPI of the guest's leads to (SDM vol. 3, table 9-1; 11.4.3). Each vCPU that it has started may
 * come once; after a start-up IPI to all any number may.
 */
bool startup_allowed(struct startup *s, struct cpu *cpu);

#endif
