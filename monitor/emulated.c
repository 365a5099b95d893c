/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/emulated.h"

#include "monitor/arch.h"

#define BOTH (EMULATED_READ | EMULATED_WRITE)

/* The instructions that are let through, by enum decode_op. */
static const struct rule {
	uint8_t access; /* to memory if it is the first operand; else it is read */
	bool string;
	uint16_t flags; /* of RFLAGS; of BT* the defined one (APM vol. 3, chapter 3) */
} rules[OP_COUNT] = {
	[OP_MOV] = {EMULATED_WRITE, false, 0},
	[OP_MOVNTI] = {EMULATED_WRITE, false, 0},
	[OP_MOVZX] = {EMULATED_READ, false, 0},
	[OP_MOVSX] = {EMULATED_READ, false, 0},
	[OP_XCHG] = {BOTH, false, 0},
	[OP_CMPXCHG] = {BOTH, false, RFLAGS_STATUS},
	[OP_TEST] = {EMULATED_READ, false, RFLAGS_STATUS},
	[OP_ADD... OP_XOR] = {BOTH, false, RFLAGS_STATUS},
	[OP_CMP] = {EMULATED_READ, false, RFLAGS_STATUS},
	[OP_NOT] = {BOTH, false, 0},
	[OP_INC... OP_DEC] = {BOTH, false, RFLAGS_STATUS & ~RFLAGS_CF},
	[OP_BT] = {EMULATED_READ, false, RFLAGS_CF},
	[OP_BTS... OP_BTC] = {BOTH, false, RFLAGS_CF},
	[OP_INS] = {EMULATED_WRITE, true, 0},
	[OP_OUTS] = {EMULATED_READ, true, 0},
	[OP_LODS] = {EMULATED_READ, true, 0},
	[OP_STOS] = {EMULATED_WRITE, true, 0},
	[OP_MOVS] = {EMULATED_WRITE, true, 0},
};

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t low_bytes(unsigned int n)
{
	return UINT64_MAX >> (64 - 8 * n);
}

static const struct decode_mem *operand_of(const struct decode_insn *insn, unsigned int n)
{
	return n ? &insn->mem2 : &insn->mem;
}

/* F2 repeats those strings that compare nothing as F3 does. */
static bool repeats(const struct decode_insn *insn)
{
	return rules[insn->op].string && (insn->rep || insn->repne);
}

/* Elements of operand n that lie in its first page, before the index register wraps; at least 1. */
static uint64_t elements(const struct emulated *e, unsigned int n, const struct regs *regs)
{
	uint64_t mask = low_bytes(e->insn.addrsize), size = e->insn.memsize, room;
	uint64_t index = regs->r[operand_of(&e->insn, n)->base] & mask;
	uint64_t offset = page_offset(e->operand[n].at.a);

	if (offset + size > PAGE_SIZE)
		return 1;
	if (e->down)
		return least(offset, index) / size + 1;
	room = least(PAGE_SIZE - 1 - offset, mask - index) + 1;
	return room < size ? 1 : room / size;
}

int emulated_prepare(const struct decode_insn *insn, const struct regs *regs,
		     const uint64_t seg_base[SEG_COUNT], struct emulated *e)
{
	const struct rule *rule = &rules[insn->op];
	uint64_t times = 1;

	if (!rule->access || !insn->has_mem)
		return ERR_NOSYS;
	if (repeats(insn))
		times = regs->r[RCX] & low_bytes(insn->addrsize);
	*e = (struct emulated){.insn = *insn, .down = regs->rflags & RFLAGS_DF};
	e->operand[0].access = insn->to_rm ? rule->access : EMULATED_READ;
	e->operand[1].access = insn->op == OP_MOVS ? EMULATED_READ : 0;
	for (unsigned int n = 0; n < 2 && e->operand[n].access; n++) {
		e->operand[n].at =
			decode_address(insn, operand_of(insn, n), regs->r, regs->rip, seg_base);
		if (repeats(insn))
			times = least(times, elements(e, n, regs));
	}
	e->times = (uint16_t)times;
	return times ? 0 : ERR_BUSY;
}

