/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the multiboot 1 information that L1 reads (Multiboot 0.6.96, section 3.3). */
#include "monitor/boot/l1.h"
#include "monitor/lib.h"

/* L1_INFO_MAX bytes that are filled from the start; at is where L1 sees them. */
struct area {
	uint8_t *bytes;
	uint32_t at;
	uint32_t used;
};

static uint32_t put(struct area *area, const void *data, size_t len)
{
	uint32_t start = area->used;

	ASSERT(len <= L1_INFO_MAX - start);
	memcpy(area->bytes + start, data, len);
	area->used += (uint32_t)len;
	return area->at + start;
}

static uint32_t put_string(struct area *area, const struct boot_info *info, boot_string_t s)
{
	const char *text = boot_string(info, s);

	return put(area, text, strlen(text) + 1);
}

static void put_map(struct area *area, const struct memmap *map, struct multiboot1_info *mbi)
{
	mbi->flags |= MB1_MMAP | MB1_MEMORY;
	mbi->mem_lower = memmap_lower_kib(map);
	mbi->mem_upper = memmap_upper_kib(map);
	mbi->mmap_addr = area->at + area->used;
	for (unsigned int i = 0; i < map->count; i++) {
		const struct region *region = &map->region[i];
		struct multiboot1_mmap entry = {
			.size = sizeof(entry) - sizeof(entry.size),
			.addr = region->start,
			.len = region->end - region->start,
			.type = region->type,
		};

		put(area, &entry, sizeof(entry));
	}
	mbi->mmap_length = map->count * (uint32_t)sizeof(struct multiboot1_mmap);
}

static void put_modules(struct area *area, const struct boot_info *info,
			struct multiboot1_info *mbi)
{
	struct multiboot1_module list[BOOT_MODULES_MAX];
	uint32_t count = info->module_count - 1;

	memset(list, 0, sizeof(list));
	for (uint32_t i = 0; i < count; i++) {
		const struct boot_module *module = &info->module[i + 1];

		list[i].start = (uint32_t)module->at.start;
		list[i].end = (uint32_t)module->at.end;
		list[i].string = put_string(area, info, module->cmdline);
	}
	mbi->flags |= MB1_MODULES;
	mbi->mods_count = count;
	area->used = ALIGN_UP(area->used, 4);
	mbi->mods_addr = put(area, list, count * sizeof(list[0]));
}

static void put_video(struct area *area, const struct boot_video *video,
		      struct multiboot1_info *mbi)
{
	if (video->has_vbe) {
		mbi->flags |= MB1_VBE;
		mbi->vbe_control = put(area, video->vbe_control, sizeof(video->vbe_control));
		mbi->vbe_mode_info = put(area, video->vbe_mode_info, sizeof(video->vbe_mode_info));
		mbi->vbe_mode = video->vbe_mode;
		mbi->vbe_interface_seg = video->vbe_interface_seg;
		mbi->vbe_interface_off = video->vbe_interface_off;
		mbi->vbe_interface_len = video->vbe_interface_len;
	}
	if (video->has_framebuffer) {
		mbi->flags |= MB1_FRAMEBUFFER;
		mbi->fb_addr = video->fb_addr;
		mbi->fb_pitch = video->fb_pitch;
		mbi->fb_width = video->fb_width;
		mbi->fb_height = video->fb_height;
		mbi->fb_bpp = video->fb_bpp;
		mbi->fb_type = video->fb_type;
		memcpy(mbi->fb_color, video->fb_color, sizeof(mbi->fb_color));
	}
}

int l1_write_info(const struct boot_info *info, hpa_t at, const char **why)
{
	struct area area = {boot_mem(at, L1_INFO_MAX), (uint32_t)at.a,
			    sizeof(struct multiboot1_info)};
	struct multiboot1_info mbi;

	if (!area.bytes)
		return boot_refuse(ERR_FAULT, why,
				   "L1's multiboot information lies outside of memory");
	memset(area.bytes, 0, L1_INFO_MAX);
	memset(&mbi, 0, sizeof(mbi));
	area.used = ALIGN_UP(area.used, 8);
	put_map(&area, &info->map, &mbi);
	put_video(&area, &info->video, &mbi);
	put_modules(&area, info, &mbi);
	mbi.flags |= MB1_CMDLINE;
	mbi.cmdline = put_string(&area, info, info->module[0].cmdline);
	if (info->has_loader) {
		mbi.flags |= MB1_LOADER;
		mbi.loader = put_string(&area, info, info->loader);
	}
	if (info->has_boot_device) {
		mbi.flags |= MB1_BOOT_DEVICE;
		mbi.boot_device = info->boot_device;
	}
	memcpy(area.bytes, &mbi, sizeof(mbi));
	return 0;
}
