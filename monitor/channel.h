/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels between protected guests, and of such with the host: docs/channel.md, "Grants". Who has offered which of its
 * pages to whom, who has accepted, and how each of it ends.
 *
 * There is one lock, taken with lock_take_relaxed(), inside those of guests' tables: whoever holds it may flush, and takes
 * no guest's lock. A guest's calls return 0 or an error of enum channel_error, which are those of ept/base.h.
 */
#ifndef MONITOR_CHANNEL_H
#define MONITOR_CHANNEL_H

#include "ept/guest_table.h"
#include "ept/owner.h"
#include "switch-channel/call.h"

struct guest;

/* How many there can be: each guest uses up its own. */
#define CHANNEL_RECORDS (64u * CHANNEL_OFFERS_MAX)

/* At boot. */
void channel_init(void);

/* --- a guest's calls: what they point to has been copied ---------------------------------------- */

/* Whether the guest can accept. */
bool channel_has_aperture(struct guest *g);

int channel_offer(struct guest *g, const struct channel_offer *o, uint64_t *id);

struct channel_pending {
	uint64_t id, offerer; /* id of the guest */
	uint8_t service[CHANNEL_SERVICE];
	unsigned int pages;
};
int channel_pending(const struct guest *g, uint64_t after, struct channel_pending *out);

/* kind: of what identity; zeros if the offerer has none such. */
int channel_offerer(const struct guest *g, uint64_t id, enum channel_peer kind,
		    uint8_t identity[CHANNEL_IDENTITY]);

int channel_accept(struct guest *g, const struct channel_accept *a);

int channel_close(struct guest *g, uint64_t id, uint64_t reason);

struct channel_status {
	enum channel_state state;
	enum channel_reason reason; /* of the last end */
	uint64_t accepts;           /* how often it was accepted */
	uint64_t peer;              /* id of the guest on the other side, CHANNEL_HOST, or 0 */
	unsigned int pages;
};
int channel_status(const struct guest *g, uint64_t id, struct channel_status *out);

/* --- what happens to guests ---------------------------------------------------------------------- */

/*
 * With the guest's table locked: L1 takes a page away that is CHANNEL, and the guest has been flushed. When it returns the
 * page is GUEST, zeroed, and nobody else has it. As struct guest_table's revoke.
 */
void channel_revoke(struct guest_table *t, hpa_t page);

/* The guest is over, and entered on no CPU; its pages are not L1's yet. */
void channel_end(struct guest *g);

/* L1 reads a page that is `owner`'s, CHANNEL: it finds zeros. False: there is no memory to show it. */
bool channel_show(hpa_t page, owner_t owner);

/*
 * L1 takes a page away from a guest, with whose table locked: it sees nothing any more that a channel has left in the page's
 * place. True: it did, and CPUs may know it still.
 */
bool channel_cancel(unsigned int guest, hpa_t page);

/* Whether gpa is where the guest, which has accepted something once, has channels; *mapped: it has one there now. */
bool channel_at(const struct guest *g, gpa_t gpa, bool *mapped);

/* --- the host -------------------------------------------------------------------------------------- */

struct channel_summary {
	uint64_t id;
	uint8_t service[CHANNEL_SERVICE];
	uint8_t identity[CHANNEL_IDENTITY]; /* that the offer names */
	enum channel_peer peer;
	enum channel_state
		state; /* LEFT: by its offerer, and the host has not closed it; ENDED: is no more */
	enum channel_reason reason;
	uint64_t offerer, acceptor; /* id of a guest; CHANNEL_HOST; 0: nobody */
	uint64_t accepts;
	unsigned int pages; /* ENDED: 0 */
};

/* Record `index`: ERR_NOENT: nothing in it; ERR_INVAL: no such record. */
int channel_summary(uint64_t index, struct channel_summary *out);

/*
 * Of a channel that is offered to the host: where the offerer has page n, and (*run) how many from there on lie one behind
 * the other. ERR_NOENT: no such channel, or page.
 */
int channel_host_page(uint64_t id, uint64_t n, gpa_t *gpa, uint64_t *run);

/*
 * guest: number of one whose page the caller has mapped. ERR_NOENT: no such channel is offered to the host; ERR_PERM: it is another guest's;
 * ERR_BUSY: the host has not closed one that this offerer left; ERR_NOMEM.
 */
int channel_host_accept(uint64_t id, unsigned int guest);

/* One that it has accepted; guest as above. ERR_NOENT; ERR_PERM; ERR_INVAL: not a side's reason. */
int channel_host_close(uint64_t id, unsigned int guest, uint64_t reason);

#endif
