/* SPDX-License-Identifier: Apache-2.0 */
/* Every exit code's reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/svm/svm.h"

struct svm_features svm_features;

/* --- reasons ---------------------------------------------------------------------------------- */

/* APM volume 2, appendix C, as ranges of codes; what is in none of them is unknown. */
static const struct {
	uint64_t first, last;
	enum exit_reason reason;
} table[] = {
	{0x00, 0x1f, EXIT_CR},
	{0x20, 0x3f, EXIT_DR},
	{0x40, 0x5f, EXIT_EXCEPTION},
	{0x60, 0x60, EXIT_INTR},
	{0x61, 0x61, EXIT_NMI},
	{0x62, 0x62, EXIT_OTHER}, /* SMI */
	{0x63, 0x63, EXIT_INIT},
	{0x64, 0x64, EXIT_VINTR},
	{0x65, 0x65, EXIT_CR},
	{0x66, 0x6d, EXIT_DESCRIPTOR},
	{0x6e, 0x6e, EXIT_TSC},
	{0x6f, 0x6f, EXIT_PMC},
	{0x70, 0x71, EXIT_OTHER}, /* PUSHF, POPF */
	{0x72, 0x72, EXIT_CPUID},
	{0x73, 0x73, EXIT_OTHER}, /* RSM */
	{0x74, 0x74, EXIT_IRET},
	{0x75, 0x75, EXIT_OTHER}, /* INT */
	{0x76, 0x76, EXIT_CACHE},
	{0x77, 0x77, EXIT_PAUSE},
	{0x78, 0x78, EXIT_HLT},
	{0x79, 0x79, EXIT_INVLPG},
	{0x7a, 0x7a, EXIT_TLB},
	{0x7b, 0x7b, EXIT_PORT},
	{0x7c, 0x7c, EXIT_MSR_READ},
	{0x7d, 0x7d, EXIT_TASK},
	{0x7e, 0x7e, EXIT_OTHER}, /* FERR */
	{0x7f, 0x7f, EXIT_SHUTDOWN},
	{0x80, 0x80, EXIT_ENTER},
	{0x81, 0x81, EXIT_HYPERCALL},
	{0x82, 0x83, EXIT_STATE},
	{0x84, 0x85, EXIT_GIF},
	{0x86, 0x86, EXIT_OTHER}, /* SKINIT */
	{0x87, 0x87, EXIT_TSCP},
	{0x88, 0x88, EXIT_OTHER}, /* ICEBP */
	{0x89, 0x89, EXIT_CACHE},
	{0x8a, 0x8c, EXIT_MWAIT},
	{0x8d, 0x8d, EXIT_XSETBV},
	{0x8e, 0x8e, EXIT_PMC}, /* RDPRU */
	{0x400, 0x400, EXIT_NESTED_FAULT},
	{UINT64_MAX, UINT64_MAX, EXIT_INVALID},
};

static enum exit_reason reason(uint64_t code, uint64_t info1)
{
	static struct vmcb v;

	v.c.exit_code = code;
	v.c.exit_info1 = info1;
	return svm_reason(&v);
}

static enum exit_reason expected(uint64_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (code >= table[i].first && code <= table[i].last)
			return table[i].reason;
	return EXIT_UNKNOWN;
}

static void every_code_has_its_reason(void **state)
{
	const uint64_t far[] = {0x10000,     INT32_MAX,  1ull << 31,     UINT32_MAX,    1ull << 32,
				0x100000072, 1ull << 63, UINT64_MAX - 1, UINT64_MAX - 2};

	for (uint64_t code = 0; code < 0x1000; code++)
		if (reason(code, 0) != expected(code))
			fail_msg("code %lx: %d", code, reason(code, 0));
	for (size_t i = 0; i < ARRAY_SIZE(far); i++)
		assert_int_equal(reason(far[i], 0), EXIT_UNKNOWN);
	assert_int_equal(reason(UINT64_MAX, 0), EXIT_INVALID);
}

static void reading_and_writing_an_msr(void **state)
{
	assert_int_equal(reason(VMEXIT_MSR, 0), EXIT_MSR_READ);
	assert_int_equal(reason(VMEXIT_MSR, 1), EXIT_MSR_WRITE);
	assert_int_equal(reason(VMEXIT_CPUID, 1), EXIT_CPUID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_its_reason),
		cmocka_unit_test(reading_and_writing_an_msr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
