/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exits of an isolated guest with any instruction, call and registers, to a hostile L1 that overwrites all
 * that it can. Input: struct step. L1 sees no byte but of the instruction, of the operands that emulated.h
 * or guestcall.h name, and of the table entries on the way to those; of the guest's memory nothing changes
 * but what these say that is written, and bits that the processor would set.
 */
#include "tests/fuzz/fuzz_isolated.h"

#define STEPS_MAX 6
#define SCRIBBLE 0xaa

struct step {
	uint8_t reason, flags, rip_page, back, result;
	uint8_t insn[15];
	uint16_t rip_offset;
	uint32_t regs[8], l1[8];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t before[GUEST_PAGES * PAGE_SIZE]; /* the guest's memory */
static bool may_see[sizeof(before)], may_change[sizeof(before)], may_mark[sizeof(before)];

/* --- what is allowed --------------------------------------------------------------------------------- */

static void mark(bool *map, uint64_t gva, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (gva + i >= LINEAR && gva + i < LINEAR + sizeof(before))
			map[gva + i - LINEAR] = true;
}

/* The entries on the way, as the tables were built: the guest does not change them. */
static void mark_path(uint64_t gva, size_t len)
{
	for (size_t i = 0; i < len; i++)
		for (unsigned int level = 4; level; level--) {
			uint64_t at = AT(4 - level) + table_index(level, gva + i) * 8;

			if (level < 4 &&
			    table_index(level + 1, gva + i) != table_index(level + 1, LINEAR))
				break; /* it ended above */
			mark(may_see, at, 8);
			mark(may_mark, at, 1);
		}
}

static void allow(uint64_t gva, size_t len, bool shown, bool taken)
{
	mark_path(gva, len);
	if (shown)
		mark(may_see, gva, len);
	if (taken)
		mark(may_change, gva, len);
}

static void allow_emulated(uint64_t rip)
{
	const struct emulated *e = &v->disclosure->emulated;
	struct emulated_range range[EMULATED_RANGES];
	unsigned int n = emulated_ranges(e, e->times, range);

	allow(rip, e->insn.len, true, false);
	for (unsigned int i = 0; i < n; i++)
		allow(range[i].gva.a, range[i].bytes, range[i].access & EMULATED_READ,
		      range[i].access & EMULATED_WRITE);
}

static void allow_call(void)
{
	const struct guestcall *c = &v->disclosure->call;

	for (unsigned int i = 0; i < c->operands; i++) {
		const struct guestcall_operand *o = &c->operand[i];

		allow(o->gva.a, o->bytes, o->shown, false);
		mark(may_change, o->gva.a + o->taken_at, o->taken);
	}
}

/* --- what is ------------------------------------------------------------------------------------------- */

/* L1 reads and overwrites whatever its table gives it of the guest's pages. */
static void look_and_scribble(void)
{
	for (unsigned int i = 0; i < GUEST_PAGES; i++) {
		unsigned int rights;
		uint64_t at = in_place_of(page_of(i).a, &rights);
		uint8_t *frame = mem_at(HPA(at));

		if (!at)
			continue;
		ASSERT(at >= BLOCK && at < BLOCK + BLOCK_SIZE);
		for (unsigned int b = 0; b < PAGE_SIZE; b++)
			ASSERT(!frame[b] || frame[b] == SCRIBBLE || may_see[i * PAGE_SIZE + b]);
		memset(frame, SCRIBBLE, PAGE_SIZE);
	}
}

static void check_memory(void)
{
	for (unsigned int i = 0; i < GUEST_PAGES; i++) {
		const uint8_t *now = phys_at(page_of(i));
		const uint8_t *was = &before[i * PAGE_SIZE];

		if (!memcmp(now, was, PAGE_SIZE))
			continue;
		for (unsigned int b = 0; b < PAGE_SIZE; b++)
			ASSERT(now[b] == was[b] || may_change[i * PAGE_SIZE + b] ||
			       (may_mark[i * PAGE_SIZE + b] &&
				now[b] == (was[b] | (now[b] & PTE_AD))));
	}
}

static uint64_t address(uint32_t raw)
{
	return raw & 0x80000000u ? raw : LINEAR + raw % (AT(DEVICE_PAGE + 1) - LINEAR);
}

static void set_registers(const uint32_t *from)
{
	static const uint8_t number[] = {RAX, RCX, RDX, RBX, RSI, RDI, R8, R10};

	for (unsigned int i = 0; i < ARRAY_SIZE(number); i++)
		cpu->regs.r[number[i]] = from[i] >> 24 & 1 ? from[i] & 0xff : address(from[i]);
}

/* The guest's side: its code and its registers, and what it came out for. */
static enum disclose_result comes_out(const struct step *s)
{
	static const enum exit_reason reasons[] = {EXIT_NESTED_FAULT, EXIT_NESTED_FAULT, EXIT_PORT,
						   EXIT_APIC,         EXIT_HYPERCALL,    EXIT_CR};
	struct guest_exit x = {.reason = reasons[s->reason % ARRAY_SIZE(reasons)],
			       .fault = GPA(s->flags & 1 ? SMALL : DEVICE),
			       .write = s->flags & 2,
			       .string = s->flags & 4,
			       .bytes = 4};

