/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/guestboot.h"

#include "monitor/lib.h"

/* --- the tables ------------------------------------------------------------------------------------------- */

#define CMOS_INDEX 0x70u
#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_DATA 0xcfcu

static const struct ports {
	uint16_t first;
	uint8_t count;
	enum { PORTS_HIDDEN, PORTS_CMOS, PORTS_ADDRESS, PORTS_DATA } use;
} ports[] = {
	{CMOS_INDEX, 2, PORTS_CMOS},
	{0x3f0, 6, PORTS_HIDDEN}, /* floppy controller; 3F6h is IDE's */
	{0x3f7, 1, PORTS_HIDDEN},
	{0x510, 12, PORTS_HIDDEN}, /* fw_cfg: kernel, option ROMs, boot order */
	{CONFIG_ADDRESS, 4, PORTS_ADDRESS},
	{CONFIG_DATA, 4, PORTS_DATA},
};

/* As SeaBIOS reads them (src/hw/rtc.h there). */
static const struct {
	uint8_t index, value;
} cmos[] = {
	{0x10, 0x00}, /* floppy drives: none */
	{0x38, 0x00}, /* no third boot device; a floppy disk's signature counts */
	{0x39, 0x55}, /* geometry of four IDE disks: by LBA */
	{0x3d, 0x02}, /* the first boot device is a hard disk, no second one */
};

/* Registers of PCI configuration space (PCI 3.0, 6.1). */
#define CONFIG_ENABLED 0x80000000u
#define CONFIG_OTHER 0xffff0003u /* all of an address but device, function and register */
#define REG_ID 0x00u
#define REG_CLASS 0x08u
#define REG_HEADER 0x0cu
#define HEADER_TYPE 0x00ff0000u
#define REG_ROM 0x30u

/* What may be on bus 0. Some are where Xen's machine always has them, the others wherever the device model says. */
#define ANYWHERE 0x100 /* no device's */
static const struct function {
	uint32_t id, class; /* with the revisions of QEMU 7.2 */
	uint16_t at;        /* device and function */
	uint8_t header;     /* type: of the only function, or the first of several */
	uint8_t base;       /* register with the base address that iodecrypt follows; 0: none */
	bool io;
	uint16_t bytes; /* that are there */
} functions[] = {
	{0x12378086, 0x06000002, 0x00, .base = 0},                          /* host bridge */
	{0x70008086, 0x06010000, 0x08, .header = 0x80},                     /* PIIX3: ISA */
	{0x70108086, 0x01018000, 0x09, .base = 0x20, .io = 1, .bytes = 16}, /* IDE, legacy ports */
	{0x71138086, 0x06800003, 0x0b, .base = 0},                          /* PIIX4: power */
	{0x11111234, 0x03000002, ANYWHERE, .base = 0},                      /* VGA */
	{0x00b81013, 0x03000000, ANYWHERE, .base = 0},                      /* Cirrus VGA */
	{0x00015853, 0xff800001, ANYWHERE, .base = 0},                      /* Xen platform */
	{0x29228086, 0x01060102, ANYWHERE, .base = 0x24, .bytes = 4096},    /* ICH9: AHCI */
};

/* What a slot is, once asked: nothing, or function i. */
enum { SLOT_UNKNOWN, SLOT_EMPTY, SLOT_FUNCTION };

/* --- PCI configuration space --------------------------------------------------------------------------- */

static uint32_t slot_of(const struct guest_boot *b)
{
	return b->config >> 11 & (GUESTBOOT_SLOTS - 1);
}

/* The function that the address names; NULL: none, or not asked for yet (*known). */
static const struct function *addressed(const struct guest_boot *b, bool *known)
{
	uint8_t at = (uint8_t)(b->config >> 8), kind = b->slot[slot_of(b)];

	*known = true;
	if ((b->config & CONFIG_OTHER) != CONFIG_ENABLED)
		return NULL;
	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++)
		if (functions[i].at == at)
			return &functions[i];
	if (at % 8) /* no device but the board's has several functions */
		return NULL;
	*known = kind != SLOT_UNKNOWN;
	return kind >= SLOT_FUNCTION ? &functions[kind - SLOT_FUNCTION] : NULL;
}

