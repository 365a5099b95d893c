/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/p256.h against RFC 6979's vectors and OpenSSL's own library. */
#include "tests/unit/test_crypto.h"

#include "crypto/p256.h"
#include "tests/unit/test_p256.h"

/* A.2.5: the key, its public half; SHA-256 of "sample" and of "test", and the signatures. */
static const char key_text[] = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
static const char public_text[] =
	"60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
	"7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
static const char *const vector[][2] = {
	{"sample", "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
		   "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"},
	{"test", "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
		 "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083"},
};

/* FIPS 186-4, D.1.2.3. */
static const char order_text[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

static void vectors(void **state)
{
	uint8_t key[32], public[64], want[64], got[64], digest[32];

	assert_int_equal(unhex(key_text, key), 32);
	assert_int_equal(unhex(public_text, want), 64);
	assert_int_equal(crypto_p256_public(public, key), 0);
	assert_memory_equal(public, want, 64);
	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
		assert_int_equal(unhex(vector[i][1], want), 64);
		EVP_Digest(vector[i][0], strlen(vector[i][0]), digest, NULL, EVP_sha256(), NULL);
		crypto_p256_sign(got, key, digest);
		assert_memory_equal(got, want, 64);
	}
}

/* Any key and any digest, such as are not below the order, too; and OpenSSL sees a bit that is changed. */
static void random_cases(void **state)
{
	uint8_t key[32], public[64], sig[64], digest[32];

	for (unsigned int i = 0; i < 100; i++) {
		fill_random(key, sizeof(key));
		fill_random(digest, sizeof(digest));
		if (i % 8 == 1)
			memset(key, 0, 30);
		if (i % 8 == 2)
			memset(digest, i & 8 ? 0 : 0xff, sizeof(digest));
		assert_int_equal(crypto_p256_public(public, key), 0);
		crypto_p256_sign(sig, key, digest);
		assert_true(evp_verify(public, sig, digest));
		sig[random() % 64] ^= 1;
		assert_false(evp_verify(public, sig, digest));
	}
}

/* 0, the order and above are no keys; 1 and the order less 1 are. */
static void range(void **state)
{
	uint8_t key[32] = {0}, public[64], zero[64] = {0};

	assert_int_equal(crypto_p256_public(public, key), CRYPTO_ERR_KEY);
	assert_memory_equal(public, zero, 64);
	key[31] = 1;
	assert_int_equal(crypto_p256_public(public, key), 0);
	assert_int_equal(unhex(order_text, key), 32);
	assert_int_equal(crypto_p256_public(public, key), CRYPTO_ERR_KEY);
	assert_memory_equal(public, zero, 64);
	key[31]--;
	assert_int_equal(crypto_p256_public(public, key), 0);
	key[31] += 2;
	assert_int_equal(crypto_p256_public(public, key), CRYPTO_ERR_KEY);
	memset(key, 0xff, sizeof(key));
	assert_int_equal(crypto_p256_public(public, key), CRYPTO_ERR_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),
		cmocka_unit_test(random_cases),
		cmocka_unit_test(range),
	};

	pretend_cpu(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
