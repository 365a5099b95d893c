/* SPDX-License-Identifier: Apache-2.0 */
/* What L1 does not see of the processor, leaf by leaf; and how wide addresses are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/svm/svm.h"

#define NRIPS_AND_ASSISTS (1u << 3 | 1u << 7)
#define OFFERED (1u << 0 | 1u << 1 | 1u << 5 | 1u << 6 | 1u << 10 | 1u << 12 | 1u << 16 | 1u << 28)
#define ALL                                                    \
	{                                                      \
		UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX \
	}

static void leaves(void **state)
{
	static const struct {
		uint32_t leaf, subleaf;
		struct cpuid hidden; /* bits */
	} row[] = {
		{1, 0, {0}},
		{7, 0, {.c = 1u << 7 | 1u << 31, .d = 1u << 20}},
		{7, 1, {0}},
		{0xd, 0, {0}},
		{0xd, 1, {.c = UINT32_MAX, .d = UINT32_MAX}},
		{0xd, 2, {0}},
		{0x80000001, 0, {.c = 1u << 10 | 1u << 12 | 1u << 15}},
		{0x80000007, 0, {0}},
		{0x80000008, 0, {.b = 1u << 3}},
		{0x8000000a, 0, {.d = ~(OFFERED | NRIPS_AND_ASSISTS)}},
		{0x8000001b, 0, ALL},
		{0x8000001c, 0, ALL},
		{0x8000001e, 0, {0}},
		{0x8000001f, 0, ALL},
		{0x80000022, 0, {.a = 6}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct cpuid r = ALL, none = {0};

		svm_hide_cpuid(row[i].leaf, row[i].subleaf, &r);
		assert_int_equal(r.a, ~row[i].hidden.a);
		assert_int_equal(r.b, ~row[i].hidden.b);
		assert_int_equal(r.c, ~row[i].hidden.c);
		assert_int_equal(r.d, ~row[i].hidden.d);
		svm_hide_cpuid(row[i].leaf, row[i].subleaf, &none);
		assert_false(none.a | none.b | none.c);
		assert_int_equal(none.d, row[i].leaf == 0x8000000a ? NRIPS_AND_ASSISTS : 0);
	}
}

static void address_bits(void **state)
{
	const struct cpuid none = {0}, naples = {1, 5u << 6 | 47, 0, 0}, whole = {1, 47, 0, 0};
	const uint64_t on = 1u << 23;

	assert_int_equal(svm_address_bits(48, none, UINT64_MAX), 48);
	assert_int_equal(svm_address_bits(48, naples, ~on), 48);
	assert_int_equal(svm_address_bits(48, naples, on), 43);
	assert_int_equal(svm_address_bits(48, whole, on), 47);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves),
		cmocka_unit_test(address_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
