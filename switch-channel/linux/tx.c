// SPDX-License-Identifier: GPL-2.0
/* Frames to the ring. All of it under the transmit queue's lock. */
#include <linux/etherdevice.h>
#include <linux/skbuff.h>
#include <linux/virtio_net.h>

#include "switch-channel/linux/port.h"

/* The longest frame that may come next; that much is free before the queue goes on. */
static u32 longest(const struct nv_queue *queue)
{
	const struct net_device *dev = queue->port->dev;
	u32 frame = READ_ONCE(dev->mtu) + NRING_MTU_EXTRA;

	if (dev->features & NETIF_F_ALL_TSO)
		frame = max_t(u32, frame, 65536);
	return min(frame, queue->port->link.geometry.frame_max);
}

/* Who sends often gets an answer soon: long pauses begin anew. */
static void expect_answer(struct nv_queue *queue)
{
	const struct nv_config *config = &queue->port->config;

	if (READ_ONCE(config->mode) != NV_ADAPTIVE ||
	    READ_ONCE(queue->pause_us) <= READ_ONCE(config->period_us))
		return;
	WRITE_ONCE(queue->pause_us, 0);
	napi_schedule(&queue->napi);
}

static void publish(struct nv_queue *queue)
{
	if (queue->tx.published == queue->tx.head)
		return;
	nring_publish(&queue->tx);
	expect_answer(queue);
	if (!nring_tx_bell(&queue->tx))
		return;
	if (nv_queue_ring(queue))
		queue->tx_counts.tx_bells_rung++;
	else if (READ_ONCE(queue->owed))
		napi_schedule(&queue->napi);
}

/* What the receiver must know. False: this frame cannot be sent so. */
static bool describe(struct sk_buff *skb, u32 features, struct nring_vnet *vnet)
{
	struct virtio_net_hdr header;

	if (skb->ip_summed == CHECKSUM_PARTIAL && !(features & NRING_F_CSUM) &&
	    (skb_is_gso(skb) || skb_checksum_help(skb)))
		return false;
	if (virtio_net_hdr_from_skb(skb, &header, true, true, 0))
		return false;
	vnet->flags = header.flags;
	vnet->gso_type = header.gso_type;
	vnet->hdr_len = __virtio16_to_cpu(true, header.hdr_len);
	vnet->gso_size = __virtio16_to_cpu(true, header.gso_size);
	vnet->csum_start = __virtio16_to_cpu(true, header.csum_start);
	vnet->csum_offset = __virtio16_to_cpu(true, header.csum_offset);
	/* What was not agreed on the other side would leave out, and hold against us: the same check before. */
	return nring_vnet_good(vnet, skb->len, features);
}

static void stop(struct nv_queue *queue, struct netdev_queue *txq)
{
	queue->tx_counts.tx_stops++;
	netif_tx_stop_queue(txq);
	publish(queue);
	/* It is NAPI that looks for room: now, even if it has just gone to sleep. */
	napi_schedule(&queue->napi);
}

netdev_tx_t nv_transmit(struct sk_buff *skb, struct net_device *dev)
{
	struct nv_port *port = netdev_priv(dev);
	u16 index = skb_get_queue_mapping(skb);
	struct nv_queue *queue = &port->queue[index];
	struct netdev_queue *txq = netdev_get_tx_queue(dev, index);
	struct nring_vnet vnet;
	u32 length = skb->len;
	void *place;

	if (unlikely(!queue->live))
		goto drop;
	if (unlikely(length < NRING_FRAME_MIN || length > port->link.geometry.frame_max ||
		     !describe(skb, port->features, &vnet)))
		goto drop;
	place = nring_reserve(&queue->tx, length);
	if (unlikely(!place)) {
		stop(queue, txq);
		return NETDEV_TX_BUSY;
	}
	if (unlikely(skb_copy_bits(skb, 0, place, length)))
		goto drop; /* nothing is committed */
	nring_commit(&queue->tx, length, &vnet);
	queue->tx_counts.tx_packets++;
	queue->tx_counts.tx_bytes += length;
	skb_tx_timestamp(skb);
	dev_consume_skb_any(skb);
	if (unlikely(!nring_reserve(&queue->tx, longest(queue))))
		stop(queue, txq);
	else if (!netdev_xmit_more())
		publish(queue);
	return NETDEV_TX_OK;
drop:
	queue->tx_counts.tx_dropped++;
	if (queue->live && !netdev_xmit_more())
		publish(queue);
	dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}

bool nv_transmit_again(struct nv_queue *queue, bool sleep)
{
	struct netdev_queue *txq = netdev_get_tx_queue(queue->port->dev, queue->index);
	bool stopped = false;

	if (!netif_tx_queue_stopped(txq) && !READ_ONCE(queue->tx_asleep))
		return false;
	__netif_tx_lock(txq, smp_processor_id());
	if (queue->tx_asleep) {
		nring_tx_wake(&queue->tx);
		WRITE_ONCE(queue->tx_asleep, false);
	}
	if (netif_tx_queue_stopped(txq)) {
		if (sleep && nring_tx_sleep(&queue->tx, longest(queue)))
			WRITE_ONCE(queue->tx_asleep, true);
		stopped = queue->tx_asleep || !nring_reserve(&queue->tx, longest(queue));
		if (!stopped) {
			queue->tx_counts.tx_wakes++;
			netif_tx_wake_queue(txq);
		}
	}
	__netif_tx_unlock(txq);
	return stopped;
}
