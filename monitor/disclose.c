/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/disclose.h"

#include "ept/phys.h"
#include "monitor/apic.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/lib.h"
#include "monitor/log.h"

#define CPUID_FEATURES 1
#define CPUID_XEN_FIRST 0x40000000u
#define CPUID_XEN_LAST 0x400fffffu
#define PDPTE_BYTES 32
#define TOLD_MAX 1000        /* an honest L1 needs one */
#define TOUCH_TRIES 3        /* a table that is an entry of itself needs two */
#define APIC_GPA 0xfee00000u /* a guest's APIC is never moved: APIC_BASE is L1's to refuse */
#define MSR_XEN_CALL_PAGE 0x40000000u
#define CALL_STUB 32
#define CALL_IRET 23
/* Exits at which the guest's memory may matter. */
#define REASONS                                                                                \
	((1u << EXIT_NESTED_FAULT) | (1u << EXIT_APIC) | (1u << EXIT_PORT) | (1u << EXIT_CR) | \
	 (1u << EXIT_HYPERCALL) | (1u << EXIT_CPUID) | (1u << EXIT_MSR_WRITE) | (1u << EXIT_TASK))

/* Where a page of linear addresses is, and the way there. */
struct place {
	bool found;
	gva_t page;
	uint32_t access;
	struct walk_path path;
	struct walk_result at; /* of the byte asked for */
};

/* What is known of the guest while one exit is dealt with. */
struct view {
	struct cpu *cpu;
	struct guest_vcpu *v;
	const struct guest_exit *x;
	struct walk_space space;
	enum decode_mode mode;
	struct place *last; /* that was looked up: operands are read, then shown */
};

static bool is_its(const struct guest_vcpu *v, owner_t owner)
{
	return owner_kind(owner) == OWNER_GUEST && owner_guest(owner) == guest_number(v->guest);
}

/* A part of one page; what is L1's anyway needs no window. */
static int show_page(const struct view *s, hpa_t hpa, size_t len, unsigned int direction,
		     const void *bytes)
{
	owner_t owner = owner_of(hpa);

	return is_its(s->v, owner) ? window_open(&s->v->windows, hpa, len, owner, direction, bytes)
				   : 0;
}

