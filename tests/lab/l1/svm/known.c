/* SPDX-License-Identifier: Apache-2.0 */
#include "svm/known.h"

#include "lib/test.h"

#define CPUID_HYPERVISOR 0x40000000u
#define SIGNATURE_TCGT 0x54474354u /* "TCGT", "CGTC", "GTCG" */

static bool cpu_is_tcg(void)
{
	return (cpuid(1, 0).c >> 31) && cpuid(CPUID_HYPERVISOR, 0).b == SIGNATURE_TCGT;
}

void tcg_limit(bool seen, const char *deviation)
{
	if (seen && (cpu_is_tcg() || monitor_present()))
		test_skip(deviation);
}

void tcg_lax(bool seen, const char *deviation)
{
	if (seen && !monitor_present() && cpu_is_tcg())
		test_skip(deviation);
}
