// SPDX-License-Identifier: GPL-2.0
/*
 * A port's channel, from one tick to the next: offered or accepted, attached to a peer, lost, closed and had again. All of it
 * under port->lock.
 */
#include <linux/etherdevice.h>
#include <linux/log2.h>
#include <linux/rtnetlink.h>

#include "switch-channel/linux/call.h"
#include "switch-channel/linux/compat.h"
#include "switch-channel/linux/port.h"

static void note_error(struct nv_port *port, const char *what, int error)
{
	port->errors++;
	if (error != port->last_error)
		netdev_warn(port->dev, "%s: error %d\n", what, error);
	port->last_error = error;
}

/* --- attaching ------------------------------------------------------------------------------------- */

static u64 sum_of(const u64 *violations)
{
	u64 sum = 0;
	int kind;

	for (kind = NRING_BAD_NONE + 1; kind < NRING_VIOLATIONS; kind++)
		sum += READ_ONCE(violations[kind]);
	return sum;
}

/*
 * What the peer has done against the rules so far. Headers that the rules allow and this kernel refuses are none: a switch passes on what its own
 * kernel has taken.
 */
static u64 violations(const struct nv_port *port)
{
	u64 sum = sum_of(port->link.violations);
	u32 i;

	for (i = 0; i < NRING_QUEUES_MAX; i++) {
		const struct nv_queue *queue = &port->queue[i];

		sum += sum_of(queue->rx.violations) + sum_of(queue->tx.violations);
	}
	return sum;
}

static void stop_interface(struct nv_port *port)
{
	rtnl_lock();
	netif_carrier_off(port->dev);
	if (port->attached && netif_running(port->dev))
		nv_queues_stop(port);
	port->attached = false;
	port->dev->max_mtu = NV_MTU_MAX;
	rtnl_unlock();
}

static void detach(struct nv_port *port)
{
	if (port->phase != NV_ATTACHED)
		return;
	stop_interface(port);
	nv_bells_close(port);
	nv_queues_release(port);
	/* Since the epoch's end was seen its rings were nobody's. */
	port->violations_seen = violations(port);
	port->phase = NV_WAIT;
	port->looked = jiffies - HZ; /* what does the monitor say of it? */
}

/* As the user wants it, as far as this epoch's peer takes such frames: the next one may take others. Under RTNL. */
static int fit_mtu(struct nv_port *port)
{
	struct net_device *dev = port->dev;
	u32 most = min_t(u32, port->link.mtu, NV_MTU_MAX), wanted = port->wanted_mtu;
	int error;

	dev->max_mtu = most;
	error = dev_set_mtu(dev, min(wanted, most));
	port->wanted_mtu = wanted;
	return dev->mtu > most ? error : 0;
}

/* The stack's limit follows that of the last epoch, unless the user has set a lower one. Under RTNL. */
static void fit_gso(struct nv_port *port)
{
	struct net_device *dev = port->dev;

	if (dev->gso_max_size >= dev->tso_max_size)
		nv_reset_gso_size(dev);
	netif_set_tso_max_size(dev, min_t(u32, port->link.geometry.frame_max, 65536));
}

static int start_interface(struct nv_port *port)
{
	struct net_device *dev = port->dev;
	int error;

	rtnl_lock();
	port->queues = port->link.geometry.queues;
	port->features = port->link.features;
	error = netif_set_real_num_tx_queues(dev, port->queues);
	if (!error)
		error = netif_set_real_num_rx_queues(dev, port->queues);
	if (!error)
		error = fit_mtu(port);
	if (!error) {
		fit_gso(port);
		port->attached = true;
		netdev_update_features(dev);
		if (netif_running(dev))
			nv_queues_start(port);
	}
	rtnl_unlock();
	return error;
}

