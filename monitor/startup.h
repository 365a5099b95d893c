/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which vCPUs an isolated guest has (R19): the one that was measured, and those that it starts itself by
 * INIT and start-up IPIs. Each of the latter begins where the guest said, in the state after a SIPI, as often as
 * the guest said so. A vCPU is known by the APIC id that it sees; it keeps it, and no other vCPU gets it. And
 * which of them expect NMIs (R16).
 */
#ifndef MONITOR_STARTUP_H
#define MONITOR_STARTUP_H

#include "ept/addr.h"
#include "ept/lock.h"

struct cpu;
struct guest_vcpu;

#define STARTUP_IDS 256
#define STARTUP_UNKNOWN STARTUP_IDS       /* an APIC id that the vCPU has not seen yet */
#define STARTUP_UNNAMED (STARTUP_IDS + 1) /* the same, and it was started together with others */

/* Of a guest; a bit for each APIC id. Atomic. */
struct startup {
	struct lock lock;
	unsigned int ids;     /* a broadcast reaches those below, and known ones */
	unsigned int unnamed; /* vCPUs that run, with an APIC id that is still wanted */
	uint64_t running[STARTUP_IDS / 64]; /* takes no start-up IPI before the next INIT */
	uint64_t wanted[STARTUP_IDS / 64];  /* has been sent one, and has not come yet */
	uint64_t known[STARTUP_IDS / 64];   /* is a vCPU's */
	uint64_t nmi[STARTUP_IDS / 64];     /* has been sent an NMI that it has not taken */
	uint8_t vector[STARTUP_IDS];
};

/* The vCPU that was measured, which has APIC id 0, of a guest with so many; 0: not known. */
void startup_first(struct guest_vcpu *v, unsigned int vcpus);

/*
 * The vCPU with APIC id `from` writes to its interrupt command register, as x2APIC has it: the destination's
 * APIC id in bits 63:32 (SDM vol. 3, 11.6.1, 11.12.9). Or to an entry of its local vector table, of which the
 * register at 10h * number is a part.
 */
void startup_note(struct startup *s, unsigned int from, uint64_t icr);
void startup_lvt(struct guest_vcpu *v, unsigned int number, uint32_t entry);

/* Whether the vCPU expects an NMI: its vector table has one unmasked, or it was sent one; which it takes. */
bool startup_nmi(const struct guest_vcpu *v);
void startup_nmi_taken(struct guest_vcpu *v);

/*
 * If the state that L1 offers for the vCPU, which is about to be entered on this CPU, is one that a start-up IPI
 * of the guest's leads to (SDM vol. 3, table 9-1; 11.4.3), this is used up, and the vCPU gets the whole of that
 * state. Else nothing, and false.
 */
bool startup_begin(struct cpu *cpu, struct guest_vcpu *v);

/* The vCPU learns its APIC id. False: it had another one before, or another vCPU has it. */
bool startup_is(struct guest_vcpu *v, uint32_t apic_id);

#endif
