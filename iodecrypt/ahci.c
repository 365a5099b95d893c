/* SPDX-License-Identifier: Apache-2.0 */
/* Which register an access is of, and what it does: the way of a command is in ahci_command.c and ahci_end.c. */
#include "iodecrypt/ahci_internal.h"

/* Registers of the controller, and of a port, from its first (AHCI 1.3.1, 3). */
#define GLOBAL_CONTROL 0x04u
#define GLOBAL_INTERRUPT 0x08u
#define GLOBAL_RESET 0x1u
#define PORTS 0x100u
#define PORT_BYTES 0x80u
enum port_register {
	REG_LIST = 0x00,
	REG_LIST_HIGH = 0x04,
	REG_RECEIVED = 0x08,
	REG_RECEIVED_HIGH = 0x0c,
	REG_INTERRUPT = 0x10,
	REG_COMMAND = 0x18,
	REG_FILE = 0x20,
	REG_CONTROL = 0x2c,
	REG_ACTIVE = 0x34,
	REG_ISSUE = 0x38,
};
#define COMMAND_START 0x01u
#define COMMAND_RECEIVE 0x10u
#define INTERRUPT_FIS 0x07u        /* a register FIS has come, a PIO or a DMA setup FIS */
#define INTERRUPT_FILE 0x40000000u /* the task file has an error */
#define CONTROL_DETECT 0xfu
#define CONTROL_RESET 0x1u

#define LIST_BYTES 1024u
#define RECEIVED_BYTES 256u

/* PCI configuration space. */
#define CONFIG_ADDRESS 0xcf8u
#define CONFIG_FUNCTION 0x80ffff00u
#define CONFIG_REGISTER 0xfcu
#define CONFIG_ENABLED 0x80000000u
#define CONFIG_BASE 0x24u
#define CONFIG_CLASS 0x08u
#define AHCI_ID 0x29228086u    /* ICH9's controller, as QEMU has it */
#define AHCI_CLASS 0x01060102u /* with its revision */

/* Where an operation goes on. */
enum step {
	STEP_PASSED,        /* the guest's own access was made, and that is all */
	STEP_READ,          /* ... the guest asks how its commands are */
	STEP_LOOKED_ISSUE,  /* the device model said how they are */
	STEP_LOOKED_ACTIVE, /* ... the queued ones */
	STEP_SETTLE,        /* the engine ends a command */
	STEP_START,         /* the engine prepares a write */
	STEP_ISSUED,        /* the device model has got commands */
	STEP_COMMANDED,     /* PxCMD was written */
	STEP_CONTROLLED,    /* PxSCTL was written */
	STEP_RESET_ON,      /* the monitor resets the device: PxSCTL was written */
	STEP_RESET_OFF,
	STEP_RESET_ALL, /* GHC.HR was written */
};

void ahci_set(struct ahci *a, unsigned int drive, enum ide_drive_kind kind, struct disk *disk)
{
	a->port[drive].drive =
		(struct ide_drive){.kind = (uint8_t)kind, .cache = true, .disk = disk};
}

/* --- PCI configuration space --------------------------------------------------------------------------- */

/* What the guest has once read of its identity stays so: its driver is one for this controller. */
static void config_read(struct ahci *a, uint32_t reg, uint8_t bytes, uint32_t *value)
{
	uint32_t mask = bytes == 4 ? UINT32_MAX : (1u << 8 * bytes) - 1, shift = 8 * (reg & 3);
	uint32_t function = a->config & CONFIG_FUNCTION;
	bool device = reg + bytes == 4 && bytes >= 2;

	if (!a->found && device && *value == AHCI_ID >> shift) {
		a->found = true;
		a->function = function;
	}
	if (!a->found || function != a->function)
		return;
	if ((reg & CONFIG_REGISTER) == 0)
		*value = AHCI_ID >> shift & mask;
	else if ((reg & CONFIG_REGISTER) == CONFIG_CLASS)
		*value = AHCI_CLASS >> shift & mask;
}

