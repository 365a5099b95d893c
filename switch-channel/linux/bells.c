// SPDX-License-Identifier: GPL-2.0
/*
 * The bells of a port's queues. The acceptor opens them for the domain that the offer names, and says in its acceptance
 * which they are; the offerer joins them. What the other side says here is a hint: at worst nobody hears a bell.
 */
#include "switch-channel/linux/port.h"

void nv_bells_close(struct nv_port *port)
{
	u32 i;

	for (i = 0; i < NRING_QUEUES_MAX; i++) {
		WRITE_ONCE(port->queue[i].bell_joined, false);
		nv_bell_close(&port->queue[i].bell);
		port->link.wish.port[i] = 0;
	}
	port->bells_open = false;
}

static void heard(void *data)
{
	struct nv_queue *queue = data;

	napi_schedule(&queue->napi);
}

/* The acceptor's, before it looks at an offer. */
void nv_bells_open(struct nv_port *port)
{
	struct nring_offer *offer = &port->link.header->offer;
	u32 queues, domid, i;

	if (!(port->link.wish.features & NRING_F_SLEEP) ||
	    nring_load(&offer->magic) != NRING_MAGIC ||
	    !(nring_load(&offer->features) & NRING_F_SLEEP))
		return;
	domid = nring_load(&offer->domid);
	if (port->bells_open && port->bells_peer == domid)
		return;
	nv_bells_close(port);
	queues = min_t(u32, nring_load(&offer->queues), NRING_QUEUES_MAX);
	for (i = 0; i < queues; i++) {
		struct nv_queue *queue = &port->queue[i];

		if (nv_bell_open(&queue->bell, domid, heard, queue))
			break;
		port->link.wish.port[i] = queue->bell.port;
	}
	port->bells_open = true;
	port->bells_peer = domid;
}

/* The offerer's, when it has been accepted. */
void nv_bells_join(struct nv_port *port)
{
	u32 i;

	if (!(port->link.features & NRING_F_SLEEP))
		return;
	for (i = 0; i < port->link.geometry.queues; i++) {
		struct nv_queue *queue = &port->queue[i];
		u32 peer_port = port->link.peer_port[i];

		if (peer_port)
			nv_bell_join(&queue->bell, port->link.peer_domid, peer_port, heard, queue);
	}
}

/* Without a bell that has been joined nobody sleeps long. */
void nv_bells_look(struct nv_port *port)
{
	u32 i;

	if (!(port->link.features & NRING_F_SLEEP))
		return;
	for (i = 0; i < port->link.geometry.queues; i++) {
		struct nv_queue *queue = &port->queue[i];

		if (queue->bell.port && !queue->bell_joined)
			WRITE_ONCE(queue->bell_joined, nv_bell_joined(&queue->bell));
	}
}
