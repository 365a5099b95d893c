/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BearSSL's ec_p256_m31.o and ecdsa_i31_sign_raw.o, with the big integers of 31-bit words that it calls: all without
 * branches or addresses that depend on secrets. The curves 384 and 521 come along as constants that it names.
 */
#include "crypto/p256.h"

#include <bearssl/bearssl_ec.h>

#include "crypto/bearssl.h"

/* Whether 0 < key < order, in the same time for any key. BearSSL multiplies by anything. */
static bool in_range(const uint8_t key[CRYPTO_P256_KEY_BYTES])
{
	const uint8_t *order;
	unsigned int borrow = 0, any = 0;
	size_t n;

	order = br_ec_p256_m31.order(BR_EC_secp256r1, &n);
	for (size_t i = CRYPTO_P256_KEY_BYTES; i-- > 0;) {
		borrow = ((unsigned int)key[i] - order[i] - borrow) >> 31;
		any |= key[i];
	}
	return borrow && any;
}

int crypto_p256_public(uint8_t out[CRYPTO_P256_PUBLIC_BYTES],
		       const uint8_t key[CRYPTO_P256_KEY_BYTES])
{
	uint8_t point[1 + CRYPTO_P256_PUBLIC_BYTES]; /* SEC 1, 2.3.3: 04, then X and Y */
	struct bearssl_outside outside;
	bool good;
	size_t n;

	bearssl_enter(&outside);
	good = in_range(key);
	n = br_ec_p256_m31.mulgen(point, key, CRYPTO_P256_KEY_BYTES, BR_EC_secp256r1);
	bearssl_leave(&outside);
	if (n != sizeof(point))
		__builtin_trap(); /* another curve: a bug of this file */
	if (!good)
		crypto_wipe(point, sizeof(point));
	__builtin_memcpy(out, point + 1, CRYPTO_P256_PUBLIC_BYTES);
	return good ? 0 : CRYPTO_ERR_KEY;
}

void crypto_p256_sign(uint8_t out[CRYPTO_P256_SIGNATURE_BYTES],
		      const uint8_t key[CRYPTO_P256_KEY_BYTES], const uint8_t digest[32])
{
	uint8_t copy[CRYPTO_P256_KEY_BYTES];
	const br_ec_private_key private = {BR_EC_secp256r1, copy, sizeof(copy)};
	struct bearssl_outside outside;
	size_t n;

	__builtin_memcpy(copy, key, sizeof(copy)); /* BearSSL's type has no const */
	bearssl_enter(&outside);
	n = br_ecdsa_i31_sign_raw(&br_ec_p256_m31, &br_sha256_vtable, digest, &private, out);
	bearssl_leave(&outside);
	crypto_wipe(copy, sizeof(copy));
	if (n != CRYPTO_P256_SIGNATURE_BYTES)
		__builtin_trap(); /* a key without a public half: a bug of the caller's */
}

int crypto_p256_shared(uint8_t out[CRYPTO_P256_KEY_BYTES], const uint8_t key[CRYPTO_P256_KEY_BYTES],
		       const uint8_t peer[CRYPTO_P256_PUBLIC_BYTES])
{
	uint8_t point[1 + CRYPTO_P256_PUBLIC_BYTES] = {4};
	struct bearssl_outside outside;
	uint32_t good;

	__builtin_memcpy(point + 1, peer, CRYPTO_P256_PUBLIC_BYTES);
	bearssl_enter(&outside);
	good = br_ec_p256_m31.mul(point, sizeof(point), key, CRYPTO_P256_KEY_BYTES,
				  BR_EC_secp256r1);
	bearssl_leave(&outside);
	if (!good)
		crypto_wipe(point, sizeof(point));
	__builtin_memcpy(out, point + 1, CRYPTO_P256_KEY_BYTES);
	crypto_wipe(point, sizeof(point));
	return good ? 0 : CRYPTO_ERR_KEY;
}
