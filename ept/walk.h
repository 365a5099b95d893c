/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks x86 paging in software: linear address -> guest-physical -> host-physical.
 *
 * Every entry is read once (phys_read64) and the copy is checked. The number of reads is bounded by
 * the number of levels (at most 5 guest levels x 4 nested ones), whatever the tables contain. No
 * A or D bit is set: tables need only be readable.
 *
 * Checked: present, reserved bits, canonical form, U/S, R/W (with CR0.WP), NX (with EFER.NXE),
 * SMEP; nested rights, reserved bits and malformed entries. Not checked: SMAP, protection keys,
 * shadow stacks, segmentation, and bit 8 of a guest's upper-level entries, which AMD reserves and
 * Intel ignores.
 */
#ifndef EPT_WALK_H
#define EPT_WALK_H

#include "ept/addr.h"

/* An address space as a CPU sees it. */
struct walk_space {
	uint64_t cr0, cr3, cr4, efer;
	hpa_t nested_root; /* page aligned, if nested */
	bool nested;       /* false: gpa is hpa */
	uint8_t cpl;       /* 3: accesses are user accesses; 0 for implicit supervisor ones */
	uint8_t phys_bits; /* MAXPHYADDR of the processor, 32..52 */
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
	WALK_MEMORY, /* a table entry lies outside host RAM, at result.hpa */
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
 * that does not translate or is not host RAM. Returns the number of bytes copied. Each page is
 * walked once.
 */
size_t walk_copy(const struct walk_space *s, gva_t gva, uint32_t access, void *buf, size_t n);

/* Instruction bytes at gva (linear: CS base + RIP). */
static inline size_t walk_fetch(const struct walk_space *s, gva_t gva, void *buf, size_t n)
{
	return walk_copy(s, gva, WALK_EXEC, buf, n);
}

#endif
