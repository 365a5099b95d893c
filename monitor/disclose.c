/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/disclose.h"

#include "ept/phys.h"
#include "monitor/apic.h"
#include "monitor/channel.h"
#include "monitor/guest.h"
#include "monitor/guestchannel.h"
#include "monitor/guestmmio.h"
#include "monitor/gueststore.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/privileged.h"

#define TOLD_MAX 1000        /* an honest L1 needs one */
#define TOUCH_TRIES 3        /* a table that is an entry of itself needs two */
#define APIC_GPA 0xfee00000u /* a guest's APIC is never moved: APIC_BASE is L1's to refuse */
/* Exits at which the guest's memory may matter. */
#define REASONS                                                                                \
	((1u << EXIT_NESTED_FAULT) | (1u << EXIT_APIC) | (1u << EXIT_PORT) | (1u << EXIT_CR) | \
	 (1u << EXIT_HYPERCALL) | (1u << EXIT_CPUID) | (1u << EXIT_MSR_READ) |                 \
	 (1u << EXIT_MSR_WRITE) | (1u << EXIT_TASK))

bool view_has(const struct guest_vcpu *v, owner_t owner)
{
	return owner_kind(owner) == OWNER_GUEST && owner_guest(owner) == guest_number(v->guest);
}

/* A part of one page; what is L1's anyway needs no window. */
int view_show(const struct view *s, hpa_t hpa, size_t len, unsigned int direction,
	      const void *bytes)
{
	owner_t owner = owner_of(hpa);

	return view_has(s->v, owner)
		       ? window_open(&s->v->windows, hpa, len, owner, direction, bytes)
		       : 0;
}

static int show_path(const struct view *s, const struct walk_path *path)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < path->count; i++)
		err = view_show(s, path->entry[i].hpa, path->size, WINDOW_OUT,
				&path->entry[i].value);
	return err;
}

/* By the guest's tables alone: L1 may have made the page read-only. */
static bool look_up(const struct view *s, gva_t gva, uint32_t access, struct place *p)
{
	struct walk_space space = s->space;
	int err;

	space.path = &p->path;
	for (unsigned int i = 0; i < TOUCH_TRIES; i++) {
		err = walk_gva(&space, gva, access, &p->at);
		if (err && (p->at.stop != WALK_NESTED || p->at.in_table))
			return false;
		if (!walk_touch(&space, access & WALK_WRITE))
			break;
	}
	return !err || !walk_gpa(&space, p->at.gpa, 0, &p->at);
}

/* Where gva is. What was found in this exit is where it was: window_open() fails if CPUs were served since. */
static const struct place *find(const struct view *s, gva_t gva, uint32_t access)
{
	struct place *p = s->last;
	uint64_t offset = page_offset(gva.a);

	if (p->found && p->page.a == gva.a - offset && p->access == access) {
		p->at.gpa.a = ALIGN_DOWN(p->at.gpa.a, PAGE_SIZE) + offset;
		p->at.hpa.a = ALIGN_DOWN(p->at.hpa.a, PAGE_SIZE) + offset;
		return p;
	}
	p->path.count = 0;
	p->page = GVA(gva.a - offset);
	p->access = access;
	p->found = look_up(s, gva, access, p);
	return p;
}

/*
 * [gva, gva + len), within one page, and the way there. What does not translate is not shown: L1 finds
 * the same, or a device.
 */
static int show_part(const struct view *s, gva_t gva, size_t len, uint32_t access,
		     unsigned int direction, const void *bytes)
{
	struct disclosure *d = s->v->disclosure;
	const struct place *p = find(s, gva, access);
	int err = show_path(s, &p->path);

	if ((p->found || p->at.stop == WALK_NESTED) &&
	    p->at.gpa.a >> PAGE_SHIFT == s->x->fault.a >> PAGE_SHIFT)
		d->met = true;
	if (!err && guestchannel_has(s, p))
		return ERR_NOSYS;
	if (err || !p->found || !view_has(s->v, owner_of(p->at.hpa)))
		return err;
	if (d->ranges == DISCLOSE_RANGES)
		return ERR_NOMEM;
	d->range[d->ranges++] = (struct disclosed){gva, p->at.hpa, (uint16_t)len};
	return view_show(s, p->at.hpa, len, direction, bytes);
}

/* How much of [gva, gva + len) is in its first page. */
static size_t in_first_page(gva_t gva, size_t len)
{
	size_t left = PAGE_SIZE - page_offset(gva.a);

	return len < left ? len : left;
}

