/* SPDX-License-Identifier: Apache-2.0 */
#include "vmx/ept.h"

static const struct table_format ept = {.all = EPT_ALL, .present = EPT_ALL, .leaf = EPT_WB};

_Static_assert(EPT_LARGE == PTE_LARGE && EPT_ADDRESS == PTE_ADDRESS,
	       "lib/tables.c uses one of each");

uint64_t *ept_identity(void)
{
	return table_identity_of(&ept);
}

uint64_t *ept_entry(uint64_t *root, uint64_t gpa, enum table_level level)
{
	return table_entry_of(&ept, root, gpa, level);
}

void ept_map(uint64_t *root, uint64_t gpa, uint64_t hpa, uint64_t rights)
{
	*ept_entry(root, gpa, LEVEL_4K) = hpa | rights | EPT_WB;
}
