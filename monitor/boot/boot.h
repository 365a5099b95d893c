/* SPDX-License-Identifier: Apache-2.0 */
/* What a boot loader told us, copied out of its memory and checked. */
#ifndef MONITOR_BOOT_BOOT_H
#define MONITOR_BOOT_BOOT_H

#include "ept/addr.h"
#include "monitor/boot/memmap.h"

#define BOOT_MODULES_MAX 16
#define BOOT_STRING_MAX 4096   /* one string, with its NUL */
#define BOOT_STRINGS_MAX 16384 /* all strings together */
#define BOOT_VBE_CONTROL 512
#define BOOT_VBE_MODE 256
#define BOOT_RSDP_MAX 36

/* Under UEFI L1 finds here what it would look for in a BIOS (monitor/legacy.h): no RAM in its map, as with a BIOS. */
#define BOOT_LEGACY_START 0xf0000u
#define BOOT_LEGACY_END 0x100000u

enum boot_protocol {
	BOOT_MULTIBOOT1 = 1,
	BOOT_MULTIBOOT2 = 2,
};

/* An offset into boot_info.strings; 0 is the empty string, which is also what absent strings are. */
typedef uint32_t boot_string_t;

/* start <= end <= 4 GiB; start == end for an empty file. */
struct boot_module {
	struct range at;
	boot_string_t cmdline;
};

/* Multiboot 1's words (section 3.3), passed through to L1. */
struct boot_video {
	bool has_vbe;
	bool has_framebuffer; /* RGB or text; a palette's colours are not carried */
	uint16_t vbe_mode;
	uint16_t vbe_interface_seg;
	uint16_t vbe_interface_off;
	uint16_t vbe_interface_len;
	uint8_t vbe_control[BOOT_VBE_CONTROL];
	uint8_t vbe_mode_info[BOOT_VBE_MODE];
	uint64_t fb_addr;
	uint32_t fb_pitch; /* bytes a line */
	uint32_t fb_width;
	uint32_t fb_height;
	uint8_t fb_bpp;
	uint8_t fb_type;
	uint8_t fb_color[6];
};

/* About 21 KiB: keep it static. Holds no pointer into the loader's memory. */
struct boot_info {
	enum boot_protocol protocol;
	boot_string_t loader;  /* its name, e.g. "qemu", "GRUB 2.06-13+deb12u1" */
	boot_string_t cmdline; /* the monitor's own, as the loader gave it (QEMU: "path args") */
	bool has_loader;
	bool has_boot_device;
	uint32_t boot_device; /* multiboot 1, section 3.3 */
	uint32_t mem_lower;   /* KiB, as the loader said; 0 if it did not */
	uint32_t mem_upper;
	uint64_t efi_system_table; /* multiboot 2 under UEFI, else 0; it may be gone */
	bool boot_services;        /* the loader left UEFI's running, and boot/efi.c ended them */
	bool wiped_at_reset;       /* the firmware will wipe memory, and L1 cannot change that */
	/*
	 * The firmware's event log (TCG, crypto-agile), which UEFI handed over. It lies in RAM that nothing writes up to l1_load(),
	 * and that is L1's then. 0, 0: there is none, and no_event_log says why.
	 */
	struct range event_log;
	const char *no_event_log;
	unsigned int rsdp_len; /* 0, 20 or 36: a copy of ACPI's RSDP that multiboot 2 handed over */
	uint8_t rsdp[BOOT_RSDP_MAX];
	struct memmap map;
	unsigned int module_count;
	struct boot_module module[BOOT_MODULES_MAX]; /* the first is the L1 kernel */
	struct boot_video video;
	uint32_t strings_len;
	char strings[BOOT_STRINGS_MAX];
};

/*
 * Where [hpa, hpa + len) can be read and written, or NULL if any byte of it is not memory (RAM,
 * ROM, ACPI tables) below 4 GiB, is the monitor's own, or wraps. The parsers reach memory by this
 * and by nothing else. While they run, nothing else writes the memory.
 *
 * Implemented by the monitor, and by each test.
 */
void *boot_mem(hpa_t hpa, size_t len);

/* Copies out of loader memory once; 0, or ERR_FAULT with dst untouched. */
int boot_read(void *dst, hpa_t hpa, size_t len);

/*
 * Reads what the loader left for magic (the EAX at entry) at info_hpa (EBX). 0, or a negative error
 * with *why saying in a few words what was wrong; then *info must not be used.
 */
int boot_parse(struct boot_info *info, uint32_t magic, hpa_t info_hpa, const char **why);

/* The same for one protocol; boot_parse() is what to call. */
int multiboot1_parse(struct boot_info *info, hpa_t info_hpa, const char **why);
int multiboot2_parse(struct boot_info *info, hpa_t info_hpa, const char **why);

/* For efi_leave(): UEFI's system table and our image's handle; 0 where the loader does not tell. */
int multiboot2_efi(hpa_t info_hpa, uint64_t *system, uint64_t *image, const char **why);

static inline const char *boot_string(const struct boot_info *info, boot_string_t s)
{
	return &info->strings[s];
}

/*
 * For the parsers. Copies the NUL-terminated string at hpa, of at most max bytes with its NUL
 * (BOOT_STRING_MAX if that is less), into info; *s names it. ERR_FAULT, ERR_2BIG (unterminated or
 * too long, or no room left), with *why set.
 */
int boot_add_string(struct boot_info *info, hpa_t hpa, uint64_t max, boot_string_t *s,
		    const char **why);

/* For the parsers: appends a module; checks bounds, order and number. */
int boot_add_module(struct boot_info *info, uint64_t start, uint64_t end, boot_string_t cmdline,
		    const char **why);

/* Sets *why and returns error: every refusal of a parser in one line. */
static inline int boot_refuse(int error, const char **why, const char *text)
{
	*why = text;
	return error;
}

#endif
