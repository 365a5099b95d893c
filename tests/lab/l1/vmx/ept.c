/* SPDX-License-Identifier: Apache-2.0 */
#include "vmx/ept.h"

#include "lib/pages.h"

uint64_t *ept_identity(void)
{
	uint64_t *root = page_alloc(), *pdpt = page_alloc();

	root[0] = (uint64_t)pdpt | EPT_ALL;
	for (uint64_t g = 0; g < 4; g++) {
		uint64_t *pd = page_alloc();

		pdpt[g] = (uint64_t)pd | EPT_ALL;
		for (uint64_t i = 0; i < 512; i++)
			pd[i] = g * GIB + i * 2 * MIB + EPT_ALL + EPT_WB + EPT_LARGE;
	}
	return root;
}

static uint64_t page_bytes(enum table_level level)
{
	return PAGE_SIZE << 9 * (level - 1);
}

/* Makes *entry, of `level`, point to a table that says the same as it did. */
static uint64_t *descend(uint64_t *entry, enum table_level level)
{
	uint64_t old = *entry;
	uint64_t *table;

	if ((old & EPT_ALL) && !(old & EPT_LARGE))
		return (uint64_t *)(old & EPT_ADDRESS);
	table = page_alloc();
	for (uint64_t i = 0; (old & EPT_ALL) && i < 512; i++) {
		table[i] = old + i * page_bytes(level - 1);
		if (level == LEVEL_2M)
			table[i] &= ~(uint64_t)EPT_LARGE;
	}
	*entry = (uint64_t)table | EPT_ALL;
	return table;
}

uint64_t *ept_entry(uint64_t *root, uint64_t gpa, enum table_level level)
{
	uint64_t *table = root;

	for (enum table_level l = LEVEL_512G;; l--) {
		uint64_t *entry = &table[gpa / page_bytes(l) % 512];

		if (l == level)
			return entry;
		table = descend(entry, l);
	}
}

void ept_map(uint64_t *root, uint64_t gpa, uint64_t hpa, uint64_t rights)
{
	*ept_entry(root, gpa, LEVEL_4K) = hpa | rights | EPT_WB;
}
