/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/startup.h"

#include "monitor/apic.h"
#include "monitor/guest.h"
#include "monitor/hw.h"

#define EVERYBODY 0xffu /* as a destination, and what is beyond it */
#define ID_STEP 2       /* Xen numbers a guest's APICs by twos */

/* Changes bit n. Returns whether it was set. */
static bool set(uint64_t *bits, unsigned int n, bool on)
{
	uint64_t bit = (uint64_t)1 << n % 64;

	return (on ? __atomic_fetch_or(&bits[n / 64], bit, __ATOMIC_ACQ_REL)
		   : __atomic_fetch_and(&bits[n / 64], ~bit, __ATOMIC_ACQ_REL)) &
	       bit;
}

static bool is_set(const uint64_t *bits, unsigned int n)
{
	return __atomic_load_n(&bits[n / 64], __ATOMIC_ACQUIRE) >> n % 64 & 1;
}

static void note(struct startup *s, unsigned int id, uint64_t icr)
{
	switch (icr & ICR_MODE_MASK) {
	case ICR_MODE_NMI:
		set(s->nmi, id, true);
		break;
	case ICR_MODE_INIT: /* what has not started waits for the next start-up IPI */
		set(s->wanted, id, false);
		set(s->running, id, false);
		break;
	case ICR_MODE_SIPI:
		if (set(s->running, id, true))
			break;
		s->vector[id] = (uint8_t)icr;
		set(s->wanted, id, true);
		break;
	default:
		break;
	}
}

void startup_note(struct startup *s, unsigned int from, uint64_t icr)
{
	uint64_t target = icr >> 32;
	bool one = !ICR_SHORTHAND(icr) && !(icr & ICR_LOGICAL) && target < EVERYBODY;

	if ((icr & ICR_MODE_MASK) == ICR_MODE_INIT && (icr & ICR_LEVEL) && !(icr & ICR_ASSERT))
		return;
	if (one) {
		note(s, (unsigned int)target, icr);
		return;
	}
	for (unsigned int id = 0; id < STARTUP_IDS; id++)
		if ((id == from) == (ICR_SHORTHAND(icr) == ICR_SHORTHAND_SELF) &&
		    (is_set(s->known, id) || (id < s->ids && id % ID_STEP == 0)))
			note(s, id, icr);
}

void startup_lvt(struct guest_vcpu *v, unsigned int number, uint32_t entry)
{
	uint32_t bit = 1u << number % 32;

	if ((entry & ICR_MODE_MASK) == ICR_MODE_NMI && !(entry & LVT_MASKED))
		v->nmi_lvt |= bit;
	else
		v->nmi_lvt &= ~bit;
}

bool startup_nmi(const struct guest_vcpu *v)
{
	return v->nmi_lvt ||
	       (v->apic_id < STARTUP_IDS && is_set(v->guest->protection.startup.nmi, v->apic_id));
}

void startup_nmi_taken(struct guest_vcpu *v)
{
	if (v->apic_id < STARTUP_IDS)
		set(v->guest->protection.startup.nmi, v->apic_id, false);
}

/* The vCPU has this id, for good. False: another one has. */
static bool bind(struct guest_vcpu *v, unsigned int id)
{
	if (set(v->guest->protection.startup.known, id, true))
		return false;
	v->apic_id = (uint16_t)id;
	return true;
}

void startup_first(struct guest_vcpu *v, unsigned int vcpus)
{
	struct startup *s = &v->guest->protection.startup;

	s->ids = vcpus < STARTUP_IDS / ID_STEP ? ID_STEP * vcpus : STARTUP_IDS;
	(void)bind(v, 0); /* nobody has an id yet */
}

/* Whether that id was to start there, which counts once. */
static bool use(struct startup *s, unsigned int id, uint8_t vector)
{
	return is_set(s->wanted, id) && s->vector[id] == vector && set(s->wanted, id, false);
}

/*
 * One that has no id yet is the one that is to start there. If several are, it is none of them until it names
 * itself, and there are no more such than are to start.
 */
static bool take_place(struct startup *s, struct guest_vcpu *v, uint8_t vector)
{
	unsigned int n = 0, id = 0;
	bool taken;

	lock_take(&s->lock);
	for (unsigned int i = 0; i < STARTUP_IDS; i++)
		if (is_set(s->wanted, i) && s->vector[i] == vector && !is_set(s->known, i)) {
			id = i;
			n++;
		}
	taken = n > s->unnamed;
	if (taken && n == 1) {
		taken = use(s, id, vector) && bind(v, id);
	} else if (taken) {
		s->unnamed++;
		v->apic_id = STARTUP_UNNAMED;
	}
	lock_drop(&s->lock);
	return taken;
}

bool startup_begin(struct cpu *cpu, struct guest_vcpu *v)
{
	struct startup *s = &v->guest->protection.startup;
	uint64_t wanted = 0;
	struct hw_offer offer;
	uint64_t vector;

	for (unsigned int i = 0; i < ARRAY_SIZE(s->wanted); i++)
		wanted |= __atomic_load_n(&s->wanted[i], __ATOMIC_RELAXED);
	if (!wanted)
		return false;
	hw_guest_offer(cpu, &offer);
	vector = offer.cs_base >> 12;
	if (vector > UINT8_MAX || offer.cs_base != vector << 12 ||
	    offer.cs_selector != vector << 8 || offer.rip || (offer.cr0 & (CR0_PE | CR0_PG)) ||
	    (offer.efer & (EFER_LME | EFER_LMA)))
		return false;
	if (v->apic_id < STARTUP_IDS ? !use(s, v->apic_id, (uint8_t)vector)
				     : v->entered || !take_place(s, v, (uint8_t)vector))
		return false;
	v->nmi_lvt = 0;
	hw_guest_reset(cpu, (uint8_t)vector);
	return true;
}

/* It was let in with others, and says now which of them it is. */
static bool name(struct startup *s, struct guest_vcpu *v, unsigned int id)
{
	bool named;

	lock_take(&s->lock);
	named = set(s->wanted, id, false) && bind(v, id);
	if (named)
		s->unnamed--;
	lock_drop(&s->lock);
	return named;
}

bool startup_is(struct guest_vcpu *v, uint32_t apic_id)
{
	struct startup *s = &v->guest->protection.startup;

	if (apic_id >= STARTUP_IDS)
		return false;
	if (v->apic_id < STARTUP_IDS)
		return v->apic_id == apic_id;
	return v->apic_id == STARTUP_UNNAMED ? name(s, v, apic_id) : bind(v, apic_id);
}
