/* SPDX-License-Identifier: Apache-2.0 */
/* The list of requests. */
#include "iodecrypt/engine.h"

void io_add(struct disk *d, uint8_t op, uint8_t file, uint64_t offset, void *buf, uint32_t bytes)
{
	ASSERT(!d->waiting && d->ios < DISK_IO_MAX);
	d->io[d->ios++] = (struct disk_io){op, file, bytes, offset, buf};
	d->stats.syncs += op == DISK_SYNC;
}

int io_wait(struct disk *d)
{
	d->waiting = !d->waiting;
	if (d->waiting)
		return ERR_AGAIN;
	d->ios = 0;
	return d->io_status ? ERR_IO : 0;
}
