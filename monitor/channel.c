/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/channel_record.h"

#include "ept/host.h"
#include "ept/io.h"
#include "ept/phys.h"
#include "monitor/hw.h"
#include "monitor/launch.h"
#include "monitor/lib.h"
#include "monitor/mem.h"

#define APERTURE_BITS 40 /* of an address in it */

_Static_assert(CHANNEL_RECORDS == GUEST_MAX * CHANNEL_OFFERS_MAX, "a guest's own records");
_Static_assert(CHANNEL_PAGES_MAX == GRANT_PAGES_MAX, "what a grant holds");
_Static_assert(CHANNEL_APERTURE_BYTES == APERTURE_SLOTS * CHANNEL_SLOT, "what the tables map");
_Static_assert((CHANNEL_APERTURE + CHANNEL_APERTURE_BYTES - 1) >> APERTURE_BITS == 0, "its bits");
#define SAME(one, other) _Static_assert((int)CHANNEL_##one == (int)(other), "one set of errors")
SAME(EPERM, ERR_PERM);
SAME(ENOENT, ERR_NOENT);
SAME(EAGAIN, ERR_AGAIN);
SAME(ENOMEM, ERR_NOMEM);
SAME(EFAULT, ERR_FAULT);
SAME(EBUSY, ERR_BUSY);
SAME(EINVAL, ERR_INVAL);
SAME(ENOSYS, ERR_NOSYS);

struct channels channels;

static void *room(size_t bytes)
{
	return mem_pages(ALIGN_UP(bytes, PAGE_SIZE) >> PAGE_SHIFT);
}

hpa_t channel_nobodys(unsigned int number)
{
	return mem_hpa(channels.nobodys + number * PAGE_SIZE);
}

void channel_init(void)
{
	channels.last_id = 0;
	channels.aperture = hw_address_bits() >= APERTURE_BITS;
	channels.table = room(CHANNEL_RECORDS * sizeof(struct channel));
	channels.side = room(GUEST_MAX * sizeof(struct side));
	channels.nobodys = mem_pages(GUEST_MAX + 1);
	channels.zeros = mem_hpa(mem_pages(1));
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		owner_change(channel_nobodys(i), OWNER_WORD(OWNER_MONITOR),
			     owner_word(OWNER_CHANNEL, i, GPA(CHANNEL_APERTURE)));
}

struct side *channel_side(const struct guest *g)
{
	return &channels.side[guest_number(g)];
}

struct channel *channel_find(uint64_t id)
{
	for (unsigned int i = 0; id && i < CHANNEL_RECORDS; i++)
		if (channels.table[i].id == id)
			return &channels.table[i];
	return NULL;
}

struct left *channel_left(const struct guest *g, uint64_t id)
{
	for (unsigned int i = 0; i < CHANNEL_ACCEPTS_MAX; i++)
		if (channel_side(g)->left[i].id == id)
			return &channel_side(g)->left[i];
	return NULL;
}

bool channel_is_hosts(const struct channel *c)
{
	return c->id && c->state != CHANNEL_OFFERED && !c->acceptor;
}

/* --- identities (R28) ------------------------------------------------------------------------------ */

bool channel_identity(const struct guest *g, enum channel_peer kind, uint8_t out[CHANNEL_IDENTITY])
{
	const struct guest_disks *disks = &g->protection.disks;
	struct launch launch;

	memset(out, 0, CHANNEL_IDENTITY);
	if (kind == CHANNEL_PEER_TENANT && disks->has_tenant) {
		memcpy(out, disks->tenant, CHANNEL_IDENTITY);
		return true;
	}
	launch = launch_of_guest(guest_number(g), g->id);
	if (kind != CHANNEL_PEER_DIGEST || !launch.id)
		return false;
	memcpy(out, launch.digest, CHANNEL_IDENTITY);
	return true;
}

bool channel_is(const struct guest *g, enum channel_peer kind,
		const uint8_t identity[CHANNEL_IDENTITY])
{
	uint8_t own[CHANNEL_IDENTITY];

	return channel_identity(g, kind, own) && !memcmp(own, identity, CHANNEL_IDENTITY);
}

/* --- the end (R30) --------------------------------------------------------------------------------- */

static void release(struct channel *c)
{
	grant_free(&c->grant);
	if (!guest_live(c->offerer)) {
		*c = (struct channel){.id = 0};
		return;
	}
	c->ended = c->id;
	c->id = 0;
	c->state = CHANNEL_ENDED;
	c->acceptor = NULL;
}

/* has_place() has seen to it that there is one. */
static struct left *free_left(const struct guest *g)
{
	struct left *left = channel_side(g)->left;

	for (unsigned int i = 0; left->id; left++)
		ASSERT(++i < CHANNEL_ACCEPTS_MAX);
	return left;
}

static void leave(const struct channel *c, enum channel_reason reason)
{
	unsigned int slots = grant_tables(&c->grant);
	struct left *left = free_left(c->acceptor);

	aperture_leave(&channel_side(c->acceptor)->aperture, c->slot, slots);
	*left = (struct left){.id = c->id,
			      .reason = reason,
			      .accepts = c->accepts,
			      .slot = c->slot,
			      .slots = slots,
			      .pages = c->grant.pages};
}

