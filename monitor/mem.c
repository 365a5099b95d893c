/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/mem.h"

#include "ept/lock.h"
#include "monitor/arch.h"
#include "monitor/disks.h"
#include "monitor/lib.h"
#include "monitor/log.h"
#include "monitor/panic.h"
#include "monitor/window.h"

#define DIRECT_BASE 0xffff888000000000u /* where physical address 0 is seen */
#define DIRECT_MAX ((uint64_t)1 << 46)  /* bytes of physical memory that fit behind it */
#define BLOCK_ALIGN (2 * MIB)
/* Image, stacks, guests, log; owners of holes below 4 GiB; 7 MiB for channels: tables of all guests' offers and apertures. */
#define BLOCK_FIXED (19 * MIB)
#define BLOCK_RAM_MAX (1536 * MIB)
/* And of RAM: for each page 8 bytes of L1's table, 8 of owners, 1/2 of a record of a sealed page. */
#define BLOCK_RAM_SHARE(ram) ((ram) / PAGE_SIZE * 33 / 2)
/* With IOMMUs: AMD-Vi's table of devices, and for each page 8 bytes of the IO table. */
#define BLOCK_IOMMU(ram) (2 * MIB + (ram) / PAGE_SIZE * 8)
#define BLOCK_FLOOR (32 * MIB) /* below it the image was loaded and L1 wants to be */

#define PTE_P 0x1u
#define PTE_W 0x2u
#define PTE_PS 0x80u
#define PTE_NX (1ull << 63)

extern char image_start[], image_rodata[], image_data[], image_bss[], image_end[];
void mem_switch(uint64_t cr3, void *to, const void *from, size_t bytes);

static struct {
	struct lock lock;
	struct boot_info *info;
	struct range block;
	uint64_t tables_end;  /* behind the monitor's own page tables; hpa of what was handed out */
	uint64_t next;        /* hpa of the first page not handed out */
	uint64_t free_tables; /* pages given back; each begins with the next one's hpa */
	uint64_t top;
	uint64_t cr3;
} mem;

uint64_t phys_direct; /* 0 until the final tables are in use */

void *mem_at(hpa_t hpa)
{
	return phys_at(hpa);
}

hpa_t mem_hpa(const void *p)
{
	uint64_t a = (uint64_t)p;

	if (a >= (uint64_t)image_start && a < (uint64_t)image_end)
		return HPA(mem.block.start + (a - (uint64_t)image_start));
	return HPA(a - phys_direct);
}

static uint64_t take_pages(size_t n)
{
	uint64_t hpa = mem.next;

	if (n > (mem.block.end - mem.next) >> PAGE_SHIFT)
		return 0;
	mem.next += n << PAGE_SHIFT;
	memset(mem_at(HPA(hpa)), 0, n << PAGE_SHIFT);
	return hpa;
}

void *mem_pages(size_t n)
{
	uint64_t hpa;

	lock_take(&mem.lock);
	hpa = take_pages(n);
	lock_drop(&mem.lock);
	if (!hpa)
		die("out of monitor memory: boot with fewer CPUs, or raise BLOCK_FIXED in mem.c");
	return mem_at(HPA(hpa));
}

int phys_table_alloc(hpa_t *out)
{
	lock_take(&mem.lock);
	out->a = mem.free_tables;
	if (out->a) {
		mem.free_tables = *phys_table(*out);
		*phys_table(*out) = 0;
	} else {
		out->a = take_pages(1);
	}
	lock_drop(&mem.lock);
	return out->a ? 0 : ERR_NOMEM;
}

void phys_table_free(hpa_t table)
{
	memset(phys_table(table), 0, PAGE_SIZE);
	lock_take(&mem.lock);
	*phys_table(table) = mem.free_tables;
	mem.free_tables = table.a;
	lock_drop(&mem.lock);
}

uint64_t *phys_table(hpa_t hpa)
{
	return mem_at(hpa);
}

