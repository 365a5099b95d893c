/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's drive, whatever controller it is behind. */
#ifndef IODECRYPT_DRIVE_H
#define IODECRYPT_DRIVE_H

#include "iodecrypt/ata.h"
#include "iodecrypt/disk.h"
#include "iodecrypt/dma.h"

enum ide_drive_kind {
	IDE_PLAIN,   /* as the device model has it: data are its own */
	IDE_REFUSED, /* a guest with an encrypted disk has not said that it trusts this one */
	IDE_ENCRYPTED,
};

struct ide_drive {
	uint8_t kind;
	uint8_t multiple; /* SET MULTIPLE MODE; 0: not set */
	uint8_t dma_mode;
	bool cache;
	struct disk *disk;
};

/* What IDENTIFY DEVICE says of an encrypted one. */
void drive_identify(const struct ide_drive *d, bool sata, uint8_t out[ATA_SECTOR]);

/* SET FEATURES: false if it has no such. */
bool drive_features(struct ide_drive *d, const struct ata_taskfile *t);

/*
 * Whether the engine may get commands by this one. A device model can show the guest two controllers with the disk; it
 * is behind the one that it gets its first read, write or flush by, since the engine has one caller.
 */
bool drive_is_here(const struct ide_drive *d);

/* The sectors of a read or a write, into cmd: 0, ATA_ABRT or ATA_IDNF. */
uint8_t drive_range(const struct ide_drive *d, const struct ata_command *a,
		    const struct ata_taskfile *t, struct disk_cmd *cmd);

/* The buffer of a read or write is this one: ciphertext for the device, the rest for the guest. */
void drive_buffer(struct disk_cmd *cmd, struct dma *d, bool write);

/* The first n bytes of a plain drive's buffer, as they are, to the guest's memory or from there. */
void drive_copy(struct dma *d, uint32_t n, bool to_memory);

#endif