/* The same across pages. */
static int show(const struct view *s, gva_t gva, size_t len, uint32_t access,
		unsigned int direction, const uint8_t *bytes)
{
	int err = 0;

	for (size_t part, done = 0; !err && done < len; done += part) {
		part = in_first_page(GVA(gva.a + done), len - done);
		err = show_part(s, GVA(gva.a + done), part, access, direction,
				bytes ? bytes + done : NULL);
	}
	return err;
}

/* --- instructions that L1 emulates -------------------------------------------------------------- */

/* hidden: L1 sees nothing of them. */
static int show_operands(const struct view *s, bool hidden)
{
	struct emulated_range range[EMULATED_RANGES];
	const struct emulated *e = &s->v->disclosure->emulated;
	unsigned int n = emulated_ranges(e, e->times, range);
	int err = 0;

	for (unsigned int i = 0; !err && i < n; i++) {
		bool out = !hidden && (range[i].access & EMULATED_READ);
		bool in = hidden || (range[i].access & EMULATED_WRITE);

		err = show(s, range[i].gva, range[i].bytes,
			   range[i].access & EMULATED_WRITE ? WALK_WRITE : 0,
			   (in ? WINDOW_IN : 0) | (out ? WINDOW_OUT : 0), NULL);
	}
	return err;
}

int view_fetch(const struct view *s, gva_t rip, struct decode_insn *insn)
{
	uint8_t bytes[DECODE_MAX];
	size_t n = walk_fetch(&s->space, rip, bytes, sizeof(bytes));

	return decode(bytes, n, s->mode, insn);
}

int view_emulated(const struct view *s)
{
	const struct cpu *cpu = s->cpu;
	uint64_t base[SEG_COUNT];
	struct decode_insn insn;

	if (view_fetch(s, GVA(hw_guest_segment(cpu, SEG_CS) + cpu->regs.rip), &insn))
		return ERR_NOSYS;
	if (s->x->reason == EXIT_PORT && insn.op != OP_INS && insn.op != OP_OUTS)
		return ERR_NOSYS;
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		base[i] = hw_guest_segment(cpu, i);
	return emulated_prepare(&insn, &cpu->regs, base, &s->v->disclosure->emulated);
}

static int show_prepared(const struct view *s, bool hidden)
{
	gva_t rip = GVA(hw_guest_segment(s->cpu, SEG_CS) + s->cpu->regs.rip);
	int err = show(s, rip, s->v->disclosure->emulated.insn.len, WALK_EXEC, WINDOW_OUT, NULL);

	return err ? err : show_operands(s, hidden);
}

int view_instruction(const struct view *s, unsigned int times)
{
	s->v->disclosure->emulated.times = (uint16_t)times;
	return show_prepared(s, true);
}

int view_access(const struct view *s, uint64_t rip, const uint8_t *insn, size_t n, gva_t gva,
		bool write)
{
	gva_t at = GVA(hw_guest_segment(s->cpu, SEG_CS) + rip);
	int err = show(s, at, n, WALK_EXEC, WINDOW_OUT, insn);

	return err ? err : show(s, gva, sizeof(uint32_t), write ? WALK_WRITE : 0, 0, NULL);
}

int view_place(const struct view *s, gva_t gva, uint32_t access, gpa_t *gpa)
{
	const struct place *p = find(s, gva, access);

	*gpa = p->at.gpa;
	return p->found ? 0 : ERR_FAULT;
}

/*
 * An instruction that another of the guest's CPUs changed after it came out, or with a count of 0, is
 * left to the guest's CPU. Others that drivers do not use on devices are refused.
 */
static int show_instruction(const struct view *s)
{
	int err = view_emulated(s);

	if (err)
		return err;
	s->v->disclosure->met = false;
	err = show_prepared(s, false);
	/* Not by an operand, but by a walk of the guest's tables, or by the delivery of an event. */
	if (!err && s->x->reason != EXIT_PORT && !s->v->disclosure->met)
		return ERR_NOSYS;
	return err;
}

enum disclose_result view_failed(const struct view *s, int err)
{
	if (err == ERR_BUSY)
		return DISCLOSE_AGAIN;
	log_provoked("guest %lu: an exit that cannot be shown (%d)", s->v->guest->id, err);
	guest_end(s->v->guest, err == ERR_NOMEM ? STOP_NO_MEMORY : STOP_INSTRUCTION);
	return DISCLOSE_OVER;
}

static bool is_lvt(uint64_t offset)
{
	return offset >= APIC_LVT_FIRST && offset <= APIC_LVT_LAST;
}

/*
 * The guest writes to its APIC's ICR, whose low half sends what it says to whom the high half says, or to an
 * entry of its LVT. False: not by a store of 4 bytes.
 */
