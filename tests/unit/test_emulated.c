/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What L1's emulator may see and change, row by row. Strings are in test_emulated_strings.c; in
 * test_emulated_cpu.c this machine's own CPU is the emulator.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/test_emulated.h"

/* "r 12345+4 w 2000+8 ...": the host reads (r), writes (w), or both (rw). */
static void ranges_text(char text[160], const struct emulated *e, unsigned int times)
{
	static const char access[][3] = {"?", "r", "w", "rw"};
	struct emulated_range range[EMULATED_RANGES];
	unsigned int n = emulated_ranges(e, times, range);

	*text = 0;
	for (unsigned int i = 0; i < n; i++) {
		size_t at = strlen(text);

		snprintf(text + at, 160 - at, "%s%s %llx+%x", i ? " " : "", access[range[i].access],
			 (unsigned long long)range[i].gva.a, range[i].bytes);
	}
}

static const struct {
	unsigned int mode;
	const char *bytes;
	uint64_t rcx, rsi, rdi;
	bool down;
	unsigned int times;
	const char *ranges;
} shown[] = {
	/* One access: by operand order, and by what the instruction does with memory. */
	{64, "8b 06", 0, 0x2000, 0, false, 1, "r 2000+4"},
	{64, "48 8b 06", 0, 0x2ffc, 0, false, 1, "r 2ffc+4 r 3000+4"},
	{64, "89 06", 0, 0x2ffc, 0, false, 1, "w 2ffc+4"},
	{64, "66 89 06", 0, 0x2fff, 0, true, 1, "w 2fff+1 w 3000+1"},
	{64, "c7 06 00 00 00 00", 0, 0x2001, 0, false, 1, "w 2001+4"},
	{64, "48 0f c3 06", 0, 0x2000, 0, false, 1, "w 2000+8"},
	{64, "a2 88 77 66 55 44 33 22 11", 0, 0, 0, false, 1, "w 1122334455667788+1"},
	{64, "48 0f b6 06", 0, 0x2000, 0, false, 1, "r 2000+1"},
	{64, "4c 63 06", 0, 0x2000, 0, false, 1, "r 2000+4"},
	{64, "87 06", 0, 0x2000, 0, false, 1, "rw 2000+4"},
	{64, "f0 48 0f b1 0e", 0, 0x2ff9, 0, false, 1, "rw 2ff9+7 rw 3000+1"},
	{64, "85 06", 0, 0x2000, 0, false, 1, "r 2000+4"},
	{64, "f6 06 01", 0, 0x2000, 0, false, 1, "r 2000+1"},
	{64, "3b 06", 0, 0x2000, 0, false, 1, "r 2000+4"},
	{64, "39 06", 0, 0x2000, 0, false, 1, "r 2000+4"},
	{64, "80 3e 00", 0, 0x2000, 0, false, 1, "r 2000+1"},
	{64, "0b 06", 0, 0x2000, 0, false, 1, "r 2000+4"},
	{64, "09 06", 0, 0x2000, 0, false, 1, "rw 2000+4"},
	{64, "80 26 fe", 0, 0x2000, 0, false, 1, "rw 2000+1"},
	{64, "f6 16", 0, 0x2000, 0, false, 1, "rw 2000+1"},
	{64, "fe 06", 0, 0x2000, 0, false, 1, "rw 2000+1"},
	{64, "ff 0e", 0, 0x2000, 0, false, 1, "rw 2000+4"},
	{64, "0f ba 26 07", 0, 0x2000, 0, false, 1, "r 2000+4"},
	{64, "0f ab 0e", 0x8001, 0x2000, 0, false, 1, "rw 3000+4"},
	{64, "8b 05 10 00 00 00", 0, 0, 0, false, 1, "r 1016+4"},
	{32, "8b 06", 0, 0x12345ffffeu, 0, false, 1, "r 345ffffe+2 r 34600000+2"},
	/* Strings without REP: one element, whatever rCX is. */
	{64, "a4", 0, 0x2000, 0x5000, false, 1, "w 5000+1 r 2000+1"},
	{64, "48 a5", 7, 0x2ffc, 0x5ffe, true, 1, "w 5ffe+2 w 6000+6 r 2ffc+4 r 3000+4"},
	{64, "ab", 9, 0, 0x5000, true, 1, "w 5000+4"},
	{64, "ac", 9, 0x2000, 0, false, 1, "r 2000+1"},
	{64, "6d", 9, 0, 0x5000, false, 1, "w 5000+4"},
	{16, "6f", 9, 0x2000, 0, false, 1, "r 2000+2"},
	/* REP: all, or up to the end of the first page. */
	{64, "f3 66 6d", 256, 0, 0x5000, false, 256, "w 5000+200"},
	{64, "f3 66 6d", 256, 0, 0x5f00, false, 128, "w 5f00+100"},
	{64, "f2 66 6d", 256, 0, 0x5f01, false, 127, "w 5f01+fe"},
	{64, "f3 66 6d", 256, 0, 0x5fff, false, 1, "w 5fff+1 w 6000+1"},
	{64, "f3 6e", 1u << 31, 0x2000, 0, false, 4096, "r 2000+1000"},
	{64, "f3 6f", 1u << 31, 0x2004, 0, false, 1023, "r 2004+ffc"},
	{64, "f3 48 ab", 1u << 31, 0, 0x5008, false, 511, "w 5008+ff8"},
	{64, "f3 ac", 3, 0x2000, 0, false, 3, "r 2000+3"},
	{64, "f3 a5", 100, 0x2f80, 0x5fc0, false, 16, "w 5fc0+40 r 2f80+40"},
	{64, "f3 a5", 100, 0x2fff, 0x5fc0, false, 1, "w 5fc0+4 r 2fff+1 r 3000+3"},
	{64, "f3 a5", 100, 0x2ffe, 0x5fff, false, 1, "w 5fff+1 w 6000+3 r 2ffe+2 r 3000+2"},
	/* Downwards: rSI and rDI are at the last element's first byte. */
	{64, "f3 66 6d", 3, 0, 0x5100, true, 3, "w 50fc+6"},
	{64, "f3 66 6d", 300, 0, 0x5100, true, 129, "w 5000+102"},
	{64, "f3 66 6d", 300, 0, 0x5101, true, 129, "w 5001+102"},
	{64, "f3 66 6d", 300, 0, 0x5000, true, 1, "w 5000+2"},
	{64, "f3 66 6d", 300, 0, 0x5fff, true, 1, "w 5fff+1 w 6000+1"},
	{64, "f3 66 6d", 3000, 0, 0x5ffe, true, 2048, "w 5000+1000"},
	{64, "f3 48 a5", 100, 0x2018, 0x5ff8, true, 4, "w 5fe0+20 r 2000+20"},
	/* rCX in the address size; the index register wraps at its end, pages of 32-bit modes too. */
	{32, "f3 6c", 0xabcdef00000005, 0, 0x5000, false, 5, "w 5000+5"},
	{16, "f3 6c", 0x70005, 0, 0x15000, false, 5, "w 5000+5"},
	{16, "f3 6c", 0x20, 0, 0xfff0, false, 16, "w fff0+10"},
	{16, "f3 66 6d", 0x20, 0, 0xfff2, false, 3, "w fff2+c"},
	{16, "f3 6d", 0x20, 0, 0xffff, false, 1, "w ffff+1 w 10000+1"},
	{16, "f3 6d", 0x20, 0, 4, true, 3, "w 0+6"},
	{32, "f3 6d", 0x20, 0, 0xfffffffe, false, 1, "w fffffffe+2 w 0+2"},
	{64, "67 f3 6d", 0x100000020, 0, 0x1fffffff0, false, 4, "w fffffff0+10"},
	{64, "f3 48 ab", 0x20, 0, 0xfffffffffffffff0, false, 2, "w fffffffffffffff0+10"},
};

