/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/ata.h"

#define ROW(k, p, e)          \
	{                     \
		ATA_##k, p, e \
	}

/* By command code. Rows that are absent are refused. */
static const struct ata_command commands[256] = {
	[0x10] = ROW(PLAIN, 0, false),             /* RECALIBRATE */
	[0x20] = ROW(READ, ATA_PIO, false),        /* READ SECTORS */
	[0x21] = ROW(READ, ATA_PIO, false),        /* ... without retries */
	[0x24] = ROW(READ, ATA_PIO, true),         /* READ SECTORS EXT */
	[0x25] = ROW(READ, ATA_DMA, true),         /* READ DMA EXT */
	[0x29] = ROW(READ, ATA_PIO_BLOCKS, true),  /* READ MULTIPLE EXT */
	[0x30] = ROW(WRITE, ATA_PIO, false),       /* WRITE SECTORS */
	[0x31] = ROW(WRITE, ATA_PIO, false),       /* ... without retries */
	[0x34] = ROW(WRITE, ATA_PIO, true),        /* WRITE SECTORS EXT */
	[0x35] = ROW(WRITE, ATA_DMA, true),        /* WRITE DMA EXT */
	[0x39] = ROW(WRITE, ATA_PIO_BLOCKS, true), /* WRITE MULTIPLE EXT */
	[0x40 ... 0x42] = ROW(PLAIN, 0, false), /* READ VERIFY SECTORS, EXT: no data come of it */
	[0x70 ... 0x7f] = ROW(PLAIN, 0, false), /* SEEK */
	[0x90 ... 0x91] = ROW(PLAIN, 0, false), /* EXECUTE DIAGNOSTIC, INITIALIZE PARAMETERS */
	[0x94 ... 0x99] = ROW(PLAIN, 0, false), /* power modes, old codes */
	[0xc4] = ROW(READ, ATA_PIO_BLOCKS, false),    /* READ MULTIPLE */
	[0xc5] = ROW(WRITE, ATA_PIO_BLOCKS, false),   /* WRITE MULTIPLE */
	[0xc6] = ROW(MULTIPLE, 0, false),             /* SET MULTIPLE MODE */
	[0xc8 ... 0xc9] = ROW(READ, ATA_DMA, false),  /* READ DMA */
	[0xca ... 0xcb] = ROW(WRITE, ATA_DMA, false), /* WRITE DMA */
	[0xe0 ... 0xe3] = ROW(PLAIN, 0, false),       /* power modes */
	[0xe5 ... 0xe6] = ROW(PLAIN, 0, false),
	[0xe7] = ROW(FLUSH, 0, false),          /* FLUSH CACHE */
	[0xea] = ROW(FLUSH, 0, true),           /* FLUSH CACHE EXT */
	[0xec] = ROW(IDENTIFY, ATA_PIO, false), /* IDENTIFY DEVICE */
	[0xef] = ROW(FEATURES, 0, false),       /* SET FEATURES */
};

struct ata_command ata_command(uint8_t code)
{
	return commands[code];
}

int ata_address(const struct ata_taskfile *t, bool ext, uint64_t *lba, uint32_t *count)
{
	const uint8_t *now = t->reg[0], *old = t->reg[1];
	uint64_t low = now[3] | (uint64_t)now[4] << 8 | (uint64_t)now[5] << 16;

	if (!(now[6] & ATA_LBA))
		return ERR_INVAL;
	if (ext) {
		*lba = low | (uint64_t)old[3] << 24 | (uint64_t)old[4] << 32 |
		       (uint64_t)old[5] << 40;
		*count = now[2] | (uint32_t)old[2] << 8;
		*count = *count ? *count : 65536;
	} else {
		*lba = low | (uint64_t)(now[6] & 0xf) << 24;
		*count = now[2] ? now[2] : 256;
	}
	return 0;
}

bool ata_feature(const struct ata_taskfile *t, bool *cache)
{
	switch (t->reg[0][1]) {
	case 0x02: /* write cache */
		*cache = true;
		return true;
	case 0x82:
		*cache = false;
		return true;
	case 0x03: /* transfer mode */
	case 0xaa: /* read look-ahead */
	case 0x55:
	case 0x66: /* what is set stays over a software reset, or not */
	case 0xcc:
		return true;
	default:
		return false;
	}
}

/* --- IDENTIFY DEVICE: ATA/ATAPI-7, 6.17 --------------------------------------------------------------- */

#define VALID_54_64_88 0x7u
#define HEADS 16
#define SECTORS 63
#define CYLINDERS_MAX 16383
#define LBA28_MAX 0x0fffffffu
#define MULTIWORD_2 0x20u /* of a transfer mode: 001 00 mode */
#define ULTRA 0x40u

