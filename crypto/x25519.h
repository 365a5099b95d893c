/* SPDX-License-Identifier: Apache-2.0 */
/* X25519 (RFC 7748): two parties' shared secret, and a key's public half. */
#ifndef CRYPTO_X25519_H
#define CRYPTO_X25519_H

#include "crypto/crypto.h"

#define CRYPTO_X25519_BYTES 32

/*
 * Multiplies a peer's public key by ours, both as RFC 7748, 5 encodes them; any 32 random bytes are a
 * scalar. Returns 0, or CRYPTO_ERR_KEY with out zeroed if the peer chose a point that makes the secret
 * zero whatever the scalar (6.1). Takes as long for any scalar and any point. out is a secret to be
 * hashed with both public keys (HKDF), not a key.
 */
int crypto_x25519(uint8_t out[CRYPTO_X25519_BYTES], const uint8_t scalar[CRYPTO_X25519_BYTES],
		  const uint8_t point[CRYPTO_X25519_BYTES]) __attribute__((warn_unused_result));

/* The public key that belongs to scalar. */
void crypto_x25519_public(uint8_t out[CRYPTO_X25519_BYTES],
			  const uint8_t scalar[CRYPTO_X25519_BYTES]);

#endif
