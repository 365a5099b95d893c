/* SPDX-License-Identifier: Apache-2.0 */
/* Which register an access is of, and what it does: the way of a command is in ide_command.c. */
#include "iodecrypt/ide_internal.h"

#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA 0xcfcu
#define CONFIG_BUS_MASTER 0x80000920u /* PIIX3's function 1 of device 1, base address 4 */
#define BUS_MASTER_PORTS 16u

static const uint16_t command_ports[2] = {0x1f0, 0x170};
static const uint16_t control_port[2] = {0x3f6, 0x376};

void ide_set(struct ide *ide, unsigned int drive, enum ide_drive_kind kind, struct disk *disk)
{
	ide->channel[drive / 2].drive[drive % 2] =
		(struct ide_drive){.kind = (uint8_t)kind, .cache = true, .disk = disk};
}

struct ide_drive *ide_selected(struct ide_channel *c)
{
	return &c->drive[c->file.reg[0][REG_DEVICE] & ATA_SLAVE ? 1 : 0];
}

uint16_t ide_port(unsigned int channel, enum ide_register reg)
{
	return reg == REG_CONTROL ? control_port[channel]
				  : (uint16_t)(command_ports[channel] + reg);
}

/* The register of a channel at this port; REG_NONE. */
static enum ide_register register_at(const struct ide *ide, uint16_t port, unsigned int *channel)
{
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int offset = (unsigned int)port - command_ports[i];
		unsigned int master = (unsigned int)port - ide->bus_master - 8 * i;

		*channel = i;
		if (offset < 8)
			return (enum ide_register)offset;
		if (port == control_port[i])
			return REG_CONTROL;
		if (ide->bus_master && master < 8)
			return (enum ide_register)(REG_BUS_MASTER + master);
	}
	return REG_NONE;
}

/* Every port that one of these registers is in, so that none is reached past this code. */
bool ide_has(const struct ide *ide, uint16_t port, uint8_t bytes)
{
	unsigned int channel;

	if (port - CONFIG_ADDRESS < 8u)
		return true;
	for (unsigned int i = 0; i < bytes; i++)
		if (register_at(ide, (uint16_t)(port + i), &channel) != REG_NONE)
			return true;
	return false;
}

/* --- PCI configuration space ------------------------------------------------------------------------- */

/* Where the guest's firmware, which is in its launch digest, puts the bus master's registers. */
static enum ide_next config(struct ide *ide, const struct ide_access *a)
{
	if (a->out && a->port == CONFIG_ADDRESS && a->bytes == 4)
		ide->config = a->value;
	else if (a->out && a->port == CONFIG_DATA && a->bytes == 4 &&
		 ide->config == CONFIG_BUS_MASTER && a->value != UINT32_MAX)
		ide->bus_master = (uint16_t)(a->value & ~(BUS_MASTER_PORTS - 1));
	return IDE_PASS;
}

/* --- registers ---------------------------------------------------------------------------------------- */

static enum ide_next done(struct ide_op *op, uint32_t value)
{
	op->access.value = value;
	return IDE_DONE;
}

/* The guest's own access, and afterwards ide_passed(). */
enum ide_next ide_pass(struct ide_op *op)
{
	op->step = STEP_PASSED;
	op->ask = op->access;
	return IDE_PASS;
}

/* A processor that is in the middle of something has the channel until it is through. */
enum ide_next ide_ask(struct ide_channel *c, struct ide_op *op, enum ide_step step,
		      enum ide_register reg, bool out, uint32_t value)
{
	c->user = op;
	op->step = (uint8_t)step;
	op->ask = (struct ide_access){.port = ide_port(op->channel, reg),
				      .bytes = reg == REG_DATA ? 4 : 1,
				      .out = out,
				      .value = value};
	return IDE_ASK;
}

/*
 * Registers are written while the monitor has not seen the last command's end: whether it has ended says
 * the device model. If not it ignores what is written, as it has to.
 */
static enum ide_next look(struct ide_channel *c, struct ide_op *op)
{
	return ide_ask(c, op, STEP_LOOKED, REG_CONTROL, false, 0);
}

