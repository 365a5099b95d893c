/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the AHCI controller know of each other: ahci.c, ahci_command.c, ahci_end.c. */
#ifndef IODECRYPT_AHCI_INTERNAL_H
#define IODECRYPT_AHCI_INTERNAL_H

#include "ept/phys.h"
#include "iodecrypt/ahci.h"

#define STATUS_FAILED (ATA_READY | ATA_ERR)

/* A command list's entry (AHCI 1.3.1, 4.2.2). */
#define HEADER_BYTES 32u
#define HEADER_MOVED 4u /* PRDBC */

/* What a command that the device model has is to the monitor. */
enum slot_kind {
	SLOT_OTHER, /* moves nothing */
	SLOT_IN,    /* a plain drive's */
	SLOT_OUT,
	SLOT_READ,
	SLOT_WRITE,
	SLOT_FLUSH,
	SLOT_IDENTIFY, /* and READ LOG EXT: the device model's answer is replaced */
	SLOT_LOG,
	SLOT_CONTROL, /* sets or clears SRST */
};

/* Of a command that the device model has, in a table page. */
struct ahci_slot {
	uint8_t kind;
	bool pending;   /* the engine has a write */
	uint32_t needs; /* bytes that its buffer has to have */
	struct disk_cmd command;
	struct dma table, data;
};
_Static_assert(sizeof(struct ahci_slot) <= PAGE_SIZE, "it is in a page");

static inline struct ahci_slot *ahci_slot(const struct ahci_port *p, unsigned int i)
{
	return (struct ahci_slot *)(void *)phys_table(p->slot[i]);
}

/* A command that is not queued is under way. */
static inline bool ahci_is_busy(const struct ahci_port *p)
{
	return p->issued & ~p->queued;
}

/* --- ahci_command.c -------------------------------------------------------------------------------------- */

enum ahci_take {
	TAKE_READY,
	TAKE_START, /* when ahci_start() has returned 0 */
	TAKE_HOLD,  /* later */
	TAKE_RESET, /* the device model has to give up all others first */
	TAKE_LOST,  /* it can not be shown to the device model, and has failed */
};

/* What the guest has in this slot is read, judged, and shown to the device model. */
enum ahci_take ahci_take(struct ahci_port *p, unsigned int i, const struct dma_space *s);

/*
 * The write in the slot gets encrypted: 0, and the device model may have it; ERR_AGAIN; ERR_BUSY: later, what was
 * taken has been given back.
 */
int ahci_start(struct ahci_port *p, unsigned int i);

/* Windows and memory of a slot are given back. */
void ahci_release(struct ahci_port *p, unsigned int i);

/* --- ahci_end.c ------------------------------------------------------------------------------------------ */

/* The device model is through with a command: 0, or ERR_AGAIN. */
int ahci_finish(struct ahci_port *p, unsigned int i);

/* The guest finds the command failed. */
void ahci_fail(struct ahci_port *p, unsigned int i, uint8_t error, uint64_t bad);

/* READ LOG EXT, page 10h: the NCQ command error log (ACS-3, A.14). */
void ahci_log(const struct ahci_port *p, uint8_t out[ATA_SECTOR]);

/* FISes that have come by now are kept. */
void ahci_receive(struct ahci_port *p);

/* The guest gets them; while a command is under way none that says otherwise. */
void ahci_deliver(struct ahci_port *p);

#endif
