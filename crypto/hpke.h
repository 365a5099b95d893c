/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HPKE (RFC 9180) in mode_auth: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM; one message of a context. The monitor
 * opens; crypto/hosted/hpke_seal.h, which is not in the image, seals.
 */
#ifndef CRYPTO_HPKE_H
#define CRYPTO_HPKE_H

#include "crypto/seal.h"
#include "crypto/x25519.h"

#define CRYPTO_HPKE_TAG_BYTES sizeof(struct crypto_tag)

/* Who sent the message, to whom: the public keys that both sides hash, in the order of kem_context (4.1). */
struct crypto_hpke {
	uint8_t enc[CRYPTO_X25519_BYTES]; /* the sender's for this message only */
	uint8_t receiver[CRYPTO_X25519_BYTES];
	uint8_t sender[CRYPTO_X25519_BYTES];
};

/*
 * Opens len bytes, behind which src has the tag, with the receiver's private key: 0; CRYPTO_ERR_TAG if it was not sealed by the
 * sender for the receiver with this info and this associated data; CRYPTO_ERR_KEY if enc or sender is no key (7.1.4). dst is
 * untouched then. As with crypto_open(), nobody else may be able to write to src meanwhile.
 */
int crypto_hpke_open(const struct crypto_hpke *h, const uint8_t key[CRYPTO_X25519_BYTES],
		     const char *info, const void *ad, size_t ad_len, void *dst, const void *src,
		     size_t len) __attribute__((warn_unused_result));

/* The AEAD's key and first nonce, of both sides' DH(E, R) and DH(S, R). */
struct crypto_hpke_key {
	struct crypto_key key;
	struct crypto_nonce nonce;
};
void crypto_hpke_schedule(struct crypto_hpke_key *out, const struct crypto_hpke *h,
			  const uint8_t dh[2 * CRYPTO_X25519_BYTES], const char *info);

#endif
