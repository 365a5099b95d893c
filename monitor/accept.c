/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest takes back from L1 when it is entered again: disclose.h. */
#include "monitor/disclose.h"

#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/guest.h"
#include "monitor/hw.h"
#include "monitor/lib.h"

#define CPUID_FEATURES 1
#define CPUID_TOPOLOGY 0xb
#define CPUID_TOPOLOGY2 0x1f
#define CPUID_TOPOLOGY_AMD 0x8000001e
#define CPUID_HYPERVISOR (1u << 31) /* leaf 1, ECX */
#define APIC_ID_SHIFT 24 /* and EBX, and in the APIC's register; Xen numbers them by twos */
#define E820_RESERVED 2
#define MAP_MAX (128 * 20) /* bytes of E820 entries that a call takes */
#define TAKEN_MAX 1024     /* of a call's structure */

/* Where the guest's memory at gva was found, with the bytes that were disclosed from there on. */
static const struct disclosed *find(const struct disclosure *d, gva_t gva, uint16_t *bytes)
{
	for (unsigned int i = 0; i < d->ranges; i++) {
		uint64_t offset = gva.a - d->range[i].gva.a;

		if (offset < d->range[i].bytes) {
			*bytes = (uint16_t)(d->range[i].bytes - offset);
			return &d->range[i];
		}
	}
	return NULL;
}

/* Of [gva, gva + len) the part that begins at done, and where it is; false where no window was. */
static bool part_at(const struct disclosure *d, gva_t gva, size_t len, size_t done, hpa_t *hpa,
		    uint16_t *part)
{
	const struct disclosed *at = find(d, GVA(gva.a + done), part);

	if (!at)
		return false;
	if (*part > len - done)
		*part = (uint16_t)(len - done);
	*hpa = HPA(at->hpa.a + (gva.a + done - at->gva.a));
	return true;
}

/*
 * The guest's memory at [gva, gva + len) gets bytes, or (NULL) what L1 wrote. What had no window is
 * L1's memory, and has it already.
 */
static void put(const struct guest_vcpu *v, gva_t gva, size_t len, const uint8_t *bytes)
{
	uint16_t part;
	hpa_t hpa;

	for (size_t done = 0; done < len; done += part) {
		if (!part_at(v->disclosure, gva, len, done, &hpa, &part))
			break;
		window_write(&v->windows, hpa, part, bytes ? bytes + done : NULL);
	}
}

static void get(const struct guest_vcpu *v, gva_t gva, size_t len, uint8_t *buf)
{
	uint16_t part;
	hpa_t hpa;

	for (size_t done = 0; done < len; done += part) {
		if (!part_at(v->disclosure, gva, len, done, &hpa, &part))
			break;
		window_read(&v->windows, hpa, part, buf + done);
	}
}

static enum stop_reason result(struct cpu *cpu, struct guest_vcpu *v)
{
	struct emulated_range range[EMULATED_RANGES];
	const struct disclosure *d = v->disclosure;
	struct regs regs;
	int times = emulated_accept(&d->emulated, &d->before, &cpu->regs, &regs);
	unsigned int n;

	if (times < 0)
		return STOP_REGISTERS;
	n = emulated_ranges(&d->emulated, (unsigned int)times, range);
	for (unsigned int i = 0; i < n; i++)
		if (range[i].access & EMULATED_WRITE)
			put(v, range[i].gva, range[i].bytes, NULL);
	v->disclosure->done = regs.rip != d->before.rip;
	cpu->regs = regs;
	if (d->reads_id && d->done &&
	    !startup_is(v, (uint32_t)regs.r[d->emulated.insn.reg] >> APIC_ID_SHIFT))
		return STOP_IDENTITY;
	return STOP_NONE;
}

/*
 * RAM where pages of L1's may be mapped would make the guest keep its secrets there. Linux takes more
 * types for RAM than one.
 */
static bool ram_is_private(const struct guest_table *t, const uint8_t *entries, size_t len)
{
	struct {
		uint64_t start, size;
		uint32_t type;
	} __attribute__((packed)) e;

	for (size_t at = 0; at + sizeof(e) <= len; at += sizeof(e)) {
		memcpy(&e, entries + at, sizeof(e));
		if (e.type != E820_RESERVED &&
		    (e.start + e.size < e.start || guest_table_meets(t, GPA(e.start), e.size)))
			return false;
	}
	return true;
}

/* The map of RAM that Xen has given; behind its last entry there are zeros, which are of no type. */
static bool take_map(const struct guest_vcpu *v, const struct guestcall_operand *o)
{
	uint8_t entries[MAP_MAX] = {0};

	ASSERT(o->taken <= sizeof(entries));
	get(v, o->gva, o->taken, entries);
	if (!ram_is_private(&v->guest->protection.table, entries, o->taken))
		return false;
	put(v, o->gva, o->taken, entries);
	return true;
}