/* Maps one page of `span` bytes at va in the monitor's own tables, which are built here. */
static int map_page(uint64_t va, uint64_t pte, uint64_t span)
{
	uint64_t *table = mem_at(HPA(mem.cr3));
	uint64_t step = 512 * GIB;
	uint64_t next;

	for (; step > span; step >>= 9) {
		uint64_t *entry = &table[va / step % 512];

		if (!*entry) {
			next = take_pages(1);
			if (!next)
				return ERR_NOMEM;
			*entry = next | PTE_P | PTE_W;
		}
		table = mem_at(HPA(*entry & PAGE_MASK & ~PTE_NX));
	}
	table[va / step % 512] = pte | (span > PAGE_SIZE ? PTE_PS : 0);
	return 0;
}

/* The image keeps its addresses; code is not writable, data not executable. */
static int map_image(void)
{
	for (char *p = image_start; p < image_end; p += PAGE_SIZE) {
		uint64_t pte = (mem.block.start + (uint64_t)(p - image_start)) | PTE_P;

		if (p >= image_rodata)
			pte |= PTE_NX;
		if (p >= image_data)
			pte |= PTE_W;
		if (map_page((uint64_t)p, pte, PAGE_SIZE))
			return ERR_NOMEM;
	}
	return 0;
}

/* All of physical memory, write-back: where registers are, the MTRRs make it uncached. */
static int map_direct(void)
{
	bool large = arch_cpuid(0x80000001, 0).d & (1u << 26);
	uint64_t span;

	for (uint64_t a = 0; a < mem.top; a += span) {
		/* Not across device memory, which is of another type. */
		span = large && a >= 4 * GIB ? GIB : 2 * MIB;
		if (map_page(DIRECT_BASE + a, a | PTE_P | PTE_W | PTE_NX, span))
			return ERR_NOMEM;
	}
	return 0;
}

static int choose_block(const struct boot_info *info, bool iommus, const char **why)
{
	uint64_t share = BLOCK_RAM_SHARE(memmap_ram_bytes(&info->map));
	struct range avoid[BOOT_MODULES_MAX + 1] = {info->event_log};
	struct memmap_want want = {
		.size = BLOCK_FIXED + share,
		.align = BLOCK_ALIGN,
		.floor = BLOCK_FLOOR,
		.limit = 4 * GIB,
	};

	if (share > BLOCK_RAM_MAX)
		want.size = BLOCK_FIXED + BLOCK_RAM_MAX;
	want.size += WINDOW_FRAMES(memmap_ram_bytes(&info->map)) * (PAGE_SIZE + 24);
	want.size += DISKS(memmap_ram_bytes(&info->map)) * DISKS_PAGES * PAGE_SIZE;
	if (iommus)
		want.size += BLOCK_IOMMU(memmap_ram_bytes(&info->map));
	want.size = ALIGN_UP(want.size, BLOCK_ALIGN);
	for (unsigned int i = 0; i < info->module_count; i++)
		avoid[1 + i] = info->module[i].at;
	if (memmap_find_top(&info->map, &want, avoid, 1 + info->module_count, &mem.block.start)) {
		*why = "not enough free memory below 4 GiB for the monitor: it needs 19 MiB and 26 in "
		       "each GiB in one piece above 32 MiB, besides the modules";
		return ERR_NOMEM;
	}
	mem.block.end = mem.block.start + want.size;
	return 0;
}

/* Everything up to the end of the last RAM has an owner; holes have none. */
static int make_owners(void)
{
	const struct memmap *map = &mem.info->map;
	uint64_t pages = 0;
	uint64_t table;

	for (unsigned int i = 0; i < map->count; i++)
		if (map->region[i].type == REGION_RAM)
			pages = map->region[i].end >> PAGE_SHIFT;
	table = take_pages(ALIGN_UP(owner_bytes(pages), PAGE_SIZE) >> PAGE_SHIFT);
	if (!table)
		return ERR_NOMEM;
	owner_init(mem_at(HPA(table)), pages);
	owner_set(mem.block.start, mem.block.end, OWNER_MONITOR);
	return 0;
}

