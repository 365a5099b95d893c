/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM: one user at a time, a bounded number of others waiting. The connection is made when it is needed, and again
 * after an error, since a TPM may come late, go, and come back cleared.
 */
#ifndef ATTEST_API_TPM_H
#define ATTEST_API_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM_BLOB 4096u

struct tpm_blob {
	size_t bytes;
	uint8_t data[TPM_BLOB];
};

struct tpm_identity {
	struct tpm_blob certificate; /* DER; of no bytes if the TPM has none */
	struct tpm_blob ek, ak;      /* TPM2B_PUBLIC */
};

enum tpm_status {
	TPM_OK,
	TPM_QUEUE,   /* too many wait already, or it takes too long */
	TPM_GONE,    /* no TPM, or it fails */
	TPM_REFUSED, /* it does not like what the caller brought */
};

/* The AK is kept in dir. */
void tpm_start(const char *tcti, const char *dir, unsigned int queue);
void tpm_stop(void);
/* Whether it worked when it was last asked, which was not long ago. */
bool tpm_healthy(void);
/* Asks it something if nobody else is: to be called now and then. */
void tpm_poll(void);

enum tpm_status tpm_identity(const char *tenant, struct tpm_identity *out);
/* TPM2_ActivateCredential: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET, marshalled. */
enum tpm_status tpm_activate(const char *tenant, const uint8_t *blob, size_t blob_bytes,
			     const uint8_t *secret, size_t secret_bytes, struct tpm_blob *out);
/* txt: PCRs 17 and 18, too. TPMS_ATTEST and TPMT_SIGNATURE. */
enum tpm_status tpm_quote(const char *tenant, const uint8_t qualifying[32], bool txt,
			  struct tpm_blob *quote, struct tpm_blob *signature);

#endif
