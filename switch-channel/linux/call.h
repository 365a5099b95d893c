/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The monitor's calls by name. All but nv_call_version() sleep: process context. Errors are negative errnos, which have
 * the values of enum channel_error; -EAGAIN is tried again in here for NV_CALL_PATIENCE_MS, and -EIO is an answer that is
 * none.
 */
#ifndef SWITCH_CHANNEL_LINUX_CALL_H
#define SWITCH_CHANNEL_LINUX_CALL_H

#include "switch-channel/call.h"

#define NV_CALL_PATIENCE_MS 2000

struct nv_version {
	u64 aperture; /* start of the range for accepted channels */
	u64 bytes;    /* 0: this guest cannot accept */
	u64 guest;    /* its id */
};

struct nv_pending {
	u64 id;
	u8 service[CHANNEL_SERVICE];
	u32 pages; /* 1..CHANNEL_PAGES_MAX */
	u64 guest; /* the offerer's id */
};

struct nv_status {
	u32 state;    /* enum channel_state */
	u64 accepted; /* how often */
	u64 peer;     /* guest id, CHANNEL_HOST, or 0 */
	u32 pages;
	u32 reason; /* enum channel_reason of the last end */
};

/* -ENODEV: no monitor; -EPROTO: one of another ABI. */
int nv_call_version(struct nv_version *version);
/* The offer and the accept lie within a page each. */
int nv_call_offer(const struct channel_offer *offer, u64 *id);
int nv_call_accept(const struct channel_accept *accept);
/* The first offer to this guest with an id above `after`. -ENOENT: no more. */
int nv_call_pending(u64 after, struct nv_pending *pending);
/* kind: CHANNEL_PEER_DIGEST or CHANNEL_PEER_TENANT, of who offers `id`. */
int nv_call_identity(u64 id, u32 kind, u8 identity[CHANNEL_IDENTITY]);
int nv_call_close(u64 id, u32 reason);
int nv_call_status(u64 id, struct nv_status *status);

#endif
