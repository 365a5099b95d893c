/* SPDX-License-Identifier: Apache-2.0 */
/* AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags, for pages and whatever else. */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include "crypto/crypto.h"

#define CRYPTO_KEY_BYTES 32

/*
 * An expanded key, 768 bytes of the caller's. It points into itself: never copy or move it. Constant
 * after crypto_key_init(), so that any number of CPUs may use it at once. Ends with crypto_wipe().
 */
struct crypto_key {
	_Alignas(16) uint8_t state[768];
};

struct crypto_nonce {
	uint8_t b[12];
};

struct crypto_tag {
	uint8_t b[16];
};

/*
 * The nonce of the counter-th thing that is sealed in a domain under one key. No (domain, counter) may
 * come twice under a key: GCM then loses its secret. What is sealed in one domain does not open in
 * another, since its nonce is another (R5).
 */
static inline struct crypto_nonce crypto_nonce(uint32_t domain, uint64_t counter)
{
	struct crypto_nonce n;

	__builtin_memcpy(n.b, &domain, sizeof(domain));
	__builtin_memcpy(n.b + sizeof(domain), &counter, sizeof(counter));
	return n;
}

/* Expands key, which the caller may then wipe. */
void crypto_key_init(struct crypto_key *key, const uint8_t bytes[CRYPTO_KEY_BYTES]);

/*
 * Encrypts len bytes (below 2^36) from src to dst, the same place or disjoint ones, and gives the tag
 * over them and the associated data ad (ad_len bytes, 0 allowed). Until it returns, nobody else may be
 * able to write to dst: the tag would vouch for what they wrote.
 */
void crypto_seal(const struct crypto_key *key, const struct crypto_nonce *nonce, const void *ad,
		 size_t ad_len, void *dst, const void *src, size_t len, struct crypto_tag *tag);

/*
 * The reverse: 0, or CRYPTO_ERR_TAG with dst untouched, for the tag is verified before the first
 * byte is decrypted. src is read twice: until it returns, nobody else may be able to write to src.
 */
int crypto_open(const struct crypto_key *key, const struct crypto_nonce *nonce, const void *ad,
		size_t ad_len, void *dst, const void *src, size_t len, const struct crypto_tag *tag)
	__attribute__((warn_unused_result));

#endif
