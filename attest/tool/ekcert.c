/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/tool/ekcert.h"

#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/*
 * Critical extensions that OpenSSL does not know, and whose meaning changes nothing here: 2.5.29.9, subject directory
 * attributes: the TPM's version (3.2.9). The TPM's model in the subject's alternative name (3.2.8) OpenSSL takes.
 */
static bool harmless(X509 *cert)
{
	for (int i = 0; i < X509_get_ext_count(cert); i++) {
		X509_EXTENSION *e = X509_get_ext(cert, i);

		if (X509_EXTENSION_get_critical(e) && !X509_supported_extension(e) &&
		    OBJ_obj2nid(X509_EXTENSION_get_object(e)) != NID_subject_directory_attributes)
			return false;
	}
	return true;
}

static int each(int ok, X509_STORE_CTX *ctx)
{
	if (!ok && X509_STORE_CTX_get_error(ctx) == X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION &&
	    harmless(X509_STORE_CTX_get_current_cert(ctx))) {
		X509_STORE_CTX_set_error(ctx, X509_V_OK);
		return 1;
	}
	return ok;
}

/* Roots are what the tenant says, be they self-signed or not. NULL, or why not. */
static const char *chain(X509 *cert, STACK_OF(X509) * roots)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	const char *why = "no memory";

	for (int i = 0; store && i < sk_X509_num(roots); i++)
		if (X509_STORE_add_cert(store, sk_X509_value(roots, i)) != 1)
			goto out;
	if (!store || !ctx || X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN) != 1 ||
	    X509_STORE_CTX_init(ctx, store, cert, NULL) != 1)
		goto out;
	X509_STORE_CTX_set_verify_cb(ctx, each);
	why = NULL;
	if (X509_verify_cert(ctx) != 1)
		why = X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx));
out:
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return why;
}

/* tcg-kp-EKCertificate says that the key is a TPM's, in what any other certificate of that maker's would lack. */
static bool for_ek(const EXTENDED_KEY_USAGE *uses)
{
	char oid[40];

	for (int i = 0; i < sk_ASN1_OBJECT_num(uses); i++)
		if (OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(uses, i), 1) > 0 &&
		    !strcmp(oid, "2.23.133.8.1"))
			return true;
	return false;
}

/* If it says so at all; where no host is pinned it has to. */
static const char *extended_usage(X509 *cert, bool needed)
{
	EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
	const char *why = NULL;

	if (uses ? !for_ek(uses) : needed)
		why = "not for an endorsement key (2.23.133.8.1)";
	EXTENDED_KEY_USAGE_free(uses);
	return why;
}

/* 3.2.6 and 3.2.7: to encrypt keys or to agree on them, if it says for what; and no authority's. */
static const char *usage(X509 *cert, bool any_host)
{
	uint32_t have = X509_get_extension_flags(cert);

	if (have & EXFLAG_INVALID)
		return "not well formed";
	if (have & EXFLAG_CA)
		return "an authority's";
	if ((have & EXFLAG_KUSAGE) &&
	    !(X509_get_key_usage(cert) & (KU_KEY_ENCIPHERMENT | KU_KEY_AGREEMENT)))
		return "for another use than an endorsement key's";
	return extended_usage(cert, any_host);
}

/* One certificate and nothing else, or NULL. */
static X509 *parse(const struct bytes *der)
{
	const uint8_t *at = der->at;
	X509 *cert = der->n ? d2i_X509(NULL, &at, (long)der->n) : NULL;

	if (cert && at == der->at + der->n)
		return cert;
	X509_free(cert);
	return NULL;
}

static bool same_key(X509 *cert, const struct public *ek)
{
	EVP_PKEY *key = X509_get0_pubkey(cert);

	return key && EVP_PKEY_eq(key, ek->key) == 1;
}

bool ekcert_of(const struct bytes *der, const struct public *ek)
{
	X509 *cert = parse(der);
	bool is = cert && same_key(cert, ek);

	X509_free(cert);
	return is;
}

bool ekcert_check(const struct bytes *der, const struct public *ek, STACK_OF(X509) * roots,
		  bool any_host, char what[EKCERT_WHY])
{
	X509 *cert = parse(der);
	const char *why;

	if (!cert) {
		snprintf(what, EKCERT_WHY, der->n ? "not a certificate" : "there is none");
		return false;
	}
	why = same_key(cert, ek) ? NULL : "of another key";
	why = why ? why : usage(cert, any_host);
	why = why ? why : chain(cert, roots);
	if (why) {
		snprintf(what, EKCERT_WHY, "%s", why);
	} else {
		char issuer[EKCERT_WHY - 20];

		X509_NAME_oneline(X509_get_issuer_name(cert), issuer, sizeof(issuer));
		snprintf(what, EKCERT_WHY, "issued by %s", issuer);
	}
	X509_free(cert);
	return !why;
}
