/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/random.h"

#define RESEED_AFTER 1024 /* requests; SP 800-90A allows 2^48 */
#define CHUNK_WORDS 64

/* Reads, tests and absorbs words of the source; the first ones instantiate. */
static int absorb(struct random *r, unsigned int words, bool first)
{
	uint64_t chunk[CHUNK_WORDS];
	int err = 0;

	for (unsigned int n; words && !err; words -= n) {
		n = words < CHUNK_WORDS ? words : CHUNK_WORDS;
		for (unsigned int i = 0; i < n && !err; i++)
			if (!r->source->read(&chunk[i]) || !health_feed(&r->health, chunk[i]))
				err = CRYPTO_ERR_SOURCE;
		if (!err && first)
			hmac_drbg_init(&r->drbg, chunk, n * sizeof(*chunk));
		else if (!err)
			hmac_drbg_reseed(&r->drbg, chunk, n * sizeof(*chunk));
		first = false;
	}
	crypto_wipe(chunk, sizeof(chunk));
	return err;
}

/* Costs nothing and may help where several machines draw from one source; counts as no entropy. */
static void absorb_clock(struct random *r)
{
	uint64_t clock = __builtin_ia32_rdtsc();

	hmac_drbg_reseed(&r->drbg, &clock, sizeof(clock));
}

int random_start(struct random *r, const struct random_source *source)
{
	unsigned int words = 3 * source->words_per_128;

	*r = (struct random){.source = source};
	health_init(&r->health);
	if (absorb(r, words > HEALTH_STARTUP ? words : HEALTH_STARTUP, true))
		return CRYPTO_ERR_SOURCE;
	absorb_clock(r);
	r->ready = true;
	return 0;
}

static int reseed_if_due(struct random *r)
{
	if (!r->ready || r->health.failed)
		return CRYPTO_ERR_SOURCE;
	if (r->requests < RESEED_AFTER)
		return 0;
	if (absorb(r, 2 * r->source->words_per_128, false))
		return CRYPTO_ERR_SOURCE;
	absorb_clock(r);
	r->requests = 0;
	return 0;
}

int random_read(struct random *r, void *out, size_t n)
{
	uint8_t *at = out;

	for (size_t left = n, part; left; left -= part, at += part) {
		if (reseed_if_due(r)) {
			crypto_wipe(out, n);
			return CRYPTO_ERR_SOURCE;
		}
		part = left < HMAC_DRBG_MAX ? left : HMAC_DRBG_MAX;
		hmac_drbg_generate(&r->drbg, at, part);
		r->requests++;
	}
	return 0;
}
