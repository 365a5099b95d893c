/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HMAC over the compression function of OpenSSL's sha256-x86_64.o. Not BearSSL's, which is in the image
 * for the random generator: it costs four MSR accesses a call (crypto/bearssl.h), more than a sector's
 * hash, and its SHA-256 is portable C, several times slower. OpenSSL's own needs its allocator and EVP.
 */
#include "crypto/hmac.h"

#include "crypto/openssl.h"
#include "crypto/simd.h"
#include "crypto/stack.h"

#define BLOCK 64u

_Static_assert(CRYPTO_SECTOR_BYTES % BLOCK == 0, "sectors are compressed where they are");

/* SHA-256's last block of `bytes` in all, the padded key's included: FIPS 180-4, 5.1.1. */
union block {
	uint8_t b[BLOCK];
	uint32_t w[BLOCK / 4];
	uint64_t q[BLOCK / 8];
};

static void end(union block *last, size_t used, uint64_t bytes)
{
	last->b[used] = 0x80;
	last->q[7] = __builtin_bswap64(bytes * 8);
}

static void big_endian(uint32_t out[8], const uint32_t state[8])
{
	for (unsigned int i = 0; i < 8; i++)
		out[i] = __builtin_bswap32(state[i]);
}

/* The outer hash over the inner one's result, both as big-endian words. Registers are the caller's. */
static void outer(const struct crypto_hmac *k, union block *digest, uint32_t out[8])
{
	end(digest, CRYPTO_SHA256_BYTES, BLOCK + CRYPTO_SHA256_BYTES);
	__builtin_memcpy(out, k->outer, sizeof(k->outer));
	sha256_block_data_order(out, digest, 1);
	big_endian(out, out);
}

/* The state after the key's block, each byte of which has been XORed with pad. */
static void after_key(uint32_t state[8], const union block *key, uint8_t pad)
{
	union block padded;
	SHA256_CTX ctx;

	for (unsigned int i = 0; i < BLOCK; i++)
		padded.b[i] = key->b[i] ^ pad;
	SHA256_Init(&ctx);
	__builtin_memcpy(state, ctx.h, sizeof(ctx.h));
	sha256_block_data_order(state, &padded, 1);
	OPENSSL_cleanse(&padded, sizeof(padded));
}

void crypto_hmac_init(struct crypto_hmac *k, const void *key, size_t len)
{
	union block block = {{0}};
	struct simd_area area;

	if (len > BLOCK)
		crypto_sha256(key, len, block.b);
	else if (len)
		__builtin_memcpy(block.b, key, len);
	simd_save(&area);
	after_key(k->inner, &block, 0x36);
	after_key(k->outer, &block, 0x5c);
	simd_restore(&area);
	crypto_wipe(&block, sizeof(block));
	stack_wipe();
}

void crypto_hmac_start(struct crypto_hmac_stream *s, const struct crypto_hmac *k)
{
	SHA256_CTX *ctx = (SHA256_CTX *)(void *)&s->hash;

	crypto_sha256_init(&s->hash);
	__builtin_memcpy(ctx->h, k->inner, sizeof(ctx->h));
	ctx->Nl = BLOCK * 8;
	s->key = k;
}

void crypto_hmac_update(struct crypto_hmac_stream *s, const void *data, size_t len)
{
	crypto_sha256_update(&s->hash, data, len);
}

void crypto_hmac_final(struct crypto_hmac_stream *s, uint8_t out[CRYPTO_HMAC_BYTES])
{
	union block digest = {{0}};
	struct simd_area area;
	uint32_t tag[8];

	crypto_sha256_final(&s->hash, digest.b);
	simd_save(&area);
	outer(s->key, &digest, tag);
	simd_restore(&area);
	__builtin_memcpy(out, tag, sizeof(tag));
	crypto_wipe(&digest, sizeof(digest));
	crypto_wipe(tag, sizeof(tag));
}

void crypto_hmac(const struct crypto_hmac *k, const void *a, size_t a_len, const void *b,
		 size_t b_len, uint8_t out[CRYPTO_HMAC_BYTES])
{
	struct crypto_hmac_stream s;

	crypto_hmac_start(&s, k);
	crypto_hmac_update(&s, a, a_len);
	crypto_hmac_update(&s, b, b_len);
	crypto_hmac_final(&s, out);
}

void crypto_hmac_sectors(const struct crypto_hmac *k, uint64_t sector, const void *data,
			 size_t sectors, uint8_t (*tags)[CRYPTO_SECTOR_TAG_BYTES])
{
	union block last = {{0}}, digest = {{0}};
	const uint8_t *at = data;
	struct simd_area area;
	uint32_t state[8];

	end(&last, sizeof(sector), BLOCK + CRYPTO_SECTOR_BYTES + sizeof(sector));
	simd_save(&area);
	for (size_t i = 0; i < sectors; i++, at += CRYPTO_SECTOR_BYTES) {
		last.q[0] = sector + i;
		__builtin_memcpy(state, k->inner, sizeof(state));
		sha256_block_data_order(state, at, CRYPTO_SECTOR_BYTES / BLOCK);
		sha256_block_data_order(state, &last, 1);
		big_endian(digest.w, state);
		outer(k, &digest, state);
		__builtin_memcpy(tags[i], state, CRYPTO_SECTOR_TAG_BYTES);
	}
	simd_restore(&area);
	crypto_wipe(&digest, sizeof(digest));
	crypto_wipe(state, sizeof(state));
}
