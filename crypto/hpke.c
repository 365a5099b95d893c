/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hpke.h"

#include "crypto/hmac.h"
#include "crypto/stack.h"

#define HASH CRYPTO_HMAC_BYTES
#define MODE_AUTH 2

/* 4.1 and 5.1: what is hashed with every label. */
struct suite {
	size_t len;
	char id[10];
};
static const struct suite kem = {5, {'K', 'E', 'M', 0, 0x20}};
static const struct suite hpke = {10, {'H', 'P', 'K', 'E', 0, 0x20, 0, 1, 0, 2}};

static size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

static void label(struct crypto_hmac_stream *s, const struct suite *suite, const char *text)
{
	crypto_hmac_update(s, "HPKE-v1", 7);
	crypto_hmac_update(s, suite->id, suite->len);
	crypto_hmac_update(s, text, length(text));
}

/* LabeledExtract (4): HKDF's, with the label before the secret. */
static void extract(uint8_t out[HASH], const struct suite *suite, const char *text,
		    const void *salt, size_t salt_len, const void *ikm, size_t ikm_len)
{
	struct crypto_hmac_stream s;
	struct crypto_hmac k;

	crypto_hmac_init(&k, salt, salt_len);
	crypto_hmac_start(&s, &k);
	label(&s, suite, text);
	crypto_hmac_update(&s, ikm, ikm_len);
	crypto_hmac_final(&s, out);
	crypto_wipe(&k, sizeof(k));
}

/* LabeledExpand: n is at most 32, so that HKDF's first block is all (RFC 5869, 2.3). */
static void expand(void *out, uint8_t n, const struct suite *suite, const char *text,
		   const uint8_t prk[HASH], const void *info, size_t info_len)
{
	const uint8_t bytes[2] = {0, n}, first = 1;
	struct crypto_hmac_stream s;
	struct crypto_hmac k;
	uint8_t t[HASH];

	crypto_hmac_init(&k, prk, HASH);
	crypto_hmac_start(&s, &k);
	crypto_hmac_update(&s, bytes, sizeof(bytes));
	label(&s, suite, text);
	crypto_hmac_update(&s, info, info_len);
	crypto_hmac_update(&s, &first, sizeof(first));
	crypto_hmac_final(&s, t);
	__builtin_memcpy(out, t, n);
	crypto_wipe(t, sizeof(t));
	crypto_wipe(&k, sizeof(k));
}

/* ExtractAndExpand (4.1), then KeySchedule (5.1) without a PSK. */
void crypto_hpke_schedule(struct crypto_hpke_key *out, const struct crypto_hpke *h,
			  const uint8_t dh[2 * CRYPTO_X25519_BYTES], const char *info)
{
	uint8_t prk[HASH], shared[HASH], secret[HASH], key[CRYPTO_KEY_BYTES];
	struct {
		uint8_t mode, psk_id_hash[HASH], info_hash[HASH];
	} context = {.mode = MODE_AUTH};

	__builtin_memset(out, 0, sizeof(*out));
	extract(prk, &kem, "eae_prk", NULL, 0, dh, 2 * CRYPTO_X25519_BYTES);
	expand(shared, sizeof(shared), &kem, "shared_secret", prk, h, sizeof(*h));
	extract(context.psk_id_hash, &hpke, "psk_id_hash", NULL, 0, NULL, 0);
	extract(context.info_hash, &hpke, "info_hash", NULL, 0, info, length(info));
	extract(secret, &hpke, "secret", shared, sizeof(shared), NULL, 0);
	expand(key, sizeof(key), &hpke, "key", secret, &context, sizeof(context));
	expand(out->nonce.b, sizeof(out->nonce.b), &hpke, "base_nonce", secret, &context,
	       sizeof(context));
	crypto_key_init(&out->key, key);
	crypto_wipe(prk, sizeof(prk));
	crypto_wipe(shared, sizeof(shared));
	crypto_wipe(secret, sizeof(secret));
	crypto_wipe(key, sizeof(key));
	stack_wipe();
}

int crypto_hpke_open(const struct crypto_hpke *h, const uint8_t key[CRYPTO_X25519_BYTES],
		     const char *info, const void *ad, size_t ad_len, void *dst, const void *src,
		     size_t len)
{
	uint8_t dh[2 * CRYPTO_X25519_BYTES];
	struct crypto_hpke_key k;
	struct crypto_tag tag;
	int err;

	__builtin_memcpy(tag.b, (const uint8_t *)src + len, sizeof(tag.b));
	err = crypto_x25519(dh, key, h->enc);
	if (!err)
		err = crypto_x25519(dh + CRYPTO_X25519_BYTES, key, h->sender);
	if (!err) {
		crypto_hpke_schedule(&k, h, dh, info);
		err = crypto_open(&k.key, &k.nonce, ad, ad_len, dst, src, len, &tag);
		crypto_wipe(&k, sizeof(k));
	}
	crypto_wipe(dh, sizeof(dh));
	stack_wipe();
	return err;
}
