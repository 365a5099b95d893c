/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/mailbox.h"

#include "ept/phys.h"
#include "monitor/lib.h"

_Static_assert(DISK_IO_MAX <= MAILBOX_REQUESTS && DISK_IO_BYTES <= MAILBOX_DATA,
	       "a list of the engine's has room");
_Static_assert((int)DISK_READ == MAILBOX_READ && (int)DISK_WRITE == MAILBOX_WRITE &&
		       (int)DISK_SYNC == MAILBOX_SYNC && (int)DISK_SIDECAR == MAILBOX_SIDECAR &&
		       (int)DISK_DATA == MAILBOX_IMAGE,
	       "the same numbers");

/* A page of it, as long as this CPU serves nobody. */
static void *page_at(const struct mailbox_at *m, unsigned int n)
{
	uint64_t at = m->address + n * PAGE_SIZE;
	struct walk_result found;
	int err = m->linear ? walk_gva(m->space, GVA(at), WALK_WRITE, &found)
			    : walk_gpa(m->space, GPA(at), WALK_WRITE, &found);

	return err || page_offset(at) ? NULL : phys_host_rw(found.hpa, PAGE_SIZE);
}

/* Between the data pages and the engine's memory. */
static int copy(const struct mailbox_at *m, uint32_t at, uint8_t *buf, uint32_t bytes, bool out)
{
	for (uint32_t n, done = 0; done < bytes; done += n) {
		uint32_t offset = (uint32_t)page_offset(at + done);
		uint8_t *page = page_at(m, 1 + (at + done) / PAGE_SIZE);

		if (!page)
			return ERR_FAULT;
		n = (uint32_t)PAGE_SIZE - offset;
		n = n < bytes - done ? n : bytes - done;
		if (out)
			memcpy(page + offset, buf + done, n);
		else
			memcpy(buf + done, page + offset, n);
	}
	return 0;
}

/* All requests' data of one direction, each where the list has put it. */
static int copy_all(const struct mailbox_at *m, const struct disk *d, uint8_t op)
{
	uint32_t at = 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < d->ios; i++) {
		const struct disk_io *io = &d->io[i];

		if (io->op == op)
			err = copy(m, at, io->buf, io->bytes, op == DISK_WRITE);
		if (io->op != DISK_SYNC)
			at += io->bytes;
	}
	return err;
}

int mailbox_put(const struct mailbox_at *m, const struct disk *d, uint32_t sequence)
{
	struct mailbox list = {.magic = MAILBOX_MAGIC,
			       .version = MAILBOX_VERSION,
			       .sequence = sequence,
			       .count = d->ios};
	uint32_t at = 0;
	void *page;

	ASSERT(d->ios <= DISK_IO_MAX);
	for (uint32_t i = 0; i < d->ios; i++) {
		const struct disk_io *io = &d->io[i];
		bool moves = io->op != DISK_SYNC;

		list.request[i] = (struct mailbox_request){.op = io->op,
							   .file = io->file,
							   .bytes = moves ? io->bytes : 0,
							   .offset = io->offset,
							   .at = at};
		at += moves ? io->bytes : 0;
	}
	if (copy_all(m, d, DISK_WRITE))
		return ERR_FAULT;
	page = page_at(m, 0);
	if (!page)
		return ERR_FAULT;
	memcpy(page, &list, sizeof(list));
	return 0;
}

int mailbox_take(const struct mailbox_at *m, struct disk *d, uint32_t sequence)
{
	const struct mailbox *list = page_at(m, 0);

	if (!list)
		return ERR_FAULT;
	if (__atomic_load_n(&list->answered, __ATOMIC_ACQUIRE) != sequence)
		return ERR_AGAIN;
	d->io_status = __atomic_load_n(&list->status, __ATOMIC_RELAXED);
	if (d->io_status > 0)
		d->io_status = ERR_IO;
	return copy_all(m, d, DISK_READ);
}
