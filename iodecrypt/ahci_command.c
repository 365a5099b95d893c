/* SPDX-License-Identifier: Apache-2.0 */
/* A command from the guest's command list to the device model's (AHCI 1.3.1, 4.2). */
#include "iodecrypt/ahci_internal.h"

#define OPTION_FIS_BYTES 5u /* of 4: a register FIS */
#define OPTION_ATAPI 0x20u
#define OPTION_WRITE 0x40u
#define OPTION_CLEAR 0x400u /* busy, once the FIS has arrived */
#define OPTIONS_KEPT (OPTION_ATAPI | OPTION_WRITE | OPTION_CLEAR)

#define TABLE_BYTES 0x80u /* before its PRDs */
#define TABLE_PACKET 0x40u
#define PACKET_BYTES 16u
#define PRD_MAX 1024u
#define PRD_CHUNK 32u
#define PRD_SIZE 0x3fffffu /* bytes - 1 */

/* A register FIS to the device (SATA 3.x, 10.5.5). */
#define FIS_BYTES 20u
#define FIS_REGISTER 0x27
#define FIS_COMMAND 0x80 /* in byte 1: else it is of the control register */
#define FIS_OTHERS 0x7f
#define FIS_FUA 0x80 /* in the device register, of queued commands */

#define TRIM 0x06
#define READ_LOG 0x2f
#define LOG_QUEUED 0x10
#define READ_QUEUED 0x60
#define WRITE_QUEUED 0x61
#define PACKET 0xa0
#define IDENTIFY_PACKET 0xa1
#define SMART 0xb0
#define IDENTIFY 0xec
#define SET_FEATURES 0xef

struct header {
	uint16_t options, prds;
	uint32_t moved, table, table_high, reserved[4];
};
_Static_assert(sizeof(struct header) == HEADER_BYTES, "as the standard has it");

struct prd {
	uint64_t address;
	uint32_t reserved, size;
};

/* A command as the guest has it; the parts of it that count. */
struct taken {
	struct header header;
	gpa_t table;
	uint8_t fis[TABLE_BYTES]; /* and the packet */
	struct ata_taskfile file;
	bool queued;
};

/* --- what it is -------------------------------------------------------------------------------------------- */

static int fetch(struct ahci_port *p, unsigned int i, const struct dma_space *s, struct taken *t)
{
	static const uint8_t reg[2][7] = {{0, 3, 12, 4, 5, 6, 7}, {0, 11, 13, 8, 9, 10, 7}};
	int err = dma_read_guest(&p->list_window, i * HEADER_BYTES, &t->header, HEADER_BYTES);

	t->table =
		GPA((uint64_t)t->header.table_high << 32 | (t->header.table & ~(TABLE_BYTES - 1)));
	if (!err)
		err = dma_peek(s, t->table, t->fis, sizeof(t->fis));
	for (unsigned int n = 1; !err && n < 7; n++) {
		t->file.reg[0][n] = t->fis[reg[0][n]];
		t->file.reg[1][n] = t->fis[reg[1][n]];
	}
	t->queued = !err && (t->fis[1] & FIS_COMMAND) && t->fis[2] >= READ_QUEUED &&
		    t->fis[2] <= 0x65 && t->fis[2] != 0x62;
	return err;
}

/* READ and WRITE FPDMA QUEUED: the number of sectors is in the features register. */
static int queued(struct ahci_slot *slot, const struct ide_drive *d, const struct taken *t)
{
	static const struct ata_command ext = {.protocol = ATA_QUEUED, .ext = true};
	struct ata_taskfile file = t->file;

	if (t->fis[2] > WRITE_QUEUED || (t->fis[7] & FIS_FUA))
		return ERR_NOSYS;
	file.reg[0][2] = file.reg[0][1];
	file.reg[1][2] = file.reg[1][1];
	slot->kind = t->fis[2] == READ_QUEUED ? SLOT_READ : SLOT_WRITE;
	return drive_range(d, &ext, &file, &slot->command) ? ERR_INVAL : 0;
}

static int log_page(const struct ahci_port *p, struct ahci_slot *slot, const struct taken *t)
{
	slot->kind = SLOT_LOG;
	slot->needs = ATA_SECTOR;
	return t->fis[4] == LOG_QUEUED && !t->fis[5] && t->fis[12] == 1 && !t->fis[13] && p->logged
		       ? 0
		       : ERR_NOSYS;
}

