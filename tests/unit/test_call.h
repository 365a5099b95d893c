/* SPDX-License-Identifier: Apache-2.0 */
/* A program in L1 that makes hypercalls: registers in, registers out. */
#ifndef TESTS_TEST_CALL_H
#define TESTS_TEST_CALL_H

#include "monitor/call.h"
#include "tests/unit/test_machine.h"

#define CPUS 3u
#define UNTOUCHED 0x5a5a5a5a5a5a5a5au
#define ROOT 0x200000u
#define TABLES 0x300000u /* of L1's paging: four, one a level */
#define GUESTS 0x400000u /* pages that guests get */

static uint64_t before[16]; /* the registers of the last call */

static inline const uint64_t *call(uint64_t function, uint64_t rdx, uint64_t rsi)
{
	struct exit exit = {.reason = EXIT_HYPERCALL};
	uint64_t *r = cpu->regs.r;

	code(hw_hypercall_insn, sizeof(hw_hypercall_insn));
	for (unsigned int i = 0; i < 16; i++)
		r[i] = UNTOUCHED + i;
	r[RAX] = HYPERCALL_MAGIC;
	r[RCX] = function;
	r[RDX] = rdx;
	r[RSI] = rsi;
	memcpy(before, r, sizeof(before));
	leave(&exit);
	expect_done(3);
	return r;
}

/* All registers but RAX and those of the mask are as they were. */
static inline void expect_unchanged_but(unsigned int mask)
{
	for (unsigned int i = 0; i < 16; i++)
		if (i != RAX && !(mask >> i & 1))
			assert_int_equal(cpu->regs.r[i], before[i]);
}

static inline void expect_error(int64_t err)
{
	assert_int_equal(cpu->regs.r[RAX], (uint64_t)err);
	expect_unchanged_but(0);
}

#define R(n) (1u << (n))

#define ADDRESS 0x7f0012345000u /* where a program in L1 has mapped a page */
#define PRESENT 1u
#define USER 4u

static inline void map_at(uint64_t va, uint64_t hpa, unsigned int rights)
{
	for (unsigned int level = 4; level; level--) {
		uint64_t at = TABLES + (4 - level) * PAGE_SIZE;
		uint64_t next = level > 1 ? (at + PAGE_SIZE) | 7 : hpa | rights;

		*(uint64_t *)fake_at(HPA(at + (va >> (9 * level) & 0xff8)), 8) = next;
	}
}

/* L1's CPU runs a program in 64-bit mode that has mapped this page at ADDRESS, and its code. */
static inline void map(uint64_t hpa, unsigned int rights)
{
	struct walk_space *space = &cpu->hw->space;

	space->cr0 = CR0_PG | CR0_PE | CR0_WP;
	space->cr3 = TABLES;
	space->cr4 = CR4_PAE;
	space->efer = EFER_LMA | EFER_LME | EFER_NXE;
	space->cpl = 3;
	map_at(CODE, CODE, PRESENT | USER);
	map_at(ADDRESS, hpa, rights);
}

#define WRITABLE 2u

#endif
