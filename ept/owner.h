/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns each page of RAM: the one authority, from which the host table and every check of a
 * guest's table follow (invariant I1). A page's owner is one word, and changes by compare-and-swap
 * from what the caller believes it to be. There is no lock.
 *
 *   NONE     no RAM: device registers, holes, what the firmware keeps
 *   MONITOR  ours; in no table but ours
 *   HOST     L1's
 *   SHARED   L1's, and mapped by one guest where its shared set allows it
 *   TABLE    a page of the nested table that L1 built for a guest; L1 may only read it
 *   GUEST    a guest's, out of L1's reach
 *   BUSY     changing hands on some CPU: who meets it tries again
 *   CHANNEL  a guest's, which it has offered to another side (ept/grant.h): out of L1's reach, unless L1 is that
 *            side; neither it nor the other's is read or written by the monitor for anybody
 *
 * SHARED, TABLE, GUEST and CHANNEL name the guest and an address of it: where the page is mapped, or what
 * the table's first entry maps.
 */
#ifndef EPT_OWNER_H
#define EPT_OWNER_H

#include "ept/addr.h"

enum owner_kind {
	OWNER_NONE,
	OWNER_MONITOR,
	OWNER_HOST,
	OWNER_SHARED,
	OWNER_TABLE,
	OWNER_GUEST,
	OWNER_BUSY,
	OWNER_CHANNEL,
};

/* Bits 2:0 kind, 5:3 level of a TABLE (1..4), 15:8 guest, 51:16 guest frame number. */
typedef struct {
	uint64_t w;
} owner_t;

#define OWNER_GUESTS_MAX 256 /* guests are numbered below that */
#define OWNER_WORD(kind) ((owner_t){(kind)})

static inline owner_t owner_word(enum owner_kind kind, unsigned int guest, gpa_t gpa)
{
	return (owner_t){(uint64_t)kind | (uint64_t)guest << 8 | gpa.a >> PAGE_SHIFT << 16};
}

static inline owner_t owner_table(unsigned int guest, gpa_t first, unsigned int level)
{
	return (owner_t){owner_word(OWNER_TABLE, guest, first).w | (uint64_t)level << 3};
}

static inline enum owner_kind owner_kind(owner_t o)
{
	return (enum owner_kind)(o.w & 7);
}

static inline unsigned int owner_level(owner_t o)
{
	return o.w >> 3 & 7;
}

static inline unsigned int owner_guest(owner_t o)
{
	return o.w >> 8 & (OWNER_GUESTS_MAX - 1);
}

static inline gpa_t owner_gpa(owner_t o)
{
	return GPA(o.w >> 16 << PAGE_SHIFT);
}

/* What the monitor may read, and write, for L1: sets of kinds. */
#define OWNER_L1_READS (1u << OWNER_HOST | 1u << OWNER_SHARED | 1u << OWNER_TABLE)
#define OWNER_L1_WRITES (1u << OWNER_HOST | 1u << OWNER_SHARED)

/* Bytes of table for this many pages of physical address space. */
static inline size_t owner_bytes(uint64_t pages)
{
	return pages * sizeof(owner_t);
}

/* At boot: a zeroed table of that size, which stays the module's; every page is NONE. */
void owner_init(owner_t *table, uint64_t pages);

/* At boot: [start, end) belongs to kind (HOST or MONITOR); whole pages within the table only. */
void owner_set(uint64_t start, uint64_t end, enum owner_kind kind);

/* The owner of the page that hpa lies in. NONE beyond the table. */
owner_t owner_of(hpa_t hpa);

/* Whether every page of [hpa, hpa + len), without wrap-around, is of one of these kinds now. */
bool owner_all(hpa_t hpa, uint64_t len, unsigned int kinds);

/* The same, and pages of that guest count too. */
bool owner_all_or_guest(hpa_t hpa, uint64_t len, unsigned int kinds, unsigned int guest);

/* Makes the page `to` if it still is `from`. False: it is something else now. */
bool owner_change(hpa_t page, owner_t from, owner_t to);

/*
 * Counts pages that ceased to be HOST: who has given the hardware an address of L1's to use, and served
 * others since, looks at its owner again if this has changed.
 */
uint64_t owner_taken(void);

/*
 * n pages from `page` on, each HOST, become a guest's from gpa on, or (on false) none of them.
 * L1 still reaches them until the caller has taken them out of the host table and flushed.
 */
bool owner_take(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa);

/* The reverse in two steps: that guest's pages become BUSY, so that no window is opened over them; */
void owner_hold(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa);

/* they are that guest's after all, */
void owner_unhold(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa);

/* or HOST, when nothing of the guest's is left in them and L1 reaches them in the host table. */
void owner_give(hpa_t page, uint64_t n);

/* Whether each of n pages from `page` on is that guest's, mapped from gpa on. */
bool owner_is_guest(hpa_t page, uint64_t n, unsigned int guest, gpa_t gpa);

#endif
