/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a victim has in its memory, as a function of a seed that is on its command line: no image and
 * no file has it in plain text. The attacker computes it too, to know what it has got.
 */
#ifndef ATTACK_PATTERN_H
#define ATTACK_PATTERN_H

#include <stdint.h>

enum {
	PATTERN_SECRET = 1000, /* kinds below are the numbers of data pages */
	PATTERN_EPOCH,         /* plus the beat */
};

/*
 * Where the victim has its secret's page and, behind it, its data pages: high in its memory, so that no
 * other small guest has anything at these gpas, and in a superpage.
 */
#define VICTIM_MEMORY 0x1400000u
#define SECRET_WORDS 8   /* of 64 bits */
#define SECRET_AT 0x340u /* bytes from the start of its page */
#define PAGE_WORDS 512

/*
 * Where the victim says that something else than a page has changed, as if these were pages: the registers that
 * hold its secret, its clock, and what interrupts it.
 */
enum {
	SIGN_GENERAL, /* RBX, RBP, R8, R9, R12 to R15 */
	SIGN_VECTOR,  /* XMM4 to XMM7 */
	SIGN_SYSTEM,  /* STAR, DR1, CR2 */
	SIGN_TIME,    /* the TSC went back */
	SIGN_EVENT,   /* an exception or interrupt, or code that it does not call */
};
#define VICTIM_SIGN(n) (0xf0000000u + (n)*0x1000u)

/* Word i of a page: splitmix64 of a number that names seed, kind and word. */
static inline uint64_t pattern(uint64_t seed, uint64_t kind, uint64_t i)
{
	uint64_t z = seed + (kind * PAGE_WORDS + i + 1) * 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

#endif
