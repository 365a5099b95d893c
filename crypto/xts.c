/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's aesni-x86_64.o, which does one sector a call, tweak included. */
#include "crypto/xts.h"

#include "crypto/openssl.h"
#include "crypto/simd.h"

#define HALF 32u

struct expanded {
	AES_KEY encrypt;
	AES_KEY decrypt;
	AES_KEY tweak;
};

_Static_assert(sizeof(struct expanded) <= sizeof(struct crypto_xts), "room for the keys");

static const struct expanded *expanded(const struct crypto_xts *x)
{
	return (const struct expanded *)(const void *)x->state;
}

int crypto_xts_init(struct crypto_xts *x, const uint8_t key[CRYPTO_XTS_KEY_BYTES])
{
	struct expanded *e = (struct expanded *)(void *)x->state;
	struct simd_area area;

	crypto_wipe(x, sizeof(*x));
	if (crypto_equal(key, key + HALF, HALF))
		return CRYPTO_ERR_KEY;
	simd_save(&area);
	if (aesni_set_encrypt_key(key, HALF * 8, &e->encrypt) ||
	    aesni_set_decrypt_key(key, HALF * 8, &e->decrypt) ||
	    aesni_set_encrypt_key(key + HALF, HALF * 8, &e->tweak))
		__builtin_trap(); /* of null pointers or odd lengths: a bug of this file */
	simd_restore(&area);
	return 0;
}

void crypto_xts_encrypt(const struct crypto_xts *x, uint64_t sector, void *dst, const void *src,
			size_t sectors)
{
	const struct expanded *e = expanded(x);
	uint64_t number[2] = {sector, 0};
	const uint8_t *from = src;
	struct simd_area area;
	uint8_t *to = dst;

	simd_save(&area);
	for (; sectors; sectors--, number[0]++) {
		aesni_xts_encrypt(from, to, CRYPTO_SECTOR_BYTES, &e->encrypt, &e->tweak,
				  (const uint8_t *)number);
		from += CRYPTO_SECTOR_BYTES;
		to += CRYPTO_SECTOR_BYTES;
	}
	simd_restore(&area);
}

void crypto_xts_decrypt(const struct crypto_xts *x, uint64_t sector, void *dst, const void *src,
			size_t sectors)
{
	const struct expanded *e = expanded(x);
	uint64_t number[2] = {sector, 0};
	const uint8_t *from = src;
	struct simd_area area;
	uint8_t *to = dst;

	simd_save(&area);
	for (; sectors; sectors--, number[0]++) {
		aesni_xts_decrypt(from, to, CRYPTO_SECTOR_BYTES, &e->decrypt, &e->tweak,
				  (const uint8_t *)number);
		from += CRYPTO_SECTOR_BYTES;
		to += CRYPTO_SECTOR_BYTES;
	}
	simd_restore(&area);
}
