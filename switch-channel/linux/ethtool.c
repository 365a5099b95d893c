// SPDX-License-Identifier: GPL-2.0
#include <linux/ethtool.h>
#include <linux/netdevice.h>

#include "switch-channel/linux/port.h"

/* --- counts: of the port, of violations by kind, of queues -------------------------------------------------- */

static const char *const port_names[] = {
	"channel_offers", "channel_accepts",  "channel_attached", "channel_errors",
	"peer_stalled",   "closed_when_done", "closed_violation", "closed_stalled",
};

static const char *const violation_names[NRING_VIOLATIONS] = {
	[NRING_BAD_INDEX] = "bad_index",     [NRING_BAD_PLACE] = "bad_place",
	[NRING_BAD_LENGTH] = "bad_length",   [NRING_BAD_OFFLOAD] = "bad_offload",
	[NRING_BAD_VERSION] = "bad_version", [NRING_BAD_GEOMETRY] = "bad_geometry",
	[NRING_BAD_CONFIG] = "bad_config",
};

static const struct count {
	const char *name;
	size_t at;
} queue_counts[] = {
#define COUNT(name) {#name, offsetof(struct nv_queue, rx_counts.name)},
	NV_RX_COUNTS(COUNT)
#undef COUNT
#define COUNT(name) {#name, offsetof(struct nv_queue, tx_counts.name)},
		NV_TX_COUNTS(COUNT)
#undef COUNT
};

#define VIOLATION_KINDS (NRING_VIOLATIONS - 1)

static int count_of_strings(struct net_device *dev, int set)
{
	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return ARRAY_SIZE(port_names) + VIOLATION_KINDS +
	       NRING_QUEUES_MAX * ARRAY_SIZE(queue_counts);
}

static void get_strings(struct net_device *dev, u32 set, u8 *to)
{
	size_t i, queue;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < ARRAY_SIZE(port_names); i++)
		ethtool_sprintf(&to, "%s", port_names[i]);
	for (i = NRING_BAD_NONE + 1; i < NRING_VIOLATIONS; i++)
		ethtool_sprintf(&to, "%s", violation_names[i]);
	for (queue = 0; queue < NRING_QUEUES_MAX; queue++) {
		for (i = 0; i < ARRAY_SIZE(queue_counts); i++)
			ethtool_sprintf(&to, "q%zu_%s", queue, queue_counts[i].name);
	}
}

static u64 violations_of(const struct nv_port *port, int kind)
{
	u64 sum = READ_ONCE(port->link.violations[kind]);
	u32 i;

	for (i = 0; i < NRING_QUEUES_MAX; i++)
		sum += READ_ONCE(port->queue[i].rx.violations[kind]) +
		       READ_ONCE(port->queue[i].tx.violations[kind]);
	return sum;
}

static void get_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *to)
{
	const struct nv_port *port = netdev_priv(dev);
	size_t i, queue;
	int kind;

	*to++ = port->offers;
	*to++ = port->accepts;
	*to++ = port->attaches;
	*to++ = port->errors;
	*to++ = port->stalls;
	*to++ = port->closes[CHANNEL_REASON_CLOSED];
	*to++ = port->closes[CHANNEL_REASON_VIOLATION];
	*to++ = port->closes[CHANNEL_REASON_STALLED];
	for (kind = NRING_BAD_NONE + 1; kind < NRING_VIOLATIONS; kind++)
		*to++ = violations_of(port, kind);
	for (queue = 0; queue < NRING_QUEUES_MAX; queue++) {
		const char *counts = (const char *)&port->queue[queue];

		for (i = 0; i < ARRAY_SIZE(queue_counts); i++)
			*to++ = READ_ONCE(*(const u64 *)(counts + queue_counts[i].at));
	}
}

/* --- what the channel has -------------------------------------------------------------------------------- */

static void get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	const struct nv_port *port = netdev_priv(dev);

	strscpy(info->driver, "nether-vif", sizeof(info->driver));
	scnprintf(info->bus_info, sizeof(info->bus_info), "channel-%llu",
		  READ_ONCE(port->channel.id));
}

