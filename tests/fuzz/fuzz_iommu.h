/* SPDX-License-Identifier: Apache-2.0 */
/* For fuzz_dmar and fuzz_ivrs: the input is what follows a table's fixed part; reads are exact. */
#ifndef TESTS_FUZZ_FUZZ_IOMMU_H
#define TESTS_FUZZ_FUZZ_IOMMU_H

#include "monitor/iommu/unit.h"
#include "tests/unit/test_boot_ram.h"

#define TABLE_AT 0x100000u
#define TABLE_FIXED 48u
#define TABLE_MAX 0x4000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void check_list(const struct iommu_list *list)
{
	if (list->count > IOMMU_UNITS_MAX || list->reserved_count > IOMMU_RESERVED_MAX)
		abort();
	for (unsigned int i = 0; i < list->count; i++) {
		if (!list->unit[i].base || page_offset(list->unit[i].base))
			abort();
		for (unsigned int j = 0; j < i; j++)
			if (list->unit[i].base == list->unit[j].base)
				abort();
	}
	for (unsigned int i = 0; i < list->reserved_count; i++) {
		struct range r = list->reserved[i];

		if (r.start >= r.end || page_offset(r.start | r.end))
			abort();
	}
}

static inline int fuzz_table(int (*parse)(struct iommu_list *, const struct acpi_table *,
					  const char **),
			     const uint8_t *data, size_t size)
{
	struct acpi_table table = {HPA(TABLE_AT), (uint32_t)(TABLE_FIXED + size), "TEST"};
	static struct iommu_list list;
	const char *why = NULL;
	int error;

	if (size > TABLE_MAX)
		return 0;
	ram_put(TABLE_AT + TABLE_FIXED, data, size);
	ram_reset((struct range){TABLE_AT, TABLE_AT + table.length}, true);
	memset(&list, 0, sizeof(list));
	error = parse(&list, &table, &why);
	if (error && (error > 0 || !why))
		abort();
	check_list(&list);
	return 0;
}

#endif