static void attach(struct nv_port *port)
{
	int error = nv_queues_prepare(port);

	if (!error && port->channel.offered)
		nv_bells_join(port);
	if (!error)
		error = start_interface(port);
	port->phase = NV_ATTACHED;
	port->beat = jiffies;
	port->stalled = false;
	if (error) {
		note_error(port, "cannot attach", error);
		nv_port_close(port, CHANNEL_REASON_CLOSED);
		return;
	}
	port->attaches++;
	port->last_error = 0;
	/* Far below the time after which the peer would miss this side's heartbeat. */
	port->attach_after = jiffies + msecs_to_jiffies(min_t(u32, port->config.retry_ms, 1000));
	netdev_info(port->dev, "channel %llu: attached, %u queues of %u frames, MTU up to %u\n",
		    port->channel.id, port->queues, port->link.geometry.entries,
		    port->dev->max_mtu);
}

/* --- a channel begins and ends ------------------------------------------------------------------------ */

static u32 fitting_order(const struct nv_config *config)
{
	u32 bytes = (config->pages - 3) * NRING_PAGE / (2 * config->queues);

	return config->order ? config->order
			     : clamp_t(u32, ilog2(bytes / 1024), NRING_ORDER_MIN, 12);
}

void nv_port_begin(struct nv_port *port)
{
	const struct nv_config *config = &port->config;
	struct nring_wish wish = {
		.features = NRING_F_CSUM | NRING_F_TSO4 | NRING_F_TSO6 | NRING_F_ECN,
		.mtu = NV_MTU_MAX,
		.mtu_min = NV_MTU_MIN,
		.queues = config->queues,
	};
	struct nring_geometry geometry;
	int bad = 0;

	if (nv_bells && config->bell) {
		wish.features |= NRING_F_SLEEP;
		wish.domid = nv_bell_domid();
	}
	if (port->channel.offered) {
		wish.order = fitting_order(config);
		bad = nring_geometry(&geometry, port->channel.pages, wish.queues, wish.order);
		if (!bad)
			wish.mtu = min_t(u32, wish.mtu, geometry.frame_max - NRING_MTU_EXTRA);
	}
	if (!bad)
		bad = nring_link_init(&port->link, port->channel.base, port->channel.pages,
				      port->channel.offered, &wish);
	port->began = jiffies;
	port->violations_seen = violations(port);
	port->violations_counted = 0;
	port->accepted = 0;
	port->looked = jiffies;
	port->phase = NV_WAIT;
	if (bad) {
		note_error(port, "too few pages for these queues and this order", -EINVAL);
		nv_port_close(port, CHANNEL_REASON_CLOSED);
	}
}

/* For how long to leave it. A peer that does harm in each channel gets the next one each time later. */
static u32 rest_ms(struct nv_port *port, u32 reason)
{
	u32 first = port->config.retry_ms, longest = max_t(u32, first, NV_RETRY_MAX_MS), ms;

	if (time_after(jiffies, port->began + msecs_to_jiffies(NV_RETRY_MAX_MS)))
		port->retry_ms = first;
	ms = port->retry_ms;
	if (reason == CHANNEL_REASON_VIOLATION || reason == CHANNEL_REASON_STALLED)
		port->retry_ms = min(2 * ms, longest);
	return ms;
}

void nv_port_close(struct nv_port *port, u32 reason)
{
	if (port->phase == NV_NONE)
		return;
	detach(port);
	nv_bells_close(port);
	if (port->link.header)
		nring_link_close(&port->link);
	port->link.header = NULL;
	nv_channel_close(&port->channel, reason);
	port->closes[reason]++;
	port->phase = NV_NONE;
	port->peer = 0;
	port->again = jiffies + msecs_to_jiffies(rest_ms(port, reason));
}

static void offer(struct nv_port *port)
{
	int error;

	if (time_before(jiffies, port->again))
		return;
	error = nv_channel_offer(&port->channel, port->config.service, &port->config.peer,
				 port->config.pages);
	if (error) {
		note_error(port, "the monitor refuses the offer", error);
		port->again = jiffies + msecs_to_jiffies(port->config.retry_ms);
		return;
	}
	port->offers++;
	nv_port_begin(port);
}

/* --- a tick --------------------------------------------------------------------------------------------- */

/*
 * An epoch is over. Has the monitor ended it, by zeroing the pages, or has the peer itself, who is still there? Zeros in the
 * pages say nothing of that: the peer can write them, too.
 */
static bool peer_is_over(struct nv_port *port)
{
	struct nv_status status;
	bool same;

	if (nv_call_status(port->channel.id, &status))
		return true;
	same = status.accepted == port->accepted;
	port->accepted = status.accepted;
	return !same || status.state != CHANNEL_OPEN;
}