static int show_path(const struct view *s, const struct walk_path *path)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < path->count; i++)
		err = show_page(s, path->entry[i].hpa, path->size, WINDOW_OUT,
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
	if (err || !p->found || !is_its(s->v, owner_of(p->at.hpa)))
		return err;
	if (d->ranges == DISCLOSE_RANGES)
		return ERR_NOMEM;
	d->range[d->ranges++] = (struct disclosed){gva, p->at.hpa, (uint16_t)len};
	return show_page(s, p->at.hpa, len, direction, bytes);
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

static int show_operands(const struct view *s)
{
	struct emulated_range range[EMULATED_RANGES];
	const struct emulated *e = &s->v->disclosure->emulated;
	unsigned int n = emulated_ranges(e, e->times, range);
	int err = 0;

	for (unsigned int i = 0; !err && i < n; i++) {
		bool in = range[i].access & EMULATED_WRITE, out = range[i].access & EMULATED_READ;

		err = show(s, range[i].gva, range[i].bytes, in ? WALK_WRITE : 0,
			   (in ? WINDOW_IN : 0) | (out ? WINDOW_OUT : 0), NULL);
	}
	return err;
}

static int fetch(const struct view *s, gva_t rip, struct decode_insn *insn)
{
	uint8_t bytes[DECODE_MAX];
	size_t n = walk_fetch(&s->space, rip, bytes, sizeof(bytes));

	return decode(bytes, n, s->mode, insn);
}

/*
 * An instruction that another of the guest's CPUs changed after it came out, or with a count of 0, is
 * left to the guest's CPU. Others that drivers do not use on devices are refused.
 */
static int show_instruction(const struct view *s)
{
	const struct cpu *cpu = s->cpu;
	gva_t rip = GVA(hw_guest_segment(cpu, SEG_CS) + cpu->regs.rip);
	uint64_t base[SEG_COUNT];
	struct decode_insn insn;
	int err = fetch(s, rip, &insn);

	if (err)
		return ERR_NOSYS;
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		base[i] = hw_guest_segment(cpu, i);
	err = emulated_prepare(&insn, &cpu->regs, base, &s->v->disclosure->emulated);
	if (err)
		return err;
	if (s->x->reason == EXIT_PORT && insn.op != OP_INS && insn.op != OP_OUTS)
		return ERR_NOSYS;
	s->v->disclosure->met = false;
	err = show(s, rip, insn.len, WALK_EXEC, WINDOW_OUT, NULL);
	if (!err)
		err = show_operands(s);
	/* Not by an operand, but by a walk of the guest's tables, or by the delivery of an event. */
	if (!err && s->x->reason != EXIT_PORT && !s->v->disclosure->met)
		return ERR_NOSYS;
	return err;
}

/* An instruction on a control register, which the host may do as it likes; it has no other effect. */
static int show_fetch(const struct view *s)
{
	gva_t rip = GVA(hw_guest_segment(s->cpu, SEG_CS) + s->cpu->regs.rip);
	struct decode_insn insn;

	if (fetch(s, rip, &insn) || insn.has_mem)
		return ERR_NOSYS;
	return show(s, rip, insn.len, WALK_EXEC, WINDOW_OUT, NULL);
}

static enum disclose_result failed(const struct view *s, int err)
{
	if (err == ERR_BUSY)
		return DISCLOSE_AGAIN;
	log_provoked("guest %lu: nothing to show at rip %lx (%d)", s->v->guest->id,
		     s->cpu->regs.rip, err);
	guest_end(s->v->guest, err == ERR_NOMEM ? STOP_NO_MEMORY : STOP_INSTRUCTION);
	return DISCLOSE_OVER;
}

/*
 * The guest writes to its APIC's ICR, whose low half sends what it says to whom the high half says. False:
 * not by a store of 4 bytes.
 */
static bool note_icr(const struct view *s)
{
	const struct decode_insn *insn = &s->v->disclosure->emulated.insn;
	uint32_t value = (uint32_t)(insn->has_imm ? insn->imm : s->cpu->regs.r[insn->reg]);

	if (insn->op != OP_MOV || !insn->to_rm || insn->memsize != 4)
		return false;
	if (s->x->fault.a == APIC_GPA + APIC_ICR_HIGH)
		s->v->icr_target = (uint8_t)(value >> 24);
	else
		startup_note(&s->v->guest->protection.startup,
			     (uint64_t)s->v->icr_target << 32 | value);
	return true;
}

static bool is_icr(const struct view *s)
{
	return s->x->write && (s->x->fault.a == APIC_GPA + APIC_ICR_LOW ||
			       s->x->fault.a == APIC_GPA + APIC_ICR_HIGH);
}

static enum disclose_result shown(const struct view *s)
{
	s->v->disclosure->before = s->cpu->regs;
	s->v->disclosure->accept = ACCEPT_RESULT;
	return DISCLOSE_TELL;
}

static enum disclose_result emulation(const struct view *s)
{
	int err = show_instruction(s);

	if (err)
		return failed(s, err);
	if (is_icr(s) && !note_icr(s))
		return failed(s, ERR_NOSYS);
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
	d->before = s->cpu->regs;
	d->accept = ACCEPT_NONE;
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
	return err ? failed(s, err) : shown(s);
}

static enum disclose_result fault(const struct view *s)
{
	struct guest_table *t = &s->v->guest->protection.table;
	struct walk_result at;

	if (look(s, &at) == WALK_DONE)
		return DISCLOSE_AGAIN;
	if (at.stop == WALK_NESTED && (at.error_code & WALK_PRESENT))
		return s->x->write && guest_table_meets(t, s->x->fault, 1) ? read_only(s)
									   : repair(s);
	if (guest_table_meets(t, s->x->fault, 1))
		return emulation(s);
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

const uint8_t *guestcall_registers(bool wide)
{
	static const uint8_t numbers[2][GUESTCALL_ARGS] = {{RBX, RCX, RDX, RSI, RDI},
							   {RDI, RSI, RDX, R10, R8}};

	return numbers[wide];
}

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
	int err;

	if (!c->pass)
		return true;
	if (c->effect == GUESTCALL_VCPU_INFO)
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

	decide(s, c);
	if (by_monitor(s, c)) {
		s->cpu->regs.r[RAX] = c->answer;
		hw_guest_complete(s->cpu);
		return DISCLOSE_AGAIN;
	}
	for (unsigned int i = 0; !err && i < c->operands; i++)
		err = show_operand(s, c, &c->operand[i]);
	if (err || len <= 0)
		return failed(s, err ? err : ERR_BUSY);
	d->before = s->cpu->regs;
	d->insn_len = (unsigned int)len;
	for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
		s->cpu->regs.r[guestcall_registers(c->wide)[i]] = c->arg[i];
	__atomic_add_fetch(&s->v->guest->calls, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&d->accept, ACCEPT_CALL, __ATOMIC_RELEASE);
	return DISCLOSE_TELL;
}

/* --- others --------------------------------------------------------------------------------------- */

/* Xen is there for the firmware; a kernel in long mode is to take no notice of it. */
static bool hides_xen(const struct view *s)
{
	return s->v->guest->protection.layout.hvm && (s->space.efer & EFER_LMA);
}

static enum disclose_result cpuid(const struct view *s)
{
	uint32_t leaf = (uint32_t)s->cpu->regs.r[RAX];
	uint64_t *r = s->cpu->regs.r;

	if (leaf == CPUID_FEATURES) {
		s->v->disclosure->accept = hides_xen(s) ? ACCEPT_HIDDEN : ACCEPT_FEATURES;
		return DISCLOSE_TELL;
	}
	if (!hides_xen(s) || leaf < CPUID_XEN_FIRST || leaf > CPUID_XEN_LAST)
		return DISCLOSE_TELL;
	r[RAX] = r[RBX] = r[RCX] = r[RDX] = 0;
	hw_guest_complete(s->cpu);
	return DISCLOSE_AGAIN;
}

/* With PAE paging L1 loads four entries at CR3 for the guest. */
static enum disclose_result control_register(const struct view *s)
{
	struct walk_result at;
	int err = 0;

	if (s->x->emulate)
		err = show_fetch(s);
	else if ((s->space.cr4 & CR4_PAE) && !(s->space.efer & EFER_LMA) &&
		 !walk_gpa(&s->space, GPA(s->space.cr3 & 0xffffffe0u), 0, &at))
		err = show_page(s, at.hpa, PDPTE_BYTES, WINDOW_OUT, NULL);
	return err ? failed(s, err) : DISCLOSE_TELL;
}

/*
 * The page through which firmware and older kernels call Xen, as its public headers describe it; Xen
 * itself does not learn that the guest wants it.
 */
static void fill_call_page(uint8_t *page)
{
	memset(page, 0, PAGE_SIZE);
	for (unsigned int i = 0; i < PAGE_SIZE / CALL_STUB; i++, page += CALL_STUB) {
		page[0] = 0xb8; /* MOV i, EAX; the hypercall; RET */
		page[1] = (uint8_t)i;
		memcpy(&page[5], hw_hypercall_insn, sizeof(hw_hypercall_insn));
		page[5 + sizeof(hw_hypercall_insn)] = 0xc3;
		if (i == CALL_IRET)
			page[0] = 0x0f, page[1] = 0x0b; /* UD2 */
	}
}

static enum disclose_result msr_write(const struct view *s)
{
	const uint64_t *r = s->cpu->regs.r;
	struct walk_result at;

	if ((uint32_t)r[RCX] == MSR_X2APIC_ICR)
		startup_note(&s->v->guest->protection.startup, r[RDX] << 32 | (uint32_t)r[RAX]);
	if ((uint32_t)r[RCX] != MSR_XEN_CALL_PAGE)
		return DISCLOSE_TELL;
	if (!walk_gpa(&s->space, GPA((uint32_t)r[RAX] | r[RDX] << 32), 0, &at) &&
	    !page_offset(at.hpa.a) && is_its(s->v, owner_of(at.hpa)))
		fill_call_page(phys_at(at.hpa));
	hw_guest_complete(s->cpu);
	return DISCLOSE_AGAIN;
}

static enum disclose_result by_reason(const struct view *s)
{
	switch (s->x->reason) {
	case EXIT_NESTED_FAULT:
		return fault(s);
	case EXIT_APIC:
	case EXIT_PORT:
		return emulation(s);
	case EXIT_CR:
		return control_register(s);
	case EXIT_HYPERCALL:
		return call(s);
	case EXIT_CPUID:
		return cpuid(s);
	case EXIT_MSR_WRITE:
		return msr_write(s);
	case EXIT_TASK:
		guest_end(s->v->guest, STOP_TASK_SWITCH);
		return DISCLOSE_OVER;
	default:
		return DISCLOSE_TELL;
	}
}

enum disclose_result disclose(struct cpu *cpu, struct guest_vcpu *v, const struct guest_exit *x)
{
	struct place last;
	struct view s = {.cpu = cpu, .v = v, .x = x, .last = &last};
	enum disclose_result result;

	last.found = false;
	vcpu_info_exit(v, v->xen_id);
	v->disclosure->ranges = 0;
	if (!(1u << x->reason & REASONS) || (x->reason == EXIT_PORT && !x->string))
		return DISCLOSE_TELL;
	hw_guest_space(cpu, &s.space);
	guest_space(v->guest, &s.space);
	s.mode = hw_guest_mode(cpu);
	result = by_reason(&s);
	if (result == DISCLOSE_AGAIN || result == DISCLOSE_OVER)
		window_close(&v->windows);
	return result;
}