static int multiple(struct ide_drive *d, const struct taken *t)
{
	if (!ata_multiple(t->file.reg[0][2]))
		return ERR_INVAL;
	d->multiple = t->file.reg[0][2];
	return 0;
}

static int encrypted(struct ahci_port *p, struct ahci_slot *slot, const struct taken *t)
{
	struct ata_command a = ata_command(t->fis[2]);
	struct ide_drive *d = &p->drive;

	if (t->queued)
		return queued(slot, d, t);
	if (t->fis[2] == READ_LOG)
		return log_page(p, slot, t);
	switch ((enum ata_kind)a.kind) {
	case ATA_READ:
	case ATA_WRITE:
		slot->kind = a.kind == ATA_READ ? SLOT_READ : SLOT_WRITE;
		return drive_range(d, &a, &t->file, &slot->command) ? ERR_INVAL : 0;
	case ATA_IDENTIFY:
		slot->kind = SLOT_IDENTIFY;
		slot->needs = ATA_SECTOR;
		return 0;
	case ATA_FLUSH:
		slot->kind = SLOT_FLUSH;
		return drive_is_here(d) ? 0 : ERR_PERM;
	case ATA_MULTIPLE:
		return multiple(d, t);
	case ATA_FEATURES:
		return drive_features(d, &t->file) ? 0 : ERR_NOSYS;
	case ATA_PLAIN:
		return 0;
	case ATA_REFUSED:
		break;
	}
	return ERR_NOSYS;
}

/*
 * Sectors that a plain drive's command moves, and which way. What else its table has is not looked at: firmware has 4 MiB at
 * address 0 there with commands that move nothing. Only of PACKET the table says how much it may be: 0.
 */
static uint32_t moves(const struct taken *t, uint8_t *kind)
{
	struct ata_command a = ata_command(t->fis[2]);
	unsigned int reg = t->queued ? 1 : 2;
	uint32_t sectors;

	*kind = a.kind == ATA_WRITE ? SLOT_OUT : SLOT_IN;
	switch (t->fis[2]) {
	case PACKET:
		*kind = t->header.options & OPTION_WRITE ? SLOT_OUT : SLOT_IN;
		return 0;
	case IDENTIFY:
	case IDENTIFY_PACKET:
	case SMART:
		return 1;
	case WRITE_QUEUED:
	case TRIM:
		*kind = SLOT_OUT;
		a.ext = true;
		break;
	case READ_QUEUED:
	case READ_LOG:
		a.ext = true;
		break;
	default:
		if (a.kind != ATA_READ && a.kind != ATA_WRITE)
			*kind = SLOT_OTHER;
		break;
	}
	if (*kind == SLOT_OTHER)
		return 0;
	sectors = t->file.reg[0][reg] | (a.ext ? (uint32_t)t->file.reg[1][reg] << 8 : 0);
	return sectors ? sectors : a.ext ? DISK_COUNT_MAX : 256;
}

/* 0, with slot->kind and what belongs to it; or the command is to be aborted. */
static int judge(struct ahci_port *p, unsigned int i, struct ahci_slot *slot, const struct taken *t)
{
	int err = 0;

	*slot = (struct ahci_slot){.kind = SLOT_OTHER};
	if (t->fis[0] != FIS_REGISTER || (t->fis[1] & FIS_OTHERS) || t->header.prds > PRD_MAX)
		return ERR_INVAL;
	/* The tag says by which bit of PxSACT it ends. */
	if (t->queued && t->fis[12] >> 3 != i)
		return ERR_INVAL;
	if (!(t->fis[1] & FIS_COMMAND)) {
		slot->kind = SLOT_CONTROL;
		return 0;
	}
	if (p->drive.kind == IDE_REFUSED)
		return ERR_PERM;
	if (p->drive.kind == IDE_ENCRYPTED)
		err = encrypted(p, slot, t);
	else if (t->header.prds)
		slot->needs = moves(t, &slot->kind) * ATA_SECTOR;
	if (slot->kind == SLOT_READ || slot->kind == SLOT_WRITE)
		slot->needs = slot->command.count * ATA_SECTOR;
	return err;
}

/*
 * Whether a command has to wait for others: writes for all that is about the same sectors, and reads for such
 * writes; a flush for all writes, and writes for a flush.
 */
