/* SPDX-License-Identifier: Apache-2.0 */
/* HPKE's sender against RFC 9180's vectors; base64 and hexadecimal; credentials, opened by the rules of TPM 2.0 part 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "attest/tool/bytes.h"
#include "attest/tool/credential.h"
#include "attest/tool/hpke_seal.h"

/* RFC 9180's vectors (cfrg/draft-irtf-cfrg-hpke, test-vectors.json): mode 2, KEM 32, KDF 1, AEAD 2; its first message. */
static const char skR[] = "47f1eee3670dfaaf27c30a83d06ee9f257af174727c17b35328ef730dfc1cd81",
		  pkR[] = "3668d659cec6f338f4f8dc6da6733118d2a633f186a3c1415c895111a8eb7c7d",
		  skS[] = "98fdf9b9773578a79d4ba82fbe483c74cc2e3b8d9525d148a18969fd79a74876",
		  skE[] = "805b278cabd22c9dbd461bf25771703eda4950ed3ef35b369163097899555356",
		  enc[] = "9e59f4b1fa5c876f684765290c34e51145894cc4f244342b9fb1a4bdfd8bb426",
		  sealed[] = "10b964283ac2cc0bdc4c85ab617291b446bf3832e9359b2c3a0facc50ea75a3c1a"
			     "fd08aeaacd6041d02eb560ec";

static const uint8_t *key(const char *text, uint8_t out[32])
{
	assert_true(hex_decode(out, text, 32));
	return out;
}

static void test_hpke_vector(void **state)
{
	static const char text[] = "Beauty is truth, truth beauty";
	uint8_t e[32], s[32], r[32], out[sizeof(text) - 1 + HPKE_TAG], want[sizeof(out)];
	struct hpke_sender sender;

	assert_int_equal(hpke_setup(&sender, key(skE, e), key(skS, s), key(pkR, r),
				    "Ode on a Grecian Urn"),
			 0);
	assert_memory_equal(sender.enc, key(enc, e), 32);
	assert_int_equal(hpke_seal(&sender, "Count-0", 7, text, sizeof(text) - 1, out), 0);
	assert_true(hex_decode(want, sealed, sizeof(want)));
	assert_memory_equal(out, want, sizeof(want));
	memset(want, 0, sizeof(want));
	assert_memory_equal(sender.key, want, 32); /* nobody seals twice with one nonce */
	assert_memory_not_equal(key(skR, r), key(pkR, s), 32);
}

/* Keys by which every secret is zero (RFC 7748, 6.1). */
static void test_hpke_refuses(void **state)
{
	uint8_t e[32], s[32], r[32] = {0};
	struct hpke_sender sender;

	assert_int_equal(hpke_setup(&sender, key(skE, e), key(skS, s), r, ""), -1);
	r[0] = 1;
	assert_int_equal(hpke_setup(&sender, key(skE, e), key(skS, s), r, ""), -1);
}

