/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/api/tpm_keys.h"

#include <errno.h>
#include <string.h>
#include <tss2/tss2_mu.h>

#include "attest/api/files.h"
#include "attest/netherd/process.h"

/* TCG EK Credential Profile 2.5, 2.2.1.4 and 2.2.1.5. */
#define EK_RSA_PERSISTENT 0x81010001u
#define EK_RSA_CERTIFICATE 0x01c00002u
#define EK_ECC_CERTIFICATE 0x01c0000au

#define NV_CHUNK 512u

/* PolicySecret(TPM_RH_ENDORSEMENT). */
#define EK_POLICY                                                                            \
	{                                                                                    \
		.size = 32,                                                                  \
		.buffer = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, \
			   0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, \
			   0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa},      \
	}
#define EK_ATTRIBUTES                                                                       \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
	 TPMA_OBJECT_ADMINWITHPOLICY | TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT)
#define AK_ATTRIBUTES                                                                       \
	(TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT | TPMA_OBJECT_SENSITIVEDATAORIGIN | \
	 TPMA_OBJECT_USERWITHAUTH | TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |             \
	 TPMA_OBJECT_SIGN_ENCRYPT)
#define AES_128_CFB                                                                     \
	{                                                                               \
		.algorithm = TPM2_ALG_AES, .keyBits.aes = 128, .mode.aes = TPM2_ALG_CFB \
	}

static const TPM2B_PUBLIC ek_rsa = {
	.publicArea =
		{
			.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = EK_ATTRIBUTES,
			.authPolicy = EK_POLICY,
			.parameters.rsaDetail = {AES_128_CFB, {.scheme = TPM2_ALG_NULL}, 2048, 0},
			.unique.rsa = {.size = 256},
		},
};
static const TPM2B_PUBLIC ek_ecc = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = EK_ATTRIBUTES,
			.authPolicy = EK_POLICY,
			.parameters.eccDetail = {AES_128_CFB,
						 {.scheme = TPM2_ALG_NULL},
						 TPM2_ECC_NIST_P256,
						 {.scheme = TPM2_ALG_NULL}},
			.unique.ecc = {.x = {.size = 32}, .y = {.size = 32}},
		},
};
static const TPM2B_PUBLIC ak_ecc = {
	.publicArea =
		{
			.type = TPM2_ALG_ECC,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = AK_ATTRIBUTES,
			.parameters.eccDetail = {{.algorithm = TPM2_ALG_NULL},
						 {.scheme = TPM2_ALG_ECDSA,
						  .details.ecdsa.hashAlg = TPM2_ALG_SHA256},
						 TPM2_ECC_NIST_P256,
						 {.scheme = TPM2_ALG_NULL}},
		},
};
static const TPM2B_PUBLIC ak_rsa = {
	.publicArea =
		{
			.type = TPM2_ALG_RSA,
			.nameAlg = TPM2_ALG_SHA256,
			.objectAttributes = AK_ATTRIBUTES,
			.parameters.rsaDetail = {{.algorithm = TPM2_ALG_NULL},
						 {.scheme = TPM2_ALG_RSASSA,
						  .details.rsassa.hashAlg = TPM2_ALG_SHA256},
						 2048,
						 0},
		},
};

static TSS2_RC put_public(const TPM2B_PUBLIC *public, struct tpm_blob *out)
{
	out->bytes = 0;
	return Tss2_MU_TPM2B_PUBLIC_Marshal(public, out->data, sizeof(out->data), &out->bytes);
}

/* --- the certificate ---------------------------------------------------------------------------- */

/* What follows the certificate in its index is padding (profile, 2.2.1.4): its own head has its length. */
static size_t der_bytes(const uint8_t *der, size_t bytes)
{
	size_t n;

	if (bytes < 4 || der[0] != 0x30 || der[1] != 0x82)
		return 0;
	n = 4 + ((size_t)der[2] << 8 | der[3]);
	return n <= bytes ? n : 0;
}

