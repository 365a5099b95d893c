/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct input. Two guests that differ only where the row does not show it look the same to L1;
 * whatever L1 leaves, both go on with their own registers but for what the row accepts; and an event that
 * is let through is one that the text of monitor/injection.h allows.
 */
#include <string.h>

#include "monitor/injection.h"
#include "tests/fuzz/fuzz_rows.h"

struct input {
	struct regs own, other, after;
	struct exposure e;
	uint8_t honest; /* bit 0: RIP is where it may be, 1: it advanced, 2: 64-bit code */
	uint8_t flags;
	struct injection event, interrupted;
	uint32_t raises, gate, limit;
	uint64_t base, cr0, efer;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The other guest gets what the row shows of the first one. */
static void make_alike(const struct input *in, const struct columns *c, struct regs *other)
{
	const uint64_t flags = RFLAGS_IF | RFLAGS_TF | RFLAGS_VM | RFLAGS_FIXED;

	for (unsigned int r = 0; r < 16; r++)
		if (names(&in->e, c->shown, r)) {
			uint64_t mask = low(width(&in->e, c));

			other->r[r] = (other->r[r] & ~mask) | (in->own.r[r] & mask);
		}
	other->rflags = (other->rflags & ~flags) | (in->own.rflags & flags);
}

static void check_accept(const struct input *in, const struct columns *c)
{
	struct regs out;
	int done = exposure_accept(&in->e, &in->own, &in->after, &out);

	ASSERT(done == 0 || done == 1 || done == ERR_PERM);
	if (done < 0) {
		ASSERT(in->after.rip || c->rip == EXPOSURE_RESULT || c->bytes == EXPOSURE_NEVER);
		return;
	}
	ASSERT(in->after.rip == (done ? in->e.len : 0) && (!done || c->rip == EXPOSURE_NEXT));
	for (unsigned int r = 0; r < 16; r++) {
		uint64_t diff = out.r[r] ^ in->own.r[r];

		if (!done || !names(&in->e, c->accepted, r))
			ASSERT(!diff);
		else if (width(&in->e, c) < 4)
			ASSERT(!(diff & ~low(width(&in->e, c))));
	}
	ASSERT((uint32_t)out.rip == (uint32_t)(in->own.rip + in->after.rip));
	ASSERT(!((out.rflags ^ in->own.rflags) & ~(uint64_t)(done ? RFLAGS_RF : 0)));
}

static int read_gate(void *context, gva_t gva, void *buf, size_t n)
{
	const struct input *in = context;

	ASSERT(n == sizeof(in->gate));
	if (in->flags & 1)
		return ERR_FAULT;
	memcpy(buf, &in->gate, n);
	return 0;
}

static void check_event(struct input *in)
{
	struct injection_target t = {
		.rflags = in->own.rflags,
		.cr0 = in->cr0,
		.efer = in->efer,
		.shadow = in->flags & 2,
		.nmi = in->flags & 4,
		.done = in->flags & 8,
		.raises = in->raises,
		.idt_base = in->base,
		.idt_limit = in->limit,
		.interrupted = in->interrupted,
		.read = read_gate,
		.context = in,
	};
	const struct injection *e = &in->event;

	if (!injection_allowed(e, &t) || e->type == INJECTION_NONE)
		return;
	ASSERT(e->type < INJECTION_SOFTWARE);
	if (!t.done && e->type == in->interrupted.type && e->vector == in->interrupted.vector)
		return;
	if (e->type == INJECTION_EXCEPTION)
		ASSERT(e->vector < 32 && e->vector != 18 && e->vector != VECTOR_NMI &&
		       (t.done ? e->vector == 1 : t.raises >> e->vector & 1));
	if (e->type == INJECTION_NMI)
		ASSERT(t.nmi && !t.shadow);
	if (e->type == INJECTION_INTERRUPT) {
		ASSERT((t.rflags & RFLAGS_IF) && !t.shadow && e->vector >= 8 && e->vector != 18);
		ASSERT(e->vector >= 32 || !(t.cr0 & CR0_PE) || (t.rflags & RFLAGS_VM));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct regs shown, shown_other, other;
	struct columns c;
	struct input in;

	if (size < sizeof(in))
		return -1;
	memcpy(&in, data, offsetof(struct input, e));
	memset(&in.e, 0, sizeof(in.e));
	memcpy(&in.e, data + offsetof(struct input, e), offsetof(struct exposure, wide));
	memcpy((char *)&in + offsetof(struct input, honest), data + offsetof(struct input, honest),
	       offsetof(struct input, event) - offsetof(struct input, honest));
	memset(&in.event, 0, offsetof(struct input, raises) - offsetof(struct input, event));
	in.event.type = data[offsetof(struct input, event)] % 6;
	in.event.vector = data[offsetof(struct input, event) + 1];
	in.event.has_error = data[offsetof(struct input, event) + 2] & 1;
	in.interrupted.type = data[offsetof(struct input, interrupted)] % 6;
	in.interrupted.vector = data[offsetof(struct input, interrupted) + 1];
	memcpy(&in.raises, data + offsetof(struct input, raises),
	       sizeof(in) - offsetof(struct input, raises));
	in.e.row %= EXPOSURE_ROW_COUNT;
	in.e.operand %= 16;
	in.e.bytes = (uint8_t)(1u << in.e.bytes % 3);
	in.e.len %= 16;
	in.e.wide = in.honest & 4;
	if (in.honest & 1)
		in.after.rip = in.honest & 2 ? in.e.len : 0;
	c = columns_of(in.e.row);
	other = in.other;
	make_alike(&in, &c, &other);
	exposure_show(&in.e, &in.own, &shown);
	exposure_show(&in.e, &other, &shown_other);
	if (in.e.row != EXPOSURE_EMULATED && c.bytes != EXPOSURE_NEVER)
		ASSERT(!memcmp(&shown, &shown_other, sizeof(shown)));
	check_accept(&in, &c);
	check_event(&in);
	return 0;
}
