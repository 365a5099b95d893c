/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC_DRBG with SHA-256 (NIST SP 800-90A, 10.1.2): BearSSL's, with the CPU's state kept. No locking and
 * no counting: crypto/random.h does that.
 */
#ifndef CRYPTO_HMAC_DRBG_H
#define CRYPTO_HMAC_DRBG_H

#include "crypto/crypto.h"

#include <bearssl/bearssl_rand.h>

/* Bytes that one request may ask for (table 2 of SP 800-90A allows 65536). */
#define HMAC_DRBG_MAX 4096u

struct hmac_drbg {
	br_hmac_drbg_context state;
};

/* Instantiates with entropy input, nonce and personalization, one behind the other in seed. */
void hmac_drbg_init(struct hmac_drbg *d, const void *seed, size_t len);

/* Reseeds, with entropy input and additional input one behind the other in seed. */
void hmac_drbg_reseed(struct hmac_drbg *d, const void *seed, size_t len);

/* n is at most HMAC_DRBG_MAX. What was given out can not be found from the state afterwards. */
void hmac_drbg_generate(struct hmac_drbg *d, void *out, size_t n);

#endif
