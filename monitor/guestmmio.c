/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/guestmmio.h"

#include "monitor/arch.h"
#include "monitor/disks.h"
#include "monitor/dma.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/privileged.h"

/*
 * MOV, in the monitor's own words. Each has its place at the beginning of the page that the guest's is in, so that two of
 * its processors that are there at once do not have different ones in the same place.
 */
#define INSN_BYTES 2
static const struct insn {
	uint8_t at, bytes[INSN_BYTES];
} load = {0, {0x8b, 0x02}}, store = {INSN_BYTES, {0x89, 0x02}}; /* EAX from [EDX], and to it */

bool guestmmio_has(const struct guest *g, gpa_t gpa)
{
	return g->protection.layout.hvm && ahci_has(&g->protection.disks.ahci, gpa);
}

/* --- the guest's instruction ---------------------------------------------------------------------------- */

/* It is to be a load or a store of 4 bytes, at the address that it came out for. */
static int decode_access(const struct view *s, struct guest_port *p)
{
	const struct emulated *e = &s->v->disclosure->emulated;
	int err = view_emulated(s);

	if (err)
		return err;
	if (e->insn.op != OP_MOV || e->insn.memsize != 4 || s->mode == DECODE_16 ||
	    s->x->fault.a % 4 || e->insn.to_rm != s->x->write)
		return ERR_NOSYS;
	*p = (struct guest_port){.memory = true, .gva = e->operand[0].at};
	view_place(s, p->gva, s->x->write ? WALK_WRITE : 0, &p->gpa);
	if (p->gpa.a != s->x->fault.a)
		return ERR_NOSYS;
	p->code =
		s->cpu->regs.rip - page_offset(hw_guest_segment(s->cpu, SEG_CS) + s->cpu->regs.rip);
	p->base = s->mode == DECODE_64 ? 0 : hw_guest_segment(s->cpu, SEG_DS);
	p->registers.access = (struct ahci_access){
		.offset = (uint16_t)(p->gpa.a % AHCI_BYTES),
		.write = s->x->write,
		.value = (uint32_t)(e->insn.has_imm ? e->insn.imm : s->cpu->regs.r[e->insn.reg])};
	return 0;
}

/* Where L1 finds the instruction for what it is asked. */
static uint64_t insn_rip(const struct disclosure *d)
{
	uint64_t rip = d->port.code + (d->port.registers.ask.write ? store.at : load.at);

	return d->emulated.insn.mode == DECODE_64 ? rip : (uint32_t)rip;
}

static void finish(struct cpu *cpu, struct disclosure *d)
{
	const struct decode_insn *insn = &d->emulated.insn;
	struct regs after = d->before, out;

	d->port.active = d->port.asked = false;
	d->exposure.row = EXPOSURE_EMULATED;
	after.rip += insn->len;
	if (insn->mode != DECODE_64)
		after.rip &= UINT32_MAX;
	if (!insn->to_rm)
		after.r[insn->reg] = d->port.registers.access.value;
	ASSERT(emulated_accept(&d->emulated, &d->before, &after, &out) == 1);
	cpu->regs = out;
	d->done = true;
}

/* --- what L1 is told --------------------------------------------------------------------------------------- */

/* Requests for the agent go to it; where it cannot be reached they have failed. */
static enum ahci_next call_agent(struct ahci *a, struct guest_port *p, const struct dma_space *s,
				 enum ahci_next next)
{
	struct ahci_op *op = &p->registers;

	while (next == AHCI_AGENT && disks_put(op->disk, s->space)) {
		op->disk->io_status = ERR_IO;
		next = ahci_resume(a, op, s);
	}
	p->op.disk = op->disk;
	p->agent = next == AHCI_AGENT;
	p->wait = next == AHCI_WAIT;
	p->tries = 0;
	return next;
}

/* L1 finds the instruction, and the way to the register, and nothing else. */
static enum guestport_result tell(const struct view *s, struct guest_port *p, enum ahci_next next)
{
	const struct ahci_access *ask = &p->registers.ask;
	struct disclosure *d = s->v->disclosure;
	gva_t at = GVA(ALIGN_DOWN(p->gva.a, PAGE_SIZE) + ask->offset);
	int err = 0;

