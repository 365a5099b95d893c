// SPDX-License-Identifier: GPL-2.0
/*
 * When a queue is looked at. After work it is polled again for a while; then there are pauses, each twice as long; then,
 * where there are bells, it says in the ring that it sleeps. A bell or a timer only means "look".
 */
#include <linux/sched.h>
#include <linux/slab.h>

#include "switch-channel/linux/compat.h"
#include "switch-channel/linux/port.h"

static enum hrtimer_restart queue_timer(struct hrtimer *timer)
{
	napi_schedule(&container_of(timer, struct nv_queue, timer)->napi);
	return HRTIMER_NORESTART;
}

bool nv_queue_ring(struct nv_queue *queue)
{
	ktime_t now = ktime_get();
	bool joined = READ_ONCE(queue->bell_joined);
	bool early = ktime_us_delta(now, READ_ONCE(queue->rang)) <
		     READ_ONCE(queue->port->config.bell_us);

	WRITE_ONCE(queue->owed, joined && early);
	if (!joined || early)
		return false;
	WRITE_ONCE(queue->rang, now);
	nv_bell_ring(&queue->bell);
	return true;
}

/* Nothing came in some pauses: sleeps if the ring is still empty. 0: it is not, or there are no bells now. */
static u32 sleep_us(struct nv_queue *queue, ktime_t now)
{
	struct nv_config *config = &queue->port->config;

	if (!READ_ONCE(queue->bell_joined) ||
	    ktime_us_delta(now, queue->listened) < READ_ONCE(config->bell_us))
		return 0;
	if (!nring_rx_sleep(&queue->rx)) {
		queue->pause_us = 0;
		return 0;
	}
	queue->asleep = true;
	queue->listened = now;
	queue->rx_counts.sleeps++;
	nv_transmit_again(queue, true);
	nv_bell_listen(&queue->bell);
	return NRING_HEARTBEAT_MS * 1000;
}

/* For how long to leave the ring alone, in microseconds. 0: look again at once. */
static u32 adaptive_us(struct nv_queue *queue, u32 work, bool stopped, ktime_t now)
{
	struct nv_config *config = &queue->port->config;
	u32 period = READ_ONCE(config->period_us), longest = READ_ONCE(config->sleep_us), us;

	if (work) {
		queue->worked = now;
		queue->pause_us = 0;
	}
	if (!queue->pause_us && ktime_us_delta(now, queue->worked) < READ_ONCE(config->busy_us) &&
	    !need_resched())
		return 0;
	/* A bell is heard sooner than a long pause is over: two short ones are enough. */
	if (queue->pause_us >= min(longest, 2 * period)) {
		us = sleep_us(queue, now);
		if (us)
			return us;
	}
	us = period;
	/* One who waits for room looks often: nobody tells him. */
	if (!stopped && queue->pause_us)
		us = min(2 * queue->pause_us, longest);
	WRITE_ONCE(queue->pause_us, us);
	return us;
}

static u32 periodic_us(struct nv_queue *queue, u32 work, u32 budget, ktime_t now)
{
	struct nv_config *config = &queue->port->config;
	u32 period = READ_ONCE(config->period_us);
	s64 gone;

	queue->in_period += work;
	if (work == budget && queue->in_period < READ_ONCE(config->budget))
		return 0;
	gone = ktime_us_delta(now, queue->period);
	return gone < period ? period - gone : 1;
}

static u32 next_look_us(struct nv_queue *queue, u32 work, u32 budget, bool stopped)
{
	struct nv_config *config = &queue->port->config;
	ktime_t now = ktime_get();

	switch (READ_ONCE(config->mode)) {
	case NV_PERIODIC:
		return periodic_us(queue, work, budget, now);
	case NV_BUSY:
		return need_resched() ? READ_ONCE(config->period_us) : 0;
	default:
		return work == budget ? 0 : adaptive_us(queue, work, stopped, now);
	}
}

/* How many frames this look may take. */
static u32 allowed(struct nv_queue *queue, u32 budget)
{
	struct nv_config *config = &queue->port->config;
	u32 most = READ_ONCE(config->budget);
	ktime_t now;

	if (READ_ONCE(config->mode) != NV_PERIODIC)
		return budget;
	now = ktime_get();
	if (ktime_us_delta(now, queue->period) >= READ_ONCE(config->period_us)) {
		queue->period = now;
		queue->in_period = 0;
	}
	return min(budget, most - min(most, queue->in_period));
}

