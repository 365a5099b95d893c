/* SPDX-License-Identifier: Apache-2.0 */
/* What races of two CPUs are made of: race.c. */
#ifndef ATTACK_L1_RACE_H
#define ATTACK_L1_RACE_H

#include "lib/random.h"
#include "tests/attack/l1/world.h"

extern struct random dice;

/*
 * CPU 1 stores two values into one word by turns: flip_at() has it begin, for `ticks` of the TSC, and
 * once at least. flip_count(): how often it has done so since.
 */
void flip_start(void);
void flip_at(uint64_t *at, uint64_t a, uint64_t b, uint64_t ticks);
uint64_t flip_count(void);
void flip_end(void);
void flip_stop(void);

/* Rounds, and what became of the guests in them. */
struct count {
	uint64_t rounds, ran, refused, stopped;
	uint64_t met; /* both CPUs were at it at the same time */
};

void count_round(struct count *c, struct vm *v, bool launched);

/*
 * Rounds are made until the attack has succeeded, or has failed in as many as are asked for. Above the
 * monitor that counts only if an eighth of these met at least, and if some guest ended as is asked for
 * here. How many meet is the emulator's host's to say, so rounds are added until enough have; if there
 * are too many of them judge_rounds() complains.
 */
enum { NEEDS_RAN = 1, NEEDS_STOPPED = 2, NEEDS_REFUSED = 4 };
bool more_rounds(const struct count *c, uint64_t rounds, unsigned needs);
void judge_rounds(const struct count *c, uint64_t rounds, unsigned needs);

#endif
