/* SPDX-License-Identifier: Apache-2.0 */
/* The operations: docs/image-format.md, "Order of writes". */
#include "iodecrypt/engine.h"

#define CHUNK 8u /* sectors that are copied at a time */

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

int disk_init(struct disk *d, void *pages, size_t n)
{
	size_t account = ALIGN_UP(n * sizeof(struct disk_page), DISK_NODE);

	if (n < DISK_PAGES(1) || n > DISK_PAGES_MAX)
		return ERR_INVAL;
	*d = (struct disk){.memory = pages, .memory_pages = n};
	__builtin_memset(pages, 0, n * DISK_NODE);
	d->stage = pages;
	d->page = (struct disk_page *)(void *)(d->stage + DISK_IO_BYTES);
	d->pool = d->stage + DISK_IO_BYTES + account;
	d->pages = n - (DISK_IO_BYTES + account) / DISK_NODE;
	return 0;
}

void disk_abandon(struct disk *d)
{
	struct disk_header header = d->header;
	struct disk_stats stats = d->stats;

	if (d->memory)
		crypto_wipe(d->memory, d->memory_pages * DISK_NODE);
	crypto_wipe(d, sizeof(*d));
	d->header = header;
	d->stats = stats;
}

int disk_run(struct disk *d, disk_step *step, struct disk_cmd *cmd)
{
	int err;

	if (!d->step) {
		d->step = step;
		d->cmd = cmd;
		if (cmd) {
			cmd->done = 0;
			cmd->step = 0;
		}
	}
	if (d->step != step || d->cmd != cmd)
		return ERR_BUSY;
	err = d->saving ? checkpoint(d) : 0;
	if (!err)
		err = step(d, cmd);
	if (err != ERR_AGAIN)
		d->step = NULL;
	return err;
}

void disk_give_up(struct disk *d)
{
	while (d->step) {
		d->io_status = ERR_IO;
		disk_run(d, d->step, d->cmd);
	}
}

int disk_must(struct disk *d, int err)
{
	if (!err || err == ERR_AGAIN)
		return err;
	d->dead = true;
	return ERR_IO;
}

static bool usable(const struct disk *d)
{
	return d->open && !d->dead;
}

static bool in_range(const struct disk *d, const struct disk_cmd *cmd)
{
	return cmd && cmd->count && cmd->count <= DISK_COUNT_MAX && cmd->lba <= d->header.sectors &&
	       cmd->count <= d->header.sectors - cmd->lba;
}

/* Sectors of cmd that are left, of the leaf that has the tag of the next. */
static uint32_t in_leaf(const struct disk_cmd *cmd)
{
	uint32_t n = DISK_FANOUT - (cmd->lba + cmd->done) % DISK_FANOUT;

	return min32(n, cmd->count - cmd->done);
}

/* Also room in the journal. Writes under way stay in it, whatever the checkpoint. */
static int make_room(struct disk *d, const struct disk_cmd *cmd)
{
	uint64_t kept = 0, need = journal_bytes(cmd->count);

	for (const struct disk_cmd *c = d->in_flight; c; c = c->next) {
		ASSERT(c != cmd);
		if (c->lba < cmd->lba + cmd->count && cmd->lba < c->lba + c->count)
			return ERR_BUSY;
		kept += journal_bytes(c->count);
	}
	if (need > d->header.journal)
		return ERR_2BIG;
	if (kept + need > d->header.journal)
		return ERR_BUSY;
	return d->tail + need > d->header.journal ? checkpoint(d) : 0;
}

static int encrypt(struct disk *d, struct disk_cmd *cmd)
{
	uint32_t n;

	for (uint32_t i = 0; i < cmd->count; i += n) {
		uint64_t lba = cmd->lba + i, offset = (uint64_t)i * DISK_SECTOR;

		n = min32(CHUNK, cmd->count - i);
		if (cmd->get(cmd, offset, d->stage, n * DISK_SECTOR))
			return ERR_FAULT;
		crypto_xts_encrypt(&d->xts, lba, d->stage, d->stage, n);
		format_tags(&d->sector_key, lba, d->stage, n, (void *)cache_tags(d, cmd, i));
		if (cmd->put(cmd, offset, d->stage, n * DISK_SECTOR))
			return ERR_FAULT;
	}
	return 0;
}

