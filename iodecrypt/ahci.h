/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AHCI controller of a guest (AHCI 1.3.1; Serial ATA 3.x for FISes and queued commands), as the monitor sees it:
 * between the guest's accesses to its registers and the device model's answers. As ide.h it emulates no disk. The
 * device model reads command lists and tables by itself: it finds copies there, which the monitor has made and judged.
 *
 * One access of the guest's is an operation: ahci_begin(), then ahci_resume() as long as that says so. What the device
 * model is asked for are always accesses of our own, most of them the guest's word for word. A port that is in the
 * middle of something is busy, and other processors of the guest that touch it wait.
 *
 * A command is over for the guest when it reads of it: nothing is said of it before its data are where they belong.
 */
#ifndef IODECRYPT_AHCI_H
#define IODECRYPT_AHCI_H

#include "iodecrypt/dma.h"
#include "iodecrypt/drive.h"

#define AHCI_PORTS 6u
#define AHCI_SLOTS 32u
#define AHCI_BYTES 4096u /* of registers */
#define AHCI_RECEIVED \
	3u /* kinds of FISes that the guest gets: PIO setup, register, set device bits */
#define AHCI_FIS_BYTES 20u

enum ahci_next {
	AHCI_ASK, /* the device model gets op->ask */
	AHCI_AGENT, /* op->disk's requests are to be carried out; how that went is in io_status then */
	AHCI_WAIT,   /* another processor is at it: begin again */
	AHCI_DONE,   /* the guest goes on; what it reads is op->access.value */
	AHCI_SETTLE, /* not for callers */
};

/* Of 4 bytes, aligned. */
struct ahci_access {
	uint16_t offset; /* below AHCI_BYTES */
	bool write;
	uint32_t value;
};

/* One access that a processor of the guest's is making; in its record. */
struct ahci_op {
	struct ahci_access access; /* the guest's */
	struct ahci_access ask; /* ASK: what the device model gets; a read's answer is put here */
	struct disk *disk;      /* AGENT */
	uint8_t port, step;
	uint8_t slot;   /* which one the engine is at, or AHCI_SLOTS */
	uint32_t seen;  /* the guest's register, as the device model has it */
	uint32_t ready; /* slots that the device model gets */
};

struct ahci_port {
	struct ide_drive drive;
	uint64_t list, received; /* addresses of the guest's */
	uint32_t command, control;
	uint8_t received_fis[AHCI_RECEIVED][AHCI_FIS_BYTES]; /* have come; first byte 0: none */
	bool listed, receiving; /* PxCMD.ST, .FRE: the windows are open */
	struct dma list_window, received_window;
	const struct ahci_op *user; /* who is in the middle of something */
	uint32_t issued;            /* commands that the device model has */
	uint32_t held;              /* that the guest has issued and the device model has not got */
	uint32_t queued;            /* of those issued, by NCQ: PxSACT counts */
	uint32_t over;              /* of those issued: what they moved can be looked at */
	bool aborting;              /* .. because the device model has given them up */
	hpa_t slot[AHCI_SLOTS];     /* a table page of the monitor's for each issued command; 0 */
	/* Commands that the device model has done, and the guest finds failed, until it stops the port. */
	uint32_t failed;
	bool interrupt; /* PxIS.TFES for that */
	struct ahci_error {
		bool queued;
		uint8_t slot, error;
		uint64_t bad;
	} error;
	bool logged; /* error, for READ LOG EXT */
};

/* Zeros: all drives are plain. */
struct ahci {
	struct ahci_port port[AHCI_PORTS];
	uint32_t config; /* address of PCI configuration space */
	bool found;
	uint32_t function; /* the controller's there */
	uint32_t base;     /* its registers; 0: not set up */
};

/* A drive (that of port 0..) before the guest runs. disk: of IDE_ENCRYPTED. */
void ahci_set(struct ahci *a, unsigned int drive, enum ide_drive_kind kind, struct disk *disk);

/*
 * The guest made an access to PCI configuration space, ports CF8 to CFF. The first function that the guest finds to be
 * such a controller is the one, and stays it. *value: what it reads.
 */
void ahci_config(struct ahci *a, uint16_t port, uint8_t bytes, bool out, uint32_t *value);

/* Whether the guest's accesses to gpa are to be begun here. */
bool ahci_has(const struct ahci *a, gpa_t gpa);

/* op: access set, all else zero. s: as long as the call. */
enum ahci_next ahci_begin(struct ahci *a, struct ahci_op *op, const struct dma_space *s);

/* What was asked for is there. */
enum ahci_next ahci_resume(struct ahci *a, struct ahci_op *op, const struct dma_space *s);

/*
 * This operation will not go on. What the port was in the middle of stays so, until the guest resets it; what the
 * disk was, has failed.
 */
void ahci_forget(struct ahci *a, const struct ahci_op *op);

/* The guest is over: no window is open, no command under way. */
void ahci_end(struct ahci *a);

#endif
