/* SPDX-License-Identifier: Apache-2.0 */
/* The GCM mode is OpenSSL's gcm128.o, over its AES-NI and PCLMULQDQ code. */
#include "crypto/seal.h"

#include "crypto/openssl.h"
#include "crypto/simd.h"

#define BLOCK 16u

struct expanded {
	AES_KEY aes;
	struct gcm gcm; /* after CRYPTO_gcm128_init(): copied for each message */
};

_Static_assert(sizeof(struct expanded) <= sizeof(struct crypto_key), "room for the key");

/* The compiler aligns the copy of struct gcm with the instructions that it may use: none but integer. */
static const struct expanded *expanded(const struct crypto_key *key)
{
	return (const struct expanded *)(const void *)key->state;
}

/* Lengths are within GCM's limits and calls in the right order, or this room has a bug. */
static void must(int err)
{
	if (err)
		__builtin_trap();
}

void crypto_key_init(struct crypto_key *key, const uint8_t bytes[CRYPTO_KEY_BYTES])
{
	struct expanded *e = (struct expanded *)(void *)key->state;
	struct simd_area area;

	simd_save(&area);
	must(aesni_set_encrypt_key(bytes, CRYPTO_KEY_BYTES * 8, &e->aes));
	CRYPTO_gcm128_init(gcm_context(&e->gcm), &e->aes, (block128_f)aesni_encrypt);
	simd_restore(&area);
}

static void start(struct gcm *gcm, const struct expanded *e, const struct crypto_nonce *nonce,
		  const void *ad, size_t ad_len)
{
	*gcm = e->gcm;
	CRYPTO_gcm128_setiv(gcm_context(gcm), nonce->b, sizeof(nonce->b));
	if (ad_len)
		must(CRYPTO_gcm128_aad(gcm_context(gcm), ad, ad_len));
}

void crypto_seal(const struct crypto_key *key, const struct crypto_nonce *nonce, const void *ad,
		 size_t ad_len, void *dst, const void *src, size_t len, struct crypto_tag *tag)
{
	struct simd_area area;
	struct gcm gcm;

	simd_save(&area);
	start(&gcm, expanded(key), nonce, ad, ad_len);
	must(CRYPTO_gcm128_encrypt_ctr32(gcm_context(&gcm), src, dst, len,
					 (ctr128_f)aesni_ctr32_encrypt_blocks));
	CRYPTO_gcm128_tag(gcm_context(&gcm), tag->b, sizeof(tag->b));
	OPENSSL_cleanse(&gcm, sizeof(gcm));
	simd_restore(&area);
}

/* Stands in for the counter mode while the ciphertext is only hashed. */
static void decrypt_nothing(const unsigned char *in, unsigned char *out, size_t blocks,
			    const void *key, const unsigned char ivec[16])
{
}

/* Counter mode begins with 2: SP 800-38D, 7.1, for 96-bit nonces. */
static void decrypt_blocks(const struct expanded *e, const struct crypto_nonce *nonce, void *dst,
			   const void *src, size_t blocks)
{
	uint8_t counter[BLOCK] = {[BLOCK - 1] = 2};

	__builtin_memcpy(counter, nonce->b, sizeof(nonce->b));
	if (blocks) /* none is not among the numbers that it understands */
		aesni_ctr32_encrypt_blocks(src, dst, blocks, &e->aes, counter);
}

int crypto_open(const struct crypto_key *key, const struct crypto_nonce *nonce, const void *ad,
		size_t ad_len, void *dst, const void *src, size_t len, const struct crypto_tag *tag)
{
	const struct expanded *e = expanded(key);
	const size_t rest = len % BLOCK, whole = len - rest;
	struct simd_area area;
	uint8_t last[BLOCK];
	struct gcm gcm;
	int err;

	simd_save(&area);
	start(&gcm, e, nonce, ad, ad_len);
	must(CRYPTO_gcm128_decrypt_ctr32(gcm_context(&gcm), src, dst, whole, decrypt_nothing));
	/* What is left of a block is decrypted with the hashing, here. */
	__builtin_memcpy(last, (const uint8_t *)src + whole, rest);
	must(CRYPTO_gcm128_decrypt_ctr32(gcm_context(&gcm), last, last, rest, decrypt_nothing));
	err = CRYPTO_gcm128_finish(gcm_context(&gcm), tag->b, sizeof(tag->b)) ? CRYPTO_ERR_TAG : 0;
	if (!err) {
		decrypt_blocks(e, nonce, dst, src, whole / BLOCK);
		__builtin_memcpy((uint8_t *)dst + whole, last, rest);
	}
	OPENSSL_cleanse(&gcm, sizeof(gcm));
	OPENSSL_cleanse(last, sizeof(last));
	simd_restore(&area);
	return err;
}
