/* SPDX-License-Identifier: Apache-2.0 */
/* A command from its code to its end. */
#include "iodecrypt/ide_internal.h"

#define PRD_MAX 512u /* descriptors: no more are looked at by the device model */
#define PRD_CHUNK 64u
#define PRD_LAST 0x80000000u
#define POLLS 10000u

struct prd {
	uint32_t address, size;
};

static struct ide_drive *active(struct ide_channel *c)
{
	return &c->drive[c->active];
}

void ide_failed(struct ide_channel *c, uint8_t error, uint64_t bad)
{
	c->failed = (uint8_t)(c->active + 1);
	c->status = ATA_READY | ATA_SEEK | ATA_ERR;
	c->error = error;
	c->bad = bad;
}

static void close(struct ide_channel *c)
{
	dma_close(&c->table);
	dma_close(&c->data);
}

/* --- buffers of DMA ------------------------------------------------------------------------------------- */

/* One descriptor's buffer, as far as it is needed: the command moves `limit` bytes. */
static int add_region(struct ide_channel *c, const struct dma_space *s, struct prd *prd,
		      uint32_t limit)
{
	uint32_t len = prd->size & 0xfffe, left = limit - c->data.bytes;
	gpa_t gpa = GPA(prd->address & ~(uint32_t)1);
	int err;

	len = len ? len : 0x10000;
	len = len < left ? len : left;
	if (!len)
		return 0;
	err = dma_add_apart(&c->data, s, &gpa, len);
	prd->address = (uint32_t)gpa.a;
	return err;
}

/*
 * The guest's table is read once; the device model sees the copy that was judged. Returns 0 with all regions
 * open, up to limit bytes; or an error.
 */
static int open_regions(struct ide_channel *c, const struct dma_space *s, uint32_t limit)
{
	struct prd prd[PRD_CHUNK];
	unsigned int n, used;
	bool last = false;
	uint64_t at = c->prd;
	int err = 0;

	for (n = 0; !err && !last && n < PRD_MAX; n += used, at += used * sizeof(*prd)) {
		/* No further than to the end of the page, where the table may end. */
		size_t room = (PAGE_SIZE - page_offset(at)) / sizeof(*prd);

		room = room ? room : 1;
		room = room < PRD_CHUNK ? room : PRD_CHUNK;
		err = dma_peek(s, GPA(at), prd, room * sizeof(*prd));
		/* Before the buffers: they go elsewhere if need be. */
		if (!err)
			err = dma_add(&c->table, s, GPA(at), (uint32_t)(room * sizeof(*prd)));
		for (used = 0; !err && !last && used < room; used++) {
			err = add_region(c, s, &prd[used], limit);
			last = prd[used].size & PRD_LAST;
		}
		if (!err)
			dma_write_device(&c->table,
					 c->table.bytes - (uint32_t)(room * sizeof(*prd)), prd,
					 used * sizeof(*prd));
	}
	return err;
}

static enum ide_next drop(struct ide_channel *c, struct ide_op *op)
{
	close(c);
	return ide_answer(c, op);
}

/* A drive whose data are no secret to L1: it gets windows all the same, since it reaches no memory otherwise. */
static enum ide_next start_plain(struct ide_channel *c, struct ide_op *op,
				 const struct dma_space *s)
{
	close(c);
	if (open_regions(c, s, DMA_BYTES_MAX))
		return drop(c, op);
	if (!c->to_memory)
		drive_copy(&c->data, c->data.bytes, false);
	c->phase = PHASE_PLAIN;
	return ide_pass(op);
}

static enum ide_next start_encrypted(struct ide_channel *c, struct ide_op *op,
				     const struct dma_space *s)
{
	bool write = c->phase == PHASE_DMA_WRITE, open = c->data.parts;
	uint32_t bytes = c->command.count * ATA_SECTOR;
	int err;

	if (open && (!write || c->pending))
		return ide_pass(op);
	/* No memory, or too little room for windows just now. */
	err = open ? 0 : open_regions(c, s, bytes);
	if (err)
		return ide_fail(c, op, ATA_ABRT, 0);
	/* With a table that is too short the transfer does not begin, and there is no interrupt. */
	if (c->data.bytes != bytes)
		return drop(c, op);
	drive_buffer(&c->command, &c->data, write);
	if (!write)
		return ide_pass(op);
	c->user = op;
	return ide_start_write(c, op);
}

enum ide_next ide_start(struct ide_channel *c, struct ide_op *op, const struct dma_space *s)
{
	c->to_memory = op->access.value & BM_TO_MEMORY;
	if (c->phase == PHASE_DMA_READ || c->phase == PHASE_DMA_WRITE)
		return start_encrypted(c, op, s);
	if (c->phase <= PHASE_PLAIN && ide_selected(c)->kind == IDE_PLAIN)
		return start_plain(c, op, s);
	/* It would move data of a command that is over here, or has not come yet. */
	c->started = false;
	return ide_answer(c, op);
}

