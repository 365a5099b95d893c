// SPDX-License-Identifier: GPL-2.0
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/sysfs.h>

#include "switch-channel/linux/port.h"

LIST_HEAD(nv_ports);
DEFINE_MUTEX(nv_ports_lock);
static bool held; /* under nv_ports_lock: no port has a channel, those that are added now neither */

/* --- the interface ------------------------------------------------------------------------------------- */

static int port_open(struct net_device *dev)
{
	struct nv_port *port = netdev_priv(dev);

	if (port->attached)
		nv_queues_start(port);
	return 0;
}

static int port_stop(struct net_device *dev)
{
	struct nv_port *port = netdev_priv(dev);

	if (port->attached)
		nv_queues_stop(port);
	return 0;
}

static netdev_features_t port_features(struct net_device *dev, netdev_features_t features)
{
	struct nv_port *port = netdev_priv(dev);

	if (!port->attached)
		return features;
	if (!(port->features & NRING_F_CSUM))
		features &= ~(NETIF_F_HW_CSUM | NETIF_F_ALL_TSO);
	if (!(port->features & NRING_F_TSO4))
		features &= ~(NETIF_F_TSO | NETIF_F_TSO_ECN);
	if (!(port->features & NRING_F_TSO6))
		features &= ~NETIF_F_TSO6;
	if (!(port->features & NRING_F_ECN))
		features &= ~NETIF_F_TSO_ECN;
	return features;
}

static void port_stats(struct net_device *dev, struct rtnl_link_stats64 *stats)
{
	struct nv_port *port = netdev_priv(dev);
	u32 i, kind;

	for (i = 0; i < NRING_QUEUES_MAX; i++) {
		const struct nv_queue *queue = &port->queue[i];

		stats->rx_packets += READ_ONCE(queue->rx_counts.rx_packets);
		stats->rx_bytes += READ_ONCE(queue->rx_counts.rx_bytes);
		stats->rx_dropped += READ_ONCE(queue->rx_counts.rx_no_memory);
		stats->rx_errors += READ_ONCE(queue->rx_counts.rx_bad_header);
		for (kind = NRING_BAD_NONE + 1; kind < NRING_VIOLATIONS; kind++)
			stats->rx_errors += READ_ONCE(queue->rx.violations[kind]);
		stats->tx_packets += READ_ONCE(queue->tx_counts.tx_packets);
		stats->tx_bytes += READ_ONCE(queue->tx_counts.tx_bytes);
		stats->tx_dropped += READ_ONCE(queue->tx_counts.tx_dropped);
	}
}

/* Whoever calls for the peer's sake puts wanted_mtu back. */
static int port_change_mtu(struct net_device *dev, int mtu)
{
	struct nv_port *port = netdev_priv(dev);

	port->wanted_mtu = mtu;
	WRITE_ONCE(dev->mtu, mtu);
	return 0;
}

/* No ndo_tx_timeout: a peer that takes no frames is nothing that this kernel should warn of. */
static const struct net_device_ops port_operations = {
	.ndo_open = port_open,
	.ndo_stop = port_stop,
	.ndo_start_xmit = nv_transmit,
	.ndo_fix_features = port_features,
	.ndo_get_stats64 = port_stats,
	.ndo_change_mtu = port_change_mtu,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
};

/* --- /sys/class/net/NAME/nether ---------------------------------------------------------------------------- */

static struct nv_port *port_of(struct device *device)
{
	return netdev_priv(to_net_dev(device));
}

static ssize_t state_show(struct device *device, struct device_attribute *attribute, char *page)
{
	static const char *const names[] = {"none", "waiting", "attached"};
	const struct nv_port *port = port_of(device);

	return sysfs_emit(page, "%s%s\n", names[READ_ONCE(port->phase)],
			  READ_ONCE(port->stalled) ? " stalled" : "");
}
static DEVICE_ATTR_RO(state);

static ssize_t channel_show(struct device *device, struct device_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%llu\n", READ_ONCE(port_of(device)->channel.id));
}
static DEVICE_ATTR_RO(channel);

static ssize_t guest_show(struct device *device, struct device_attribute *attribute, char *page)
{
	return sysfs_emit(page, "%llu\n", READ_ONCE(port_of(device)->peer));
}
static DEVICE_ATTR_RO(guest);

