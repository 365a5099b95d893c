/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4), over as many pieces as one likes. */
#ifndef CRYPTO_SHA256_H
#define CRYPTO_SHA256_H

#include "crypto/crypto.h"

#define CRYPTO_SHA256_BYTES 32

/* A hash under way; may be copied, to go on twice from one beginning. */
struct crypto_sha256 {
	uint64_t state[14];
};

void crypto_sha256_init(struct crypto_sha256 *hash);

/*
 * len may be anything; whole pages are fastest. Data that another CPU changes meanwhile gives the hash
 * of something that was never there: take the page first.
 */
void crypto_sha256_update(struct crypto_sha256 *hash, const void *data, size_t len);

/* Gives the digest and wipes the state. */
void crypto_sha256_final(struct crypto_sha256 *hash, uint8_t digest[CRYPTO_SHA256_BYTES]);

/* All in one. */
void crypto_sha256(const void *data, size_t len, uint8_t digest[CRYPTO_SHA256_BYTES]);

#endif
