/* SPDX-License-Identifier: Apache-2.0 */
/* Multiboot 0.6.96 and Multiboot2 2.0: numbers and layouts, as published. All fields little-endian. */
#ifndef MONITOR_BOOT_MULTIBOOT_H
#define MONITOR_BOOT_MULTIBOOT_H

/* Kept free of C for assembly code. */
#define MULTIBOOT1_HEADER_MAGIC 0x1badb002
#define MULTIBOOT1_BOOT_MAGIC 0x2badb002
#define MULTIBOOT1_SEARCH 8192 /* the header is 4-aligned and wholly within the first 8 KiB */
#define MULTIBOOT1_ALIGN_MODULES 0x00000001
#define MULTIBOOT1_WANT_MEMORY 0x00000002
#define MULTIBOOT1_WANT_VIDEO 0x00000004
#define MULTIBOOT1_REQUIRED 0x0000ffff
#define MULTIBOOT1_HAS_ADDRESSES 0x00010000

#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6
#define MULTIBOOT2_BOOT_MAGIC 0x36d76289

#ifndef __ASSEMBLER__

#include "ept/base.h"

/* Flags of multiboot1_info: which fields are valid. */
#define MB1_MEMORY 0x0001
#define MB1_BOOT_DEVICE 0x0002
#define MB1_CMDLINE 0x0004
#define MB1_MODULES 0x0008
#define MB1_MMAP 0x0040
#define MB1_LOADER 0x0200
#define MB1_VBE 0x0800
#define MB1_FRAMEBUFFER 0x1000

struct multiboot1_info {
	uint32_t flags;
	uint32_t mem_lower;
	uint32_t mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t loader;
	uint32_t apm_table;
	uint32_t vbe_control;
	uint32_t vbe_mode_info;
	uint16_t vbe_mode;
	uint16_t vbe_interface_seg;
	uint16_t vbe_interface_off;
	uint16_t vbe_interface_len;
	uint64_t fb_addr;
	uint32_t fb_pitch;
	uint32_t fb_width;
	uint32_t fb_height;
	uint8_t fb_bpp;
	uint8_t fb_type;
	uint8_t fb_color[6];
} __attribute__((packed));

struct multiboot1_module {
	uint32_t start;
	uint32_t end;
	uint32_t string;
	uint32_t reserved;
} __attribute__((packed));

struct multiboot1_mmap {
	uint32_t size; /* of what follows it */
	uint64_t addr;
	uint64_t len;
	uint32_t type;
} __attribute__((packed));

#define FRAMEBUFFER_INDEXED 0
#define FRAMEBUFFER_RGB 1
#define FRAMEBUFFER_TEXT 2

/* Tags of multiboot2 (section 3.6): 8-aligned, each with this head; size counts the head. */
struct multiboot2_tag {
	uint32_t type;
	uint32_t size;
};

struct multiboot2_head {
	uint32_t total_size;
	uint32_t reserved;
};

enum multiboot2_type {
	MB2_END = 0,
	MB2_CMDLINE = 1,
	MB2_LOADER = 2,
	MB2_MODULE = 3,
	MB2_MEMORY = 4,
	MB2_BOOT_DEVICE = 5,
	MB2_MMAP = 6,
	MB2_VBE = 7,
	MB2_FRAMEBUFFER = 8,
	MB2_EFI64 = 12,
	MB2_RSDP_OLD = 14,
	MB2_RSDP_NEW = 15,
	MB2_EFI_BOOT_SERVICES = 18,
	MB2_EFI64_IMAGE = 20,
};

struct multiboot2_module {
	uint32_t start;
	uint32_t end;
};

struct multiboot2_memory {
	uint32_t lower;
	uint32_t upper;
};

struct multiboot2_mmap {
	uint32_t entry_size;
	uint32_t entry_version;
};

struct multiboot2_mmap_entry {
	uint64_t addr;
	uint64_t len;
	uint32_t type;
	uint32_t reserved;
};

struct multiboot2_vbe {
	uint16_t mode;
	uint16_t interface_seg;
	uint16_t interface_off;
	uint16_t interface_len;
	uint8_t control[512];
	uint8_t mode_info[256];
};

struct multiboot2_framebuffer {
	uint64_t addr;
	uint32_t pitch;
	uint32_t width;
	uint32_t height;
	uint8_t bpp;
	uint8_t type;
	uint16_t reserved;
	uint8_t color[6];
} __attribute__((packed));

_Static_assert(sizeof(struct multiboot1_info) == 116, "multiboot 1 information");
_Static_assert(sizeof(struct multiboot1_mmap) == 24, "multiboot 1 memory map entry");
_Static_assert(sizeof(struct multiboot2_framebuffer) == 30, "multiboot 2 framebuffer tag");

#endif
#endif
