/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings, compared with a model that goes element by element and page by page as no emulator has to:
 * what is shown is what the elements touch, and an honest host's registers are all accepted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/test_emulated.h"

static const char *const strings[] = {
	"6c",       "f3 6c",    "f3 66 6d", "f2 6d",    "6e",       "f3 6f",    "aa",
	"f3 aa",    "f3 66 ab", "f3 ab",    "ac",       "f3 ad",    "a4",       "f3 a4",
	"f3 66 a5", "f3 a5",    "f2 a5",    "67 f3 a5", "67 f3 6d", "67 66 ad", "67 a5",
};

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Addresses close to the ends of pages and of address spaces. */
static uint64_t random_index(void)
{
	static const uint64_t ends[] = {0, 0x1000, 0x5000, 0x10000, 0x100000000, 0x8000};

	return ends[random64() % ARRAY_SIZE(ends)] + random64() % 64 - 32 + (random64() << 48);
}

struct model {
	const struct decode_insn *insn;
	const uint64_t *base;
	struct regs regs;
};

static uint64_t address_mask(const struct decode_insn *insn)
{
	return insn->addrsize == 8 ? UINT64_MAX : (1ull << insn->addrsize * 8) - 1;
}

/* Writes the part of a register that addresses use. */
static void put_index(const struct model *m, uint64_t *r, uint64_t value)
{
	uint64_t mask = address_mask(m->insn);

	*r = mask == 0xffff ? (*r & ~mask) | (value & mask) : value & mask;
}

/* One element; the bytes that it touches are counted in cover[2][]. */
#define COVER 0x2000
static void model_step(struct model *m, uint8_t cover[2][COVER], const uint64_t origin[2])
{
	const struct decode_insn *insn = m->insn;
	int64_t step = m->regs.rflags & RFLAGS_DF ? -(int64_t)insn->memsize : insn->memsize;
	const struct decode_mem *mem[] = {&insn->mem, &insn->mem2};

	for (unsigned int n = 0; n < (insn->op == OP_MOVS ? 2u : 1u); n++) {
		uint64_t at = decode_address(insn, mem[n], m->regs.r, RIP, m->base).a;

		for (unsigned int i = 0; i < insn->memsize; i++) {
			uint64_t from = at + i - origin[n];

			from = insn->mode == DECODE_64 ? from : (uint32_t)from;
			if (from < COVER)
				cover[n][from]++;
			else
				cover[n][0] = 99;
		}
	}
	for (unsigned int n = 0; n < (insn->op == OP_MOVS ? 2u : 1u); n++) {
		uint64_t *r = &m->regs.r[mem[n]->base];

		put_index(m, r, *r + (uint64_t)step);
	}
	if (insn->rep || insn->repne)
		put_index(m, &m->regs.r[RCX], m->regs.r[RCX] - 1);
	if (insn->op == OP_LODS)
		m->regs.r[RAX] =
			insn->opsize == 4 ? 0x5a5a5a5a : (m->regs.r[RAX] & ~0xffull) | 0x5a;
	if (insn->op == OP_LODS && insn->opsize == 2)
		m->regs.r[RAX] = (m->regs.r[RAX] & ~0xffffull) | 0x5a5a;
}

/* The ranges are what the elements touch, each byte once, no more and no less. */
static void compare_ranges(const struct emulated *e, unsigned int times, uint8_t cover[2][COVER],
			   const uint64_t origin[2])
{
	struct emulated_range range[EMULATED_RANGES];
	unsigned int n = emulated_ranges(e, times, range), operand = 0;
	unsigned int left = times * e->insn.memsize;
	static const uint8_t nothing[2][COVER];

	for (unsigned int i = 0; i < n; i++) {
		ASSERT(operand < 2);
		assert_true(range[i].bytes && page_offset(range[i].gva.a) + range[i].bytes <= 4096);
		for (unsigned int k = 0; k < range[i].bytes; k++) {
			uint64_t from = range[i].gva.a + k - origin[operand];

			from = e->insn.mode == DECODE_64 ? from : (uint32_t)from;
			assert_true(from < COVER && cover[operand][from]-- == 1);
		}
		assert_true(range[i].bytes <= left);
		left -= range[i].bytes;
		if (!left) {
			operand++;
			left = times * e->insn.memsize;
		}
	}
	assert_memory_equal(cover, nothing, sizeof(nothing));
}

/* How many elements Xen 4.17 does at most in one go (x86_emulate.c, hvm/emulate.c). */
static uint64_t xen_batch(const struct emulated *e, const struct regs *regs)
{
	const struct decode_mem *mem[] = {&e->insn.mem, &e->insn.mem2};
	uint64_t mask = address_mask(&e->insn), size = e->insn.memsize;
	uint64_t count = regs->r[RCX] & mask;

	if (e->insn.op == OP_LODS || !(e->insn.rep || e->insn.repne))
		return 1;
	for (unsigned int n = 0; n < 2 && e->operand[n].access; n++) {
		uint64_t offset = page_offset(e->operand[n].at.a), tail = PAGE_SIZE - offset;
		uint64_t index = regs->r[mem[n]->base] & mask, wrap, ram, mmio;

		wrap = (-index & mask) / size;
		ram = tail / size;
		mmio = tail < size ? 1 : tail / size;
		if (e->down) {
			wrap = ((index + size - 1) & mask) < index ? 1 : index / size + 1;
			ram = page_offset(offset + size - 1) / size;
			mmio = tail < size ? 1 : (offset + size) / size;
		}
		ram = ram > mmio ? ram : mmio;
		count = count < ram ? count : ram;
		wrap = wrap ? wrap : 1;
		count = count < wrap ? count : wrap;
	}
	return count;
}

