/* SPDX-License-Identifier: Apache-2.0 */
#include "vmx/known.h"

#include "lib/test.h"
#include "vmx/fields.h"

#define BOCHS_REVISION 0x2bu /* VMCS revision: Bochs's own, 2.3 to 2.7 */

static bool cpu_is_bochs(void)
{
	return (uint32_t)rdmsr(MSR_VMX_BASIC) == BOCHS_REVISION;
}

void bochs_limit(bool seen, const char *deviation)
{
	if (seen && (cpu_is_bochs() || monitor_present()))
		test_skip(deviation);
}

void bochs_lax(bool seen, const char *deviation)
{
	if (seen && !monitor_present() && cpu_is_bochs())
		test_skip(deviation);
}
