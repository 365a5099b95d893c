/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A checkpoint. Until its header is on disk, nothing that the old header refers to has changed: nodes are
 * written to their other slots, records to the other half of the journal. Writes that have ended must be
 * on the platter by then, since no record will say what else their sectors may have.
 */
#include "iodecrypt/engine.h"

enum { SAVE_NOTHING, SAVE_NODES, SAVE_RECORDS, SAVE_HEADER, SAVE_ANCHOR };

/* Puts what stands for a node whose children are all as they will be on disk into its parent. */
static void seal(struct disk *d, uint32_t page)
{
	struct disk_page *p = &d->page[page];
	uint8_t *entry = d->root;

	p->slot ^= 1;
	for (uint32_t i = 0; i < d->pages; i++) {
		const struct disk_page *up = &d->page[i];

		if (up->state == PAGE_DIRTY && up->level == p->level + 1 &&
		    up->index == p->index >> 8)
			entry = page_bytes(d, i) + DISK_TAG_BYTES * (p->index & (DISK_FANOUT - 1));
	}
	ASSERT((entry == d->root) == (p->level == d->levels - 1));
	format_entry(&d->node_key, page_bytes(d, page), p->level, p->index, p->slot, entry);
	p->state = PAGE_CLEAN;
	d->dirty--;
	io_add(d, DISK_WRITE, DISK_SIDECAR,
	       format_node_offset(&d->header, p->level, p->index, p->slot), page_bytes(d, page),
	       DISK_NODE);
}

/* As many as a list takes, from the leaves up. */
static void gather(struct disk *d)
{
	for (uint32_t level = 0; level < d->levels && d->dirty; level++)
		for (uint32_t i = 0; i < d->pages; i++) {
			const struct disk_page *p = &d->page[i];

			if (p->state != PAGE_DIRTY || p->level != level)
				continue;
			seal(d, i);
			if (d->ios == DISK_IO_BYTES / DISK_NODE)
				return;
		}
}

static int save_nodes(struct disk *d)
{
	int err;

	do {
		if (!d->waiting)
			gather(d);
		err = d->ios ? io_wait(d) : 0;
	} while (!err && d->dirty);
	return err;
}

/* Within a session a number is left out, lest records of this half be found behind those of the one before. */
static void turn_over(struct disk *d)
{
	if (d->recovering)
		return;
	d->seq += d->open && !d->closing;
	d->header.half ^= 1;
	d->header.seq = d->seq;
	d->tail = 0;
	d->relog = d->in_flight;
	for (struct disk_cmd *cmd = d->in_flight; cmd; cmd = cmd->next)
		cmd->logged = 0;
}

static int save_records(struct disk *d)
{
	int err;

	for (; d->relog; d->relog = d->relog->next) {
		err = journal_write(d, d->relog, false);
		if (err)
			return err;
	}
	return 0;
}

static int save_header(struct disk *d)
{
	struct disk_header *h = &d->header;

	if (!d->waiting) {
		h->generation++;
		h->state = d->closing ? DISK_CLEAN : DISK_OPEN;
		d->anchoring = d->anchored && (d->anchor_due || d->closing);
		h->anchor += d->anchoring;
		__builtin_memcpy(h->root, d->root, DISK_TAG_BYTES);
		format_header_make(h, &d->header_key, d->stage + STAGE_HEADER);
		io_add(d, DISK_SYNC, DISK_SIDECAR, 0, NULL, 0);
		io_add(d, DISK_SYNC, DISK_DATA, 0, NULL, 0);
		io_add(d, DISK_WRITE, DISK_SIDECAR,
		       format_header_slot(h->generation) * DISK_HEADER_BYTES,
		       d->stage + STAGE_HEADER, DISK_HEADER_BYTES);
		io_add(d, DISK_SYNC, DISK_SIDECAR, 0, NULL, 0);
	}
	return io_wait(d);
}

/* The header is durable, and says what the counter becomes: after a crash in between it counts, too. */
static int save_anchor(struct disk *d)
{
	int err;

	if (!d->anchoring)
		return 0;
	if (!d->waiting)
		io_add(d, DISK_ANCHOR, DISK_SIDECAR, d->header.anchor, NULL, 0);
	err = io_wait(d);
	if (err != ERR_AGAIN)
		d->anchoring = d->anchor_due = false;
	return err;
}

/* A checkpoint that fails leaves a disk that is dead: what is on it, its next recovery finds out. */
int checkpoint(struct disk *d)
{
	int err = 0;

	if (d->saving == SAVE_NOTHING)
		d->saving = SAVE_NODES;
	if (d->saving == SAVE_NODES) {
		err = save_nodes(d);
		if (!err) {
			d->saving = SAVE_RECORDS;
			turn_over(d);
		}
	}
	if (!err && d->saving == SAVE_RECORDS) {
		err = save_records(d);
		if (!err)
			d->saving = SAVE_HEADER;
	}
	if (!err && d->saving == SAVE_HEADER) {
		err = save_header(d);
		if (!err)
			d->saving = SAVE_ANCHOR;
	}
	if (!err && d->saving == SAVE_ANCHOR)
		err = save_anchor(d);
	if (err == ERR_AGAIN)
		return err;
	d->saving = SAVE_NOTHING;
	d->dead |= err != 0;
	d->unflushed &= err != 0;
	d->stats.checkpoints += !err;
	return err;
}
