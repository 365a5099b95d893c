/* SPDX-License-Identifier: Apache-2.0 */
/* For ept/guest_*.c: what an entry of a guest's table means, and walks over parts of the table. */
#ifndef EPT_GUEST_ENTRY_H
#define EPT_GUEST_ENTRY_H

#include "ept/format.h"
#include "ept/guest_table.h"

enum entry_kind {
	ENTRY_NONE, /* maps nothing */
	ENTRY_LEAF,
	ENTRY_TABLE,
	ENTRY_BAD, /* the format does not allow it, or the address is beyond what a table can reach */
};

/* A copy of an entry, understood. */
struct entry {
	enum entry_kind kind;
	unsigned int level; /* of the table that it is in: 1..4 */
	gpa_t gpa;          /* the first that it decides about */
	hpa_t hpa;          /* of the page, or of the next table */
	bool wb;            /* of a leaf */
};

struct entry entry_read(uint64_t value, unsigned int level, gpa_t gpa);

/* The i-th entry of the table at `table`, of this level, that begins at first. */
struct entry entry_at(hpa_t table, unsigned int level, gpa_t first, unsigned int i);

/*
 * Calls fn for each leaf that e is or leads to, in the order of gpa, until one returns an error. The
 * tables below e are stable: TABLE pages, and the guest's lock is held. ERR_PERM for a bad entry.
 */
typedef int (*entry_fn)(struct guest_table *t, const struct entry *e, void *context);
int entry_each_leaf(struct guest_table *t, const struct entry *e, entry_fn fn, void *context);

/*
 * The pages of all tables that e leads to become TABLE, read-only to L1, each before it is read (R1),
 * with a flush for each level. ERR_PERM if one of them is not HOST, or is met twice. What was done
 * before an error stays done: undo it with entry_unprotect(), when no CPU walks what is below e (a table
 * that is in use may be among those that were met twice).
 */
int entry_protect(struct guest_table *t, const struct entry *e);

/* The tables that e leads to, as far as they are TABLE of this guest, are HOST again. */
void entry_unprotect(struct guest_table *t, const struct entry *e);

/*
 * Takes the pages of all leaves that e is or leads to: HOST to GUEST, out of the host table, or to
 * SHARED. The caller flushes, and undoes it with entry_untake() if it fails (ERR_PERM, ERR_NOMEM).
 */
int entry_take(struct guest_table *t, const struct entry *e);
void entry_untake(struct guest_table *t, const struct entry *e);

/* The guest's pages that a leaf maps become BUSY; entry_untake() follows, or entry_unhold(). */
void entry_hold(struct guest_table *t, const struct entry *e);
void entry_unhold(struct guest_table *t, const struct entry *e);

/* Whether what a leaf maps, and the guest has, is SHARED. */
bool entry_is_shared(const struct entry *e);

#endif
