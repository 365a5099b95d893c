/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-XTS (IEEE 1619-2007, NIST SP 800-38E) over sectors of 512 bytes, as Linux calls it
 * aes-xts-plain64: a sector's tweak is its number, 128 bits, little-endian. It hides, and does not
 * authenticate: whoever can write ciphertext can put an old sector back or turn 16 bytes into noise.
 */
#ifndef CRYPTO_XTS_H
#define CRYPTO_XTS_H

#include "crypto/crypto.h"

#define CRYPTO_SECTOR_BYTES 512
#define CRYPTO_XTS_KEY_BYTES 64

/*
 * An expanded key, the caller's. Constant after crypto_xts_init(), so that any number of CPUs may use it
 * at once. Ends with crypto_wipe().
 */
struct crypto_xts {
	_Alignas(16) uint8_t state[768];
};

/*
 * Expands key, which the caller may then wipe: first the half for data, then that for tweaks. Returns 0,
 * or CRYPTO_ERR_KEY with *x zeroed if they are equal: XTS is then less than XTS (IEEE 1619-2018, 5.1;
 * FIPS 140-2 IG, A.9).
 */
int crypto_xts_init(struct crypto_xts *x, const uint8_t key[CRYPTO_XTS_KEY_BYTES])
	__attribute__((warn_unused_result));

/*
 * Encrypts or decrypts `sectors` sectors, of which the first is number `sector`, from src to dst: the
 * same place or disjoint ones, of any alignment. src is read once.
 */
void crypto_xts_encrypt(const struct crypto_xts *x, uint64_t sector, void *dst, const void *src,
			size_t sectors);
void crypto_xts_decrypt(const struct crypto_xts *x, uint64_t sector, void *dst, const void *src,
			size_t sectors);

#endif
