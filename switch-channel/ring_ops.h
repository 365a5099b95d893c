/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The two ends of a ring: docs/channel.md, "A ring". For kernel modules and programs alike; no allocation, no locks, no system.
 *
 * A producer: nring_reserve(), write the frame in place, nring_commit(), again; nring_publish(); nring_tx_bell().
 * A consumer: nring_peek_within(), nring_copy_in(), nring_take(), again; nring_release(); nring_rx_bell().
 *
 * A struct nring_tx or nring_rx is private memory of one thread at a time. What the other side may have written is loaded once, bounded, and
 * used only as the copy; no value of its makes an access outside of the ring's own memory.
 */
#ifndef SWITCH_CHANNEL_RING_OPS_H
#define SWITCH_CHANNEL_RING_OPS_H

#include "switch-channel/ring.h"

#ifdef __KERNEL__
#include <linux/compiler.h>
#include <linux/string.h>
#include <asm/barrier.h>
/* virt_*: the other side is another machine's processor, even if this kernel has only one. */
#define nring_load(p) READ_ONCE(*(p))
#define nring_load_acquire(p) virt_load_acquire(p)
#define nring_store(p, v) WRITE_ONCE(*(p), v)
#define nring_store_release(p, v) virt_store_release(p, v)
#define nring_fence() virt_mb()
#define nring_fence_acquire() virt_rmb()
#define nring_fence_release() virt_wmb()
#define nring_barrier() barrier()
#define nring_likely(x) likely(x)
#define nring_prefetch(p) __builtin_prefetch(p)
#else
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#ifndef nring_load /* a fuzzer's answer anything */
#define nring_load(p) __atomic_load_n(p, __ATOMIC_RELAXED)
#define nring_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#endif
#define nring_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define nring_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#ifndef nring_fence /* tests/channel/litmus.c shows what happens without */
#define nring_fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
#define nring_fence_acquire() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define nring_fence_release() __atomic_thread_fence(__ATOMIC_RELEASE)
#define nring_barrier() __asm__ volatile("" : : : "memory")
#define nring_likely(x) __builtin_expect(!!(x), 1)
#define nring_prefetch(p) __builtin_prefetch(p)
#endif

/* All that follows from a channel's three numbers; private. */
struct nring_geometry {
	nring_u32 pages;
	nring_u32 queues;
	nring_u32 entries;   /* descriptors of a ring, a power of two */
	nring_u32 data;      /* bytes of a ring's data area */
	nring_u32 frame_max; /* bytes of the largest frame */
	nring_u32 data_from; /* bytes from the channel's start to the first data area */
};

/* A frame's part of struct virtio_net_hdr, with its layout. */
struct nring_vnet {
	nring_u8 flags;    /* enum nring_flag */
	nring_u8 gso_type; /* enum nring_gso */
	nring_u16 hdr_len;
	nring_u16 gso_size;
	nring_u16 csum_start;
	nring_u16 csum_offset;
};

struct nring_frame {
	const void *data; /* in shared memory: to be copied, and only then looked at */
	nring_u32 length; /* NRING_FRAME_MIN..frame_max */
	struct nring_vnet vnet;
};

struct nring_tx {
	struct nring_desc *desc;
	nring_u8 *data;
	nring_u32 *ends; /* of each descriptor: where its frame ended */
	nring_u32 mask;
	nring_u32 head;  /* descriptors committed */
	nring_u32 slots; /* known to be free */
	nring_u32 at;    /* in the data area: where the next frame goes */
	nring_u32 room;  /* bytes there known to be free, in one piece */
	nring_u32 size;  /* of the data area */
	nring_u32 published;
	nring_u32 tail;    /* descriptors known to be consumed */
	nring_u32 tail_at; /* where the oldest outstanding frame's predecessor ended */
	nring_u32 rung;    /* the other's sleep that the bell was rung for */
	nring_u32 sleep;   /* its own; odd: it sleeps */
	bool bells;        /* F_SLEEP was agreed on */
	struct nring_control *control;
	nring_u64 violations[NRING_VIOLATIONS];
};

struct nring_rx {
	const struct nring_desc *desc;
	const nring_u8 *data;
	nring_u32 mask;
	nring_u32 next;  /* descriptors taken */
	nring_u32 ready; /* known to be published; at most mask + 1 after next */
	nring_u32 size;
	nring_u32 frame_max;
	nring_u32 features; /* agreed on */
	nring_u32 rung;     /* the other's sleep that the bell was rung for */
	nring_u32 sleep;    /* its own; odd: it sleeps */
	struct nring_control *control;
	nring_u64 violations[NRING_VIOLATIONS];
};

