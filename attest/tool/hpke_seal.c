/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/hpke_seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define HASH 32u
#define LABELED_MAX 256u

/* suite_id of the KEM, and of all (4.1, 5.1) */
static const uint8_t kem[] = {'K', 'E', 'M', 0, 0x20},
		     hpke[] = {'H', 'P', 'K', 'E', 0, 0x20, 0, 1, 0, 2};

struct suite {
	const uint8_t *id;
	size_t n;
};
static const struct suite kem_suite = {kem, sizeof(kem)}, hpke_suite = {hpke, sizeof(hpke)};

static uint8_t *put(uint8_t *at, const void *bytes, size_t n)
{
	if (n)
		memcpy(at, bytes, n);
	return at + n;
}

static uint8_t *put_label(uint8_t *at, const struct suite *s, const char *label)
{
	at = put(at, "HPKE-v1", 7);
	at = put(at, s->id, s->n);
	return put(at, label, strlen(label));
}

/* 4. A salt of no bytes is one of zeros (RFC 5869, 2.2): for HMAC the same. */
static int extract(const struct suite *s, const uint8_t *salt, size_t salt_n, const char *label,
		   const void *ikm, size_t n, uint8_t out[HASH])
{
	uint8_t in[LABELED_MAX], *at = put_label(in, s, label);
	int ok;

	if ((size_t)(at - in) + n > sizeof(in))
		return -1;
	at = put(at, ikm, n);
	ok = HMAC(EVP_sha256(), salt ? (const void *)salt : "", (int)salt_n, in, (size_t)(at - in),
		  out, NULL) != NULL;
	OPENSSL_cleanse(in, sizeof(in));
	return ok ? 0 : -1;
}

/* 4; of up to one hash's bytes: HKDF-Expand's first block. */
static int expand(const struct suite *s, const uint8_t prk[HASH], const char *label,
		  const void *info, size_t n, uint8_t *out, size_t out_n)
{
	uint8_t in[LABELED_MAX], block[HASH], *at = in;

	*at++ = 0;
	*at++ = (uint8_t)out_n;
	at = put_label(at, s, label);
	if (out_n > HASH || (size_t)(at - in) + n + 1 > sizeof(in))
		return -1;
	at = put(at, info, n);
	*at++ = 1;
	if (!HMAC(EVP_sha256(), prk, HASH, in, (size_t)(at - in), block, NULL))
		return -1;
	memcpy(out, block, out_n);
	OPENSSL_cleanse(block, sizeof(block));
	return 0;
}

static int public_of(const EVP_PKEY *key, uint8_t out[32])
{
	size_t n = 32;

	return EVP_PKEY_get_raw_public_key(key, out, &n) == 1 && n == 32 ? 0 : -1;
}

/* OpenSSL refuses a result of zeros (7.1.4). */
static int dh(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out[32])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t n = 32;
	int ok = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		 EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, out, &n) == 1 &&
		 n == 32;

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : -1;
}

/* 4.1, AuthEncap */
static int encapsulate(EVP_PKEY *e, EVP_PKEY *own, EVP_PKEY *peer, uint8_t enc[32],
		       uint8_t secret[HASH])
{
	uint8_t both[64], context[96], prk[HASH];
	int err;

	err = dh(e, peer, both) || dh(own, peer, both + 32) || public_of(e, context) ||
	      public_of(peer, context + 32) || public_of(own, context + 64) ||
	      extract(&kem_suite, NULL, 0, "eae_prk", both, sizeof(both), prk) ||
	      expand(&kem_suite, prk, "shared_secret", context, sizeof(context), secret, HASH);
	memcpy(enc, context, 32);
	OPENSSL_cleanse(both, sizeof(both));
	OPENSSL_cleanse(prk, sizeof(prk));
	return err ? -1 : 0;
}

/* 5.1, KeySchedule: mode_auth, no psk */
static int schedule(struct hpke_sender *s, const uint8_t shared[HASH], const char *info)
{
	uint8_t context[1 + 2 * HASH] = {2}, secret[HASH];
	int err;

	err = extract(&hpke_suite, NULL, 0, "psk_id_hash", "", 0, context + 1) ||
	      extract(&hpke_suite, NULL, 0, "info_hash", info, strlen(info), context + 1 + HASH) ||
	      extract(&hpke_suite, shared, HASH, "secret", "", 0, secret) ||
	      expand(&hpke_suite, secret, "key", context, sizeof(context), s->key,
		     sizeof(s->key)) ||
	      expand(&hpke_suite, secret, "base_nonce", context, sizeof(context), s->nonce,
		     sizeof(s->nonce));
	OPENSSL_cleanse(secret, sizeof(secret));
	return err ? -1 : 0;
}

int hpke_setup(struct hpke_sender *s, const uint8_t ephemeral[32], const uint8_t sender[32],
	       const uint8_t receiver[32], const char *info)
{
	EVP_PKEY *e = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, ephemeral, 32);
	EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, sender, 32);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, receiver, 32);
	uint8_t shared[HASH];
	int err;

	err = !e || !own || !peer || encapsulate(e, own, peer, s->enc, shared) ||
	      schedule(s, shared, info);
	OPENSSL_cleanse(shared, sizeof(shared));
	EVP_PKEY_free(e);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
	return err ? -1 : 0;
}

/* 5.2: the first message's nonce is the base's. */
int hpke_seal(struct hpke_sender *s, const void *aad, size_t aad_n, const void *in, size_t n,
	      uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done, end, ok;

	ok = ctx && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, s->key, s->nonce) == 1 &&
	     EVP_EncryptUpdate(ctx, NULL, &done, aad, (int)aad_n) == 1 &&
	     EVP_EncryptUpdate(ctx, out, &done, in, (int)n) == 1 && (size_t)done == n &&
	     EVP_EncryptFinal_ex(ctx, out + n, &end) == 1 && !end &&
	     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, HPKE_TAG, out + n) == 1;
	EVP_CIPHER_CTX_free(ctx);
	OPENSSL_cleanse(s, sizeof(*s));
	return ok ? 0 : -1;
}
