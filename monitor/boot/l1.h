/* SPDX-License-Identifier: Apache-2.0 */
/* Loads L1 from the boot modules and leaves it a multiboot 1 information structure. */
#ifndef MONITOR_BOOT_L1_H
#define MONITOR_BOOT_L1_H

#include "monitor/boot/boot.h"
#include "monitor/boot/multiboot.h"

/* What the monitor keeps for itself. Page-aligned; low may be empty (start == end). */
struct monitor_block {
	struct range high; /* image, pools, tables */
	struct range low;  /* real-mode code, below 1 MiB */
};

/* L1 starts in 32-bit protected mode, paging off, EAX = MULTIBOOT1_BOOT_MAGIC. */
struct l1_entry {
	uint32_t eip;
	uint32_t ebx; /* hpa of its multiboot information, page-aligned */
};

/*
 * Takes block out of info->map (it becomes REGION_RESERVED), moves modules that lie in block or
 * where the kernel goes, or that are not page-aligned, to the highest free RAM below 4 GiB, places
 * the kernel (module 0), and builds L1's information in free RAM above 1 MiB and apart from kernel,
 * modules and block: memory map and mem_lower/mem_upper as they are without block, the loader's
 * name, module 0's command line as L1's, the other modules in order.
 *
 * Afterwards info->map is L1's map (use it for INT 15h) and info->module[1..] are where they now
 * are. Nothing of block is written. On error L1 must not be started; *why says what and, where
 * there is something to be done, what to do: ERR_NOENT no kernel, ERR_NOMEM, ERR_INVAL, ERR_NOSYS,
 * ERR_2BIG, ERR_FAULT.
 */
int l1_load(struct boot_info *info, const struct monitor_block *block, struct l1_entry *entry,
	    const char **why);

/* Bytes that L1's information takes at most: its structure, lists, video tables and strings. */
#define L1_INFO_MAX                                                                       \
	ALIGN_UP(sizeof(struct multiboot1_info) +                                         \
			 BOOT_MODULES_MAX * sizeof(struct multiboot1_module) +            \
			 MEMMAP_MAX * sizeof(struct multiboot1_mmap) + BOOT_VBE_CONTROL + \
			 BOOT_VBE_MODE + BOOT_STRINGS_MAX + 64,                           \
		 PAGE_SIZE)

/*
 * For l1_load(): writes L1's information to the L1_INFO_MAX bytes at `at`, below 4 GiB. Modules are
 * info's without the first, whose command line is L1's. ERR_FAULT with *why set.
 */
int l1_write_info(const struct boot_info *info, hpa_t at, const char **why);

#endif
