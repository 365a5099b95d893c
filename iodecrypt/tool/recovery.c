/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/recovery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "iodecrypt/tool/file.h"
#include "iodecrypt/tool/keyfile.h"
#include "iodecrypt/tool/output.h"
#include "iodecrypt/tool/receipt.h"

#define PAGES DISK_PAGES(1u << 18) /* a cache of 4 MiB */

static int carry_out_one(struct image *img, const struct disk_io *io)
{
	ssize_t got;

	switch (io->op) {
	case DISK_SYNC:
		if (img->overlay)
			return 0;
		return fsync(io->file == DISK_DATA ? img->data : img->sidecar);
	case DISK_WRITE:
		ASSERT(io->file == DISK_SIDECAR);
		return image_write(img, io->buf, io->bytes, io->offset);
	default:
		if (io->file == DISK_SIDECAR)
			return image_read(img, io->buf, io->bytes, io->offset);
		got = file_pread(img->data, io->buf, io->bytes, io->offset);
		if (got < 0)
			return -1;
		memset((uint8_t *)io->buf + got, 0, io->bytes - (size_t)got);
		return 0;
	}
}

/* The first error is what is told of, and its status what comes out. */
static void carry_out(struct image *img, struct disk *d, int *failed)
{
	d->io_status = 0;
	for (uint32_t i = 0; i < d->ios && !d->io_status; i++)
		if (carry_out_one(img, &d->io[i])) {
			*failed = fail_file(d->io[i].file == DISK_DATA ? img->data_path
								       : img->sidecar_path);
			d->io_status = -EIO;
		}
}

static int status_of(int err)
{
	switch (err) {
	case 0:
		return STATUS_OK;
	case ERR_STALE:
		return fail(STATUS_STALE, "the image is older than its receipt");
	default:
		return fail(STATUS_SIDECAR,
			    "the sidecar is damaged: recovery needs nodes or records of the "
			    "journal that do not verify (%d)",
			    err);
	}
}

/* The half that is in use, from its start on. */
static int tell_journal(const struct image *img)
{
	uint8_t record[DISK_RECORD_MAX];
	uint64_t flushed = 0, sectors = 0, seq = img->h.seq;
	struct disk_record r;
	uint32_t at = 0, room;

	for (; at < img->h.journal; at += r.bytes, seq++) {
		room = img->h.journal - at;
		room = room < sizeof(record) ? room : (uint32_t)sizeof(record);
		if (image_read(img, record, room, format_journal_offset(&img->h, img->h.half) + at))
			return fail_file(img->sidecar_path);
		if (!format_record_read(&r, &img->journal_key, img->h.session, seq, record, room))
			break;
		sectors += r.count;
		if (r.type == DISK_RECORD_FLUSHED)
			flushed = sectors;
	}
	say("the journal has %" PRIu64 " records, of %" PRIu64 " sectors written and flushed, and "
	    "%" PRIu64 " not flushed, which are as before or as written",
	    seq - img->h.seq, flushed, sectors - flushed);
	return STATUS_OK;
}

static int open_and_close(struct image *img, struct disk *d, struct disk_receipt *receipt)
{
	struct disk_expect expect = {.generation = img->receipt_known ? img->receipt.generation : 0,
				     .consent = true};
	uint8_t session[DISK_SESSION_BYTES];
	int err, failed = STATUS_OK, status = keyfile_random(session, sizeof(session));

	if (status)
		return status;
	while ((err = disk_open(d, &img->keys, &expect, session)) == ERR_AGAIN)
		carry_out(img, d, &failed);
	if (err)
		return failed ? failed : status_of(err);
	while ((err = disk_close(d, receipt)) == ERR_AGAIN)
		carry_out(img, d, &failed);
	return failed ? failed : status_of(err);
}

int recovery_run(struct image *img, struct disk_receipt *receipt)
{
	void *pages = aligned_alloc(DISK_NODE, (size_t)PAGES * DISK_NODE);
	struct disk *d = malloc(sizeof(*d));
	int status = tell_journal(img);

	if (!pages || !d || disk_init(d, pages, PAGES)) {
		status = fail(STATUS_ERROR, "out of memory");
	} else if (!status) {
		status = open_and_close(img, d, receipt);
		disk_abandon(d);
	}
	free(d);
	free(pages);
	return status;
}

/* An image that was closed is left alone. */
int cmd_recover(const struct options *o, char **args)
{
	struct disk_receipt receipt = {0};
	struct image img;
	int status = image_open(&img, o, IMAGE_CHANGE, args), fd = -1;

	if (!status)
		status = receipt_create(o->receipt_out, o->force, &fd);
	if (!status && img.h.state == DISK_OPEN) {
		status = recovery_run(&img, &receipt);
	} else if (!status) {
		say("the image was closed: there is nothing to recover");
		memcpy(receipt.uuid, img.h.uuid, sizeof(receipt.uuid));
		memcpy(receipt.root, img.h.root, sizeof(receipt.root));
		receipt.generation = img.h.generation;
	}
	if (!status)
		status = receipt_write(fd, o->receipt_out, &receipt);
	if (!status)
		status = output_commit();
	output_discard();
	image_close(&img);
	return status;
}
