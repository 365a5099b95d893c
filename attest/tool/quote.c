/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/quote.h"

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <tss2/tss2_mu.h>

static int wrong(char why[QUOTE_WHY], const char *what)
{
	snprintf(why, QUOTE_WHY, "%s", what);
	return -1;
}

/* Exactly one selection, of the SHA-256 bank; part 2, 10.6.2. */
static int selection(const TPML_PCR_SELECTION *list, uint32_t *pcrs)
{
	const TPMS_PCR_SELECTION *s = &list->pcrSelections[0];

	if (list->count != 1 || s->hash != TPM2_ALG_SHA256 || s->sizeofSelect > 4)
		return -1;
	*pcrs = 0;
	for (unsigned int i = 0; i < s->sizeofSelect; i++)
		*pcrs |= (uint32_t)s->pcrSelect[i] << 8 * i;
	return *pcrs >> 24 ? -1 : 0;
}

int quote_parse(struct quote *q, const struct bytes *in, char why[QUOTE_WHY])
{
	uint8_t again[sizeof(TPMS_ATTEST) + 64];
	const TPMS_QUOTE_INFO *info;
	TPMS_ATTEST a = {0};
	size_t at = 0, n = 0;

	*q = (struct quote){0};
	if (!in->n || Tss2_MU_TPMS_ATTEST_Unmarshal(in->at, in->n, &at, &a) || at != in->n ||
	    Tss2_MU_TPMS_ATTEST_Marshal(&a, again, sizeof(again), &n) || n != in->n ||
	    memcmp(again, in->at, n) != 0)
		return wrong(why, "not a TPMS_ATTEST");
	if (a.magic != TPM2_GENERATED_VALUE)
		return wrong(why, "not made by a TPM: another magic number");
	if (a.type != TPM2_ST_ATTEST_QUOTE)
		return wrong(why, "not a quote");
	info = &a.attested.quote;
	if (selection(&info->pcrSelect, &q->pcrs))
		return wrong(why, "not of PCRs of the SHA-256 bank alone");
	if (info->pcrDigest.size != sizeof(q->digest))
		return wrong(why, "a digest that is not SHA-256's");
	if (a.extraData.size > sizeof(q->extra))
		return wrong(why, "too much qualifying data");
	memcpy(q->digest, info->pcrDigest.buffer, sizeof(q->digest));
	memcpy(q->extra, a.extraData.buffer, a.extraData.size);
	q->extra_n = a.extraData.size;
	q->resets = a.clockInfo.resetCount;
	q->restarts = a.clockInfo.restartCount;
	return 0;
}

/* The two numbers in DER, as EVP takes them. */
static uint8_t *ecdsa_der(const TPMS_SIGNATURE_ECDSA *s, size_t *n)
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(s->signatureR.buffer, s->signatureR.size, NULL);
	BIGNUM *v = BN_bin2bn(s->signatureS.buffer, s->signatureS.size, NULL);
	uint8_t *der = NULL;
	int bytes = -1;

	if (sig && r && v && ECDSA_SIG_set0(sig, r, v) == 1) {
		bytes = i2d_ECDSA_SIG(sig, &der);
	} else {
		BN_free(r);
		BN_free(v);
	}
	ECDSA_SIG_free(sig);
	*n = bytes > 0 ? (size_t)bytes : 0;
	return bytes > 0 ? der : NULL;
}

static bool verify(EVP_PKEY *key, bool pss, const uint8_t *sig, size_t sig_n,
		   const struct bytes *message)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL; /* md's */
	bool ok;

	ok = md && EVP_DigestVerifyInit(md, &ctx, EVP_sha256(), NULL, key) == 1 &&
	     (!pss || (EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_AUTO) == 1)) &&
	     EVP_DigestVerify(md, sig, sig_n, message->at, message->n) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

const char *quote_unsigned(const struct public *ak, const struct bytes *quote,
			   const struct bytes *signature)
{
	bool rsa = ak->area.type == TPM2_ALG_RSA, ok;
	uint16_t scheme = rsa ? ak->area.parameters.rsaDetail.scheme.scheme
			      : ak->area.parameters.eccDetail.scheme.scheme;
	TPMT_SIGNATURE s = {0};
	size_t at = 0, n;
	uint8_t *der;

	if (!signature->n ||
	    Tss2_MU_TPMT_SIGNATURE_Unmarshal(signature->at, signature->n, &at, &s) ||
	    at != signature->n)
		return "not a TPMT_SIGNATURE";
	if (s.sigAlg != scheme || s.signature.any.hashAlg != TPM2_ALG_SHA256)
		return "of another scheme than the key's";
	if (rsa)
		return verify(ak->key, scheme == TPM2_ALG_RSAPSS, s.signature.rsassa.sig.buffer,
			      s.signature.rsassa.sig.size, quote)
			       ? NULL
			       : "not the key's";
	der = ecdsa_der(&s.signature.ecdsa, &n);
	ok = der && verify(ak->key, false, der, n, quote);
	OPENSSL_free(der);
	return ok ? NULL : "not the key's";
}
