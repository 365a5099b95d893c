/* SPDX-License-Identifier: Apache-2.0 */
/* The table of monitor/exposure.h, row by row: what L1 sees of the registers, and what it can change. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/exposure.h"

#define R(n) (1u << (n))
#define NONE 0
#define LEN 3
#define RIP 0xffffffff81234567u
#define FLAGS 0x350d7u /* more than L1 is to see: CF, RF, VM .. */

/* Written down a second time, so that no slip of the table goes unnoticed. */
static const struct {
	enum exposure_row row;
	bool told, next;
	unsigned int bytes, shown, accepted;
	uint32_t raises;
} want[] = {
	{EXPOSURE_UNKNOWN, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_INTR, true, false, 8, NONE, NONE, 0},
	{EXPOSURE_NMI, true, false, 8, NONE, NONE, 0},
	{EXPOSURE_INIT, true, false, 8, NONE, NONE, 0},
	{EXPOSURE_EXCEPTION, true, false, 8, NONE, NONE, R(17)},
	{EXPOSURE_SHUTDOWN, true, false, 8, NONE, NONE, 0},
	{EXPOSURE_VINTR, true, false, 8, NONE, NONE, 0},
	{EXPOSURE_CR, true, true, 8, R(R11), NONE, R(13)},
	{EXPOSURE_DR, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_DESCRIPTOR, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_TASK, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_CPUID, true, true, 4, R(RAX) | R(RCX), R(RAX) | R(RBX) | R(RCX) | R(RDX), 0},
	{EXPOSURE_HLT, true, true, 8, NONE, NONE, 0},
	{EXPOSURE_PAUSE, true, true, 8, NONE, NONE, 0},
	{EXPOSURE_MWAIT, true, true, 8, NONE, NONE, R(6) | R(13)},
	{EXPOSURE_INVLPG, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_CACHE, true, true, 8, NONE, NONE, 0},
	{EXPOSURE_TSC, true, true, 4, NONE, R(RAX) | R(RDX), 0},
	{EXPOSURE_TSCP, true, true, 4, NONE, R(RAX) | R(RCX) | R(RDX), 0},
	{EXPOSURE_PMC, true, true, 4, R(RCX), R(RAX) | R(RDX), R(6) | R(13)},
	{EXPOSURE_MSR_READ, true, true, 4, R(RCX), R(RAX) | R(RDX), R(13)},
	{EXPOSURE_MSR_WRITE, true, true, 4, R(RAX) | R(RCX) | R(RDX), NONE, R(13)},
	{EXPOSURE_XSETBV, true, true, 4, R(RAX) | R(RCX) | R(RDX), NONE, R(6) | R(13)},
	{EXPOSURE_PORT_OUT, true, true, 2, R(RAX), NONE, R(13)},
	{EXPOSURE_PORT_IN, true, true, 2, NONE, R(RAX), R(13)},
	{EXPOSURE_NESTED_FAULT, true, false, 8, NONE, NONE, 0},
	{EXPOSURE_ENTER, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_STATE, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_GIF, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_TLB, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_INVALID, false, false, 0, NONE, NONE, 0},
	{EXPOSURE_IRET, true, false, 8, NONE, NONE, 0},
	{EXPOSURE_OTHER, true, false, 8, NONE, NONE, R(6)},
};

static struct regs own, after, out;

static struct exposure exposure_of(enum exposure_row row)
{
	for (unsigned int i = 0; i < 16; i++) {
		own.r[i] = 0x8182838485868780u + i;
		after.r[i] = 0x1112131415161710u + i;
	}
	own.rip = RIP;
	own.rflags = FLAGS;
	after.rip = 0;
	after.rflags = ~own.rflags;
	return (struct exposure){
		.row = row, .operand = R11, .bytes = 2, .len = LEN, .vector = 17, .wide = true};
}

static uint64_t low(unsigned int bytes)
{
	return bytes == 8 ? UINT64_MAX : ((uint64_t)1 << 8 * bytes) - 1;
}

static void shown(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct exposure e = exposure_of(want[i].row);

		assert_int_equal(exposure_told(e.row), want[i].told);
		assert_int_equal(exposure_moves(e.row), want[i].next);
		memset(&out, 0xee, sizeof(out));
		exposure_show(&e, &own, &out);
		for (unsigned int r = 0; r < 16; r++)
			assert_int_equal(out.r[r], want[i].shown >> r & 1
							   ? own.r[r] & low(want[i].bytes)
							   : 0);
		assert_int_equal(out.rip, 0);
		assert_int_equal(out.rflags,
				 FLAGS & (RFLAGS_IF | RFLAGS_TF | RFLAGS_VM | RFLAGS_FIXED));
	}
}

