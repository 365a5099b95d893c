/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nested table's entry format as masks, so that one walker and one builder serve NPT and EPT
 * without a function call per step. The linker chooses: ept/npt.c for AMD, its sibling for Intel.
 */
#ifndef EPT_FORMAT_H
#define EPT_FORMAT_H

#include "ept/addr.h"

struct mtrr;

#define TABLE_LEVELS 4 /* levels count down: 4 is the root, 1 maps 4 KiB pages */
#define TABLE_INDEX_BITS 9
#define TABLE_ENTRIES ((size_t)1 << TABLE_INDEX_BITS)
#define TABLE_GPA_BITS (PAGE_SHIFT + TABLE_LEVELS * TABLE_INDEX_BITS)
#define TABLE_ADDR_MASK 0x000ffffffffff000u /* bits 51:12, in every format */

enum table_rights {
	TABLE_R = 1,
	TABLE_W = 2,
	TABLE_X = 4,
	TABLE_RWX = 7,
};

struct table_format {
	uint64_t present; /* an entry is present if any of these bits is set */
	uint64_t invert;  /* bits that take a right away; rights are read from entry ^ invert */
	/* All bits of a mask, in (entry ^ invert) of every level, give the right; W implies R. */
	uint64_t read, write, exec;
	uint64_t leaf;      /* maps a page (levels > 1; at level 1 every present entry does) */
	uint64_t table;     /* what an entry that points at a table carries: every right */
	uint64_t leaf_type; /* the bits that table_leaf() puts a memory type into */
	uint64_t wb;        /* those of write-back memory */
	/* Bit n: an entry whose bits 5:0 are n is malformed, whatever its level. */
	uint64_t malformed;
	/*
	 * Bits that must be zero in a present entry, by level; all ones where a leaf is not allowed.
	 * Bits between the processor's MAXPHYADDR and 52 come on top.
	 */
	uint64_t reserved_table[TABLE_LEVELS + 1];
	uint64_t reserved_leaf[TABLE_LEVELS + 1];
};

/* Written at boot only, where CPUs of one vendor differ. */
extern struct table_format table_format;

/* Bytes that an entry of this level (1..4) covers: 4 KiB, 2 MiB, 1 GiB, 512 GiB. */
static inline uint64_t table_span(unsigned int level)
{
	return (uint64_t)1 << (PAGE_SHIFT + (level - 1) * TABLE_INDEX_BITS);
}

/* Index of gpa in a table of this level (1..4). */
static inline unsigned int table_index(unsigned int level, uint64_t gpa)
{
	return gpa >> (PAGE_SHIFT + (level - 1) * TABLE_INDEX_BITS) & (TABLE_ENTRIES - 1);
}

static inline bool table_present(uint64_t entry)
{
	return entry & table_format.present;
}

/* Whether a present entry of this level maps a page. */
static inline bool table_is_leaf(uint64_t entry, unsigned int level)
{
	return level == 1 || (entry & table_format.leaf);
}

static inline hpa_t table_hpa(uint64_t entry, unsigned int level)
{
	uint64_t in_page = table_is_leaf(entry, level) ? table_span(level) - 1 : 0;

	return HPA(entry & TABLE_ADDR_MASK & ~in_page);
}

/*
 * Whether a present entry of this level has a combination that the format does not allow, or a bit
 * of `reserved` or of the format's reserved ones: the CPU stops there, and translates nothing.
 */
static inline bool table_malformed(uint64_t entry, unsigned int level, uint64_t reserved)
{
	const struct table_format *f = &table_format;

	reserved |=
		table_is_leaf(entry, level) ? f->reserved_leaf[level] : f->reserved_table[level];
	return (entry & reserved) || (f->malformed >> (entry & 63) & 1);
}

/*
 * Xen marks entries so that the hardware stops there and Xen computes them anew, and still counts
 * them as mapped (R7): the same entry without the mark, or the entry itself. Of a present one.
 */
uint64_t table_unmark(uint64_t entry, unsigned int level);

/* Whether a leaf's own memory type is write-back. */
bool table_is_wb(uint64_t leaf);

/* enum table_rights of one present entry, taken alone. */
static inline unsigned int table_rights(uint64_t entry)
{
	const struct table_format *f = &table_format;
	uint64_t e = entry ^ f->invert;

	return ((e & f->read) == f->read ? TABLE_R : 0) |
	       ((e & f->write) == f->write ? TABLE_W : 0) |
	       ((e & f->exec) == f->exec ? TABLE_X : 0);
}

/* An entry that points at the table at hpa (page aligned) and restricts nothing. */
static inline uint64_t table_entry(hpa_t hpa)
{
	return hpa.a | table_format.table;
}

/*
 * A leaf of this level (1..3) for the page at hpa (aligned to table_span(level)), with rights of
 * enum table_rights (W and X imply R) and a type from table_type(), accessed and dirty already.
 * Rights 0 give 0, not present.
 */
uint64_t table_leaf(hpa_t hpa, unsigned int level, unsigned int rights, uint64_t type);

/*
 * The type that a leaf of this level (1..3) for hpa (aligned as above) must have in L1's table, if
 * L1 set its MTRRs so. Returns false if pages under it may need different types or, where the MTRRs
 * apply by themselves and mtrr is not looked at, are better mapped apart: *type is then the
 * strictest. Never false at level 1.
 */
bool table_type(const struct mtrr *mtrr, hpa_t hpa, unsigned int level, uint64_t *type);

#endif
