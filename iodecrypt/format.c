/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the sidecar, by their offsets. Numbers are little-endian, as are all CPUs that this runs on. */
#include "iodecrypt/format.h"

#define HEADER_MAGIC "NETHDISK"
#define HEADER_VERSION 1u
#define HEADER_XTS_HMAC 1u /* AES-256-XTS, HMAC-SHA-256 cut to 128 bits */
#define HEADER_MAC (DISK_HEADER_BYTES - DISK_MAC_BYTES)
#define RECORD_MAGIC 0x314a484eu /* "NHJ1" */

enum header_at {
	H_MAGIC = 0,
	H_VERSION = 8,
	H_ALGORITHM = 12,
	H_UUID = 16,
	H_KEY_ID = 32,
	H_SECTORS = 48,
	H_GENERATION = 56,
	H_STATE = 64,
	H_LEVELS = 68,
	H_HALF = 72,
	H_JOURNAL = 76,
	H_SEQ = 80,
	H_SESSION = 88,
	H_ROOT = 104,
	H_ANCHOR_ID = 120,
	H_ANCHOR = 136,
	H_ZERO = 144,
};

enum record_at {
	R_MAGIC = 0,
	R_TYPE = 4,
	R_SEQ = 8,
	R_SESSION = 16,
	R_FIRST = 32,
	R_COUNT = 40,
	R_BYTES = 44,
	R_ZERO = 48,
};

