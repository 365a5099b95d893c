/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, and recovery of an image that was not closed. The journal is read twice: first to find where it
 * ends and what is flushed, then to replay it. Replaying it again, after a power cut, gives the same.
 */
#include "iodecrypt/engine.h"

enum { OPEN_HEADERS, OPEN_SCAN, OPEN_REPLAY, OPEN_SESSION, OPEN_DONE };

static int set_keys(struct disk *d)
{
	const struct disk_keys *keys = d->scan.keys;

	if (crypto_xts_init(&d->xts, keys->xts))
		return ERR_KEY;
	disk_keys_hmac(&d->sector_key, keys, "nethervisor disk v1 sector");
	disk_keys_hmac(&d->node_key, keys, "nethervisor disk v1 node");
	disk_keys_hmac(&d->header_key, keys, "nethervisor disk v1 header");
	disk_keys_hmac(&d->journal_key, keys, "nethervisor disk v1 journal");
	return 0;
}

/* Of two headers, one may be half written; the other is then as its checkpoint left the image. */
static int choose_header(struct disk *d)
{
	const struct disk_keys *keys = d->scan.keys;
	struct disk_header h[2];
	int err[2];
	bool second;

	for (uint32_t i = 0; i < 2; i++)
		err[i] = format_header_read(&h[i], &d->header_key, d->stage + i * DISK_HEADER_BYTES,
					    i, keys->uuid, keys->id);
	if (err[0] && err[1])
		return err[0] == ERR_INVAL ? err[1] : err[0];
	second = err[0] || (!err[1] && h[1].generation > h[0].generation);
	d->header = h[second];
	return 0;
}

/* The header has the counter's value, or was written just before it became that. */
static bool is_anchored(const struct disk_header *h, const struct disk_expect *expect)
{
	return expect->anchored &&
	       crypto_equal(h->anchor_id, expect->anchor_id, DISK_ANCHOR_BYTES) &&
	       (h->anchor == expect->anchor || h->anchor == expect->anchor + 1);
}

/*
 * A counter that the image had before says more than a receipt: what is not anchored by it is older, or was changed elsewhere,
 * and its owner may just not have been told of what came since.
 */
static int check_expected(const struct disk *d)
{
	const struct disk_expect *expect = d->scan.expect;
	const struct disk_header *h = &d->header;
	bool fork = expect->root_known && h->generation == expect->generation &&
		    !format_same(h->root, expect->root);
	bool known = h->state == DISK_CLEAN && h->generation == expect->generation;
	bool good = is_anchored(h, expect);

	if (h->generation < expect->generation)
		return ERR_STALE;
	if (expect->consent)
		return 0;
	if (fork || !(known || good) || (expect->anchored && !expect->anchor_new && !good))
		return ERR_UNCLEAN;
	if (expect->anchor_need >= DISK_ANCHOR_NEEDED && !expect->anchored)
		return ERR_UNCLEAN;
	return expect->anchor_need == DISK_ANCHOR_USED && !good ? ERR_UNCLEAN : 0;
}

static int read_headers(struct disk *d)
{
	int err = 0;

	if (!d->waiting) {
		err = set_keys(d);
		if (err)
			return err;
		io_add(d, DISK_READ, DISK_SIDECAR, 0, d->stage, 2 * DISK_HEADER_BYTES);
	}
	err = io_wait(d);
	err = err ? err : choose_header(d);
	err = err ? err : check_expected(d);
	if (err)
		return err;
	d->levels = format_levels(d->header.sectors);
	__builtin_memcpy(d->root, d->header.root, DISK_TAG_BYTES);
	d->recovering = d->header.state == DISK_OPEN;
	d->scan.seq = d->header.seq;
	return 0;
}

/* What no writer with the key makes. */
static bool nonsense(const struct disk *d, const struct disk_record *r)
{
	return r->type != DISK_RECORD_WRITE && r->type != DISK_RECORD_FLUSHED
		       ? true
		       : r->first > d->header.sectors || r->count > d->header.sectors - r->first;
}