/*
 * Bounds three numbers of the other side's, which are the caller's copy, and says what follows from them. 0, or NRING_BAD_GEOMETRY, and
 * nothing is written.
 */
static inline int nring_geometry(struct nring_geometry *g, nring_u32 pages, nring_u32 queues,
				 nring_u32 order)
{
	nring_u32 rings, from, data;

	if (pages < NRING_PAGES_MIN || pages > NRING_PAGES_MAX || !queues ||
	    queues > NRING_QUEUES_MAX || order < NRING_ORDER_MIN || order > NRING_ORDER_MAX)
		return NRING_BAD_GEOMETRY;
	rings = 2 * queues;
	from = NRING_DESCRIPTORS + (rings << order) * (nring_u32)sizeof(struct nring_desc);
	from = (from + NRING_PAGE - 1) & ~(NRING_PAGE - 1);
	if (from >= pages * NRING_PAGE)
		return NRING_BAD_GEOMETRY;
	data = (pages * NRING_PAGE - from) / rings & ~(NRING_BLOCK - 1);
	if (data < NRING_DATA_MIN)
		return NRING_BAD_GEOMETRY;
	g->pages = pages;
	g->queues = queues;
	g->entries = 1u << order;
	g->data = data;
	g->frame_max = data / 2 > NRING_FRAME_MAX ? NRING_FRAME_MAX : data / 2;
	g->data_from = from;
	return 0;
}

/* ring: 2 * queue from the offerer to the acceptor, 2 * queue + 1 back. `base`: the channel's first byte. */
static inline struct nring_control *nring_control_of(void *base, nring_u32 ring)
{
	return (struct nring_control *)(void *)((nring_u8 *)base + NRING_CONTROL) + ring;
}

static inline struct nring_desc *nring_desc_of(void *base, const struct nring_geometry *g,
					       nring_u32 ring)
{
	return (struct nring_desc *)(void *)((nring_u8 *)base + NRING_DESCRIPTORS) +
	       (size_t)ring * g->entries;
}

static inline nring_u8 *nring_data_of(void *base, const struct nring_geometry *g, nring_u32 ring)
{
	return (nring_u8 *)base + g->data_from + (size_t)ring * g->data;
}

/* --- the producer --------------------------------------------------------------------------- */

/*
 * Makes *tx the producer of `ring`, at an epoch's start. ends: g->entries of them, the caller's for as long as *tx is in use. features: those
 * agreed on. Counted violations are kept if `tx` has been used before; zero it at first.
 */
static inline void nring_tx_start(struct nring_tx *tx, void *base, const struct nring_geometry *g,
				  nring_u32 ring, nring_u32 features, nring_u32 *ends)
{
	tx->desc = nring_desc_of(base, g, ring);
	tx->data = nring_data_of(base, g, ring);
	tx->ends = ends;
	tx->mask = g->entries - 1;
	tx->head = tx->published = tx->tail = 0;
	tx->slots = g->entries;
	tx->at = tx->tail_at = 0;
	tx->room = tx->size = g->data;
	tx->rung = tx->sleep = 0;
	tx->bells = features & NRING_F_SLEEP;
	tx->control = nring_control_of(base, ring);
}

/* Learns what has been consumed. The index is between the last known one and the published one, or it is not believed. */
static inline void nring_tx_learn(struct nring_tx *tx)
{
	nring_u32 consumed = nring_load_acquire(&tx->control->consumed.value);

	if (consumed - tx->tail > tx->published - tx->tail) {
		tx->violations[NRING_BAD_INDEX]++;
	} else if (consumed != tx->tail) {
		tx->tail = consumed;
		tx->tail_at = tx->ends[(consumed - 1) & tx->mask];
	}
	tx->slots = tx->mask + 1 - (tx->head - tx->tail);
}

/* Finds `need` bytes in one piece and a descriptor. Outstanding frames are in [tail_at, at), or [tail_at, size) and [0, at). */
static inline bool nring_tx_refill(struct nring_tx *tx, nring_u32 need)
{
	nring_tx_learn(tx);
	if (tx->tail == tx->head) { /* the same bytes again: they are in the caches */
		tx->at = tx->tail_at = 0;
		tx->room = tx->size;
	} else if (tx->at < tx->tail_at) {
		tx->room =
			tx->tail_at - tx->at - NRING_ALIGN; /* never full, which would look empty */
	} else if (tx->size - tx->at >= need) {
		tx->room = tx->size - tx->at;
	} else if (tx->tail_at > need) {
		tx->at = 0;
		tx->room = tx->tail_at - NRING_ALIGN;
	} else {
		tx->room = 0;
	}
	return tx->slots && tx->room >= need;
}