static void test_base64(void **state)
{
	static const char *const bad[] = {"A",    "AA",    "AAA",  "A===",  "====",
					  "AA=A", "AB==",  "AAB=", "AAAA=", "AA==AAAA",
					  "AA A", "AAA\n", "AA-_", "AAAA\n"};
	struct bytes b;

	for (size_t n = 0; n < 70; n++) {
		uint8_t in[70];
		char *text;

		for (size_t i = 0; i < n; i++)
			in[i] = (uint8_t)(i * 37 + n);
		text = base64_encode(in, n);
		assert_true(base64_decode(&b, text, n));
		assert_int_equal(b.n, n);
		assert_memory_equal(b.at, in, n);
		bytes_free(&b);
		if (n)
			assert_false(base64_decode(&b, text, n - 1));
		assert_null(b.at);
		free(text);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(base64_decode(&b, bad[i], 100));
}

static void test_hex(void **state)
{
	uint8_t out[2];

	assert_true(hex_decode(out, "aBC0", 2));
	assert_int_equal(out[0], 0xab);
	assert_false(hex_decode(out, "abc", 2));
	assert_false(hex_decode(out, "abcd0", 2));
	assert_false(hex_decode(out, "abcg", 2));
	assert_false(hex_decode(out, "", 2));
}

/* What KDFa hashes: a counter, a label with its NUL, contexts, and a number of bits. */
static const uint8_t for_integrity[18] = "\0\0\0\1INTEGRITY\0\0\0\1\0";
static const uint8_t for_storage[12] = "\0\0\0\1STORAGE";
static const uint8_t bits[4] = {0, 0, 0, 128};

/* Opened with the private key, step by step as a TPM does. */
static void open_rsa(EVP_PKEY *private, const struct public *ak, const struct bytes *blob,
		     const struct bytes *wrapped, uint8_t secret[CREDENTIAL_BYTES])
{
	static const char label[] = "IDENTITY";
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(private, NULL);
	uint8_t seed[256], in[4 + 10 + 66 + 4], mac[32], want[32], over[34 + 66], plain[34];
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	size_t n = sizeof(seed), at;
	static const uint8_t iv[16];
	int done;

	assert_int_equal(EVP_PKEY_decrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup(label, sizeof(label)),
							  sizeof(label)),
			 1);
	assert_int_equal(EVP_PKEY_decrypt(ctx, seed, &n, wrapped->at + 2, wrapped->n - 2), 1);
	assert_int_equal(n, 32);
	assert_non_null(
		HMAC(EVP_sha256(), seed, 32, for_integrity, sizeof(for_integrity), mac, NULL));
	memcpy(over, blob->at + 36, 34);
	memcpy(over + 34, ak->name, ak->name_n);
	assert_non_null(HMAC(EVP_sha256(), mac, 32, over, 34 + ak->name_n, want, NULL));
	assert_memory_equal(blob->at + 4, want, 32);
	memcpy(in, for_storage, sizeof(for_storage));
	memcpy(in + sizeof(for_storage), ak->name, ak->name_n);
	at = sizeof(for_storage) + ak->name_n;
	memcpy(in + at, bits, sizeof(bits));
	assert_non_null(HMAC(EVP_sha256(), seed, 32, in, at + 4, mac, NULL));
	assert_int_equal(EVP_DecryptInit_ex(cipher, EVP_aes_128_cfb128(), NULL, mac, iv), 1);
	assert_int_equal(EVP_DecryptUpdate(cipher, plain, &done, blob->at + 36, 34), 1);
	assert_memory_equal(plain, "\0\40", 2);
	memcpy(secret, plain + 2, CREDENTIAL_BYTES);
	EVP_CIPHER_CTX_free(cipher);
	EVP_PKEY_CTX_free(ctx);
}

static void test_credential(void **state)
{
	struct public ek = {0}, ak = {.name = {0, 0xb, 7, 8, 9}, .name_n = 34};
	uint8_t secret[CREDENTIAL_BYTES] = {1, 2, 3}, got[CREDENTIAL_BYTES];
	struct bytes blob, wrapped;

	ek.key = EVP_RSA_gen(2048);
	ek.area.type = TPM2_ALG_RSA;
	ek.area.nameAlg = TPM2_ALG_SHA256;
	ek.area.parameters.rsaDetail.symmetric.keyBits.aes = 128;
	assert_int_equal(credential_make(&ek, &ak, secret, &blob, &wrapped), 0);
	assert_int_equal(blob.n, 70);
	assert_int_equal(wrapped.n, 258);
	open_rsa(ek.key, &ak, &blob, &wrapped, got);
	assert_memory_equal(got, secret, sizeof(secret));
	bytes_free(&blob);
	bytes_free(&wrapped);
	EVP_PKEY_free(ek.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hpke_vector), cmocka_unit_test(test_hpke_refuses),
		cmocka_unit_test(test_base64),      cmocka_unit_test(test_hex),
		cmocka_unit_test(test_credential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
