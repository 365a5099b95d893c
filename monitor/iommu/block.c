/* SPDX-License-Identifier: Apache-2.0 */
#include "ept/format.h"
#include "ept/host.h"
#include "monitor/arch.h"
#include "monitor/iommu/iommu.h"
#include "monitor/iommu/unit.h"
#include "monitor/log.h"
#include "monitor/mem.h"
#include "monitor/panic.h"

#define BIOS_START 0xc0000u         /* its segments, and option ROMs', up to 1 MiB */
#define CPUID_HYPERVISOR (1u << 31) /* leaf 1, ECX: this is a virtual machine */

static struct iommu_list units;

int iommu_add_unit(struct iommu_list *list, uint64_t base, uint8_t flags, const char **why)
{
	for (unsigned int i = 0; i < list->count; i++)
		if (list->unit[i].base == base)
			return 0; /* described twice */
	if (!base || page_offset(base))
		return boot_refuse(ERR_INVAL, why, "an IOMMU's registers are at a wrong address");
	if (list->count == IOMMU_UNITS_MAX)
		return boot_refuse(ERR_2BIG, why, "more than 64 IOMMUs");
	list->unit[list->count++] = (struct iommu_unit){.base = base, .flags = flags};
	return 0;
}

int iommu_add_reserved(struct iommu_list *list, uint64_t start, uint64_t end, const char **why)
{
	if (end <= start || page_offset(start | end))
		return boot_refuse(ERR_INVAL, why, "memory reserved for devices has wrong bounds");
	if (list->reserved_count == IOMMU_RESERVED_MAX)
		return boot_refuse(ERR_2BIG, why, "more than 64 ranges reserved for devices");
	list->reserved[list->reserved_count++] = (struct range){start, end};
	return 0;
}

/* Whether all of it is in one region of the map that is neither RAM nor unknown. */
static bool is_reserved(const struct memmap *map, struct range r)
{
	for (unsigned int i = 0; i < map->count; i++) {
		const struct region *in = &map->region[i];

		if (r.start >= in->start && r.end <= in->end)
			return in->type == REGION_RESERVED || in->type == REGION_NVS;
	}
	return false;
}

static bool meets_ram(const struct memmap *map, struct range r)
{
	for (unsigned int i = 0; i < map->count; i++)
		if (map->region[i].type == REGION_RAM &&
		    range_overlaps(r, (struct range){map->region[i].start, map->region[i].end}))
			return true;
	return false;
}

static struct range registers(const struct iommu_unit *unit)
{
	return (struct range){unit->base, unit->base + unit->bytes};
}

/* Before they are read: what the monitor cannot see, and what L1 could map again, is refused. */
static int check_places(const struct boot_info *info, const char **why)
{
	if (!units.count)
		return boot_refuse(ERR_NOENT, why, "ACPI's table of IOMMUs lists none");
	for (unsigned int i = 0; i < units.count; i++) {
		uint64_t base = units.unit[i].base;

		if (base >= mem_top() ||
		    meets_ram(&info->map, (struct range){base, base + PAGE_SIZE}))
			return boot_refuse(ERR_NOSYS, why,
					   "an IOMMU's registers are above RAM, or in it");
	}
	return 0;
}

bool iommu_listed(const struct boot_info *info)
{
	struct acpi_table table;
	const char *why;

	return !acpi_find(&table, info, "DMAR", &why) || !acpi_find(&table, info, "IVRS", &why);
}

static int find(const struct boot_info *info, const struct iommu_kind **kind,
		struct acpi_table *table, const char **why)
{
	int err = acpi_find(table, info, "DMAR", why);

	*kind = &vtd_kind;
	if (!err)
		return dmar_parse(&units, table, why);
	if (err != ERR_NOENT)
		return err;
	*kind = &amdvi_kind;
	err = acpi_find(table, info, "IVRS", why);
	if (err == ERR_NOENT)
		*why = "there is no IOMMU, or it is turned off in the firmware";
	if (err)
		return err;
	err = ivrs_parse(&units, table, why);
	/* QEMU's delivers vector 0 for each interrupt that is to pass as it is: docs/dma.md. */
	if (arch_cpuid(1, 0).c & CPUID_HYPERVISOR)
		units.remaps = false;
	return err;
}

