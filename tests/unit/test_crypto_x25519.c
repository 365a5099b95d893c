/* SPDX-License-Identifier: Apache-2.0 */
/* crypto/x25519.h against RFC 7748's vectors and OpenSSL's own library. */
#include "tests/unit/test_crypto.h"

#include <openssl/evp.h>

#include "crypto/x25519.h"

/* 5.2: scalar, point, product. */
static const char *const vector[][3] = {
	{"a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
	 "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
	 "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"},
	{"4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
	 "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
	 "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957"},
};

static void vectors(void **state)
{
	uint8_t scalar[32], point[32], want[32], got[32];

	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++) {
		assert_int_equal(unhex(vector[i][0], scalar), 32);
		assert_int_equal(unhex(vector[i][1], point), 32);
		assert_int_equal(unhex(vector[i][2], want), 32);
		assert_int_equal(crypto_x25519(got, scalar, point), 0);
		assert_memory_equal(got, want, 32);
	}
}

/* 5.2: each product is the next scalar, each scalar the next point, from the base point on. */
static void repeated(void **state)
{
	uint8_t scalar[32] = {9}, point[32] = {9}, product[32], want[32];

	for (unsigned int i = 1; i <= 1000; i++) {
		assert_int_equal(crypto_x25519(product, scalar, point), 0);
		memcpy(point, scalar, sizeof(point));
		memcpy(scalar, product, sizeof(scalar));
		if (i == 1)
			unhex("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
			      want);
		if (i == 1000)
			unhex("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
			      want);
		if (i == 1 || i == 1000)
			assert_memory_equal(scalar, want, 32);
	}
}

/* 6.1: both public keys, and the same secret on both sides; out may be an input. */
static void exchange(void **state)
{
	static const char *const text[] = {
		"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
		"8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
		"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
		"de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
		"4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
	};
	enum { ALICE, OF_ALICE, BOB, OF_BOB, SECRET, ALL };
	uint8_t v[ALL][32], got[32];

	for (unsigned int i = 0; i < ALL; i++)
		assert_int_equal(unhex(text[i], v[i]), 32);
	crypto_x25519_public(got, v[ALICE]);
	assert_memory_equal(got, v[OF_ALICE], 32);
	crypto_x25519_public(got, v[BOB]);
	assert_memory_equal(got, v[OF_BOB], 32);
	assert_int_equal(crypto_x25519(v[OF_BOB], v[ALICE], v[OF_BOB]), 0);
	assert_memory_equal(v[OF_BOB], v[SECRET], 32);
	assert_int_equal(crypto_x25519(v[BOB], v[BOB], v[OF_ALICE]), 0);
	assert_memory_equal(v[BOB], v[SECRET], 32);
}

/* OpenSSL's: false where it refuses the product. */
static bool evp_x25519(uint8_t out[32], const uint8_t scalar[32], const uint8_t point[32])
{
	EVP_PKEY *ours = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, 32);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, 32);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ours, NULL);
	size_t n = 32;
	bool good;

	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
	good = EVP_PKEY_derive(ctx, out, &n) == 1;
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(ours);
	EVP_PKEY_free(peer);
	return good;
}

/* Any scalar, clamped or not, and any point: of the curve or its twist, reduced or not, high bit set or not. */
static void random_cases(void **state)
{
	uint8_t scalar[32], point[32], want[32], got[32];

	for (unsigned int i = 0; i < 1500; i++) {
		fill_random(scalar, sizeof(scalar));
		fill_random(point, sizeof(point));
		if (i % 16 == 1)
			memset(scalar, i & 16 ? 0 : 0xff, sizeof(scalar));
		if (i % 16 == 2) { /* from 2^255 - 256 on: around p */
			memset(point, 0xff, sizeof(point));
			point[0] = (uint8_t)random();
			point[31] = i & 16 ? 0x7f : 0xff;
		}
		if (evp_x25519(want, scalar, point)) {
			assert_int_equal(crypto_x25519(got, scalar, point), 0);
			assert_memory_equal(got, want, 32);
		} else {
			assert_int_equal(crypto_x25519(got, scalar, point), CRYPTO_ERR_KEY);
		}
	}
}

/* The points whose multiples by eight are neutral: 0, 1, two of order eight, -1, and p, p + 1. */
static void zero_results(void **state)
{
	static const char *const low_order[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	uint8_t scalar[32], point[32] = {0}, got[32], zero[32] = {0};

	for (size_t i = 0; i < 2 * sizeof(low_order) / sizeof(*low_order); i++) {
		assert_int_equal(unhex(low_order[i / 2], point), 32);
		point[31] |= i % 2 ? 0x80 : 0;
		fill_random(scalar, sizeof(scalar));
		memset(got, 0xff, sizeof(got));
		assert_int_equal(crypto_x25519(got, scalar, point), CRYPTO_ERR_KEY);
		assert_memory_equal(got, zero, sizeof(zero));
		assert_false(evp_x25519(got, scalar, point));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors),      cmocka_unit_test(repeated),
		cmocka_unit_test(exchange),     cmocka_unit_test(random_cases),
		cmocka_unit_test(zero_results),
	};

	pretend_cpu(0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
