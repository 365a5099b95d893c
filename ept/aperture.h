/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a guest has the channels that it accepted: a GiB of guest-physical addresses which only the monitor's tables
 * map, in slots of 2 MiB. They hang from the copy of the root that hardware walks (guest_table_add()).
 *
 * A slot leads nowhere, to a table of a grant's, or to nobody's page: one page of the guest's alone in every place, for
 * accesses that are under way when a channel ends. The caller has a lock over each aperture, and flushes the guest after
 * what takes something away.
 */
#ifndef EPT_APERTURE_H
#define EPT_APERTURE_H

#include "ept/format.h"
#include "ept/guest_table.h"

#define APERTURE_SLOTS ((unsigned int)TABLE_ENTRIES)

struct aperture {
	hpa_t upper;   /* the table of level 3; 0: closed */
	hpa_t slots;   /* that of level 2 */
	hpa_t nobodys; /* of level 1: nobody's page, everywhere */
};

/*
 * With t->lock held: t gets one at gpa, a multiple of 512 GiB, with `page` as nobody's. 0; ERR_NOMEM; or as
 * guest_table_add().
 */
int aperture_open(struct aperture *a, struct guest_table *t, gpa_t gpa, hpa_t page);

/* The guest, which no CPU enters any more, has none. */
void aperture_close(struct aperture *a);

/* Whether all of n slots lead nowhere. False also if there are no such. */
bool aperture_is_free(const struct aperture *a, unsigned int slot, unsigned int n);

/* The slots lead to these tables. */
void aperture_map(struct aperture *a, unsigned int slot, const hpa_t *table, unsigned int n);

/* To nobody's page. */
void aperture_leave(struct aperture *a, unsigned int slot, unsigned int n);

/* Nowhere. */
void aperture_clear(struct aperture *a, unsigned int slot, unsigned int n);

/* Whether something is mapped at this offset, in bytes. */
bool aperture_has(const struct aperture *a, uint64_t offset);

#endif
