/* SPDX-License-Identifier: Apache-2.0 */
/* For the IOMMUs' drivers: a machine with memory for their tables, and one unit's registers. */
#ifndef TESTS_UNIT_TEST_IOMMU_H
#define TESTS_UNIT_TEST_IOMMU_H

#include "ept/io.h"
#include "monitor/iommu/unit.h"
#include "tests/unit/test_machine.h"

#define TOP (4 * GIB)
#define IOMMU_BLOCK (64 * MIB) /* the monitor's memory */
#define UNITS 2
#define BASE(i) (0xfed80000u + (uint64_t)(i)*0x10000u)
#define REGISTERS 0x4000u

static uint8_t registers[UNITS][REGISTERS];
static unsigned int events; /* what the units have seen, in order */

/* A test's own: it is told after a write. */
static void written(unsigned int unit, uint32_t at, uint64_t value);

static uint64_t get(unsigned int unit, uint32_t at, size_t bytes)
{
	uint64_t value = 0;

	assert_true(unit < UNITS && at + bytes <= REGISTERS && at % bytes == 0);
	memcpy(&value, &registers[unit][at], bytes);
	return value;
}

static void set(unsigned int unit, uint32_t at, uint64_t value, size_t bytes)
{
	assert_true(unit < UNITS && at + bytes <= REGISTERS && at % bytes == 0);
	memcpy(&registers[unit][at], &value, bytes);
}

#define UNIT_OF(hpa) ((unsigned int)(((hpa)-BASE(0)) / 0x10000u))
#define AT_OF(hpa) ((uint32_t)((hpa)-BASE(UNIT_OF(hpa))))

uint32_t mmio_read32(uint64_t hpa)
{
	return (uint32_t)get(UNIT_OF(hpa), AT_OF(hpa), 4);
}

uint64_t mmio_read64(uint64_t hpa)
{
	return get(UNIT_OF(hpa), AT_OF(hpa), 8);
}

void mmio_write32(uint64_t hpa, uint32_t value)
{
	written(UNIT_OF(hpa), AT_OF(hpa), value);
}

void mmio_write64(uint64_t hpa, uint64_t value)
{
	written(UNIT_OF(hpa), AT_OF(hpa), value);
}

#ifndef BLOCK_TEST
static struct iommu_list list;
static struct io_format format;
static const char *why;

static inline void start(void)
{
	fake_reset();
	fake_add_monitor(HPA(IOMMU_BLOCK), 8 * MIB);
	memset(registers, 0, sizeof(registers));
	memset(&list, 0, sizeof(list));
	memset(&format, 0, sizeof(format));
	events = 0;
	why = NULL;
	list.count = UNITS;
	for (unsigned int i = 0; i < UNITS; i++)
		list.unit[i].base = BASE(i);
}

#endif

/* What an IOMMU would read there. */
static uint64_t *memory(uint64_t hpa)
{
	assert_true(mem_is_monitor(HPA(hpa)));
	return mem_at(HPA(hpa));
}

#endif