static void test_ranges(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		struct regs regs = regs_of(shown[i].rcx, shown[i].rsi, shown[i].rdi);
		struct emulated e;
		char text[160];

		regs.rflags |= shown[i].down ? RFLAGS_DF : 0;
		e = prepared(shown[i].mode, shown[i].bytes, &regs);
		ranges_text(text, &e, e.times);
		if (e.times != shown[i].times || strcmp(text, shown[i].ranges))
			fail_msg("%u: %s: %u times, %s; not %u, %s", shown[i].mode, shown[i].bytes,
				 e.times, text, shown[i].times, shown[i].ranges);
	}
}

static void test_ranges_of_fewer_times(void **state)
{
	struct regs regs = regs_of(100, 0x2f00, 0x5f80);
	struct emulated e = prepared(64, "f3 a5", &regs);
	char text[160];

	ranges_text(text, &e, 3);
	assert_string_equal(text, "w 5f80+c r 2f00+c");
	ranges_text(text, &e, 0);
	assert_string_equal(text, "");
	regs.rflags |= RFLAGS_DF;
	e = prepared(64, "f3 a5", &regs);
	ranges_text(text, &e, 3);
	assert_string_equal(text, "w 5f78+c r 2ef8+c");
	ranges_text(text, &e, 1);
	assert_string_equal(text, "w 5f80+4 r 2f00+4");
}

