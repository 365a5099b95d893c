/* SPDX-License-Identifier: Apache-2.0 */
/* An image that is there: its two files, its keys, and the header that counts. */
#ifndef IODECRYPT_TOOL_IMAGE_H
#define IODECRYPT_TOOL_IMAGE_H

#include "iodecrypt/disk.h"
#include "iodecrypt/tool/tool.h"

struct image {
	const char *data_path, *sidecar_path;
	int data, sidecar;
	uint64_t sidecar_bytes;
	struct disk_keys keys;
	struct crypto_xts xts;
	struct crypto_hmac sector_key, node_key, header_key, journal_key;
	struct disk_header h;
	struct disk_receipt receipt;
	bool receipt_known;
	struct overlay *overlay; /* over the sidecar, or none */
};

enum image_mode {
	IMAGE_READ,   /* must have been closed */
	IMAGE_LOOK,   /* need not */
	IMAGE_CHANGE, /* need not; files are locked, the sidecar open for writing */
};

/* paths are of data file and sidecar; o has key and receipt. A status. */
int image_open(struct image *img, const struct options *o, enum image_mode mode, char **paths);
/* In any case. */
void image_close(struct image *img);

/*
 * The sidecar, as the overlay has it: 0, or -1 with errno. Beyond its end are zeros. Writes are kept in the overlay if
 * there is one; they are aligned to 512 bytes.
 */
int image_read(const struct image *img, void *buf, size_t n, uint64_t offset);
int image_write(struct image *img, const void *buf, size_t n, uint64_t offset);

/* Once there is another header. */
int image_reread(struct image *img);

/* What a sidecar says of itself, which nothing verifies: bytes of its header's slots. A status. */
#define IMAGE_HEADERS (2 * DISK_HEADER_BYTES)
int image_headers(const char *path, uint8_t headers[IMAGE_HEADERS]);
/* Whether a slot has a header, and where in it what is needed to get at the keys. */
bool image_header_there(const uint8_t *header);
#define IMAGE_HEADER_UUID 16
#define IMAGE_HEADER_KEY_ID 32

/* The keys of the image with these headers: a status. */
int image_keys(struct disk_keys *keys, const char *key, const char *sidecar,
	       const uint8_t headers[IMAGE_HEADERS]);

#endif
