/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant's side of attest/release.h, for programs: not in the image. */
#ifndef ATTEST_TENANT_RELEASE_SEAL_H
#define ATTEST_TENANT_RELEASE_SEAL_H

#include "attest/release.h"

/*
 * Makes the message that releases r to the monitor whose key to receive by is `monitor`, from the tenant with this private
 * X25519 key. ephemeral are 32 fresh random bytes, never used again; the caller wipes them, and r. 0, or CRYPTO_ERR_KEY if the monitor's
 * key is none.
 */
int release_seal(struct release_message *m, const struct release *r, const uint8_t monitor[32],
		 const uint8_t tenant[32], const uint8_t ephemeral[32])
	__attribute__((warn_unused_result));

#endif