static TSS2_RC read_index(struct tpm *t, ESYS_TR index, struct tpm_blob *out)
{
	TPM2B_NV_PUBLIC *public = NULL;
	size_t bytes;
	ESYS_TR by;
	TSS2_RC rc = Esys_NV_ReadPublic(t->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					&public, NULL);

	if (rc)
		return rc;
	bytes = public->nvPublic.dataSize;
	by = public->nvPublic.attributes & TPMA_NV_AUTHREAD ? index : ESYS_TR_RH_OWNER;
	Esys_Free(public);
	for (out->bytes = 0; out->bytes < bytes && bytes <= sizeof(out->data);) {
		size_t n = bytes - out->bytes < NV_CHUNK ? bytes - out->bytes : NV_CHUNK;
		TPM2B_MAX_NV_BUFFER *part = NULL;

		rc = Esys_NV_Read(t->esys, by, index, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
				  (UINT16)n, (UINT16)out->bytes, &part);
		if (rc)
			return rc;
		memcpy(out->data + out->bytes, part->buffer, n);
		out->bytes += n;
		Esys_Free(part);
	}
	out->bytes = der_bytes(out->data, out->bytes);
	return TSS2_RC_SUCCESS;
}

/* Whether the TPM has a certificate there. */
static bool certificate(struct tpm *t, TPM2_HANDLE handle)
{
	struct tpm_blob *out = &t->identity.certificate;
	ESYS_TR index;
	TSS2_RC rc = Esys_TR_FromTPMPublic(t->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, &index);

	out->bytes = 0;
	if (rc)
		return false;
	rc = read_index(t, index, out);
	Esys_TR_Close(t->esys, &index);
	if (rc)
		out->bytes = 0;
	return out->bytes > 0;
}

/* --- the endorsement key ------------------------------------------------------------------------ */

/* Whether a key is what the template makes. */
static bool is_like(const TPMT_PUBLIC *have, const TPMT_PUBLIC *want)
{
	return have->type == want->type && have->nameAlg == want->nameAlg &&
	       have->objectAttributes == want->objectAttributes &&
	       have->authPolicy.size == want->authPolicy.size &&
	       !memcmp(have->authPolicy.buffer, want->authPolicy.buffer, want->authPolicy.size);
}

static bool persistent_ek(struct tpm *t)
{
	TPM2B_PUBLIC *public = NULL;
	bool ok;

	if (Esys_TR_FromTPMPublic(t->esys, EK_RSA_PERSISTENT, ESYS_TR_NONE, ESYS_TR_NONE,
				  ESYS_TR_NONE, &t->ek))
		return false;
	ok = !Esys_ReadPublic(t->esys, t->ek, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
			      NULL, NULL) &&
	     is_like(&public->publicArea, &ek_rsa.publicArea) &&
	     !put_public(public, &t->identity.ek);
	Esys_Free(public);
	if (!ok)
		Esys_TR_Close(t->esys, &t->ek);
	return ok;
}

static TSS2_RC create_ek(struct tpm *t, const TPM2B_PUBLIC *template)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	TPM2B_PUBLIC *public = NULL;
	TSS2_RC rc = Esys_CreatePrimary(t->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD,
					ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, template, &outside,
					&pcrs, &t->ek, &public, NULL, NULL, NULL);

	if (rc)
		return rc;
	t->ek_is_ours = true;
	rc = put_public(public, &t->identity.ek);
	Esys_Free(public);
	return rc;
}

/* ECC's only if that alone has a certificate. */
static TSS2_RC load_ek(struct tpm *t)
{
	bool rsa = certificate(t, EK_RSA_CERTIFICATE);

	if (!rsa && certificate(t, EK_ECC_CERTIFICATE))
		return create_ek(t, &ek_ecc);
	return persistent_ek(t) ? TSS2_RC_SUCCESS : create_ek(t, &ek_rsa);
}

