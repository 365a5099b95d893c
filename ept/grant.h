/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pages of a channel: memory of one guest's, the offerer's, which another side may be given too. They are CHANNEL
 * of the offerer, at the addresses where it has them, and stay mapped there by its own table. The list of them is the
 * very tables that hardware walks for a guest which accepts (ept/aperture.h): there is no second one.
 *
 * The caller has a lock over each grant. Whoever loses a page by one of these functions may know it until the caller has
 * flushed.
 */
#ifndef EPT_GRANT_H
#define EPT_GRANT_H

#include "ept/format.h"
#include "ept/owner.h"

#define GRANT_TABLES 4
#define GRANT_PAGES_MAX (GRANT_TABLES * (unsigned int)TABLE_ENTRIES)

struct grant {
	unsigned int guest;        /* the offerer's number */
	unsigned int pages;        /* 0..GRANT_PAGES_MAX */
	hpa_t table[GRANT_TABLES]; /* of leaves: as many as the pages need, the others 0 */
};

/* How many tables it has: as many slots of 2 MiB it fills. */
static inline unsigned int grant_tables(const struct grant *g)
{
	return (g->pages + (unsigned int)TABLE_ENTRIES - 1) / (unsigned int)TABLE_ENTRIES;
}

/*
 * `page`, which the guest's table maps at gpa, becomes the next page: CHANNEL instead of GUEST; its content stays. The
 * guest's table is locked, so that L1 is not just taking the page. 0; ERR_PERM: it is not the guest's at gpa;
 * ERR_BUSY: it is CHANNEL already; ERR_AGAIN: it is changing hands; ERR_NOMEM: no memory for a table; ERR_2BIG.
 */
int grant_add(struct grant *g, hpa_t page, gpa_t gpa);

/* The i-th page, i < pages. */
hpa_t grant_page(const struct grant *g, unsigned int i);

/* Whether that is one of its pages. */
bool grant_has(const struct grant *g, hpa_t page);

/* Zeroes the pages, which nobody but the offerer reaches. Serves others between two of them. */
void grant_scrub(const struct grant *g);

/* The pages are the offerer's private memory again. The list stays. */
void grant_return(const struct grant *g);

/* Gives the tables back, which no CPU walks; g has no pages then. */
void grant_free(struct grant *g);

/* L1 reaches the pages, its devices do not. 0, or ERR_NOMEM with nothing done. */
int grant_show(const struct grant *g);

/* L1's table has nothing in the pages' places. False: it had nothing. */
bool grant_hide(const struct grant *g);

/* After grant_show(): L1 sees frame, a page of the monitor's, in the place of each. */
void grant_replace(const struct grant *g, hpa_t frame);

/*
 * Where it still sees that frame, it sees nothing; other frames stay. The pages may be anybody's by now. False: it saw nothing in
 * their places.
 */
bool grant_withdraw(const struct grant *g, hpa_t frame);

#endif