void mem_early(struct boot_info *info)
{
	mem.info = info;
}

int mem_init(struct boot_info *info, bool iommus, const char **why)
{
	const struct region *last = &info->map.region[info->map.count - 1];
	size_t image_size = (size_t)(image_end - image_start);
	int err;

	mem.top = 4 * GIB;
	for (; last >= info->map.region; last--)
		if (last->type == REGION_RAM && last->end > mem.top)
			mem.top = ALIGN_UP(last->end, GIB);
	if (mem.top > DIRECT_MAX) {
		*why = "more physical memory than 64 TiB";
		return ERR_2BIG;
	}
	err = choose_block(info, iommus, why);
	if (err)
		return err;
	mem.next = mem.block.start + image_size;
	mem.cr3 = take_pages(1);
	*why = "no room for the monitor's page tables";
	err = map_image();
	if (!err)
		err = map_direct();
	if (err)
		return err;
	/* The copy must say the same as this one does after the switch. */
	phys_direct = DIRECT_BASE;
	mem.tables_end = mem.next;
	mem_switch(mem.cr3, (void *)mem.block.start, image_start, image_size);
	*why = "no room for the table of page owners";
	return make_owners();
}

/* Eight bytes at a time, but for those that are kept. */
static void wipe(char *from, const char *to, const struct mem_kept *kept, unsigned int n)
{
	for (volatile uint64_t *p = (void *)from; (const char *)p < to; p++) {
		bool keep = false;

		for (unsigned int i = 0; i < n && !keep; i++)
			keep = (const char *)p + sizeof(*p) > (const char *)kept[i].start &&
			       (const char *)p < (const char *)kept[i].start + kept[i].size;
		if (!keep)
			*p = 0;
	}
}

void mem_wipe(const struct mem_kept *kept, unsigned int n)
{
	char *pool = mem_at(HPA(mem.tables_end)), *end = mem_at(HPA(mem.block.end));
	struct mem_kept all[2 + MEM_KEPT_MAX] = {{&mem, sizeof(mem)},
						 {&phys_direct, sizeof(phys_direct)}};

	for (unsigned int i = 0; i < n && i < MEM_KEPT_MAX; i++)
		all[2 + i] = kept[i];
	wipe(pool, end, all, ARRAY_SIZE(all));
	wipe(image_bss, image_end, all, ARRAY_SIZE(all));
	__asm__ volatile("wbinvd" ::: "memory");
}

void mem_seal(void)
{
	const struct memmap *map = &mem.info->map;

	for (unsigned int i = 0; i < map->count; i++)
		if (map->region[i].type == REGION_RAM)
			owner_set(map->region[i].start, map->region[i].end, OWNER_HOST);
}

/* The first MiB counts as memory: the BIOS area, EBDA and option ROMs are not all in the map. */
void *boot_mem(hpa_t hpa, size_t len)
{
	struct range r = {hpa.a, hpa.a + len};
	const struct memmap *map = &mem.info->map;

	if (r.end < r.start || r.end > 4 * GIB || range_overlaps(r, mem.block))
		return NULL;
	if (r.end <= MIB || !phys_direct)
		return mem_at(hpa);
	for (unsigned int i = 0; i < map->count; i++)
		if (r.start >= map->region[i].start && r.end <= map->region[i].end &&
		    map->region[i].type <= REGION_NVS)
			return mem_at(hpa);
	return memmap_is_ram(map, r) ? mem_at(hpa) : NULL;
}

struct range mem_block(void)
{
	return mem.block;
}

uint64_t mem_host_bytes(void)
{
	return memmap_ram_bytes(&mem.info->map);
}

uint64_t mem_top(void)
{
	return mem.top;
}

bool mem_is_monitor(hpa_t hpa)
{
	return hpa.a >= mem.block.start && hpa.a < mem.block.end;
}

uint64_t mem_cr3(void)
{
	return mem.cr3;
}
