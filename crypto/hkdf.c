/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hkdf.h"

#include "crypto/hmac.h"
#include "crypto/stack.h"

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

/* 2.2: a salt that is not there is 32 zeros, which as a key of HMAC is the same as none. */
static void extract(struct crypto_hmac *prk, const void *salt, size_t salt_len, const void *ikm,
		    size_t ikm_len)
{
	uint8_t secret[CRYPTO_HMAC_BYTES];
	struct crypto_hmac k;

	crypto_hmac_init(&k, salt, salt_len);
	crypto_hmac(&k, ikm, ikm_len, NULL, 0, secret);
	crypto_hmac_init(prk, secret, sizeof(secret));
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(&k, sizeof(k));
}

/* 2.3: T(i) from T(i - 1), which is empty where i is 1. */
static void next(const struct crypto_hmac *prk, uint8_t t[CRYPTO_HMAC_BYTES], const char *info,
		 uint8_t i)
{
	struct crypto_hmac_stream s;

	crypto_hmac_start(&s, prk);
	if (i > 1)
		crypto_hmac_update(&s, t, CRYPTO_HMAC_BYTES);
	crypto_hmac_update(&s, info, length(info));
	crypto_hmac_update(&s, &i, sizeof(i));
	crypto_hmac_final(&s, t);
}

void crypto_hkdf(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len,
		 const char *info, void *out, size_t out_len)
{
	uint8_t t[CRYPTO_HMAC_BYTES], *at = out;
	struct crypto_hmac prk;
	uint8_t i = 0;

	if (out_len > CRYPTO_HKDF_MAX)
		__builtin_trap();
	extract(&prk, salt, salt_len, ikm, ikm_len);
	for (size_t n; out_len; out_len -= n, at += n) {
		n = out_len < sizeof(t) ? out_len : sizeof(t);
		next(&prk, t, info, ++i);
		__builtin_memcpy(at, t, n);
	}
	crypto_wipe(t, sizeof(t));
	crypto_wipe(&prk, sizeof(prk));
	stack_wipe();
}
