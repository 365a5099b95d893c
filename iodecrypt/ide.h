/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIIX IDE controller of a guest (ATA/ATAPI-7; "Programming Interface for Bus Master IDE Controller", rev. 1.0),
 * as the monitor sees it: between the guest's port accesses and the device model's answers. It emulates no
 * disk. It follows what the guest asks for, gives the device model windows over the buffers of a DMA command
 * before it learns of the command, and encrypts, or checks and decrypts, what passes.
 *
 * One access of the guest's is an operation: ide_begin(), then ide_resume() as long as that says so. What comes
 * back says what is to happen next. Nothing is done twice, and no lock is held meanwhile; but a channel that is in the
 * middle of something is busy, and other processors of the guest that touch it wait.
 */
#ifndef IODECRYPT_IDE_H
#define IODECRYPT_IDE_H

#include "iodecrypt/dma.h"
#include "iodecrypt/drive.h"

enum ide_next {
	IDE_PASS, /* the device model gets op->ask, the guest's own access or something in its place */
	IDE_ASK,   /* the device model gets op->ask, an access of our own */
	IDE_AGENT, /* op->disk's requests are to be carried out; how that went is in io_status then */
	IDE_WAIT, /* another processor is at it: begin again */
	IDE_DONE, /* the guest goes on; what it reads is op->access.value */
};

struct ide_access {
	uint16_t port;
	uint8_t bytes; /* 1, 2 or 4 */
	bool out;
	uint32_t value;
};

/* One access that a processor of the guest's is making; in its record. */
struct ide_op {
	struct ide_access access; /* the guest's */
	struct ide_access
		ask;       /* PASS, ASK: what the device model gets; an IN's answer is put here */
	struct disk *disk; /* AGENT */
	/*
	 * Of INS and OUTS at the data port: where in the guest's memory `bytes` bytes are, which
	 * are 0 for IN and OUT.
	 */
	gpa_t gpa;
	uint32_t bytes;
	uint32_t moved; /* of them, by the device model so far: all, for ide_resume() */
	uint8_t channel, step, then;
	unsigned int count, polls; /* within the step */
};

struct ide_channel {
	struct ide_drive drive[2];
	struct ata_taskfile file;
	uint8_t control;
	bool started, to_memory; /* bus master */
	uint32_t prd;
	const struct ide_op *user; /* who is in the middle of something */
	uint8_t phase;
	uint8_t active; /* the drive that has the last command */
	bool ok, more;  /* how the device model ended it; it wants more data */
	bool pending;   /* PIO, DMA_WRITE: command is with the engine */
	bool aborted;   /* the guest has reset the channel meanwhile */
	struct disk_cmd command;
	struct dma table, data; /* open windows; parts = 0: none */
	/* PIO: the sector that is moved by words, and what comes after it. */
	uint8_t sector[ATA_SECTOR];
	uint16_t at; /* bytes of it that the guest has moved */
	bool full;   /* a read's: it is there */
	uint32_t left;
	uint64_t lba;
	/* What the guest reads of a command that failed, until the next. */
	uint8_t failed; /* the drive's number, plus one */
	uint8_t status, error;
	uint64_t bad;
};

/* Zeros: all drives are plain. */
struct ide {
	struct ide_channel channel[2];
	uint16_t bus_master; /* port; 0: not set up */
	uint32_t config;     /* address of PCI configuration space */
};

/* A drive (0..3: primary master, primary slave, ..) before the guest runs. disk: of IDE_ENCRYPTED. */
void ide_set(struct ide *ide, unsigned int drive, enum ide_drive_kind kind, struct disk *disk);

/* Whether the guest's accesses to this port are to be begun here. */
bool ide_has(const struct ide *ide, uint16_t port, uint8_t bytes);

/* Whether that is the data port of a channel whose data are L1's anyway. */
bool ide_is_plain_data(const struct ide *ide, uint16_t port);

/*
 * An access to the data port by INS or OUTS: how many of `bytes` bytes, all in one page, may be moved by the device
 * model at once, into and out of the guest's memory; 0: the guest's processor moves one element, by IDE_DONE.
 */
uint32_t ide_string(const struct ide *ide, uint16_t port, bool out, uint32_t bytes);

/* op: access, gpa, bytes set, all else zero. s: as long as the call. */
enum ide_next ide_begin(struct ide *ide, struct ide_op *op, const struct dma_space *s);

/* What was asked for is there. */
enum ide_next ide_resume(struct ide *ide, struct ide_op *op, const struct dma_space *s);

/*
 * This operation will not go on. What the channel was in the middle of stays so, until the guest resets it; what the
 * disk was, has failed.
 */
void ide_forget(struct ide *ide, const struct ide_op *op);

/* The guest is over: no window is open, no command under way. */
void ide_end(struct ide *ide);

#endif