/* The leaves are fetched now, since one that does not verify later would be the end of the disk. */
static int prepare(struct disk *d, struct disk_cmd *cmd)
{
	uint8_t *leaf;
	int err;

	err = make_room(d, cmd);
	if (err)
		return err;
	for (; cmd->done < cmd->count; cmd->done += in_leaf(cmd)) {
		err = cache_load(d, (cmd->lba + cmd->done) / DISK_FANOUT, &leaf);
		if (err)
			return err;
	}
	err = cache_take_tags(d, cmd);
	return err ? err : encrypt(d, cmd);
}

static int write_start(struct disk *d, struct disk_cmd *cmd)
{
	int err = 0;

	if (!in_range(d, cmd))
		return ERR_INVAL;
	if (!cmd->step) {
		err = prepare(d, cmd);
		cmd->step = !err;
		cmd->logged = 0;
	}
	if (!err)
		err = disk_must(d, journal_write(d, cmd, true));
	if (err == ERR_AGAIN)
		return err;
	if (err) {
		cache_give_tags(d, cmd);
		return err;
	}
	cmd->next = d->in_flight;
	d->in_flight = cmd;
	d->stats.sectors_written += cmd->count;
	return 0;
}

int disk_write_start(struct disk *d, struct disk_cmd *cmd)
{
	return usable(d) ? disk_run(d, write_start, cmd) : ERR_IO;
}

static void take_off(struct disk *d, const struct disk_cmd *cmd)
{
	for (struct disk_cmd **p = &d->in_flight; *p; p = &(*p)->next)
		if (*p == cmd) {
			*p = cmd->next;
			return;
		}
}

static int put_tags(struct disk *d, struct disk_cmd *cmd)
{
	uint32_t n;
	int err;

	for (; cmd->done < cmd->count; cmd->done += n) {
		n = min32(in_leaf(cmd), DISK_FANOUT - cmd->done % DISK_FANOUT);
		n = cmd->resolve ? min32(n, STAGE_SECTORS) : n;
		err = tree_set(d, cmd->lba + cmd->done, n, cache_tags(d, cmd, cmd->done),
			       cmd->resolve);
		if (err)
			return err;
	}
	return 0;
}

/*
 * R27: what a failed write left is pinned by a checkpoint before anybody can read it; no record of that
 * write is replayed after that.
 */
static int write_end(struct disk *d, struct disk_cmd *cmd)
{
	int err = 0;

	if (!cmd->step) {
		ASSERT(cmd->tag_pages); /* it was started */
		err = disk_must(d, put_tags(d, cmd));
		if (err == ERR_AGAIN)
			return err;
		take_off(d, cmd);
		cache_give_tags(d, cmd);
		d->unflushed = true;
		cmd->step = 1;
		if (!err && cmd->resolve)
			err = checkpoint(d);
	}
	return err;
}

int disk_write_end(struct disk *d, struct disk_cmd *cmd, bool ok)
{
	cmd->resolve = !ok;
	if (usable(d))
		return disk_run(d, write_end, cmd);
	take_off(d, cmd);
	return ERR_IO;
}

static bool never(const uint8_t *tags, uint32_t i)
{
	return format_same(tags + DISK_TAG_BYTES * i, format_never);
}

