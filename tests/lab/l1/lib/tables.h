/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt gates, a task's state, and page tables of four levels: long mode's (a guest's own, and AMD's nested), EPT. */
#ifndef L1_LIB_TABLES_H
#define L1_LIB_TABLES_H

#include "ept/base.h"

struct gate64 {
	uint16_t offset0, selector, attributes, offset1;
	uint32_t offset2, reserved;
};

struct gate32 {
	uint16_t offset0, selector, attributes, offset1;
};

struct tss32 {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldtr, io_map;
};

#define GATE_INTERRUPT 0x8e00u
#define GATE_USER 0xee00u

struct gate64 gate64(uint64_t offset, uint16_t selector, uint16_t attributes);
struct gate32 gate32(uint32_t offset, uint16_t selector, uint16_t attributes);

#define PTE_P 0x1u
#define PTE_W 0x2u
#define PTE_U 0x4u
#define PTE_A 0x20u
#define PTE_D 0x40u
#define PTE_LARGE 0x80u
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define PTE_ALL (PTE_P | PTE_W | PTE_U)

enum table_level { LEVEL_4K = 1, LEVEL_2M = 2, LEVEL_1G = 3, LEVEL_512G = 4 };

/* What differs between long mode's entries and those of an EPT. */
struct table_format {
	uint64_t all;     /* all rights */
	uint64_t present; /* an entry with none of these bits is absent */
	uint64_t leaf;    /* what an entry that maps a page has besides its rights */
};

/* A new table that maps 4 GiB to themselves by 2 MiB pages with all rights; its root. */
uint64_t *table_identity_of(const struct table_format *f);

/*
 * The entry for `address` at `level`, with tables made on the way: large pages above it are split
 * (same mapping, same rights).
 */
uint64_t *table_entry_of(const struct table_format *f, uint64_t *root, uint64_t address,
			 enum table_level level);

/* The same in long mode's format, and the mapping of one 4 KiB page. */
uint64_t *table_identity(void);
uint64_t *table_entry(uint64_t *root, uint64_t address, enum table_level level);
void table_map(uint64_t *root, uint64_t from, uint64_t to, uint64_t rights);

#endif
