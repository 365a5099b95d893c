/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vCPUs an isolated guest has (R19): the one that was measured, and those that it starts itself by
 * INIT and start-up IPIs. Each of the latter begins where the guest said, in the state after a SIPI, as often as
 * the guest said so. A vCPU is known by the APIC id that it sees; it keeps it.
 */
#ifndef MONITOR_STARTUP_H
#define MONITOR_STARTUP_H

#include "ept/addr.h"

struct cpu;
struct guest_vcpu;

#define STARTUP_IDS 256
#define STARTUP_UNKNOWN STARTUP_IDS /* an APIC id that the vCPU has not seen yet */

/* Of a guest; a bit for each APIC id. Atomic. */
struct startup {
	uint64_t running[STARTUP_IDS / 64]; /* takes no start-up IPI before the next INIT */
	uint64_t wanted[STARTUP_IDS / 64];  /* has been sent one, and has not come yet */
	uint8_t vector[STARTUP_IDS];
	bool nmi; /* it has sent an NMI, or told its APIC to deliver such */
};

/*
 * The vCPU with APIC id `from` writes to its interrupt command register, as x2APIC has it: the destination's
 * APIC id in bits 63:32 (SDM vol. 3, 11.6.1, 11.12.9). Or to an entry of the local vector table.
 */
void startup_note(struct startup *s, unsigned int from, uint64_t icr);
void startup_lvt(struct startup *s, uint32_t entry);

/*
 * If the state that L1 offers for the vCPU, which is about to be entered on this CPU, is one that a start-up IPI
 * of the guest's leads to (SDM vol. 3, table 9-1; 11.4.3), this is used up, and the vCPU gets the whole of that
 * state. Else nothing, and false.
 */
bool startup_begin(struct cpu *cpu, struct guest_vcpu *v);

/* The vCPU learns its APIC id. False: it had another one before. */
bool startup_is(struct guest_vcpu *v, uint32_t apic_id);

#endif
