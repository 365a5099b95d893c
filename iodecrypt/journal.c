/* SPDX-License-Identifier: Apache-2.0 */
/* The write-ahead log of tags: one half of the journal, from its start on. */
#include "iodecrypt/engine.h"

uint32_t journal_bytes(uint32_t count)
{
	uint32_t rest = count % DISK_RECORD_TAGS;

	return count / DISK_RECORD_TAGS * DISK_RECORD_MAX + (rest ? format_record_bytes(rest) : 0);
}

/* One record of up to n of cmd's sectors, the i-th and on, or of none; its bytes. */
static uint32_t stage_record(struct disk *d, const struct disk_cmd *cmd, uint32_t i, uint32_t n,
			     uint8_t *out)
{
	struct disk_record r = {.type = DISK_RECORD_FLUSHED, .seq = d->seq++};
	uint32_t part;

	if (cmd) {
		r.type = DISK_RECORD_WRITE;
		r.first = cmd->lba + i;
		r.count = n;
	}
	for (uint8_t *to = out + DISK_RECORD_HEAD; n; n -= part, i += part) {
		part = DISK_FANOUT - i % DISK_FANOUT;
		part = part < n ? part : n;
		__builtin_memcpy(to, cache_tags(d, cmd, i), DISK_TAG_BYTES * part);
		to += DISK_TAG_BYTES * part;
	}
	format_record_make(&r, &d->journal_key, d->header.session, out);
	return r.bytes;
}

static void append(struct disk *d, uint32_t bytes, bool sync)
{
	io_add(d, DISK_WRITE, DISK_SIDECAR,
	       format_journal_offset(&d->header, d->header.half) + d->tail, d->stage, bytes);
	d->tail += bytes;
	d->stats.journal_bytes += bytes;
	ASSERT(d->tail <= d->header.journal);
	if (sync)
		io_add(d, DISK_SYNC, DISK_SIDECAR, 0, NULL, 0);
}

int journal_write(struct disk *d, struct disk_cmd *cmd, bool sync)
{
	uint32_t bytes = 0, n;
	int err;

	while (cmd->logged < cmd->count) {
		if (!d->waiting) {
			for (d->batch = 0; bytes + DISK_RECORD_MAX <= DISK_IO_BYTES;
			     d->batch += n) {
				n = cmd->count - cmd->logged - d->batch;
				n = n < DISK_RECORD_TAGS ? n : DISK_RECORD_TAGS;
				if (!n)
					break;
				bytes += stage_record(d, cmd, cmd->logged + d->batch, n,
						      d->stage + bytes);
			}
			append(d, bytes, sync && cmd->logged + d->batch == cmd->count);
		}
		err = io_wait(d);
		if (err)
			return err;
		cmd->logged += d->batch;
	}
	return 0;
}

int journal_flushed(struct disk *d)
{
	if (!d->waiting)
		append(d, stage_record(d, NULL, 0, 0, d->stage), true);
	return io_wait(d);
}

/* What the window has counts once it is there, so that a list of requests that is out is this one, or not. */
int journal_read(struct disk *d, struct disk_record *r, const uint8_t **tags)
{
	uint32_t room = d->header.journal - d->scan.at, ahead = room;
	int err;

	ahead = ahead < DISK_RECORD_MAX ? ahead : DISK_RECORD_MAX;
	if (d->scan.at < d->scan.window || d->scan.at + ahead > d->scan.window + d->scan.bytes) {
		uint32_t bytes = room < STAGE_WINDOW ? room : STAGE_WINDOW;

		d->scan.window = d->scan.at;
		d->scan.bytes = 0;
		if (!d->waiting)
			io_add(d, DISK_READ, DISK_SIDECAR,
			       format_journal_offset(&d->header, d->header.half) + d->scan.at,
			       d->stage, bytes);
		err = io_wait(d);
		if (err)
			return err;
		d->scan.bytes = bytes;
	}
	*tags = d->stage + (d->scan.at - d->scan.window);
	if (!format_record_read(r, &d->journal_key, d->header.session, d->scan.seq, *tags, room))
		return ERR_NOENT;
	*tags += DISK_RECORD_HEAD;
	return 0;
}