static bool conflicts(const struct ahci_port *p, const struct ahci_slot *a)
{
	for (unsigned int i = 0; i < AHCI_SLOTS; i++) {
		const struct ahci_slot *b = p->issued >> i & 1 ? ahci_slot(p, i) : a;
		bool writes = a->kind == SLOT_WRITE || b->kind == SLOT_WRITE;
		bool flushes = a->kind == SLOT_FLUSH || b->kind == SLOT_FLUSH;

		if (b == a || !writes)
			continue;
		if (flushes || (a->command.lba < b->command.lba + b->command.count &&
				b->command.lba < a->command.lba + a->command.count))
			return true;
	}
	return false;
}

/* --- what the device model sees ---------------------------------------------------------------------------- */

/* One of the guest's descriptors: into the copy, and its region into the buffer as far as it is needed. */
static int add_region(struct ahci_slot *slot, const struct dma_space *s, struct prd *prd)
{
	uint32_t left = DMA_BYTES_MAX - slot->data.bytes, len = ((prd->size & PRD_SIZE) | 1) + 1;
	gpa_t gpa = GPA(prd->address & ~(uint64_t)1);
	int err;

	if (slot->needs)
		left = slot->needs - slot->data.bytes;
	else if (len > left)
		return ERR_2BIG;
	len = len < left ? len : left;
	if (!len)
		return ERR_NOENT; /* no more are needed */
	err = dma_add_apart(&slot->data, s, &gpa, len);
	prd->address = gpa.a;
	prd->size = len - 1;
	prd->reserved = 0;
	return err;
}

/* *used: of the guest's descriptors. */
static int open_regions(struct ahci_slot *slot, const struct dma_space *s, const struct taken *t,
			uint16_t *used)
{
	struct prd prd[PRD_CHUNK];
	unsigned int n, left;
	int err = 0;

	for (left = t->header.prds; !err && left; left -= n) {
		uint32_t at = TABLE_BYTES + *used * (uint32_t)sizeof(*prd);

		n = left < PRD_CHUNK ? left : PRD_CHUNK;
		err = dma_peek(s, GPA(t->table.a + at), prd, n * sizeof(*prd));
		for (unsigned int i = 0; !err && i < n; i++) {
			err = add_region(slot, s, &prd[i]);
			*used = (uint16_t)(*used + !err);
		}
		if (!err || err == ERR_NOENT)
			dma_write_device(&slot->table, at, prd,
					 TABLE_BYTES + *used * sizeof(*prd) - at);
	}
	if (err && err != ERR_NOENT)
		return err;
	return slot->data.bytes < slot->needs ? ERR_INVAL : 0;
}

/* A packet that moves nothing may have a table of nonsense, too. */
static int open_data(struct ahci_slot *slot, const struct dma_space *s, const struct taken *t,
		     uint16_t *used)
{
	int err = 0;

	if (slot->needs || slot->kind == SLOT_IN || slot->kind == SLOT_OUT)
		err = open_regions(slot, s, t, used);
	if ((err != ERR_FAULT && err != ERR_2BIG) || slot->needs || slot->kind != SLOT_IN)
		return err;
	dma_close(&slot->data);
	slot->kind = SLOT_OTHER;
	*used = 0;
	return 0;
}

static void show_header(struct ahci_port *p, unsigned int i, const struct taken *t,
			uint16_t options, uint16_t prds)
{
	struct header h = {.options = (uint16_t)(options | OPTION_FIS_BYTES),
			   .prds = prds,
			   .table = (uint32_t)t->table.a,
			   .table_high = (uint32_t)(t->table.a >> 32)};

	dma_write_device(&p->list_window, i * HEADER_BYTES, &h, sizeof(h));
}

/*
 * A command that every drive aborts, and says so: a feature that there is not. (QEMU's says nothing of commands that it does not
 * know.)
 */
static void show_refused(struct ahci_port *p, unsigned int i)
{
	static const uint8_t fis[FIS_BYTES] = {FIS_REGISTER, FIS_COMMAND, SET_FEATURES};
	struct ahci_slot *slot = ahci_slot(p, i);
	uint16_t none = 0;

	slot->kind = SLOT_OTHER;
	dma_close(&slot->data);
	dma_write_device(&slot->table, 0, fis, sizeof(fis));
	dma_write_device(&p->list_window, i * HEADER_BYTES + offsetof(struct header, prds), &none,
			 sizeof(none));
	if (!(p->queued >> i & 1) || p->failed)
		return;
	p->error = (struct ahci_error){.queued = true, .slot = (uint8_t)i, .error = ATA_ABRT};
	p->logged = true;
}

