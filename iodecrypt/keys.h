/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of an image (docs/image-format.md, "Keys"). */
#ifndef IODECRYPT_KEYS_H
#define IODECRYPT_KEYS_H

#include "crypto/xts.h"
#include "iodecrypt/format.h"

#define DISK_MASTER_BYTES 32

/* What it takes to use an image, and what a tenant releases to the monitor. */
struct disk_keys {
	uint8_t uuid[DISK_UUID_BYTES];
	uint8_t id[DISK_KEY_ID_BYTES]; /* of the master key; public */
	uint8_t xts[CRYPTO_XTS_KEY_BYTES];
	uint8_t tag[32];
};

/* From the master key, which the tenant keeps. */
void disk_keys_derive(struct disk_keys *keys, const uint8_t master[DISK_MASTER_BYTES],
		      const uint8_t uuid[DISK_UUID_BYTES]);

/* The key of one purpose, "sector", "node", "header" or "journal" at the end of info, from keys->tag. */
void disk_keys_hmac(struct crypto_hmac *k, const struct disk_keys *keys, const char *info);

#endif
