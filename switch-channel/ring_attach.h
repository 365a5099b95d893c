/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * How the two sides of a channel find each other, and notice that the other is gone: docs/channel.md, "Attaching". For kernel modules and
 * programs alike.
 *
 * A side calls nring_link_look() every NRING_HEARTBEAT_MS or more often, from one thread. After NRING_LINK_START it may use the rings of
 * link->geometry; after NRING_LINK_END it stops to, and only when none of its threads uses a ring any more calls nring_link_reset().
 */
#ifndef SWITCH_CHANNEL_RING_ATTACH_H
#define SWITCH_CHANNEL_RING_ATTACH_H

#include "switch-channel/ring_ops.h"

/* What this side wants; its own memory. */
struct nring_wish {
	nring_u32 features; /* of enum nring_feature */
	nring_u32 mtu;      /* NRING_MTU_MIN.. */
	nring_u32 mtu_min;  /* it does not attach below: NRING_BAD_CONFIG; 0: no such wish */
	nring_u32 domid;    /* its own, or 0 */
	nring_u32 queues;   /* offerer */
	nring_u32 order;    /* offerer */
	nring_u32 port[NRING_QUEUES_MAX]; /* acceptor */
};

enum nring_event {
	NRING_LINK_NONE = 0,
	NRING_LINK_START = 1, /* attached: an epoch begins */
	NRING_LINK_END = 2,   /* it is over */
};

struct nring_link {
	struct nring_header *header; /* the channel's first page */
	nring_u32 pages;             /* mapped; as the monitor has said */
	bool offerer;
	bool attached;
	struct nring_wish wish;
	struct nring_geometry
		geometry; /* bounded; an offerer's: always; an acceptor's: of this epoch */
	nring_u32 epoch;  /* 0: an acceptor that has not looked at any */
	/* Of this epoch: what was agreed on, bounded; what the other says of itself. */
	nring_u32 features;
	nring_u32 mtu;
	nring_u32 peer_domid;                  /* hint */
	nring_u32 peer_port[NRING_QUEUES_MAX]; /* hint */
	nring_u32 peer_beat;
	nring_u32 silent; /* looks in a row without a heartbeat of the other's */
	nring_u64 epochs; /* attached so far */
	nring_u64 violations[NRING_VIOLATIONS];
};

static inline bool nring_wish_good(nring_u32 features, nring_u32 mtu,
				   const struct nring_geometry *g)
{
	if ((features & (NRING_F_TSO4 | NRING_F_TSO6 | NRING_F_USO)) && !(features & NRING_F_CSUM))
		return false;
	return mtu >= NRING_MTU_MIN && mtu <= 65535 && mtu + NRING_MTU_EXTRA <= g->frame_max;
}

/* Zeros in all words of all rings that this side writes. */
static inline void nring_link_clear(struct nring_link *link)
{
	nring_u32 ring;

	for (ring = 0; ring < 2 * link->geometry.queues; ring++) {
		struct nring_control *c = nring_control_of(link->header, ring);
		bool producer = link->offerer == !(ring & 1);

		nring_store(producer ? &c->produced.value : &c->consumed.value, 0);
		nring_store(producer ? &c->producer_sleep.value : &c->consumer_sleep.value, 0);
	}
}

/* A number for a new epoch: none that the other side has seen. */
static inline nring_u32 nring_epoch_after(nring_u32 last, nring_u32 accepted, nring_u32 refused)
{
	do
		last++;
	while (!last || last == accepted || last == refused);
	return last;
}

/* The offerer's header, of a new epoch. */
static inline void nring_offer_write(struct nring_link *link)
{
	struct nring_offer *o = &link->header->offer;
	const struct nring_wish *w = &link->wish;
	nring_u32 last = link->epoch ? link->epoch : nring_load(&o->epoch);

	nring_store(&o->magic, 0);
	nring_fence_release();
	nring_link_clear(link);
	link->epoch = nring_epoch_after(last, nring_load(&link->header->accept.epoch),
					nring_load(&link->header->accept.refused));
	nring_store(&o->epoch, link->epoch);
	nring_fence_release();
	nring_store(&o->version, NRING_VERSION);
	nring_store(&o->pages, link->pages);
	nring_store(&o->queues, w->queues);
	nring_store(&o->order, w->order);
	nring_store(&o->features, w->features);
	nring_store(&o->mtu, w->mtu);
	nring_store(&o->domid, w->domid);
	nring_store_release(&o->magic, NRING_MAGIC);
}

/*
 * Begins to offer, or to look for offers, in `pages` pages from `base`. 0, or a positive enum nring_violation: what is wrong with *wish, and
 * nothing was written.
 */
