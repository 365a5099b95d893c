/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA by OpenSSL's own library, which a test that includes this is linked with (tests/unit/build.mk). */
#ifndef TESTS_TEST_P256_H
#define TESTS_TEST_P256_H

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <string.h>

static inline EVP_PKEY *evp_public(const uint8_t public[64])
{
	uint8_t point[65] = {4};
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"prime256v1", 10),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_END,
	};
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *key = NULL;

	memcpy(point + 1, public, 64);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

/* Whether OpenSSL takes the signature, which it wants in DER. */
static inline bool evp_verify(const uint8_t public[64], const uint8_t sig[64],
			      const uint8_t digest[32])
{
	EVP_PKEY *key = evp_public(public);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	ECDSA_SIG *s = ECDSA_SIG_new();
	uint8_t *der = NULL;
	bool good;
	int n;

	ECDSA_SIG_set0(s, BN_bin2bn(sig, 32, NULL), BN_bin2bn(sig + 32, 32, NULL));
	n = i2d_ECDSA_SIG(s, &der);
	assert_true(n > 0);
	assert_int_equal(EVP_PKEY_verify_init(ctx), 1);
	good = EVP_PKEY_verify(ctx, der, (size_t)n, digest, 32) == 1;
	OPENSSL_free(der);
	ECDSA_SIG_free(s);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

#endif