	if (next == AHCI_DONE)
		return GUESTPORT_DONE;
	p->active = true;
	if (next == AHCI_ASK)
		err = view_access(s, insn_rip(d), ask->write ? store.bytes : load.bytes, INSN_BYTES,
				  at, ask->write);
	if (err && err != ERR_BUSY)
		return view_failed(s, err) == DISCLOSE_OVER ? GUESTPORT_OVER : GUESTPORT_AGAIN;
	p->again = err;
	p->asked = err || next != AHCI_ASK;
	d->exposure.len = p->asked ? d->emulated.insn.len : INSN_BYTES;
	if (p->asked)
		guestport_tells(p, next == AHCI_AGENT ? IDE_AGENT : IDE_WAIT);
	return GUESTPORT_TELL;
}

enum guestport_result guestmmio_exit(const struct view *s)
{
	struct guest_disks *disks = &s->v->guest->protection.disks;
	struct disclosure *d = s->v->disclosure;
	const struct dma_space space = {&s->space};
	enum guestport_result result;
	enum ahci_next next;
	int err = decode_access(s, &d->port);

	if (err)
		return view_failed(s, err) == DISCLOSE_OVER ? GUESTPORT_OVER : GUESTPORT_AGAIN;
	d->exposure.wide = s->mode == DECODE_64;
	d->before = s->cpu->regs;
	d->port.cr3 = s->space.cr3;
	if (!guestport_lock(s->v->guest))
		return GUESTPORT_OVER;
	next = call_agent(&disks->ahci, &d->port, &space,
			  ahci_begin(&disks->ahci, &d->port.registers, &space));
	lock_drop(&disks->lock);
	result = tell(s, &d->port, next);
	if (result != GUESTPORT_DONE)
		return result;
	finish(s->cpu, d);
	hw_guest_moved(s->cpu);
	return result;
}

void guestmmio_show(struct cpu *cpu, struct disclosure *d)
{
	const struct guest_port *p = &d->port;
	const struct ahci_access *ask = &p->registers.ask;
	uint64_t at = ALIGN_DOWN(p->gva.a, PAGE_SIZE) + ask->offset - p->base;
	struct regs shown = {.rip = insn_rip(d),
			     .rflags = d->before.rflags & EXPOSURE_RFLAGS & ~(uint64_t)RFLAGS_TF};

	shown.r[RDX] = d->exposure.wide ? at : (uint32_t)at;
	shown.r[RAX] = ask->write ? ask->value : 0;
	d->exposure.row = EXPOSURE_EMULATED;
	d->accept = ACCEPT_RESULT;
	d->cr3 = p->cr3;
	cpu->regs = shown;
}

/* --- what it answers ----------------------------------------------------------------------------------------- */

/* As guestport_answer(). */
static int answer(const struct cpu *cpu, struct disclosure *d)
{
	struct ahci_access *ask = &d->port.registers.ask;
	uint64_t rip = insn_rip(d);

	if (d->port.asked)
		return guestport_answer(cpu, d);
	if (!ask->write)
		ask->value = (uint32_t)cpu->regs.r[RAX];
	return cpu->regs.rip == rip + INSN_BYTES ? 1 : cpu->regs.rip == rip ? 0 : ERR_PERM;
}

static enum ahci_next resume(struct ahci *a, struct guest_port *p, const struct dma_space *s)
{
	if (p->again)
		return AHCI_ASK;
	if (p->agent && guestport_agent(p, s) == ERR_AGAIN)
		return AHCI_AGENT;
	return call_agent(a, p, s,
			  p->wait ? ahci_begin(a, &p->registers, s)
				  : ahci_resume(a, &p->registers, s));
}

enum guestport_result guestmmio_enter(struct cpu *cpu, struct guest_vcpu *v)
{
	struct guest_disks *disks = &v->guest->protection.disks;
	struct disclosure *d = v->disclosure;
	const struct guest_exit x = {.reason = EXIT_NESTED_FAULT, .fault = d->port.gpa};
	struct place last = {.found = false};
	struct view s = {.cpu = cpu, .v = v, .x = &x, .last = &last};
	const struct dma_space space = {&s.space};
	enum guestport_result result;
	enum ahci_next next;
	int n = answer(cpu, d);

	if (n < 0)
		return GUESTPORT_OVER;
	cpu->regs = d->before;
	if (!n)
		return GUESTPORT_TELL;
	hw_guest_space(cpu, &s.space);
	guest_space(v->guest, &s.space);
	s.mode = hw_guest_mode(cpu);
	window_close(&v->windows);
	d->ranges = 0;
	if (!guestport_lock(v->guest))
		return GUESTPORT_OVER;
	next = resume(&disks->ahci, &d->port, &space);
	lock_drop(&disks->lock);
	result = tell(&s, &d->port, next);
	if (result == GUESTPORT_DONE)
		finish(cpu, d);
	return result;
}
