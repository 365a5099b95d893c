/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/scan.h"

#include <string.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/progress.h"

#define STEP 16u

static bool never(const uint8_t *tag)
{
	return !memcmp(tag, format_never, DISK_TAG_BYTES);
}

static void lose(struct scan *s, uint32_t level, uint64_t index)
{
	uint64_t covered = (uint64_t)DISK_FANOUT << 8 * level, first = index * covered;
	uint64_t left = s->img->h.sectors - first;

	damage_add(&s->damage, DAMAGE_NODE, level, first, left < covered ? left : covered);
}

/* Reads the node that the tree has an entry of. *good: it verifies. A status. */
static int read_node(struct scan *s, uint32_t level, uint64_t index, uint8_t node[DISK_NODE],
		     bool *good)
{
	const uint8_t *entry = s->tree.entries[level][index];
	uint8_t actual[DISK_TAG_BYTES];
	uint32_t slot = entry[0] & 1;

	if (image_read(s->img, node, DISK_NODE, format_node_offset(&s->img->h, level, index, slot)))
		return fail_file(s->img->sidecar_path);
	format_entry(&s->img->node_key, node, level, index, slot, actual);
	*good = format_same(actual, entry);
	if (!*good)
		lose(s, level, index);
	return STATUS_OK;
}

/* From the root down to what stands for the leaves. */
static int read_tree(struct scan *s)
{
	struct tree *t = &s->tree;
	uint8_t node[DISK_NODE];
	int status = tree_make(t, s->img->h.sectors);
	bool good = false;

	if (!status)
		memcpy(t->entries[t->levels - 1][0], s->img->h.root, DISK_TAG_BYTES);
	for (uint32_t level = t->levels - 1; level && !status; level--)
		for (uint64_t i = 0; i < t->nodes[level] && !status; i++) {
			uint64_t first = i * DISK_FANOUT, n = t->nodes[level - 1] - first;

			if (never(t->entries[level][i]))
				continue;
			status = read_node(s, level, i, node, &good);
			if (!status && good)
				memcpy(t->entries[level - 1] + first, node,
				       (n < DISK_FANOUT ? n : DISK_FANOUT) * DISK_TAG_BYTES);
		}
	return status;
}

static int take(struct pool *p, struct chunk *c)
{
	struct scan *s = (struct scan *)(void *)p;

	while (!s->every && s->at < s->tree.nodes[0] && never(s->tree.entries[0][s->at]))
		s->at++;
	if (s->at >= s->tree.nodes[0])
		return STATUS_OK;
	chunk_at(c, s->at * DISK_FANOUT, s->img->h.sectors);
	s->at = c->leaf + CHUNK_LEAVES;
	return STATUS_OK;
}

/* What the leaves say of each sector. */
static int read_leaves(struct scan *s, struct chunk *c)
{
	uint8_t(*tags)[DISK_TAG_BYTES] = (void *)c->node;
	int status = STATUS_OK;
	bool good = false;

	memset(c->have, HAVE_NOT, sizeof(c->have));
	for (uint32_t i = 0; i * DISK_FANOUT < c->sectors && !status; i++) {
		if (never(s->tree.entries[0][c->leaf + i]))
			continue;
		status = read_node(s, 0, c->leaf + i, c->node[i], &good);
		memset(c->have + i * DISK_FANOUT, good ? HAVE_IT : HAVE_LOST, DISK_FANOUT);
		for (uint32_t k = i * DISK_FANOUT; k < (i + 1) * DISK_FANOUT && good; k++) {
			if (never(tags[k]))
				c->have[k] = HAVE_NOT;
			else if (k < c->sectors && format_same(tags[k], format_bad)) {
				c->have[k] = HAVE_LOST;
				damage_add(&s->damage, DAMAGE_PINNED, 0, chunk_sector(c) + k, 1);
			}
		}
	}
	return status;
}

static uint64_t open_step(struct scan *s, struct chunk *c, uint32_t first, uint32_t n)
{
	uint8_t(*tags)[DISK_TAG_BYTES] = (void *)c->node, actual[STEP][DISK_TAG_BYTES];
	uint8_t *at = c->data + (size_t)first * DISK_SECTOR;
	uint64_t sector = chunk_sector(c) + first, good = n;

	format_tags(&s->img->sector_key, sector, at, n, actual);
	crypto_xts_decrypt(&s->img->xts, sector, at, at, n);
	for (uint32_t i = 0; i < n; i++) {
		if (format_same(actual[i], tags[first + i]))
			continue;
		c->have[first + i] = HAVE_LOST;
		damage_add(&s->damage, DAMAGE_SECTOR, 0, sector + i, 1);
		good--;
	}
	return good;
}

static int open_sectors(struct scan *s, struct chunk *c)
{
	uint32_t first = 0, n, step;
	uint64_t good = 0;

	for (; (n = chunk_run(c, HAVE_IT, &first)); first += n) {
		size_t bytes = (size_t)n * DISK_SECTOR;
		ssize_t got = file_pread(s->img->data, c->data + (size_t)first * DISK_SECTOR, bytes,
					 (chunk_sector(c) + first) * DISK_SECTOR);

		if (got != (ssize_t)bytes)
			return got < 0 ? fail_file(s->img->data_path)
				       : fail(STATUS_TRUNCATED, "%s became shorter",
					      s->img->data_path);
		for (uint32_t i = 0; i < n; i += step) {
			step = n - i < STEP ? n - i : STEP;
			good += open_step(s, c, first + i, step);
		}
	}
	__atomic_fetch_add(&s->written, good, __ATOMIC_RELAXED);
	return STATUS_OK;
}

static int work(struct pool *p, struct chunk *c)
{
	struct scan *s = (struct scan *)(void *)p;
	int status = read_leaves(s, c);

	if (!status)
		status = open_sectors(s, c);
	for (uint32_t i = 0; i < c->sectors && !status; i++)
		if (c->have[i] != HAVE_IT)
			memset(c->data + (size_t)i * DISK_SECTOR, 0, DISK_SECTOR);
	progress_add((uint64_t)c->sectors * DISK_SECTOR);
	if (!status && s->use)
		status = s->use(s, c);
	return status;
}

int scan_run(struct scan *s, const struct options *o)
{
	int status;

	s->pool.take = take;
	s->pool.work = work;
	s->at = s->written = 0;
	damage_init(&s->damage);
	progress_start(s->img->h.sectors * DISK_SECTOR, o->quiet);
	status = read_tree(s);
	if (!status)
		status = pool_run(&s->pool, o->threads);
	progress_end(!status);
	return status;
}

void scan_end(struct scan *s)
{
	tree_free(&s->tree);
	damage_free(&s->damage);
}
