/* SPDX-License-Identifier: Apache-2.0 */
/* A decoded instruction as one line of text, for tables and messages. */
#ifndef TESTS_TEST_DECODE_TEXT_H
#define TESTS_TEST_DECODE_TEXT_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "monitor/decode.h"

#define DECODE_TEXT_MAX 160

static const char *const decode_op_names[OP_COUNT] = {
#define X(name) #name,
	DECODE_OPS(X)
#undef X
};

static inline void decode_text_add(char *text, const char *word)
{
	size_t n = strlen(text);

	snprintf(text + n, DECODE_TEXT_MAX - n, "%s%s", n ? " " : "", word);
}

static inline void decode_text_reg(char *text, uint8_t reg, bool high)
{
	char word[16];

	snprintf(word, sizeof(word), "r%u%s", reg, high ? "h" : "");
	decode_text_add(text, word);
}

/* [segment:base+index*scale+displacement], all numbers, disp in signed hexadecimal. */
static inline void decode_text_mem(char *text, const struct decode_mem *m)
{
	static const char segs[][3] = {"es", "cs", "ss", "ds", "fs", "gs"};
	char word[64], *p = word, *end = word + sizeof(word);

	p += snprintf(p, end - p, "[%s", segs[m->seg]);
	if (m->rip)
		p += snprintf(p, end - p, "+rip");
	if (m->base != GPR_NONE)
		p += snprintf(p, end - p, "+r%u", m->base);
	if (m->index != GPR_NONE)
		p += snprintf(p, end - p, "+r%u*%u", m->index, 1u << m->shift);
	if (m->disp)
		p += snprintf(p, end - p, "%c%" PRIx64, m->disp < 0 ? '-' : '+',
			      m->disp < 0 ? 0 - (uint64_t)m->disp : (uint64_t)m->disp);
	snprintf(p, end - p, "]");
	decode_text_add(text, word);
}

/* Operations whose reg, or mem-or-rm, is an operand. */
static inline bool decode_text_has_reg(const struct decode_insn *i)
{
	if (i->has_imm || i->op == OP_INVLPG || (i->op >= OP_NOT && i->op <= OP_DEC))
		return false;
	return (i->op >= OP_MOV_TO_CR && i->op <= OP_MOV_FROM_DR) || i->op == OP_INVPCID ||
	       (i->op >= OP_MOV && i->op <= OP_STOS);
}

static inline bool decode_text_has_rm(const struct decode_insn *i)
{
	return i->op >= OP_MOV_TO_CR && i->op < OP_LODS;
}

static inline void decode_text_operand(char *text, const struct decode_insn *i, bool rm)
{
	char word[32];

	if (rm && i->has_mem)
		decode_text_mem(text, &i->mem);
	else if (rm && decode_text_has_rm(i))
		decode_text_reg(text, i->rm, i->rm_high);
	if (rm)
		return;
	if (decode_text_has_reg(i))
		decode_text_reg(text, i->reg, i->reg_high);
	if (!i->has_imm)
		return;
	snprintf(word, sizeof(word), "$%" PRIx64, i->imm);
	decode_text_add(text, word);
}

/*
 * "OP size/address [mSIZE] [lock] [rep|repne] operands", first operand first. For example
 * "MOV 4/8 r1 [ds+r0+10]"; m: bytes accessed, where they are not the operand's.
 */
static inline void decode_text(char text[DECODE_TEXT_MAX], const struct decode_insn *i)
{
	char word[32];

	snprintf(text, DECODE_TEXT_MAX, "%s", decode_op_names[i->op]);
	snprintf(word, sizeof(word), "%u/%u", i->opsize, i->addrsize);
	decode_text_add(text, word);
	if (i->has_mem && i->memsize != i->opsize) {
		snprintf(word, sizeof(word), "m%u", i->memsize);
		decode_text_add(text, word);
	}
	if (i->lock)
		decode_text_add(text, "lock");
	if (i->rep || i->repne)
		decode_text_add(text, i->rep ? "rep" : "repne");
	decode_text_operand(text, i, i->to_rm);
	decode_text_operand(text, i, !i->to_rm);
	if (i->op == OP_MOVS)
		decode_text_mem(text, &i->mem2);
}

#endif
