/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest that is attacked, and what L1 and it agree on. It has a secret that it makes itself after its
 * first entry, pages of data that only it can compute, and pages that L1 gave it content for. The same
 * program serves as an accomplice, a guest that L1 owns. All it says to L1 is in one shared page;
 * it comes out by port I/O with its registers cleared.
 */
#ifndef ATTACK_L1_VICTIM_H
#define ATTACK_L1_VICTIM_H

#include "ept/base.h"

/* Guest-physical, and by its own tables guest-virtual, addresses. */
#define GUEST_TABLES 0x600000u
#define GUEST_DATA 0x800000u
#define GUEST_GIVEN 0x900000u
#define GUEST_MORE 0x40000000u    /* more pages, if the attack gives it any: hashed, not written */
#define GUEST_SHARED 0xfeffc000u  /* monitor/layout.c: LAYOUT_SPECIAL */
#define GUEST_SHARED2 0xfeff8000u /* the same; mapped by some attacks only */
#define GUEST_HIGH 0x8000000000u  /* 512 GiB: 2 MiB that its tables reach */
#define TABLE_PAGES 8
#define DATA_PAGES 8
#define GIVEN_PAGES 4

#define PAGE_WORDS 512
#define SECRET_WORDS 8
#define SECRET_AT 0x340u /* in the first data page */
#define OUT_WORDS 64
#define SECRET_WINDOW (SECRET_AT & ~(uint64_t)(OUT_WORDS * 8 - 1)) /* what one READ covers */

#define SIGNAL_PORT 0x5a5a
#define STRING_PORT 0x5a5c
#define HOLD_PORT 0x5a5e

enum command {
	VICTIM_START = 1,  /* makes secret and data. argument[0]: the CPU has RDRAND */
	VICTIM_CHECK,      /* reply: 0 if nothing has changed, or which page (below) */
	VICTIM_WRITE,      /* new content for data page argument[0] */
	VICTIM_COPY,       /* 8 bytes by MOVSQ, from argument[0] to argument[1] */
	VICTIM_LOAD,       /* reply: 8 bytes at argument[0], by guest_load */
	VICTIM_READ,       /* out[]: what is at argument[0] */
	VICTIM_POKE,       /* argument[1] goes to argument[0] */
	VICTIM_SPIN,       /* counts spins until the TSC is argument[0] */
	VICTIM_SPIN_READ,  /* READ, until stop; spins counts */
	VICTIM_SPIN_CHECK, /* CHECK, until stop or a change */
	VICTIM_OUTS,       /* REP OUTSB of argument[1] bytes at argument[0] */
	VICTIM_INS,     /* REP INSB the same, into a data page; then CHECK of what is around it */
	VICTIM_PORTS,   /* IN from argument[1] ports from argument[0] on; then a hypercall */
	VICTIM_FLAG,    /* reply: victim_flag */
	VICTIM_SET_TPR, /* argument[0] goes to CR8 */
	VICTIM_HOLD, /* OUT to HOLD_PORT with the secret in registers; reply: whether they are as they were */
	VICTIM_SPIN_HOLD, /* the same, but it counts spins until stop instead of the OUT */
	VICTIM_KEEP, /* argument[0] times: the secret in x87 to AVX (argument[1]: has AVX), debug registers, MSRs,
			and OUT to HOLD_PORT; reply: a bit for each of these that was changed */
	VICTIM_START_UP, /* INIT and a start-up IPI for vector argument[0] to APIC 1, by stores of 2 bytes */
};

/* What VICTIM_CHECK finds changed: the number of a page plus one of these. */
enum { CHANGED_DATA = 1, CHANGED_GIVEN = 100 };

struct shared {
	uint64_t command, argument[2], reply;
	uint64_t check[SECRET_WORDS]; /* check_of() the secret's words */
	uint64_t spins, stop;         /* in that order: victim.c */
	uint64_t out[OUT_WORDS];
};

static inline uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* What the victim tells of a word of its secret, so that an attacker knows when it has got it. */
static inline uint64_t check_of(uint64_t word)
{
	return (mix(word) ^ mix(~word) * 3) | 1;
}

/* Linked to the addresses at which the guest has them; L1 copies [victim_image, victim_end). */
extern uint8_t victim_image[], victim_end[], victim_stack_end[];
extern volatile uint64_t victim_flag;
extern const uint8_t victim_string_end[], victim_load_end[];
void victim_main(void);

/* Code of the victim's that tells its secret: what some attacks want to be run. */
void victim_tell(void);

#endif