void ahci_config(struct ahci *a, uint16_t port, uint8_t bytes, bool out, uint32_t *value)
{
	uint32_t reg = (a->config & CONFIG_REGISTER) | (port & 3);

	if (port - CONFIG_ADDRESS < 4u) {
		if (out && port == CONFIG_ADDRESS && bytes == 4)
			a->config = *value;
		return;
	}
	if (!(a->config & CONFIG_ENABLED) || (reg & 3) + bytes > 4)
		return;
	if (!out)
		config_read(a, reg, bytes, value);
	else if (a->found && (a->config & CONFIG_FUNCTION) == a->function && reg == CONFIG_BASE &&
		 bytes == 4 && *value != UINT32_MAX)
		a->base = *value & ~(AHCI_BYTES - 1);
}

bool ahci_has(const struct ahci *a, gpa_t gpa)
{
	return a->base && gpa.a - a->base < AHCI_BYTES;
}

/* --- operations ------------------------------------------------------------------------------------------ */

static bool is_port(const struct ahci_op *op)
{
	return op->access.offset >= PORTS && op->access.offset < PORTS + AHCI_PORTS * PORT_BYTES;
}

static uint16_t register_of(const struct ahci_op *op)
{
	return (uint16_t)(op->access.offset % PORT_BYTES);
}

static bool is_reset(const struct ahci_op *op)
{
	return op->access.write && op->access.offset == GLOBAL_CONTROL;
}

static enum ahci_next ask(struct ahci_op *op, enum step step, struct ahci_access a)
{
	op->step = (uint8_t)step;
	op->ask = a;
	return AHCI_ASK;
}

static enum ahci_next pass(struct ahci_op *op, enum step step)
{
	return ask(op, step, op->access);
}

/* A register of the operation's port. */
static enum ahci_next ask_port(struct ahci_op *op, enum step step, enum port_register reg,
			       bool write, uint32_t value)
{
	return ask(op, step,
		   (struct ahci_access){(uint16_t)(PORTS + op->port * PORT_BYTES + reg), write,
					value});
}

static enum ahci_next agent(struct ahci_port *p, struct ahci_op *op, enum step step)
{
	op->step = (uint8_t)step;
	op->disk = p->drive.disk;
	return AHCI_AGENT;
}

/* --- what the guest reads --------------------------------------------------------------------------------- */

/* As far as a command is under way nothing that the device model says of its end is repeated. */
static uint32_t answer_value(struct ahci_port *p, const struct ahci_op *op)
{
	uint32_t value = op->seen;

	switch (register_of(op)) {
	case REG_INTERRUPT:
		if (ahci_is_busy(p) && !(value & INTERRUPT_FILE))
			value &= ~INTERRUPT_FIS;
		return value | (p->interrupt ? INTERRUPT_FILE : 0);
	case REG_FILE:
		if (ahci_is_busy(p) && !(value & ATA_ERR))
			value |= ATA_BSY;
		return p->failed ? (uint32_t)p->error.error << 8 | STATUS_FAILED : value;
	case REG_ISSUE:
		return (value & p->issued) | ((p->issued | p->failed) & ~p->queued) | p->held;
	case REG_ACTIVE:
		return value | ((p->issued | p->failed) & p->queued);
	default:
		return value;
	}
}

static enum ahci_next answer(struct ahci_port *p, struct ahci_op *op)
{
	if (!op->access.write) {
		ahci_receive(p);
		ahci_deliver(p);
		op->access.value = answer_value(p, op);
	}
	p->user = NULL;
	return AHCI_DONE;
}

/* Where the device model has been told to stop it sees nothing any more. */
static void close(struct ahci_port *p)
{
	if (!(p->command & COMMAND_START)) {
		dma_close(&p->list_window);
		p->listed = false;
	}
	if (!(p->command & COMMAND_RECEIVE)) {
		dma_close(&p->received_window);
		p->receiving = false;
	}
}

