/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the tags that a multiboot2 loader leaves (Multiboot2 2.0, section 3.6). */
#include "monitor/boot/boot.h"
#include "monitor/boot/multiboot.h"
#include "monitor/lib.h"

#define TAG_ALIGN 8u
#define TOTAL_SIZE_MAX (1u << 20)

/* A tag's contents after its head. */
struct body {
	hpa_t at;
	uint32_t len;
};

/* Reads a fixed part that the body must be long enough for. */
static int read_body(void *dst, struct body body, size_t len, const char **why)
{
	if (body.len < len)
		return boot_refuse(ERR_INVAL, why, "a multiboot2 tag is too short");
	if (boot_read(dst, body.at, len))
		return boot_refuse(ERR_FAULT, why,
				   "the multiboot information lies outside of memory");
	return 0;
}

static int parse_module(struct boot_info *info, struct body body, const char **why)
{
	struct multiboot2_module module;
	boot_string_t cmdline;
	int error = read_body(&module, body, sizeof(module), why);

	if (!error)
		error = boot_add_string(info, HPA(body.at.a + sizeof(module)),
					body.len - sizeof(module), &cmdline, why);
	if (!error)
		error = boot_add_module(info, module.start, module.end, cmdline, why);
	return error;
}

static int parse_memory(struct boot_info *info, struct body body, const char **why)
{
	struct multiboot2_memory memory;
	int error = read_body(&memory, body, sizeof(memory), why);

	if (error)
		return error;
	info->mem_lower = memory.lower;
	info->mem_upper = memory.upper;
	return 0;
}

static int add_region(struct boot_info *info, struct body body, const char **why)
{
	struct multiboot2_mmap_entry entry;
	int error = read_body(&entry, body, sizeof(entry), why);

	if (error)
		return error;
	error = memmap_add(&info->map, entry.addr, entry.len, entry.type);
	if (error == ERR_2BIG)
		return boot_refuse(error, why, "more than 128 memory regions");
	if (error)
		return boot_refuse(error, why, "a memory region wraps around");
	return 0;
}

/* Later versions of the table may have longer entries; their beginning stays the same. */
static int parse_map(struct boot_info *info, struct body body, const char **why)
{
	struct multiboot2_mmap table;
	uint32_t pos = sizeof(table);
	int error = read_body(&table, body, sizeof(table), why);

	if (error)
		return error;
	if (table.entry_size < sizeof(struct multiboot2_mmap_entry) ||
	    (body.len - pos) % table.entry_size != 0)
		return boot_refuse(ERR_INVAL, why, "the memory map has a wrong entry size");
	for (; !error && pos < body.len; pos += table.entry_size)
		error = add_region(info, (struct body){HPA(body.at.a + pos), body.len - pos}, why);
	return error;
}

static int parse_vbe(struct boot_video *video, struct body body, const char **why)
{
	struct multiboot2_vbe vbe;
	int error = read_body(&vbe, body, sizeof(vbe), why);

	if (error)
		return error;
	video->has_vbe = true;
	video->vbe_mode = vbe.mode;
	video->vbe_interface_seg = vbe.interface_seg;
	video->vbe_interface_off = vbe.interface_off;
	video->vbe_interface_len = vbe.interface_len;
	memcpy(video->vbe_control, vbe.control, sizeof(video->vbe_control));
	memcpy(video->vbe_mode_info, vbe.mode_info, sizeof(video->vbe_mode_info));
	return 0;
}

/* Colour fields follow for RGB only; a text mode's tag ends before them. */
static int parse_framebuffer(struct boot_video *video, struct body body, const char **why)
{
	const size_t fixed = offsetof(struct multiboot2_framebuffer, color);
	struct multiboot2_framebuffer fb;
	int error;

	memset(&fb, 0, sizeof(fb));
	error = read_body(&fb, body, body.len < sizeof(fb) ? fixed : sizeof(fb), why);
	if (error)
		return error;
	if (fb.type == FRAMEBUFFER_INDEXED)
		return 0;
	video->has_framebuffer = true;
	video->fb_addr = fb.addr;
	video->fb_pitch = fb.pitch;
	video->fb_width = fb.width;
	video->fb_height = fb.height;
	video->fb_bpp = fb.bpp;
	video->fb_type = fb.type;
	memcpy(video->fb_color, fb.color, sizeof(video->fb_color));
	return 0;
}

