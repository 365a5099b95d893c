/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BearSSL's ec_c25519_m31.o: the fastest of what Debian's library has (the 64-bit ones came after its
 * release), in 4 KiB; OpenSSL's is fifteen times as large, with EVP. Its multiplications are of 32 bits to
 * 64, which take the same time for any operands on every CPU with AES-NI; it swaps by masks.
 */
#include "crypto/x25519.h"

#include <bearssl/bearssl_ec.h>

#include "crypto/bearssl.h"

/*
 * BearSSL's header says big-endian of scalars; this code takes them, as points, in RFC 7748's order, and
 * clamps them as 5 says. Tests and self-test have RFC 7748's vectors.
 */
static void multiply(uint8_t point[CRYPTO_X25519_BYTES], const uint8_t scalar[CRYPTO_X25519_BYTES])
{
	struct bearssl_outside outside;
	uint32_t good;

	bearssl_enter(&outside);
	good = br_ec_c25519_m31.mul(point, CRYPTO_X25519_BYTES, scalar, CRYPTO_X25519_BYTES,
				    BR_EC_curve25519);
	bearssl_leave(&outside);
	if (!good)
		__builtin_trap(); /* of another length than 32: a bug of this file */
}

int crypto_x25519(uint8_t out[CRYPTO_X25519_BYTES], const uint8_t scalar[CRYPTO_X25519_BYTES],
		  const uint8_t point[CRYPTO_X25519_BYTES])
{
	static const uint8_t zero[CRYPTO_X25519_BYTES];
	uint8_t product[CRYPTO_X25519_BYTES];
	bool good;

	__builtin_memcpy(product, point, sizeof(product));
	multiply(product, scalar);
	good = !crypto_equal(product, zero, sizeof(zero));
	__builtin_memcpy(out, product, sizeof(product));
	crypto_wipe(product, sizeof(product));
	return good ? 0 : CRYPTO_ERR_KEY;
}

void crypto_x25519_public(uint8_t out[CRYPTO_X25519_BYTES],
			  const uint8_t scalar[CRYPTO_X25519_BYTES])
{
	uint8_t product[CRYPTO_X25519_BYTES] = {9}; /* 4.1: the base point */

	multiply(product, scalar);
	__builtin_memcpy(out, product, sizeof(product));
}
