/* SPDX-License-Identifier: Apache-2.0 */
/* The sender's side of crypto/hpke.h, for programs: not in the image. */
#ifndef CRYPTO_HOSTED_HPKE_SEAL_H
#define CRYPTO_HOSTED_HPKE_SEAL_H

#include "crypto/hpke.h"

/*
 * Seals len bytes for h->receiver, from the owner of the private key; fills in h->enc and h->sender, which follow from the keys, so that
 * a caller whose ad has them can compute them before, by crypto_x25519_public(). dst takes len + CRYPTO_HPKE_TAG_BYTES bytes,
 * and does not overlap src. ephemeral are 32 fresh random bytes, which the caller wipes and never uses again: who has them
 * reads the message. 0, or CRYPTO_ERR_KEY if the receiver's key is none.
 */
int crypto_hpke_seal(struct crypto_hpke *h, const uint8_t key[CRYPTO_X25519_BYTES],
		     const uint8_t ephemeral[CRYPTO_X25519_BYTES], const char *info, const void *ad,
		     size_t ad_len, void *dst, const void *src, size_t len)
	__attribute__((warn_unused_result));

#endif