/* Nothing that the guest had with this port is under way any more. */
static void stop(struct ahci_port *p)
{
	p->held = p->failed = 0;
	p->interrupt = false;
	close(p);
}

/* The device model gives up what it has, if that is anything; then settle(). */
static enum ahci_next give_up(struct ahci *a, struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];

	if (!p->issued)
		return AHCI_SETTLE;
	return ask_port(op, STEP_RESET_ON, REG_CONTROL, true,
			(p->control & ~CONTROL_DETECT) | CONTROL_RESET);
}

static enum ahci_next given_up(struct ahci *a, struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];

	p->over = p->issued;
	p->aborting = true;
	op->ready = 0;
	return AHCI_SETTLE;
}

/* DONE: the next one. */
static enum ahci_next start(struct ahci_port *p, struct ahci_op *op, enum ahci_take taken)
{
	uint32_t bit = 1u << op->slot;
	int err = taken == TAKE_START ? ahci_start(p, op->slot) : 0;

	if (err == ERR_AGAIN)
		return agent(p, op, STEP_START);
	if (!err && taken != TAKE_HOLD)
		p->held &= ~bit;
	if (!err && (taken == TAKE_READY || taken == TAKE_START)) {
		p->issued |= bit;
		op->ready |= bit;
	}
	op->slot++;
	return AHCI_DONE;
}

/* A slot that waits becomes one that the device model gets. */
static enum ahci_next take(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	struct ahci_port *p = &a->port[op->port];
	enum ahci_take taken = ahci_take(p, op->slot, s);

	return taken == TAKE_RESET ? give_up(a, op) : start(p, op, taken);
}

/* Those that wait, from op->slot on. */
static enum ahci_next issue(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	struct ahci_port *p = &a->port[op->port];
	enum ahci_next next;
	uint32_t ready;

	while (p->listed && op->slot < AHCI_SLOTS) {
		if (!(p->held >> op->slot & 1)) {
			op->slot++;
			continue;
		}
		next = take(a, op, s);
		if (next != AHCI_DONE)
			return next;
	}
	ready = op->ready;
	op->ready = 0;
	return ready ? ask_port(op, STEP_ISSUED, REG_ISSUE, true, ready) : answer(p, op);
}

/* All that is over on this port is ended; then what waited can begin. */
static enum ahci_next settle(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	struct ahci_port *p = &a->port[op->port];

	while (p->over)
		if (ahci_finish(p, (unsigned int)__builtin_ctz(p->over)) == ERR_AGAIN)
			return agent(p, op, STEP_SETTLE);
	p->aborting = false;
	if (is_reset(op)) {
		stop(p);
		p->user = NULL;
		if (++op->port == AHCI_PORTS)
			return AHCI_DONE;
		a->port[op->port].command = a->port[op->port].control = 0;
		return given_up(a, op);
	}
	if (op->access.write && register_of(op) != REG_ISSUE)
		stop(p);
	op->slot = 0;
	return issue(a, op, s);
}

/* --- accesses ------------------------------------------------------------------------------------------------ */

/* The device model says which of the commands it has done, queued ones or others. */
static void note(struct ahci_port *p, uint32_t left, bool queued)
{
	p->over |= p->issued & ~left & (queued ? p->queued : ~p->queued);
}

static enum ahci_next look_active(struct ahci *a, struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];

	if (!(p->issued & p->queued))
		return AHCI_SETTLE;
	return ask_port(op, STEP_LOOKED_ACTIVE, REG_ACTIVE, false, 0);
}

