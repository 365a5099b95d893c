/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any exit of an isolated guest, twice: with registers that differ only where the row does not show them. L1
 * must see the same both times; and whatever it leaves then, the guest goes on with registers, and L1's event,
 * that the row accepts. All by disclose() and guest_enter(), as a backend calls them. Input: struct step.
 */
#include "tests/fuzz/fuzz_isolated.h"
#include "tests/fuzz/fuzz_rows.h"

#define STEPS_MAX 4

struct step {
	uint8_t reason, flags, back, bytes, vector, event, event_vector, fault;
	uint8_t insn[15], len;
	uint64_t own[16], other[16], l1[16];
};

/* What L1 has before itself. */
struct sight {
	enum disclose_result result;
	struct regs regs;
	struct exposure e;
	uint64_t cr3;
	uint32_t windows;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct guest_exit exit_of(const struct step *s)
{
	return (struct guest_exit){.reason = s->reason % EXIT_REASON_COUNT,
				   .fault = GPA(s->fault & 1 ? SMALL : DEVICE),
				   .write = s->flags & 2,
				   .string = s->flags & 4,
				   .bytes = (uint8_t)(1u << s->bytes % 3),
				   .vector = s->vector % 32,
				   .interrupted = {.type = s->flags & 8 ? INJECTION_INTERRUPT : 0,
						   .vector = s->flags & 8 ? s->vector : 0}};
}

/* The guest's side. Its code is in page 4. */
static void come_out(const struct step *s, const uint64_t r[16], struct sight *seen)
{
	struct guest_exit x = exit_of(s);

	memcpy(phys_at(page_of(4)), s->insn, sizeof(s->insn));
	memcpy(cpu->regs.r, r, sizeof(cpu->regs.r));
	cpu->regs.rip = AT(4);
	cpu->regs.rflags = RFLAGS_FIXED | (s->flags & 16 ? RFLAGS_IF : 0);
	cpu->hw->guest_insn_len = s->len % 15 + 1;
	cpu->hw->entry = (struct hw_entry){.shadow = false};
	as_guest();
	cpu->hw->space.cpl = s->flags & 32 ? 3 : 0;
	memset(seen, 0, sizeof(*seen));
	seen->result = disclose(cpu, v, &x);
	seen->regs = cpu->regs;
	seen->e = v->disclosure->exposure;
	seen->cr3 = v->disclosure->cr3;
	seen->windows = v->windows.count;
}

static bool told(const struct sight *seen)
{
	return seen->result == DISCLOSE_TELL || seen->result == DISCLOSE_BARE;
}

/* An honest L1, which does nothing: the guest is as it was. */
static bool go_on(const uint64_t r[16])
{
	bool row = v->disclosure->accept == ACCEPT_ROW || v->disclosure->accept == ACCEPT_CALL;

	if (row)
		cpu->regs.rip = 0;
	if (enter() != GUEST_ENTRY_OK)
		return false;
	if (row)
		ASSERT(!memcmp(cpu->regs.r, r, sizeof(cpu->regs.r)) && cpu->regs.rip == AT(4));
	return true;
}

/* What of the guest's registers L1 is to see, by number; whole, or the low bytes. */
static uint64_t shown_mask(const struct sight *seen, const struct columns *c, unsigned int r)
{
	if (seen->e.row == EXPOSURE_EMULATED)
		return UINT64_MAX;
	if (v->disclosure->accept == ACCEPT_CALL) {
		for (unsigned int i = 0; i < v->disclosure->call.args; i++)
			if (guestcall_registers(true)[i] == r)
				return UINT64_MAX;
		return r == RAX ? UINT64_MAX : 0;
	}
	return names(&seen->e, c->shown, r) ? low(width(&seen->e, c)) : 0;
}

/* The monitor itself looks at these: the answer it gives, or the row, depends on them. */
static uint64_t decisive_mask(const struct step *s, unsigned int r)
{
	switch (s->reason % EXIT_REASON_COUNT) {
	case EXIT_CR:
		return UINT64_MAX;
	case EXIT_MSR_READ:
	case EXIT_MSR_WRITE:
	case EXIT_CPUID:
		return r == RCX || r == RAX || r == RDX ? UINT32_MAX : 0;
	case EXIT_PORT:
	case EXIT_APIC:
	case EXIT_NESTED_FAULT:
		return s->flags & 4 || (s->reason % EXIT_REASON_COUNT) != EXIT_PORT ? UINT64_MAX
										    : 0;
	case EXIT_HYPERCALL:
		return r == RAX ? UINT64_MAX : 0;
	default:
		return 0;
	}
}

static void compare(const struct sight *a, const struct sight *b)
{
	ASSERT(a->result == b->result && a->e.row == b->e.row && a->e.len == b->e.len);
	ASSERT(a->cr3 == b->cr3 && a->windows == b->windows);
	ASSERT(!memcmp(&a->regs, &b->regs, sizeof(a->regs)));
}

/* L1 leaves what it likes. */
static void hostile(const struct step *s, const struct sight *seen)
{
	memcpy(cpu->regs.r, s->l1, sizeof(s->l1));
	cpu->regs.rip = s->back & 1 ? seen->e.len : s->back & 2 ? s->l1[0] : 0;
	if (seen->e.row == EXPOSURE_EMULATED)
		cpu->regs.rip += AT(4);
	cpu->regs.rflags = s->l1[1];
	cpu->hw->entry.event = (struct injection){.type = s->event % 5, .vector = s->event_vector};
}

static void check_event(const struct step *s, const struct guest_exit *x, bool done)
{
	unsigned int type = s->event % 5;

	if (type == INJECTION_NONE ||
	    (!done && type == x->interrupted.type && s->event_vector == x->interrupted.vector))
		return;
	ASSERT(type != INJECTION_SOFTWARE && type != INJECTION_NMI);
	ASSERT(s->event_vector != 18);
	if (type == INJECTION_INTERRUPT)
		ASSERT((s->flags & 16) && s->event_vector >= 32);
}

/* What of the guest's registers may be other than they were. */
static void check_registers(const struct sight *seen, const struct columns *c,
			    const uint64_t own[16], uint8_t accept)
{
	bool done = cpu->regs.rip != AT(4);

	if (accept == ACCEPT_RESULT) /* fuzz_emulated */
		return;
	for (unsigned int r = 0; r < 16; r++) {
		uint64_t diff = cpu->regs.r[r] ^ own[r];
		bool result = accept == ACCEPT_CALL ? r == RAX : names(&seen->e, c->accepted, r);

		if (accept == ACCEPT_CALL && !done && diff) { /* Xen's progress in a call */
			ASSERT(shown_mask(seen, c, r));
			continue;
		}
		ASSERT(!diff || (done && result));
	}
	ASSERT(!done || cpu->regs.rip == AT(4) + seen->e.len);
	ASSERT(!((cpu->regs.rflags ^ RFLAGS_FIXED) & ~(uint64_t)RFLAGS_IF));
}

/* False: the guest is over. */
static bool do_step(struct step *s)
{
	struct guest_exit x = exit_of(s);
	struct sight seen, again;
	struct columns c;
	uint8_t accept;

	come_out(s, s->own, &seen);
	if (!told(&seen))
		return seen.result == DISCLOSE_AGAIN && enter() == GUEST_ENTRY_OK;
	c = columns_of(seen.e.row);
	for (unsigned int r = 0; r < 16; r++) {
		uint64_t same = shown_mask(&seen, &c, r) | decisive_mask(s, r);

		s->other[r] = (s->other[r] & ~same) | (s->own[r] & same);
	}
	if (!go_on(s->own))
		return false;
	come_out(s, s->other, &again);
	compare(&seen, &again);
	accept = v->disclosure->accept;
	hostile(s, &again);
	if (enter() != GUEST_ENTRY_OK)
		return false;
	check_registers(&again, &c, s->other, accept);
	check_event(s, &x, cpu->regs.rip != AT(4));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why;
	struct step step;

	guest_machine();
	cpu = cpu_at(0);
	build();
	v = guest_vcpu_take(cpu, HPA(KEY), table_page(0), &why);
	ASSERT(v);
	enter();
	for (unsigned int i = 0; i < STEPS_MAX && size >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		if (!do_step(&step))
			break;
		data += sizeof(step);
		size -= sizeof(step);
	}
	guest_vcpu_drop(v);
	forget_guests();
	return 0;
}