static void test_segments(void **state)
{
	const uint64_t base[SEG_COUNT] = {0x10000, 0x20000, 0x30000, 0x12340, 0x50000, 0x60000};
	struct regs regs = regs_of(0x100, 0xff00, 0xfff0);
	struct decode_insn insn = insn_of(16, "f3 a4");
	struct emulated e;
	char text[160];

	/* rDI wraps in 16 bytes, which lie in the middle of no page; rSI's page ends sooner */
	assert_int_equal(emulated_prepare(&insn, &regs, base, &e), 0);
	ranges_text(text, &e, e.times);
	assert_string_equal(text, "w 1fff0+10 r 22240+10");
	regs.r[RDI] = 0;
	regs.r[RSI] = 0xffd0; /* wraps at linear 22340 */
	assert_int_equal(emulated_prepare(&insn, &regs, base, &e), 0);
	ranges_text(text, &e, e.times);
	assert_string_equal(text, "w 10000+30 r 22310+30");
	insn = insn_of(64, "65 a4");
	assert_int_equal(emulated_prepare(&insn, &regs, base, &e), 0);
	ranges_text(text, &e, e.times);
	assert_string_equal(text, "w 0+1 r 6ffd0+1");
}

static void test_refused(void **state)
{
	static const struct {
		unsigned int mode;
		const char *bytes;
	} rows[] = {
		{64, "89 c8"},    {64, "0f b6 c1"}, {64, "0f a2"},          {64, "f4"},
		{64, "ed"},       {64, "0f 01 30"}, {64, "0f 01 20"},       {64, "0f 01 10"},
		{64, "0f 01 00"}, {64, "0f 01 38"}, {64, "0f 00 00"},       {64, "0f 00 10"},
		{64, "0f 22 c0"}, {64, "9d"},       {64, "66 0f 38 82 07"}, {64, "0f 01 d9"},
		{64, "f7 d0"},
	};
	struct regs regs = regs_of(0, 0x2000, 0x5000);
	struct decode_insn insn;
	struct emulated e;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		insn = insn_of(rows[i].mode, rows[i].bytes);
		if (emulated_prepare(&insn, &regs, flat, &e) != ERR_NOSYS)
			fail_msg("%s is not refused", rows[i].bytes);
	}
	insn = insn_of(64, "f3 a4");
	assert_int_equal(emulated_prepare(&insn, &regs, flat, &e), ERR_BUSY);
	regs.r[RCX] = 0x500000000;
	insn = insn_of(64, "67 f3 a4");
	assert_int_equal(emulated_prepare(&insn, &regs, flat, &e), ERR_BUSY);
}

/* --- registers ------------------------------------------------------------------------------- */

static const struct {
	const char *bytes;
	unsigned int reg;
	uint64_t bits;  /* of it that come from the host */
	uint64_t value; /* of it then; before: 0x8877665544332211, after: 0x7788996655ccddee */
	uint64_t flags;
} changed[] = {
	{"48 8b 1e", RBX, ~0ull, 0x77889966aaccddeeu, 0},
	{"8b 1e", RBX, ~0ull, 0xaaccddeeu, 0},
	{"66 8b 1e", RBX, 0xffff, 0x887766554433ddeeu, 0},
	{"8a 1e", RBX, 0xff, 0x88776655443322eeu, 0},
	{"8a 3e", RBX, 0xff00, 0x887766554433dd11u, 0},
	{"4c 8b 06", R8, ~0ull, 0x77889966aaccddeeu, 0},
	{"48 a1 00 20 00 00 00 00 00 00", RAX, ~0ull, 0x77889966aaccddeeu, 0},
	{"48 0f b6 1e", RBX, ~0ull, 0xee, 0},
	{"0f b6 1e", RBX, ~0ull, 0xee, 0},
	{"66 0f b6 1e", RBX, 0xffff, 0x88776655443300eeu, 0},
	{"0f b7 1e", RBX, ~0ull, 0xddee, 0},
	{"48 0f be 1e", RBX, ~0ull, 0xffffffffffffffeeu, 0},
	{"0f be 1e", RBX, ~0ull, 0xffffffeeu, 0},
	{"66 0f be 1e", RBX, 0xffff, 0x887766554433ffeeu, 0},
	{"48 63 1e", RBX, ~0ull, 0xffffffffaaccddeeu, 0},
	{"48 0f bf 1e", RBX, ~0ull, 0xffffffffffffddeeu, 0},
	{"87 1e", RBX, ~0ull, 0xaaccddeeu, 0},
	{"86 3e", RBX, 0xff00, 0x887766554433dd11u, 0},
	{"03 1e", RBX, ~0ull, 0xaaccddeeu, RFLAGS_STATUS},
	{"48 23 1e", RBX, ~0ull, 0x77889966aaccddeeu, RFLAGS_STATUS},
	{"32 1e", RBX, 0xff, 0x88776655443322eeu, RFLAGS_STATUS},
	{"3b 1e", 0, 0, 0, RFLAGS_STATUS},
	{"39 1e", 0, 0, 0, RFLAGS_STATUS},
	{"85 1e", 0, 0, 0, RFLAGS_STATUS},
	{"01 1e", 0, 0, 0, RFLAGS_STATUS},
	{"83 0e 01", 0, 0, 0, RFLAGS_STATUS},
	{"fe 06", 0, 0, 0, RFLAGS_STATUS & ~RFLAGS_CF},
	{"ff 0e", 0, 0, 0, RFLAGS_STATUS & ~RFLAGS_CF},
	{"f7 16", 0, 0, 0, 0},
	{"0f a3 1e", 0, 0, 0, RFLAGS_CF},
	{"0f ab 1e", 0, 0, 0, RFLAGS_CF},
	{"89 1e", 0, 0, 0, 0},
	{"c6 06 01", 0, 0, 0, 0},
	{"0f c3 1e", 0, 0, 0, 0},
};