/* A call was carried out: its results. */
static void finish(struct guest_vcpu *v, uint64_t *rax)
{
	const struct guestcall *c = &v->disclosure->call;
	const struct guestcall_operand *o = c->operand;
	uint8_t taken[TAKEN_MAX];
	gva_t at = GVA(o->gva.a + o->taken_at);
	bool first = c->operands && o->taken;

	ASSERT(!first || o->taken <= sizeof(taken));
	memset(taken, 0, first ? o->taken : sizeof(uint64_t)); /* all that is judged */
	if (first)
		get(v, at, o->taken, taken);
	if (!guestcall_accept(c, rax, taken))
		return;
	if (c->effect == GUESTCALL_RAM_MAP && c->operands == 2 && !take_map(v, &o[1])) {
		*rax = guestcall_error(c, ERR_IO);
		return;
	}
	if (c->effect == GUESTCALL_SHARE_INFO)
		v->guest->protection.infos.shared.gpa = GPA(c->to << PAGE_SHIFT);
	if (first)
		put(v, at, o->taken, taken);
	for (unsigned int i = 1; c->effect != GUESTCALL_RAM_MAP && i < c->operands; i++)
		put(v, GVA(o[i].gva.a + o[i].taken_at), o[i].taken, NULL);
}

static enum stop_reason call(struct cpu *cpu, struct guest_vcpu *v)
{
	struct disclosure *d = v->disclosure;
	const uint8_t *number = guestcall_registers(d->call.wide);
	struct regs regs = d->before;
	uint64_t arg[GUESTCALL_ARGS];

	if (!cpu->regs.rip) { /* Xen goes on when the guest repeats it */
		for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
			arg[i] = cpu->regs.r[number[i]];
		if (guestcall_resume(&d->call, arg))
			return STOP_REGISTERS;
		for (unsigned int i = 0; i < d->call.args; i++)
			regs.r[number[i]] = arg[i];
	} else if (cpu->regs.rip == d->exposure.len) {
		regs.rip = d->before.rip + d->exposure.len;
		regs.r[RAX] = cpu->regs.r[RAX];
		d->done = true;
		finish(v, &regs.r[RAX]);
	} else {
		return STOP_REGISTERS;
	}
	cpu->regs = regs;
	return STOP_NONE;
}

/* --- registers -------------------------------------------------------------------------------------- */

/* Leaves that name the processor. False: by another name. */
static bool is_itself(struct guest_vcpu *v, uint32_t leaf, struct cpuid *answer)
{
	switch (leaf) {
	case CPUID_FEATURES:
		v->xen_id = (uint8_t)((answer->b >> APIC_ID_SHIFT) / 2);
		return startup_is(v, answer->b >> APIC_ID_SHIFT);
	case CPUID_TOPOLOGY2:
		if (answer->b)
			return startup_is(v, answer->d);
		answer->d = 0; /* not offered */
		return true;
	case CPUID_TOPOLOGY:
		return startup_is(v, answer->d);
	case CPUID_TOPOLOGY_AMD: /* Xen has zeros, and does not offer it */
		if (v->apic_id >= STARTUP_IDS)
			return startup_is(v, answer->a);
		answer->a = v->apic_id;
		return true;
	default:
		return true;
	}
}

/* An honest host's HVM and PVH guests begin with processor 0, and its numbers are half the APIC ids. */
static enum stop_reason cpuid(struct cpu *cpu, struct guest_vcpu *v)
{
	const struct disclosure *d = v->disclosure;
	uint32_t leaf = (uint32_t)d->before.r[RAX];
	uint64_t *r = cpu->regs.r;
	struct cpuid answer = {(uint32_t)r[RAX], (uint32_t)r[RBX], (uint32_t)r[RCX],
			       (uint32_t)r[RDX]};
	struct walk_space space;
	bool itself;

	hw_guest_space(cpu, &space);
	manifest_cpuid(cpu, &v->guest->protection.manifest, leaf, (uint32_t)d->before.r[RCX],
		       space.cr4, d->xsave_bytes, &answer);
	itself = is_itself(v, leaf, &answer);
	if (leaf == CPUID_FEATURES && disclose_hides_xen(cpu, v->guest))
		answer.c &= ~CPUID_HYPERVISOR;
	r[RAX] = answer.a;
	r[RBX] = answer.b;
	r[RCX] = answer.c;
	r[RDX] = answer.d;
	return itself ? STOP_NONE : STOP_IDENTITY;
}

