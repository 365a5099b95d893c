/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/guestport.h"

#include "monitor/disks.h"
#include "monitor/dma.h"
#include "monitor/guest.h"
#include "monitor/guestmmio.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/privileged.h"

#define WAIT_PORT 0x3f6u   /* reading it changes nothing */
#define CONFIG_PORT 0xcf8u /* and the next 7: PCI configuration space */
#define AGENT_TRIES 1000   /* without an agent Xen lets the guest's processor go on at once */

bool guestport_lock(struct guest *g)
{
	struct lock *lock = &g->protection.disks.lock;

	lock_take_relaxed(lock);
	if (guest_live(g))
		return true;
	lock_drop(lock);
	return false;
}

bool guestport_has(const struct guest *g, uint16_t port, uint8_t bytes)
{
	const struct guest_disks *disks = &g->protection.disks;

	return g->protection.layout.hvm &&
	       (ide_has(&disks->ide, port, bytes) || guestboot_has(&disks->boot, port, bytes));
}

void guestport_end(struct guest *g)
{
	struct guest_disks *disks = &g->protection.disks;

	lock_take_relaxed(&disks->lock);
	ide_end(&disks->ide);
	ahci_end(&disks->ahci);
	lock_drop(&disks->lock);
	disks_end(g);
}

void guestport_forget(struct guest_vcpu *v)
{
	struct guest_disks *disks = &v->guest->protection.disks;
	struct guest_port *p = &v->disclosure->port;

	if (!p->active)
		return;
	/* Else nobody asks who was in the middle of what, and the disk may be another's. */
	if (guest_live(v->guest) && guestport_lock(v->guest)) {
		ide_forget(&disks->ide, &p->op);
		ahci_forget(&disks->ahci, &p->registers);
		lock_drop(&disks->lock);
	}
	dma_close(&p->element);
	p->active = p->asked = false;
}

static uint64_t mask_of(unsigned int bytes)
{
	return ((uint64_t)1 << 8 * bytes) - 1;
}

/* AGENT: its mailbox is full. */
bool guestport_tells(struct guest_port *p, enum ide_next next)
{
	p->asked = next != IDE_PASS || (p->string && !p->many);
	if (next == IDE_WAIT)
		p->op.ask = (struct ide_access){.port = WAIT_PORT, .bytes = 1};
	else if (next == IDE_AGENT)
		p->op.ask = (struct ide_access){.port = MAILBOX_PORT,
						.bytes = 4,
						.out = true,
						.value = disks_drive(p->op.disk)};
	return next != IDE_DONE;
}

/* Requests for the agent go to it; where it cannot be reached they have failed. */
static enum ide_next call_agent(struct ide *ide, struct guest_port *p, const struct dma_space *s,
				enum ide_next next)
{
	while (next == IDE_AGENT && disks_put(p->op.disk, s->space)) {
		p->op.disk->io_status = ERR_IO;
		next = ide_resume(ide, &p->op, s);
	}
	p->agent = next == IDE_AGENT;
	p->wait = next == IDE_WAIT;
	p->tries = 0;
	return next;
}

int guestport_agent(struct guest_port *p, const struct dma_space *s)
{
	int err = disks_take(p->op.disk, s->space);

	if (err == ERR_AGAIN && ++p->tries < AGENT_TRIES)
		return ERR_AGAIN;
	if (err)
		p->op.disk->io_status = ERR_IO;
	return 0;
}

static enum ide_next begin_access(struct guest_disks *disks, struct guest_port *p,
				  const struct dma_space *s)
{
	struct ide_op *op = &p->op;
	enum ide_next next = guestboot_begin(&disks->boot, &op->access, &p->boot_step, &op->ask);

	if (next != IDE_PASS)
		return next;
	if (ide_has(&disks->ide, op->access.port, op->access.bytes))
		return call_agent(&disks->ide, p, s, ide_begin(&disks->ide, op, s));
	op->ask = op->access; /* for ide_resume(): nothing of its */
	return IDE_PASS;
}

