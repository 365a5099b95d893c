/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: struct input. Whatever L1 leaves in the registers of a guest whose instruction it emulated,
 * the guest goes on with its own, but for what that instruction writes.
 */
#include <string.h>

#include "monitor/arch.h"
#include "monitor/emulated.h"

struct input {
	struct regs before, after;
	uint64_t base[SEG_COUNT];
	uint16_t times;
	uint8_t mode;
	uint8_t honest; /* bit 0: about RIP, 1: it advanced, 2: about the strings' registers */
	uint8_t code[DECODE_MAX];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t low_bytes(unsigned int n)
{
	return n == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * n) - 1;
}

static bool is_string(const struct decode_insn *i)
{
	return i->op == OP_INS || i->op == OP_OUTS || i->op == OP_LODS || i->op == OP_STOS ||
	       i->op == OP_MOVS;
}

static bool repeats(const struct decode_insn *i)
{
	return is_string(i) && (i->rep || i->repne);
}

/* Ranges are few and short, each in a page; those of fewer times lie in those of more. */
static void check_ranges(const struct emulated *e, unsigned int times)
{
	struct emulated_range all[EMULATED_RANGES], part[EMULATED_RANGES];
	unsigned int n = emulated_ranges(e, e->times, all), k = emulated_ranges(e, times, part);
	uint64_t bytes = 0;

	ASSERT(n >= 1 && n <= EMULATED_RANGES && k <= n);
	for (unsigned int i = 0; i < n; i++) {
		ASSERT(all[i].bytes >= 1 && all[i].bytes <= PAGE_SIZE);
		ASSERT(page_offset(all[i].gva.a) + all[i].bytes <= PAGE_SIZE);
		ASSERT(all[i].access && all[i].access <= (EMULATED_READ | EMULATED_WRITE));
		ASSERT(e->insn.mode == DECODE_64 || all[i].gva.a <= UINT32_MAX);
		bytes += all[i].bytes;
	}
	ASSERT(bytes <= (e->insn.op == OP_MOVS ? 2 : 1) * PAGE_SIZE);
	ASSERT(bytes == (uint64_t)e->times * e->insn.memsize * (e->insn.op == OP_MOVS ? 2 : 1));
	for (unsigned int i = 0; i < k; i++) {
		bool inside = false;

		for (unsigned int j = 0; j < n; j++)
			inside |= part[i].gva.a >= all[j].gva.a &&
				  part[i].access == all[j].access &&
				  part[i].gva.a - all[j].gva.a + part[i].bytes <= all[j].bytes;
		ASSERT(inside);
	}
}

/* Bits of a general register that the instruction may change. */
static uint64_t changes(const struct decode_insn *i, unsigned int reg)
{
	uint64_t index = i->addrsize == 4 ? UINT64_MAX : low_bytes(i->addrsize);
	unsigned int to = i->op == OP_CMPXCHG ? GPR_RAX : i->reg;
	uint64_t bits = 0;

	if (repeats(i) && reg == RCX)
		bits |= index;
	if (is_string(i) && (reg == i->mem.base || (i->op == OP_MOVS && reg == RSI)))
		bits |= index;
	if (reg != to)
		return bits;
	if (i->op == OP_XCHG || i->op == OP_CMPXCHG || i->op == OP_LODS || i->op == OP_MOVZX ||
	    i->op == OP_MOVSX || (i->op == OP_MOV && !i->to_rm) ||
	    (i->op >= OP_ADD && i->op < OP_CMP && !i->to_rm))
		bits |= i->opsize == 4 ? UINT64_MAX : low_bytes(i->opsize);
	return i->reg_high && bits == 0xff && i->op != OP_CMPXCHG ? 0xff00 : bits;
}

static void check_registers(const struct decode_insn *i, const struct input *in, int times,
			    const struct regs *out)
{
	uint64_t flags = in->before.rflags ^ out->rflags;

	for (unsigned int r = 0; r < 16; r++) {
		uint64_t diff = in->before.r[r] ^ out->r[r];

		ASSERT(!(diff & ~changes(i, r)) && (times || !diff));
	}
	ASSERT(!(flags & ~(uint64_t)(RFLAGS_STATUS | RFLAGS_RF)) && (times || !flags));
	ASSERT(!(flags & out->rflags & RFLAGS_RF));
	ASSERT(!is_string(i) || !(flags & RFLAGS_STATUS));
	ASSERT(out->rip == in->after.rip);
	if (out->rip != in->before.rip)
		ASSERT((uint32_t)(out->rip - in->before.rip) == i->len && times);
	else
		ASSERT(!times || repeats(i));
	if (repeats(i))
		ASSERT(((in->before.r[RCX] - out->r[RCX]) & low_bytes(i->addrsize)) ==
		       (uint64_t)times);
}

/* A host that does not lie about the registers that say how far it came. */
static void make_honest(struct input *in, const struct emulated *e)
{
	const struct decode_insn *i = &e->insn;
	unsigned int times = in->times % (e->times + 1u);
	uint64_t by = (uint64_t)(in->before.rflags & RFLAGS_DF ? -1 : 1) * times * i->memsize;

	if (in->honest & 1)
		in->after.rip = in->before.rip + (in->honest & 2 ? i->len : 0);
	if (i->mode != DECODE_64 && in->honest & 1 && in->honest & 2)
		in->after.rip = (uint32_t)in->after.rip;
	if (!is_string(i) || !(in->honest & 4))
		return;
	in->after.r[RCX] = in->before.r[RCX] - times;
	in->after.r[RSI] = in->before.r[RSI] + by;
	in->after.r[RDI] = in->before.r[RDI] + by;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum decode_mode modes[] = {DECODE_16, DECODE_32, DECODE_64};
	struct decode_insn insn;
	struct emulated e;
	struct input in;
	struct regs out;
	int err, times;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	if (decode(in.code, sizeof(in.code), modes[in.mode % 3], &insn))
		return 0;
	if (insn.mode != DECODE_64)
		in.before.rip = (uint32_t)in.before.rip;
	err = emulated_prepare(&insn, &in.before, in.base, &e);
	ASSERT(!err || err == ERR_NOSYS || err == ERR_BUSY);
	ASSERT(err != ERR_BUSY || repeats(&insn));
	if (err)
		return 0;
	ASSERT(e.times >= 1 && (e.times == 1 || repeats(&insn)));
	make_honest(&in, &e);
	times = emulated_accept(&e, &in.before, &in.after, &out);
	ASSERT(times == ERR_PERM || (times >= 0 && times <= e.times));
	if (times < 0)
		return 0;
	check_registers(&insn, &in, times, &out);
	check_ranges(&e, (unsigned int)times);
	return 0;
}
