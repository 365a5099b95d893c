/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC-SHA-256 (RFC 2104, FIPS 198-1), and tags of a disk's sectors by it. */
#ifndef CRYPTO_HMAC_H
#define CRYPTO_HMAC_H

#include "crypto/sha256.h"
#include "crypto/xts.h"

#define CRYPTO_HMAC_BYTES 32
#define CRYPTO_SECTOR_TAG_BYTES 16

/*
 * A key, as the states that SHA-256 has after its two blocks of padded key. As secret as the key. Constant
 * after crypto_hmac_init(), so that any number of CPUs may use it at once. Ends with crypto_wipe().
 */
struct crypto_hmac {
	uint32_t inner[8];
	uint32_t outer[8];
};

/* A message under way; may be copied, to go on twice from one beginning. The key must outlive it. */
struct crypto_hmac_stream {
	struct crypto_sha256 hash;
	const struct crypto_hmac *key;
};

/* len may be anything, though 32 bytes are what a key needs. The caller may then wipe key. */
void crypto_hmac_init(struct crypto_hmac *k, const void *key, size_t len);

/* As with crypto/sha256.h: data that another CPU changes meanwhile gives a tag of nothing. */
void crypto_hmac_start(struct crypto_hmac_stream *s, const struct crypto_hmac *k);
void crypto_hmac_update(struct crypto_hmac_stream *s, const void *data, size_t len);
/* Gives the tag and wipes the state. */
void crypto_hmac_final(struct crypto_hmac_stream *s, uint8_t out[CRYPTO_HMAC_BYTES]);

/* All in one, over a and then b; a null pointer is fine where the length is 0. */
void crypto_hmac(const struct crypto_hmac *k, const void *a, size_t a_len, const void *b,
		 size_t b_len, uint8_t out[CRYPTO_HMAC_BYTES]);

/*
 * The tags of `sectors` sectors at data, of any alignment, of which the first is number `sector`: each is
 * the first 16 bytes of the HMAC over the sector's 512 bytes and its number, 64 bits, little-endian.
 */
void crypto_hmac_sectors(const struct crypto_hmac *k, uint64_t sector, const void *data,
			 size_t sectors, uint8_t (*tags)[CRYPTO_SECTOR_TAG_BYTES]);

#endif