/* L1 says that this is there. It stays so for the guest's life. */
static void found(struct guest_boot *b, uint32_t id)
{
	uint8_t *slot = &b->slot[slot_of(b)];
	uint8_t kind = SLOT_EMPTY;

	for (unsigned int i = 0; i < ARRAY_SIZE(functions); i++)
		if (functions[i].at == ANYWHERE && functions[i].id == id)
			kind = (uint8_t)(SLOT_FUNCTION + i);
	for (unsigned int i = 0; i < GUESTBOOT_SLOTS; i++)
		if (b->slot[i] == kind) /* a second one is none */
			kind = SLOT_EMPTY;
	if (*slot == SLOT_UNKNOWN)
		*slot = kind;
}

enum ide_next guestboot_resume(struct guest_boot *b, uint8_t *step, struct ide_access *ask)
{
	switch (++*step) {
	case 1:
		*ask = (struct ide_access){CONFIG_ADDRESS, 4, true, b->config & ~0xffu};
		return IDE_ASK;
	case 2:
		*ask = (struct ide_access){CONFIG_DATA, 4, false, 0};
		return IDE_ASK;
	case 3:
		found(b, ask->value);
		*ask = (struct ide_access){CONFIG_ADDRESS, 4, true, b->config};
		return IDE_ASK;
	default:
		*step = 0;
		return IDE_PASS;
	}
}

/* --- accesses -------------------------------------------------------------------------------------------- */

/* What there are ports of in an access. */
static const struct ports *meets(uint16_t port, uint8_t bytes)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ports); i++)
		if (port < ports[i].first + ports[i].count && ports[i].first < port + bytes)
			return &ports[i];
	return NULL;
}

bool guestboot_has(const struct guest_boot *b, uint16_t port, uint8_t bytes)
{
	return b->sealed && meets(port, bytes);
}

static enum ide_next nothing(struct ide_access *a)
{
	a->value = UINT32_MAX;
	return IDE_DONE;
}

static enum ide_next begin_cmos(struct guest_boot *b, struct ide_access *a)
{
	if (a->bytes != 1)
		return nothing(a);
	if (a->port == CMOS_INDEX) {
		if (a->out)
			b->cmos = a->value & 0x7f; /* the other bit holds NMIs back */
		return IDE_PASS;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(cmos); i++)
		if (cmos[i].index == b->cmos) {
			a->value = cmos[i].value;
			return IDE_DONE;
		}
	return IDE_PASS;
}

static enum ide_next begin_data(struct guest_boot *b, struct ide_access *a, uint8_t *step,
				struct ide_access *ask)
{
	bool known;
	const struct function *f = addressed(b, &known);
	uint8_t reg = b->config & 0xfc;

	if (!known)
		return guestboot_resume(b, step, ask);
	if (!f || (a->out && reg == REG_ROM))
		return nothing(a);
	if (a->out && f->base && reg == f->base) {
		if (a->bytes != 4)
			return nothing(a);
		b->base[f->io] = a->value;
	}
	return IDE_PASS;
}

enum ide_next guestboot_begin(struct guest_boot *b, struct ide_access *a, uint8_t *step,
			      struct ide_access *ask)
{
	const struct ports *p = b->sealed ? meets(a->port, a->bytes) : NULL;

	if (!p)
		return IDE_PASS;
	if (a->port < p->first || a->port + a->bytes > p->first + p->count)
		return nothing(a);
	switch (p->use) {
	case PORTS_CMOS:
		return begin_cmos(b, a);
	case PORTS_ADDRESS:
		if (a->out && a->bytes == 4)
			b->config = a->value;
		return IDE_PASS;
	case PORTS_DATA:
		return begin_data(b, a, step, ask);
	case PORTS_HIDDEN:
		break;
	}
	return nothing(a);
}

void guestboot_answer(const struct guest_boot *b, struct ide_access *a)
{
	uint32_t reg = b->config & 0xfc, mask = UINT32_MAX, value = 0;
	unsigned int shift = 8 * (a->port & 3);
	const struct function *f;
	bool known;

	if (!b->sealed || a->out || a->port < CONFIG_DATA)
		return;
	f = addressed(b, &known);
	if (!f)
		value = UINT32_MAX;
	else if (reg == REG_ID)
		value = f->id;
	else if (reg == REG_CLASS)
		value = f->class;
	else if (f->base && reg == f->base)
		value = (b->base[f->io] & ~(uint32_t)(f->bytes - 1)) | f->io;
	else if (reg == REG_HEADER)
		value = (uint32_t)f->header << 16, mask = HEADER_TYPE;
	else if (reg != REG_ROM)
		mask = 0;
	a->value = (a->value & ~(mask >> shift)) | (value & mask) >> shift;
}