static void show(struct ahci_port *p, unsigned int i, const struct taken *t, uint16_t prds)
{
	struct ahci_slot *slot = ahci_slot(p, i);
	uint16_t options = t->header.options & OPTIONS_KEPT;
	uint8_t table[TABLE_BYTES] = {0};

	__builtin_memcpy(table, t->fis, FIS_BYTES);
	if (p->drive.kind == IDE_PLAIN && (options & OPTION_ATAPI))
		__builtin_memcpy(table + TABLE_PACKET, t->fis + TABLE_PACKET, PACKET_BYTES);
	if (p->drive.kind != IDE_PLAIN)
		options = (options & OPTION_CLEAR) | (slot->kind == SLOT_WRITE ? OPTION_WRITE : 0);
	if (slot->kind == SLOT_LOG)
		table[2] = IDENTIFY;
	dma_write_device(&slot->table, 0, table, sizeof(table));
	show_header(p, i, t, options, prds);
}

/* --- from the one to the other ------------------------------------------------------------------------------- */

void ahci_release(struct ahci_port *p, unsigned int i)
{
	dma_close(&ahci_slot(p, i)->table);
	dma_close(&ahci_slot(p, i)->data);
	phys_table_free(p->slot[i]);
	p->slot[i] = HPA(0);
}

/* There is no room now, but others that end give some back; or there never will be. */
static enum ahci_take no_room(struct ahci_port *p, unsigned int i, int err)
{
	if (p->slot[i].a)
		ahci_release(p, i);
	if (p->issued && (err == ERR_NOMEM || err == ERR_BUSY))
		return TAKE_HOLD;
	ahci_fail(p, i, ATA_ABRT, 0);
	return TAKE_LOST;
}

static int open_table(struct ahci_port *p, unsigned int i, const struct dma_space *s,
		      const struct taken *t, uint32_t prds)
{
	int err = phys_table_alloc(&p->slot[i]);

	return err ? err
		   : dma_add(&ahci_slot(p, i)->table, s, t->table,
			     TABLE_BYTES + prds * (uint32_t)sizeof(struct prd));
}

enum ahci_take ahci_take(struct ahci_port *p, unsigned int i, const struct dma_space *s)
{
	struct ahci_slot judged;
	struct taken t = {0};
	uint16_t used = 0;
	int err, refused;

	err = fetch(p, i, s, &t);
	p->queued = (p->queued & ~(1u << i)) | (uint32_t)t.queued << i;
	if (err)
		return no_room(p, i, err);
	refused = judge(p, i, &judged, &t);
	if (!refused && judged.kind == SLOT_CONTROL && p->issued)
		return TAKE_RESET;
	if (!refused && p->drive.kind == IDE_ENCRYPTED && conflicts(p, &judged))
		return TAKE_HOLD;
	err = open_table(p, i, s, &t, refused ? 0 : t.header.prds);
	if (err)
		return no_room(p, i, err);
	ahci_slot(p, i)->kind = judged.kind;
	ahci_slot(p, i)->needs = judged.needs;
	ahci_slot(p, i)->command = judged.command;
	if (!refused)
		refused = open_data(ahci_slot(p, i), s, &t, &used);
	if ((refused == ERR_NOMEM || refused == ERR_BUSY) && p->issued)
		return no_room(p, i, refused);
	if (refused) { /* nothing of what the guest has there is shown */
		show_header(p, i, &t, 0, 0);
		show_refused(p, i);
		return TAKE_READY;
	}
	show(p, i, &t, used);
	if (judged.kind == SLOT_OUT)
		drive_copy(&ahci_slot(p, i)->data, ahci_slot(p, i)->data.bytes, false);
	if (judged.kind == SLOT_READ || judged.kind == SLOT_WRITE)
		drive_buffer(&ahci_slot(p, i)->command, &ahci_slot(p, i)->data,
			     judged.kind == SLOT_WRITE);
	return judged.kind == SLOT_WRITE ? TAKE_START : TAKE_READY;
}

int ahci_start(struct ahci_port *p, unsigned int i)
{
	struct ahci_slot *slot = ahci_slot(p, i);
	int err = disk_write_start(p->drive.disk, &slot->command);

	if (err == ERR_AGAIN)
		return err;
	if (err == ERR_BUSY && p->issued) {
		ahci_release(p, i);
		return err;
	}
	slot->pending = !err;
	if (err)
		show_refused(p, i);
	return 0;
}