/*
 * Looks, and counts what the peer did before. Not what it does during the look or after: only if the next look finds the epoch
 * going on has the peer done that, and not the monitor, whose zeros are nonsense in a ring that was in use.
 */
static enum nring_event look(struct nv_port *port)
{
	u32 state = NRING_STATE_CARRIER;
	u64 seen = violations(port);
	enum nring_event event;

	if (netif_running(port->dev))
		state |= NRING_STATE_UP;
	event = nring_link_look(&port->link, state);
	if (event != NRING_LINK_END || !peer_is_over(port))
		port->violations_counted += seen - port->violations_seen;
	port->violations_seen = seen;
	return event;
}

/* True: the peer has broken too many rules, and the channel is closed. */
static bool close_violator(struct nv_port *port)
{
	if (!port->config.violations || port->violations_counted <= port->config.violations)
		return false;
	netdev_warn(port->dev, "channel %llu: closed, the peer breaks the ring's rules\n",
		    port->channel.id);
	nv_port_close(port, CHANNEL_REASON_VIOLATION);
	return true;
}

/* Without a peer: is there still a channel at all? */
static void ask_monitor(struct nv_port *port)
{
	struct nv_status status;
	int error;

	if (time_before(jiffies, port->looked + HZ))
		return;
	port->looked = jiffies;
	error = nv_call_status(port->channel.id, &status);
	if (error == -ENOENT || (!error && status.state == CHANNEL_LEFT))
		nv_port_close(port, CHANNEL_REASON_CLOSED);
	else if (error)
		note_error(port, "no status of the channel", error);
}

static void look_for_peer(struct nv_port *port)
{
	enum nring_event event;

	/* A peer that starts anew all the time costs one start in a while. */
	if (time_before(jiffies, port->attach_after)) {
		ask_monitor(port);
		return;
	}
	if (!port->channel.offered)
		nv_bells_open(port);
	event = look(port);
	if (close_violator(port))
		return;
	switch (event) {
	case NRING_LINK_START:
		attach(port);
		break;
	case NRING_LINK_END:
		nring_link_reset(&port->link);
		break;
	default:
		ask_monitor(port);
	}
}

/* Its heart, and its link. */
static void judge_peer(struct nv_port *port)
{
	const u32 whole = NRING_STATE_UP | NRING_STATE_CARRIER;
	bool carrier;

	if (!port->link.silent) {
		port->beat = jiffies;
		port->stalled = false;
	} else if (!port->stalled &&
		   time_after(jiffies, port->beat + msecs_to_jiffies(NRING_STALLED_MS))) {
		port->stalled = true;
		port->stalls++;
		if (port->config.close_stalled) {
			nv_port_close(port, CHANNEL_REASON_STALLED);
			return;
		}
	}
	carrier = !port->stalled && (nring_link_peer(&port->link) & whole) == whole;
	if (carrier == netif_carrier_ok(port->dev))
		return;
	rtnl_lock();
	if (carrier)
		netif_carrier_on(port->dev);
	else
		netif_carrier_off(port->dev);
	rtnl_unlock();
}

static void look_at_peer(struct nv_port *port)
{
	enum nring_event event = look(port);

	if (close_violator(port))
		return;
	if (event == NRING_LINK_END) {
		detach(port);
		nring_link_reset(&port->link);
		return;
	}
	nv_bells_look(port);
	judge_peer(port);
}

void nv_port_work(struct work_struct *work)
{
	struct nv_port *port = container_of(to_delayed_work(work), struct nv_port, work);

	mutex_lock(&port->lock);
	if (port->leaving) {
		mutex_unlock(&port->lock);
		return;
	}
	switch (port->phase) {
	case NV_NONE:
		if (!port->config.accept) /* else: nv_scan_now() */
			offer(port);
		break;
	case NV_WAIT:
		look_for_peer(port);
		break;
	case NV_ATTACHED:
		look_at_peer(port);
		break;
	}
	mutex_unlock(&port->lock);
	queue_delayed_work(nv_work, &port->work, msecs_to_jiffies(NV_TICK_MS));
}
