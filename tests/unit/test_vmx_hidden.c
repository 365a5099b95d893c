/* SPDX-License-Identifier: Apache-2.0 */
/* What L1 does not get of the processor: by MSR, by CPUID leaf, by bit of IA32_XSS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/vmx/vmx.h"

struct vmx_caps hw_caps; /* as caps.c would find them */

static void msrs(void **state)
{
	unsigned int n = 0;

	for (uint32_t msr = 0; msr < 0x2000; msr++)
		n += caps_hides_msr(msr);
	assert_int_equal(n, 1 + 18 + 8 + 1 + 2);
	for (uint32_t msr = 0x560; msr <= 0x571; msr++)
		assert_true(
			caps_hides_msr(msr)); /* Processor Trace's output, control, status, CR3 */
	for (uint32_t msr = 0x580; msr <= 0x587; msr++)
		assert_true(caps_hides_msr(msr));
	assert_true(caps_hides_msr(0x600));                            /* DS_AREA */
	assert_true(caps_hides_msr(0x17d0) && caps_hides_msr(0x17d1)); /* hardware feedback */
	assert_true(caps_hides_msr(0x3f1));                            /* PEBS_ENABLE */
	assert_false(caps_hides_msr(0xc0000080));
	assert_false(caps_hides_msr(UINT32_MAX));
}

static void xss(void **state)
{
	const uint64_t passed = 1u << 10 | 1u << 13 | 1u << 16;

	assert_true(caps_xss_ok(0));
	assert_true(caps_xss_ok(passed));
	for (unsigned int bit = 0; bit < 64; bit++)
		assert_int_equal(caps_xss_ok(1ull << bit), passed >> bit & 1);
	assert_false(caps_xss_ok(passed | 1u << 8)); /* Processor Trace */
}

struct row {
	uint32_t leaf, subleaf;
	struct cpuid hidden; /* bits */
};

static void expect_hidden(const struct row *row)
{
	struct cpuid r = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX}, none = {0};

	caps_hide_cpuid(row->leaf, row->subleaf, &r);
	assert_int_equal(r.a, ~row->hidden.a);
	assert_int_equal(r.b, ~row->hidden.b);
	assert_int_equal(r.c, ~row->hidden.c);
	assert_int_equal(r.d, ~row->hidden.d);
	caps_hide_cpuid(row->leaf, row->subleaf, &none); /* and adds nothing */
	assert_false(none.a | none.b | none.c | none.d);
}

#define ALL                                                    \
	{                                                      \
		UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX \
	}

static void leaves(void **state)
{
	static const struct row rows[] = {
		{0, 0, {0}},
		/* 64-bit debug store, SMX, PERF_CAPABILITIES; debug store */
		{1, 0, {.c = 1u << 2 | 1u << 6 | 1u << 15, .d = 1u << 21}},
		{6, 0, {.a = 1u << 19 | 1u << 23}}, /* hardware feedback */
		/* SGX, PT; CET, LA57, key locker, SGX, PKS, WAITPKG; UINTR, PCONFIG, IBT */
		{7,
		 0,
		 {0, 1u << 2 | 1u << 25,
		  1u << 5 | 1u << 7 | 1u << 13 | 1u << 16 | 1u << 23 | 1u << 30 | 1u << 31,
		  1u << 5 | 1u << 18 | 1u << 20}},
		{7, 1, {.a = 1u << 6 | 1u << 17 | 1u << 26}},
		{7, 2, {0}},
		{0xd, 0, {0}},
		{0xd, 1, {0, 0, ~(1u << 10 | 1u << 13 | 1u << 16), UINT32_MAX}},
		{0xd, 2, {0}},
		{0x12, 0, ALL},
		{0x12, 3, ALL},
		{0x14, 0, ALL},
		{0x14, 1, ALL},
		{0x13, 0, {0}},
		{0x15, 0, {0}},
		{0x80000001, 0, {0}},
		{0x80000007, 0, {0}},
	};

	hw_caps.cpu2.may = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_hidden(&rows[i]);
}

/* TPAUSE and UMWAIT are there where a control can allow them. */
static void user_waits(void **state)
{
	struct cpuid r = ALL;

	hw_caps.cpu2.may = CPU2_USER_WAIT;
	caps_hide_cpuid(7, 0, &r);
	assert_int_equal(~r.c, 1u << 7 | 1u << 13 | 1u << 16 | 1u << 23 | 1u << 30 | 1u << 31);
	hw_caps.cpu2.may = ~CPU2_USER_WAIT;
	caps_hide_cpuid(7, 0, &r);
	assert_false(r.c & 1u << 5);
}

static void address_bits(void **state)
{
	assert_int_equal(caps_address_bits(46, 0), 46);
	assert_int_equal(caps_address_bits(46, 6ull << 32 | 1), 46); /* locked, and off */
	assert_int_equal(caps_address_bits(46, 6ull << 32 | 3), 40);
	assert_int_equal(caps_address_bits(52, 0xf0ull << 32 | 2), 52);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(msrs),         cmocka_unit_test(xss),
		cmocka_unit_test(leaves),       cmocka_unit_test(user_waits),
		cmocka_unit_test(address_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
