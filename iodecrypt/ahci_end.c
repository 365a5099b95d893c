/* SPDX-License-Identifier: Apache-2.0 */
/* A command from the device model's end of it to the guest's, and what the guest finds if it failed in between. */
#include "iodecrypt/ahci_internal.h"

#define NOT_QUEUED 0x80

/* Received FISes (AHCI 1.3.1, 4.2.1; SATA 3.x, 10.5). */
#define FIS_STATUS 2
#define FIS_ERROR 3
#define FIS_END_STATUS 15 /* of a PIO setup FIS */

void ahci_fail(struct ahci_port *p, unsigned int i, uint8_t error, uint64_t bad)
{
	if (!p->failed)
		p->error = (struct ahci_error){.queued = p->queued >> i & 1,
					       .slot = (uint8_t)i,
					       .error = error,
					       .bad = bad};
	p->logged = true;
	p->interrupt = true;
	p->failed |= 1u << i;
}

static void put_address(uint8_t *low, uint8_t *high, uint64_t lba)
{
	for (unsigned int i = 0; i < 3; i++) {
		low[i] = (uint8_t)(lba >> 8 * i);
		high[i] = (uint8_t)(lba >> (24 + 8 * i));
	}
}

void ahci_log(const struct ahci_port *p, uint8_t out[ATA_SECTOR])
{
	uint8_t sum = 0;

	__builtin_memset(out, 0, ATA_SECTOR);
	out[0] = p->error.queued ? p->error.slot : NOT_QUEUED;
	out[2] = STATUS_FAILED;
	out[3] = p->error.error;
	put_address(out + 4, out + 8, p->error.bad);
	out[7] = ATA_LBA;
	for (unsigned int i = 0; i < ATA_SECTOR - 1; i++)
		sum = (uint8_t)(sum + out[i]);
	out[ATA_SECTOR - 1] = (uint8_t)-sum;
}

/* --- the data -------------------------------------------------------------------------------------------- */

/* The write that was begun is ended, with whatever of it the device model has done. */
static int end_write(struct ahci_port *p, struct ahci_slot *slot)
{
	int err = 0;

	if (slot->pending)
		err = disk_write_end(p->drive.disk, &slot->command, !p->aborting);
	if (err == ERR_AGAIN)
		return err;
	slot->pending = false;
	return !err && !p->aborting && !p->drive.cache ? disk_flush_end(p->drive.disk) : err;
}

/* What the device model says that it has moved, but for queued commands, of which it says nothing. */
static uint32_t moved(struct ahci_port *p, unsigned int i, const struct ahci_slot *slot)
{
	uint32_t n = slot->needs;

	if (p->drive.kind == IDE_PLAIN && !(p->queued >> i & 1))
		dma_read_device(&p->list_window, i * HEADER_BYTES + HEADER_MOVED, &n, sizeof(n));
	return n < slot->data.bytes ? n : slot->data.bytes;
}

static int end(struct ahci_port *p, unsigned int i, uint32_t n)
{
	struct ahci_slot *slot = ahci_slot(p, i);
	uint8_t sector[ATA_SECTOR];

	if (slot->kind == SLOT_WRITE)
		return end_write(p, slot);
	if (p->aborting)
		return 0;
	switch ((enum slot_kind)slot->kind) {
	case SLOT_IN:
		drive_copy(&slot->data, n, true);
		return 0;
	case SLOT_READ:
		return disk_read_end(p->drive.disk, &slot->command);
	case SLOT_FLUSH:
		return disk_flush_end(p->drive.disk);
	case SLOT_IDENTIFY:
		drive_identify(&p->drive, true, sector);
		return dma_write_guest(&slot->data, 0, sector, sizeof(sector));
	case SLOT_LOG:
		ahci_log(p, sector);
		return dma_write_guest(&slot->data, 0, sector, sizeof(sector));
	case SLOT_OTHER:
	case SLOT_OUT:
	case SLOT_WRITE:
	case SLOT_CONTROL:
		break;
	}
	return 0;
}

int ahci_finish(struct ahci_port *p, unsigned int i)
{
	struct ahci_slot *slot = ahci_slot(p, i);
	uint32_t n = moved(p, i, slot);
	int err = end(p, i, n);

	if (err == ERR_AGAIN)
		return err;
	if (!err && !p->aborting)
		dma_write_guest(&p->list_window, i * HEADER_BYTES + HEADER_MOVED, &n, sizeof(n));
	else if (err && !p->aborting)
		ahci_fail(p, i, err == ERR_IO && slot->kind == SLOT_READ ? ATA_UNC : ATA_ABRT,
			  slot->command.bad);
	ahci_release(p, i);
	p->issued &= ~(1u << i);
	p->over &= ~(1u << i);
	return 0;
}

/* --- FISes -------------------------------------------------------------------------------------------------- */

static const struct {
	uint8_t offset, type, bytes;
} received[AHCI_RECEIVED] = {{0x20, 0x5f, AHCI_FIS_BYTES},
			     {0x40, 0x34, AHCI_FIS_BYTES},
			     {0x58, 0xa1, 8}};

/* In this order, so that none is lost that comes just then. */
void ahci_receive(struct ahci_port *p)
{
	uint8_t type, none = 0;

	for (unsigned int i = 0; p->receiving && i < AHCI_RECEIVED; i++) {
		dma_read_device(&p->received_window, received[i].offset, &type, 1);
		if (type != received[i].type)
			continue;
		dma_write_device(&p->received_window, received[i].offset, &none, 1);
		dma_read_device(&p->received_window, received[i].offset, p->received_fis[i],
				received[i].bytes);
		p->received_fis[i][0] = type;
	}
}

/* What the device model says of a command that has failed since is not so. */
static void spoil(const struct ahci_error *e, uint8_t *fis, unsigned int bytes)
{
	fis[FIS_STATUS] = STATUS_FAILED;
	fis[FIS_ERROR] = e->error;
	if (bytes == AHCI_FIS_BYTES) {
		put_address(fis + 4, fis + 8, e->bad);
		fis[FIS_END_STATUS] = STATUS_FAILED;
	}
}

void ahci_deliver(struct ahci_port *p)
{
	for (unsigned int i = 0; p->receiving && i < AHCI_RECEIVED; i++) {
		uint8_t *fis = p->received_fis[i];

		if (!fis[0] || (ahci_is_busy(p) && !(fis[FIS_STATUS] & ATA_ERR)))
			continue;
		if (p->failed)
			spoil(&p->error, fis, received[i].bytes);
		dma_write_guest(&p->received_window, received[i].offset, fis, received[i].bytes);
		fis[0] = 0;
	}
}
