/* SPDX-License-Identifier: Apache-2.0 */
/* The host as a peer, and what it sees of the channels. */
#include "ept/host.h"
#include "ept/phys.h"
#include "monitor/channel_record.h"
#include "monitor/lib.h"

bool channel_show(hpa_t page, owner_t owner)
{
	int err;

	lock_take_relaxed(&channels.lock);
	/* The host may have accepted meanwhile. */
	err = host_allows(page, TABLE_R) ? 0 : host_show(page, channels.zeros, TABLE_R, owner);
	lock_drop(&channels.lock);
	return err != ERR_NOMEM; /* another owner's by now: L1 repeats what it did */
}

/* Nobody's page alone can be there now, and who puts it there counts it first. So other guests' channels hold up no one. */
bool channel_cancel(unsigned int guest, hpa_t page)
{
	bool left;

	if (!__atomic_load_n(&channels.side[guest].host_left, __ATOMIC_SEQ_CST))
		return false;
	lock_take_relaxed(&channels.lock); /* who is just withdrawing it has flushed then */
	left = host_allows(page, TABLE_R);
	if (left)
		host_set(page, PAGE_SIZE, 0);
	lock_drop(&channels.lock);
	return left;
}

int channel_summary(uint64_t index, struct channel_summary *out)
{
	const struct channel *c;
	int err = ERR_NOENT;

	if (index >= CHANNEL_RECORDS)
		return ERR_INVAL;
	c = &channels.table[index];
	lock_take_relaxed(&channels.lock);
	if (c->id || c->ended) {
		*out = (struct channel_summary){.id = c->id ? c->id : c->ended,
						.peer = c->peer,
						.state = c->state,
						.reason = c->reason,
						.offerer = c->offerer_id,
						.acceptor = channel_acceptor(c),
						.accepts = c->accepts,
						.pages = c->id ? c->grant.pages : 0};
		memcpy(out->service, c->service, sizeof(out->service));
		memcpy(out->identity, c->identity, sizeof(out->identity));
		err = 0;
	}
	lock_drop(&channels.lock);
	return err;
}

/* Where the offerer has it. */
static gpa_t gpa_of(const struct channel *c, unsigned int page)
{
	return owner_gpa(owner_of(grant_page(&c->grant, page)));
}

int channel_host_page(uint64_t id, uint64_t n, gpa_t *gpa, uint64_t *run)
{
	const struct channel *c;
	int err = ERR_NOENT;

	lock_take_relaxed(&channels.lock);
	c = channel_find(id);
	if (c && c->peer == CHANNEL_PEER_HOST && c->state != CHANNEL_LEFT && n < c->grant.pages) {
		*gpa = gpa_of(c, (unsigned int)n);
		*run = 1;
		while (n + *run < c->grant.pages &&
		       gpa_of(c, (unsigned int)(n + *run)).a == gpa->a + *run * PAGE_SIZE)
			++*run;
		err = 0;
	}
	lock_drop(&channels.lock);
	return err;
}

/* Whether the host still has nobody's page in the place of some of this guest's. */
static bool has_left(const struct guest *g)
{
	for (unsigned int i = 0; i < CHANNEL_RECORDS; i++)
		if (channels.table[i].id && channels.table[i].offerer == g &&
		    channels.table[i].state == CHANNEL_LEFT)
			return true;
	return false;
}

static int accept(struct channel *c, unsigned int guest)
{
	int err;

	if (!c || c->peer != CHANNEL_PEER_HOST || c->state != CHANNEL_OFFERED)
		return ERR_NOENT;
	if (guest_number(c->offerer) != guest)
		return ERR_PERM;
	if (has_left(c->offerer))
		return ERR_BUSY;
	err = grant_show(&c->grant);
	phys_flush(); /* it may know the zeros in their place */
	if (err)
		return err;
	c->state = CHANNEL_OPEN;
	c->accepts++;
	return 0;
}

int channel_host_accept(uint64_t id, unsigned int guest)
{
	int err;

	lock_take_relaxed(&channels.lock);
	err = accept(channel_find(id), guest);
	lock_drop(&channels.lock);
	return err;
}

static int close(struct channel *c, unsigned int guest, enum channel_reason reason)
{
	if (!c || !channel_is_hosts(c))
		return ERR_NOENT;
	if (guest_number(c->offerer) != guest)
		return ERR_PERM;
	if (c->state == CHANNEL_LEFT)
		channel_forget(c);
	else
		channel_finish(c, reason, true);
	return 0;
}

int channel_host_close(uint64_t id, unsigned int guest, uint64_t reason)
{
	int err;

	if (!channel_reason_of_side(reason))
		return ERR_INVAL;
	lock_take_relaxed(&channels.lock);
	err = close(channel_find(id), guest, (enum channel_reason)reason);
	lock_drop(&channels.lock);
	return err;
}
