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

typedef void xts_fn(const unsigned char *in, unsigned char *out, size_t len, const AES_KEY *key1,
		    const AES_KEY *key2, const unsigned char iv[16]);

/*
 * The number of the sector after is written before this one is worked on: stored at once before it is
 * loaded again, in another size, it would wait for the store; measured, a sixth of the speed.
 */
static void each(xts_fn *one, const AES_KEY *data, const AES_KEY *tweak, uint64_t sector, void *dst,
		 const void *src, size_t sectors)
{
	uint64_t number[2][2] = {{sector, 0}, {0, 0}};
	const uint8_t *from = src;
	struct simd_area area;
	uint8_t *to = dst;

	simd_save(&area);
	for (size_t i = 0; i < sectors; i++) {
		number[(i + 1) % 2][0] = sector + i + 1;
		one(from, to, CRYPTO_SECTOR_BYTES, data, tweak, (const uint8_t *)number[i % 2]);
		from += CRYPTO_SECTOR_BYTES;
		to += CRYPTO_SECTOR_BYTES;
	}
	simd_restore(&area);
}

void crypto_xts_encrypt(const struct crypto_xts *x, uint64_t sector, void *dst, const void *src,
			size_t sectors)
{
	const struct expanded *e = expanded(x);

	each(aesni_xts_encrypt, &e->encrypt, &e->tweak, sector, dst, src, sectors);
}

void crypto_xts_decrypt(const struct crypto_xts *x, uint64_t sector, void *dst, const void *src,
			size_t sectors)
{
	const struct expanded *e = expanded(x);

	each(aesni_xts_decrypt, &e->decrypt, &e->tweak, sector, dst, src, sectors);
}