static inline int nring_link_init(struct nring_link *link, void *base, nring_u32 pages,
				  bool offerer, const struct nring_wish *wish)
{
	*link = (struct nring_link){.header = base,
				    .pages = pages,
				    .offerer = offerer,
				    .wish = *wish};
	if (pages < NRING_PAGES_MIN || pages > NRING_PAGES_MAX)
		return NRING_BAD_GEOMETRY;
	link->wish.features &= NRING_F_ALL;
	if (!offerer)
		return 0;
	if (nring_geometry(&link->geometry, pages, wish->queues, wish->order))
		return NRING_BAD_GEOMETRY;
	if (!nring_wish_good(link->wish.features, wish->mtu, &link->geometry))
		return NRING_BAD_CONFIG;
	nring_offer_write(link);
	return 0;
}

/* Whether the offer is there, and all of it: the monitor may have been zeroing the pages while it was written. */
static inline bool nring_offer_stands(const struct nring_link *link)
{
	const struct nring_offer *o = &link->header->offer;
	const struct nring_wish *w = &link->wish;

	return nring_load(&o->magic) == NRING_MAGIC && nring_load(&o->version) == NRING_VERSION &&
	       nring_load(&o->epoch) == link->epoch && nring_load(&o->pages) == link->pages &&
	       nring_load(&o->queues) == w->queues && nring_load(&o->order) == w->order &&
	       nring_load(&o->features) == w->features && nring_load(&o->mtu) == w->mtu &&
	       nring_load(&o->domid) == w->domid;
}

/* The offerer's part of nring_link_look(). */
static inline enum nring_event nring_offer_look(struct nring_link *link)
{
	struct nring_accept *a = &link->header->accept;
	nring_u32 accepted = nring_load_acquire(&a->epoch), queue;
	bool same = nring_offer_stands(link) &&
		    !(nring_load_acquire(&a->refused) == link->epoch && !nring_load(&a->reason));

	if (!same || (link->attached && accepted != link->epoch))
		return NRING_LINK_END;
	if (link->attached || accepted != link->epoch)
		return NRING_LINK_NONE;
	link->features = nring_load(&a->features);
	link->mtu = nring_load(&a->mtu);
	if ((link->features & ~link->wish.features) || link->mtu > link->wish.mtu ||
	    link->mtu < link->wish.mtu_min ||
	    !nring_wish_good(link->features, link->mtu, &link->geometry)) {
		link->violations[NRING_BAD_CONFIG]++;
		return NRING_LINK_NONE;
	}
	link->peer_domid = nring_load(&a->domid);
	for (queue = 0; queue < NRING_QUEUES_MAX; queue++)
		link->peer_port[queue] = nring_load(&a->port[queue]);
	return NRING_LINK_START;
}

/* A consistent copy of an offer, if there is one. */
static inline bool nring_offer_read(const struct nring_offer *o, struct nring_offer *copy)
{
	/* In this order: one that is being written has its new epoch already, and no magic. */
	copy->epoch = nring_load_acquire(&o->epoch);
	if (nring_load_acquire(&o->magic) != NRING_MAGIC)
		return false;
	copy->version = nring_load(&o->version);
	copy->pages = nring_load(&o->pages);
	copy->queues = nring_load(&o->queues);
	copy->order = nring_load(&o->order);
	copy->features = nring_load(&o->features);
	copy->mtu = nring_load(&o->mtu);
	copy->domid = nring_load(&o->domid);
	nring_fence_acquire();
	return nring_load(&o->magic) == NRING_MAGIC && nring_load(&o->epoch) == copy->epoch &&
	       copy->epoch;
}

/* Does not start in this epoch; said again at each look, in case that the other side has overwritten it, but counted once. */
static inline void nring_refuse(struct nring_link *link, nring_u32 epoch, nring_u32 reason)
{
	nring_store(&link->header->accept.reason, reason);
	nring_store_release(&link->header->accept.refused, epoch);
	if (epoch != link->epoch)
		link->violations[reason]++;
	link->epoch = epoch;
}

/* Checks a copy of an offer, and takes the geometry from it. 0 or enum nring_violation. */
static inline int nring_offer_check(struct nring_link *link, const struct nring_offer *offer)
{
	if (offer->version != NRING_VERSION)
		return NRING_BAD_VERSION;
	if (offer->pages != link->pages ||
	    nring_geometry(&link->geometry, offer->pages, offer->queues, offer->order))
		return NRING_BAD_GEOMETRY;
	link->features = offer->features & link->wish.features;
	link->mtu = offer->mtu < link->wish.mtu ? offer->mtu : link->wish.mtu;
	if (link->mtu < link->wish.mtu_min ||
	    !nring_wish_good(offer->features, offer->mtu, &link->geometry) ||
	    !nring_wish_good(link->features, link->mtu, &link->geometry))
		return NRING_BAD_CONFIG;
	return 0;
}