	cpu->regs.rip = AT(4 + s->rip_page % (GUEST_PAGES - 4)) + s->rip_offset % PAGE_SIZE;
	for (unsigned int i = 0; i < sizeof(s->insn); i++) {
		uint64_t at = cpu->regs.rip + i - LINEAR;

		if (at < sizeof(before))
			((uint8_t *)phys_at(page_of(
				(unsigned int)(at >> PAGE_SHIFT))))[page_offset(at)] = s->insn[i];
	}
	set_registers(s->regs);
	cpu->regs.rflags = RFLAGS_FIXED | (s->flags & 16 ? RFLAGS_DF : 0);
	cpu->hw->guest_insn_len = 3;
	for (unsigned int i = 0; i < GUEST_PAGES; i++)
		memcpy(&before[i * PAGE_SIZE], phys_at(page_of(i)), PAGE_SIZE);
	as_guest();
	return disclose(cpu, v, &x);
}

/* L1's: it goes on somehow. */
static void goes_in(const struct step *s, const struct regs *regs)
{
	cpu->regs = *regs;
	if (s->back & 1)
		set_registers(s->l1);
	if (s->back & 2)
		cpu->regs.r[RAX] = s->result & 1 ? 0 : (uint64_t) - (int64_t)s->result;
	cpu->regs.rip =
		regs->rip + (s->back & 4 ? v->disclosure->exposure.len : 0) + (s->back & 8 ? 3 : 0);
	enter();
}

static void do_step(const struct step *s)
{
	enum disclose_result result;
	struct regs regs;

	memset(may_change, 0, sizeof(may_change));
	memset(may_mark, 0, sizeof(may_mark));
	result = comes_out(s);
	regs = cpu->regs;
	if (v->disclosure->accept == ACCEPT_RESULT)
		allow_emulated(v->disclosure->before.rip);
	else if (v->disclosure->accept == ACCEPT_CALL)
		allow_call();
	else /* what was tried: anything on the way to something that was not shown in the end */
		memset(may_mark, 1, sizeof(may_mark) / GUEST_PAGES * 4);
	ASSERT(result != DISCLOSE_BARE || !v->windows.count);
	check_memory();
	look_and_scribble();
	if (result == DISCLOSE_TELL || result == DISCLOSE_BARE)
		goes_in(s, &regs);
	else if (result == DISCLOSE_AGAIN)
		enter();
	check_memory();
	ASSERT(!v->windows.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why;
	struct step step;

	guest_machine();
	cpu = cpu_at(0);
	build();
	memset(may_see, 0, sizeof(may_see));
	v = guest_vcpu_take(cpu, HPA(KEY), table_page(0), &why);
	ASSERT(v);
	enter();
	for (unsigned int i = 0; i < STEPS_MAX && size >= sizeof(step) && guest_live(v->guest);
	     i++) {
		memcpy(&step, data, sizeof(step));
		do_step(&step);
		data += sizeof(step);
		size -= sizeof(step);
	}
	guest_vcpu_drop(v);
	forget_guests();
	return 0;
}