static void word(uint8_t *out, unsigned int n, uint64_t value)
{
	out[2 * n] = (uint8_t)value;
	out[2 * n + 1] = (uint8_t)(value >> 8);
}

/* Two characters a word, the first in its high byte, padded with spaces. */
static void text(uint8_t *out, unsigned int first, unsigned int words, const char *s)
{
	for (unsigned int i = 0; i < 2 * words; i++)
		out[2 * first + (i ^ 1)] = *s ? (uint8_t)*s++ : ' ';
}

static void serial(uint8_t *out, const uint8_t uuid[16])
{
	char s[21] = {0};

	for (unsigned int i = 0; i < 20; i++)
		s[i] = "0123456789abcdef"[uuid[i / 2] >> (i % 2 ? 0 : 4) & 0xf];
	text(out, 10, 10, s);
}

static void geometry(uint8_t *out, uint64_t sectors)
{
	uint64_t cylinders = sectors / (HEADS * SECTORS), capacity;

	if (cylinders > CYLINDERS_MAX)
		cylinders = CYLINDERS_MAX;
	capacity = cylinders * HEADS * SECTORS;
	word(out, 1, cylinders);
	word(out, 3, HEADS);
	word(out, 6, SECTORS);
	word(out, 54, cylinders);
	word(out, 55, HEADS);
	word(out, 56, SECTORS);
	word(out, 57, capacity);
	word(out, 58, capacity >> 16);
}

static void capacity(uint8_t *out, uint64_t sectors)
{
	uint64_t low = sectors < LBA28_MAX ? sectors : LBA28_MAX;

	word(out, 60, low);
	word(out, 61, low >> 16);
	for (unsigned int i = 0; i < 4; i++)
		word(out, 100 + i, sectors >> 16 * i);
}

/* PIO 4, multiword DMA 2, ultra DMA 5, each at 120 ns where there is a time; of DMA modes one may be set. */
static void modes(uint8_t *out, const struct ata_identity *id)
{
	unsigned int mode = id->dma & 7;

	word(out, 63, 0x07 | ((id->dma & ~7u) == MULTIWORD_2 && mode <= 2 ? 0x100u << mode : 0));
	word(out, 64, 0x03);
	for (unsigned int i = 65; i <= 68; i++)
		word(out, i, 120);
	word(out, 88, 0x3f | ((id->dma & ~7u) == ULTRA && mode <= 5 ? 0x100u << mode : 0));
	word(out, 93, id->sata ? 0 : 0x6001); /* a cable of 80 wires; device 0 */
}

/* Write cache, look-ahead, power management; 48-bit addresses, FLUSH CACHE and EXT. */
static void features(uint8_t *out, const struct ata_identity *id)
{
	const unsigned int w82 = 0x0068, w83 = 0x7400, w84 = 0x4000;

	word(out, 82, w82);
	word(out, 83, w83);
	word(out, 84, w84);
	word(out, 85, (w82 & ~0x20u) | (id->cache ? 0x20 : 0));
	word(out, 86, w83 & 0x3fff);
	word(out, 87, w84);
}

void ata_identify(const struct ata_identity *id, uint8_t out[ATA_SECTOR])
{
	uint8_t sum = 0;

	__builtin_memset(out, 0, ATA_SECTOR);
	word(out, 0, 0x40); /* fixed */
	geometry(out, id->sectors);
	serial(out, id->uuid);
	text(out, 23, 4, "1.0");
	text(out, 27, 20, "Nethervisor encrypted disk");
	word(out, 47, 0x8000 | ATA_MULTIPLE_MAX);
	word(out, 48, 1);      /* transfers of 32 bits at the data port, as of old */
	word(out, 49, 0x0b00); /* LBA, DMA, IORDY */
	word(out, 50, 0x4000);
	word(out, 53, VALID_54_64_88);
	word(out, 59, id->multiple ? 0x100u | id->multiple : 0);
	capacity(out, id->sectors);
	modes(out, id);
	if (id->sata) {
		word(out, 75, 31);
		word(out, 76, 0x0102); /* NCQ, 1.5 Gb/s */
		word(out, 78, 0);
	}
	word(out, 80, 0xf0); /* ATA-4 to -7 */
	features(out, id);
	word(out, 106, 0x4000); /* sectors of 512 bytes, no larger physical ones */
	word(out, 255, 0xa5);
	for (unsigned int i = 0; i < ATA_SECTOR - 1; i++)
		sum = (uint8_t)(sum + out[i]);
	out[ATA_SECTOR - 1] = (uint8_t)-sum;
}
