/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "switch-channel/lib/netherchan.h"

/* Counts of one direction, which one thread writes. */
struct flow {
	uint64_t frames, bytes, full, unfit, bells;
};

struct queue {
	struct nring_tx tx;
	struct nring_rx rx;
	struct flow sent, received;
	uint32_t *ends;
};

struct netherchan {
	struct nring_link link;
	uint64_t violations
		[NRING_VIOLATIONS]; /* of rings, as the last look found the epoch to go on */
	uint64_t ended
		[NRING_VIOLATIONS]; /* those since, of the epoch that a look found to be over */
	struct queue queue[NRING_QUEUES_MAX];
};

struct netherchan *netherchan_open(void *memory, uint32_t pages, bool offerer,
				   const struct nring_wish *wish, int *why)
{
	struct netherchan *c = calloc(1, sizeof(*c));

	*why = 0;
	if (!c)
		return NULL;
	*why = nring_link_init(&c->link, memory, pages, offerer, wish);
	if (*why) {
		free(c);
		return NULL;
	}
	return c;
}

static void free_queues(struct netherchan *c)
{
	for (uint32_t i = 0; i < NRING_QUEUES_MAX; i++) {
		free(c->queue[i].ends);
		c->queue[i].ends = NULL;
	}
}

void netherchan_close(struct netherchan *c)
{
	if (!c)
		return;
	nring_link_close(&c->link);
	free_queues(c);
	free(c);
}

/* False: no memory; the link starts anew, and so tries again. */
static bool start_queues(struct netherchan *c)
{
	const struct nring_geometry *g = &c->link.geometry;
	void *base = c->link.header;

	for (uint32_t i = 0; i < g->queues; i++) {
		struct queue *q = &c->queue[i];

		q->ends = calloc(g->entries, sizeof(*q->ends));
		if (!q->ends)
			return false;
		memset(q->tx.violations, 0, sizeof(q->tx.violations));
		memset(q->rx.violations, 0, sizeof(q->rx.violations));
		nring_tx_start(&q->tx, base, g, 2 * i + !c->link.offerer, c->link.features,
			       q->ends);
		nring_rx_start(&q->rx, base, g, 2 * i + c->link.offerer, c->link.features);
	}
	return true;
}

/* What was counted before a look that found the epoch to go on was no consequence of its end; what was since may be. */
static void absorb(struct netherchan *c, uint64_t *to)
{
	for (uint32_t i = 0; i < c->link.geometry.queues; i++)
		for (int kind = 0; kind < NRING_VIOLATIONS; kind++) {
			to[kind] +=
				c->queue[i].tx.violations[kind] + c->queue[i].rx.violations[kind];
			c->queue[i].tx.violations[kind] = c->queue[i].rx.violations[kind] = 0;
		}
}

enum nring_event netherchan_look(struct netherchan *c, uint32_t state)
{
	enum nring_event event = nring_link_look(&c->link, state);

	if (event == NRING_LINK_START && !start_queues(c))
		event = NRING_LINK_END;
	else if (event == NRING_LINK_NONE && c->link.attached)
		absorb(c, c->violations);
	memset(c->ended, 0, sizeof(c->ended));
	if (event == NRING_LINK_END) {
		if (c->link.attached)
			absorb(c, c->ended);
		free_queues(c);
		nring_link_reset(&c->link);
	}
	return event;
}

void netherchan_blame(struct netherchan *c)
{
	for (int kind = 0; kind < NRING_VIOLATIONS; kind++)
		c->violations[kind] += c->ended[kind];
	memset(c->ended, 0, sizeof(c->ended));
}

const struct nring_link *netherchan_link(const struct netherchan *c)
{
	return &c->link;
}

static struct queue *queue_of(struct netherchan *c, uint32_t queue)
{
	return c->link.attached && queue < c->link.geometry.queues ? &c->queue[queue] : NULL;
}

struct nring_tx *netherchan_tx(struct netherchan *c, uint32_t queue)
{
	struct queue *q = queue_of(c, queue);

	return q ? &q->tx : NULL;
}

struct nring_rx *netherchan_rx(struct netherchan *c, uint32_t queue)
{
	struct queue *q = queue_of(c, queue);

	return q ? &q->rx : NULL;
}

uint32_t netherchan_send(struct netherchan *c, uint32_t queue, const struct netherchan_frame *f,
			 uint32_t n, bool *bell)
{
	struct queue *q = queue_of(c, queue);
	uint32_t done, max = c->link.geometry.frame_max;

	*bell = false;
	if (!q)
		return 0;
	for (done = 0; done < n; done++) {
		uint32_t length = f[done].length;
		void *to;

		if (length < NRING_FRAME_MIN || length > max) {
			q->sent.unfit++;
			continue;
		}
		to = nring_reserve(&q->tx, length);
		if (!to) {
			q->sent.full += n - done;
			break;
		}
		memcpy(to, f[done].data, length);
		nring_commit(&q->tx, length, &f[done].vnet);
		q->sent.frames++;
		q->sent.bytes += length;
	}
	if (done) {
		nring_publish(&q->tx);
		*bell = nring_tx_bell(&q->tx);
		q->sent.bells += *bell;
	}
	return done;
}

uint32_t netherchan_receive(struct netherchan *c, uint32_t queue, struct netherchan_frame *f,
			    uint32_t n, bool *bell)
{
	struct queue *q = queue_of(c, queue);
	struct nring_frame from;
	uint32_t done = 0, before, left; /* a peer that publishes all the time does not keep us */

	*bell = false;
	if (!q)
		return 0;
	before = q->rx.next;
	for (left = q->rx.mask + 1; left && done < n && nring_peek_within(&q->rx, &from, &left);
	     left--) {
		if (from.length > f[done].size) {
			q->received.unfit++;
		} else {
			nring_copy_in(f[done].data, from.data, from.length);
			if (!nring_link_goes_on(&c->link))
				break;
			f[done].length = from.length;
			f[done].vnet = from.vnet;
			q->received.bytes += from.length;
			done++;
		}
		nring_take(&q->rx);
	}
	q->received.frames += done;
	if (q->rx.next != before) {
		nring_release(&q->rx);
		*bell = nring_rx_bell(&q->rx);
		q->received.bells += *bell;
	}
	return done;
}

void netherchan_stats(const struct netherchan *c, struct netherchan_stats *s)
{
	*s = (struct netherchan_stats){.epochs = c->link.epochs};
	for (uint32_t i = 0; i < NRING_QUEUES_MAX; i++) {
		const struct queue *q = &c->queue[i];

		s->sent += q->sent.frames;
		s->sent_bytes += q->sent.bytes;
		s->received += q->received.frames;
		s->received_bytes += q->received.bytes;
		s->full += q->sent.full;
		s->unfit += q->sent.unfit + q->received.unfit;
		s->tx_bells += q->sent.bells;
		s->rx_bells += q->received.bells;
	}
	for (int kind = 0; kind < NRING_VIOLATIONS; kind++)
		s->violations[kind] = c->violations[kind] + c->link.violations[kind];
	s->violations[NRING_BAD_NONE] = 0;
}
