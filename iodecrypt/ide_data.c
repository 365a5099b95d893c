/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data port. Whole sectors that INS or OUTS moves within one page go between the device model and the guest's
 * memory at once, through a window. All else goes through c->sector: a sector has to be there before a word of
 * it is good.
 */
#include "iodecrypt/ide_internal.h"

#define WORDS (ATA_SECTOR / 4) /* accesses of four bytes that a sector takes */

void ide_data_begin(struct ide_channel *c, uint32_t sectors)
{
	c->left = sectors;
	c->at = 0;
	c->full = false;
	c->pending = false;
	c->lba = c->command.lba;
}

/* --- what commands' buffers are ---------------------------------------------------------------------------- */

static struct ide_channel *channel_of(struct disk_cmd *cmd)
{
	return cmd->arg;
}

static int get_sector(struct disk_cmd *cmd, uint64_t offset, void *buf, size_t n)
{
	__builtin_memcpy(buf, channel_of(cmd)->sector + offset, n);
	return 0;
}

static int put_sector(struct disk_cmd *cmd, uint64_t offset, const void *buf, size_t n)
{
	__builtin_memcpy(channel_of(cmd)->sector + offset, buf, n);
	return 0;
}

static void buffer_sector(struct ide_channel *c)
{
	c->command.get = get_sector;
	c->command.put = put_sector;
}

/* The next sectors of a PIO command become one for the engine. */
static void describe(struct ide_channel *c, uint32_t count)
{
	c->command = (struct disk_cmd){.lba = c->lba, .count = count, .arg = c};
	buffer_sector(c);
}

static void advance(struct ide_channel *c, uint32_t sectors)
{
	c->lba += sectors;
	c->left -= sectors;
}

static enum ide_next verify(struct ide_channel *c, struct ide_op *op);

/* --- many sectors at once ------------------------------------------------------------------------------------ */

static bool is_plain(const struct ide_channel *c)
{
	return c->drive[c->file.reg[0][REG_DEVICE] & ATA_SLAVE ? 1 : 0].kind == IDE_PLAIN &&
	       c->phase <= PHASE_PLAIN;
}

bool ide_is_plain_data(const struct ide *ide, uint16_t port)
{
	for (unsigned int i = 0; i < 2; i++)
		if (port == ide_port(i, REG_DATA))
			return is_plain(&ide->channel[i]);
	return false;
}

uint32_t ide_string(const struct ide *ide, uint16_t port, bool out, uint32_t bytes)
{
	const struct ide_channel *c = &ide->channel[port == ide_port(1, REG_DATA)];
	uint64_t room = (uint64_t)c->left * ATA_SECTOR;

	if (port != ide_port(0, REG_DATA) && port != ide_port(1, REG_DATA))
		return 0;
	if (c->phase == PHASE_IDENTIFY && !out)
		return bytes <= ATA_SECTOR - c->at ? bytes : ATA_SECTOR - c->at;
	if (c->phase != (out ? PHASE_PIO_WRITE : PHASE_PIO_READ) || c->at || c->full)
		return 0;
	bytes = ALIGN_DOWN(bytes, ATA_SECTOR);
	return bytes < room ? bytes : (uint32_t)room;
}

static enum ide_next begin_string(struct ide_channel *c, struct ide_op *op,
				  const struct dma_space *s)
{
	dma_close(&c->data);
	if (dma_add(&c->data, s, op->gpa, op->bytes))
		return ide_fail(c, op, ATA_ABRT, 0);
	c->user = op;
	if (c->phase != PHASE_PIO_WRITE)
		return ide_pass(op);
	describe(c, op->bytes / ATA_SECTOR);
	drive_buffer(&c->command, &c->data, true);
	return ide_start_write(c, op);
}

static enum ide_next string_passed(struct ide_channel *c, struct ide_op *op)
{
	uint32_t sectors = op->bytes / ATA_SECTOR;

	if (c->phase == PHASE_IDENTIFY) {
		dma_write_guest(&c->data, 0, c->sector + c->at, op->moved);
		c->at = (uint16_t)(c->at + op->moved);
		if (c->at == ATA_SECTOR)
			c->phase = PHASE_IDLE;
		dma_close(&c->data);
		return ide_answer(c, op);
	}
	/* The device model's part of the stream, and the guest's, would not be the same any more. */
	if (op->moved != op->bytes) {
		op->bytes = 0;
		return ide_fail(c, op, c->phase == PHASE_PIO_READ ? ATA_UNC : ATA_ABRT, c->lba);
	}
	advance(c, sectors);
	if (c->phase == PHASE_PIO_WRITE) {
		dma_close(&c->data);
		return ide_answer(c, op);
	}
	c->command = (struct disk_cmd){.lba = c->lba - sectors, .count = sectors, .arg = c};
	drive_buffer(&c->command, &c->data, false);
	return verify(c, op);
}

/* --- word by word ---------------------------------------------------------------------------------------------- */

