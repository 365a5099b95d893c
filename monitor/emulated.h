/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instruction of a guest that L1's emulator is to carry out: one that touched device memory, or
 * string port I/O. Says which memory the emulator has to see, and which registers it may change; what
 * L1 left in all others is ignored.
 *
 * The steps: decode() the instruction, emulated_prepare(), show what emulated_ranges() says. When the
 * guest is entered again: emulated_accept(), then take the written ranges of as many times as that
 * says. That one of the ranges is where the exit was, and device memory, is for the caller to check.
 */
#ifndef MONITOR_EMULATED_H
#define MONITOR_EMULATED_H

#include "monitor/cpu.h"
#include "monitor/decode.h"

#define EMULATED_RANGES 4 /* two operands, each in one or two pages */

/* What the emulator does with an operand. */
enum emulated_access {
	EMULATED_READ = 1,
	EMULATED_WRITE = 2,
};

/* Part of an operand: 1..PAGE_SIZE bytes in one page. */
struct emulated_range {
	gva_t gva;
	uint16_t bytes;
	uint8_t access; /* enum emulated_access, or both */
};

struct emulated {
	struct decode_insn insn;
	bool down;      /* strings go to lower addresses (RFLAGS.DF) */
	uint16_t times; /* that it is done at most: 1, or with REP up to the end of a page */
	struct {
		gva_t at;       /* of the first element */
		uint8_t access; /* 0: no such operand */
	} operand[2];
};

/*
 * For the instruction at regs->rip, with the guest's own registers; seg_base in SEG_* order. A REP
 * is done as often as all elements lie in the pages of the first ones and the index registers do not
 * wrap, or once if an element straddles pages. Returns 0; ERR_NOSYS if the instruction has no memory
 * operand or is not one that drivers use on device memory: the guest cannot go on; ERR_BUSY if there
 * is nothing to be done (REP with a count of 0), so that the guest's own CPU is to try again.
 */
int emulated_prepare(const struct decode_insn *insn, const struct regs *regs,
		     const uint64_t seg_base[SEG_COUNT], struct emulated *e);

/*
 * What the emulator touches when it does the instruction `times` times, at most e->times: fills
 * range[] and returns how many there are. Not looked at: access rights, canonical form, limits.
 */
unsigned int emulated_ranges(const struct emulated *e, unsigned int times,
			     struct emulated_range range[EMULATED_RANGES]);

/*
 * The registers that the guest goes on with: from `after`, as the host left them, only what the
 * instruction writes, in its width; all else from `before`, as given to emulated_prepare(). Returns
 * how many times the instruction was done: 0 if not at all (RIP stays), e->times at most; or ERR_PERM
 * with *out undefined if RIP is elsewhere, or what strings move does not fit together.
 */
int emulated_accept(const struct emulated *e, const struct regs *before, const struct regs *after,
		    struct regs *out);

#endif