static enum ahci_next has_read(struct ahci *a, struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];
	uint16_t reg = register_of(op);

	op->seen = op->ask.value;
	if (reg == REG_ISSUE || reg == REG_ACTIVE)
		note(p, op->seen, reg == REG_ACTIVE);
	else if (reg == REG_INTERRUPT ? op->seen : !(op->seen & (ATA_BSY | ATA_DRQ)))
		return ahci_is_busy(p) ? ask_port(op, STEP_LOOKED_ISSUE, REG_ISSUE, false, 0)
				       : look_active(a, op);
	return AHCI_SETTLE;
}

/* ST or FRE begins: the device model maps what is there. */
static int open(struct ahci_port *p, const struct dma_space *s, uint32_t value)
{
	uint8_t none[RECEIVED_BYTES] = {0};
	int err = 0;

	if ((value & COMMAND_START) && !p->listed) {
		err = dma_add(&p->list_window, s, GPA(p->list), LIST_BYTES);
		p->listed = !err;
	}
	if (!err && (value & COMMAND_RECEIVE) && !p->receiving) {
		err = dma_add(&p->received_window, s, GPA(p->received), RECEIVED_BYTES);
		p->receiving = !err;
		if (!err)
			dma_write_device(&p->received_window, 0, none, sizeof(none));
		__builtin_memset(p->received_fis, 0, sizeof(p->received_fis));
	}
	if (!p->listed)
		dma_close(&p->list_window);
	if (!p->receiving)
		dma_close(&p->received_window);
	return err;
}

static void write_address(uint64_t *address, bool high, uint32_t value, uint32_t align)
{
	if (high)
		*address = (uint32_t)*address | (uint64_t)value << 32;
	else
		*address = (*address >> 32) << 32 | (value & ~(align - 1));
}

static enum ahci_next write_port(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	struct ahci_port *p = &a->port[op->port];
	uint32_t value = op->access.value;
	uint16_t reg = register_of(op);

	switch (reg) {
	case REG_LIST:
	case REG_LIST_HIGH:
		write_address(&p->list, reg == REG_LIST_HIGH, value, LIST_BYTES);
		break;
	case REG_RECEIVED:
	case REG_RECEIVED_HIGH:
		write_address(&p->received, reg == REG_RECEIVED_HIGH, value, RECEIVED_BYTES);
		break;
	case REG_INTERRUPT:
		p->interrupt = p->interrupt && !(value & INTERRUPT_FILE);
		break;
	case REG_COMMAND:
		/* As with an address that is no memory, it does not begin. */
		if (open(p, s, value))
			return AHCI_DONE;
		p->user = op;
		return pass(op, STEP_COMMANDED);
	case REG_CONTROL:
		p->user = op;
		return pass(op, STEP_CONTROLLED);
	case REG_ISSUE:
		if (!p->listed)
			return AHCI_DONE;
		p->user = op;
		p->held |= value & ~(p->issued | p->failed);
		return issue(a, op, s);
	default:
		break;
	}
	return pass(op, STEP_PASSED);
}

static enum ahci_next commanded(struct ahci *a, struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];

	p->command = op->access.value;
	if (!(p->command & COMMAND_START))
		return give_up(a, op);
	close(p);
	return answer(p, op);
}

static enum ahci_next controlled(struct ahci *a, struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];
	uint32_t was = p->control;

	p->control = op->access.value;
	if ((was & CONTROL_DETECT) == CONTROL_RESET && !(p->control & CONTROL_DETECT))
		return given_up(a, op);
	return answer(p, op);
}

static enum ahci_next begin_global(struct ahci *a, struct ahci_op *op)
{
	if (!is_reset(op) || !(op->access.value & GLOBAL_RESET))
		return pass(op, STEP_PASSED);
	for (unsigned int i = 0; i < AHCI_PORTS; i++)
		if (a->port[i].user)
			return AHCI_WAIT;
	for (unsigned int i = 0; i < AHCI_PORTS; i++)
		a->port[i].user = op;
	return pass(op, STEP_RESET_ALL);
}

