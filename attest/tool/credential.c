/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/credential.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#define HASH_MAX 48u
#define FIELD_MAX 48u

struct seed {
	uint8_t at[HASH_MAX];
	const EVP_MD *md; /* the EK's name algorithm */
	size_t n;         /* of its digests, and of the seed */
};

static uint8_t *put_be(uint8_t *out, uint32_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	return out + bytes;
}

/* Part 1, 11.4.10.2, of up to as many bytes as the hash has: one block. label with its NUL. */
static int kdfa(const struct seed *s, const char *label, const uint8_t *context, size_t context_n,
		uint8_t *out, size_t bytes)
{
	uint8_t in[4 + 16 + 66 + 4], *at = put_be(in, 1, 4), digest[HASH_MAX];

	memcpy(at, label, strlen(label) + 1);
	at += strlen(label) + 1;
	if (context_n)
		memcpy(at, context, context_n);
	at = put_be(at + context_n, (uint32_t)bytes * 8, 4);
	if (bytes > s->n || !HMAC(s->md, s->at, (int)s->n, in, (size_t)(at - in), digest, NULL))
		return -1;
	memcpy(out, digest, bytes);
	OPENSSL_cleanse(digest, sizeof(digest));
	return 0;
}

/* Part 1, B.10.4: the label has its NUL; OAEP's hash is the name algorithm's. */
static int rsa_seed(const struct public *ek, struct seed *s, struct bytes *enc)
{
	static const char label[] = "IDENTITY";
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(ek->key, NULL);
	void *copy = OPENSSL_memdup(label, sizeof(label));
	size_t n = 512;
	int err = -1;

	enc->at = need(malloc(2 + n));
	if (ctx && copy && RAND_bytes(s->at, (int)s->n) == 1 && EVP_PKEY_encrypt_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, s->md) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, s->md) == 1 &&
	    EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, sizeof(label)) == 1) {
		copy = NULL; /* ctx's now */
		err = EVP_PKEY_encrypt(ctx, enc->at + 2, &n, s->at, s->n) == 1 ? 0 : -1;
	}
	OPENSSL_free(copy);
	EVP_PKEY_CTX_free(ctx);
	put_be(enc->at, (uint32_t)n, 2);
	enc->n = 2 + n;
	return err;
}

static EVP_PKEY *ephemeral(EVP_PKEY *peer)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(peer, NULL);
	EVP_PKEY *key = NULL;

	if (!ctx || EVP_PKEY_keygen_init(ctx) != 1 || EVP_PKEY_keygen(ctx, &key) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static int shared(EVP_PKEY *own, EVP_PKEY *peer, uint8_t out[FIELD_MAX], size_t *n)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	int ok = ctx && EVP_PKEY_derive_init(ctx) == 1 &&
		 EVP_PKEY_derive_set_peer(ctx, peer) == 1 && EVP_PKEY_derive(ctx, out, n) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok ? 0 : -1;
}

/* Uncompressed: 4, X, Y. */
static int point(EVP_PKEY *key, uint8_t out[1 + 2 * FIELD_MAX], size_t field)
{
	size_t n;

	return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out,
					       1 + 2 * FIELD_MAX, &n) == 1 &&
			       n == 1 + 2 * field && out[0] == 4
		       ? 0
		       : -1;
}

/* Part 1, 11.4.10.3 and C.6.4: KDFe over the shared point's X, and both public keys' X. */
static int kdfe(struct seed *s, const uint8_t *z, const uint8_t *own_x, const uint8_t *peer_x,
		size_t field)
{
	static const char label[] = "IDENTITY";
	uint8_t in[4 + FIELD_MAX + sizeof(label) + 2 * FIELD_MAX], *at = put_be(in, 1, 4);
	int ok;

	memcpy(at, z, field);
	memcpy(at + field, label, sizeof(label));
	memcpy(at + field + sizeof(label), own_x, field);
	memcpy(at + field + sizeof(label) + field, peer_x, field);
	ok = EVP_Digest(in, 4 + field + sizeof(label) + 2 * field, s->at, NULL, s->md, NULL) == 1;
	OPENSSL_cleanse(in, sizeof(in));
	return ok ? 0 : -1;
}