static uint32_t word_at(const uint8_t *at, unsigned int n)
{
	uint32_t value = 0;

	__builtin_memcpy(&value, at, n);
	return value;
}

/* A byte read from the port takes a word from the sector. */
static unsigned int taken(const struct ide_access *a)
{
	return a->bytes == 1 ? 2 : a->bytes;
}

static enum ide_next give_word(struct ide_channel *c, struct ide_op *op)
{
	op->access.value = word_at(c->sector + c->at, op->access.bytes);
	c->at = (uint16_t)(c->at + taken(&op->access));
	if (c->at == ATA_SECTOR) {
		c->at = 0;
		c->full = false;
		if (!c->left)
			c->phase = PHASE_IDLE;
	}
	return ide_answer(c, op);
}

static enum ide_next read_word(struct ide_channel *c, struct ide_op *op)
{
	if (c->full)
		return give_word(c, op);
	c->user = op;
	op->count = 0;
	return ide_ask(c, op, STEP_PULL, REG_DATA, false, 0);
}

static enum ide_next write_word(struct ide_channel *c, struct ide_op *op)
{
	if (op->access.bytes == 1)
		return ide_answer(c, op);
	__builtin_memcpy(c->sector + c->at, &op->access.value, op->access.bytes);
	c->at = (uint16_t)(c->at + op->access.bytes);
	if (c->at < ATA_SECTOR)
		return ide_answer(c, op);
	c->at = 0;
	c->user = op;
	describe(c, 1);
	return ide_start_write(c, op);
}

/* A sector, or some, came from the device model: it is verified. */
static enum ide_next verify(struct ide_channel *c, struct ide_op *op)
{
	int err = disk_read_end(c->drive[c->active].disk, &c->command);

	if (err == ERR_AGAIN) {
		c->user = op;
		op->step = STEP_PULL;
		op->disk = c->drive[c->active].disk;
		return IDE_AGENT;
	}
	op->disk = NULL;
	if (err) {
		__builtin_memset(c->sector, 0, sizeof(c->sector));
		op->access.value = 0;
		return ide_fail(c, op, err == ERR_IO ? ATA_UNC : ATA_ABRT, c->command.bad);
	}
	if (!op->bytes) {
		c->full = true;
		return give_word(c, op);
	}
	dma_close(&c->data);
	if (!c->left)
		c->phase = PHASE_IDLE;
	return ide_answer(c, op);
}

static enum ide_next pull(struct ide_channel *c, struct ide_op *op)
{
	if (op->count < WORDS) {
		__builtin_memcpy(c->sector + 4 * op->count, &op->ask.value, 4);
		if (++op->count < WORDS)
			return ide_ask(c, op, STEP_PULL, REG_DATA, false, 0);
		describe(c, 1);
		advance(c, 1);
	}
	return verify(c, op);
}

static enum ide_next push(struct ide_channel *c, struct ide_op *op)
{
	if (op->count < WORDS)
		return ide_ask(c, op, STEP_PUSH, REG_DATA, true,
			       word_at(c->sector + 4 * op->count++, 4));
	advance(c, 1);
	return ide_answer(c, op);
}

enum ide_next ide_move(struct ide_channel *c, struct ide_op *op)
{
	if (c->phase == PHASE_PIO_WRITE)
		return push(c, op);
	return op->bytes ? verify(c, op) : pull(c, op);
}

/* IDENTIFY's words are the monitor's, and the device model gives its own up for them. */
enum ide_next ide_data_passed(struct ide_channel *c, struct ide_op *op)
{
	if (op->bytes)
		return string_passed(c, op);
	op->access.value = op->ask.value;
	return c->phase == PHASE_IDENTIFY ? give_word(c, op) : ide_answer(c, op);
}

/* More than is left of the sector, or of the command. */
static bool is_beyond(const struct ide_channel *c, const struct ide_op *op)
{
	return c->at + taken(&op->access) > ATA_SECTOR || (!c->full && !c->left);
}

enum ide_next ide_data(struct ide_channel *c, struct ide_op *op, const struct dma_space *s)
{
	bool out = op->access.out;
	bool data = c->phase == (out ? PHASE_PIO_WRITE : PHASE_PIO_READ);

	if (is_plain(c))
		return ide_pass(op);
	if (c->phase == PHASE_IDENTIFY && !out && c->at + taken(&op->access) <= ATA_SECTOR)
		return op->bytes ? begin_string(c, op, s) : ide_pass(op);
	if (!data || is_beyond(c, op)) { /* nothing is there, nothing is said */
		op->access.value = 0;
		return ide_answer(c, op);
	}
	if (c->pending) { /* the device model has taken the sector before */
		c->ok = c->more = true;
		return ide_finish(c, op, STEP_AGAIN);
	}
	if (op->bytes)
		return begin_string(c, op, s);
	return out ? write_word(c, op) : read_word(c, op);
}
