/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/drive.h"

#define FEATURE_MODE 0x03
#define MODE_DMA 0x20 /* those of DMA are from here on */

void drive_identify(const struct ide_drive *d, bool sata, uint8_t out[ATA_SECTOR])
{
	struct ata_identity id = {.sectors = d->disk->header.sectors,
				  .multiple = d->multiple,
				  .dma = d->dma_mode,
				  .cache = d->cache,
				  .sata = sata};

	__builtin_memcpy(id.uuid, d->disk->header.uuid, sizeof(id.uuid));
	ata_identify(&id, out);
}

bool drive_features(struct ide_drive *d, const struct ata_taskfile *t)
{
	if (!ata_feature(t, &d->cache))
		return false;
	if (t->reg[0][1] == FEATURE_MODE && t->reg[0][2] >= MODE_DMA)
		d->dma_mode = t->reg[0][2];
	return true;
}

bool drive_is_here(const struct ide_drive *d)
{
	if (!d->disk->drive)
		d->disk->drive = d;
	return d->disk->drive == d;
}

uint8_t drive_range(const struct ide_drive *d, const struct ata_command *a,
		    const struct ata_taskfile *t, struct disk_cmd *cmd)
{
	uint64_t sectors = d->disk->header.sectors;

	if (!drive_is_here(d) || ata_address(t, a->ext, &cmd->lba, &cmd->count) ||
	    (a->protocol == ATA_PIO_BLOCKS && !d->multiple))
		return ATA_ABRT;
	return cmd->lba >= sectors || cmd->count > sectors - cmd->lba ? ATA_IDNF : 0;
}

static int get_device(struct disk_cmd *cmd, uint64_t offset, void *buf, size_t n)
{
	dma_read_device(cmd->arg, (uint32_t)offset, buf, n);
	return 0;
}

static int put_device(struct disk_cmd *cmd, uint64_t offset, const void *buf, size_t n)
{
	dma_write_device(cmd->arg, (uint32_t)offset, buf, n);
	return 0;
}

static int get_guest(struct disk_cmd *cmd, uint64_t offset, void *buf, size_t n)
{
	return dma_read_guest(cmd->arg, (uint32_t)offset, buf, n);
}

static int put_guest(struct disk_cmd *cmd, uint64_t offset, const void *buf, size_t n)
{
	return dma_write_guest(cmd->arg, (uint32_t)offset, buf, n);
}

void drive_buffer(struct disk_cmd *cmd, struct dma *d, bool write)
{
	cmd->arg = d;
	cmd->get = write ? get_guest : get_device;
	cmd->put = write ? put_device : put_guest;
}

void drive_copy(struct dma *d, uint32_t n, bool to_memory)
{
	uint8_t bytes[ATA_SECTOR];

	for (uint32_t len, at = 0; at < n; at += len) {
		len = n - at < sizeof(bytes) ? n - at : (uint32_t)sizeof(bytes);
		if (to_memory) {
			dma_read_device(d, at, bytes, len);
			dma_write_guest(d, at, bytes, len);
		} else if (!dma_read_guest(d, at, bytes, len)) {
			dma_write_device(d, at, bytes, len);
		}
	}
}
