/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the information that a multiboot 1 loader leaves (Multiboot 0.6.96, section 3.3). */
#include "monitor/boot/boot.h"
#include "monitor/boot/multiboot.h"
#include "monitor/lib.h"

#define MMAP_LENGTH_MAX (64u << 10) /* bytes; a map of 128 regions has 3 KiB */

/* Reads as many fields as the flags declare; a loader need not have room for the others. */
static int read_info(struct multiboot1_info *mbi, hpa_t at)
{
	uint32_t flags;
	size_t len = offsetof(struct multiboot1_info, vbe_control);

	memset(mbi, 0, sizeof(*mbi));
	if (boot_read(&flags, at, sizeof(flags)))
		return ERR_FAULT;
	if (flags & MB1_FRAMEBUFFER)
		len = sizeof(*mbi);
	else if (flags & MB1_VBE)
		len = offsetof(struct multiboot1_info, fb_addr);
	if (boot_read(mbi, at, len))
		return ERR_FAULT;
	mbi->flags = flags;
	return 0;
}

static int parse_strings(struct boot_info *info, const struct multiboot1_info *mbi,
			 const char **why)
{
	int error = 0;

	if (mbi->flags & MB1_CMDLINE)
		error = boot_add_string(info, HPA(mbi->cmdline), BOOT_STRING_MAX, &info->cmdline,
					why);
	if (!error && (mbi->flags & MB1_LOADER)) {
		info->has_loader = true;
		error = boot_add_string(info, HPA(mbi->loader), BOOT_STRING_MAX, &info->loader,
					why);
	}
	return error;
}

static int parse_modules(struct boot_info *info, const struct multiboot1_info *mbi,
			 const char **why)
{
	if (!(mbi->flags & MB1_MODULES))
		return 0;
	for (uint32_t i = 0; i < mbi->mods_count; i++) {
		struct multiboot1_module module;
		boot_string_t cmdline = 0;
		int error;

		if (boot_read(&module, HPA(mbi->mods_addr + (uint64_t)i * sizeof(module)),
			      sizeof(module)))
			return boot_refuse(ERR_FAULT, why,
					   "the module list lies outside of memory");
		if (module.string) {
			error = boot_add_string(info, HPA(module.string), BOOT_STRING_MAX, &cmdline,
						why);
			if (error)
				return error;
		}
		error = boot_add_module(info, module.start, module.end, cmdline, why);
		if (error)
			return error;
	}
	return 0;
}

static int add_region(struct boot_info *info, const struct multiboot1_mmap *entry, const char **why)
{
	int error = memmap_add(&info->map, entry->addr, entry->len, entry->type);

	if (error == ERR_2BIG)
		return boot_refuse(error, why, "more than 128 memory regions");
	if (error)
		return boot_refuse(error, why, "a memory region wraps around");
	return 0;
}

/* Entries are size-prefixed, and the prefix does not count itself. */
static int parse_map(struct boot_info *info, const struct multiboot1_info *mbi, const char **why)
{
	uint64_t at = mbi->mmap_addr, end = at + mbi->mmap_length;

	if (!(mbi->flags & MB1_MMAP))
		return 0;
	if (mbi->mmap_length > MMAP_LENGTH_MAX)
		return boot_refuse(ERR_2BIG, why, "the memory map is longer than 64 KiB");
	while (at < end) {
		struct multiboot1_mmap entry;
		int error;

		if (end - at < sizeof(entry))
			return boot_refuse(ERR_INVAL, why, "the memory map ends within an entry");
		if (boot_read(&entry, HPA(at), sizeof(entry)))
			return boot_refuse(ERR_FAULT, why, "the memory map lies outside of memory");
		if (entry.size < sizeof(entry) - sizeof(entry.size) ||
		    entry.size > end - at - sizeof(entry.size))
			return boot_refuse(ERR_INVAL, why, "a memory map entry has a wrong size");
		error = add_region(info, &entry, why);
		if (error)
			return error;
		at += sizeof(entry.size) + entry.size;
	}
	return 0;
}

static int parse_vbe(struct boot_video *video, const struct multiboot1_info *mbi, const char **why)
{
	if (!(mbi->flags & MB1_VBE))
		return 0;
	if (boot_read(video->vbe_control, HPA(mbi->vbe_control), BOOT_VBE_CONTROL) ||
	    boot_read(video->vbe_mode_info, HPA(mbi->vbe_mode_info), BOOT_VBE_MODE))
		return boot_refuse(ERR_FAULT, why, "the VBE tables lie outside of memory");
	video->has_vbe = true;
	video->vbe_mode = mbi->vbe_mode;
	video->vbe_interface_seg = mbi->vbe_interface_seg;
	video->vbe_interface_off = mbi->vbe_interface_off;
	video->vbe_interface_len = mbi->vbe_interface_len;
	return 0;
}

static void parse_framebuffer(struct boot_video *video, const struct multiboot1_info *mbi)
{
	if (!(mbi->flags & MB1_FRAMEBUFFER) || mbi->fb_type == FRAMEBUFFER_INDEXED)
		return;
	video->has_framebuffer = true;
	video->fb_addr = mbi->fb_addr;
	video->fb_pitch = mbi->fb_pitch;
	video->fb_width = mbi->fb_width;
	video->fb_height = mbi->fb_height;
	video->fb_bpp = mbi->fb_bpp;
	video->fb_type = mbi->fb_type;
	memcpy(video->fb_color, mbi->fb_color, sizeof(video->fb_color));
}

int multiboot1_parse(struct boot_info *info, hpa_t info_hpa, const char **why)
{
	struct multiboot1_info mbi;
	int error;

	if (read_info(&mbi, info_hpa))
		return boot_refuse(ERR_FAULT, why,
				   "the multiboot information lies outside of memory");
	if (mbi.flags & MB1_MEMORY) {
		info->mem_lower = mbi.mem_lower;
		info->mem_upper = mbi.mem_upper;
	}
	info->has_boot_device = mbi.flags & MB1_BOOT_DEVICE;
	info->boot_device = mbi.boot_device;
	parse_framebuffer(&info->video, &mbi);

	error = parse_strings(info, &mbi, why);
	if (!error)
		error = parse_map(info, &mbi, why);
	if (!error)
		error = parse_modules(info, &mbi, why);
	if (!error)
		error = parse_vbe(&info->video, &mbi, why);
	return error;
}