TSS2_RC tpm_keys_session(struct tpm *t, ESYS_TR *session)
{
	const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
	TSS2_RC rc = Esys_StartAuthSession(t->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
					   ESYS_TR_NONE, ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none,
					   TPM2_ALG_SHA256, session);

	if (rc)
		return rc;
	rc = Esys_PolicySecret(t->esys, ESYS_TR_RH_ENDORSEMENT, *session, ESYS_TR_PASSWORD,
			       ESYS_TR_NONE, ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
	if (rc)
		Esys_FlushContext(t->esys, *session);
	return rc;
}

/* --- the attestation key ------------------------------------------------------------------------ */

static TSS2_RC load_ak(struct tpm *t, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private)
{
	ESYS_TR session;
	TSS2_RC rc = tpm_keys_session(t, &session);

	if (rc)
		return rc;
	rc = Esys_Load(t->esys, t->ek, session, ESYS_TR_NONE, ESYS_TR_NONE, private, public,
		       &t->ak);
	Esys_FlushContext(t->esys, session);
	return rc ? rc : put_public(public, &t->identity.ak);
}

static TSS2_RC create_one(struct tpm *t, const TPM2B_PUBLIC *template, TPM2B_PUBLIC **public,
			  TPM2B_PRIVATE **private)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	ESYS_TR session;
	TSS2_RC rc = tpm_keys_session(t, &session);

	if (rc)
		return rc;
	rc = Esys_Create(t->esys, t->ek, session, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, template,
			 &outside, &pcrs, private, public, NULL, NULL, NULL);
	Esys_FlushContext(t->esys, session);
	return rc;
}

static int save_ak(const char *path, const TPM2B_PUBLIC *public, const TPM2B_PRIVATE *private)
{
	uint8_t both[2 * TPM_BLOB];
	size_t bytes = 0;

	if (Tss2_MU_TPM2B_PUBLIC_Marshal(public, both, sizeof(both), &bytes) ||
	    Tss2_MU_TPM2B_PRIVATE_Marshal(private, both, sizeof(both), &bytes))
		return -EINVAL;
	return file_write(path, both, bytes);
}

/* A key that cannot be kept is used all the same: tenants meet another one after the next start. */
static TSS2_RC create_ak(struct tpm *t, const char *path)
{
	TPM2B_PUBLIC *public = NULL;
	TPM2B_PRIVATE *private = NULL;
	TSS2_RC rc = create_one(t, &ak_ecc, &public, &private);
	int err;

	if (tpm_keys_rejected(rc)) /* a TPM without this curve */
		rc = create_one(t, &ak_rsa, &public, &private);
	if (!rc)
		rc = load_ak(t, public, private);
	if (!rc) {
		err = save_ak(path, public, private);
		process_say("a new attestation key%s%s", err ? ", which cannot be kept: " : "",
			    err ? strerror(-err) : "");
	}
	Esys_Free(public);
	Esys_Free(private);
	return rc;
}

/* Whether there is one on file; of another kind than ours it is not used. */
static bool read_ak(const char *path, TPM2B_PUBLIC *public, TPM2B_PRIVATE *private)
{
	uint8_t both[2 * TPM_BLOB];
	long bytes = file_read(path, both, sizeof(both));
	size_t at = 0;

	*public = (TPM2B_PUBLIC){0};
	*private = (TPM2B_PRIVATE){0};
	return bytes > 0 && !Tss2_MU_TPM2B_PUBLIC_Unmarshal(both, (size_t)bytes, &at, public) &&
	       !Tss2_MU_TPM2B_PRIVATE_Unmarshal(both, (size_t)bytes, &at, private) &&
	       at == (size_t)bytes && public->publicArea.objectAttributes == AK_ATTRIBUTES;
}

TSS2_RC tpm_keys_load(struct tpm *t, const char *path)
{
	TPM2B_PUBLIC public;
	TPM2B_PRIVATE private;
	TSS2_RC rc = load_ek(t);

	if (rc)
		return rc;
	if (read_ak(path, &public, &private)) {
		rc = load_ak(t, &public, &private);
		/* Any other error says nothing of the key: a TPM that fails for a while must not cost it. */
		if (!tpm_keys_rejected(rc))
			return rc;
	}
	return create_ak(t, path);
}

void tpm_keys_flush(struct tpm *t)
{
	if (t->ak != ESYS_TR_NONE)
		Esys_FlushContext(t->esys, t->ak);
	if (t->ek != ESYS_TR_NONE && t->ek_is_ours)
		Esys_FlushContext(t->esys, t->ek);
	t->ak = t->ek = ESYS_TR_NONE;
	t->ek_is_ours = false;
}
