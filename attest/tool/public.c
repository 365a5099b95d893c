/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/public.h"

#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <tss2/tss2_mu.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096

static int wrong(char why[PUBLIC_WHY], const char *what)
{
	snprintf(why, PUBLIC_WHY, "%s", what);
	return -1;
}

const char *public_hash(uint16_t alg)
{
	return alg == TPM2_ALG_SHA256 ? "sha256" : alg == TPM2_ALG_SHA384 ? "sha384" : NULL;
}

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *bld)
{
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;

	if (!params || !ctx || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	return key;
}

static EVP_PKEY *rsa_key(const TPMT_PUBLIC *a)
{
	const TPM2B_PUBLIC_KEY_RSA *n = &a->unique.rsa;
	uint32_t e = a->parameters.rsaDetail.exponent;
	OSSL_PARAM_BLD *bld;
	EVP_PKEY *key = NULL;
	BIGNUM *modulus;

	if (n->size * 8 < RSA_BITS_MIN || n->size * 8 > RSA_BITS_MAX || !(n->buffer[0] & 0x80) ||
	    !(n->buffer[n->size - 1] & 1) || a->parameters.rsaDetail.keyBits != n->size * 8 ||
	    (e && e != 65537))
		return NULL;
	bld = OSSL_PARAM_BLD_new();
	modulus = BN_bin2bn(n->buffer, n->size, NULL);
	if (bld && modulus && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
	    OSSL_PARAM_BLD_push_uint(bld, OSSL_PKEY_PARAM_RSA_E, 65537) == 1)
		key = from_params("RSA", bld);
	BN_free(modulus);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

/* EVP_PKEY_fromdata() refuses a point that is not on the curve. */
static EVP_PKEY *ecc_key(const TPMT_PUBLIC *a)
{
	const TPM2B_ECC_PARAMETER *x = &a->unique.ecc.x, *y = &a->unique.ecc.y;
	bool p256 = a->parameters.eccDetail.curveID == TPM2_ECC_NIST_P256;
	size_t n = p256 ? 32 : 48;
	uint8_t point[1 + 2 * 48] = {4};
	OSSL_PARAM_BLD *bld;
	EVP_PKEY *key = NULL;

	if ((!p256 && a->parameters.eccDetail.curveID != TPM2_ECC_NIST_P384) || x->size > n ||
	    y->size > n)
		return NULL;
	memcpy(point + 1 + n - x->size, x->buffer, x->size);
	memcpy(point + 1 + 2 * n - y->size, y->buffer, y->size);
	bld = OSSL_PARAM_BLD_new();
	if (bld &&
	    OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME,
					    p256 ? "P-256" : "P-384", 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * n) == 1)
		key = from_params("EC", bld);
	OSSL_PARAM_BLD_free(bld);
	return key;
}

static int unmarshal(TPM2B_PUBLIC *out, const struct bytes *in)
{
	uint8_t again[sizeof(*out) + 64];
	size_t at = 0, n = 0;

	memset(out, 0, sizeof(*out));
	if (!in->n || Tss2_MU_TPM2B_PUBLIC_Unmarshal(in->at, in->n, &at, out) || at != in->n)
		return -1;
	/* The size is set by what is marshalled. */
	out->size = 0;
	return Tss2_MU_TPM2B_PUBLIC_Marshal(out, again, sizeof(again), &n) || n != in->n ||
			       memcmp(again, in->at, n)
		       ? -1
		       : 0;
}

static int set_name(struct public *p, const struct bytes *in)
{
	const char *name = public_hash(p->area.nameAlg);
	size_t n = 0;

	if (!name || EVP_Q_digest(NULL, name, NULL, in->at + 2, in->n - 2, p->name + 2, &n) != 1)
		return -1;
	p->name[0] = (uint8_t)(p->area.nameAlg >> 8);
	p->name[1] = (uint8_t)p->area.nameAlg;
	p->name_n = 2 + n;
	return 0;
}

int public_parse(struct public *p, const struct bytes *in, char why[PUBLIC_WHY])
{
	TPM2B_PUBLIC whole;
	uint8_t *der = NULL;
	int n;

	*p = (struct public){0};
	if (unmarshal(&whole, in))
		return wrong(why, "not a TPM2B_PUBLIC");
	p->area = whole.publicArea;
	if (set_name(p, in))
		return wrong(why, "a name by another hash than SHA-256 or SHA-384");
	if (p->area.type == TPM2_ALG_RSA)
		p->key = rsa_key(&p->area);
	else if (p->area.type == TPM2_ALG_ECC)
		p->key = ecc_key(&p->area);
	if (!p->key)
		return wrong(why,
			     "not an RSA key of 2048 to 4096 bits, nor a point on P-256 or P-384");
	n = i2d_PUBKEY(p->key, &der);
	if (n > 0)
		hash(p->spki, der, (size_t)n);
	OPENSSL_free(der);
	if (n > 0)
		return 0;
	public_free(p);
	return wrong(why, "a key that OpenSSL cannot encode");
}

void public_free(struct public *p)
{
	EVP_PKEY_free(p->key);
	*p = (struct public){0};
}

#define OF_ITS_TPM                                                                          \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
	 TPMA_OBJECT_RESTRICTED)

/* TCG EK Credential Profile 2.5, B.3.3 and B.4.5: a storage key. */
const char *public_not_ek(const struct public *p)
{
	const TPMT_SYM_DEF_OBJECT *s = p->area.type == TPM2_ALG_RSA
					       ? &p->area.parameters.rsaDetail.symmetric
					       : &p->area.parameters.eccDetail.symmetric;

	if ((p->area.objectAttributes & OF_ITS_TPM) != OF_ITS_TPM)
		return "not made by its TPM for ever: fixedTPM, fixedParent, sensitiveDataOrigin, restricted";
	if (!(p->area.objectAttributes & TPMA_OBJECT_DECRYPT) ||
	    (p->area.objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT))
		return "not a key that decrypts and does not sign";
	if (s->algorithm != TPM2_ALG_AES || s->mode.aes != TPM2_ALG_CFB ||
	    (s->keyBits.aes != 128 && s->keyBits.aes != 256))
		return "not with AES-128 or AES-256 in CFB mode";
	return NULL;
}

const char *public_not_ak(const struct public *p)
{
	const TPMT_PUBLIC *a = &p->area;
	uint16_t scheme, by;

	if ((a->objectAttributes & OF_ITS_TPM) != OF_ITS_TPM)
		return "not made by its TPM for ever: fixedTPM, fixedParent, sensitiveDataOrigin, restricted";
	if (!(a->objectAttributes & TPMA_OBJECT_SIGN_ENCRYPT) ||
	    (a->objectAttributes & TPMA_OBJECT_DECRYPT))
		return "not a key that signs and does not decrypt";
	if (a->type == TPM2_ALG_RSA) {
		scheme = a->parameters.rsaDetail.scheme.scheme;
		by = a->parameters.rsaDetail.scheme.details.anySig.hashAlg;
		if (scheme != TPM2_ALG_RSASSA && scheme != TPM2_ALG_RSAPSS)
			return "not RSASSA or RSAPSS";
	} else {
		scheme = a->parameters.eccDetail.scheme.scheme;
		by = a->parameters.eccDetail.scheme.details.anySig.hashAlg;
		if (scheme != TPM2_ALG_ECDSA)
			return "not ECDSA";
	}
	return by == TPM2_ALG_SHA256 ? NULL : "signs by another hash than SHA-256";
}
