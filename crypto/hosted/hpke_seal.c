/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hosted/hpke_seal.h"

/* RFC 9180, 6: all that a message takes. NOLINTNEXTLINE(readability-function-size) */
int crypto_hpke_seal(struct crypto_hpke *h, const uint8_t key[CRYPTO_X25519_BYTES],
		     const uint8_t ephemeral[CRYPTO_X25519_BYTES], const char *info, const void *ad,
		     size_t ad_len, void *dst, const void *src, size_t len)
{
	uint8_t dh[2 * CRYPTO_X25519_BYTES];
	struct crypto_hpke_key k;
	struct crypto_tag tag;
	int err;

	crypto_x25519_public(h->enc, ephemeral);
	crypto_x25519_public(h->sender, key);
	err = crypto_x25519(dh, ephemeral, h->receiver);
	if (!err)
		err = crypto_x25519(dh + CRYPTO_X25519_BYTES, key, h->receiver);
	if (!err) {
		crypto_hpke_schedule(&k, h, dh, info);
		crypto_seal(&k.key, &k.nonce, ad, ad_len, dst, src, len, &tag);
		__builtin_memcpy((uint8_t *)dst + len, tag.b, sizeof(tag.b));
		crypto_wipe(&k, sizeof(k));
	}
	crypto_wipe(dh, sizeof(dh));
	return err;
}
