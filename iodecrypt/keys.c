/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/keys.h"

#include "crypto/hkdf.h"

void disk_keys_derive(struct disk_keys *keys, const uint8_t master[DISK_MASTER_BYTES],
		      const uint8_t uuid[DISK_UUID_BYTES])
{
	__builtin_memcpy(keys->uuid, uuid, DISK_UUID_BYTES);
	crypto_hkdf(NULL, 0, master, DISK_MASTER_BYTES, "nethervisor disk v1 key id", keys->id,
		    sizeof(keys->id));
	crypto_hkdf(uuid, DISK_UUID_BYTES, master, DISK_MASTER_BYTES, "nethervisor disk v1 xts",
		    keys->xts, sizeof(keys->xts));
	crypto_hkdf(uuid, DISK_UUID_BYTES, master, DISK_MASTER_BYTES, "nethervisor disk v1 tag",
		    keys->tag, sizeof(keys->tag));
}

void disk_keys_hmac(struct crypto_hmac *k, const struct disk_keys *keys, const char *info)
{
	uint8_t key[32];

	crypto_hkdf(NULL, 0, keys->tag, sizeof(keys->tag), info, key, sizeof(key));
	crypto_hmac_init(k, key, sizeof(key));
	crypto_wipe(key, sizeof(key));
}