/* ACPI 1.0's RSDP has 20 bytes, later ones 36; the newer wins if the loader gives both. */
static int parse_rsdp(struct boot_info *info, struct body body, unsigned int len, const char **why)
{
	int error;

	if (len < info->rsdp_len)
		return 0;
	error = read_body(info->rsdp, body, len, why);
	if (!error)
		info->rsdp_len = len;
	return error;
}

static int parse_tag(void *to, uint32_t type, struct body body, const char **why)
{
	struct boot_info *info = to;

	switch (type) {
	case MB2_CMDLINE:
		return boot_add_string(info, body.at, body.len, &info->cmdline, why);
	case MB2_LOADER:
		info->has_loader = true;
		return boot_add_string(info, body.at, body.len, &info->loader, why);
	case MB2_MODULE:
		return parse_module(info, body, why);
	case MB2_MEMORY:
		return parse_memory(info, body, why);
	case MB2_MMAP:
		return parse_map(info, body, why);
	case MB2_VBE:
		return parse_vbe(&info->video, body, why);
	case MB2_FRAMEBUFFER:
		return parse_framebuffer(&info->video, body, why);
	case MB2_EFI64:
		return read_body(&info->efi_system_table, body, sizeof(info->efi_system_table),
				 why);
	case MB2_RSDP_OLD:
		return parse_rsdp(info, body, 20, why);
	case MB2_RSDP_NEW:
		return parse_rsdp(info, body, BOOT_RSDP_MAX, why);
	case MB2_EFI_BOOT_SERVICES:
		info->boot_services = true;
		return 0;
	default:
		return 0; /* a loader may tell more than we need */
	}
}

/* Calls fn(to, ..) for each tag, up to the last or an error. */
static int walk(hpa_t info_hpa,
		int (*fn)(void *to, uint32_t type, struct body body, const char **why), void *to,
		const char **why)
{
	struct multiboot2_head head;
	struct multiboot2_tag tag;
	uint32_t pos = sizeof(head);
	int error;

	if (info_hpa.a % TAG_ALIGN)
		return boot_refuse(ERR_INVAL, why, "the multiboot information is misaligned");
	if (boot_read(&head, info_hpa, sizeof(head)))
		return boot_refuse(ERR_FAULT, why,
				   "the multiboot information lies outside of memory");
	if (head.total_size > TOTAL_SIZE_MAX)
		return boot_refuse(ERR_2BIG, why, "the multiboot information is longer than 1 MiB");

	while (pos < head.total_size && head.total_size - pos >= sizeof(tag)) {
		hpa_t at = HPA(info_hpa.a + pos);

		if (boot_read(&tag, at, sizeof(tag)))
			return boot_refuse(ERR_FAULT, why,
					   "the multiboot information lies outside of memory");
		if (tag.type == MB2_END)
			return 0;
		if (tag.size < sizeof(tag) || tag.size > head.total_size - pos)
			return boot_refuse(ERR_INVAL, why, "a multiboot2 tag has a wrong size");
		error = fn(to, tag.type,
			   (struct body){HPA(at.a + sizeof(tag)), tag.size - (uint32_t)sizeof(tag)},
			   why);
		if (error)
			return error;
		pos += ALIGN_UP(tag.size, TAG_ALIGN);
	}
	return boot_refuse(ERR_INVAL, why, "the multiboot2 tags have no end");
}

int multiboot2_parse(struct boot_info *info, hpa_t info_hpa, const char **why)
{
	return walk(info_hpa, parse_tag, info, why);
}

struct efi_tags {
	uint64_t *system, *image;
};

static int efi_tag(void *to, uint32_t type, struct body body, const char **why)
{
	struct efi_tags *tags = to;

	if (type == MB2_EFI64)
		return read_body(tags->system, body, sizeof(*tags->system), why);
	if (type == MB2_EFI64_IMAGE)
		return read_body(tags->image, body, sizeof(*tags->image), why);
	return 0;
}

int multiboot2_efi(hpa_t info_hpa, uint64_t *system, uint64_t *image, const char **why)
{
	return walk(info_hpa, efi_tag, &(struct efi_tags){system, image}, why);
}