static inline nring_u32 nring_aligned(nring_u32 length)
{
	return (length + NRING_ALIGN - 1) & ~(NRING_ALIGN - 1);
}

/*
 * Where a frame of `length` bytes (NRING_FRAME_MIN..frame_max, the caller's duty) is to be written; NULL: no room now. Nothing is taken until
 * nring_commit().
 */
static inline void *nring_reserve(struct nring_tx *tx, nring_u32 length)
{
	nring_u32 need = nring_aligned(length);

	if (!nring_likely(need <= tx->room && tx->slots) && !nring_tx_refill(tx, need))
		return NULL;
	return tx->data + tx->at;
}

/* The frame at nring_reserve()'s address is complete: `length` as reserved, or less. vnet NULL: nothing to say of it. */
static inline void nring_commit(struct nring_tx *tx, nring_u32 length,
				const struct nring_vnet *vnet)
{
	struct nring_desc *d = &tx->desc[tx->head & tx->mask];
	nring_u32 need = nring_aligned(length);
	nring_u64 place = tx->at + length * NRING_LENGTH, offload = 0;

	if (vnet) {
		place += vnet->flags * NRING_FLAGS + vnet->gso_type * NRING_GSO;
		offload = vnet->hdr_len | (nring_u64)vnet->gso_size << 16 |
			  (nring_u64)vnet->csum_start << 32 | (nring_u64)vnet->csum_offset << 48;
	}
	nring_store(&d->place, place);
	nring_store(&d->offload, offload);
	tx->at += need;
	tx->room -= need;
	tx->ends[tx->head++ & tx->mask] = tx->at;
	tx->slots--;
}

/* The consumer may have what has been committed. */
static inline void nring_publish(struct nring_tx *tx)
{
	tx->published = tx->head;
	nring_store_release(&tx->control->produced.value, tx->head);
}

/* Whether to ring a bell, for one who sleeps and has not been rung for: after nring_publish() or nring_release(). */
static inline bool nring_bell(const nring_u32 *sleep, nring_u32 *rung)
{
	nring_u32 count;

	nring_fence(); /* what was published, then whether he sleeps: a store, then a load */
	count = nring_load(sleep);
	if (nring_likely(!(count & 1)) || count == *rung)
		return false;
	*rung = count;
	return true;
}

static inline bool nring_tx_bell(struct nring_tx *tx)
{
	return tx->bells && nring_bell(&tx->control->consumer_sleep.value, &tx->rung);
}

/* --- the consumer --------------------------------------------------------------------------- */

/* Makes *rx the consumer of `ring`, at an epoch's start; as nring_tx_start(). */
static inline void nring_rx_start(struct nring_rx *rx, void *base, const struct nring_geometry *g,
				  nring_u32 ring, nring_u32 features)
{
	rx->desc = nring_desc_of(base, g, ring);
	rx->data = nring_data_of(base, g, ring);
	rx->mask = g->entries - 1;
	rx->next = rx->ready = 0;
	rx->size = g->data;
	rx->frame_max = g->frame_max;
	rx->features = features;
	rx->rung = rx->sleep = 0;
	rx->control = nring_control_of(base, ring);
}

/* Learns what has been published: 0 is nothing new; an index further away than the ring is long is not believed. */
static inline nring_u32 nring_rx_learn(struct nring_rx *rx)
{
	nring_u32 produced = nring_load_acquire(&rx->control->produced.value);

	if (!nring_likely(produced - rx->next <= rx->mask + 1)) {
		rx->violations[NRING_BAD_INDEX]++;
		return 0;
	}
	rx->ready = produced;
	return produced - rx->next;
}

/* Whether offload fields were agreed on and point into the frame; those that say nothing become 0. */
static inline bool nring_vnet_good(struct nring_vnet *v, nring_u32 length, nring_u32 features)
{
	nring_u32 gso = v->gso_type & ~(nring_u32)NRING_GSO_ECN, needs;

	if (v->flags & ~(NRING_NEEDS_CSUM | NRING_DATA_VALID))
		return false;
	if (!(v->flags & NRING_NEEDS_CSUM))
		v->csum_start = v->csum_offset = 0;
	else if (!(features & NRING_F_CSUM) || v->csum_start + v->csum_offset + 2u > length)
		return false;
	if (v->gso_type == NRING_GSO_NONE) {
		v->hdr_len = v->gso_size = 0;
		return true;
	}
	needs = gso == NRING_GSO_TCPV4    ? NRING_F_TSO4
		: gso == NRING_GSO_TCPV6  ? NRING_F_TSO6
		: gso == NRING_GSO_UDP_L4 ? NRING_F_USO
					  : 0;
	if (!needs || !(features & needs) || !(v->flags & NRING_NEEDS_CSUM) || !v->gso_size ||
	    v->hdr_len > length)
		return false;
	return !(v->gso_type & NRING_GSO_ECN) || (features & NRING_F_ECN);
}

