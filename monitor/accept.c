/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest takes back from L1 when it is entered again: disclose.h. */
#include "monitor/disclose.h"

#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/guest.h"
#include "monitor/lib.h"

#define CPUID_HYPERVISOR ((uint64_t)1 << 31) /* leaf 1, ECX */
#define CPUID_APIC_SHIFT 24                  /* and EBX; Xen numbers APICs by twos */
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
	cpu->regs = regs;
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

	if (cpu->regs.rip == regs.rip) { /* Xen goes on when the guest repeats it */
		for (unsigned int i = 0; i < GUESTCALL_ARGS; i++)
			arg[i] = cpu->regs.r[number[i]];
		if (guestcall_resume(&d->call, arg))
			return STOP_REGISTERS;
		for (unsigned int i = 0; i < d->call.args; i++)
			regs.r[number[i]] = arg[i];
	} else if (cpu->regs.rip == regs.rip + d->insn_len) {
		regs.rip = cpu->regs.rip;
		regs.r[RAX] = cpu->regs.r[RAX];
		finish(v, &regs.r[RAX]);
	} else {
		return STOP_REGISTERS;
	}
	cpu->regs = regs;
	return STOP_NONE;
}

static enum stop_reason accept(struct cpu *cpu, struct guest_vcpu *v)
{
	switch (v->disclosure->accept) {
	case ACCEPT_NONE:
		cpu->regs = v->disclosure->before;
		return STOP_NONE;
	case ACCEPT_RESULT:
		return result(cpu, v);
	case ACCEPT_CALL:
		return call(cpu, v);
	case ACCEPT_HIDDEN:
	case ACCEPT_FEATURES:
		if (v->disclosure->accept == ACCEPT_HIDDEN)
			cpu->regs.r[RCX] &= ~CPUID_HYPERVISOR;
		v->xen_id = (uint8_t)(cpu->regs.r[RBX] >> CPUID_APIC_SHIFT) / 2;
		return STOP_NONE;
	default:
		return STOP_NONE;
	}
}

enum stop_reason disclose_accept(struct cpu *cpu, struct guest_vcpu *v)
{
	enum stop_reason why = accept(cpu, v);

	vcpu_info_enter(v, v->xen_id);
	disclose_forget(v);
	return why;
}

void disclose_forget(struct guest_vcpu *v)
{
	struct disclosure *d = v->disclosure;

	if (d->accept != ACCEPT_CALL) { /* nobody else looks */
		__atomic_store_n(&d->accept, ACCEPT_ANY, __ATOMIC_RELAXED);
		return;
	}
	__atomic_sub_fetch(&v->guest->calls, 1, __ATOMIC_RELEASE);
	lock_take(&d->lock);
	__atomic_store_n(&d->accept, ACCEPT_ANY, __ATOMIC_RELAXED);
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
