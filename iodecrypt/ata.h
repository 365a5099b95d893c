/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ATA as an encrypted disk has it (ATA/ATAPI-7, T13/1532D): which commands there are, what they move, and what the
 * disk says of itself. No state: ide.c and ahci.c have that.
 */
#ifndef IODECRYPT_ATA_H
#define IODECRYPT_ATA_H

#include "ept/addr.h"

#define ATA_SECTOR 512u
#define ATA_MULTIPLE_MAX 16 /* sectors in a block of READ MULTIPLE; a power of two */

/* Status and error registers. */
#define ATA_ERR 0x01u
#define ATA_DRQ 0x08u
#define ATA_SEEK 0x10u
#define ATA_DF 0x20u
#define ATA_READY 0x40u
#define ATA_BSY 0x80u
#define ATA_ABRT 0x04u
#define ATA_IDNF 0x10u
#define ATA_UNC 0x40u

/* The device register, and the device control register. */
#define ATA_SLAVE 0x10u
#define ATA_LBA 0x40u
#define ATA_NIEN 0x02u
#define ATA_SRST 0x04u
#define ATA_HOB 0x80u

#define ATA_NOP \
	0x00u /* the device model has it abort, with an interrupt, as it does all that it does not know */

/* What a command does to the disk. */
enum ata_kind {
	ATA_REFUSED, /* not known, or not offered: aborted */
	ATA_PLAIN,   /* moves no data; done by the device model */
	ATA_READ,
	ATA_WRITE,
	ATA_FLUSH,
	ATA_IDENTIFY,
	ATA_MULTIPLE, /* SET MULTIPLE MODE */
	ATA_FEATURES, /* SET FEATURES */
};

enum ata_protocol {
	ATA_PIO,
	ATA_PIO_BLOCKS, /* of READ MULTIPLE and WRITE MULTIPLE */
	ATA_DMA,
	ATA_QUEUED, /* FPDMA, of SATA */
};

struct ata_command {
	uint8_t kind, protocol;
	bool ext; /* 48-bit addresses */
};

struct ata_command ata_command(uint8_t code);

/*
 * The registers that a command is made of: index 0 is what was written last, 1 what was there before (the "high
 * order bytes" of 48-bit commands). By register number: 1 features, 2 count, 3..5 LBA, 6 device.
 */
struct ata_taskfile {
	uint8_t reg[2][8];
};

/* First sector, and how many (1..65536). Returns 0, or ERR_INVAL: CHS, which is not offered. */
int ata_address(const struct ata_taskfile *t, bool ext, uint64_t *lba, uint32_t *count);

/* SET FEATURES: whether the disk has this one. cache: becomes what it says of the write cache. */
bool ata_feature(const struct ata_taskfile *t, bool *cache);

/* Whether SET MULTIPLE MODE may have this count. */
static inline bool ata_multiple(uint8_t count)
{
	return count <= ATA_MULTIPLE_MAX && !(count & (count - 1));
}

/* What IDENTIFY DEVICE tells of an encrypted disk. */
struct ata_identity {
	uint64_t sectors;
	uint8_t uuid[16]; /* serial number, in hexadecimal, as far as there is room */
	uint8_t multiple; /* set now; 0: not */
	uint8_t pio, dma; /* transfer modes set now: DMA as in SET FEATURES, 0: none */
	bool cache;
	bool sata; /* on AHCI: NCQ with 32 commands */
};
void ata_identify(const struct ata_identity *id, uint8_t out[ATA_SECTOR]);

#endif
