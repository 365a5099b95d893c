/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/hkdf.h against OpenSSL's own library, and RFC 5869's vectors where info is a text. */
#include "tests/unit/test_crypto.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include "crypto/hkdf.h"

static uint8_t got[CRYPTO_HKDF_MAX + 1], want[CRYPTO_HKDF_MAX];

/* A.1, whose info, f0 to f9, is a string in C too, and A.3, whose salt and info are empty. */
static void vectors(void **state)
{
	uint8_t ikm[22], salt[13];

	memset(ikm, 0x0b, sizeof(ikm));
	for (size_t i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)i;
	assert_int_equal(unhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
			       "34007208d5b887185865",
			       want),
			 42);
	crypto_hkdf(salt, sizeof(salt), ikm, sizeof(ikm),
		    "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9", got, 42);
	assert_memory_equal(got, want, 42);
	assert_int_equal(unhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
			       "9d201395faa4b61a96c8",
			       want),
			 42);
	crypto_hkdf(NULL, 0, ikm, sizeof(ikm), "", got, 42);
	assert_memory_equal(got, want, 42);
}

static void evp_hkdf(const uint8_t *salt, size_t salt_len, const uint8_t *ikm, size_t ikm_len,
		     const char *info, size_t len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);

	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_hkdf_md(ctx, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_hkdf_salt(ctx, salt, (int)salt_len), 1);
	assert_int_equal(EVP_PKEY_CTX_set1_hkdf_key(ctx, ikm, (int)ikm_len), 1);
	assert_int_equal(EVP_PKEY_CTX_add1_hkdf_info(ctx, (const uint8_t *)info, (int)strlen(info)),
			 1);
	assert_int_equal(EVP_PKEY_derive(ctx, want, &len), 1);
	EVP_PKEY_CTX_free(ctx);
}

/* All lengths up to some blocks, some longer ones, and the longest. */
static void random_cases(void **state)
{
	uint8_t salt[100], ikm[100];
	char info[100];

	for (unsigned int i = 0; i < 600; i++) {
		size_t salt_len = (size_t)random() % sizeof(salt);
		size_t ikm_len = 1 + (size_t)random() % (sizeof(ikm) - 1);
		size_t info_len = (size_t)random() % sizeof(info);
		size_t len = i < 300 ? i + 1 : 1 + (size_t)random() % CRYPTO_HKDF_MAX;

		if (i == 599)
			len = CRYPTO_HKDF_MAX;
		fill_random(salt, salt_len);
		fill_random(ikm, ikm_len);
		for (size_t j = 0; j < info_len; j++)
			info[j] = (char)('!' + random() % 90);
		info[info_len] = 0;
		evp_hkdf(salt, salt_len, ikm, ikm_len, info, len);
		memset(got, 0x5a, sizeof(got));
		crypto_hkdf(salt, salt_len, ikm, ikm_len, info, got, len);
		assert_memory_equal(got, want, len);
		assert_int_equal(got[len], 0x5a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(random_cases),
	};

	pretend_cpu(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
