/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/damage.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOLD 50u /* ranges that are told one by one */

void damage_init(struct damage *d)
{
	*d = (struct damage){0};
	pthread_mutex_init(&d->lock, NULL);
}

void damage_free(struct damage *d)
{
	free(d->range);
	d->range = NULL;
	pthread_mutex_destroy(&d->lock);
}

static bool grow(struct damage *d)
{
	size_t room = d->room ? 2 * d->room : 64;
	struct damage_range *more;

	if (d->ranges < d->room)
		return true;
	more = realloc(d->range, room * sizeof(*more));
	if (!more)
		return false;
	d->range = more;
	d->room = room;
	return true;
}

/* Without memory for a range it still counts. */
void damage_add(struct damage *d, enum damage_kind kind, uint32_t level, uint64_t first,
		uint64_t count)
{
	pthread_mutex_lock(&d->lock);
	d->sectors[kind] += count;
	d->nodes += kind == DAMAGE_NODE;
	if (grow(d))
		d->range[d->ranges++] = (struct damage_range){kind, level, first, count};
	pthread_mutex_unlock(&d->lock);
}

static int by_place(const void *a, const void *b)
{
	const struct damage_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Those of sectors that follow each other are one. */
static size_t merge(struct damage_range *r, size_t n)
{
	size_t kept = 0;

	for (size_t i = 1; i < n; i++) {
		struct damage_range *last = &r[kept];

		if (r[i].kind == last->kind && last->kind != DAMAGE_NODE &&
		    r[i].first == last->first + last->count)
			last->count += r[i].count;
		else
			r[++kept] = r[i];
	}
	return n ? kept + 1 : 0;
}

static void tell(const struct damage_range *r)
{
	uint64_t last = r->first + r->count - 1;

	if (r->kind == DAMAGE_NODE)
		say("sectors %" PRIu64 "-%" PRIu64 ": their node of level %u does not verify",
		    r->first, last, r->level);
	else
		say("sectors %" PRIu64 "-%" PRIu64 ": %s", r->first, last,
		    r->kind == DAMAGE_SECTOR
			    ? "the data file has something else than was written"
			    : "unreadable since a write was cut off (recorded by recovery)");
}

int damage_report(struct damage *d)
{
	if (!d->nodes && !d->sectors[DAMAGE_SECTOR] && !d->sectors[DAMAGE_PINNED])
		return STATUS_OK;
	qsort(d->range, d->ranges, sizeof(*d->range), by_place);
	d->ranges = merge(d->range, d->ranges);
	for (size_t i = 0; i < d->ranges && i < TOLD; i++)
		tell(&d->range[i]);
	if (d->ranges > TOLD)
		say("... and %zu more such ranges", d->ranges - TOLD);
	if (d->nodes)
		return fail(STATUS_SIDECAR,
			    "the sidecar is damaged: %" PRIu64 " nodes, above %" PRIu64
			    " sectors; %" PRIu64 " other sectors do not verify",
			    d->nodes, d->sectors[DAMAGE_NODE], d->sectors[DAMAGE_SECTOR]);
	if (d->sectors[DAMAGE_SECTOR])
		return fail(STATUS_SECTORS,
			    "%" PRIu64 " sectors do not verify: damaged, or written after this "
			    "sidecar was (is it an old one, or another disk's?)",
			    d->sectors[DAMAGE_SECTOR]);
	return fail(STATUS_SECTORS, "%" PRIu64 " sectors are recorded as unreadable",
		    d->sectors[DAMAGE_PINNED]);
}