unsigned int emulated_ranges(const struct emulated *e, unsigned int times,
			     struct emulated_range range[EMULATED_RANGES])
{
	unsigned int count = 0, size = e->insn.memsize;

	ASSERT(times <= e->times);
	for (unsigned int n = 0; n < 2 && times && e->operand[n].access; n++) {
		uint64_t at = e->operand[n].at.a - (e->down ? (times - 1) * size : 0);

		for (uint64_t part, left = times * size; left; left -= part, at += part) {
			if (e->insn.mode != DECODE_64)
				at = (uint32_t)at;
			part = least(left, PAGE_SIZE - page_offset(at));
			range[count++] = (struct emulated_range){GVA(at), (uint16_t)part,
								 e->operand[n].access};
		}
	}
	return count;
}

/* A register after a write of its low bytes: one of 4 clears the rest. */
static uint64_t written(uint64_t old, unsigned int bytes, uint64_t value)
{
	uint64_t mask = low_bytes(bytes);

	return (bytes == 4 ? 0 : old & ~mask) | (value & mask);
}

/* Moves the strings' registers; false if the host moved them otherwise. */
static bool move_strings(const struct emulated *e, unsigned int times, const struct regs *after,
			 struct regs *out)
{
	uint64_t by = (uint64_t)times * e->insn.memsize, diff = 0;

	if (times && repeats(&e->insn))
		out->r[RCX] = written(out->r[RCX], e->insn.addrsize, out->r[RCX] - times);
	for (unsigned int n = 0; n < 2 && e->operand[n].access; n++) {
		uint8_t base = operand_of(&e->insn, n)->base;
		uint64_t *r = &out->r[base];

		if (times)
			*r = written(*r, e->insn.addrsize, e->down ? *r - by : *r + by);
		diff |= *r ^ after->r[base];
	}
	return !(diff & low_bytes(e->insn.addrsize));
}

/* Whether a register gets what was read. */
static bool has_result(const struct decode_insn *insn, const struct regs *after)
{
	if (insn->op == OP_CMPXCHG) /* rAX, and only if the comparison failed */
		return !(after->rflags & RFLAGS_ZF);
	return insn->op == OP_XCHG || (!insn->to_rm && insn->op != OP_CMP && insn->op != OP_OUTS);
}

/* Only as many bytes as memory gave are the host's, then they are extended. */
static void take_result(const struct decode_insn *insn, const struct regs *after, struct regs *out)
{
	uint8_t reg = insn->op == OP_CMPXCHG ? GPR_RAX : insn->reg;
	bool high = insn->reg_high && insn->op != OP_CMPXCHG;
	uint64_t value = after->r[reg] >> (high ? 8 : 0);
	unsigned int unused = 64 - 8 * insn->memsize;

	value <<= unused;
	value = insn->op == OP_MOVSX ? (uint64_t)((int64_t)value >> unused) : value >> unused;
	if (high)
		value = value << 8 | (out->r[reg] & 0xff);
	out->r[reg] = written(out->r[reg], high ? 2 : insn->opsize, value);
}

int emulated_accept(const struct emulated *e, const struct regs *before, const struct regs *after,
		    struct regs *out)
{
	const struct decode_insn *insn = &e->insn;
	uint64_t next = before->rip + insn->len, flags = rules[insn->op].flags;
	uint64_t mask = low_bytes(insn->addrsize), times;
	bool done;

	if (insn->mode != DECODE_64)
		next = (uint32_t)next;
	done = after->rip == next;
	if (!done && after->rip != before->rip)
		return ERR_PERM;
	times = done;
	if (repeats(insn)) {
		times = (before->r[RCX] - after->r[RCX]) & mask;
		if (times > e->times || (done && (after->r[RCX] & mask)))
			return ERR_PERM;
	}
	*out = *before;
	if (rules[insn->op].string && !move_strings(e, (unsigned int)times, after, out))
		return ERR_PERM;
	if (!times)
		return 0;
	if (has_result(insn, after))
		take_result(insn, after, out);
	out->rip = after->rip;
	out->rflags = (before->rflags & ~flags) | (after->rflags & flags);
	out->rflags &= after->rflags | ~(uint64_t)RFLAGS_RF;
	return (int)times;
}