/* However the guest asks for its counter. */
static bool is_clock(const struct disclosure *d)
{
	return d->exposure.row == EXPOSURE_TSC || d->exposure.row == EXPOSURE_TSCP ||
	       (d->exposure.row == EXPOSURE_MSR_READ && (uint32_t)d->before.r[RCX] == MSR_TSC);
}

/* L1's answer in EDX:EAX becomes what the guest gets. */
static enum stop_reason value_read(struct cpu *cpu, struct guest_vcpu *v)
{
	const struct disclosure *d = v->disclosure;
	uint64_t *r = cpu->regs.r;
	uint64_t value = r[RDX] << 32 | (uint32_t)r[RAX];

	if (is_clock(d))
		value = clock_answer(&v->clock, value);
	else
		value = manifest_msr(&v->guest->protection.manifest, (uint32_t)d->before.r[RCX],
				     value);
	r[RAX] = (uint32_t)value;
	r[RDX] = value >> 32;
	if (d->exposure.row == EXPOSURE_MSR_READ && (uint32_t)d->before.r[RCX] == MSR_X2APIC_ID)
		return startup_is(v, (uint32_t)value) ? STOP_NONE : STOP_IDENTITY;
	return STOP_NONE;
}

/* LMA follows LME and CR0.PG. */
static bool set_control(struct cpu *cpu, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	efer &= ~(uint64_t)EFER_LMA;
	if ((efer & EFER_LME) && (cr0 & CR0_PG))
		efer |= EFER_LMA;
	return hw_guest_control(cpu, cr0, cr4, efer);
}

/* L1 has accepted the guest's value, which is taken from the guest. */
static enum stop_reason change(struct cpu *cpu, struct guest_vcpu *v)
{
	const struct disclosure *d = v->disclosure;
	const uint64_t *r = d->before.r;
	uint64_t value = (uint32_t)r[RAX] | r[RDX] << 32;
	struct walk_space space;
	bool valid = true;

	hw_guest_space(cpu, &space);
	if (d->exposure.row == EXPOSURE_CR && d->control.number == 0)
		valid = set_control(cpu, d->control.value | CR0_ET, space.cr4, space.efer);
	else if (d->exposure.row == EXPOSURE_CR && d->control.number == 4)
		valid = set_control(cpu, space.cr0, d->control.value, space.efer);
	else if (d->exposure.row == EXPOSURE_MSR_WRITE && (uint32_t)r[RCX] == MSR_EFER)
		valid = set_control(cpu, space.cr0, space.cr4, value);
	else if (d->exposure.row == EXPOSURE_XSETBV)
		valid = !space.cpl && fpu_xsetbv(cpu, v, (uint32_t)r[RCX], value);
	return valid ? STOP_NONE : STOP_REGISTERS;
}

static enum stop_reason row(struct cpu *cpu, struct guest_vcpu *v)
{
	struct disclosure *d = v->disclosure;
	int done = exposure_accept(&d->exposure, &d->before, &cpu->regs, &cpu->regs);

	if (done < 0)
		return STOP_REGISTERS;
	d->done = done;
	if (!done)
		return STOP_NONE;
	if (d->exposure.row == EXPOSURE_CPUID)
		return cpuid(cpu, v);
	if (d->exposure.row == EXPOSURE_MSR_READ || is_clock(d))
		return value_read(cpu, v);
	return change(cpu, v);
}

static int read_idt(void *context, gva_t gva, void *buf, size_t n)
{
	return walk_copy(context, gva, WALK_READ, buf, n) == n ? 0 : ERR_FAULT;
}

/* An event whose delivery the exit cut short, and that L1 leaves out, is not lost. INT n happens again. */
static void keep_event(struct cpu *cpu, const struct disclosure *d)
{
	const struct injection *e = &d->interrupted;
	bool soft = e->type == INJECTION_EXCEPTION &&
		    (e->vector == VECTOR_BP || e->vector == VECTOR_OF);

	if (e->type != INJECTION_NONE && e->type < INJECTION_SOFTWARE && !soft && !d->done)
		hw_guest_deliver(cpu, e);
}

/* What L1 wants to be delivered, to the guest as it is now. */
static enum stop_reason event(struct cpu *cpu, struct guest_vcpu *v)
{
	const struct disclosure *d = v->disclosure;
	struct injection_target t = {
		.rflags = cpu->regs.rflags,
		.done = d->done,
		.raises = exposure_raises(&d->exposure),
		.interrupted = d->interrupted,
		.read = read_idt,
	};
	struct walk_space space;
	struct hw_entry entry;