/* From a host that changed everything, exactly the instruction's results are taken. */
static void test_results(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(changed); i++) {
		struct regs before = regs_of(3, 0x2000, 0x5000), after, out, want;
		struct emulated e;

		before.rflags |= RFLAGS_RF;
		before.r[changed[i].reg] = 0x8877665544332211u;
		e = prepared(64, changed[i].bytes, &before);
		after = scrambled(&before, &e);
		after.r[changed[i].reg] = 0x77889966aaccddeeu;
		want = before;
		if (changed[i].bits)
			want.r[changed[i].reg] = changed[i].value;
		want.rip = after.rip;
		want.rflags ^= changed[i].flags | RFLAGS_RF;
		assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
		if (memcmp(&out, &want, sizeof(out)))
			fail_msg("%s: r%u %#llx, flags %#llx, or another register",
				 changed[i].bytes, changed[i].reg,
				 (unsigned long long)out.r[changed[i].reg],
				 (unsigned long long)out.rflags);
		/* where RIP stayed, nothing was done */
		after.rip = before.rip;
		assert_int_equal(emulated_accept(&e, &before, &after, &out), 0);
		assert_memory_equal(&out, &before, sizeof(out));
	}
}

static void test_cmpxchg(void **state)
{
	struct regs before = regs_of(0, 0x2000, 0), after, out, want = before;
	struct emulated e = prepared(64, "f0 0f b1 3e", &before);

	after = scrambled(&before, &e);
	after.rflags = before.rflags | RFLAGS_ZF;
	want.rip = after.rip;
	want.rflags |= RFLAGS_ZF;
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_memory_equal(&out, &want, sizeof(out));
	after.rflags = before.rflags | RFLAGS_CF;
	want.rflags = after.rflags;
	want.r[RAX] = (uint32_t)after.r[RAX];
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_memory_equal(&out, &want, sizeof(out));
	/* AL is what it compares with, though the source is BH */
	e = prepared(64, "0f b0 3e", &before);
	after.rip = want.rip = before.rip + 3;
	want.r[RAX] = (before.r[RAX] & ~0xffull) | (after.r[RAX] & 0xff);
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_memory_equal(&out, &want, sizeof(out));
}

static void test_rip(void **state)
{
	static const int64_t wrong[] = {-1, 1, 3, -2, 1ll << 32};
	struct regs before = regs_of(0, 0x2000, 0), after = before, out;
	struct emulated e = prepared(64, "8b 1e", &before);

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		after.rip = before.rip + (uint64_t)wrong[i];
		assert_int_equal(emulated_accept(&e, &before, &after, &out), ERR_PERM);
	}
	before.rip = 0xffffffff;
	after.rip = 0x100000001;
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_int_equal(out.rip, 0x100000001);
	e = prepared(32, "8b 1e", &before);
	assert_int_equal(emulated_accept(&e, &before, &after, &out), ERR_PERM);
	after.rip = 1;
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_int_equal(out.rip, 1);
}

static void test_resume_flag(void **state)
{
	struct regs before = regs_of(0, 0x2000, 0), after = before, out;
	struct emulated e = prepared(64, "8b 1e", &before);

	after.rip += 2;
	after.rflags |= RFLAGS_RF; /* cannot be set */
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_int_equal(out.rflags, before.rflags);
	before.rflags |= RFLAGS_RF; /* can be kept */
	assert_int_equal(emulated_accept(&e, &before, &after, &out), 1);
	assert_int_equal(out.rflags, before.rflags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges),   cmocka_unit_test(test_ranges_of_fewer_times),
		cmocka_unit_test(test_segments), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_results),  cmocka_unit_test(test_cmpxchg),
		cmocka_unit_test(test_rip),      cmocka_unit_test(test_resume_flag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
