/* SPDX-License-Identifier: Apache-2.0 */
#include "attest/netherd/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "attest/netherd/process.h"
#include "attest/netherd/tpm.h"

#define PAGE 4096u

static uint8_t *data_of(const struct serve_disk *d)
{
	return (uint8_t *)d->mailbox + PAGE;
}

static void complain(struct serve_disk *d, const struct mailbox_request *r, int err)
{
	bool full = err == -ENOSPC || err == -EDQUOT || err == -EFBIG;

	if (full && d->full)
		return;
	d->full |= full;
	if (!full && d->complaints++ >= SERVE_COMPLAINTS_MAX)
		return;
	process_say("%s: request %u of file %u, %" PRIu32 " bytes at %" PRIu64 ": %s%s", d->name,
		    r->op, r->file, r->bytes, r->offset, strerror(-err),
		    !full && d->complaints == SERVE_COMPLAINTS_MAX ? "; the next are not shown"
								   : "");
}

/* --- one request: 0 or a negative errno --------------------------------------------------------- */

static int check(const struct serve_disk *d, const struct mailbox_request *r)
{
	uint64_t limit = SERVE_OFFSET_MAX;

	if (r->op > MAILBOX_TPM || r->file > MAILBOX_IMAGE || r->zero || r->zero2)
		return -EINVAL;
	if (r->op == MAILBOX_TPM && (r->file || r->offset))
		return -EINVAL;
	if (r->op == MAILBOX_SYNC)
		return 0;
	if (r->bytes > MAILBOX_DATA || r->at > MAILBOX_DATA - r->bytes)
		return -EINVAL;
	if (r->op == MAILBOX_WRITE)
		limit = d->file[r->file].bytes;
	return r->bytes > limit || r->offset > limit - r->bytes ? -EINVAL : 0;
}

static int do_read(int fd, uint8_t *to, uint32_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t n = pread(fd, to, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0) { /* the file's end */
			memset(to, 0, bytes);
			return 0;
		}
		to += n;
		offset += (uint64_t)n;
		bytes -= (uint32_t)n;
	}
	return 0;
}

static int do_write(int fd, const uint8_t *from, uint32_t bytes, uint64_t offset)
{
	while (bytes) {
		ssize_t n = pwrite(fd, from, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		from += n;
		offset += (uint64_t)n;
		bytes -= (uint32_t)n;
	}
	return 0;
}

static int carry_out(struct serve_disk *d, const struct mailbox_request *r)
{
	int fd = d->file[r->file].fd;

	switch (r->op) {
	case MAILBOX_TPM:
		return tpm_relay(&d->tpm, data_of(d) + r->at, r->bytes);
	case MAILBOX_READ:
		return do_read(fd, data_of(d) + r->at, r->bytes, r->offset);
	case MAILBOX_WRITE:
		return do_write(fd, data_of(d) + r->at, r->bytes, r->offset);
	default:
		return fdatasync(fd) ? -errno : 0;
	}
}

/* --- a list ------------------------------------------------------------------------------------- */

static int do_list(struct serve_disk *d, const struct mailbox *list)
{
	if (list->magic != MAILBOX_MAGIC || list->version != MAILBOX_VERSION ||
	    list->count > MAILBOX_REQUESTS) {
		if (d->complaints++ < SERVE_COMPLAINTS_MAX)
			process_say("%s: this is no mailbox, or has too many requests", d->name);
		return -EPROTO;
	}
	for (uint32_t i = 0; i < list->count; i++) {
		const struct mailbox_request *r = &list->request[i];
		int err = check(d, r);

		if (!err)
			err = carry_out(d, r);
		if (err) {
			complain(d, r, err);
			return err;
		}
	}
	return 0;
}

bool serve_list(struct serve_disk *d)
{
	struct mailbox *box = d->mailbox, list;

	if (__atomic_load_n(&box->sequence, __ATOMIC_ACQUIRE) ==
	    __atomic_load_n(&box->answered, __ATOMIC_RELAXED))
		return false;
	memcpy(&list, box, sizeof(list));
	__asm__ volatile("" ::: "memory"); /* nothing of it is read again */
	__atomic_store_n(&box->status, do_list(d, &list), __ATOMIC_RELAXED);
	__atomic_store_n(&box->answered, list.sequence, __ATOMIC_RELEASE);
	return true;
}
