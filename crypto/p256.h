/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA on P-256 (FIPS 186-4, 6) of SHA-256 digests, with RFC 6979's nonces: no random number to go wrong; and ECDH on the
 * same curve (SP 800-56A, 5.7.1.2).
 */
#ifndef CRYPTO_P256_H
#define CRYPTO_P256_H

#include "crypto/crypto.h"

#define CRYPTO_P256_KEY_BYTES 32
#define CRYPTO_P256_PUBLIC_BYTES 64    /* X and Y */
#define CRYPTO_P256_SIGNATURE_BYTES 64 /* r and s */

/*
 * The public key of a private one; all numbers here are big-endian. Returns 0, or CRYPTO_ERR_KEY with out zeroed if the
 * key is 0 or not below the group's order: of random ones, one in 2^32.
 */
int crypto_p256_public(uint8_t out[CRYPTO_P256_PUBLIC_BYTES],
		       const uint8_t key[CRYPTO_P256_KEY_BYTES])
	__attribute__((warn_unused_result));

/* Signs a SHA-256 digest with a key that has a public half. Takes as long for any such key. */
void crypto_p256_sign(uint8_t out[CRYPTO_P256_SIGNATURE_BYTES],
		      const uint8_t key[CRYPTO_P256_KEY_BYTES], const uint8_t digest[32]);

/*
 * X of a peer's public key multiplied by ours, which has a public half. Returns 0, or CRYPTO_ERR_KEY with out zeroed if the peer's is
 * no point of the curve. A secret to be hashed, not a key.
 */
int crypto_p256_shared(uint8_t out[CRYPTO_P256_KEY_BYTES], const uint8_t key[CRYPTO_P256_KEY_BYTES],
		       const uint8_t peer[CRYPTO_P256_PUBLIC_BYTES])
	__attribute__((warn_unused_result));

#endif