/* The other side loses the pages. True: L1's CPUs may know them, or what they have seen in their places, still. */
static bool separate(const struct channel *c, enum channel_reason reason, bool stands)
{
	if (c->state == CHANNEL_OPEN && c->acceptor) {
		if (stands)
			aperture_clear(&channel_side(c->acceptor)->aperture, c->slot,
				       grant_tables(&c->grant));
		else
			leave(c, reason);
	}
	if (channel_is_hosts(c) && !stands && guest_live(c->offerer)) {
		grant_replace(&c->grant, channel_nobodys(GUEST_MAX));
		return true;
	}
	if (channel_is_hosts(c))
		return grant_hide(&c->grant);
	return grant_withdraw(&c->grant, channels.zeros);
}

void channel_finish(struct channel *c, enum channel_reason reason, bool stands)
{
	bool left = channel_is_hosts(c) && !stands && guest_live(c->offerer);

	/* Two guests alone do not get to stop all CPUs. */
	if (separate(c, reason, stands))
		phys_flush();
	else if (c->acceptor)
		phys_flush_guest(guest_number(c->acceptor));
	grant_scrub(&c->grant);
	if (left)
		__atomic_add_fetch(&channel_side(c->offerer)->host_left, 1, __ATOMIC_SEQ_CST);
	c->reason = reason;
	if (stands) {
		c->state = CHANNEL_OFFERED;
		c->acceptor = NULL;
		return;
	}
	grant_return(&c->grant);
	if (left)
		c->state = CHANNEL_LEFT;
	else
		release(c);
}

void channel_forget(struct channel *c)
{
	grant_withdraw(&c->grant, channel_nobodys(GUEST_MAX));
	phys_flush();
	__atomic_sub_fetch(&channel_side(c->offerer)->host_left, 1, __ATOMIC_SEQ_CST);
	release(c);
}

void channel_revoke(struct guest_table *t, hpa_t page)
{
	lock_take_relaxed(&channels.lock);
	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++) {
		struct channel *c = &channels.table[i];

		if (c->id && c->state != CHANNEL_LEFT && c->grant.guest == t->guest &&
		    grant_has(&c->grant, page))
			channel_finish(c, CHANNEL_REASON_PAGES, false);
	}
	lock_drop(&channels.lock);
}

void channel_end(struct guest *g)
{
	struct side *side = channel_side(g);

	lock_take_relaxed(&channels.lock);
	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++) {
		struct channel *c = &channels.table[i];

		if (c->ended && c->offerer == g)
			*c = (struct channel){.id = 0};
		if (!c->id)
			continue;
		if (c->offerer == g && c->state == CHANNEL_LEFT)
			channel_forget(c);
		else if (c->offerer == g)
			channel_finish(c, CHANNEL_REASON_OVER, false);
		else if (c->acceptor == g)
			channel_finish(c, CHANNEL_REASON_OVER, true);
	}
	if (side->aperture.upper.a) {
		void *nobodys = phys_at(channel_nobodys(guest_number(g)));

		memset(nobodys, 0, PAGE_SIZE);
		io_write_back(nobodys, PAGE_SIZE); /* the next one may map it uncacheable (R4) */
	}
	aperture_close(&side->aperture);
	memset(side, 0, sizeof(*side));
	lock_drop(&channels.lock);
}

bool channel_reason_of_side(uint64_t reason)
{
	return reason == CHANNEL_REASON_CLOSED || reason == CHANNEL_REASON_VIOLATION ||
	       reason == CHANNEL_REASON_STALLED;
}

/* The guest gives up what it was left with. */
static int close_left(const struct guest *g, uint64_t id)
{
	struct left *left = id ? channel_left(g, id) : NULL;

	if (!left)
		return ERR_NOENT;
	aperture_clear(&channel_side(g)->aperture, left->slot, left->slots);
	phys_flush_guest(guest_number(g));
	*left = (struct left){.id = 0};
	return 0;
}

int channel_close(struct guest *g, uint64_t id, uint64_t reason)
{
	struct channel *c;
	int err = 0;

	if (!channel_reason_of_side(reason))
		return ERR_INVAL;
	lock_take_relaxed(&channels.lock);
	c = channel_find(id);
	if (c && c->offerer == g && c->state != CHANNEL_LEFT)
		channel_finish(c, (enum channel_reason)reason, false);
	else if (c && c->acceptor == g)
		channel_finish(c, (enum channel_reason)reason, true);
	else
		err = close_left(g, id);
	lock_drop(&channels.lock);
	return err;
}

/* --- what is seen ------------------------------------------------------------------------------------ */

uint64_t channel_acceptor(const struct channel *c)
{
	return c->acceptor ? c->acceptor->id : channel_is_hosts(c) ? CHANNEL_HOST : 0;
}

int channel_status(const struct guest *g, uint64_t id, struct channel_status *out)
{
	const struct channel *c;
	const struct left *left;
	int err = 0;

	lock_take_relaxed(&channels.lock);
	c = channel_find(id);
	left = id ? channel_left(g, id) : NULL;
	if (c && ((c->offerer == g && c->state != CHANNEL_LEFT) || c->acceptor == g))
		*out = (struct channel_status){c->state, c->reason, c->accepts,
					       c->offerer == g ? channel_acceptor(c)
							       : c->offerer_id,
					       c->grant.pages};
	else if (left)
		*out = (struct channel_status){CHANNEL_LEFT, left->reason, left->accepts, 0,
					       left->pages};
	else
		err = ERR_NOENT;
	lock_drop(&channels.lock);
	return err;
}
