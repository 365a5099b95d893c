/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One channel of this guest's, offered or accepted: its pages and its id. Not locked: a channel has one owner at a time. Process
 * context.
 */
#ifndef SWITCH_CHANNEL_LINUX_CHANNEL_H
#define SWITCH_CHANNEL_LINUX_CHANNEL_H

#include <linux/types.h>

#include "switch-channel/call.h"

/* A guest as the monitor knows it. kind 0: whoever it is. */
struct nv_identity {
	u32 kind; /* enum channel_peer, or 0 */
	u8 bytes[CHANNEL_IDENTITY];
};

struct nv_extent {
	struct page *first;
	unsigned int
		order; /* log2 of its pages; extents are of this guest's memory, in the channel's order */
};

struct nv_channel {
	u64 id; /* 0: none; then everything else is without meaning */
	u32 pages;
	void *base; /* the channel's memory, in one piece; the other side writes there at any time */
	bool offered; /* by this guest; else accepted */
	u64 gpa;      /* of an accepted one: in the aperture */
	u32 extents;  /* of an offered one */
	struct nv_extent extent[CHANNEL_EXTENTS_MAX];
};

/* Asks the monitor for the aperture and takes it. Once, at the module's start. -ENODEV, -EPROTO: as nv_call_version(). */
int nv_channel_start(void);
void nv_channel_stop(void);
/* Whether this guest can accept. */
bool nv_channel_accepts(void);

/*
 * Offers `pages` (1..CHANNEL_PAGES_MAX) new pages to `peer` under `service`. -ENOMEM: no memory, or limits; -EINVAL: not
 * to be had with CHANNEL_EXTENTS_MAX extents. On success the channel is the caller's, to be closed by him, and zeroed.
 */
int nv_channel_offer(struct nv_channel *channel, const u8 service[CHANNEL_SERVICE],
		     const struct nv_identity *peer, u32 pages);

/* Accepts the offer `id`, if it has this service, number of pages and offerer. -EBUSY: no free slots. */
int nv_channel_accept(struct nv_channel *channel, u64 id, const u8 service[CHANNEL_SERVICE],
		      const struct nv_identity *offerer, u32 pages);

/*
 * Ends it, and frees what it has; channel->id is 0 then. Nobody may use its memory any more. Pages that the monitor does
 * not give back are never used again by this kernel: the other side may still have them.
 */
void nv_channel_close(struct nv_channel *channel, u32 reason);
/* Before the kernel ends: closes what nv_channel_close() could not, for as long as the monitor wants it to be tried again. */
void nv_channel_close_lost(void);

/* The frame number of its page `index` (below channel->pages), for a process's page tables. */
unsigned long nv_channel_pfn(const struct nv_channel *channel, u32 index);

#endif
