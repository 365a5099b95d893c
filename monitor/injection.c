/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/injection.h"

#define VECTOR_MC 18
#define FIRST_INTERRUPT 32
/* Protected mode: SDM vol. 3, table 6-1; AMD APM vol. 2, table 8-1. */
#define WITH_ERROR \
	(1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 13 | 1u << 14 | 1u << 17 | 1u << 21)

/* Bits of a gate's second word (SDM vol. 3, 6.11 and 6.14.1). */
#define GATE_TYPE(w) ((w) >> 8 & 0x1f)
#define GATE_DPL(w) ((w) >> 13 & 3)
#define GATE_PRESENT (1u << 15)

static bool is_real(const struct injection_target *t)
{
	return !(t->cr0 & CR0_PE) || (t->rflags & RFLAGS_VM);
}

/* Where PC firmware and every real-mode system have the two PICs. */
static bool of_pic(uint8_t vector)
{
	return (vector >= 8 && vector < 16) || (vector >= 0x70 && vector < 0x78);
}

/* An interrupt or trap gate, of 16 or 32 bits, that only hardware and the kernel go through. */
static bool has_gate(const struct injection_target *t, uint8_t vector)
{
	unsigned int size = t->efer & EFER_LMA ? 16 : 8;
	uint64_t at = t->idt_base + (uint64_t)vector * size;
	uint32_t word, type;

	if ((vector + 1) * size - 1 > t->idt_limit)
		return false;
	if (!(t->efer & EFER_LMA))
		at = (uint32_t)at;
	if (t->read(t->context, GVA(at + 4), &word, sizeof(word)))
		return false;
	type = GATE_TYPE(word);
	if (type != 0xe && type != 0xf && (size == 16 || (type != 6 && type != 7)))
		return false;
	return (word & GATE_PRESENT) && GATE_DPL(word) != 3;
}

static bool interrupt(const struct injection *e, const struct injection_target *t)
{
	if (!(t->rflags & RFLAGS_IF) || t->shadow || e->has_error)
		return false;
	if (is_real(t))
		return of_pic(e->vector);
	return e->vector >= FIRST_INTERRUPT && has_gate(t, e->vector);
}

static bool exception(const struct injection *e, const struct injection_target *t)
{
	if (e->vector >= 32 || e->vector == VECTOR_MC || e->vector == VECTOR_NMI)
		return false;
	if (!is_real(t) && e->has_error != (WITH_ERROR >> e->vector & 1))
		return false;
	if (e->vector == VECTOR_DB && t->done)
		return t->rflags & RFLAGS_TF;
	return !t->done && (t->raises >> e->vector & 1);
}

bool injection_same(const struct injection *a, const struct injection *b)
{
	return a->type == b->type && a->vector == b->vector && a->has_error == b->has_error &&
	       a->error == b->error;
}

bool injection_allowed(const struct injection *e, const struct injection_target *t)
{
	if (e->type == INJECTION_NONE)
		return true;
	/* INT n and its like happen again when the guest repeats them (APM vol. 2, 15.7.2). */
	if (e->type < INJECTION_SOFTWARE && injection_same(e, &t->interrupted) && !t->done)
		return true;
	switch (e->type) {
	case INJECTION_INTERRUPT:
		return interrupt(e, t);
	case INJECTION_NMI:
		return t->nmi && !t->shadow && e->vector == VECTOR_NMI && !e->has_error;
	case INJECTION_EXCEPTION:
		return exception(e, t);
	default:
		return false;
	}
}
