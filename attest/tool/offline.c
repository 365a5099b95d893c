/* SPDX-License-Identifier: Apache-2.0 */
/* What needs no host: `key`, `evidence check`. */
#include <openssl/crypto.h>
#include <stdio.h>

#include "attest/tool/known.h"
#include "attest/tool/report.h"
#include "attest/tool/tool.h"
#include "crypto/x25519.h"
#include "iodecrypt/tool/keyfile.h"

_Static_assert(DISK_MASTER_BYTES == CRYPTO_X25519_BYTES, "key files of one size");

int attest_key_new(const struct attest_options *o, char **args)
{
	return keyfile_new(args[0]) ? ATTEST_ERROR : ATTEST_OK;
}

int attest_key_public(const struct attest_options *o, char **args)
{
	uint8_t key[CRYPTO_X25519_BYTES], public[CRYPTO_X25519_BYTES];
	char text[2 * sizeof(public) + 1];
	int status = keyfile_read(args[0], key);

	if (!status) {
		crypto_x25519_public(public, key);
		hex_encode(text, public, sizeof(public));
		puts(text);
	}
	OPENSSL_cleanse(key, sizeof(key));
	return status ? ATTEST_ERROR : ATTEST_OK;
}

int check_known(struct check *c, const struct attest_options *o, const struct policy *p)
{
	bool pinned = c->has_ak && policy_pinned(&p->aks, c->ak_id), found = pinned;
	int status = ATTEST_OK;

	c->from_file = true;
	if (!pinned && c->has_ek && c->has_ak)
		status = known_find(o->known, c->ek.spki, c->ak_id, &found);
	if (!status)
		rows_add(&c->rows, found, "activation",
			 "an attestation key in the policy, or that this TPM has activated", "%s",
			 pinned  ? "the policy has this key"
			 : found ? "this TPM has activated this key before"
				 : "this key is not known");
	return status;
}

int attest_evidence_check(const struct attest_options *o, char **args)
{
	struct policy p = {0};
	struct bundle b = {0};
	struct check c = {0};
	int status;

	if (!o->policy)
		return fail(ATTEST_USAGE, "`evidence check` takes a --policy");
	status = policy_load(&p, o->policy);
	if (!status)
		status = bundle_load(&b, args[0]);
	if (!status) {
		check_identity(&c, &b, &p);
		status = check_known(&c, o, &p);
	}
	if (!status) {
		check_state(&c, &b, &p);
		status = report(&c, &b, o->json);
	}
	check_free(&c);
	bundle_free(&b);
	policy_free(&p);
	return status;
}