enum ide_next ide_start_write(struct ide_channel *c, struct ide_op *op)
{
	int err = disk_write_start(active(c)->disk, &c->command);

	if (err == ERR_AGAIN) {
		op->step = STEP_START;
		op->disk = active(c)->disk;
		return IDE_AGENT;
	}
	op->disk = NULL;
	if (err)
		return ide_fail(c, op, ATA_ABRT, 0);
	c->pending = true;
	if (c->phase == PHASE_PIO_WRITE && !op->bytes) {
		op->count = 0;
		op->step = STEP_PUSH;
		return ide_move(c, op);
	}
	c->user = op->bytes ? op : NULL;
	return ide_pass(op);
}

/* --- commands ------------------------------------------------------------------------------------------- */

/* The device model gets a command that it aborts, so that there is an interrupt. */
static enum ide_next refuse(struct ide_channel *c, struct ide_op *op, uint8_t error)
{
	ide_failed(c, error, 0);
	ide_pass(op);
	op->ask.value = ATA_NOP;
	return IDE_PASS;
}

static enum ide_next transfer(struct ide_channel *c, struct ide_op *op, struct ata_command a)
{
	struct disk_cmd *cmd = &c->command;
	uint8_t error;

	*cmd = (struct disk_cmd){.arg = c};
	error = drive_range(active(c), &a, &c->file, cmd);
	if (error)
		return refuse(c, op, error);
	if (a.protocol == ATA_DMA) {
		c->phase = a.kind == ATA_READ ? PHASE_DMA_READ : PHASE_DMA_WRITE;
		return ide_pass(op);
	}
	c->phase = a.kind == ATA_READ ? PHASE_PIO_READ : PHASE_PIO_WRITE;
	ide_data_begin(c, cmd->count);
	return ide_pass(op);
}

static enum ide_next identify(struct ide_channel *c, struct ide_op *op)
{
	ide_data_begin(c, 0);
	drive_identify(active(c), false, c->sector);
	c->phase = PHASE_IDENTIFY;
	return ide_pass(op);
}

static enum ide_next set_features(struct ide_channel *c, struct ide_op *op)
{
	return drive_features(active(c), &c->file) ? ide_pass(op) : refuse(c, op, ATA_ABRT);
}

static enum ide_next set_multiple(struct ide_channel *c, struct ide_op *op)
{
	uint8_t count = c->file.reg[0][REG_COUNT];

	active(c)->multiple = ata_multiple(count) ? count : 0;
	return ata_multiple(count) ? ide_pass(op) : refuse(c, op, ATA_ABRT);
}

enum ide_next ide_command(struct ide_channel *c, struct ide_op *op, const struct dma_space *s,
			  uint8_t code)
{
	struct ata_command a = ata_command(code);
	struct ide_drive *d = ide_selected(c);

	c->control &= (uint8_t)~ATA_HOB;
	c->active = (uint8_t)(d - c->drive);
	c->failed = 0;
	if (d->kind == IDE_PLAIN)
		return c->started ? start_plain(c, op, s) : ide_pass(op);
	if (d->kind == IDE_REFUSED)
		return refuse(c, op, ATA_ABRT);
	switch ((enum ata_kind)a.kind) {
	case ATA_READ:
	case ATA_WRITE:
		return transfer(c, op, a);
	case ATA_IDENTIFY:
		return identify(c, op);
	case ATA_FLUSH:
		if (!drive_is_here(d))
			break;
		c->phase = PHASE_FLUSH;
		return ide_pass(op);
	case ATA_MULTIPLE:
		return set_multiple(c, op);
	case ATA_FEATURES:
		return set_features(c, op);
	case ATA_PLAIN:
		return ide_pass(op);
	case ATA_REFUSED:
		break;
	}
	return refuse(c, op, ATA_ABRT);
}

/* --- the end -------------------------------------------------------------------------------------------- */

bool ide_has_ended(struct ide_channel *c, uint8_t status)
{
	if (c->phase == PHASE_IDLE || (status & ATA_BSY) || c->full)
		return false;
	c->ok = !c->aborted && !(status & (ATA_ERR | ATA_DF));
	c->more = status & ATA_DRQ;
	if (c->phase == PHASE_PIO_WRITE)
		return c->pending || !c->more;
	return c->phase == PHASE_FLUSH || !c->more;
}