	hw_guest_entry(cpu, &entry);
	if (entry.event.type == INJECTION_NONE) {
		keep_event(cpu, d);
		return STOP_NONE;
	}
	hw_guest_space(cpu, &space);
	guest_space(v->guest, &space);
	space.cpl = 0;
	t.context = &space;
	t.cr0 = space.cr0;
	t.efer = space.efer;
	t.shadow = entry.shadow;
	t.nmi = !entry.nmi_masked && startup_nmi(v);
	t.idt_base = entry.idt_base;
	t.idt_limit = entry.idt_limit;
	if (!injection_allowed(&entry.event, &t))
		return STOP_EVENT;
	if (injection_same(&entry.event, &d->interrupted))
		return STOP_NONE;
	if (entry.event.type == INJECTION_NMI)
		startup_nmi_taken(v);
	if (entry.event.type != INJECTION_INTERRUPT)
		hw_guest_takes(cpu, &entry.event);
	return STOP_NONE;
}

/* An access to a disk's ports. */
static enum stop_reason port(struct cpu *cpu, struct guest_vcpu *v, enum disclose_then *then)
{
	enum guestport_result result = guestport_enter(cpu, v);

	if (result == GUESTPORT_OVER)
		return STOP_REGISTERS;
	*then = DISCLOSE_THEN_AGAIN;
	if (result == GUESTPORT_TELL) {
		guestport_show(cpu, v->disclosure);
		*then = DISCLOSE_THEN_EXIT;
	}
	return STOP_NONE;
}

static enum stop_reason accept(struct cpu *cpu, struct guest_vcpu *v, enum disclose_then *then)
{
	struct disclosure *d = v->disclosure;
	enum stop_reason why;

	if (d->accept == ACCEPT_OWN)
		return STOP_NONE;
	d->done = false;
	why = d->port.active               ? port(cpu, v, then)
	      : d->accept == ACCEPT_RESULT ? result(cpu, v)
	      : d->accept == ACCEPT_CALL   ? call(cpu, v)
					   : row(cpu, v);
	if (*then == DISCLOSE_THEN_EXIT)
		return why;
	if (why == STOP_NONE && d->done)
		hw_guest_moved(cpu);
	return why == STOP_NONE ? event(cpu, v) : why;
}

enum stop_reason disclose_accept(struct cpu *cpu, struct guest_vcpu *v, enum disclose_then *then)
{
	enum stop_reason why;

	*then = DISCLOSE_THEN_ENTER;
	why = accept(cpu, v, then);
	if (why == STOP_NONE && *then == DISCLOSE_THEN_EXIT)
		return why;
	vcpu_info_enter(v, v->xen_id);
	disclose_forget(v);
	return why;
}

void disclose_forget(struct guest_vcpu *v)
{
	struct disclosure *d = v->disclosure;

	guestport_forget(v);
	if (d->accept != ACCEPT_CALL) { /* nobody else looks */
		__atomic_store_n(&d->accept, ACCEPT_OWN, __ATOMIC_RELAXED);
		return;
	}
	__atomic_sub_fetch(&v->guest->calls, 1, __ATOMIC_RELEASE);
	lock_take(&d->lock);
	__atomic_store_n(&d->accept, ACCEPT_OWN, __ATOMIC_RELAXED);
	lock_drop(&d->lock);
}

static bool in_list(const struct guestcall *c, uint64_t gfn)
{
	for (unsigned int i = 0; i < c->count; i++)
		if (guestcall_gfn(c, i) == gfn)
			return true;
	return false;
}

static bool has_effect(const struct guestcall *c, enum guestcall_effect effect, gpa_t gpa,
		       gpa_t *from)
{
	uint64_t gfn = gpa.a >> PAGE_SHIFT;

	if (c->effect != effect)
		return false;
	if (effect == GUESTCALL_RELEASE || effect == GUESTCALL_POPULATE)
		return in_list(c, gfn);
	if (gfn - c->to >= c->count)
		return false;
	if (from)
		*from = GPA((c->from + (gfn - c->to)) << PAGE_SHIFT);
	return true;
}

bool disclose_effect(struct guest_vcpu *v, const struct guest *g, enum guestcall_effect effect,
		     gpa_t gpa, gpa_t *from)
{
	struct disclosure *d = v->disclosure;
	bool found;

	lock_take(&d->lock);
	/* The vCPU makes its next call, or gets another guest, after disclose_forget(). */
	found = __atomic_load_n(&d->accept, __ATOMIC_ACQUIRE) == ACCEPT_CALL && v->guest == g &&
		has_effect(&d->call, effect, gpa, from);
	lock_drop(&d->lock);
	return found;
}
