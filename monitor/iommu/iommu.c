/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/iommu/iommu.h"

#include "ept/lock.h"
#include "monitor/hypercall.h"
#include "monitor/iommu/unit.h"
#include "monitor/panic.h"

static struct {
	const struct iommu_kind *kind;
	struct iommu_list *list; /* NULL: none is driven */
	struct lock lock;
	uint64_t flushed; /* io_removed() before the last flush that has ended; atomic */
} iommu;

void iommu_drive(const struct iommu_kind *kind, struct iommu_list *list)
{
	iommu.kind = kind;
	iommu.list = list;
}

unsigned int iommu_count(void)
{
	return iommu.list ? iommu.list->count : 0;
}

uint64_t iommu_flags(void)
{
	if (!iommu.list)
		return DMA_OPEN;
	return DMA_BLOCKED | (iommu.list->remaps ? DMA_INTERRUPTS : 0);
}

static bool flushed(uint64_t removed)
{
	return (int64_t)(__atomic_load_n(&iommu.flushed, __ATOMIC_ACQUIRE) - removed) >= 0;
}

/* All of them at once; each fetches its commands while others are told. */
static void flush_all(void)
{
	struct iommu_list *list = iommu.list;
	uint64_t removed = io_removed();
	int err = 0;

	for (unsigned int i = 0; i < list->count; i++)
		iommu.kind->submit(&list->unit[i]);
	for (unsigned int i = 0; i < list->count; i++)
		err |= iommu_wait(&list->unit[i]);
	if (err) /* devices might still reach what changes hands */
		panic("an IOMMU does not answer");
	__atomic_store_n(&iommu.flushed, removed, __ATOMIC_RELEASE);
}

/* Who holds the lock waits for no other CPU. */
void iommu_flush(void)
{
	uint64_t removed = io_removed();

	if (!iommu.list || flushed(removed))
		return;
	lock_take(&iommu.lock);
	if (!flushed(removed))
		flush_all();
	lock_drop(&iommu.lock);
}
