/* SPDX-License-Identifier: Apache-2.0 */
/* A guest offers pages of its own. */
#include "ept/phys.h"
#include "monitor/channel_record.h"
#include "monitor/lib.h"
#include "monitor/window.h"

#define GPA_BITS 48 /* of an address in a nested table */

static bool is_zero(const uint8_t *bytes, size_t n)
{
	uint8_t any = 0;

	for (size_t i = 0; i < n; i++)
		any |= bytes[i];
	return !any;
}

/* A text with nothing behind its NULs. */
static bool is_name(const uint8_t service[CHANNEL_SERVICE])
{
	size_t n = 0;

	while (n < CHANNEL_SERVICE && service[n])
		n++;
	return n && is_zero(service + n, CHANNEL_SERVICE - n);
}

static bool overlap(const struct channel_extent *a, const struct channel_extent *b)
{
	return a->gfn < b->gfn + b->pages && b->gfn < a->gfn + a->pages;
}

/* *pages: how many. */
static int check(const struct channel_offer *o, unsigned int *pages)
{
	*pages = 0;
	if (!is_name(o->service) || o->peer < CHANNEL_PEER_DIGEST || o->peer > CHANNEL_PEER_HOST ||
	    (o->peer == CHANNEL_PEER_HOST && !is_zero(o->identity, CHANNEL_IDENTITY)) ||
	    !o->extents || o->extents > CHANNEL_EXTENTS_MAX)
		return ERR_INVAL;
	for (unsigned int i = 0; i < o->extents; i++) {
		const struct channel_extent *e = &o->extent[i];

		if (e->zero || !e->pages || e->pages > CHANNEL_PAGES_MAX - *pages ||
		    e->gfn >> (GPA_BITS - PAGE_SHIFT))
			return ERR_INVAL;
		for (unsigned int k = 0; k < i; k++)
			if (overlap(e, &o->extent[k]))
				return ERR_INVAL;
		*pages += e->pages;
	}
	return 0;
}

/* Of two of a guest's that are no more: the one to use. Of this service, whose last end goes on to be seen so; or the older one. */
static struct channel *better(struct channel *one, struct channel *other, const uint8_t *service)
{
	if (!one || !memcmp(other->service, service, CHANNEL_SERVICE))
		return other;
	return memcmp(one->service, service, CHANNEL_SERVICE) && other->ended < one->ended ? other
											   : one;
}

/* A record, if the guest has not used up its own: those that tell of ended channels are among them. */
static struct channel *place(const struct guest *g, const uint8_t *service, unsigned int pages)
{
	unsigned int offers = 0, ended = 0, offered = pages;
	struct channel *free = NULL, *again = NULL;

	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++) {
		struct channel *c = &channels.table[i];

		if (!c->id && !c->ended)
			free = c;
		else if (c->offerer != g)
			continue;
		else if (c->ended) {
			again = better(again, c, service);
			ended++;
		} else {
			offers++;
			offered += c->state == CHANNEL_LEFT ? 0 : c->grant.pages;
		}
	}
	if (offers >= CHANNEL_OFFERS_MAX || offered > CHANNEL_GUEST_PAGES)
		return NULL;
	if (again && (offers + ended >= CHANNEL_OFFERS_MAX ||
		      !memcmp(again->service, service, CHANNEL_SERVICE)))
		return again;
	return free;
}

/* True in *shown: L1's CPUs may know a frame in the place of one of them. */
static int take_page(struct grant *grant, const struct walk_space *space, uint64_t gfn, bool *shown)
{
	struct walk_result at;
	int err;

	if (walk_gpa(space, GPA(gfn << PAGE_SHIFT), WALK_READ, &at))
		return ERR_PERM;
	err = grant_add(grant, at.hpa, GPA(gfn << PAGE_SHIFT));
	if (err)
		return err;
	/* From here on there is no new window over it, and none writes to it when this has looked. */
	if (window_is_held(at.hpa))
		return ERR_BUSY;
	*shown |= window_cancel(at.hpa);
	return 0;
}

/* The guest's table is locked: what it maps stays. */
static int take_pages(struct grant *grant, const struct guest *g, const struct channel_offer *o)
{
	struct walk_space space = {.nested = true, .phys_bits = 52};
	bool shown = false;
	int err = 0;

	guest_space(g, &space);
	for (unsigned int i = 0; !err && i < o->extents; i++)
		for (unsigned int k = 0; !err && k < o->extent[i].pages; k++)
			err = take_page(grant, &space, o->extent[i].gfn + k, &shown);
	/* Other CPUs that deal with exits of the guest's may have pointers into the pages. */
	if (shown)
		phys_flush();
	else if (!err)
		phys_flush_guest(guest_number(g));
	if (!err) {
		grant_scrub(grant);
		return 0;
	}
	grant_return(grant);
	grant_free(grant);
	return err;
}

static int offer(struct guest *g, const struct channel_offer *o, unsigned int pages, uint64_t *id)
{
	struct channel *c = place(g, o->service, pages);
	bool same;
	int err;

	if (!guest_live(g))
		return ERR_NOENT;
	if (!c)
		return ERR_NOMEM;
	c->grant = (struct grant){.guest = guest_number(g)};
	err = take_pages(&c->grant, g, o);
	if (err)
		return err;
	same = c->ended && !memcmp(c->service, o->service, sizeof(c->service));
	c->reason = same ? c->reason : CHANNEL_REASON_NONE;
	c->accepts = c->ended = 0;
	c->id = *id = ++channels.last_id;
	c->state = CHANNEL_OFFERED;
	c->peer = (enum channel_peer)o->peer;
	memcpy(c->service, o->service, sizeof(c->service));
	memcpy(c->identity, o->identity, sizeof(c->identity));
	c->offerer = g;
	c->offerer_id = g->id;
	return 0;
}

int channel_offer(struct guest *g, const struct channel_offer *o, uint64_t *id)
{
	struct guest_table *t = &g->protection.table;
	unsigned int pages;
	int err = check(o, &pages);

	if (err)
		return err;
	lock_take_relaxed(&t->lock);
	lock_take_relaxed(&channels.lock);
	err = offer(g, o, pages, id);
	lock_drop(&channels.lock);
	lock_drop(&t->lock);
	return err;
}