static void write_file(struct ide_channel *c, unsigned int reg, uint8_t value)
{
	c->control &= (uint8_t)~ATA_HOB;
	c->file.reg[1][reg] = c->file.reg[0][reg];
	c->file.reg[0][reg] = value;
}

static enum ide_next write_register(struct ide_channel *c, struct ide_op *op,
				    const struct dma_space *s, enum ide_register reg)
{
	uint8_t value = (uint8_t)op->access.value;

	if (reg == REG_CONTROL) {
		c->control = value;
		return ide_pass(op);
	}
	if (c->phase != PHASE_IDLE)
		return look(c, op);
	if (reg == REG_COMMAND)
		return ide_command(c, op, s, value);
	write_file(c, reg, value);
	return ide_pass(op);
}

/* PRD table: 4 bytes, written as the guest likes. */
static void write_prd(struct ide_channel *c, const struct ide_access *a, unsigned int first)
{
	unsigned int shift = 8 * first;
	uint64_t mask = (((uint64_t)1 << 8 * a->bytes) - 1) << shift;

	c->prd = (uint32_t)((c->prd & ~mask) | ((uint64_t)a->value << shift & mask));
	c->prd &= ~(uint32_t)3;
}

static enum ide_next write_bus_master(struct ide_channel *c, struct ide_op *op,
				      const struct dma_space *s, unsigned int reg)
{
	bool start = op->access.value & BM_START, was = c->started;

	if (reg >= BM_PRD) {
		write_prd(c, &op->access, reg - BM_PRD);
		return ide_pass(op);
	}
	if (reg != BM_COMMAND)
		return ide_pass(op);
	c->started = start;
	return start && !was ? ide_start(c, op, s) : ide_pass(op);
}

static enum ide_next access(struct ide_channel *c, struct ide_op *op, const struct dma_space *s,
			    enum ide_register reg)
{
	if (reg == REG_DATA)
		return ide_data(c, op, s);
	if (!op->access.out)
		return ide_pass(op);
	if (reg >= REG_BUS_MASTER)
		return write_bus_master(c, op, s, reg - REG_BUS_MASTER);
	return write_register(c, op, s, reg);
}

/* Bytes that an access to this register may have. */
static bool has_size(enum ide_register reg, uint16_t port, uint8_t bytes)
{
	if (reg == REG_DATA)
		return true;
	if (reg >= REG_BUS_MASTER + BM_PRD)
		return port % bytes == 0;
	return bytes == 1;
}

enum ide_next ide_begin(struct ide *ide, struct ide_op *op, const struct dma_space *s)
{
	struct ide_access *a = &op->access;
	enum ide_register reg;
	unsigned int channel;
	struct ide_channel *c;
	enum ide_next next;

	if (a->port - CONFIG_ADDRESS < 8u) {
		op->step = STEP_NONE;
		op->ask = *a;
		return config(ide, a);
	}
	reg = register_at(ide, a->port, &channel);
	/* No driver does that: there is nothing. */
	if (reg == REG_NONE || !has_size(reg, a->port, a->bytes))
		return done(op, UINT32_MAX);
	c = &ide->channel[channel];
	op->channel = (uint8_t)channel;
	if (c->user && c->user != op)
		return IDE_WAIT;
	next = access(c, op, s, reg);
	/* What was before it has been ended. */
	return next == IDE_WAIT ? access(c, op, s, reg) : next;
}

/* What the guest reads of the command that failed last. */
static uint32_t failed_register(const struct ide_channel *c, enum ide_register reg, uint32_t value)
{
	bool high = c->control & ATA_HOB;

	/* The device model has given the sector, the guest has not got it. */
	if (c->full && (reg == REG_CONTROL || reg == REG_COMMAND))
		return (value & ~ATA_BSY) | ATA_DRQ;
	if (!c->failed || c->failed - 1 != (c->file.reg[0][REG_DEVICE] & ATA_SLAVE ? 1 : 0))
		return value;
	if (reg == REG_CONTROL || reg == REG_COMMAND)
		return value & ATA_BSY ? value : c->status;
	if (reg == REG_ERROR)
		return c->error;
	if (reg >= 3 && reg <= 5 && (c->error & ATA_UNC))
		return (uint8_t)(c->bad >> (8 * (reg - 3) + (high ? 24 : 0)));
	return value;
}

