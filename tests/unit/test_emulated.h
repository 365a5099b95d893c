/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions and registers for the tests of monitor/emulated.c; include after cmocka.h. */
#ifndef TESTS_TEST_EMULATED_H
#define TESTS_TEST_EMULATED_H

#include "monitor/arch.h"
#include "monitor/emulated.h"

#define RIP 0x1000u

static const uint64_t flat[SEG_COUNT];

static inline struct decode_insn insn_of(unsigned int mode, const char *hex)
{
	struct decode_insn insn;
	uint8_t bytes[DECODE_MAX];
	size_t n = 0;
	char *end;

	for (; *hex; hex = end)
		bytes[n++] = (uint8_t)strtoul(hex, &end, 16);
	assert_int_equal(decode(bytes, n, mode / 8, &insn), 0);
	return insn;
}

static inline struct emulated prepared(unsigned int mode, const char *hex, const struct regs *regs)
{
	struct decode_insn insn = insn_of(mode, hex);
	struct emulated e;

	assert_int_equal(emulated_prepare(&insn, regs, flat, &e), 0);
	return e;
}

/* Every register has another value; rAX, rCX, rSI, rDI as given. */
static inline struct regs regs_of(uint64_t rcx, uint64_t rsi, uint64_t rdi)
{
	struct regs regs = {.rip = RIP, .rflags = RFLAGS_FIXED | RFLAGS_IF};

	for (unsigned int i = 0; i < 16; i++)
		regs.r[i] = 0x1111111111111111u * i ^ 0x8070605040302010u;
	regs.r[RCX] = rcx;
	regs.r[RSI] = rsi;
	regs.r[RDI] = rdi;
	return regs;
}

/* What the host leaves when it changes all that it can, and RIP as if the instruction were done. */
static inline struct regs scrambled(const struct regs *before, const struct emulated *e)
{
	struct regs after;

	for (unsigned int i = 0; i < 16; i++)
		after.r[i] = ~before->r[i];
	after.rflags = ~before->rflags;
	after.rip = before->rip + e->insn.len;
	return after;
}

#endif
