/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nested table that L1 builds for a guest, and that the hardware walks, but for the root: of that the
 * hardware has a copy of the monitor's, to which an entry of the monitor's own can be added (R29). From the
 * guest's launch on L1 may only read the table's pages; each store to one comes to the monitor, which decodes
 * it, checks what it would map (invariant I3), makes the pages' owners follow, and performs it.
 *
 * A store that is refused breaks the guest: guest_table_drop() then gives the table back to L1, which
 * may do with it what it likes, since no CPU will walk it any more.
 */
#ifndef EPT_GUEST_TABLE_H
#define EPT_GUEST_TABLE_H

#include "ept/addr.h"
#include "ept/lock.h"

#define GUEST_TABLE_SHARED_MAX 8
#define GUEST_TABLE_GONE 1 /* what guest_table_store() returns instead of an error */

/* Guest-physical [start, end), whole pages. */
struct gpa_range {
	gpa_t start, end;
};

struct guest_table {
	struct lock lock;   /* taken with lock_take_relaxed() by the functions below */
	unsigned int guest; /* its number in the table of owners */
	hpa_t root;         /* L1's */
	hpa_t walked;       /* the hardware's, while live */
	unsigned int own; /* index of the monitor's entry in that, which L1 leaves empty; 0: none */
	/* Where HOST pages may be mapped, and nothing private is (R9). Sorted by nothing. */
	struct gpa_range shared[GUEST_TABLE_SHARED_MAX];
	unsigned int shared_count;
	bool live;
	uint64_t pages;  /* private ones in the table */
	uint64_t tables; /* pages of the table, root included */
	/* Whether HOST pages may be mapped at gpa just now: the guest itself asked for it. */
	bool (*share)(struct guest_table *t, gpa_t gpa);
	/* What a page that comes to gpa holds: 0, or an error that breaks the guest. */
	int (*fill)(struct guest_table *t, gpa_t gpa, void *page);
	/* The page at gpa, BUSY, leaves the guest: afterwards anybody may read it. The same. */
	int (*leave)(struct guest_table *t, gpa_t gpa, void *page);
	/*
	 * L1 takes this page, which is CHANNEL of the guest, out of its table; the guest has been flushed. Afterwards it
	 * is GUEST, zeroed, and nobody else's. NULL: no page becomes CHANNEL.
	 */
	void (*revoke)(struct guest_table *t, hpa_t page);
};

/* Whether [gpa, gpa + len), which does not wrap around, meets the shared ranges. */
bool guest_table_meets(const struct guest_table *t, gpa_t gpa, uint64_t len);

/*
 * Takes the table and all that it maps from the host, as R1 says: first its pages become read-only,
 * level by level, each level before it is read; then the mapped ones become the guest's, or SHARED.
 * Contents stay. Returns 0 with t live; ERR_PERM if the table maps what is not L1's to give, has a
 * malformed entry or a loop; ERR_NOMEM without room in the host table. On an error everything is
 * L1's again. t is the caller's, with guest, root, shared and the functions set.
 */
int guest_table_launch(struct guest_table *t);

/*
 * L1 stores value at `at`, in a TABLE page of this guest. Returns 0, and it is done; ERR_BUSY if the
 * page is no table of it any more (L1 repeats the store); GUEST_TABLE_GONE if it would take the last
 * entry out of the root: L1 tears the table down, and repeats the store after guest_table_drop();
 * ERR_PERM, ERR_NOMEM, or what fill() or leave() said, if it is refused: the entry may be absent then,
 * and pages below it the guest's still.
 */
int guest_table_store(struct guest_table *t, hpa_t at, uint64_t value);

/*
 * With t->lock held: what hardware walks has the table at `table`, of level 3, at gpa, a multiple of 512 GiB and
 * not 0. ERR_PERM: L1 has something there, or may; ERR_NOENT: t is not live. Until guest_table_drop() L1 cannot
 * put anything there.
 */
int guest_table_add(struct guest_table *t, gpa_t gpa, hpa_t table);

/* With t->lock held: whether that would work, or has been done. */
bool guest_table_has_room(const struct guest_table *t, gpa_t gpa);

/*
 * The guest is gone or broken, and was flushed away from every CPU: gives the table's pages back to
 * L1, and what is SHARED. Other pages stay the guest's, until L1 touches them.
 */
void guest_table_drop(struct guest_table *t);

/* Calls fn for each private page in the table, in the order of gpa, until one returns an error. */
int guest_table_each(struct guest_table *t, int (*fn)(void *context, gpa_t gpa, hpa_t page),
		     void *context);

#endif
