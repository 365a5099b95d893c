/* SPDX-License-Identifier: Apache-2.0 */
/* AMD-Vi (AMD I/O virtualization specification, revision 3.06), with host tables only. */
#include "ept/format.h"
#include "monitor/iommu/unit.h"
#include "monitor/mem.h"

/* 3.4: registers. */
enum amdvi_register {
	REG_DEVICES = 0x0000,
	REG_COMMANDS = 0x0008,
	REG_CONTROL = 0x0018,
	REG_EXCLUSION = 0x0020,
	REG_FEATURES = 0x0030,
	REG_HEAD = 0x2000,
	REG_TAIL = 0x2008,
};

#define BYTES 0x4000u
#define BYTES_COUNTERS 0x80000u /* with performance counters */

#define FEATURE_INVALIDATE_ALL (1u << 6)
#define FEATURE_COUNTERS (1u << 9)

#define CONTROL_ENABLE (1u << 0)
#define CONTROL_COMMANDS (1u << 12)
/* Passed on from the IVHD block's flags: HyperTransport tunnels and ordering. */
#define CONTROL_FLAGS(f) \
	(((f)&1u) << 1 | ((f) >> 1 & 3u) << 8 | ((f) >> 5 & 1u) << 10 | ((f) >> 3 & 1u) << 11)

#define DEVICES 65536u
#define DEVICE_WORDS 4
#define DEVICES_SIZE (DEVICES * DEVICE_WORDS * 8 / PAGE_SIZE - 1)
#define COMMANDS_256 (8ull << 56)

/* 2.2.2.1: a device table entry's words. Guest translation, IOTLB (ATS) and port I/O stay off. */
#define DEVICE_VALID 3u /* and the translation is */
#define DEVICE_MODE(levels) ((uint64_t)(levels) << 9)
#define DEVICE_INTERRUPTS (1ull << 0)     /* of the third word: those below are looked at */
#define DEVICE_PASS_EXTERNAL (1ull << 57) /* from the 8259, whose vector is as good as any */
#define DEVICE_PASS_FIXED (1ull << 60)    /* unchanged; INIT, NMI and SMI do not pass (R22) */

/* 2.2.3: page table entries; and the rights of device table entries. */
#define PTE_PRESENT 1u
#define PTE_NEXT(level) ((uint64_t)(level) << 9)
#define PTE_COHERENT (1ull << 60)
#define PTE_RW (3ull << 61)

/* 2.4: commands. */
#define COMMAND(code) ((uint64_t)(code) << 60)
#define COMMAND_WAIT (COMMAND(1) | 1) /* and store the second word */
#define COMMAND_PAGES (COMMAND(3) | (uint64_t)IOMMU_DOMAIN << 32)
#define COMMAND_PAGES_ALL 0x7ffffffffffff003u /* every address, tables too */
#define COMMAND_ALL COMMAND(8)

static int amdvi_check(struct iommu_list *list, struct io_format *format, const char **why)
{
	for (unsigned int i = 0; i < list->count; i++) {
		struct iommu_unit *unit = &list->unit[i];
		uint64_t features = mmio_read64(unit->base + REG_FEATURES);

		if (!~features || !(features & FEATURE_INVALIDATE_ALL))
			return boot_refuse(ERR_NOSYS, why,
					   "an AMD-Vi unit cannot forget everything at once");
		if (unit->base % BYTES)
			return boot_refuse(ERR_NOSYS, why, "an AMD-Vi unit is not aligned");
		unit->bytes = features & FEATURE_COUNTERS ? BYTES_COUNTERS : BYTES;
	}
	*format = (struct io_format){.levels = 4, .leaf_max = 3};
	for (unsigned int level = 1; level <= IO_LEVELS_MAX; level++) {
		format->leaf[level] = PTE_PRESENT | PTE_COHERENT | PTE_RW;
		format->table[level] = PTE_PRESENT | PTE_RW | PTE_NEXT(level - 1);
	}
	return 0;
}

/* One table for all units and devices, with the same entry for each. */
static hpa_t make_devices(bool remaps)
{
	uint64_t *table = mem_pages(DEVICES_SIZE + 1);

	for (size_t i = 0; i < DEVICES; i++) {
		uint64_t *entry = &table[i * DEVICE_WORDS];

		entry[0] = DEVICE_VALID | DEVICE_MODE(io_levels()) | io_root().a | PTE_RW;
		entry[1] = IOMMU_DOMAIN;
		if (remaps)
			entry[2] = DEVICE_INTERRUPTS | DEVICE_PASS_EXTERNAL | DEVICE_PASS_FIXED;
	}
	io_write_back(table, (DEVICES_SIZE + 1) * PAGE_SIZE);
	return mem_hpa(table);
}

static void wait_behind(struct iommu_unit *unit)
{
	iommu_command(unit, COMMAND_WAIT | mem_hpa((const void *)unit->done).a, ++unit->ticket);
	mmio_write64(unit->base + REG_TAIL, unit->tail * 16);
}

static void submit(struct iommu_unit *unit)
{
	iommu_command(unit, COMMAND_PAGES, COMMAND_PAGES_ALL);
	wait_behind(unit);
}

/* Not while it translates may its table change: if the firmware used it, DMA is open for that moment. */
static int enable_unit(struct iommu_unit *unit, hpa_t devices)
{
	uint64_t control = CONTROL_FLAGS(unit->flags) | CONTROL_ENABLE | CONTROL_COMMANDS;

	iommu_make_queue(unit);
	mmio_write64(unit->base + REG_CONTROL, 0);
	mmio_write64(unit->base + REG_EXCLUSION, 0);
	mmio_write64(unit->base + REG_DEVICES, devices.a | DEVICES_SIZE);
	mmio_write64(unit->base + REG_COMMANDS, mem_hpa(unit->queue).a | COMMANDS_256);
	mmio_write64(unit->base + REG_HEAD, 0);
	mmio_write64(unit->base + REG_TAIL, 0);
	mmio_write64(unit->base + REG_CONTROL, control);
	iommu_command(unit, COMMAND_ALL, 0);
	wait_behind(unit);
	return iommu_wait(unit);
}

static int amdvi_enable(struct iommu_list *list)
{
	hpa_t devices = make_devices(list->remaps);
	int err = 0;

	for (unsigned int i = 0; !err && i < list->count; i++)
		err = enable_unit(&list->unit[i], devices);
	return err;
}

const struct iommu_kind amdvi_kind = {"AMD-Vi", amdvi_check, amdvi_enable, submit};
