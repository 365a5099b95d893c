/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/hpke.h against RFC 9180's vectors, and a second implementation out of OpenSSL's own library. */
#include "tests/unit/test_crypto.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "crypto/hosted/hpke_seal.h"

/* The RFC's test vectors (cfrg/draft-irtf-cfrg-hpke, test-vectors.json): mode 2, KEM 32, KDF 1, AEAD 2; its first message. */
static const char info[] = "Ode on a Grecian Urn", ad[] = "Count-0";
static const char text[] = "Beauty is truth, truth beauty";
#define TEXT (sizeof(text) - 1)
#define AD (sizeof(ad) - 1)
static const char *const vector[] = {
	"47f1eee3670dfaaf27c30a83d06ee9f257af174727c17b35328ef730dfc1cd81", /* skRm */
	"3668d659cec6f338f4f8dc6da6733118d2a633f186a3c1415c895111a8eb7c7d", /* pkRm */
	"98fdf9b9773578a79d4ba82fbe483c74cc2e3b8d9525d148a18969fd79a74876", /* skSm */
	"4a91c3d0893433f5e31a79fc520f885527a1bc60bf2b0c72693dd7f0b2e41a5a", /* pkSm */
	"805b278cabd22c9dbd461bf25771703eda4950ed3ef35b369163097899555356", /* skEm */
	"9e59f4b1fa5c876f684765290c34e51145894cc4f244342b9fb1a4bdfd8bb426", /* pkEm, enc */
};
enum { SK_R, PK_R, SK_S, PK_S, SK_E, PK_E, KEYS };
static const char sealed_text[] =
	"10b964283ac2cc0bdc4c85ab617291b446bf3832e9359b2c3a0facc50ea75a3c1a"
	"fd08aeaacd6041d02eb560ec";

struct keys {
	uint8_t k[KEYS][32];
};

static struct keys vector_keys(void)
{
	struct keys keys = {0};

	for (unsigned int i = 0; i < KEYS; i++)
		assert_int_equal(unhex(vector[i], keys.k[i]), 32);
	return keys;
}

static struct keys random_keys(void)
{
	struct keys keys;

	fill_random(&keys, sizeof(keys));
	for (unsigned int i = 0; i < KEYS; i += 2)
		crypto_x25519_public(keys.k[i + 1], keys.k[i]);
	return keys;
}

static struct crypto_hpke parties(const struct keys *keys)
{
	struct crypto_hpke h;

	memcpy(h.enc, keys->k[PK_E], 32);
	memcpy(h.receiver, keys->k[PK_R], 32);
	memcpy(h.sender, keys->k[PK_S], 32);
	return h;
}

static void vectors(void **state)
{
	struct keys keys = vector_keys();
	struct crypto_hpke h = parties(&keys), sent = {.enc = {0}};
	uint8_t want[TEXT + 16], got[TEXT + 16];

	assert_int_equal(unhex(sealed_text, want), sizeof(want));
	assert_int_equal(crypto_hpke_open(&h, keys.k[SK_R], info, ad, AD, got, want, TEXT), 0);
	assert_memory_equal(got, text, TEXT);
	memcpy(sent.receiver, h.receiver, 32);
	assert_int_equal(crypto_hpke_seal(&sent, keys.k[SK_S], keys.k[SK_E], info, ad, AD, got,
					  text, TEXT),
			 0);
	assert_memory_equal(&sent, &h, sizeof(h));
	assert_memory_equal(got, want, sizeof(want));
}

/* --- RFC 9180 again, by OpenSSL's X25519, HMAC and AES-256-GCM ---------------------------------- */

struct bytes {
	size_t n;
	uint8_t b[512];
};

static void add(struct bytes *to, const void *from, size_t n)
{
	memcpy(to->b + to->n, from, n);
	to->n += n;
}

static void add_label(struct bytes *to, bool kem, const char *name)
{
	add(to, "HPKE-v1", 7);
	add(to, kem ? "KEM\0\x20" : "HPKE\0\x20\0\x01\0\x02", kem ? 5 : 10);
	add(to, name, strlen(name));
}

static void evp_hmac(uint8_t out[32], const void *key, size_t n, const struct bytes *over)
{
	assert_non_null(HMAC(EVP_sha256(), n ? key : "", (int)n, over->b, over->n, out, NULL));
}

static void evp_extract(uint8_t out[32], bool kem, const char *name, const void *salt, size_t n,
			const void *ikm, size_t ikm_n)
{
	struct bytes b = {0};

	add_label(&b, kem, name);
	add(&b, ikm, ikm_n);
	evp_hmac(out, salt, n, &b);
}

static void evp_expand(uint8_t out[32], uint8_t n, bool kem, const char *name,
		       const uint8_t prk[32], const struct bytes *context)
{
	struct bytes b = {2, {0, n}};

	add_label(&b, kem, name);
	add(&b, context->b, context->n);
	add(&b, "\x01", 1);
	evp_hmac(out, prk, 32, &b);
}

static void evp_dh(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
	EVP_PKEY *ours = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, 32);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, 32);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ours, NULL);
	size_t n = 32;

	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
	assert_int_equal(EVP_PKEY_derive(ctx, out, &n), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(peer);
}

static void evp_gcm(uint8_t *out, const uint8_t key[32], const uint8_t nonce[12], const void *a,
		    size_t a_n, const void *in, size_t n)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done;

	assert_int_equal(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &done, a, (int)a_n), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &done, in, (int)n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, out + done, &done), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, out + n), 1);
	EVP_CIPHER_CTX_free(ctx);
}