const uint8_t format_never[DISK_TAG_BYTES];
const uint8_t format_bad[DISK_TAG_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static void put32(uint8_t *p, uint32_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

void format_header_make(const struct disk_header *h, const struct crypto_hmac *k,
			uint8_t out[DISK_HEADER_BYTES])
{
	__builtin_memset(out, 0, DISK_HEADER_BYTES);
	__builtin_memcpy(out + H_MAGIC, HEADER_MAGIC, 8);
	put32(out + H_VERSION, HEADER_VERSION);
	put32(out + H_ALGORITHM, HEADER_XTS_HMAC);
	__builtin_memcpy(out + H_UUID, h->uuid, DISK_UUID_BYTES);
	__builtin_memcpy(out + H_KEY_ID, h->key_id, DISK_KEY_ID_BYTES);
	put64(out + H_SECTORS, h->sectors);
	put64(out + H_GENERATION, h->generation);
	put32(out + H_STATE, h->state);
	put32(out + H_LEVELS, format_levels(h->sectors));
	put32(out + H_HALF, h->half);
	put32(out + H_JOURNAL, h->journal);
	put64(out + H_SEQ, h->seq);
	__builtin_memcpy(out + H_SESSION, h->session, DISK_SESSION_BYTES);
	__builtin_memcpy(out + H_ROOT, h->root, DISK_TAG_BYTES);
	__builtin_memcpy(out + H_ANCHOR_ID, h->anchor_id, DISK_ANCHOR_BYTES);
	put64(out + H_ANCHOR, h->anchor);
	crypto_hmac(k, out, HEADER_MAC, NULL, 0, out + HEADER_MAC);
}

/* What the writer, who had the key, must have kept to. */
static bool sane(const struct disk_header *h, const uint8_t in[DISK_HEADER_BYTES], uint32_t slot)
{
	uint8_t rest = 0;

	for (uint32_t i = H_ZERO; i < HEADER_MAC; i++)
		rest |= in[i];
	return !rest && h->sectors && h->sectors <= DISK_SECTORS_MAX &&
	       get32(in + H_LEVELS) == format_levels(h->sectors) && h->state <= DISK_OPEN &&
	       h->half <= 1 && h->journal >= DISK_JOURNAL_MIN && h->journal <= DISK_JOURNAL_MAX &&
	       h->journal % DISK_NODE == 0 && format_header_slot(h->generation) == slot;
}

int format_header_read(struct disk_header *h, const struct crypto_hmac *k,
		       const uint8_t in[DISK_HEADER_BYTES], uint32_t slot,
		       const uint8_t uuid[DISK_UUID_BYTES], const uint8_t key_id[DISK_KEY_ID_BYTES])
{
	uint8_t mac[DISK_MAC_BYTES];

	if (!crypto_equal(in + H_MAGIC, HEADER_MAGIC, 8))
		return ERR_INVAL;
	if (get32(in + H_VERSION) != HEADER_VERSION || get32(in + H_ALGORITHM) != HEADER_XTS_HMAC)
		return ERR_NOSYS;
	if (!crypto_equal(in + H_UUID, uuid, DISK_UUID_BYTES))
		return ERR_NODEV;
	if (!crypto_equal(in + H_KEY_ID, key_id, DISK_KEY_ID_BYTES))
		return ERR_KEY;
	crypto_hmac(k, in, HEADER_MAC, NULL, 0, mac);
	if (!crypto_equal(in + HEADER_MAC, mac, DISK_MAC_BYTES))
		return ERR_TAG;
	__builtin_memcpy(h->uuid, uuid, DISK_UUID_BYTES);
	__builtin_memcpy(h->key_id, key_id, DISK_KEY_ID_BYTES);
	h->sectors = get64(in + H_SECTORS);
	h->generation = get64(in + H_GENERATION);
	h->state = get32(in + H_STATE);
	h->half = get32(in + H_HALF);
	h->journal = get32(in + H_JOURNAL);
	h->seq = get64(in + H_SEQ);
	__builtin_memcpy(h->session, in + H_SESSION, DISK_SESSION_BYTES);
	__builtin_memcpy(h->root, in + H_ROOT, DISK_TAG_BYTES);
	__builtin_memcpy(h->anchor_id, in + H_ANCHOR_ID, DISK_ANCHOR_BYTES);
	h->anchor = get64(in + H_ANCHOR);
	return sane(h, in, slot) ? 0 : ERR_TAG;
}

void format_record_make(struct disk_record *r, const struct crypto_hmac *k,
			const uint8_t session[DISK_SESSION_BYTES], uint8_t *out)
{
	uint32_t end = DISK_RECORD_HEAD + DISK_TAG_BYTES * r->count;

	r->bytes = format_record_bytes(r->count);
	put32(out + R_MAGIC, RECORD_MAGIC);
	put32(out + R_TYPE, r->type);
	put64(out + R_SEQ, r->seq);
	__builtin_memcpy(out + R_SESSION, session, DISK_SESSION_BYTES);
	put64(out + R_FIRST, r->first);
	put32(out + R_COUNT, r->count);
	put32(out + R_BYTES, r->bytes);
	__builtin_memset(out + R_ZERO, 0, DISK_RECORD_HEAD - R_ZERO);
	crypto_hmac(k, out, end, NULL, 0, out + end);
	__builtin_memset(out + end + DISK_MAC_BYTES, 0, r->bytes - end - DISK_MAC_BYTES);
}

bool format_record_read(struct disk_record *r, const struct crypto_hmac *k,
			const uint8_t session[DISK_SESSION_BYTES], uint64_t seq, const uint8_t *in,
			uint32_t room)
{
	uint8_t mac[DISK_MAC_BYTES];
	uint32_t end;

	if (room < DISK_SECTOR || get32(in + R_MAGIC) != RECORD_MAGIC || get64(in + R_SEQ) != seq ||
	    !crypto_equal(in + R_SESSION, session, DISK_SESSION_BYTES))
		return false;
	r->type = get32(in + R_TYPE);
	r->seq = seq;
	r->first = get64(in + R_FIRST);
	r->count = get32(in + R_COUNT);
	r->bytes = get32(in + R_BYTES);
	if (r->count > DISK_RECORD_TAGS || r->bytes != format_record_bytes(r->count) ||
	    r->bytes > room)
		return false;
	end = DISK_RECORD_HEAD + DISK_TAG_BYTES * r->count;
	crypto_hmac(k, in, end, NULL, 0, mac);
	return crypto_equal(in + end, mac, DISK_MAC_BYTES);
}

uint32_t format_levels(uint64_t sectors)
{
	uint32_t levels = 1;

	while (sectors > DISK_FANOUT) {
		sectors = (sectors + DISK_FANOUT - 1) / DISK_FANOUT;
		levels++;
	}
	return levels;
}

uint64_t format_journal_offset(const struct disk_header *h, uint32_t half)
{
	return 2 * DISK_HEADER_BYTES + (uint64_t)half * h->journal;
}

/* Where the level begins: the levels follow each other, the leaves first, two places for each node. */
static uint64_t level_offset(const struct disk_header *h, uint32_t level)
{
	uint64_t offset = format_journal_offset(h, 2), nodes = h->sectors;

	while (level--) {
		nodes = (nodes + DISK_FANOUT - 1) / DISK_FANOUT;
		offset += nodes * 2 * DISK_NODE;
	}
	return offset;
}

uint64_t format_node_offset(const struct disk_header *h, uint32_t level, uint64_t index,
			    uint32_t slot)
{
	return level_offset(h, level) + (2 * index + slot) * DISK_NODE;
}

uint64_t format_sidecar_bytes(const struct disk_header *h)
{
	return level_offset(h, format_levels(h->sectors));
}

/* The slot replaces the lowest bit; the second lowest is set if all others are zero: never is kept apart. */
void format_entry(const struct crypto_hmac *k, const uint8_t node[DISK_NODE], uint32_t level,
		  uint64_t index, uint32_t slot, uint8_t entry[DISK_TAG_BYTES])
{
	uint8_t mac[DISK_MAC_BYTES], place[16];

	put64(place, level);
	put64(place + 8, index);
	crypto_hmac(k, node, DISK_NODE, place, sizeof(place), mac);
	__builtin_memcpy(entry, mac, DISK_TAG_BYTES);
	entry[0] = (entry[0] & 0xfe) | slot;
	if (format_same(entry, format_never))
		entry[0] = 2;
}

void format_tags(const struct crypto_hmac *k, uint64_t sector, const void *data, uint32_t sectors,
		 uint8_t (*tags)[DISK_TAG_BYTES])
{
	crypto_hmac_sectors(k, sector, data, sectors, tags);
	for (uint32_t i = 0; i < sectors; i++)
		if (format_same(tags[i], format_never) || format_same(tags[i], format_bad))
			tags[i][0] ^= 1;
}
