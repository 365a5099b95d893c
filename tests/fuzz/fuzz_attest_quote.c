/* SPDX-License-Identifier: Apache-2.0 */
/* What a TPM is said to have made: a public area, a quote, a signature, a certificate; by which the first byte says. */
#include <openssl/pem.h>
#include <stdlib.h>

#include "attest/tool/credential.h"
#include "attest/tool/ekcert.h"
#include "attest/tool/quote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void read_public(const struct bytes *in)
{
	static const uint8_t secret[CREDENTIAL_BYTES];
	struct bytes blob, enc, none = {NULL, 0};
	char why[PUBLIC_WHY], what[EKCERT_WHY];
	struct public p;

	if (public_parse(&p, in, why))
		return;
	if (!public_not_ek(&p) && !credential_make(&p, &p, secret, &blob, &enc)) {
		bytes_free(&blob);
		bytes_free(&enc);
	}
	if (!public_not_ak(&p) && !quote_unsigned(&p, in, &none))
		abort();
	if (ekcert_check(in, &p, NULL, false, what))
		abort();
	public_free(&p);
}

/* Two keys of OpenSSL's, one for each kind of signature; nothing that is made up is theirs. */
static void read_signature(const struct bytes *in)
{
	static struct public rsa, ecc;
	struct bytes message = {(uint8_t *)"quote", 5};

	if (!rsa.key) {
		rsa.key = EVP_RSA_gen(2048);
		rsa.area.type = TPM2_ALG_RSA;
		rsa.area.parameters.rsaDetail.scheme.scheme = TPM2_ALG_RSASSA;
		ecc.key = EVP_EC_gen("P-256");
		ecc.area.type = TPM2_ALG_ECC;
		ecc.area.parameters.eccDetail.scheme.scheme = TPM2_ALG_ECDSA;
	}
	if (!quote_unsigned(&rsa, &message, in) || !quote_unsigned(&ecc, &message, in))
		abort();
}

static void read_certificate(const struct bytes *in)
{
	static struct public ek;
	char what[EKCERT_WHY];
	STACK_OF(X509) * roots;
	const uint8_t *at = in->at;
	X509 *cert = d2i_X509(NULL, &at, (long)in->n);

	if (!ek.key)
		ek.key = EVP_EC_gen("P-256");
	/* With itself as a root, and its own key for that of the TPM, the rest is looked at, too. */
	if (cert && X509_get0_pubkey(cert)) {
		struct public own = {.key = X509_get0_pubkey(cert)};

		roots = sk_X509_new_null();
		sk_X509_push(roots, cert);
		ekcert_check(in, &own, roots, in->n & 1, what);
		sk_X509_free(roots);
	}
	if (ekcert_check(in, &ek, NULL, true, what))
		abort();
	X509_free(cert);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	char why[QUOTE_WHY];
	struct bytes in;
	struct quote q;

	if (!n)
		return 0;
	in = bytes_copy(data + 1, n - 1);
	switch (*data & 3) {
	case 0:
		read_public(&in);
		break;
	case 1:
		quote_parse(&q, &in, why);
		break;
	case 2:
		read_signature(&in);
		break;
	case 3:
		read_certificate(&in);
		break;
	}
	bytes_free(&in);
	return 0;
}
