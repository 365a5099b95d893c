/* SPDX-License-Identifier: Apache-2.0 */
/* The L1 kernel's file: a 32-bit ELF executable with a multiboot 1 header. */
#ifndef MONITOR_BOOT_ELF_H
#define MONITOR_BOOT_ELF_H

#include "monitor/boot/boot.h"

#define ELF_SEGMENTS_MAX 16

/* One PT_LOAD segment: file bytes [offset, offset + filesz), memory [dest, dest + memsz). */
struct elf_segment {
	uint32_t offset;
	uint32_t filesz;
	uint32_t dest;  /* physical (p_paddr) */
	uint32_t memsz; /* > 0, >= filesz; what exceeds filesz is zeroed */
};

/* A file that was checked. Holds copies only: the file may be moved before elf_place(). */
struct elf_image {
	uint32_t entry;           /* physical */
	uint32_t multiboot_flags; /* of the multiboot header */
	unsigned int count;
	struct elf_segment segment[ELF_SEGMENTS_MAX];
};

/* Where segment i goes. */
static inline struct range elf_dest(const struct elf_image *image, unsigned int i)
{
	uint64_t start = image->segment[i].dest;

	return (struct range){start, start + image->segment[i].memsz};
}

/*
 * Checks the file at [file, file + len) and fills *image: headers and segments within the file,
 * segments within 4 GiB and apart from each other, entry in a segment, multiboot header in the
 * first 8 KiB (Multiboot 0.6.96, section 3.1). ERR_INVAL, ERR_FAULT, ERR_2BIG, or ERR_NOSYS for a
 * well-formed thing that we do not load (gzip, 64-bit ELF), with *why set.
 */
int elf_check(struct elf_image *image, hpa_t file, uint64_t len, const char **why);

/* Are all destinations RAM in map? 0, or ERR_NOMEM with *why set. */
int elf_fits(const struct elf_image *image, const struct memmap *map, const char **why);

/*
 * Copies the segments of a checked image to where they belong and zeroes the rest of them. file is
 * where the file is now; it must not overlap a destination. ERR_FAULT with *why set.
 */
int elf_place(const struct elf_image *image, hpa_t file, const char **why);

#endif
