/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/wipe.h"

#include "ept/phys.h"
#include "monitor/lib.h"
#include "monitor/mem.h"

void wipe_guests(void)
{
	const unsigned int kept = OWNER_L1_READS | 1u << OWNER_NONE | 1u << OWNER_MONITOR;

	for (uint64_t hpa = 0; hpa < mem_top(); hpa += PAGE_SIZE)
		if (!(kept >> owner_kind(owner_of(HPA(hpa))) & 1))
			memset(phys_at(HPA(hpa)), 0, PAGE_SIZE);
}
