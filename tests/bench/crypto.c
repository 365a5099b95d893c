/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What sealing, opening and hashing a page costs: the image's own objects, in a process of this machine,
 * beside OpenSSL's library, which may use AVX code that the monitor may not. The best of many rounds.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/features.h"
#include "crypto/hmac.h"
#include "crypto/openssl.h"
#include "crypto/seal.h"
#include "crypto/x25519.h"

#define PAGE 4096u
#define ROUNDS 200u
#define PAGES 200u /* a round */

static uint8_t page[PAGE], digest[64], random_bytes[32];
static struct crypto_key key;
static struct crypto_tag tag;
static struct crypto_xts xts;
static struct crypto_hmac hmac;
static EVP_CIPHER_CTX *ctx;
static const uint8_t key_bytes[32], ad[40];

static void fail(const char *what)
{
	fprintf(stderr, "bench/crypto: %s failed\n", what);
	exit(1);
}

static void seal(uint64_t i)
{
	struct crypto_nonce nonce = crypto_nonce(1, i);

	crypto_seal(&key, &nonce, ad, sizeof(ad), page, page, PAGE, &tag);
}

/* What was sealed in the round before: opened into another page, so that it can be done again. */
static void open_again(uint64_t i)
{
	static uint8_t to[PAGE];
	struct crypto_nonce nonce = crypto_nonce(2, 0);

	if (crypto_open(&key, &nonce, ad, sizeof(ad), to, page, PAGE, &tag))
		fail("opening");
}

static void hash(uint64_t i)
{
	crypto_sha256(page, PAGE, digest);
}

static void encrypt_sectors(uint64_t i)
{
	crypto_xts_encrypt(&xts, i, page, page, PAGE / CRYPTO_SECTOR_BYTES);
}

static void tag_sectors(uint64_t i)
{
	static uint8_t tags[PAGE / CRYPTO_SECTOR_BYTES][CRYPTO_SECTOR_TAG_BYTES];

	crypto_hmac_sectors(&hmac, i, page, PAGE / CRYPTO_SECTOR_BYTES, tags);
}

static void exchange(uint64_t i)
{
	crypto_x25519_public(digest, key_bytes);
}

static void key_setup(uint64_t i)
{
	crypto_key_init(&key, key_bytes);
}

static void draw(uint64_t i)
{
	if (crypto_random(random_bytes, sizeof(random_bytes)))
		fail("drawing");
}

static void evp_seal(uint64_t i)
{
	struct crypto_nonce nonce = crypto_nonce(1, i);
	int n;

	if (!EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, nonce.b) ||
	    !EVP_EncryptUpdate(ctx, NULL, &n, ad, sizeof(ad)) ||
	    !EVP_EncryptUpdate(ctx, page, &n, page, PAGE) || !EVP_EncryptFinal_ex(ctx, page, &n) ||
	    !EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, sizeof(tag.b), tag.b))
		fail("EVP_Encrypt");
}

static void evp_hash(uint64_t i)
{
	if (!EVP_Digest(page, PAGE, digest, NULL, EVP_sha256(), NULL))
		fail("EVP_Digest");
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void measure(const char *what, void (*fn)(uint64_t), unsigned int bytes)
{
	uint64_t best = UINT64_MAX, took;
	double start, best_time = 1e9, time;

	for (uint64_t round = 0; round < ROUNDS; round++) {
		start = seconds();
		took = __builtin_ia32_rdtsc();
		for (uint64_t i = 0; i < PAGES; i++)
			fn(round * PAGES + i);
		took = __builtin_ia32_rdtsc() - took;
		time = seconds() - start;
		best = took < best ? took : best;
		best_time = time < best_time ? time : best_time;
	}
	printf("%-34s %8lu TSC cycles", what, best / PAGES);
	if (bytes)
		printf("  %5.2f a byte  %7.0f MB/s", (double)best / PAGES / bytes,
		       (double)bytes * PAGES / best_time / 1e6);
	printf("\n");
}

#define SHA (1u << 29)

/* Lets the objects choose as they may, on a CPU like this one or one without SHA instructions. */
static void choose(enum features_may may, uint32_t without)
{
	struct features f = features_read();
	const char *why;

	f.leaf7_ebx &= ~without;
	if (features_choose(&f, may, OPENSSL_ia32cap_P, &why))
		fail(why);
}

/* What it costs that the monitor's code must leave AVX registers alone. */
static void measure_avx(void)
{
	struct crypto_nonce nonce = crypto_nonce(2, 0);

	choose(FEATURES_ANY, 0);
	crypto_key_init(&key, key_bytes); /* GHASH's tables differ */
	measure("crypto_seal, a page, AVX", seal, PAGE);
	crypto_seal(&key, &nonce, ad, sizeof(ad), page, page, PAGE, &tag);
	measure("crypto_open, a page, AVX", open_again, PAGE);
	choose(FEATURES_SSE, SHA);
	measure("crypto_sha256, a page, no SHA-NI", hash, PAGE);
	measure("crypto_hmac_sectors, no SHA-NI", tag_sectors, PAGE);
	choose(FEATURES_ANY, SHA);
	measure("crypto_sha256, a page, AVX2", hash, PAGE);
	measure("crypto_hmac_sectors, AVX2", tag_sectors, PAGE);
}

int main(void)
{
	static const uint8_t keys[CRYPTO_XTS_KEY_BYTES] = {1};
	struct crypto_nonce nonce = crypto_nonce(2, 0);
	const char *why;

	if (crypto_init(&why))
		fail(why);
	ctx = EVP_CIPHER_CTX_new();
	if (!ctx || !EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key_bytes, NULL))
		fail("EVP_EncryptInit");
	measure("crypto_key_init", key_setup, 0);
	measure("crypto_seal, a page", seal, PAGE);
	measure("  OpenSSL's library", evp_seal, PAGE);
	crypto_seal(&key, &nonce, ad, sizeof(ad), page, page, PAGE, &tag);
	measure("crypto_open, a page", open_again, PAGE);
	measure("crypto_sha256, a page", hash, PAGE);
	measure("  OpenSSL's library", evp_hash, PAGE);
	measure("crypto_random, 32 bytes", draw, 0);
	measure("crypto_x25519_public", exchange, 0);
	if (crypto_xts_init(&xts, keys))
		fail("expanding a key");
	crypto_hmac_init(&hmac, keys, sizeof(keys));
	measure("crypto_xts_encrypt, 8 sectors", encrypt_sectors, PAGE);
	measure("crypto_hmac_sectors, 8 sectors", tag_sectors, PAGE);
	measure_avx();
	return 0;
}
