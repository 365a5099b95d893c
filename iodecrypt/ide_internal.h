/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the IDE controller know of each other: ide.c, ide_command.c, ide_data.c. */
#ifndef IODECRYPT_IDE_INTERNAL_H
#define IODECRYPT_IDE_INTERNAL_H

#include "iodecrypt/ide.h"

/* A channel's registers: those of the command block by their offset. */
enum ide_register {
	REG_DATA = 0,
	REG_ERROR = 1, /* features, when written */
	REG_COUNT = 2,
	REG_DEVICE = 6,
	REG_COMMAND = 7, /* status, when read */
	REG_CONTROL = 8, /* alternate status, when read */
	REG_BUS_MASTER = 16,
	REG_NONE = 32,
};

/* The bus master's, and its bits. */
#define BM_COMMAND 0u
#define BM_STATUS 2u
#define BM_PRD 4u
#define BM_START 0x01u
#define BM_TO_MEMORY 0x08u
#define BM_ACTIVE 0x01u
#define BM_INTERRUPT 0x04u

/* What a channel is doing, as far as its data are the monitor's business. */
enum ide_phase {
	PHASE_IDLE,
	PHASE_PLAIN, /* a transfer of a plain drive: windows are open */
	PHASE_DMA_READ,
	PHASE_DMA_WRITE,
	PHASE_PIO_READ,
	PHASE_PIO_WRITE,
	PHASE_FLUSH,
	PHASE_IDENTIFY,
};

/* Where an operation goes on. */
enum ide_step {
	STEP_NONE,
	STEP_PASSED, /* the guest's own access was made */
	STEP_LOOKED, /* the alternate status was read, before a register is written */
	STEP_FINISH, /* the engine ends a command */
	STEP_START,  /* the engine prepares a write */
	STEP_PULL,   /* a sector comes in words */
	STEP_PUSH,   /* and goes */
	STEP_FAIL,   /* the device model is made to give up a command */
	STEP_ANSWER, /* then: the guest goes on */
	STEP_AGAIN,  /* then: its access is made after all */
};

struct ide_drive *ide_selected(struct ide_channel *c);
uint16_t ide_port(unsigned int channel, enum ide_register reg);

enum ide_next ide_pass(struct ide_op *op);
enum ide_next ide_ask(struct ide_channel *c, struct ide_op *op, enum ide_step step,
		      enum ide_register reg, bool out, uint32_t value);
enum ide_next ide_answer(struct ide_channel *c, struct ide_op *op);

/* --- ide_command.c ------------------------------------------------------------------------------------- */

/*
 * The guest writes a command; starts the bus master; has reset the channel. That it stops the bus master says
 * nothing: the device model may be at it still, or may be started again.
 */
enum ide_next ide_command(struct ide_channel *c, struct ide_op *op, const struct dma_space *s,
			  uint8_t code);
enum ide_next ide_start(struct ide_channel *c, struct ide_op *op, const struct dma_space *s);
enum ide_next ide_reset(struct ide_channel *c, struct ide_op *op);

/* The write that has been described in c->command may go to the device model once this passes the access on. */
enum ide_next ide_start_write(struct ide_channel *c, struct ide_op *op);

/* Whether a status says that the command is over, or a part of it whose end matters. */
bool ide_has_ended(struct ide_channel *c, uint8_t status);

/* Whether the bus master says that a read's buffer is full. */
bool ide_transferred(const struct ide_channel *c, uint32_t status);

/* The device model is through with what it had. Then goes on with STEP_ANSWER or STEP_AGAIN. */
enum ide_next ide_finish(struct ide_channel *c, struct ide_op *op, enum ide_step then);

/* What the guest is to find in its registers. */
void ide_failed(struct ide_channel *c, uint8_t error, uint64_t bad);

/*
 * The same, and the device model, which is waiting for data or is about to move some, gives up: a software reset,
 * and then a command that it aborts, for the interrupt.
 */
enum ide_next ide_fail(struct ide_channel *c, struct ide_op *op, uint8_t error, uint64_t bad);
enum ide_next ide_fail_on(struct ide_channel *c, struct ide_op *op);

/* --- ide_data.c ------------------------------------------------------------------------------------------ */

enum ide_next ide_data(struct ide_channel *c, struct ide_op *op, const struct dma_space *s);
enum ide_next ide_data_passed(struct ide_channel *c, struct ide_op *op);
enum ide_next ide_move(struct ide_channel *c, struct ide_op *op);

/* A command moves data by the data port, or is IDENTIFY: from its first word on. */
void ide_data_begin(struct ide_channel *c, uint32_t sectors);

#endif