static void get_ring(struct net_device *dev, struct ethtool_ringparam *ring,
		     struct kernel_ethtool_ringparam *kernel_ring, struct netlink_ext_ack *extack)
{
	const struct nv_port *port = netdev_priv(dev);

	ring->rx_max_pending = 1u << NRING_ORDER_MAX;
	ring->tx_max_pending = ring->rx_max_pending;
	ring->rx_pending = port->attached ? port->link.geometry.entries : 0;
	ring->tx_pending = ring->rx_pending;
}

static void get_channels(struct net_device *dev, struct ethtool_channels *channels)
{
	const struct nv_port *port = netdev_priv(dev);

	channels->max_combined = NRING_QUEUES_MAX;
	channels->combined_count = port->attached ? port->queues : 0;
}

/* --- polling: docs/nether-vif.md has what stands for what -------------------------------------------------- */

static int get_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
			struct kernel_ethtool_coalesce *kernel_c, struct netlink_ext_ack *extack)
{
	const struct nv_config *config = &((struct nv_port *)netdev_priv(dev))->config;

	c->use_adaptive_rx_coalesce = config->mode == NV_ADAPTIVE;
	c->rx_coalesce_usecs = config->mode == NV_BUSY ? 0 : config->period_us;
	c->rx_max_coalesced_frames = config->budget;
	c->rx_coalesce_usecs_low = config->busy_us;
	c->rx_coalesce_usecs_high = config->sleep_us;
	c->rx_coalesce_usecs_irq = config->bell_us;
	return 0;
}

static int set_number(struct nv_config *config, const char *key, u32 value)
{
	char text[16];

	scnprintf(text, sizeof(text), "%u", value);
	return nv_config_set(config, key, text);
}

static int set_coalesce(struct net_device *dev, struct ethtool_coalesce *c,
			struct kernel_ethtool_coalesce *kernel_c, struct netlink_ext_ack *extack)
{
	struct nv_port *port = netdev_priv(dev);
	struct nv_config config = port->config;
	bool busy = !c->use_adaptive_rx_coalesce && !c->rx_coalesce_usecs;

	/* 0 is that of busy, which has no period: the last one stays. */
	if ((c->rx_coalesce_usecs && set_number(&config, "period_us", c->rx_coalesce_usecs)) ||
	    set_number(&config, "budget", c->rx_max_coalesced_frames) ||
	    set_number(&config, "busy_us", c->rx_coalesce_usecs_low) ||
	    set_number(&config, "sleep_us", c->rx_coalesce_usecs_high) ||
	    set_number(&config, "bell_us", c->rx_coalesce_usecs_irq)) {
		NL_SET_ERR_MSG_MOD(extack, "out of range: see docs/nether-vif.md");
		return -EINVAL;
	}
	config.mode = c->use_adaptive_rx_coalesce ? NV_ADAPTIVE : busy ? NV_BUSY : NV_PERIODIC;
	/* Each is read by one load when it is needed. */
	WRITE_ONCE(port->config.period_us, config.period_us);
	WRITE_ONCE(port->config.budget, config.budget);
	WRITE_ONCE(port->config.busy_us, config.busy_us);
	WRITE_ONCE(port->config.sleep_us, config.sleep_us);
	WRITE_ONCE(port->config.bell_us, config.bell_us);
	WRITE_ONCE(port->config.mode, config.mode);
	return 0;
}

const struct ethtool_ops nv_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_USECS | ETHTOOL_COALESCE_RX_MAX_FRAMES |
				     ETHTOOL_COALESCE_USE_ADAPTIVE_RX |
				     ETHTOOL_COALESCE_RX_USECS_LOW |
				     ETHTOOL_COALESCE_RX_USECS_HIGH | ETHTOOL_COALESCE_RX_USECS_IRQ,
	.get_drvinfo = get_drvinfo,
	.get_link = ethtool_op_get_link,
	.get_ringparam = get_ring,
	.get_channels = get_channels,
	.get_coalesce = get_coalesce,
	.set_coalesce = set_coalesce,
	.get_sset_count = count_of_strings,
	.get_strings = get_strings,
	.get_ethtool_stats = get_stats,
	.get_ts_info = ethtool_op_get_ts_info,
};