static ssize_t service_show(struct device *device, struct device_attribute *attribute, char *page)
{
	return nv_config_show(&port_of(device)->config, "service", page);
}
static DEVICE_ATTR_RO(service);

static ssize_t peer_show(struct device *device, struct device_attribute *attribute, char *page)
{
	return nv_config_show(&port_of(device)->config, "peer", page);
}
static DEVICE_ATTR_RO(peer);

static struct attribute *state_attributes[] = {
	&dev_attr_state.attr,   &dev_attr_channel.attr, &dev_attr_guest.attr,
	&dev_attr_service.attr, &dev_attr_peer.attr,    NULL,
};

static const struct attribute_group state_group = {
	.name = "nether",
	.attrs = state_attributes,
};

/* --- a port's life ------------------------------------------------------------------------------------------ */

static void setup_interface(struct nv_port *port)
{
	struct net_device *dev = port->dev;

	dev->netdev_ops = &port_operations;
	dev->ethtool_ops = &nv_ethtool_ops;
	dev->sysfs_groups[0] = &state_group;
	dev->hw_features = NETIF_F_SG | NETIF_F_HW_CSUM | NETIF_F_ALL_TSO;
	dev->features = dev->hw_features | NETIF_F_HIGHDMA;
	dev->hw_features |= NETIF_F_GRO;
	dev->vlan_features = dev->features;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = NV_MTU_MAX;
	port->wanted_mtu = dev->mtu;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	if (is_valid_ether_addr(port->config.mac))
		eth_hw_addr_set(dev, port->config.mac);
	else
		eth_hw_addr_random(dev);
	strscpy(dev->name, port->config.name[0] ? port->config.name : "nether%d", IFNAMSIZ);
}

struct nv_port *nv_port_add(const struct nv_config *config)
{
	struct net_device *dev;
	struct nv_port *port;
	int error;

	dev = alloc_etherdev_mqs(sizeof(*port), NRING_QUEUES_MAX, NRING_QUEUES_MAX);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	port = netdev_priv(dev);
	port->dev = dev;
	port->config = *config;
	mutex_init(&port->lock);
	INIT_DELAYED_WORK(&port->work, nv_port_work);
	port->again = jiffies;
	port->retry_ms = config->retry_ms;
	port->attach_after = jiffies;
	setup_interface(port);
	nv_queues_setup(port);
	netif_carrier_off(dev);
	error = register_netdev(dev);
	if (error) {
		free_netdev(dev);
		return ERR_PTR(error);
	}
	mutex_lock(&nv_ports_lock);
	port->leaving = held;
	list_add_tail(&port->list, &nv_ports);
	mutex_unlock(&nv_ports_lock);
	queue_delayed_work(nv_work, &port->work, 0);
	if (config->accept)
		nv_scan_now();
	return port;
}

/* Closes its channel, and starts no other. */
static void pause(struct nv_port *port)
{
	mutex_lock(&port->lock);
	port->leaving = true;
	nv_port_close(port, CHANNEL_REASON_CLOSED);
	mutex_unlock(&port->lock);
	cancel_delayed_work_sync(&port->work);
}

static void resume(struct nv_port *port)
{
	mutex_lock(&port->lock);
	port->leaving = false;
	port->again = jiffies;
	mutex_unlock(&port->lock);
	queue_delayed_work(nv_work, &port->work, 0);
}

void nv_ports_hold(void)
{
	struct nv_port *port;

	mutex_lock(&nv_ports_lock);
	held = true;
	list_for_each_entry(port, &nv_ports, list) pause(port);
	mutex_unlock(&nv_ports_lock);
}

void nv_ports_let(void)
{
	struct nv_port *port;

	mutex_lock(&nv_ports_lock);
	held = false;
	list_for_each_entry(port, &nv_ports, list) resume(port);
	mutex_unlock(&nv_ports_lock);
}

/* Its channel is closed before nv_ports_hold() can find it gone from the list. */
void nv_port_remove(struct nv_port *port)
{
	mutex_lock(&nv_ports_lock);
	list_del(&port->list);
	pause(port);
	mutex_unlock(&nv_ports_lock);
	unregister_netdev(port->dev);
	nv_queues_forget(port);
	free_netdev(port->dev);
}
