/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/l1.h"
#include "monitor/boot/elf.h"
#include "monitor/lib.h"

#define AVOID_MAX (ELF_SEGMENTS_MAX + BOOT_MODULES_MAX)

/* Modules own whole pages: that is how Xen sees them. */
static struct range pages_of(struct range range)
{
	return (struct range){ALIGN_DOWN(range.start, PAGE_SIZE), ALIGN_UP(range.end, PAGE_SIZE)};
}

static int check_modules(const struct boot_info *info, const char **why)
{
	if (!info->module_count)
		return boot_refuse(ERR_NOENT, why,
				   "no L1 kernel: give Xen as the first module, then dom0's kernel "
				   "and its initrd");
	for (unsigned int i = 0; i < info->module_count; i++) {
		if (!memmap_is_ram(&info->map, info->module[i].at))
			return boot_refuse(ERR_INVAL, why, "a module lies outside of RAM");
		for (unsigned int j = 0; j < i; j++)
			if (range_overlaps(info->module[i].at, info->module[j].at))
				return boot_refuse(ERR_INVAL, why, "two modules overlap");
	}
	return 0;
}

static int reserve(struct memmap *map, struct range range, const char **why)
{
	if (memmap_add(map, range.start, range.end - range.start, REGION_RESERVED))
		return boot_refuse(ERR_2BIG, why, "more than 128 memory regions");
	return 0;
}

static int find_room(const struct boot_info *info, const struct elf_image *kernel, uint64_t size,
		     uint64_t *at)
{
	struct memmap_want want = {
		.size = ALIGN_UP(size ? size : 1, PAGE_SIZE),
		.align = PAGE_SIZE,
		.floor = MIB,
		.limit = 4 * GIB,
	};
	struct range avoid[AVOID_MAX];
	unsigned int n = 0;

	for (unsigned int i = 0; i < kernel->count; i++)
		avoid[n++] = elf_dest(kernel, i);
	for (unsigned int i = 0; i < info->module_count; i++)
		avoid[n++] = pages_of(info->module[i].at);
	return memmap_find_top(&info->map, &want, avoid, n, at);
}

static bool in_the_way(const struct boot_info *info, const struct elf_image *kernel,
		       struct range module)
{
	/* Below 1 MiB is where L1 starts CPUs, and under UEFI what it takes for a BIOS's data. */
	if (page_offset(module.start) || module.start < MIB || !memmap_is_ram(&info->map, module))
		return true;
	for (unsigned int i = 0; i < kernel->count; i++)
		if (range_overlaps(pages_of(module), elf_dest(kernel, i)))
			return true;
	return false;
}

static int move_module(struct boot_info *info, const struct elf_image *kernel, struct range *module,
		       const char **why)
{
	uint64_t size = module->end - module->start, to;
	void *dst;

	if (find_room(info, kernel, size, &to))
		return boot_refuse(ERR_NOMEM, why,
				   "not enough memory below 4 GiB to move a module out of the way");
	dst = boot_mem(HPA(to), size);
	if (!dst || boot_read(dst, HPA(module->start), size))
		return boot_refuse(ERR_FAULT, why, "a module lies outside of memory");
	*module = (struct range){to, to + size};
	return 0;
}

static int make_room(struct boot_info *info, const struct elf_image *kernel, const char **why)
{
	int error = 0;

	for (unsigned int i = 0; i < info->module_count && !error; i++)
		if (in_the_way(info, kernel, info->module[i].at))
			error = move_module(info, kernel, &info->module[i].at, why);
	return error;
}

static int check_kernel(struct elf_image *kernel, const struct boot_info *info, const char **why)
{
	struct range file = info->module[0].at;
	int error = elf_check(kernel, HPA(file.start), file.end - file.start, why);

	if (!error)
		error = elf_fits(kernel, &info->map, why);
	if (!error && (kernel->multiboot_flags & MULTIBOOT1_WANT_VIDEO) && !info->video.has_vbe &&
	    !info->video.has_framebuffer)
		error = boot_refuse(ERR_NOSYS, why,
				    "the L1 kernel wants a video mode, but the loader set none");
	return error;
}

int l1_load(struct boot_info *info, const struct monitor_block *block, struct l1_entry *entry,
	    const char **why)
{
	struct elf_image kernel;
	uint64_t at;
	int error = check_modules(info, why);

	if (!error)
		error = reserve(&info->map, block->high, why);
	if (!error)
		error = reserve(&info->map, block->low, why);
	if (!error)
		error = check_kernel(&kernel, info, why);
	if (!error)
		error = make_room(info, &kernel, why);
	if (!error)
		error = elf_place(&kernel, HPA(info->module[0].at.start), why);
	if (error)
		return error;
	if (find_room(info, &kernel, L1_INFO_MAX, &at))
		return boot_refuse(ERR_NOMEM, why,
				   "not enough memory below 4 GiB for L1's multiboot information");
	*entry = (struct l1_entry){.eip = kernel.entry, .ebx = (uint32_t)at};
	return l1_write_info(info, HPA(at), why);
}
