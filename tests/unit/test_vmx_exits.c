/* SPDX-License-Identifier: Apache-2.0 */
/* Every exit reason in the words that both vendors share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/vmx/vmx.h"

#define NMI (1u << 31 | 2u << 8 | 2)

/*
 * SDM volume 3, appendix C. What is not here is unknown: SMIs (5, 6) and RSM go to no monitor like
 * ours, a machine check during entry (41) comes as a failed one, and 45, 52, 56, 59, 60, 62 and 65
 * to 75 need controls that neither L1 nor the monitor has.
 */
static const struct {
	uint32_t first, last;
	enum exit_reason reason;
} table[] = {
	{0, 0, EXIT_EXCEPTION},    {1, 1, EXIT_INTR},           {2, 2, EXIT_SHUTDOWN},
	{3, 4, EXIT_INIT},         {7, 8, EXIT_VINTR},          {9, 9, EXIT_TASK},
	{10, 10, EXIT_CPUID},      {11, 11, EXIT_OTHER}, /* GETSEC */
	{12, 12, EXIT_HLT},        {13, 13, EXIT_CACHE},        {14, 14, EXIT_INVLPG},
	{15, 15, EXIT_PMC},        {16, 16, EXIT_TSC},          {18, 18, EXIT_HYPERCALL},
	{19, 19, EXIT_STATE},      {20, 20, EXIT_ENTER},        {21, 23, EXIT_STATE},
	{24, 24, EXIT_ENTER},      {25, 27, EXIT_STATE},        {28, 28, EXIT_CR},
	{29, 29, EXIT_DR},         {30, 30, EXIT_PORT},         {31, 31, EXIT_MSR_READ},
	{32, 32, EXIT_MSR_WRITE},  {33, 34, EXIT_INVALID},      {36, 36, EXIT_MWAIT},
	{37, 37, EXIT_OTHER}, /* trap flag */
	{39, 39, EXIT_MWAIT},      {40, 40, EXIT_PAUSE},        {43, 44, EXIT_APIC},
	{46, 47, EXIT_DESCRIPTOR}, {48, 49, EXIT_NESTED_FAULT}, {50, 50, EXIT_TLB},
	{51, 51, EXIT_TSCP},       {53, 53, EXIT_TLB},          {54, 54, EXIT_CACHE},
	{55, 55, EXIT_XSETBV},     {57, 57, EXIT_OTHER}, /* RDRAND */
	{58, 58, EXIT_INVLPG},     {61, 61, EXIT_OTHER}, /* RDSEED */
	{63, 64, EXIT_OTHER},                            /* XSAVES, XRSTORS */
	{76, 77, EXIT_OTHER},                            /* SEAMCALL, TDCALL */
};

static enum exit_reason expected(uint32_t reason)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (reason >= table[i].first && reason <= table[i].last)
			return table[i].reason;
	return EXIT_UNKNOWN;
}

static void every_reason(void **state)
{
	for (uint32_t reason = 0; reason <= UINT16_MAX; reason++) {
		enum exit_reason want = expected(reason);

		assert_int_equal(vmx_reason(reason, 0), want);
		/* Bits above the basic reason: enclave, pending trap, and so on. */
		assert_int_equal(vmx_reason(reason | 0x7fff0000, 0), want);
		assert_int_equal(vmx_reason(reason | 1u << 31, 0), EXIT_INVALID);
		assert_int_equal(vmx_reason(reason | 1u << 31, NMI), EXIT_INVALID);
	}
}

static void an_nmi_is_no_exception(void **state)
{
	assert_int_equal(vmx_reason(0, NMI), EXIT_NMI);
	for (uint32_t type = 0; type < 8; type++)
		assert_int_equal(vmx_reason(0, 1u << 31 | type << 8 | 2),
				 type == 2 ? EXIT_NMI : EXIT_EXCEPTION);
	for (uint32_t reason = 1; reason < 80; reason++)
		assert_int_equal(vmx_reason(reason, NMI), expected(reason));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason),
		cmocka_unit_test(an_nmi_is_no_exception),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
