/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/iommu/unit.h"
#include "monitor/mem.h"

uint32_t mmio_read32(uint64_t hpa)
{
	return *(volatile uint32_t *)mem_at(HPA(hpa));
}

uint64_t mmio_read64(uint64_t hpa)
{
	return *(volatile uint64_t *)mem_at(HPA(hpa));
}

void mmio_write32(uint64_t hpa, uint32_t value)
{
	*(volatile uint32_t *)mem_at(HPA(hpa)) = value;
}

void mmio_write64(uint64_t hpa, uint64_t value)
{
	*(volatile uint64_t *)mem_at(HPA(hpa)) = value;
}