static bool note_apic(const struct view *s)
{
	const struct decode_insn *insn = &s->v->disclosure->emulated.insn;
	uint32_t value = (uint32_t)(insn->has_imm ? insn->imm : s->cpu->regs.r[insn->reg]);
	struct startup *startup = &s->v->guest->protection.startup;
	uint64_t offset = s->x->fault.a - APIC_GPA;

	if (insn->op != OP_MOV || !insn->to_rm || insn->memsize != 4)
		return false;
	if (is_lvt(offset))
		startup_lvt(s->v, (unsigned int)(offset >> 4), value);
	else if (offset == APIC_ICR_HIGH)
		s->v->icr_target = (uint8_t)(value >> 24);
	else
		startup_note(startup, s->v->apic_id, (uint64_t)s->v->icr_target << 32 | value);
	return true;
}

static bool is_noted(const struct view *s)
{
	uint64_t offset = s->x->fault.a - APIC_GPA;

	return s->x->write && (offset == APIC_ICR_LOW || offset == APIC_ICR_HIGH || is_lvt(offset));
}

/* The guest reads its APIC id: accept.c looks at what it gets. False: not by a load of 4 bytes. */
static bool note_id(const struct view *s)
{
	struct disclosure *d = s->v->disclosure;
	const struct decode_insn *insn = &d->emulated.insn;

	d->reads_id = true;
	return insn->op == OP_MOV && !insn->to_rm && insn->memsize == 4 &&
	       s->x->fault.a - APIC_GPA == APIC_ID;
}

static bool reads_id(const struct view *s)
{
	return !s->x->write && (s->x->fault.a - APIC_GPA) / 4 == APIC_ID / 4;
}

static enum disclose_result shown(const struct view *s)
{
	s->v->disclosure->accept = ACCEPT_RESULT;
	s->v->disclosure->cr3 = s->space.cr3;
	return DISCLOSE_TELL;
}

static enum disclose_result emulation(const struct view *s)
{
	int err = show_instruction(s);

	if (err)
		return view_failed(s, err);
	if ((is_noted(s) && !note_apic(s)) || (reads_id(s) && !note_id(s)))
		return view_failed(s, ERR_NOSYS);
	return shown(s);
}

/* --- faults --------------------------------------------------------------------------------------- */

/* L1 learns where and how, and repairs its table; the guest repeats what it did (R12), not for ever. */
static enum disclose_result repair(const struct view *s)
{
	struct disclosure *d = s->v->disclosure;

	if (d->told.gpa.a != s->x->fault.a || d->told.rip != s->cpu->regs.rip) {
		d->told.gpa = s->x->fault;
		d->told.rip = s->cpu->regs.rip;
		d->told.times = 0;
	}
	if (++d->told.times > TOLD_MAX &&
	    !guest_table_meets(&s->v->guest->protection.table, s->x->fault, 1)) {
		log_provoked("guest %lu: L1 does not let it use gpa %lx", s->v->guest->id,
			     s->x->fault.a);
		guest_end(s->v->guest, STOP_NO_PAGE);
		return DISCLOSE_OVER;
	}
	return DISCLOSE_BARE;
}

/* What L1's table says by now, with the marks that it puts into it. */
static enum walk_stop look(const struct view *s, struct walk_result *at)
{
	uint32_t access = s->x->write ? WALK_WRITE : s->x->exec ? WALK_EXEC : 0;
	struct walk_space space = s->space;

	space.private = false;
	walk_gpa(&space, s->x->fault, access, at);
	return at->stop;
}

/* A write to a page of L1's that is there: L1 changes its table, or drops what is written to a ROM. */
static enum disclose_result read_only(const struct view *s)
{
	int err = show_instruction(s);

	if (err == ERR_NOSYS) {
		window_close(&s->v->windows);
		return repair(s);
	}
	return err ? view_failed(s, err) : shown(s);
}

/* What came of an access to a disk's controller. */
static enum disclose_result disk(const struct view *s, enum guestport_result result)
{
	switch (result) {
	case GUESTPORT_TELL:
		return DISCLOSE_TELL;
	case GUESTPORT_OVER:
		return DISCLOSE_OVER;
	case GUESTPORT_OTHER:
		return emulation(s);
	case GUESTPORT_DONE:
	case GUESTPORT_AGAIN:
		break;
	}
	return DISCLOSE_AGAIN;
}

static enum disclose_result fault(const struct view *s)
{
	struct guest_table *t = &s->v->guest->protection.table;
	struct walk_result at;
	bool mapped;

