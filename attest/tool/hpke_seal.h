/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HPKE's sender (RFC 9180), mode_auth: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; by OpenSSL, where the monitor
 * has crypto/: two implementations that have to agree.
 */
#ifndef ATTEST_TOOL_HPKE_SEAL_H
#define ATTEST_TOOL_HPKE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#define HPKE_TAG 16u

struct hpke_sender {
	uint8_t enc[32]; /* to be sent along */
	uint8_t key[32];
	uint8_t nonce[12];
};

/* ephemeral: the sender's private key for this message only; never the same twice. 0, or -1: a peer's key that is no key. */
int hpke_setup(struct hpke_sender *s, const uint8_t ephemeral[32], const uint8_t sender[32],
	       const uint8_t receiver[32], const char *info);
/* The one message of this context, and its tag behind it. Wipes s. */
int hpke_seal(struct hpke_sender *s, const void *aad, size_t aad_n, const void *in, size_t n,
	      uint8_t *out);

#endif
