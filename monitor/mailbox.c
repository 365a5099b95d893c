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

/* The list, once all that it sends is in the data pages. */
static int send(const struct mailbox_at *m, const struct mailbox *list)
{
	void *page = page_at(m, 0);

	if (!page)
		return ERR_FAULT;
	memcpy(page, list, sizeof(*list));
	return 0;
}

static struct mailbox start_list(uint32_t sequence, uint32_t count)
{
	return (struct mailbox){.magic = MAILBOX_MAGIC,
				.version = MAILBOX_VERSION,
				.sequence = sequence,
				.count = count};
}

int mailbox_put(const struct mailbox_at *m, const struct disk *d, uint32_t sequence)
{
	struct mailbox list = start_list(sequence, d->ios);
	uint32_t at = 0;

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
	return copy_all(m, d, DISK_WRITE) ? ERR_FAULT : send(m, &list);
}

int mailbox_put_tpm(const struct mailbox_at *m, const uint8_t *message, uint32_t sequence)
{
	struct mailbox list = start_list(sequence, 1);

	list.request[0] = (struct mailbox_request){.op = MAILBOX_TPM, .bytes = MAILBOX_MESSAGE};
	return copy(m, 0, (uint8_t *)message, MAILBOX_MESSAGE, true) ? ERR_FAULT : send(m, &list);
}

/* The agent's status: 0 or negative. */
static int answered(const struct mailbox_at *m, uint32_t sequence, int *status)
{
	const struct mailbox *list = page_at(m, 0);

	if (!list)
		return ERR_FAULT;
	if (__atomic_load_n(&list->answered, __ATOMIC_ACQUIRE) != sequence)
		return ERR_AGAIN;
	*status = __atomic_load_n(&list->status, __ATOMIC_RELAXED);
	if (*status > 0)
		*status = ERR_IO;
	return 0;
}

int mailbox_take(const struct mailbox_at *m, struct disk *d, uint32_t sequence)
{
	int err = answered(m, sequence, &d->io_status);

	return err ? err : copy_all(m, d, DISK_READ);
}

int mailbox_take_tpm(const struct mailbox_at *m, uint8_t *message, uint32_t sequence)
{
	int status, err = answered(m, sequence, &status);

	if (err)
		return err;
	return status ? ERR_IO : copy(m, 0, message, MAILBOX_MESSAGE, false);
}