/* What came of what L1 was told. */
static enum ide_next resume(struct guest_disks *disks, struct guest_port *p,
			    const struct dma_space *s)
{
	struct ide_access *a = &p->op.access;
	enum ide_next next;

	if (p->agent && guestport_agent(p, s) == ERR_AGAIN)
		return IDE_AGENT;
	if (p->boot_step) {
		next = guestboot_resume(&disks->boot, &p->boot_step, &p->op.ask);
		return next == IDE_PASS ? begin_access(disks, p, s) : next;
	}
	next = call_agent(&disks->ide, p, s, ide_resume(&disks->ide, &p->op, s));
	if (next == IDE_DONE && a->port - CONFIG_PORT < 8u) {
		guestboot_answer(&disks->boot, a);
		ahci_config(&disks->ahci, a->port, a->bytes, a->out, &a->value);
	}
	return next;
}

static bool repeats(const struct decode_insn *insn)
{
	return insn->rep || insn->repne;
}

static uint64_t address_mask(const struct decode_insn *insn)
{
	return UINT64_MAX >> (64 - 8 * insn->addrsize);
}

/* --- registers of the guest, when all is done ----------------------------------------------------------- */

/* INS and OUTS: as often as L1, or the monitor, has moved an element. */
static void finish_string(struct cpu *cpu, struct disclosure *d, unsigned int times)
{
	const struct decode_insn *insn = &d->emulated.insn;
	uint64_t by = (uint64_t)times * insn->memsize;
	struct regs after = d->before, out;
	uint8_t index = insn->op == OP_INS ? RDI : RSI;
	bool last = true;

	if (repeats(insn)) {
		after.r[RCX] -= times;
		last = !(after.r[RCX] & address_mask(insn));
	}
	after.r[index] += d->emulated.down ? -by : by;
	if (last)
		after.rip += insn->len;
	if (insn->mode != DECODE_64)
		after.rip &= UINT32_MAX;
	d->emulated.times = (uint16_t)times;
	ASSERT(emulated_accept(&d->emulated, &d->before, &after, &out) == (int)times);
	cpu->regs = out;
	d->done = last;
}

static void finish_single(struct cpu *cpu, struct disclosure *d)
{
	const struct ide_access *a = &d->port.op.access;
	struct regs after = {.rip = d->exposure.len};

	after.r[RAX] = a->value;
	d->exposure.row = a->out ? EXPOSURE_PORT_OUT : EXPOSURE_PORT_IN;
	d->exposure.bytes = a->bytes;
	ASSERT(exposure_accept(&d->exposure, &d->before, &after, &cpu->regs) == 1);
	d->done = true;
}

static void finish(struct cpu *cpu, struct disclosure *d)
{
	struct guest_port *p = &d->port;
	struct ide_op *op = &p->op;

	p->active = p->asked = false;
	if (!p->string) {
		finish_single(cpu, d);
		return;
	}
	if (!p->many) {
		if (!op->access.out)
			dma_write_guest(&p->element, 0, &op->access.value, op->access.bytes);
		op->moved = op->access.bytes;
	}
	dma_close(&p->element);
	finish_string(cpu, d, op->moved / d->emulated.insn.memsize);
}

/* --- the exit -------------------------------------------------------------------------------------------- */

/* Where the operand is, whole: one element in one or two pages, or many in one page. */
static int place(const struct view *s, gva_t gva, uint32_t bytes, struct guest_port *p)
{
	const struct dma_space space = {&s->space};
	uint32_t access = s->x->write ? 0 : WALK_WRITE;
	int err = 0;

	for (uint32_t part, at = 0; !err && at < bytes; at += part) {
		part = (uint32_t)(PAGE_SIZE - page_offset(gva.a + at));
		part = part < bytes - at ? part : bytes - at;
		err = view_place(s, GVA(gva.a + at), access, &p->op.gpa);
		if (!err && p->op.bytes)
			return 0;
		if (!err)
			err = dma_add(&p->element, &space, p->op.gpa, part);
	}
	return err;
}

