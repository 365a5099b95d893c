/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/health.h"

/* 4.4.1: 1 + ceil(40 / 32). AMD's RDRAND that gives all ones for ever after a resume ends here. */
#define REPEAT_LIMIT 3

/* 4.4.2: window for samples that are not binary; twice more in it has a probability of 2^-47. */
#define WINDOW 512
#define EQUAL_LIMIT 3

/*
 * 4.4.2 for samples of one bit, where 0.9 bit each is assumed: the bit that is more frequent may come 660
 * times in 1024. With perfect bits that fails once in 2^66 windows.
 */
#define BIT_WINDOW_WORDS 16
#define BIT_LIMIT 661

void health_init(struct health *h)
{
	*h = (struct health){0};
}

static bool repetition_count(struct health *h, uint64_t word)
{
	if (h->repeated && word == h->last)
		h->repeated++;
	else
		h->repeated = 1;
	h->last = word;
	return h->repeated < REPEAT_LIMIT;
}

static bool adaptive_proportion(struct health *h, uint64_t word)
{
	if (!h->seen) {
		h->first = word;
		h->equal = 0;
	}
	h->equal += word == h->first;
	h->seen = (h->seen + 1) % WINDOW;
	return h->equal < EQUAL_LIMIT;
}

/* Takes as long for any word: it is going to be a secret. */
static unsigned int count_ones(uint64_t word)
{
	word -= word >> 1 & 0x5555555555555555;
	word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
	word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
	return (unsigned int)(word * 0x0101010101010101 >> 56);
}

static bool bit_proportion(struct health *h, uint64_t word)
{
	unsigned int ones;

	h->ones += count_ones(word);
	if (++h->words < BIT_WINDOW_WORDS)
		return true;
	ones = h->ones;
	h->ones = h->words = 0;
	return ones < BIT_LIMIT && BIT_WINDOW_WORDS * 64 - ones < BIT_LIMIT;
}

bool health_feed(struct health *h, uint64_t word)
{
	bool good = repetition_count(h, word);

	good &= adaptive_proportion(h, word);
	good &= bit_proportion(h, word);
	h->failed |= !good;
	return !h->failed;
}