static int queue_poll(struct napi_struct *napi, int budget)
{
	struct nv_queue *queue = container_of(napi, struct nv_queue, napi);
	u32 work, us;
	bool stopped;

	queue->rx_counts.polls++;
	if (queue->asleep) {
		nring_rx_wake(&queue->rx);
		queue->asleep = false;
		queue->rx_counts.bells_heard += atomic_read(&queue->bell.taken);
	}
	work = nv_receive(queue, allowed(queue, budget));
	stopped = nv_transmit_again(queue, false);
	if (!work)
		queue->rx_counts.polls_idle++;
	if (!budget)
		return 0; /* netpoll: only to transmit */
	us = next_look_us(queue, work, budget, stopped);
	if (READ_ONCE(queue->owed)) {
		queue->rx_counts.rx_bells_rung += nv_queue_ring(queue);
		us = min_t(u32, us, max_t(u32, READ_ONCE(queue->port->config.bell_us), 1));
	}
	if (!us)
		return budget;
	queue->rx_counts.pauses++;
	if (napi_complete_done(napi, min_t(u32, work, budget - 1)))
		hrtimer_start(&queue->timer, ns_to_ktime((u64)us * NSEC_PER_USEC),
			      HRTIMER_MODE_REL);
	return min_t(u32, work, budget - 1);
}

void nv_queues_setup(struct nv_port *port)
{
	u32 i;

	for (i = 0; i < NRING_QUEUES_MAX; i++) {
		struct nv_queue *queue = &port->queue[i];

		queue->port = port;
		queue->index = i;
		nv_timer_setup(&queue->timer, queue_timer);
		netif_napi_add(port->dev, &queue->napi, queue_poll);
	}
}

/* A poll that was at its end while nv_queues_stop() cancelled its timer has started it after that. */
void nv_queues_forget(struct nv_port *port)
{
	u32 i;

	for (i = 0; i < NRING_QUEUES_MAX; i++) {
		netif_napi_del(&port->queue[i].napi); /* waits for a poll, also of a thread's */
		hrtimer_cancel(&port->queue[i].timer);
	}
}

void nv_queues_release(struct nv_port *port)
{
	u32 i;

	for (i = 0; i < NRING_QUEUES_MAX; i++) {
		kvfree(port->queue[i].ends);
		port->queue[i].ends = NULL;
	}
}

int nv_queues_prepare(struct nv_port *port)
{
	const struct nring_geometry *geometry = &port->link.geometry;
	u32 i;

	for (i = 0; i < geometry->queues; i++) {
		struct nv_queue *queue = &port->queue[i];
		u32 away = 2 * i + port->config.accept, back = 2 * i + !port->config.accept;

		queue->ends = kvmalloc_array(geometry->entries, sizeof(*queue->ends), GFP_KERNEL);
		if (!queue->ends) {
			nv_queues_release(port);
			return -ENOMEM;
		}
		nring_tx_start(&queue->tx, port->channel.base, geometry, away, port->link.features,
			       queue->ends);
		nring_rx_start(&queue->rx, port->channel.base, geometry, back, port->link.features);
		queue->asleep = false;
		queue->tx_asleep = false;
		queue->owed = false;
	}
	return 0;
}

void nv_queues_start(struct nv_port *port)
{
	u32 i;

	for (i = 0; i < port->queues; i++) {
		struct nv_queue *queue = &port->queue[i];

		queue->worked = ktime_get();
		queue->period = queue->worked;
		queue->listened = queue->worked;
		queue->in_period = 0;
		queue->pause_us = 0;
		napi_enable(&queue->napi);
		WRITE_ONCE(queue->live, true);
		netif_tx_wake_queue(netdev_get_tx_queue(port->dev, i));
		local_bh_disable();
		napi_schedule(&queue->napi);
		local_bh_enable();
	}
}

/* First those who would wake transmission up, then transmission: afterwards nobody is in a ring. */
void nv_queues_stop(struct nv_port *port)
{
	u32 i;

	for (i = 0; i < port->queues; i++) {
		napi_disable(&port->queue[i].napi);
		hrtimer_cancel(&port->queue[i].timer);
	}
	for (i = 0; i < port->queues; i++)
		WRITE_ONCE(port->queue[i].live, false);
	netif_tx_disable(port->dev);
}
