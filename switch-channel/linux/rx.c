// SPDX-License-Identifier: GPL-2.0
/* Frames from the ring: each is copied out once, and only the copy is looked at. */
#include <linux/etherdevice.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>

#include "switch-channel/linux/port.h"

#define HEAD 256          /* bytes of a long frame that lie in the skb itself: its headers */
#define SHORT 1792        /* up to here a frame is in one piece */
#define FREED (32u << 10) /* bytes after which the producer is told */

static struct sk_buff *short_skb(struct nv_queue *queue, const struct nring_frame *frame)
{
	struct sk_buff *skb = napi_alloc_skb(&queue->napi, frame->length);

	if (skb)
		nring_copy_in(skb_put(skb, frame->length), frame->data, frame->length);
	return skb;
}

static struct sk_buff *long_skb(struct net_device *dev, const struct nring_frame *frame)
{
	u32 headroom = NET_SKB_PAD + NET_IP_ALIGN, left = frame->length - HEAD;
	const u8 *from = frame->data;
	struct sk_buff *skb;
	int error, i;

	skb = alloc_skb_with_frags(headroom + HEAD, left, PAGE_ALLOC_COSTLY_ORDER, &error,
				   GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb->dev = dev;
	skb_reserve(skb, headroom);
	nring_copy_in(skb_put(skb, HEAD), from, HEAD);
	from += HEAD;
	skb->data_len = left;
	skb->len += left;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		nring_copy_in(skb_frag_address(frag), from, skb_frag_size(frag));
		from += skb_frag_size(frag);
	}
	return skb;
}

/* The descriptor's copy says what the frame needs; the kernel's own function compares that with the frame. */
static bool apply_offload(struct sk_buff *skb, const struct nring_vnet *vnet)
{
	struct virtio_net_hdr header = {
		.flags = vnet->flags,
		.gso_type = vnet->gso_type,
		.hdr_len = __cpu_to_virtio16(true, vnet->hdr_len),
		.gso_size = __cpu_to_virtio16(true, vnet->gso_size),
		.csum_start = __cpu_to_virtio16(true, vnet->csum_start),
		.csum_offset = __cpu_to_virtio16(true, vnet->csum_offset),
	};

	if (vnet->flags & NRING_DATA_VALID)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	return !virtio_net_hdr_to_skb(skb, &header, true);
}

static void receive_one(struct nv_queue *queue, const struct nring_frame *frame)
{
	struct net_device *dev = queue->port->dev;
	struct sk_buff *skb =
		frame->length <= SHORT ? short_skb(queue, frame) : long_skb(dev, frame);

	if (unlikely(!skb)) {
		queue->rx_counts.rx_no_memory++;
		return;
	}
	if (unlikely(!nring_link_goes_on(&queue->port->link))) {
		queue->rx_counts.rx_over++;
		dev_kfree_skb_any(skb);
		return;
	}
	if (unlikely(!apply_offload(skb, &frame->vnet))) {
		WRITE_ONCE(queue->rx_counts.rx_bad_header, queue->rx_counts.rx_bad_header + 1);
		dev_kfree_skb_any(skb);
		return;
	}
	queue->rx_counts.rx_packets++;
	queue->rx_counts.rx_bytes += frame->length;
	skb_record_rx_queue(skb, queue->index);
	skb->protocol = eth_type_trans(skb, dev);
	napi_gro_receive(&queue->napi, skb);
}

static void give_back(struct nv_queue *queue)
{
	nring_release(&queue->rx);
	if (nring_rx_bell(&queue->rx))
		queue->rx_counts.rx_bells_rung += nv_queue_ring(queue);
}

u32 nv_receive(struct nv_queue *queue, u32 budget)
{
	struct nring_frame frame;
	u32 left = budget, bytes = 0, freed = queue->rx.next;

	while (left && nring_peek_within(&queue->rx, &frame, &left)) {
		receive_one(queue, &frame);
		nring_take(&queue->rx);
		left--;
		bytes += frame.length;
		if (bytes >= FREED) {
			give_back(queue);
			bytes = 0;
			freed = queue->rx.next;
		}
	}
	if (queue->rx.next != freed) /* those that were left out, too */
		give_back(queue);
	return budget - left;
}
