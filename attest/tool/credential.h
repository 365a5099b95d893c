/* SPDX-License-Identifier: Apache-2.0 */
/* TPM2_MakeCredential without a TPM (TPM 2.0 part 1, 24 and annexes B.10.4 and C.6.4). */
#ifndef ATTEST_TOOL_CREDENTIAL_H
#define ATTEST_TOOL_CREDENTIAL_H

#include "attest/tool/public.h"

#define CREDENTIAL_BYTES 32u

/*
 * Wraps secret so that only the TPM of ek gives it away, and only if it has the key of that name. blob: TPM2B_ID_OBJECT,
 * enc: TPM2B_ENCRYPTED_SECRET, marshalled; the caller's to free. 0, or -1.
 */
int credential_make(const struct public *ek, const struct public *ak,
		    const uint8_t secret[CREDENTIAL_BYTES], struct bytes *blob, struct bytes *enc);

#endif
