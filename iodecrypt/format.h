/* SPDX-License-Identifier: Apache-2.0 */
/* The layout of a sidecar file: docs/image-format.md, whose sections the comments name. */
#ifndef IODECRYPT_FORMAT_H
#define IODECRYPT_FORMAT_H

#include "crypto/hmac.h"
#include "ept/base.h"

#define DISK_SECTOR 512u
#define DISK_NODE 4096u
#define DISK_FANOUT 256u
#define DISK_TAG_BYTES 16u
#define DISK_MAC_BYTES 32u
#define DISK_UUID_BYTES 16u
#define DISK_KEY_ID_BYTES 16u
#define DISK_SESSION_BYTES 16u
#define DISK_ANCHOR_BYTES 16u
#define DISK_HEADER_BYTES 4096u
#define DISK_LEVELS_MAX 5u
#define DISK_SECTORS_MAX ((uint64_t)1 << 35)
#define DISK_JOURNAL_MIN (16u << 10) /* of one half, a multiple of 4096 */
#define DISK_JOURNAL_MAX (1u << 30)
#define DISK_JOURNAL_DEFAULT (4u << 20)
#define DISK_RECORD_MAX 4096u
#define DISK_RECORD_HEAD 64u
#define DISK_RECORD_TAGS 250u /* (DISK_RECORD_MAX - DISK_RECORD_HEAD - DISK_MAC_BYTES) / 16 */

/* "Header" */
enum disk_state { DISK_CLEAN, DISK_OPEN };

struct disk_header {
	uint8_t uuid[DISK_UUID_BYTES];
	uint8_t key_id[DISK_KEY_ID_BYTES];
	uint64_t sectors;
	uint64_t generation;
	uint32_t state;
	uint32_t half;    /* of the journal, in use */
	uint32_t journal; /* bytes of each half */
	uint64_t seq;     /* of the half's first record */
	uint8_t session[DISK_SESSION_BYTES];
	uint8_t root[DISK_TAG_BYTES];
	uint8_t anchor_id[DISK_ANCHOR_BYTES];
	uint64_t anchor;
};

/* In which of the two places, 0 or 1 times DISK_HEADER_BYTES, a header of this generation is. */
static inline uint32_t format_header_slot(uint64_t generation)
{
	return generation & 1;
}

void format_header_make(const struct disk_header *h, const struct crypto_hmac *k,
			uint8_t out[DISK_HEADER_BYTES]);

/* Reads the one in `slot`. uuid and key_id are those that it should have. Errors as disk_open()'s. */
int format_header_read(struct disk_header *h, const struct crypto_hmac *k,
		       const uint8_t in[DISK_HEADER_BYTES], uint32_t slot,
		       const uint8_t uuid[DISK_UUID_BYTES],
		       const uint8_t key_id[DISK_KEY_ID_BYTES]);

/* "Journal" */
enum disk_record_type { DISK_RECORD_WRITE = 1, DISK_RECORD_FLUSHED };

struct disk_record {
	uint32_t type;
	uint64_t seq;
	uint64_t first; /* sector */
	uint32_t count; /* of tags, at DISK_RECORD_HEAD */
	uint32_t bytes;
};

/* Bytes of a record with so many tags. */
static inline uint32_t format_record_bytes(uint32_t count)
{
	return ALIGN_UP(DISK_RECORD_HEAD + DISK_TAG_BYTES * count + DISK_MAC_BYTES, DISK_SECTOR);
}

/* Puts head, MAC and padding around tags that are at out + DISK_RECORD_HEAD. Sets r->bytes. */
void format_record_make(struct disk_record *r, const struct crypto_hmac *k,
			const uint8_t session[DISK_SESSION_BYTES], uint8_t *out);

/* Whether at in, of `room` bytes, is the record number seq of the session. */
bool format_record_read(struct disk_record *r, const struct crypto_hmac *k,
			const uint8_t session[DISK_SESSION_BYTES], uint64_t seq, const uint8_t *in,
			uint32_t room);

/* "Tree" */
uint32_t format_levels(uint64_t sectors);
uint64_t format_journal_offset(const struct disk_header *h, uint32_t half);
uint64_t format_node_offset(const struct disk_header *h, uint32_t level, uint64_t index,
			    uint32_t slot);
/* Bytes of the whole file. */
uint64_t format_sidecar_bytes(const struct disk_header *h);
/* What stands for a node in its parent, or in the header. */
void format_entry(const struct crypto_hmac *k, const uint8_t node[DISK_NODE], uint32_t level,
		  uint64_t index, uint32_t slot, uint8_t entry[DISK_TAG_BYTES]);

/* "Tags" */
extern const uint8_t
	format_never[DISK_TAG_BYTES];            /* of a sector never written, of such a subtree */
extern const uint8_t format_bad[DISK_TAG_BYTES]; /* of a sector that can not be read */

static inline bool format_same(const uint8_t a[DISK_TAG_BYTES], const uint8_t b[DISK_TAG_BYTES])
{
	return crypto_equal(a, b, DISK_TAG_BYTES);
}

/* Of `sectors` sectors of ciphertext, the first of which is number `sector`. */
void format_tags(const struct crypto_hmac *k, uint64_t sector, const void *data, uint32_t sectors,
		 uint8_t (*tags)[DISK_TAG_BYTES]);

#endif
