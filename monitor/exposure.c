/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/exposure.h"

#define REGISTERS 0xffffu

static const struct row {
	uint8_t bytes, rip;
	uint32_t shown, accepted, raises;
} rows[] = {
#define X(name, bytes, shown, accepted, rip, raises, ...) \
	[EXPOSURE_##name] = {bytes, rip, shown, accepted, raises},
	EXPOSURE_ROWS(X)
#undef X
};

static const uint8_t row_of[] = {
	[EXIT_UNKNOWN] = EXPOSURE_UNKNOWN,
	[EXIT_INTR] = EXPOSURE_INTR,
	[EXIT_NMI] = EXPOSURE_NMI,
	[EXIT_INIT] = EXPOSURE_INIT,
	[EXIT_EXCEPTION] = EXPOSURE_EXCEPTION,
	[EXIT_SHUTDOWN] = EXPOSURE_SHUTDOWN,
	[EXIT_VINTR] = EXPOSURE_VINTR,
	[EXIT_CR] = EXPOSURE_CR,
	[EXIT_DR] = EXPOSURE_DR,
	[EXIT_DESCRIPTOR] = EXPOSURE_DESCRIPTOR,
	[EXIT_TASK] = EXPOSURE_TASK,
	[EXIT_CPUID] = EXPOSURE_CPUID,
	[EXIT_HLT] = EXPOSURE_HLT,
	[EXIT_PAUSE] = EXPOSURE_PAUSE,
	[EXIT_MWAIT] = EXPOSURE_MWAIT,
	[EXIT_INVLPG] = EXPOSURE_INVLPG,
	[EXIT_CACHE] = EXPOSURE_CACHE,
	[EXIT_TSC] = EXPOSURE_TSC,
	[EXIT_MSR_READ] = EXPOSURE_MSR_READ,
	[EXIT_MSR_WRITE] = EXPOSURE_MSR_WRITE,
	[EXIT_XSETBV] = EXPOSURE_XSETBV,
	[EXIT_PORT] = EXPOSURE_PORT_IN,
	[EXIT_NESTED_FAULT] = EXPOSURE_NESTED_FAULT,
	[EXIT_HYPERCALL] = EXPOSURE_HYPERCALL,
	[EXIT_ENTER] = EXPOSURE_ENTER,
	[EXIT_STATE] = EXPOSURE_STATE,
	[EXIT_GIF] = EXPOSURE_GIF,
	[EXIT_TLB] = EXPOSURE_TLB,
	[EXIT_INVALID] = EXPOSURE_INVALID,
	[EXIT_OTHER] = EXPOSURE_OTHER,
	[EXIT_APIC] = EXPOSURE_NESTED_FAULT,
	[EXIT_PMC] = EXPOSURE_PMC,
	[EXIT_TSCP] = EXPOSURE_TSCP,
	[EXIT_IRET] = EXPOSURE_IRET,
};
_Static_assert(ARRAY_SIZE(row_of) == EXIT_REASON_COUNT, "a row for each reason");

enum exposure_row exposure_row(enum exit_reason reason, bool out)
{
	if (reason >= EXIT_REASON_COUNT)
		return EXPOSURE_UNKNOWN;
	return reason == EXIT_PORT && out ? EXPOSURE_PORT_OUT : (enum exposure_row)row_of[reason];
}

bool exposure_told(enum exposure_row row)
{
	return rows[row].bytes != EXPOSURE_NEVER;
}

bool exposure_moves(enum exposure_row row)
{
	return rows[row].rip == EXPOSURE_NEXT;
}

uint32_t exposure_raises(const struct exposure *e)
{
	uint32_t raises = rows[e->row].raises;

	return raises & EXPOSURE_SAME ? (uint32_t)1 << e->vector % 31 : raises;
}

/* General registers by number. */
static uint32_t set_of(const struct exposure *e, uint32_t set)
{
	return (set & REGISTERS) | (set & EXPOSURE_OPERAND ? 1u << e->operand % 16 : 0);
}

static unsigned int first_of(uint32_t set)
{
	return (unsigned int)__builtin_ctz(set);
}

static uint64_t mask_of(const struct exposure *e)
{
	unsigned int bytes = rows[e->row].bytes ? rows[e->row].bytes : e->bytes;

	if (bytes >= 8)
		return e->wide ? UINT64_MAX : UINT32_MAX;
	return ((uint64_t)1 << 8 * bytes) - 1;
}

void exposure_show(const struct exposure *e, const struct regs *own, struct regs *shown)
{
	uint32_t set = set_of(e, rows[e->row].shown);

	if (e->row == EXPOSURE_EMULATED) {
		*shown = *own;
		return;
	}
	*shown = (struct regs){.rflags = own->rflags & EXPOSURE_RFLAGS};
	for (; set; set &= set - 1)
		shown->r[first_of(set)] = own->r[first_of(set)] & mask_of(e);
}

/* The instruction writes the low bytes of a register; one of 4 clears the rest. */
static uint64_t written(const struct exposure *e, uint64_t own, uint64_t after)
{
	uint64_t mask = mask_of(e);

	return (mask == UINT32_MAX ? 0 : own & ~mask) | (after & mask);
}

int exposure_accept(const struct exposure *e, const struct regs *own, const struct regs *after,
		    struct regs *out)
{
	const struct row *row = &rows[e->row];
	uint32_t set = set_of(e, row->accepted);
	uint64_t rip = after->rip;
	struct regs regs = *own;

	if (row->rip == EXPOSURE_RESULT || !exposure_told(e->row))
		return ERR_PERM;
	if (rip && (row->rip != EXPOSURE_NEXT || !e->len || rip != e->len))
		return ERR_PERM;
	for (; rip && set; set &= set - 1)
		regs.r[first_of(set)] = written(e, own->r[first_of(set)], after->r[first_of(set)]);
	if (rip) {
		regs.rip += rip;
		if (!e->wide)
			regs.rip &= UINT32_MAX;
		regs.rflags &= ~(uint64_t)RFLAGS_RF;
	}
	*out = regs;
	return rip != 0;
}
