/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/build.h"

#include <string.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/keyfile.h"
#include "iodecrypt/tool/output.h"
#include "iodecrypt/tool/receipt.h"

#define STEP 16u /* sectors that stay in the nearest cache from cipher to tag */

static int set_keys(struct build *b, const struct disk_keys *keys)
{
	if (crypto_xts_init(&b->xts, keys->xts))
		return fail(STATUS_ERROR, "XTS keys that are equal: take another master key");
	disk_keys_hmac(&b->sector_key, keys, "nethervisor disk v1 sector");
	disk_keys_hmac(&b->node_key, keys, "nethervisor disk v1 node");
	disk_keys_hmac(&b->header_key, keys, "nethervisor disk v1 header");
	memcpy(b->h.uuid, keys->uuid, sizeof(b->h.uuid));
	memcpy(b->h.key_id, keys->id, sizeof(b->h.key_id));
	return STATUS_OK;
}

/* The uuid is random: RFC 9562, 5.4. */
static int new_keys(struct build *b, const char *path)
{
	uint8_t master[DISK_MASTER_BYTES], uuid[DISK_UUID_BYTES];
	struct disk_keys keys;
	int status = keyfile_read(path, master);

	if (!status)
		status = keyfile_random(uuid, sizeof(uuid));
	if (!status) {
		uuid[6] = (uuid[6] & 0x0f) | 0x40;
		uuid[8] = (uuid[8] & 0x3f) | 0x80;
		disk_keys_derive(&keys, master, uuid);
		status = set_keys(b, &keys);
		crypto_wipe(&keys, sizeof(keys));
	}
	crypto_wipe(master, sizeof(master));
	return status;
}

int build_start(struct build *b, const struct options *o, const char *key, uint64_t sectors,
		char **paths)
{
	int status;

	*b = (struct build){.data_path = paths[0], .sidecar_path = paths[1]};
	b->h.sectors = sectors;
	b->h.generation = 1;
	b->h.state = DISK_CLEAN;
	b->h.journal = DISK_JOURNAL_DEFAULT;
	b->h.seq = 1;
	status = new_keys(b, key);
	if (!status)
		status = tree_make(&b->tree, sectors);
	if (!status)
		status = output_create(b->data_path, false, o->force, &b->data);
	if (!status)
		status = output_create(b->sidecar_path, false, o->force, &b->sidecar);
	if (!status)
		status = receipt_create(o->receipt_out, o->force, &b->receipt);
	if (!status && ftruncate(b->data, (off_t)(sectors * DISK_SECTOR)))
		status = fail_file(b->data_path);
	if (!status && ftruncate(b->sidecar, (off_t)format_sidecar_bytes(&b->h)))
		status = fail_file(b->sidecar_path);
	return status;
}

/* Both copies of a node begin as the first; the other is a hole. */
static int write_node(struct build *b, uint32_t level, uint64_t index, const uint8_t *node)
{
	format_entry(&b->node_key, node, level, index, 0, b->tree.entries[level][index]);
	if (file_pwrite(b->sidecar, node, DISK_NODE, format_node_offset(&b->h, level, index, 0)))
		return fail_file(b->sidecar_path);
	return STATUS_OK;
}

static void encrypt(const struct build *b, struct chunk *c, uint32_t first, uint32_t n)
{
	uint8_t(*tags)[DISK_TAG_BYTES] = (void *)c->node;

	for (uint32_t step; n; n -= step, first += step) {
		uint64_t sector = chunk_sector(c) + first;
		uint8_t *at = c->data + (size_t)first * DISK_SECTOR;

		step = n < STEP ? n : STEP;
		crypto_xts_encrypt(&b->xts, sector, at, at, step);
		format_tags(&b->sector_key, sector, at, step, tags + first);
	}
}

int build_chunk(struct build *b, struct chunk *c)
{
	uint32_t first = 0, n;
	int status = STATUS_OK;

	memset(c->node, 0, sizeof(c->node));
	for (; (n = chunk_run(c, HAVE_IT, &first)); first += n) {
		encrypt(b, c, first, n);
		if (file_pwrite(b->data, c->data + (size_t)first * DISK_SECTOR,
				(size_t)n * DISK_SECTOR, (chunk_sector(c) + first) * DISK_SECTOR))
			return fail_file(b->data_path);
	}
	for (uint32_t i = 0; i * DISK_FANOUT < c->sectors && !status; i++)
		if (memchr(c->have + i * DISK_FANOUT, HAVE_IT,
			   c->sectors - i * DISK_FANOUT < DISK_FANOUT ? c->sectors - i * DISK_FANOUT
								      : DISK_FANOUT))
			status = write_node(b, 0, c->leaf + i, c->node[i]);
	return status;
}

static bool all_zero(const uint8_t node[DISK_NODE])
{
	return !node[0] && !memcmp(node, node + 1, DISK_NODE - 1);
}

static int write_tree(struct build *b)
{
	uint8_t node[DISK_NODE];
	int status = STATUS_OK;

	for (uint32_t level = 1; level < b->tree.levels; level++)
		for (uint64_t i = 0; i < b->tree.nodes[level] && !status; i++) {
			tree_node(&b->tree, level - 1, i, node);
			if (!all_zero(node))
				status = write_node(b, level, i, node);
		}
	memcpy(b->h.root, b->tree.entries[b->tree.levels - 1][0], DISK_TAG_BYTES);
	return status;
}

int build_finish(struct build *b, const struct options *o)
{
	struct disk_receipt r = {.generation = b->h.generation};
	uint8_t header[DISK_HEADER_BYTES];
	int status = write_tree(b);

	if (status)
		return status;
	format_header_make(&b->h, &b->header_key, header);
	if (file_pwrite(b->sidecar, header, sizeof(header),
			(uint64_t)format_header_slot(b->h.generation) * DISK_HEADER_BYTES))
		return fail_file(b->sidecar_path);
	memcpy(r.uuid, b->h.uuid, sizeof(r.uuid));
	memcpy(r.root, b->h.root, sizeof(r.root));
	status = receipt_write(b->receipt, o->receipt_out, &r);
	return status ? status : output_commit();
}

void build_end(struct build *b)
{
	tree_free(&b->tree);
	crypto_wipe(b, sizeof(*b));
	output_discard();
}
