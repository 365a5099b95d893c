/* SPDX-License-Identifier: Apache-2.0 */
/* What a connection with the TPM has: both keys, loaded until it ends. */
#ifndef ATTEST_API_TPM_KEYS_H
#define ATTEST_API_TPM_KEYS_H

#include <tss2/tss2_esys.h>

#include "attest/api/tpm.h"

struct tpm {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
	ESYS_TR ek, ak;
	bool ek_is_ours; /* to be flushed */
	struct tpm_identity identity;
};

/* Whether it is a parameter that the TPM does not like (TPM 2.0 part 2, 6.6.2), and not the TPM that fails. */
static inline bool tpm_keys_rejected(TSS2_RC rc)
{
	return !(rc & TSS2_RC_LAYER_MASK) && rc & TPM2_RC_FMT1 && rc & TPM2_RC_P;
}

/*
 * The EK (TCG EK Credential Profile 2.5, templates L-1 and L-2) and the AK, which is made if the file at path has none
 * that this TPM takes. TSS2_RC_SUCCESS, or an error: then the connection is of no use.
 */
TSS2_RC tpm_keys_load(struct tpm *t, const char *path);
void tpm_keys_flush(struct tpm *t);
/* A session that may use the EK, once. */
TSS2_RC tpm_keys_session(struct tpm *t, ESYS_TR *session);

#endif
