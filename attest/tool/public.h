/* SPDX-License-Identifier: Apache-2.0 */
/* Public areas of the TPM's keys (TPM 2.0 part 2, 12.2). */
#ifndef ATTEST_TOOL_PUBLIC_H
#define ATTEST_TOOL_PUBLIC_H

#include <openssl/evp.h>
#include <tss2/tss2_tpm2_types.h>

#include "attest/tool/bytes.h"

#define PUBLIC_WHY 96

struct public
{
	TPMT_PUBLIC area;
	EVP_PKEY *key;
	uint8_t name[2 + 64]; /* part 1, 16: the algorithm and the hash of the area */
	size_t name_n;
	uint8_t spki[32]; /* SHA-256 of the key's SubjectPublicKeyInfo */
};

/*
 * A marshalled TPM2B_PUBLIC, in the one way there is: RSA of 2048 to 4096 bits, or ECC on P-256 or P-384; name by SHA-256
 * or SHA-384. 0, or -1 with why, and nothing to free.
 */
int public_parse(struct public *p, const struct bytes *in, char why[PUBLIC_WHY]);
void public_free(struct public *p);

/* NULL, or why this is not an endorsement key, which decrypts credentials only for keys of its TPM... */
const char *public_not_ek(const struct public *p);
/* ... or not an attestation key: made in its TPM, does not leave it, and signs only what the TPM itself has made. */
const char *public_not_ak(const struct public *p);

/* "sha256" or "sha384" for a TPM_ALG_ID, or NULL. */
const char *public_hash(uint16_t alg);

#endif
