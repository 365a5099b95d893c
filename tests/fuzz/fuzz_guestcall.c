/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct input, then the guest's memory, which begins at BASE and repeats up to the end of
 * MEMORY. Whatever the guest asks, what Xen gets is bounded, was read once, and is within the
 * guest's address space; whatever Xen answers, the guest gets what the call can have as a result.
 */
#include <stdlib.h>
#include <string.h>

#include "monitor/guestcall.h"
#include "monitor/gueststore.h"

#define BASE 0x1000u
#define MEMORY (3 * PAGE_SIZE)
#define DOMID_SELF 0x7ff0

struct input {
	uint8_t number, flags;
	uint16_t arg[GUESTCALL_ARGS];  /* above 0xfff0: from the end of the address space */
	uint16_t left[GUESTCALL_ARGS]; /* argument registers that Xen leaves, as a difference */
	uint64_t rax;
};

enum { WIDE = 1, GRANTS = 2, CPL = 0x0c, SIGNED = 0x10, STORE = 0x20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[MEMORY], touched[MEMORY];

static int read_memory(void *context, gva_t gva, void *buf, size_t n)
{
	const struct guestcall *c = context;
	unsigned int i = c->operands - 1; /* the one that is being added */

	ASSERT(n && n <= PAGE_SIZE && i < GUESTCALL_OPERANDS);
	ASSERT(gva.a + (n - 1) >= gva.a && (c->wide || gva.a + (n - 1) <= UINT32_MAX));
	if (gva.a < BASE || gva.a > BASE + MEMORY - n)
		return ERR_FAULT;
	memcpy(buf, memory + (gva.a - BASE), n);
	for (size_t at = gva.a - BASE; n; n--, at++) {
		ASSERT(!(touched[at] & 1u << i)); /* once for each operand */
		touched[at] |= (uint8_t)(1u << i);
	}
	return 0;
}

static void check_operand(const struct guestcall *c, unsigned int i, uint8_t number)
{
	const struct guestcall_operand *o = &c->operand[i];

	ASSERT(o->bytes && o->bytes <= PAGE_SIZE);
	ASSERT(i || number == 18 || o->bytes <= 1024);
	ASSERT(o->gva.a + (o->bytes - 1u) >= o->gva.a);
	ASSERT(c->wide || o->gva.a + (o->bytes - 1u) <= UINT32_MAX);
	ASSERT(o->taken_at + o->taken <= o->bytes);
	ASSERT(!o->shown || o->data + o->bytes <= c->used);
	/* Zeros, but for what was read. */
	for (unsigned int n = 0; o->shown && n < o->bytes; n++) {
		uint64_t at = o->gva.a - BASE + n;

		if (at < MEMORY && touched[at] & 1u << i)
			ASSERT(c->data[o->data + n] == memory[at]);
		else
			ASSERT(!c->data[o->data + n]);
	}
}

static void check_effect(const struct guestcall *c, const struct input *in)
{
	switch (c->effect) {
	case GUESTCALL_NOTHING:
		break;
	case GUESTCALL_RELEASE:
	case GUESTCALL_POPULATE:
		ASSERT(in->number == 12 && c->count && c->count <= 512 && c->operands == 2);
		for (unsigned int i = 0; i < c->count; i++)
			ASSERT(guestcall_gfn(c, i) < GUESTCALL_GFN_END);
		break;
	case GUESTCALL_MOVE:
		ASSERT(in->number == 12 && c->count && c->count <= UINT16_MAX);
		ASSERT(c->from + c->count <= GUESTCALL_GFN_END && c->from < GUESTCALL_GFN_END);
		ASSERT(c->to + c->count <= GUESTCALL_GFN_END && c->to < GUESTCALL_GFN_END);
		ASSERT(c->from + c->count <= c->to || c->to + c->count <= c->from);
		break;
	case GUESTCALL_SHARE:
	case GUESTCALL_SHARE_INFO:
		ASSERT(in->number == 12 && c->count == 1 && c->to < GUESTCALL_GFN_END);
		break;
	case GUESTCALL_RAM_MAP:
		ASSERT(in->number == 12 && c->operands && c->operands <= 2);
		ASSERT(c->operands < 2 || c->operand[1].taken <= 128 * 20);
		break;
	case GUESTCALL_VCPU_INFO:
		ASSERT(in->number == 24 && c->count == 1 && c->to < GUESTCALL_GFN_END);
		ASSERT(c->offset % 8 == 0 && c->offset + 64u <= PAGE_SIZE);
		break;
	case GUESTCALL_STORE_PLACE:
		ASSERT(in->number == 34 && c->operands == 1 && c->set == GUESTSTORE_GFN &&
		       !c->mask);
		break;
	case GUESTCALL_STORE:
		ASSERT(in->number == 32 && c->operands == 1);
		break;
	default:
		ASSERT(false);
	}
}

static void check_accept(const struct guestcall *c, uint64_t rax)
{
	static uint8_t taken[1024], before[1024];
	size_t n = c->operands ? c->operand[0].taken : 0;
	bool merged;
	int64_t result;

	ASSERT(n <= sizeof(taken));
	memset(taken, 0x5a, sizeof(taken));
	memcpy(taken, memory, n);
	memcpy(before, taken, sizeof(taken));
	merged = guestcall_accept(c, &rax, n ? taken : NULL);
	ASSERT(c->wide || rax <= UINT32_MAX);
	result = c->wide ? (int64_t)rax : (int32_t)rax;
	ASSERT(result >= -4095 && result <= INT32_MAX && merged == (result >= 0));
	ASSERT(!memcmp(taken + n, before + n, sizeof(taken) - n));
}

static void check_resume(const struct guestcall *c, const struct input *in)
{
	uint64_t arg[GUESTCALL_ARGS];
	bool same = true;

	memcpy(arg, c->arg, sizeof(arg));
	ASSERT(guestcall_resume(c, arg) == 0);
	for (unsigned int i = 0; i < GUESTCALL_ARGS; i++) {
		arg[i] += in->left[i];
		same &= i >= c->args || arg[i] == c->arg[i];
	}
	if (guestcall_resume(c, arg) || same)
		return;
	/* Progress: in the first argument of memory_op, or in the console's text. */
	ASSERT(in->number == 12 || in->number == 18);
	if (in->number == 12)
		ASSERT(arg[0] > c->arg[0] && arg[0] % 64 == c->arg[0] % 64 && arg[1] == c->arg[1]);
	else
		ASSERT(!arg[0] && (c->wide ? arg[1] + arg[2] : (uint32_t)(arg[1] + arg[2])) ==
					  c->arg[1] + c->arg[2]);
}

static void fill(const uint8_t *data, size_t size)
{
	memset(touched, 0, sizeof(touched));
	memset(memory, 0, sizeof(memory));
	for (size_t at = 0; size && at < MEMORY; at += size)
		memcpy(memory + at, data, size < MEMORY - at ? size : MEMORY - at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guestcall call;
	struct guestcall_request r = {.read = read_memory, .context = &call};
	struct input in;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	fill(data + sizeof(in), size - sizeof(in));
	r.number = in.number;
	for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
		r.arg[i] = in.arg[i] > 0xfff0 ? ~(uint64_t)(in.arg[i] & 0xf) : in.arg[i];
	r.wide = in.flags & WIDE;
	r.grants = in.flags & GRANTS;
	r.store = in.flags / STORE % 3;
	r.cpl = (in.flags & CPL) == CPL ? 3 : 0;
	memset(&call, 0xee, sizeof(call));
	guestcall_decide(&r, &call);
	ASSERT(call.wide == r.wide && call.operands <= GUESTCALL_OPERANDS);
	ASSERT(!r.cpl || !call.pass);
	if (!call.pass) {
		ASSERT(!call.operands && call.effect == GUESTCALL_NOTHING);
		ASSERT(call.wide || call.answer <= UINT32_MAX);
		return 0;
	}
	ASSERT(call.used <= GUESTCALL_DATA);
	for (unsigned int i = 0; i < call.operands; i++)
		check_operand(&call, i, in.number);
	check_effect(&call, &in);
	check_accept(&call, in.flags & SIGNED ? -in.rax : in.rax);
	check_resume(&call, &in);
	return 0;
}