/* ERR_IO: *n is the number of sectors before the first bad one, which have been put. */
static int open_chunk(struct disk *d, struct disk_cmd *cmd, const uint8_t *tags, uint32_t *n)
{
	uint64_t lba = cmd->lba + cmd->done, offset = (uint64_t)cmd->done * DISK_SECTOR;
	uint8_t actual[CHUNK][DISK_TAG_BYTES];
	uint32_t good = 0;

	if (cmd->get(cmd, offset, d->stage, *n * DISK_SECTOR))
		return ERR_FAULT;
	format_tags(&d->sector_key, lba, d->stage, *n, actual);
	while (good < *n &&
	       (never(tags, good) || format_same(tags + DISK_TAG_BYTES * good, actual[good])))
		good++;
	crypto_xts_decrypt(&d->xts, lba, d->stage, d->stage, good);
	for (uint32_t i = 0; i < good; i++)
		if (never(tags, i))
			__builtin_memset(d->stage + i * DISK_SECTOR, 0, DISK_SECTOR);
	if (good && cmd->put(cmd, offset, d->stage, good * DISK_SECTOR))
		return ERR_FAULT;
	if (good == *n)
		return 0;
	*n = good;
	d->stats.bad_tags++;
	return ERR_IO;
}

static int open_leaf(struct disk *d, struct disk_cmd *cmd, const uint8_t *leaf)
{
	uint32_t left = in_leaf(cmd), n;
	int err = 0;

	for (; left && !err; left -= n) {
		n = min32(CHUNK, left);
		err = open_chunk(d, cmd,
				 leaf + DISK_TAG_BYTES * ((cmd->lba + cmd->done) % DISK_FANOUT),
				 &n);
		cmd->done += n;
		d->stats.sectors_read += n;
	}
	return err;
}

static int refuse(struct disk *d, struct disk_cmd *cmd)
{
	uint32_t n;

	cmd->bad = cmd->lba + cmd->done;
	__builtin_memset(d->stage, 0, CHUNK * DISK_SECTOR);
	for (uint32_t i = cmd->done; i < cmd->count; i += n) {
		n = min32(CHUNK, cmd->count - i);
		if (cmd->put(cmd, (uint64_t)i * DISK_SECTOR, d->stage, n * DISK_SECTOR))
			return ERR_FAULT;
	}
	return ERR_IO;
}

static int read_end(struct disk *d, struct disk_cmd *cmd)
{
	uint8_t *leaf;
	int err;

	if (!in_range(d, cmd))
		return ERR_INVAL;
	while (cmd->done < cmd->count) {
		err = cache_load(d, (cmd->lba + cmd->done) / DISK_FANOUT, &leaf);
		if (!err)
			err = open_leaf(d, cmd, leaf);
		if (err == ERR_IO)
			return refuse(d, cmd);
		if (err)
			return err;
	}
	return 0;
}

int disk_read_end(struct disk *d, struct disk_cmd *cmd)
{
	return usable(d) ? disk_run(d, read_end, cmd) : ERR_IO;
}

static int flush_end(struct disk *d, struct disk_cmd *cmd)
{
	int err;

	if (!d->unflushed || d->in_flight)
		return 0;
	if (!d->waiting &&
	    (d->tail + DISK_SECTOR > d->header.journal || (d->anchored && d->anchor_due)))
		return checkpoint(d);
	err = disk_must(d, journal_flushed(d));
	d->unflushed = err != 0;
	return err;
}

int disk_flush_end(struct disk *d)
{
	return usable(d) ? disk_run(d, flush_end, NULL) : ERR_IO;
}

static int close_step(struct disk *d, struct disk_cmd *cmd)
{
	if (d->in_flight)
		return ERR_BUSY;
	if (d->closing)
		return 0;
	d->closing = true;
	return checkpoint(d);
}

int disk_close(struct disk *d, struct disk_receipt *receipt)
{
	int err = usable(d) ? disk_run(d, close_step, NULL) : ERR_IO;

	if (err)
		return err;
	__builtin_memcpy(receipt->uuid, d->header.uuid, DISK_UUID_BYTES);
	receipt->generation = d->header.generation;
	__builtin_memcpy(receipt->root, d->header.root, DISK_TAG_BYTES);
	disk_abandon(d);
	return 0;
}
