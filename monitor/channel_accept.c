/* SPDX-License-Identifier: Apache-2.0 */
/* A guest accepts what was offered to it. */
#include "monitor/channel_record.h"
#include "monitor/lib.h"

/* Whether the guest may accept it now. */
static bool is_for(const struct channel *c, const struct guest *g)
{
	return c->id && c->state == CHANNEL_OFFERED && c->offerer != g &&
	       channel_is(g, c->peer, c->identity);
}

int channel_pending(const struct guest *g, uint64_t after, struct channel_pending *out)
{
	const struct channel *first = NULL;

	lock_take_relaxed(&channels.lock);
	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++) {
		const struct channel *c = &channels.table[i];

		if (c->id > after && (!first || c->id < first->id) && is_for(c, g))
			first = c;
	}
	if (first) {
		*out = (struct channel_pending){.id = first->id,
						.offerer = first->offerer_id,
						.pages = first->grant.pages};
		memcpy(out->service, first->service, sizeof(out->service));
	}
	lock_drop(&channels.lock);
	return first ? 0 : ERR_NOENT;
}

int channel_offerer(const struct guest *g, uint64_t id, enum channel_peer kind,
		    uint8_t identity[CHANNEL_IDENTITY])
{
	const struct channel *c;
	int err = ERR_NOENT;

	lock_take_relaxed(&channels.lock);
	c = channel_find(id);
	if (c && is_for(c, g)) {
		channel_identity(c->offerer, kind, identity);
		err = 0;
	}
	lock_drop(&channels.lock);
	return err;
}

/* Whether the guest may have one more. */
static bool has_place(const struct guest *g)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++)
		n += channels.table[i].id && channels.table[i].acceptor == g;
	for (unsigned int i = 0; i < CHANNEL_ACCEPTS_MAX; i++)
		n += channel_side(g)->left[i].id != 0;
	return n < CHANNEL_ACCEPTS_MAX;
}

static int open_aperture(struct guest *g)
{
	struct aperture *a = &channel_side(g)->aperture;
	int err;

	if (!channels.aperture)
		return ERR_NOSYS;
	if (a->upper.a)
		return 0;
	err = aperture_open(a, &g->protection.table, GPA(CHANNEL_APERTURE),
			    channel_nobodys(guest_number(g)));
	return err == ERR_PERM ? ERR_BUSY : err;
}

static int accept(struct guest *g, const struct channel_accept *a, unsigned int slot)
{
	struct channel *c = channel_find(a->id);
	unsigned int slots;
	int err;

	if (!guest_live(g) || !c || !is_for(c, g))
		return ERR_NOENT;
	if (memcmp(c->service, a->service, sizeof(c->service)) != 0 ||
	    !channel_is(c->offerer, (enum channel_peer)a->peer, a->identity))
		return ERR_PERM;
	if (!has_place(g))
		return ERR_NOMEM;
	err = open_aperture(g);
	if (err)
		return err;
	slots = grant_tables(&c->grant);
	if (!aperture_is_free(&channel_side(g)->aperture, slot, slots))
		return ERR_BUSY;
	aperture_map(&channel_side(g)->aperture, slot, c->grant.table, slots);
	c->state = CHANNEL_OPEN;
	c->acceptor = g;
	c->slot = slot;
	c->accepts++;
	return 0;
}

int channel_accept(struct guest *g, const struct channel_accept *a)
{
	struct guest_table *t = &g->protection.table;
	uint64_t offset = a->gpa - CHANNEL_APERTURE;
	int err;

	if (a->zero || (a->peer != CHANNEL_PEER_DIGEST && a->peer != CHANNEL_PEER_TENANT) ||
	    offset >= CHANNEL_APERTURE_BYTES || offset % CHANNEL_SLOT)
		return ERR_INVAL;
	lock_take_relaxed(&t->lock);
	lock_take_relaxed(&channels.lock);
	err = accept(g, a, (unsigned int)(offset / CHANNEL_SLOT));
	lock_drop(&channels.lock);
	lock_drop(&t->lock);
	return err;
}

bool channel_has_aperture(struct guest *g)
{
	struct guest_table *t = &g->protection.table;
	bool has;

	lock_take_relaxed(&t->lock);
	has = channels.aperture && guest_table_has_room(t, GPA(CHANNEL_APERTURE));
	lock_drop(&t->lock);
	return has;
}

bool channel_at(const struct guest *g, gpa_t gpa, bool *mapped)
{
	const struct aperture *a = &channel_side(g)->aperture;
	uint64_t offset = gpa.a - CHANNEL_APERTURE;
	bool open;

	*mapped = false;
	if (offset >= CHANNEL_APERTURE_BYTES)
		return false;
	lock_take_relaxed(&channels.lock);
	open = a->upper.a;
	if (open)
		*mapped = aperture_has(a, offset);
	lock_drop(&channels.lock);
	return open;
}
