/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/startup.h"

#include "monitor/apic.h"
#include "monitor/guest.h"
#include "monitor/hw.h"

#define EVERYBODY 0xffu /* as a destination, and what is beyond it */

/* Changes bit n. Returns whether it was set. */
static bool set(uint64_t *bits, unsigned int n, bool on)
{
	uint64_t bit = (uint64_t)1 << n % 64;

	return (on ? __atomic_fetch_or(&bits[n / 64], bit, __ATOMIC_ACQ_REL)
		   : __atomic_fetch_and(&bits[n / 64], ~bit, __ATOMIC_ACQ_REL)) &
	       bit;
}

static void sipi(struct startup *s, unsigned int id, uint8_t vector)
{
	if (set(s->running, id, true))
		return;
	s->vector[id] = vector;
	set(s->wanted, id, true);
}

void startup_note(struct startup *s, unsigned int from, uint64_t icr)
{
	bool init = (icr & ICR_MODE_MASK) == ICR_MODE_INIT;
	uint64_t target = icr >> 32;
	bool one = !ICR_SHORTHAND(icr) && !(icr & ICR_LOGICAL) && target < EVERYBODY;

	if ((icr & ICR_MODE_MASK) == ICR_MODE_NMI)
		__atomic_store_n(&s->nmi, true, __ATOMIC_RELAXED);
	if ((!init && (icr & ICR_MODE_MASK) != ICR_MODE_SIPI) ||
	    (init && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT)))
		return;
	for (unsigned int id = one ? (unsigned int)target : 0; id < STARTUP_IDS; id++) {
		if (one || id != from) {
			if (init)
				set(s->running, id, false);
			else
				sipi(s, id, (uint8_t)icr);
		}
		if (one)
			break;
	}
}

void startup_lvt(struct startup *s, uint32_t entry)
{
	if ((entry & ICR_MODE_MASK) == ICR_MODE_NMI && !(entry & LVT_MASKED))
		__atomic_store_n(&s->nmi, true, __ATOMIC_RELAXED);
}

/* Whether that id was to start there, which counts once. */
static bool use(struct startup *s, unsigned int id, uint8_t vector)
{
	if (!(__atomic_load_n(&s->wanted[id / 64], __ATOMIC_ACQUIRE) >> id % 64 & 1))
		return false;
	return s->vector[id] == vector && set(s->wanted, id, false);
}

bool startup_begin(struct cpu *cpu, struct guest_vcpu *v)
{
	struct startup *s = &v->guest->protection.startup;
	unsigned int first = 0, last = STARTUP_IDS - 1, wanted = 0;
	struct hw_offer offer;
	uint64_t vector;

	for (unsigned int i = 0; i < ARRAY_SIZE(s->wanted); i++)
		wanted += __atomic_load_n(&s->wanted[i], __ATOMIC_RELAXED) != 0;
	if (!wanted)
		return false;
	hw_guest_offer(cpu, &offer);
	vector = offer.cs_base >> 12;
	if (vector > UINT8_MAX || offer.cs_base != vector << 12 ||
	    offer.cs_selector != vector << 8 || offer.rip || (offer.cr0 & (CR0_PE | CR0_PG)) ||
	    (offer.efer & (EFER_LME | EFER_LMA)))
		return false;
	if (v->apic_id != STARTUP_UNKNOWN) {
		first = v->apic_id;
		last = first;
	}
	while (!use(s, first, (uint8_t)vector))
		if (first++ == last)
			return false;
	hw_guest_reset(cpu, (uint8_t)vector);
	return true;
}

bool startup_is(struct guest_vcpu *v, uint32_t apic_id)
{
	if (v->apic_id == STARTUP_UNKNOWN && apic_id < STARTUP_IDS) {
		v->apic_id = (uint16_t)apic_id;
		set(v->guest->protection.startup.wanted, apic_id, false);
	}
	return apic_id < STARTUP_IDS && v->apic_id == apic_id;
}