static int ecc_seed(const struct public *ek, struct seed *s, struct bytes *enc)
{
	size_t field = ek->area.parameters.eccDetail.curveID == TPM2_ECC_NIST_P256 ? 32 : 48;
	uint8_t own[1 + 2 * FIELD_MAX], peer[1 + 2 * FIELD_MAX], z[FIELD_MAX], *at;
	EVP_PKEY *key = ephemeral(ek->key);
	size_t n = sizeof(z);
	int err = -1;

	enc->n = 2 + 2 * (2 + field);
	enc->at = need(malloc(enc->n));
	if (key && !shared(key, ek->key, z, &n) && n == field && !point(key, own, field) &&
	    !point(ek->key, peer, field))
		err = kdfe(s, z, own + 1, peer + 1, field);
	if (!err) {
		at = put_be(enc->at, (uint32_t)(enc->n - 2), 2);
		at = put_be(at, (uint32_t)field, 2);
		memcpy(at, own + 1, field);
		at = put_be(at + field, (uint32_t)field, 2);
		memcpy(at, own + 1 + field, field);
	}
	OPENSSL_cleanse(z, sizeof(z));
	EVP_PKEY_free(key);
	return err;
}

/* CFB with a zero IV, in place. */
static int encrypt(const uint8_t *key, size_t key_n, uint8_t *data, size_t n)
{
	static const uint8_t iv[16];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int done, ok;

	ok = ctx &&
	     EVP_EncryptInit_ex(ctx, key_n == 16 ? EVP_aes_128_cfb128() : EVP_aes_256_cfb128(),
				NULL, key, iv) == 1 &&
	     EVP_EncryptUpdate(ctx, data, &done, data, (int)n) == 1 && (size_t)done == n;
	EVP_CIPHER_CTX_free(ctx);
	return ok ? 0 : -1;
}

/* Part 1, 24.4 and 24.5: the credential encrypted; an HMAC over that and the name. */
static int wrap(const struct seed *s, const struct public *ek, const struct public *ak,
		const uint8_t secret[CREDENTIAL_BYTES], struct bytes *blob)
{
	size_t key_n = (ek->area.type == TPM2_ALG_RSA
				? ek->area.parameters.rsaDetail.symmetric.keyBits.aes
				: ek->area.parameters.eccDetail.symmetric.keyBits.aes) /
		       8;
	uint8_t key[32], mac_key[HASH_MAX], over[2 + CREDENTIAL_BYTES + sizeof(ak->name)], *at;
	int err = key_n > sizeof(key) || kdfa(s, "STORAGE", ak->name, ak->name_n, key, key_n) ||
		  kdfa(s, "INTEGRITY", NULL, 0, mac_key, s->n);

	put_be(over, CREDENTIAL_BYTES, 2);
	memcpy(over + 2, secret, CREDENTIAL_BYTES);
	err = err || encrypt(key, key_n, over, 2 + CREDENTIAL_BYTES);
	memcpy(over + 2 + CREDENTIAL_BYTES, ak->name, ak->name_n);
	blob->n = 2 + 2 + s->n + 2 + CREDENTIAL_BYTES;
	blob->at = need(malloc(blob->n));
	at = put_be(blob->at, (uint32_t)(blob->n - 2), 2);
	at = put_be(at, (uint32_t)s->n, 2);
	err = err ||
	      !HMAC(s->md, mac_key, (int)s->n, over, 2 + CREDENTIAL_BYTES + ak->name_n, at, NULL);
	memcpy(at + s->n, over, 2 + CREDENTIAL_BYTES);
	OPENSSL_cleanse(key, sizeof(key));
	OPENSSL_cleanse(mac_key, sizeof(mac_key));
	return err ? -1 : 0;
}

int credential_make(const struct public *ek, const struct public *ak,
		    const uint8_t secret[CREDENTIAL_BYTES], struct bytes *blob, struct bytes *enc)
{
	struct seed s = {.md = EVP_get_digestbyname(public_hash(ek->area.nameAlg))};
	int err;

	*blob = *enc = (struct bytes){NULL, 0};
	s.n = (size_t)EVP_MD_get_size(s.md);
	err = ek->area.type == TPM2_ALG_RSA ? rsa_seed(ek, &s, enc) : ecc_seed(ek, &s, enc);
	err = err || wrap(&s, ek, ak, secret, blob);
	OPENSSL_cleanse(s.at, sizeof(s.at));
	if (err) {
		bytes_free(blob);
		bytes_free(enc);
	}
	return err ? -1 : 0;
}
