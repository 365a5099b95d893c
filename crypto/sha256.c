/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's sha256.o (blocks and padding) and sha256-x86_64.o (the compression function). */
#include "crypto/sha256.h"

#include "crypto/openssl.h"
#include "crypto/simd.h"

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct crypto_sha256), "room for the state");
_Static_assert(SHA256_DIGEST_LENGTH == CRYPTO_SHA256_BYTES, "the digest's size");

static SHA256_CTX *state(struct crypto_sha256 *hash)
{
	return (SHA256_CTX *)(void *)hash->state;
}

void crypto_sha256_init(struct crypto_sha256 *hash)
{
	struct simd_area area;

	simd_save(&area);
	SHA256_Init(state(hash));
	simd_restore(&area);
}

void crypto_sha256_update(struct crypto_sha256 *hash, const void *data, size_t len)
{
	struct simd_area area;

	simd_save(&area);
	SHA256_Update(state(hash), data, len);
	simd_restore(&area);
}

void crypto_sha256_final(struct crypto_sha256 *hash, uint8_t digest[CRYPTO_SHA256_BYTES])
{
	struct simd_area area;

	simd_save(&area);
	SHA256_Final(digest, state(hash));
	OPENSSL_cleanse(hash, sizeof(*hash));
	simd_restore(&area);
}

void crypto_sha256(const void *data, size_t len, uint8_t digest[CRYPTO_SHA256_BYTES])
{
	struct crypto_sha256 hash;

	crypto_sha256_init(&hash);
	crypto_sha256_update(&hash, data, len);
	crypto_sha256_final(&hash, digest);
}