/* One copy of a descriptor as a frame. 0, or enum nring_violation. */
static inline int nring_frame_of(const struct nring_rx *rx, const struct nring_desc *d,
				 struct nring_frame *frame)
{
	nring_u64 place = nring_load(&d->place), offload;
	nring_u32 length = (nring_u32)(place >> 32) & NRING_PLACE_MASK;
	nring_u32 offset = (nring_u32)place & NRING_PLACE_MASK;

	if (!nring_likely(length - NRING_FRAME_MIN <= rx->frame_max - NRING_FRAME_MIN))
		return NRING_BAD_LENGTH;
	if (!nring_likely(offset <= rx->size - length))
		return NRING_BAD_PLACE;
	frame->data = rx->data + offset;
	frame->length = length;
	frame->vnet = (struct nring_vnet){0};
	if (nring_likely(!(place & 0xff000000ff000000u)))
		return 0;
	offload = nring_load(&d->offload);
	frame->vnet = (struct nring_vnet){
		.flags = (nring_u8)(place >> 24),
		.gso_type = (nring_u8)(place >> 56),
		.hdr_len = (nring_u16)offload,
		.gso_size = (nring_u16)(offload >> 16),
		.csum_start = (nring_u16)(offload >> 32),
		.csum_offset = (nring_u16)(offload >> 48),
	};
	return nring_vnet_good(&frame->vnet, length, rx->features) ? 0 : NRING_BAD_OFFLOAD;
}

/*
 * The next good frame, which stays the next until nring_take(). Bad ones before it are counted and left out, and taken from *left, which
 * bounds them: one who takes many frames has one bound for all. False: none now, or *left is 0.
 */
static inline bool nring_peek_within(struct nring_rx *rx, struct nring_frame *frame,
				     nring_u32 *left)
{
	if (rx->next == rx->ready && !nring_rx_learn(rx))
		return false;
	for (; rx->next != rx->ready && *left; rx->next++, --*left) {
		int bad = nring_frame_of(rx, &rx->desc[rx->next & rx->mask], frame);

		if (nring_likely(!bad))
			return true;
		rx->violations[bad]++;
	}
	return false;
}

/* The same, where no bound but the ring's is needed. */
static inline bool nring_peek(struct nring_rx *rx, struct nring_frame *frame)
{
	nring_u32 left = rx->mask + 1;

	return nring_peek_within(rx, frame, &left);
}

/* Copies from shared memory; the compiler does not look there again for what is in the copy. */
static inline void nring_copy_in(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	nring_barrier();
}

/* The frame has been copied. */
static inline void nring_take(struct nring_rx *rx)
{
	rx->next++;
}

/* The producer may use again what has been taken. */
static inline void nring_release(struct nring_rx *rx)
{
	nring_store_release(&rx->control->consumed.value, rx->next);
}

static inline bool nring_rx_bell(struct nring_rx *rx)
{
	return (rx->features & NRING_F_SLEEP) &&
	       nring_bell(&rx->control->producer_sleep.value, &rx->rung);
}

/* --- sleeping: only if F_SLEEP was agreed on ------------------------------------------------ */

/*
 * Says that the consumer is about to sleep. True: there is nothing, and whoever publishes will ring. False: there is something, and nothing is
 * said any more. The caller sleeps no longer than NRING_HEARTBEAT_MS, since bells get lost.
 */
static inline bool nring_rx_sleep(struct nring_rx *rx)
{
	nring_store(&rx->control->consumer_sleep.value, ++rx->sleep);
	nring_fence(); /* that he sleeps, then whether there is something: a store, then a load */
	if (rx->next == rx->ready && !nring_rx_learn(rx))
		return true;
	nring_store(&rx->control->consumer_sleep.value, ++rx->sleep);
	return false;
}

/* After nring_rx_sleep() has said true. */
static inline void nring_rx_wake(struct nring_rx *rx)
{
	nring_store(&rx->control->consumer_sleep.value, ++rx->sleep);
}

/* The same for a producer who waits for room for `length` bytes. */
static inline bool nring_tx_sleep(struct nring_tx *tx, nring_u32 length)
{
	nring_store(&tx->control->producer_sleep.value, ++tx->sleep);
	nring_fence();
	if (!nring_tx_refill(tx, nring_aligned(length)))
		return true;
	nring_store(&tx->control->producer_sleep.value, ++tx->sleep);
	return false;
}

static inline void nring_tx_wake(struct nring_tx *tx)
{
	nring_store(&tx->control->producer_sleep.value, ++tx->sleep);
}

#endif