	if (channel_at(s->v->guest, s->x->fault, &mapped))
		return guestchannel_fault(s, mapped);
	if (look(s, &at) == WALK_DONE)
		return DISCLOSE_AGAIN;
	if (at.stop == WALK_NESTED && (at.error_code & WALK_PRESENT))
		return s->x->write && guest_table_meets(t, s->x->fault, 1) ? read_only(s)
									   : repair(s);
	if (guest_table_meets(t, s->x->fault, 1))
		return guestmmio_has(s->v->guest, s->x->fault) ? disk(s, guestmmio_exit(s))
							       : emulation(s);
	/* Nothing is emulated there: L1 is changing its table, or has taken the page away for good. */
	lock_take_relaxed(&t->lock);
	lock_drop(&t->lock);
	if (look(s, &at) == WALK_DONE)
		return DISCLOSE_AGAIN;
	log_provoked("guest %lu: nothing at gpa %lx", s->v->guest->id, s->x->fault.a);
	guest_end(s->v->guest, STOP_NO_PAGE);
	return DISCLOSE_OVER;
}

/* --- hypercalls ----------------------------------------------------------------------------------- */

static int read_guest(void *context, gva_t gva, void *buf, size_t n)
{
	const struct view *s = context;
	const struct place *p;
	const void *src;

	for (size_t part, done = 0; done < n; done += part) {
		part = in_first_page(GVA(gva.a + done), n - done);
		p = find(s, GVA(gva.a + done), 0);
		src = p->found ? phys_seen(p->at.hpa, part, s->space.guest) : NULL;
		if (!src)
			return ERR_FAULT;
		memcpy((uint8_t *)buf + done, src, part);
		__asm__ volatile("" ::: "memory"); /* once */
	}
	return 0;
}

static void decide(const struct view *s, struct guestcall *c)
{
	struct guestcall_request r = {
		.number = s->cpu->regs.r[RAX],
		.wide = s->mode == DECODE_64,
		.grants = !s->v->guest->protection.layout.hvm,
		.store = s->v->guest->protection.disks.boot.store,
		.cpl = s->space.cpl,
		.read = read_guest,
		.context = (void *)s,
	};
	const uint8_t *args = guestcall_registers(r.wide);

	for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
		r.arg[i] = s->cpu->regs.r[args[i]];
	guestcall_decide(&r, c);
}

/* L1 reads what was judged. */
static int show_operand(const struct view *s, const struct guestcall *c,
			const struct guestcall_operand *o)
{
	return show(s, o->gva, o->bytes, o->taken ? WALK_WRITE : 0,
		    (o->taken ? WINDOW_IN : 0) | (o->shown ? WINDOW_OUT : 0),
		    o->shown ? c->data + o->data : NULL);
}

/* Whether the guest would have a page of its own where L1 may put one of its. */
static bool leaves_private(const struct guest_table *t, const struct guestcall *c)
{
	if (c->effect == GUESTCALL_MOVE)
		return guest_table_meets(t, GPA(c->to << PAGE_SHIFT),
					 (uint64_t)c->count << PAGE_SHIFT);
	for (unsigned int i = 0; c->effect == GUESTCALL_POPULATE && i < c->count; i++)
		if (guest_table_meets(t, GPA(guestcall_gfn(c, i) << PAGE_SHIFT), PAGE_SIZE))
			return true;
	return false;
}

/* Whether the guest is answered without Xen. */
static bool by_monitor(const struct view *s, struct guestcall *c)
{
	struct protection *p = &s->v->guest->protection;
	int err = 0;

	if (!c->pass)
		return true;
	if (c->effect == GUESTCALL_STORE_PLACE) {
		gueststore_clear(&s->space);
		p->disks.boot.store = GUESTCALL_STORE_TOLD;
		return false;
	}
	if (c->effect == GUESTCALL_STORE)
		gueststore_serve(&s->space);
	else if (c->effect == GUESTCALL_VCPU_INFO)
		err = vcpu_info_register(&p->infos, c->vcpu,
					 GPA((c->to << PAGE_SHIFT) | c->offset));
	else if (leaves_private(&p->table, c))
		err = ERR_PERM;
	else
		return false;
	c->answer = guestcall_error(c, err);
	return true;
}

static enum disclose_result call(const struct view *s)
{
	struct disclosure *d = s->v->disclosure;
	struct guestcall *c = &d->call;
	int len = hw_guest_insn_len(s->cpu);
	int err = 0;

