/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/tables.h"

#include "lib/pages.h"

static const struct table_format long_mode = {.all = PTE_ALL, .present = PTE_P};

struct gate64 gate64(uint64_t offset, uint16_t selector, uint16_t attributes)
{
	return (struct gate64){
		(uint16_t)offset,         selector, attributes, (uint16_t)(offset >> 16),
		(uint32_t)(offset >> 32), 0};
}

struct gate32 gate32(uint32_t offset, uint16_t selector, uint16_t attributes)
{
	return (struct gate32){(uint16_t)offset, selector, attributes, (uint16_t)(offset >> 16)};
}

uint64_t *table_identity_of(const struct table_format *f)
{
	uint64_t *root = page_alloc(), *pdpt = page_alloc();

	root[0] = (uint64_t)pdpt | f->all;
	for (uint64_t g = 0; g < 4; g++) {
		uint64_t *pd = page_alloc();

		pdpt[g] = (uint64_t)pd | f->all;
		for (uint64_t i = 0; i < 512; i++)
			pd[i] = g * GIB + i * 2 * MIB + f->all + f->leaf + PTE_LARGE;
	}
	return root;
}

static uint64_t page_bytes(enum table_level level)
{
	return PAGE_SIZE << 9 * (level - 1);
}

/* Makes *entry, of `level`, point to a table that says the same as it did. */
static uint64_t *descend(const struct table_format *f, uint64_t *entry, enum table_level level)
{
	uint64_t old = *entry;
	uint64_t *table;

	if ((old & f->present) && !(old & PTE_LARGE))
		return (uint64_t *)(old & PTE_ADDRESS);
	table = page_alloc();
	for (uint64_t i = 0; (old & f->present) && i < 512; i++) {
		table[i] = old + i * page_bytes(level - 1);
		if (level == LEVEL_2M)
			table[i] &= ~(uint64_t)PTE_LARGE;
	}
	*entry = (uint64_t)table | f->all;
	return table;
}

uint64_t *table_entry_of(const struct table_format *f, uint64_t *root, uint64_t address,
			 enum table_level level)
{
	uint64_t *table = root;

	for (enum table_level l = LEVEL_512G;; l--) {
		uint64_t *entry = &table[address / page_bytes(l) % 512];

		if (l == level)
			return entry;
		table = descend(f, entry, l);
	}
}

uint64_t *table_identity(void)
{
	return table_identity_of(&long_mode);
}

uint64_t *table_entry(uint64_t *root, uint64_t address, enum table_level level)
{
	return table_entry_of(&long_mode, root, address, level);
}

void table_map(uint64_t *root, uint64_t from, uint64_t to, uint64_t rights)
{
	*table_entry(root, from, LEVEL_4K) = to | rights;
}
