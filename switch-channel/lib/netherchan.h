/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libnetherchan: one end of a channel, for programs. docs/channel.md, "User-space endpoints".
 *
 * Not for several threads at once, except that each queue may have one thread for sending and one for receiving while none is in
 * netherchan_look() or netherchan_close().
 */
#ifndef SWITCH_CHANNEL_LIB_NETHERCHAN_H
#define SWITCH_CHANNEL_LIB_NETHERCHAN_H

#include "switch-channel/ring_attach.h"

struct netherchan;

/* A frame in the caller's memory. */
struct netherchan_frame {
	void *data;
	uint32_t size;   /* receiving: bytes that there are at `data` */
	uint32_t length; /* of the frame */
	struct nring_vnet vnet;
};

struct netherchan_stats {
	uint64_t sent, sent_bytes;
	uint64_t received, received_bytes;
	uint64_t full; /* frames that there was no room for */
	uint64_t
		unfit; /* frames not sent: of a length that the ring does not take; not received: no room at `data` */
	uint64_t tx_bells; /* bells that the caller was told to ring */
	uint64_t rx_bells;
	uint64_t epochs;
	uint64_t violations[NRING_VIOLATIONS]; /* the other side's */
};

/*
 * Begins to offer, or to look for an offer, in `pages` pages from `memory`, which stay mapped until netherchan_close(). NULL: no memory, or *why
 * (enum nring_violation) says what is wrong with the wish. F_SLEEP is for callers that can ring and hear bells.
 */
struct netherchan *netherchan_open(void *memory, uint32_t pages, bool offerer,
				   const struct nring_wish *wish, int *why);
void netherchan_close(struct netherchan *c);

/*
 * Looks after the link; at least every NRING_HEARTBEAT_MS, with this side's state (enum nring_state). After NRING_LINK_START frames can be sent and
 * received; after NRING_LINK_END not, until the next start. Nothing more is to be done about either.
 */
enum nring_event netherchan_look(struct netherchan *c, uint32_t state);

/*
 * After NRING_LINK_END, by who knows that the other side is still there, and that nobody else has zeroed the pages: what was found in them since the
 * look before counts as the other side's violations. Without this it does not.
 */
void netherchan_blame(struct netherchan *c);

/* What both sides have agreed on, and whether they have now (->attached); the caller's to read. */
const struct nring_link *netherchan_link(const struct netherchan *c);

/*
 * Copies frames out, as many of the n as there is room for, and lets the other side have them. How many of them are done with, frames included that are too
 * long or too short for the ring (they are left out, and counted). *bell: ring that of the queue.
 */
uint32_t netherchan_send(struct netherchan *c, uint32_t queue, const struct netherchan_frame *f,
			 uint32_t n, bool *bell);

/* Copies up to n frames in; how many. Frames that do not fit into `size` are left out, and counted. *bell: as above. */
uint32_t netherchan_receive(struct netherchan *c, uint32_t queue, struct netherchan_frame *f,
			    uint32_t n, bool *bell);

/* For those who write or copy frames in place (ring_ops.h); NULL when not attached. Counts of frames are theirs to keep. */
struct nring_tx *netherchan_tx(struct netherchan *c, uint32_t queue);
struct nring_rx *netherchan_rx(struct netherchan *c, uint32_t queue);

/* Of all queues, since netherchan_open(). Violations: up to the last look. */
void netherchan_stats(const struct netherchan *c, struct netherchan_stats *s);

/* --- waiting without bells -------------------------------------------------------------------- */

/* Rounds of polling without work, and what to do next: all zeros at first. */
struct netherchan_idle {
	uint32_t rounds;
	uint32_t busy;    /* rounds to spin; 0: a default */
	uint32_t sleep;   /* microseconds of the last sleep */
	uint32_t longest; /* microseconds of the longest; 0: a default */
};

/* After each round. How long to sleep now, in microseconds; 0: not at all (the processor may have been given up for a moment). */
uint32_t netherchan_idle(struct netherchan_idle *idle, bool worked);

/* --- where the pages are ---------------------------------------------------------------------- */

/* Maps a file or memfd of whole pages, shared: NULL and errno, or where; *pages: how many. */
void *netherchan_map_fd(int fd, uint32_t *pages);
void netherchan_unmap(void *memory, uint32_t pages);

#endif