/* An honest host does some of the elements; the guest goes on exactly as on its own. */
static void one_string(unsigned int mode, const char *bytes)
{
	uint64_t odd = random64() % 2 ? 0x12340 : 0;
	uint64_t base[SEG_COUNT] = {[SEG_ES] = odd, [SEG_DS] = odd * 3};
	struct regs before =
		regs_of(random64() % 40 + (random64() << 33), random_index(), random_index());
	struct decode_insn insn = insn_of(mode, bytes);
	struct model m = {&insn, base, before};
	static uint8_t cover[2][COVER];
	unsigned int times;
	uint64_t origin[2];
	struct regs out;
	struct emulated e;
	int err;

	before.rflags |= random64() % 2 ? RFLAGS_DF : 0;
	m.regs = before;
	err = emulated_prepare(&insn, &before, base, &e);
	if (!(before.r[RCX] & address_mask(&insn)) && (insn.rep || insn.repne)) {
		assert_int_equal(err, ERR_BUSY);
		return;
	}
	assert_int_equal(err, 0);
	assert_true(e.times >= 1 && e.times >= xen_batch(&e, &before));
	for (unsigned int n = 0; n < 2; n++)
		origin[n] = e.operand[n].at.a - COVER / 2;
	times = (unsigned int)(random64() % (e.times + 1u));
	for (unsigned int i = 0; i < times; i++)
		model_step(&m, cover, origin);
	if (insn.rep || insn.repne ? times && !(m.regs.r[RCX] & address_mask(&insn)) : times)
		m.regs.rip += insn.len;
	assert_int_equal(emulated_accept(&e, &before, &m.regs, &out), times);
	assert_memory_equal(&out, &m.regs, sizeof(out));
	compare_ranges(&e, times, cover, origin);
}

static void test_strings(void **state)
{
	static const unsigned int modes[] = {16, 32, 64};

	for (unsigned int n = 0; n < 200000; n++)
		one_string(modes[random64() % 3], strings[random64() % ARRAY_SIZE(strings)]);
}

/* As many elements as allowed are as many as possible: one more is elsewhere, or there is none. */
static void test_strings_go_far(void **state)
{
	struct regs regs = regs_of(5000, 0x5000, 0x7000);
	struct emulated e = prepared(64, "f3 a4", &regs);

	assert_int_equal(e.times, 4096);
	regs.rflags |= RFLAGS_DF;
	regs.r[RSI] = 0x5fff;
	regs.r[RDI] = 0x7fff;
	e = prepared(64, "f3 a4", &regs);
	assert_int_equal(e.times, 4096);
	regs.r[RCX] = 17;
	e = prepared(64, "f3 a4", &regs);
	assert_int_equal(e.times, 17);
}

/* Each a lie of the host's about `rep movsl` of 8, of which it may do 4. */
static void test_inconsistent(void **state)
{
	struct regs before = regs_of(8, 0x2000, 0x5ff0), after, out;
	struct emulated e = prepared(64, "f3 a5", &before);
	static const struct {
		uint64_t rcx, rsi, rdi, rip;
	} rows[] = {
		{9, 0x2000, 0x5ff0, 0},            /* more to do than before */
		{9, 0x1ffc, 0x5fec, 0},            /* backwards */
		{3, 0x2014, 0x6004, 0},            /* more than shown */
		{0, 0x2020, 0x6010, 2},            /* all */
		{7, 0x2000, 0x5ff4, 0},            /* rSI stayed */
		{7, 0x2004, 0x5ff0, 0},            /* rDI stayed */
		{8, 0x2004, 0x5ff4, 0},            /* rCX stayed */
		{7, 0x1ffc, 0x5fec, 0},            /* against DF */
		{7, 0x2001, 0x5ff1, 0},            /* not by elements */
		{7, 0x2004, 0x100005ff4, 0},       /* beyond 32 bits */
		{7, 0x2004, 0x5ff4, 2},            /* the rest left out */
		{8, 0x2000, 0x5ff0, 2},            /* all left out */
		{(uint64_t)-1, 0x2000, 0x5ff0, 0}, /* wrapped */
		{7, 0x2004, 0x5ff4, 1},
	};

	assert_int_equal(e.times, 4);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		after = before;
		after.r[RCX] = rows[i].rcx;
		after.r[RSI] = rows[i].rsi;
		after.r[RDI] = rows[i].rdi;
		after.rip += rows[i].rip;
		if (emulated_accept(&e, &before, &after, &out) != ERR_PERM)
			fail_msg("row %zu is accepted", i);
	}
	/* without REP too */
	e = prepared(64, "a5", &before);
	after = before;
	after.rip += 1;
	assert_int_equal(emulated_accept(&e, &before, &after, &out), ERR_PERM);
	after.r[RSI] += 4;
	after.r[RDI] += 4;
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_int_equal(out.r[RCX], 8);
	after.rip = before.rip;
	assert_int_equal(emulated_accept(&e, &before, &after, &out), ERR_PERM);
}

/* All registers but the string's are the guest's own. */
static void test_string_results(void **state)
{
	struct regs before = regs_of(8, 0x2000, 0x5ff0), after, out, want;
	struct emulated e = prepared(64, "f3 a5", &before);

	after = scrambled(&before, &e);
	after.rip = before.rip;
	after.r[RCX] = 5;
	after.r[RSI] = 0x200c;
	after.r[RDI] = 0x5ffc;
	want = before;
	want.r[RCX] = 5;
	want.r[RSI] = 0x200c;
	want.r[RDI] = 0x5ffc;
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 3);
	assert_memory_equal(&out, &want, sizeof(out));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_strings_go_far),
		cmocka_unit_test(test_inconsistent),
		cmocka_unit_test(test_string_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
