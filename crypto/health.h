/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health tests of a source of random 64-bit words, after NIST SP 800-90B, 4.4: fed with each word before
 * it is used. The source is RDSEED or RDRAND, whose words should be perfect; half of that is assumed,
 * 32 bits a word. A false alarm has a probability of about 2^-40 at most for each word or window.
 */
#ifndef CRYPTO_HEALTH_H
#define CRYPTO_HEALTH_H

#include "crypto/crypto.h"

#define HEALTH_STARTUP 1024 /* words to see before the source may be used: SP 800-90B, 4.3 */

struct health {
	uint64_t last;         /* repetition count: the word seen last, and how often in a row */
	unsigned int repeated; /* 0 before the first word */
	uint64_t first; /* adaptive proportion: the window's first word, how often, of how many */
	unsigned int equal;
	unsigned int seen;
	unsigned int ones; /* bits set in how many words: the same for single bits */
	unsigned int words;
	bool failed; /* for good */
};

void health_init(struct health *h);

/* Takes one word; false from the first failure on. */
bool health_feed(struct health *h, uint64_t word) __attribute__((warn_unused_result));

#endif
