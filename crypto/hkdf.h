/* SPDX-License-Identifier: Apache-2.0 */
/* HKDF with SHA-256 (RFC 5869): keys from a secret, extracted and expanded at once. */
#ifndef CRYPTO_HKDF_H
#define CRYPTO_HKDF_H

#include "crypto/crypto.h"

#define CRYPTO_HKDF_MAX (255u * 32u)

/*
 * out_len bytes, at most CRYPTO_HKDF_MAX, of the secret ikm. salt may be empty, and need not be secret.
 * info says what they are for: what differs in it is independent.
 */
void crypto_hkdf(const void *salt, size_t salt_len, const void *ikm, size_t ikm_len,
		 const char *info, void *out, size_t out_len);

#endif