bool ide_transferred(const struct ide_channel *c, uint32_t status)
{
	return (c->phase == PHASE_DMA_READ || (c->phase == PHASE_PLAIN && c->to_memory)) &&
	       c->data.parts && ((status & BM_INTERRUPT) || !(status & BM_ACTIVE));
}

/* 0, ERR_AGAIN, or why the guest has to be told of an error. */
static int end(struct ide_channel *c)
{
	struct disk *disk = active(c)->disk;
	int err = 0;

	switch ((enum ide_phase)c->phase) {
	case PHASE_DMA_READ:
		return c->data.parts ? disk_read_end(disk, &c->command) : 0;
	case PHASE_PIO_READ: /* a sector, or some, that are there */
		return c->pending ? disk_read_end(disk, &c->command) : 0;
	case PHASE_DMA_WRITE:
	case PHASE_PIO_WRITE:
		if (c->pending)
			err = disk_write_end(disk, &c->command, c->ok);
		if (err)
			return err;
		c->pending = false;
		return c->ok && !active(c)->cache ? disk_flush_end(disk) : 0;
	case PHASE_FLUSH:
		return c->ok ? disk_flush_end(disk) : 0;
	case PHASE_PLAIN:
		if (c->to_memory)
			drive_copy(&c->data, c->data.bytes, true);
		return 0;
	case PHASE_IDLE:
	case PHASE_IDENTIFY:
		break;
	}
	return 0;
}

enum ide_next ide_finish(struct ide_channel *c, struct ide_op *op, enum ide_step then)
{
	int err = end(c);

	op->then = (uint8_t)then;
	if (err == ERR_AGAIN) {
		c->user = op;
		op->step = STEP_FINISH;
		op->disk = active(c)->disk;
		return IDE_AGENT;
	}
	op->disk = NULL;
	c->pending = c->aborted = false;
	if (err)
		ide_failed(c, err == ERR_IO && c->phase == PHASE_DMA_READ ? ATA_UNC : ATA_ABRT,
			   c->command.bad);
	if (c->phase != PHASE_PIO_WRITE || !c->more || err)
		c->phase = PHASE_IDLE;
	close(c);
	if (then == STEP_ANSWER)
		return ide_answer(c, op);
	c->user = NULL;
	return IDE_WAIT;
}

/* --- ends that the guest makes ---------------------------------------------------------------------------- */

/* What the device model had it has given up, whatever it has done of it. */
static enum ide_next give_up(struct ide_channel *c, struct ide_op *op)
{
	c->ok = c->more = c->full = false;
	if (c->phase == PHASE_DMA_READ || c->phase == PHASE_PIO_READ || c->phase == PHASE_PLAIN) {
		close(c);
		c->pending = false;
		c->phase = PHASE_IDLE;
	}
	return ide_finish(c, op, STEP_ANSWER);
}

enum ide_next ide_reset(struct ide_channel *c, struct ide_op *op)
{
	c->failed = 0;
	c->drive[0].multiple = c->drive[1].multiple = 0;
	c->full = false;
	__builtin_memset(&c->file, 0, sizeof(c->file));
	if (!c->pending || c->phase == PHASE_PIO_READ)
		return give_up(c, op);
	/* What was being written is settled when the device model is through with its reset. */
	c->aborted = true;
	return ide_answer(c, op);
}

/* --- errors that the device model does not know of --------------------------------------------------------- */

enum ide_next ide_fail(struct ide_channel *c, struct ide_op *op, uint8_t error, uint64_t bad)
{
	ide_failed(c, error, bad);
	c->drive[0].multiple = c->drive[1].multiple = 0;
	c->pending = c->full = false;
	c->phase = PHASE_IDLE;
	close(c);
	op->count = 0;
	op->bytes = 0;
	return ide_ask(c, op, STEP_FAIL, REG_CONTROL, true, c->control | ATA_SRST);
}

enum ide_next ide_fail_on(struct ide_channel *c, struct ide_op *op)
{
	uint8_t device = c->file.reg[0][REG_DEVICE];

	switch (op->count++) {
	case 0:
		return ide_ask(c, op, STEP_FAIL, REG_CONTROL, true, c->control & ~ATA_SRST);
	case 1:
		return ide_ask(c, op, STEP_FAIL, REG_CONTROL, false, 0);
	case 2:
		if ((op->ask.value & ATA_BSY) && op->polls++ < POLLS) {
			op->count = 2;
			return ide_ask(c, op, STEP_FAIL, REG_CONTROL, false, 0);
		}
		return ide_ask(c, op, STEP_FAIL, REG_DEVICE, true, device);
	case 3:
		return ide_ask(c, op, STEP_FAIL, REG_COMMAND, true, ATA_NOP);
	default:
		return ide_answer(c, op);
	}
}