static int find_end(struct disk *d)
{
	struct disk_record r;
	const uint8_t *tags;
	int err;

	while (!(err = journal_read(d, &r, &tags))) {
		if (nonsense(d, &r))
			return ERR_TAG;
		if (r.type == DISK_RECORD_FLUSHED)
			d->scan.flushed = r.seq;
		d->scan.at += r.bytes;
		d->scan.seq++;
	}
	if (err != ERR_NOENT)
		return err;
	d->scan.end = d->scan.seq;
	d->scan.seq = d->header.seq;
	d->scan.at = 0;
	return 0;
}

/* Tags of what was flushed as they are; of what was not, those that fit with the data file. */
static int replay_record(struct disk *d, const struct disk_record *r, const uint8_t *tags)
{
	bool resolve = r->seq > d->scan.flushed || !d->scan.flushed;
	uint32_t n;
	int err;

	for (; d->scan.done < r->count; d->scan.done += n) {
		uint64_t lba = r->first + d->scan.done;

		n = DISK_FANOUT - lba % DISK_FANOUT;
		n = n < r->count - d->scan.done ? n : r->count - d->scan.done;
		n = resolve && n > STAGE_SECTORS ? STAGE_SECTORS : n;
		err = tree_set(d, lba, n, tags + DISK_TAG_BYTES * d->scan.done, resolve);
		if (err)
			return err;
	}
	d->scan.done = 0;
	return 0;
}

/* The agent may have another journal the second time: shorter is refused, other records do not verify. */
static int replay(struct disk *d)
{
	struct disk_record r;
	const uint8_t *tags;
	int err;

	while (d->scan.seq < d->scan.end) {
		err = journal_read(d, &r, &tags);
		if (err || nonsense(d, &r))
			return err == ERR_AGAIN ? err : ERR_IO;
		err = replay_record(d, &r, tags);
		if (err)
			return err;
		d->scan.at += r.bytes;
		d->scan.seq++;
	}
	return 0;
}

/*
 * From here on the journal is the new session's, and what is settled is pinned (R27). Nobody can go back behind it without
 * consent, if it is anchored (R26).
 */
static int begin_session(struct disk *d)
{
	const struct disk_expect *expect = d->scan.expect;

	d->recovering = false;
	d->anchored = d->anchor_due = expect->anchored;
	d->header.anchor = expect->anchored ? expect->anchor : 0;
	__builtin_memset(d->header.anchor_id, 0, DISK_ANCHOR_BYTES);
	if (expect->anchored)
		__builtin_memcpy(d->header.anchor_id, expect->anchor_id, DISK_ANCHOR_BYTES);
	d->seq = d->scan.seq;
	__builtin_memcpy(d->header.session, d->scan.session, DISK_SESSION_BYTES);
	return checkpoint(d);
}

static int open_step(struct disk *d, struct disk_cmd *cmd)
{
	int err = 0;

	if (d->scan.step == OPEN_HEADERS) {
		err = read_headers(d);
		if (!err)
			d->scan.step = d->recovering ? OPEN_SCAN : OPEN_SESSION;
	}
	if (!err && d->scan.step == OPEN_SCAN) {
		err = find_end(d);
		if (!err)
			d->scan.step = OPEN_REPLAY;
	}
	if (!err && d->scan.step == OPEN_REPLAY) {
		err = replay(d);
		if (!err)
			d->scan.step = OPEN_SESSION;
	}
	if (!err && d->scan.step == OPEN_SESSION) {
		d->scan.step = OPEN_DONE;
		err = begin_session(d);
	}
	d->open = !err;
	return err;
}

int disk_open(struct disk *d, const struct disk_keys *keys, const struct disk_expect *expect,
	      const uint8_t session[DISK_SESSION_BYTES])
{
	int err;

	if (!d->memory || d->open)
		return ERR_BUSY;
	d->scan.keys = keys;
	d->scan.expect = expect;
	d->scan.session = session;
	err = disk_run(d, open_step, NULL);
	if (err && err != ERR_AGAIN)
		disk_abandon(d);
	return err;
}