static enum ahci_next begin(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	struct ahci_port *p;
	uint16_t reg = register_of(op);

	op->slot = 0;
	op->ready = 0;
	if (!is_port(op))
		return begin_global(a, op);
	op->port = (uint8_t)((op->access.offset - PORTS) / PORT_BYTES);
	p = &a->port[op->port];
	if (p->user && p->user != op)
		return AHCI_WAIT;
	if (op->access.write)
		return write_port(a, op, s);
	if (reg != REG_INTERRUPT && reg != REG_FILE && reg != REG_ISSUE && reg != REG_ACTIVE)
		return pass(op, STEP_PASSED);
	p->user = op;
	return pass(op, STEP_READ);
}

static enum ahci_next passed(const struct ahci *a, struct ahci_op *op)
{
	op->access.value = op->ask.value;
	for (unsigned int i = 0; op->access.offset == GLOBAL_INTERRUPT && i < AHCI_PORTS; i++)
		op->access.value |= (uint32_t)a->port[i].interrupt << i;
	return AHCI_DONE;
}

/* The device was reset, which also forgets what was set. */
static enum ahci_next reset(struct ahci *a, struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];

	if (op->step == STEP_RESET_ON)
		return ask_port(op, STEP_RESET_OFF, REG_CONTROL, true,
				p->control & ~CONTROL_DETECT);
	return given_up(a, op);
}

static enum ahci_next resume(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	struct ahci_port *p = &a->port[op->port];
	enum ahci_next next;

	op->disk = NULL;
	switch ((enum step)op->step) {
	case STEP_PASSED:
		return passed(a, op);
	case STEP_READ:
		return has_read(a, op);
	case STEP_LOOKED_ISSUE:
		note(p, op->ask.value, false);
		return look_active(a, op);
	case STEP_LOOKED_ACTIVE:
		note(p, op->ask.value, true);
		return AHCI_SETTLE;
	case STEP_SETTLE:
		return AHCI_SETTLE;
	case STEP_START:
		next = start(p, op, TAKE_START);
		return next == AHCI_DONE ? issue(a, op, s) : next;
	case STEP_ISSUED:
		return answer(p, op);
	case STEP_COMMANDED:
		return commanded(a, op);
	case STEP_CONTROLLED:
		return controlled(a, op);
	case STEP_RESET_ON:
	case STEP_RESET_OFF:
		return reset(a, op);
	case STEP_RESET_ALL:
		op->port = 0;
		a->port[0].command = a->port[0].control = 0;
		return given_up(a, op);
	}
	return AHCI_DONE;
}

/* Ending may lead to a reset, or to the next port, and those to ending again: each at most once a slot or port. */
static enum ahci_next settled(struct ahci *a, struct ahci_op *op, const struct dma_space *s,
			      enum ahci_next next)
{
	while (next == AHCI_SETTLE)
		next = settle(a, op, s);
	return next;
}

enum ahci_next ahci_begin(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	return settled(a, op, s, begin(a, op, s));
}

enum ahci_next ahci_resume(struct ahci *a, struct ahci_op *op, const struct dma_space *s)
{
	return settled(a, op, s, resume(a, op, s));
}

void ahci_forget(struct ahci *a, const struct ahci_op *op)
{
	struct ahci_port *p = &a->port[op->port];

	for (unsigned int i = 0; i < AHCI_PORTS; i++)
		if (a->port[i].user == op)
			a->port[i].user = NULL;
	if (!op->disk)
		return;
	disk_give_up(op->disk);
	if (op->step == STEP_START) /* it is taken anew */
		ahci_release(p, op->slot);
}

void ahci_end(struct ahci *a)
{
	for (unsigned int i = 0; i < AHCI_PORTS; i++) {
		struct ahci_port *p = &a->port[i];

		for (unsigned int slot = 0; slot < AHCI_SLOTS; slot++)
			if (p->slot[slot].a)
				ahci_release(p, slot);
		dma_close(&p->list_window);
		dma_close(&p->received_window);
	}
}
