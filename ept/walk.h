/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks x86 paging in software: linear address -> guest-physical -> host-physical.
 *
 * Every entry is read once (phys_read64) and the copy is checked. The number of reads is bounded by
 * the number of levels (at most 5 guest levels x 4 nested ones), whatever the tables contain. A walk
 * sets no A or D bit: tables need only be readable. walk_touch() does it afterwards.
 *
 * Checked: present, reserved bits, canonical form, U/S, R/W (with CR0.WP), NX (with EFER.NXE),
 * SMEP; nested rights, reserved bits and malformed entries. Not checked: SMAP, protection keys,
 * shadow stacks, segmentation, and bit 8 of a guest's upper-level entries, which AMD reserves and
 * Intel ignores.
 */
#ifndef EPT_WALK_H
#define EPT_WALK_H

#include "ept/addr.h"

#define WALK_LEVELS 5

/* The entries of a guest's own tables that a walk read, from the top. */
struct walk_path {
	unsigned int count;
	unsigned int size; /* of each in bytes: 4 (tables of 2 levels) or 8 */
	struct {
		gpa_t gpa;
		hpa_t hpa;
		uint64_t value; /* as read, or as walk_touch() left it */
	} entry[WALK_LEVELS];
};

/* An address space as a CPU sees it. */
struct walk_space {
	uint64_t cr0, cr3, cr4, efer;
	hpa_t nested_root; /* page aligned, if nested */
	bool nested;       /* false: gpa is hpa */
	uint8_t cpl;       /* 3: accesses are user accesses; 0 for implicit supervisor ones */
	uint8_t phys_bits; /* MAXPHYADDR of the processor, 32..52 */
	/*
	 * If nested: memory of the guest with this number among the owners is read as well, and marks of
	 * L1's in the nested table (table_unmark()) count for nothing.
	 */
	bool private;
	uint8_t guest;
	struct walk_path *path; /* if nested: where walk_gva() says what it read; or NULL */
};

/* Access wanted, and page-fault error code (SDM vol. 3, 4.7; APM vol. 2, 8.4.2 and 15.25.6). */
enum walk_access {
	WALK_READ = 0,
	WALK_PRESENT = 1, /* in an error code: the page was present, a right was not */
	WALK_WRITE = 2,
	WALK_USER = 4, /* in an error code; for an access cpl decides */
	WALK_RESERVED = 8,
	WALK_EXEC = 16,
};

enum walk_stop {
	WALK_DONE,
	WALK_GUEST,  /* the guest's own tables: a page fault, or #GP/#SS if not canonical */
	WALK_NESTED, /* the nested table: a nested page fault at result.gpa */
	WALK_MEMORY, /* a table entry lies outside the memory that may be read, at result.hpa */
};

struct walk_result {
	hpa_t hpa; /* WALK_DONE: of the byte; WALK_MEMORY: of the entry */
	gpa_t gpa; /* WALK_DONE: of the byte; WALK_NESTED: what did not translate */
	enum walk_stop stop;
	uint32_t error_code; /* WALK_GUEST and WALK_NESTED: enum walk_access bits */
	bool canonical;      /* WALK_GUEST: false if the linear address was not canonical */
	bool in_table;       /* WALK_NESTED: met while reading a guest table, not the final page */
};

/*
 * Translates one linear address for an access: 0 or WALK_WRITE or WALK_EXEC. Returns 0, or
 * ERR_FAULT with the reason in *out. Outside long mode the address is taken modulo 4 GiB.
 * Levels: none, 2 (with PSE and PSE-36), PAE, 4, 5. PAE's top-level entries are read from memory.
 */
int walk_gva(const struct walk_space *s, gva_t gva, uint32_t access, struct walk_result *out);

/* The same for a guest-physical address: the nested table alone (identity if there is none). */
int walk_gpa(const struct walk_space *s, gpa_t gpa, uint32_t access, struct walk_result *out);

/*
 * Copies up to n bytes from gva, for an access as above, into buf, and stops at the first page
 * that does not translate or is not memory that may be read. Returns the number of bytes copied.
 * Each page is walked once; s->path is that of the last.
 */
size_t walk_copy(const struct walk_space *s, gva_t gva, uint32_t access, void *buf, size_t n);

/*
 * After a walk_gva() that succeeded and filled s->path: sets A in each of the entries, and D in the
 * last for a write, as the processor does (SDM vol. 3, 4.8); in the path's values too. Only entries
 * in the memory of s->guest: L1 reaches others by itself. Returns 0; or ERR_BUSY if an entry has
 * changed: walk again.
 */
int walk_touch(const struct walk_space *s, bool write);

/* Instruction bytes at gva (linear: CS base + RIP). */
static inline size_t walk_fetch(const struct walk_space *s, gva_t gva, void *buf, size_t n)
{
	return walk_copy(s, gva, WALK_EXEC, buf, n);
}

#endif
