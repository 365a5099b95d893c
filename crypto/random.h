/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes: HMAC_DRBG, seeded and reseeded from a source that is tested all the time. */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include "crypto/health.h"
#include "crypto/hmac_drbg.h"

/* Where raw words come from. */
struct random_source {
	bool (*read)(uint64_t *word); /* false: none to be had, after patience */
	unsigned int words_per_128;   /* how many words hold 128 bits of entropy */
};

/* One generator. All is the functions' below; callers see to it that one CPU uses it at a time. */
struct random {
	const struct random_source *source;
	struct health health;
	struct hmac_drbg drbg;
	unsigned int requests; /* since it was seeded */
	bool ready;
};

/*
 * Reads at least HEALTH_STARTUP words and at least 384 bits of entropy (SP 800-90A, 10.1: 256 bits of
 * strength and a nonce), tests and absorbs them. Returns 0, or CRYPTO_ERR_SOURCE; then random_read()
 * gives nothing.
 */
int random_start(struct random *r, const struct random_source *source)
	__attribute__((warn_unused_result));

/*
 * Fills out with n bytes. Returns 0, or CRYPTO_ERR_SOURCE with out zeroed: it was not started, it has to
 * be reseeded and the source is dry (the next call tries again), or the source failed its health test
 * (every call fails from now on).
 */
int random_read(struct random *r, void *out, size_t n) __attribute__((warn_unused_result));

/* Starts the one that crypto_random() reads, from RDSEED or else RDRAND; crypto_init() calls it. */
int random_init(const char **why) __attribute__((warn_unused_result));
#endif