/* Not if another of the guest's CPUs has put something else there since it came out. */
static bool is_same(const struct emulated *e, const struct ide_access *a)
{
	return e->insn.op == (a->out ? OP_OUTS : OP_INS) && e->insn.memsize == a->bytes;
}

/*
 * INS and OUTS at an encrypted drive's data port. The operand's window is there for the device model's bytes,
 * never for the guest's. 0: op is ready to begin. A page that L1 has taken away (ERR_BUSY) is the guest's end if it
 * stays so: it tries again for ever.
 */
static int string(const struct view *s, struct guest_port *p, const struct guest_disks *disks)
{
	const struct emulated *e = &s->v->disclosure->emulated;
	struct ide_op *op = &p->op;
	uint32_t at_once;
	int err = view_emulated(s);

	if (!err && !is_same(e, &op->access))
		err = ERR_BUSY;
	if (err)
		return err;
	at_once = ide_string(&disks->ide, op->access.port, op->access.out,
			     (uint32_t)e->times * e->insn.memsize);
	p->string = true;
	p->many = at_once && !e->down && repeats(&e->insn);
	p->cr3 = s->space.cr3;
	op->bytes = p->many ? at_once : 0;
	err = place(s, e->operand[0].at, op->bytes ? op->bytes : e->insn.memsize, p);
	if (!err && op->access.out && !op->bytes)
		err = dma_read_guest(&p->element, 0, &op->access.value, op->access.bytes);
	if (!err && op->bytes)
		err = view_instruction(s, op->bytes / e->insn.memsize);
	if (err)
		dma_close(&p->element);
	return err == ERR_FAULT ? ERR_BUSY : err;
}

/* *err: nothing is moved, since the instruction cannot be shown. */
static enum guestport_result begin(const struct view *s, struct guest_disks *disks,
				   struct guest_port *p, int *err)
{
	const struct dma_space space = {&s->space};

	*err = 0;
	if (s->x->string && ide_is_plain_data(&disks->ide, p->op.access.port))
		return GUESTPORT_OTHER;
	if (s->x->string)
		*err = string(s, p, disks);
	if (*err)
		return GUESTPORT_AGAIN;
	p->active = true;
	if (guestport_tells(p, begin_access(disks, p, &space)))
		return GUESTPORT_TELL;
	return GUESTPORT_DONE;
}

enum guestport_result guestport_exit(const struct view *s)
{
	struct guest_disks *disks = &s->v->guest->protection.disks;
	struct disclosure *d = s->v->disclosure;
	struct guest_port *p = &d->port;
	enum guestport_result result;
	int len = hw_guest_insn_len(s->cpu), err;

	if (len <= 0) /* another of its CPUs has changed it */
		return GUESTPORT_AGAIN;
	*p = (struct guest_port){
		.op.access = {.port = s->x->port, .bytes = s->x->bytes, .out = s->x->write}};
	p->op.access.value = (uint32_t)(s->cpu->regs.r[RAX] & mask_of(s->x->bytes));
	d->exposure.len = (uint8_t)len;
	d->exposure.wide = s->mode == DECODE_64;
	d->before = s->cpu->regs;
	if (!guestport_lock(s->v->guest))
		return GUESTPORT_OVER;
	result = begin(s, disks, p, &err);
	lock_drop(&disks->lock);
	/* That may end the guest, which takes the lock. */
	if (err && view_failed(s, err) == DISCLOSE_OVER)
		return GUESTPORT_OVER;
	if (result != GUESTPORT_DONE)
		return result;
	finish(s->cpu, d);
	hw_guest_moved(s->cpu);
	return result;
}

/* --- what L1 is told, and what it answers ------------------------------------------------------------------ */

/*
 * Many elements at once: no more than are asked for, whatever RCX is, and of these what L1 has not moved yet. Xen moves
 * one at a time when it pleases.
 */
