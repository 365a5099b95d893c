/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/format.h"
#include "monitor/arch.h"
#include "monitor/iommu/unit.h"
#include "monitor/mem.h"

#define COMMANDS 256u /* in a page */

void iommu_make_queue(struct iommu_unit *unit)
{
	unit->queue = mem_pages(2);
	unit->done = unit->queue + TABLE_ENTRIES;
	unit->tail = 0;
	unit->ticket = 0;
}

void iommu_command(struct iommu_unit *unit, uint64_t lo, uint64_t hi)
{
	uint64_t *at = &unit->queue[2 * (size_t)unit->tail];

	at[0] = lo;
	at[1] = hi;
	io_write_back(at, 2 * sizeof(*at));
	unit->tail = (unit->tail + 1) % COMMANDS;
}

int iommu_wait(const struct iommu_unit *unit)
{
	uint64_t start = arch_rdtsc();

	while (*unit->done != unit->ticket) {
		if (arch_rdtsc() - start > IOMMU_TICKS)
			return ERR_IO;
		arch_pause();
	}
	return 0;
}
