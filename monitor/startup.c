/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/startup.h"

#include "monitor/apic.h"
#include "monitor/arch.h"
#include "monitor/digest.h"
#include "monitor/hw.h"

#define EVERYBODY 0xffu /* as a destination, and what is beyond it */

/* Sets bit n of 256. Returns whether it is new. */
static bool note(uint64_t *bits, uint8_t n)
{
	uint64_t bit = (uint64_t)1 << n % 64;

	return !(__atomic_fetch_or(&bits[n / 64], bit, __ATOMIC_RELAXED) & bit);
}

void startup_note(struct startup *s, uint64_t icr)
{
	uint64_t target = icr >> 32;

	if ((icr & ICR_MODE_MASK) != ICR_MODE_SIPI)
		return;
	note(s->vectors, (uint8_t)icr);
	if (ICR_SHORTHAND(icr) || (icr & ICR_LOGICAL) || target >= EVERYBODY)
		__atomic_store_n(&s->started, UINT32_MAX, __ATOMIC_RELAXED);
	else if (note(s->targets, (uint8_t)target) && s->started != UINT32_MAX)
		__atomic_add_fetch(&s->started, 1, __ATOMIC_RELAXED);
}

bool startup_allowed(struct startup *s, struct cpu *cpu)
{
	uint64_t state[DIGEST_STATES];
	const uint64_t *cs = &state[DIGEST_SEGMENT + 4 * SEG_CS];
	uint64_t vector;

	hw_guest_state(cpu, state);
	vector = cs[1] >> 12;
	if (vector > UINT8_MAX || cs[1] != vector << 12 || cs[0] != vector << 8)
		return false;
	if (!(__atomic_load_n(&s->vectors[vector / 64], __ATOMIC_RELAXED) >> vector % 64 & 1))
		return false;
	if (state[DIGEST_RIP] || (state[DIGEST_CR0] & (CR0_PE | CR0_PG)) ||
	    (state[DIGEST_EFER] & (EFER_LME | EFER_LMA)) || state[DIGEST_CR3])
		return false;
	if (__atomic_fetch_add(&s->entered, 1, __ATOMIC_RELAXED) <
	    __atomic_load_n(&s->started, __ATOMIC_RELAXED))
		return true;
	__atomic_sub_fetch(&s->entered, 1, __ATOMIC_RELAXED);
	return false;
}