static void show_string(struct cpu *cpu, struct disclosure *d)
{
	const struct decode_insn *insn = &d->emulated.insn;
	const struct ide_op *op = &d->port.op;
	uint64_t mask = address_mask(insn);
	uint64_t *index;

	d->accept = ACCEPT_RESULT;
	d->exposure.row = EXPOSURE_EMULATED;
	exposure_show(&d->exposure, &d->before, &cpu->regs);
	index = &cpu->regs.r[insn->op == OP_INS ? RDI : RSI];
	*index = (*index & ~mask) | ((*index + op->moved) & mask);
	cpu->regs.r[RCX] = (cpu->regs.r[RCX] & ~mask) | (op->bytes - op->moved) / insn->memsize;
}

void guestport_show(struct cpu *cpu, struct disclosure *d)
{
	struct guest_port *p = &d->port;
	const struct ide_access *ask = &p->op.ask;

	d->cr3 = 0;
	if (p->memory && !p->asked) {
		guestmmio_show(cpu, d);
		return;
	}
	if (p->string && !p->asked) {
		d->cr3 = p->cr3;
		show_string(cpu, d);
		return;
	}
	d->accept = ACCEPT_ROW;
	d->exposure.row = ask->out ? EXPOSURE_PORT_OUT : EXPOSURE_PORT_IN;
	d->exposure.bytes = ask->bytes;
	exposure_show(&d->exposure, &d->before, &cpu->regs);
	if (ask->out)
		cpu->regs.r[RAX] = ask->value;
}

/* How many elements L1 has moved of those that it was shown last. Negative: its registers do not say. */
static int moved(const struct cpu *cpu, const struct disclosure *d)
{
	const struct decode_insn *insn = &d->emulated.insn;
	uint64_t all = (d->port.op.bytes - d->port.op.moved) / insn->memsize;
	uint64_t left = cpu->regs.r[RCX] & address_mask(insn);
	uint64_t next = d->before.rip + insn->len;

	if (insn->mode != DECODE_64)
		next &= UINT32_MAX;
	if (left > all || cpu->regs.rip != (left ? d->before.rip : next))
		return ERR_PERM;
	return (int)(all - left);
}

int guestport_answer(const struct cpu *cpu, struct disclosure *d)
{
	struct ide_access *ask = &d->port.op.ask;
	struct regs regs;
	int n = exposure_accept(&d->exposure, &d->before, &cpu->regs, &regs);

	if (n > 0 && !ask->out)
		ask->value = (uint32_t)(regs.r[RAX] & mask_of(ask->bytes));
	return n;
}

static int answer(const struct cpu *cpu, struct disclosure *d)
{
	struct guest_port *p = &d->port;
	int n;

	if (!p->string || p->asked)
		return guestport_answer(cpu, d);
	n = moved(cpu, d);
	p->op.moved += n > 0 ? (uint32_t)n * d->emulated.insn.memsize : 0;
	return n < 0 ? n : p->op.moved == p->op.bytes;
}

enum guestport_result guestport_enter(struct cpu *cpu, struct guest_vcpu *v)
{
	struct guest_disks *disks = &v->guest->protection.disks;
	struct disclosure *d = v->disclosure;
	struct walk_space space;
	const struct dma_space at = {&space};
	enum ide_next next;
	int n;

	if (d->port.memory)
		return guestmmio_enter(cpu, v);
	n = answer(cpu, d);
	if (n < 0)
		return GUESTPORT_OVER;
	if (!n)
		return GUESTPORT_TELL;
	cpu->regs = d->before;
	if (d->port.wait) { /* it begins again */
		dma_close(&d->port.element);
		d->port.active = false;
		return GUESTPORT_AGAIN;
	}
	hw_guest_space(cpu, &space);
	guest_space(v->guest, &space);
	if (!guestport_lock(v->guest))
		return GUESTPORT_OVER;
	next = resume(disks, &d->port, &at);
	lock_drop(&disks->lock);
	if (guestport_tells(&d->port, next))
		return GUESTPORT_TELL;
	finish(cpu, d);
	return GUESTPORT_DONE;
}