static void evp_seal(uint8_t *out, const struct keys *keys, const char *what, const void *a,
		     size_t a_n, const void *in, size_t n)
{
	uint8_t dh[64], prk[32], shared[32], hash[32], secret[32], key[32], nonce[32];
	struct bytes context = {0};

	evp_dh(dh, keys->k[SK_E], keys->k[PK_R]);
	evp_dh(dh + 32, keys->k[SK_S], keys->k[PK_R]);
	evp_extract(prk, true, "eae_prk", NULL, 0, dh, 64);
	add(&context, keys->k[PK_E], 32);
	add(&context, keys->k[PK_R], 32);
	add(&context, keys->k[PK_S], 32);
	evp_expand(shared, 32, true, "shared_secret", prk, &context);
	context = (struct bytes){1, {2}};
	evp_extract(hash, false, "psk_id_hash", NULL, 0, "", 0);
	add(&context, hash, 32);
	evp_extract(hash, false, "info_hash", NULL, 0, what, strlen(what));
	add(&context, hash, 32);
	evp_extract(secret, false, "secret", shared, 32, "", 0);
	evp_expand(key, 32, false, "key", secret, &context);
	evp_expand(nonce, 12, false, "base_nonce", secret, &context);
	evp_gcm(out, key, nonce, a, a_n, in, n);
}

/* Both directions, of any length, give what the second implementation does. */
static void random_cases(void **state)
{
	uint8_t a[100], in[300], want[316], got[316];

	for (unsigned int i = 0; i < 200; i++) {
		struct keys keys = random_keys();
		struct crypto_hpke h = parties(&keys), sent = h;
		size_t n = (size_t)random() % sizeof(in), a_n = (size_t)random() % sizeof(a);
		const char *what = i % 2 ? "" : info;

		fill_random(a, sizeof(a));
		fill_random(in, sizeof(in));
		memset(sent.enc, 0, sizeof(sent.enc));
		memset(sent.sender, 0, sizeof(sent.sender));
		evp_seal(want, &keys, what, a, a_n, in, n);
		assert_int_equal(crypto_hpke_seal(&sent, keys.k[SK_S], keys.k[SK_E], what, a, a_n,
						  got, in, n),
				 0);
		assert_memory_equal(&sent, &h, sizeof(h));
		assert_memory_equal(got, want, n + 16);
		assert_int_equal(crypto_hpke_open(&h, keys.k[SK_R], what, a, a_n, got, want, n), 0);
		assert_memory_equal(got, in, n);
	}
}

/* Any changed bit of keys, text, tag or data, another info, another receiver: nothing comes out. */
static void refused(void **state)
{
	struct keys keys = vector_keys(), other = random_keys();
	uint8_t sealed[TEXT + 16], data[AD], got[TEXT], none[TEXT];
	struct crypto_hpke h;

	memset(got, 0xa5, sizeof(got));
	memset(none, 0xa5, sizeof(none));
	for (size_t i = 0; i < sizeof(h) + sizeof(sealed) + sizeof(data); i++) {
		uint8_t *byte = i < sizeof(h) ? (uint8_t *)&h + i
				: i < sizeof(h) + sizeof(sealed)
					? &sealed[i - sizeof(h)]
					: &data[i - sizeof(h) - sizeof(sealed)];

		h = parties(&keys);
		unhex(sealed_text, sealed);
		memcpy(data, ad, sizeof(data));
		assert_int_equal(crypto_hpke_open(&h, keys.k[SK_R], info, data, AD, got, sealed,
						  TEXT),
				 0);
		memcpy(got, none, sizeof(got));
		*byte ^= (uint8_t)(1 << random() % 8);
		assert_int_equal(crypto_hpke_open(&h, keys.k[SK_R], info, data, AD, got, sealed,
						  TEXT),
				 CRYPTO_ERR_TAG);
		assert_memory_equal(got, none, sizeof(got));
	}
	h = parties(&keys);
	unhex(sealed_text, sealed);
	assert_int_equal(crypto_hpke_open(&h, keys.k[SK_R], "Ode", ad, AD, got, sealed, TEXT),
			 CRYPTO_ERR_TAG);
	assert_int_equal(crypto_hpke_open(&h, other.k[SK_R], info, ad, AD, got, sealed, TEXT),
			 CRYPTO_ERR_TAG);
}

/* A key that makes a secret zero whatever the other is. */
static void no_keys(void **state)
{
	struct keys keys = vector_keys();
	uint8_t sealed[TEXT + 16], got[TEXT];
	struct crypto_hpke h = parties(&keys);

	unhex(sealed_text, sealed);
	memset(h.enc, 0, sizeof(h.enc));
	assert_int_equal(crypto_hpke_open(&h, keys.k[SK_R], info, ad, AD, got, sealed, TEXT),
			 CRYPTO_ERR_KEY);
	h = parties(&keys);
	memset(h.sender, 0, sizeof(h.sender));
	h.sender[0] = 1;
	assert_int_equal(crypto_hpke_open(&h, keys.k[SK_R], info, ad, AD, got, sealed, TEXT),
			 CRYPTO_ERR_KEY);
	memset(h.receiver, 0, sizeof(h.receiver));
	assert_int_equal(crypto_hpke_seal(&h, keys.k[SK_S], keys.k[SK_E], info, ad, AD, sealed,
					  text, TEXT),
			 CRYPTO_ERR_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(random_cases),
		cmocka_unit_test(refused),
		cmocka_unit_test(no_keys),
	};

	pretend_cpu(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