static enum ide_next passed_read(struct ide_channel *c, struct ide_op *op, enum ide_register reg)
{
	uint32_t value = op->ask.value;

	op->access.value = value;
	if ((reg == REG_COMMAND || reg == REG_CONTROL) && ide_has_ended(c, (uint8_t)value))
		return ide_finish(c, op, STEP_ANSWER);
	/* The buffer of a read may be looked at from here on. */
	if (reg == REG_BUS_MASTER + BM_STATUS && ide_transferred(c, value)) {
		c->ok = true;
		return ide_finish(c, op, STEP_ANSWER);
	}
	return ide_answer(c, op);
}

enum ide_next ide_answer(struct ide_channel *c, struct ide_op *op)
{
	unsigned int reg = op->access.port - ide_port(op->channel, REG_DATA);

	if (c->user == op)
		c->user = NULL;
	if (op->access.port == ide_port(op->channel, REG_CONTROL))
		reg = REG_CONTROL;
	if (!op->access.out && (reg < 8 || reg == REG_CONTROL))
		op->access.value = failed_register(c, (enum ide_register)reg, op->access.value);
	return IDE_DONE;
}

static enum ide_next passed(struct ide *ide, struct ide_channel *c, struct ide_op *op)
{
	unsigned int channel;
	enum ide_register reg = register_at(ide, op->access.port, &channel);

	if (reg == REG_DATA)
		return ide_data_passed(c, op);
	if (!op->access.out)
		return passed_read(c, op, reg);
	if (reg == REG_CONTROL && (op->access.value & ATA_SRST))
		return ide_reset(c, op);
	return ide_answer(c, op);
}

/* The device model says whether the command is over. */
static enum ide_next looked(struct ide_channel *c, struct ide_op *op)
{
	if (!ide_has_ended(c, (uint8_t)op->ask.value)) /* ignored, as by a device that is busy */
		return ide_answer(c, op);
	return ide_finish(c, op, STEP_AGAIN);
}

static enum ide_next resume(struct ide *ide, struct ide_channel *c, struct ide_op *op)
{
	switch ((enum ide_step)op->step) {
	case STEP_PASSED:
		return passed(ide, c, op);
	case STEP_LOOKED:
		return looked(c, op);
	case STEP_FINISH:
		return ide_finish(c, op, (enum ide_step)op->then);
	case STEP_START:
		return ide_start_write(c, op);
	case STEP_PULL:
	case STEP_PUSH:
		return ide_move(c, op);
	case STEP_FAIL:
		return ide_fail_on(c, op);
	case STEP_AGAIN:
	case STEP_ANSWER:
	case STEP_NONE:
		break;
	}
	return IDE_DONE;
}

enum ide_next ide_resume(struct ide *ide, struct ide_op *op, const struct dma_space *s)
{
	struct ide_channel *c = &ide->channel[op->channel];
	enum ide_next next;

	if (op->step == STEP_NONE) {
		op->access.value = op->ask.value;
		return IDE_DONE;
	}
	/* Another processor is ending what this one saw the end of. */
	if (c->user && c->user != op)
		return ide_begin(ide, op, s);
	next = resume(ide, c, op);
	return next == IDE_WAIT ? ide_begin(ide, op, s) : next;
}

void ide_forget(struct ide *ide, const struct ide_op *op)
{
	for (unsigned int i = 0; i < 2; i++)
		if (ide->channel[i].user == op)
			ide->channel[i].user = NULL;
	if (op->disk)
		disk_give_up(op->disk);
}

void ide_end(struct ide *ide)
{
	for (unsigned int i = 0; i < 2; i++) {
		dma_close(&ide->channel[i].table);
		dma_close(&ide->channel[i].data);
	}
}
