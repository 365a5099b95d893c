/* SPDX-License-Identifier: Apache-2.0 */
/* For monitor/channel*.c: the records of channels, and what becomes of one. All of it needs channels.lock. */
#ifndef MONITOR_CHANNEL_RECORD_H
#define MONITOR_CHANNEL_RECORD_H

#include "ept/aperture.h"
#include "ept/grant.h"
#include "monitor/channel.h"
#include "monitor/guest.h"

struct channel {
	uint64_t id; /* 0: free, if `ended` is, too */
	uint64_t
		ended; /* of a channel that is no more, of an offerer who lives: only what a summary says of it is left */
	enum channel_state state;
	enum channel_peer peer;
	uint8_t service[CHANNEL_SERVICE];
	uint8_t identity[CHANNEL_IDENTITY]; /* of who may accept */
	struct guest *offerer;
	uint64_t offerer_id;
	struct guest *acceptor; /* OPEN: NULL if that is the host */
	unsigned int slot;      /* of the acceptor's aperture */
	uint64_t accepts;
	enum channel_reason
		reason; /* of its last end; of one never accepted, of what this guest had offered by this name before */
	struct grant grant; /* LEFT: what the host has nobody's page in the place of */
};

/* What a guest had accepted and has not closed, after the offerer left it. */
struct left {
	uint64_t id; /* 0: free */
	enum channel_reason reason;
	uint64_t accepts;
	unsigned int slot, slots, pages;
};

/* Of a guest, found by its number. */
struct side {
	struct aperture aperture; /* as the one that accepts */
	struct left left[CHANNEL_ACCEPTS_MAX];
	uint32_t host_left; /* channels of its own that are LEFT, or not flushed since; atomic */
};

struct channels {
	struct lock lock;
	uint64_t last_id;
	bool aperture;         /* the processor's addresses are wide enough */
	struct channel *table; /* CHANNEL_RECORDS */
	struct side *side;     /* GUEST_MAX */
	char *nobodys;         /* a page for each guest's number, and one for L1 */
	hpa_t zeros;           /* what L1 reads in the place of a page that it has no part in */
};
extern struct channels channels;

/* Nobody's page of a guest's, by number, or (GUEST_MAX) of L1's. */
hpa_t channel_nobodys(unsigned int number);

struct side *channel_side(const struct guest *g);

/* The channel with this id, or NULL. */
struct channel *channel_find(uint64_t id);

/* What this guest was left with of the channel with this id; id 0: a free place. Or NULL. */
struct left *channel_left(const struct guest *g, uint64_t id);

/* Whether the host has accepted it. */
bool channel_is_hosts(const struct channel *c);

/* Id of the guest that has accepted it, CHANNEL_HOST, or 0. */
uint64_t channel_acceptor(const struct channel *c);

/* Who the guest is (R28). False, with zeros: it has no identity of this kind. */
bool channel_identity(const struct guest *g, enum channel_peer kind, uint8_t out[CHANNEL_IDENTITY]);
bool channel_is(const struct guest *g, enum channel_peer kind,
		const uint8_t identity[CHANNEL_IDENTITY]);

/*
 * The pages are the offerer's alone, and zeros (R30). stands: it goes on offering them. Else they are its private
 * memory, and how it ended is seen until the offerer needs the record, or is over; but if the host had accepted it keeps
 * nobody's page in their place, until it closes or the offerer is over: LEFT.
 */
void channel_finish(struct channel *c, enum channel_reason reason, bool stands);

/* Of one that the offerer has left: the host has nothing in the place of the pages. */
void channel_forget(struct channel *c);

/* Whether that is for a side of a channel to say. */
bool channel_reason_of_side(uint64_t reason);

#endif