	if ((uint32_t)s->cpu->regs.r[RAX] == CHANNEL_MAGIC && len > 0)
		return guestchannel_call(s);
	decide(s, c);
	if (by_monitor(s, c)) {
		s->cpu->regs.r[RAX] = c->answer;
		hw_guest_complete(s->cpu);
		return DISCLOSE_AGAIN;
	}
	for (unsigned int i = 0; !err && i < c->operands; i++)
		err = show_operand(s, c, &c->operand[i]);
	if (err || len <= 0)
		return view_failed(s, err ? err : ERR_BUSY);
	d->cr3 = s->space.cr3;
	d->exposure.len = (uint8_t)len;
	__atomic_add_fetch(&s->v->guest->calls, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&d->accept, ACCEPT_CALL, __ATOMIC_RELEASE);
	return DISCLOSE_TELL;
}

static enum disclose_result by_reason(const struct view *s)
{
	switch (s->x->reason) {
	case EXIT_NESTED_FAULT:
		return fault(s);
	case EXIT_APIC:
		return emulation(s);
	case EXIT_PORT:
		return s->tracked ? disk(s, guestport_exit(s)) : emulation(s);
	case EXIT_CR:
		return privileged_control(s);
	case EXIT_HYPERCALL:
		return call(s);
	case EXIT_CPUID:
		return privileged_cpuid(s);
	case EXIT_MSR_READ:
		return privileged_msr_read(s);
	case EXIT_MSR_WRITE:
		return privileged_msr_write(s);
	case EXIT_TASK:
		guest_end(s->v->guest, STOP_TASK_SWITCH);
		return DISCLOSE_OVER;
	default:
		return DISCLOSE_TELL;
	}
}

/* What L1 sees of the registers. */
static enum disclose_result expose(const struct view *s, enum disclose_result result)
{
	struct disclosure *d = s->v->disclosure;
	struct exposure *e = &d->exposure;
	struct regs *regs = &s->cpu->regs;
	int len;

	if (d->port.active) {
		d->interrupted = s->x->interrupted;
		guestport_show(s->cpu, d);
		return result;
	}
	e->row = (uint8_t)(d->accept == ACCEPT_RESULT ? EXPOSURE_EMULATED
						      : exposure_row(s->x->reason, s->x->write));
	e->bytes = s->x->bytes;
	e->vector = s->x->vector;
	e->wide = s->mode == DECODE_64;
	if (e->row == EXPOSURE_EMULATED)
		e->len = d->emulated.insn.len;
	if (!exposure_told(e->row)) {
		guest_end(s->v->guest, STOP_UNKNOWN_EXIT);
		return DISCLOSE_OVER;
	}
	if (exposure_moves(e->row)) {
		len = hw_guest_insn_len(s->cpu);
		if (len <= 0) /* another of its CPUs has changed it */
			return DISCLOSE_AGAIN;
		e->len = (uint8_t)len;
	}
	d->before = *regs;
	d->interrupted = s->x->interrupted;
	exposure_show(e, &d->before, regs);
	if (e->row == EXPOSURE_CR)
		regs->r[e->operand] = d->control.value;
	if (d->accept == ACCEPT_OWN)
		d->accept = ACCEPT_ROW;
	if (d->accept != ACCEPT_CALL)
		return result;
	regs->r[RAX] = d->before.r[RAX];
	for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
		regs->r[guestcall_registers(d->call.wide)[i]] = d->call.arg[i];
	return result;
}

enum disclose_result disclose(struct cpu *cpu, struct guest_vcpu *v, const struct guest_exit *x)
{
	struct place last;
	struct view s = {.cpu = cpu, .v = v, .x = x, .last = &last};
	enum disclose_result result = DISCLOSE_TELL;

	last.found = false;
	clock_leave(&v->clock);
	vcpu_info_exit(v, v->xen_id);
	v->disclosure->ranges = 0;
	v->disclosure->cr3 = 0;
	v->disclosure->reads_id = false;
	v->disclosure->exposure = (struct exposure){0};
	s.mode = hw_guest_mode(cpu);
	s.tracked = x->reason == EXIT_PORT && guestport_has(v->guest, x->port, x->bytes);
	if (((uint64_t)1 << x->reason & REASONS) &&
	    (x->reason != EXIT_PORT || x->string || s.tracked)) {
		hw_guest_space(cpu, &s.space);
		guest_space(v->guest, &s.space);
		result = by_reason(&s);
	}
	if (result == DISCLOSE_TELL || result == DISCLOSE_BARE)
		result = expose(&s, result);
	if (result == DISCLOSE_AGAIN || result == DISCLOSE_OVER)
		window_close(&v->windows);
	return result;
}