/* The acceptor's part: it starts in an epoch that neither it nor a predecessor has been in. */
static inline enum nring_event nring_accept_look(struct nring_link *link)
{
	struct nring_header *h = link->header;
	struct nring_offer offer = {0};
	nring_u32 queue;
	int bad;

	if (link->attached)
		return nring_load_acquire(&h->offer.magic) != NRING_MAGIC ||
				       nring_load(&h->offer.epoch) != link->epoch
			       ? NRING_LINK_END
			       : NRING_LINK_NONE;
	if (!nring_offer_read(&h->offer, &offer))
		return NRING_LINK_NONE;
	bad = nring_offer_check(link, &offer);
	if (bad || offer.epoch == link->epoch || nring_load(&h->accept.epoch) == offer.epoch ||
	    nring_load(&h->accept.refused) == offer.epoch) {
		nring_refuse(link, offer.epoch, (nring_u32)bad);
		return NRING_LINK_NONE;
	}
	link->epoch = offer.epoch;
	link->peer_domid = offer.domid;
	nring_link_clear(link);
	nring_store(&h->accept.features, link->features);
	nring_store(&h->accept.mtu, link->mtu);
	nring_store(&h->accept.domid, link->wish.domid);
	for (queue = 0; queue < NRING_QUEUES_MAX; queue++)
		nring_store(&h->accept.port[queue], link->wish.port[queue]);
	nring_store_release(&h->accept.epoch, offer.epoch);
	return NRING_LINK_START;
}

/*
 * Looks after the link: what has happened, and this side's heartbeat and state (enum nring_state). NRING_LINK_END is said again and again
 * until nring_link_reset(), and may be said of an epoch that never started.
 */
static inline enum nring_event nring_link_look(struct nring_link *link, nring_u32 state)
{
	struct nring_header *h = link->header;
	struct nring_live *own = link->offerer ? &h->offerer : &h->acceptor;
	struct nring_live *peer = link->offerer ? &h->acceptor : &h->offerer;
	enum nring_event event = link->offerer ? nring_offer_look(link) : nring_accept_look(link);
	nring_u32 beat = nring_load(&peer->heartbeat);

	nring_store(&own->state, state);
	nring_store(&own->heartbeat, nring_load(&own->heartbeat) + 1);
	link->silent = beat == link->peer_beat ? link->silent + 1 : 0;
	link->peer_beat = beat;
	if (event == NRING_LINK_START) {
		link->attached = true;
		link->silent = 0;
		link->epochs++;
	}
	return event;
}

/* What the other side says of itself: enum nring_state. 0 if it is not attached. */
static inline nring_u32 nring_link_peer(const struct nring_link *link)
{
	const struct nring_header *h = link->header;

	if (!link->attached)
		return 0;
	return nring_load(link->offerer ? &h->acceptor.state : &h->offerer.state) &
	       (NRING_STATE_UP | NRING_STATE_CARRIER);
}

/*
 * After a frame has been copied: whether it was the other side's until then. The monitor takes pages away from the first one on: of a
 * frame that was copied meanwhile a part may be zeros, and no checksum says so where NRING_NEEDS_CSUM spares it.
 */
static inline bool nring_link_goes_on(const struct nring_link *link)
{
	nring_fence_acquire();
	return nring_load(&link->header->offer.magic) == NRING_MAGIC;
}

/* An acceptor's last words in an epoch: its rings are of no use to the next acceptor either. */
static inline void nring_accept_leave(struct nring_link *link)
{
	struct nring_accept *a = &link->header->accept;

	nring_store(&a->reason, 0);
	nring_store_release(&a->refused, link->epoch);
	nring_store_release(&a->epoch, 0);
}

/*
 * Ends this side's epoch: after NRING_LINK_END, or to start anew (an acceptor's rings have lost their way; an offerer's wish has changed).
 * None of this side's threads uses a ring. An offerer offers again; an acceptor takes the next epoch.
 */
static inline void nring_link_reset(struct nring_link *link)
{
	link->attached = false;
	if (link->offerer)
		nring_offer_write(link);
	else
		nring_accept_leave(link);
}

/* This side goes, for good; as nring_link_reset(). */
static inline void nring_link_close(struct nring_link *link)
{
	struct nring_header *h = link->header;

	link->attached = false;
	nring_store(link->offerer ? &h->offerer.state : &h->acceptor.state, 0);
	if (link->offerer)
		nring_store_release(&h->offer.magic, 0);
	else
		nring_accept_leave(link);
}

#endif
