/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A queue's bell: wakes one who sleeps. It is an event channel of Xen's, so the host can drop or invent rings: whoever waits
 * for one also has a timer. Where there are no event channels nv_bell_start() says so, and nothing else is called.
 *
 * bell.c has it; a test may link another file in its place.
 */
#ifndef SWITCH_CHANNEL_LINUX_BELL_H
#define SWITCH_CHANNEL_LINUX_BELL_H

#include <linux/types.h>

struct nv_bell {
	u32 port; /* this side's; 0: none, and the rest has no meaning */
	int irq;
	atomic_t
		taken; /* an event that has not been answered: until nv_bell_listen() no further one comes */
	void (*heard)(void *data); /* in interrupt context */
	void *data;
};

/* Finds this domain's number. -ENODEV: no event channels. */
int nv_bell_start(void);
u32 nv_bell_domid(void);

/* A new bell that the domain `peer` may bind; bell->port names it. Process context. */
int nv_bell_open(struct nv_bell *bell, u32 peer, void (*heard)(void *data), void *data);
/* A new bell, joined with the port `port` of the domain `peer`. Process context. */
int nv_bell_join(struct nv_bell *bell, u32 peer, u32 port, void (*heard)(void *data), void *data);
/* No call of heard() afterwards. Process context. */
void nv_bell_close(struct nv_bell *bell);
/* Whether the other side has joined. Process context. */
bool nv_bell_joined(const struct nv_bell *bell);

void nv_bell_ring(const struct nv_bell *bell);
/* The next ring may come. */
void nv_bell_listen(struct nv_bell *bell);

#endif