/* The monitor's from now on. */
static void hide_registers(const struct boot_info *info)
{
	for (unsigned int i = 0; i < units.count; i++) {
		struct range r = registers(&units.unit[i]);

		if (r.end > mem_top() || meets_ram(&info->map, r) ||
		    host_set(HPA(r.start), r.end - r.start, 0))
			die("an IOMMU's registers can not be kept from L1");
	}
}

/* Only what L1 may use, too: not what is kept from it (R22). */
static void reserve(const struct boot_info *info, struct range r)
{
	bool good = r.end <= mem_top() && is_reserved(&info->map, r);

	for (uint64_t a = r.start; good && a < r.end; a += PAGE_SIZE)
		good = host_allows(HPA(a), TABLE_RWX);
	if (!good)
		log_line(
			"memory at %lx is reserved for devices, but not in the memory map: ignored",
			r.start);
	else if (io_set(HPA(r.start), r.end - r.start, true))
		log_line("no room to let devices reach what is reserved for them at %lx", r.start);
}

static bool is_firmwares(uint32_t type)
{
	return type == REGION_RESERVED || type == REGION_NVS;
}

/* Where memory below 4 GiB ends: behind its last RAM may be some of the firmware's, without a hole. */
static uint64_t low_end(const struct memmap *map)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < map->count && map->region[i].start < 4 * GIB; i++) {
		const struct region *r = &map->region[i];

		if (r->type == REGION_RAM ||
		    (r->start == end && (r->type == REGION_ACPI || is_firmwares(r->type))))
			end = r->end;
	}
	return end;
}

static int open_range(uint64_t start, uint64_t end)
{
	int err = 0;

	for (uint64_t a = ALIGN_DOWN(start, PAGE_SIZE); a < end; a += PAGE_SIZE)
		if (owner_kind(owner_of(HPA(a))) == OWNER_NONE && host_allows(HPA(a), TABLE_RWX))
			err |= io_set(HPA(a), PAGE_SIZE, true);
	return err;
}

/*
 * A BIOS that is called for its disks, as Xen does, has its DMA structures in memory that it keeps beside
 * L1's RAM, and in its own segments, which the map may not list. What is elsewhere is device registers.
 */
static int open_firmwares(const struct memmap *map)
{
	uint64_t limit = low_end(map);
	int err = open_range(BIOS_START, MIB);

	for (unsigned int i = 0; i < map->count && map->region[i].start < limit; i++)
		if (is_firmwares(map->region[i].type))
			err |= open_range(map->region[i].start, map->region[i].end);
	return err;
}

static int prepare(const struct boot_info *info, const struct iommu_kind **kind,
		   struct acpi_table *table, const char **why)
{
	struct io_format format;
	int err = find(info, kind, table, why);

	if (!err)
		err = check_places(info, why);
	if (!err)
		err = (*kind)->check(&units, &format, why);
	if (err)
		return err;
	err = io_init(&format, mem_top());
	if (err == ERR_2BIG)
		*why = "the IOMMUs do not reach all of the RAM";
	else if (err)
		die("no room for the IOMMUs' table: raise BLOCK_IOMMU in mem.c");
	return err;
}

void iommu_block(const struct boot_info *info)
{
	const struct iommu_kind *kind;
	struct acpi_table table;
	const char *why = "";

	if (prepare(info, &kind, &table, &why)) {
		log_line("DMA is open: %s; devices reach the monitor's and guests' memory", why);
		return;
	}
	hide_registers(info);
	for (unsigned int i = 0; i < units.reserved_count; i++)
		reserve(info, units.reserved[i]);
	if (open_firmwares(&info->map))
		die("no room for the IOMMUs' table: raise BLOCK_IOMMU in mem.c");
	if (kind->enable(&units))
		die("an IOMMU does not answer: turn it off in the firmware's setup");
	iommu_drive(kind, &units);
	acpi_hide(&table);
	log_line("DMA is blocked by %u IOMMU%s (%s)%s", units.count, units.count > 1 ? "s" : "",
		 kind->name, units.remaps ? "; interrupts are filtered" : "");
}

void iommu_open(void)
{
	uint64_t start = 0, top = iommu_count() ? mem_top() : 0;
	int err = 0;

	for (uint64_t a = 0; a <= top; a += PAGE_SIZE) {
		if (a < top && owner_kind(owner_of(HPA(a))) == OWNER_HOST)
			continue;
		if (a > start)
			err |= io_set(HPA(start), a - start, true);
		start = a + PAGE_SIZE;
	}
	if (err)
		die("no room for the IOMMUs' table: raise BLOCK_IOMMU in mem.c");
}