static void not_done(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct exposure e = exposure_of(want[i].row);
		int got = exposure_accept(&e, &own, &after, &out);

		assert_int_equal(got, want[i].told ? 0 : ERR_PERM);
		if (!got)
			assert_memory_equal(&out, &own, sizeof(own));
	}
}

static void done(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct exposure e = exposure_of(want[i].row);
		uint64_t mask = low(want[i].bytes);

		after.rip = LEN;
		if (!want[i].next) {
			assert_int_equal(exposure_accept(&e, &own, &after, &out), ERR_PERM);
			continue;
		}
		assert_int_equal(exposure_accept(&e, &own, &after, &out), 1);
		for (unsigned int r = 0; r < 16; r++) {
			uint64_t keep = want[i].bytes == 4 ? 0 : own.r[r] & ~mask;

			assert_int_equal(out.r[r], want[i].accepted >> r & 1
							   ? keep | (after.r[r] & mask)
							   : own.r[r]);
		}
		assert_int_equal(out.rip, RIP + LEN);
		assert_int_equal(out.rflags, FLAGS & ~(uint64_t)RFLAGS_RF);
	}
}

/* An instruction is neither skipped in part nor beyond its end, and none is done where there is none. */
static void elsewhere(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct exposure e = exposure_of(want[i].row);
		const uint64_t rip[] = {1, LEN - 1, LEN + 1, RIP, RIP + LEN, UINT64_MAX};

		for (size_t j = 0; j < ARRAY_SIZE(rip); j++) {
			after.rip = rip[j];
			assert_int_equal(exposure_accept(&e, &own, &after, &out), ERR_PERM);
		}
		e.len = 0;
		after.rip = LEN;
		assert_int_equal(exposure_accept(&e, &own, &after, &out), ERR_PERM);
	}
}

static void raised(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct exposure e = exposure_of(want[i].row);

		assert_int_equal(exposure_raises(&e), want[i].raises);
	}
}

static void narrow_code(void **state)
{
	struct exposure e = exposure_of(EXPOSURE_CR);

	e.wide = false;
	own.rip = 0xfffffffe;
	exposure_show(&e, &own, &out);
	assert_int_equal(out.r[R11], (uint32_t)own.r[R11]);
	after.rip = LEN;
	assert_int_equal(exposure_accept(&e, &own, &after, &out), 1);
	assert_int_equal(out.rip, 1);
}

static void port_sizes(void **state)
{
	for (unsigned int bytes = 1; bytes <= 4; bytes *= 2) {
		struct exposure e = exposure_of(EXPOSURE_PORT_IN);

		e.bytes = (uint8_t)bytes;
		after.rip = LEN;
		assert_int_equal(exposure_accept(&e, &own, &after, &out), 1);
		assert_int_equal(out.r[RAX], bytes == 1   ? 0x8182838485868710u
					     : bytes == 2 ? 0x8182838485861710u
							  : 0x15161710u);
		e.row = EXPOSURE_PORT_OUT;
		exposure_show(&e, &own, &out);
		assert_int_equal(out.r[RAX], own.r[RAX] & low(bytes));
	}
}

/* Their registers are judged elsewhere. */
static void results(void **state)
{
	struct exposure e = exposure_of(EXPOSURE_EMULATED);

	exposure_show(&e, &own, &out);
	assert_memory_equal(&out, &own, sizeof(own));
	assert_int_equal(exposure_accept(&e, &own, &after, &out), ERR_PERM);
	assert_int_equal(exposure_raises(&e), R(6) | R(12) | R(13) | R(14));
	e.row = EXPOSURE_HYPERCALL;
	exposure_show(&e, &own, &out);
	for (unsigned int r = 0; r < 16; r++)
		assert_int_equal(out.r[r], 0);
	assert_int_equal(exposure_accept(&e, &own, &after, &out), ERR_PERM);
}

static void reasons(void **state)
{
	assert_int_equal(exposure_row(EXIT_CPUID, false), EXPOSURE_CPUID);
	assert_int_equal(exposure_row(EXIT_PORT, false), EXPOSURE_PORT_IN);
	assert_int_equal(exposure_row(EXIT_PORT, true), EXPOSURE_PORT_OUT);
	assert_int_equal(exposure_row(EXIT_MSR_WRITE, true), EXPOSURE_MSR_WRITE);
	assert_int_equal(exposure_row(EXIT_APIC, false), EXPOSURE_NESTED_FAULT);
	assert_int_equal(exposure_row(EXIT_REASON_COUNT, false), EXPOSURE_UNKNOWN);
	assert_int_equal(ARRAY_SIZE(want) + 2, EXPOSURE_ROW_COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shown),      cmocka_unit_test(not_done),
		cmocka_unit_test(done),       cmocka_unit_test(elsewhere),
		cmocka_unit_test(raised),     cmocka_unit_test(narrow_code),
		cmocka_unit_test(port_sizes), cmocka_unit_test(results),
		cmocka_unit_test(reasons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
