// SPDX-License-Identifier: GPL-2.0
/*
 * Which of the pending offers goes to which port. A service's name alone is no right to anything: a port takes the offers of the
 * identity that it has been told, and all of them only if it has been told `any`.
 */
#include <linux/module.h>
#include <linux/sched.h>

#include "switch-channel/linux/call.h"
#include "switch-channel/linux/port.h"

#define CALM_MS 1000
#define BRISK_FOR (120 * HZ)

static unsigned int scan_ms = 200;
module_param(scan_ms, uint, 0644);
MODULE_PARM_DESC(scan_ms,
		 "milliseconds between two looks for offers, 10..60000 (200); after two minutes "
		 "without any for a port at least 1000");

static void scan_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(scan, scan_work);

struct candidate {
	struct nv_pending pending;
	struct nv_identity digest, tenant;
};

/* Under port->lock. */
static bool is_idle(const struct nv_port *port)
{
	return port->config.accept && port->phase == NV_NONE && !port->leaving &&
	       time_after_eq(jiffies, port->again);
}

static bool same(const struct nv_identity *a, const struct nv_identity *b)
{
	return a->kind == b->kind && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* How the port names this offerer, or NULL if it does not want it. */
static const struct nv_identity *name_for(const struct nv_port *port, const struct candidate *offer)
{
	const struct nv_identity *wanted = &port->config.peer;

	if (memcmp(port->config.service, offer->pending.service, CHANNEL_SERVICE))
		return NULL;
	if (!wanted->kind || same(wanted, &offer->digest))
		return &offer->digest;
	return same(wanted, &offer->tenant) ? &offer->tenant : NULL;
}

/* True: it is that port's now, or not to be had. */
static bool take(struct nv_port *port, const struct candidate *offer)
{
	const struct nv_identity *name;
	int error;

	if (!is_idle(port))
		return false;
	name = name_for(port, offer);
	if (!name)
		return false;
	error = nv_channel_accept(&port->channel, offer->pending.id, offer->pending.service, name,
				  offer->pending.pages);
	if (error) {
		port->errors++;
		if (error != port->last_error)
			netdev_warn(port->dev, "the monitor refuses to accept: error %d\n", error);
		port->last_error = error;
		return true;
	}
	port->accepts++;
	port->peer = offer->pending.guest;
	nv_port_begin(port);
	return true;
}

static void give(const struct candidate *offer)
{
	struct nv_port *port;
	bool taken = false;

	list_for_each_entry(port, &nv_ports, list)
	{
		mutex_lock(&port->lock);
		taken = take(port, offer);
		mutex_unlock(&port->lock);
		if (taken)
			return;
	}
}

/* *brisk: one of them has not been so for long, or is about to be so. */
static bool any_idle(bool *brisk)
{
	struct nv_port *port;
	bool idle = false;

	list_for_each_entry(port, &nv_ports, list)
	{
		mutex_lock(&port->lock);
		idle |= is_idle(port);
		*brisk |= port->config.accept && port->phase == NV_NONE && !port->leaving &&
			  time_before(jiffies, port->again + BRISK_FOR);
		mutex_unlock(&port->lock);
	}
	return idle;
}

static unsigned int pause_ms(bool brisk)
{
	unsigned int ms = clamp(READ_ONCE(scan_ms), 10u, 60000u);

	return brisk ? ms : max_t(unsigned int, ms, CALM_MS);
}

static void scan_work(struct work_struct *work)
{
	struct candidate offer = {
		.digest.kind = CHANNEL_PEER_DIGEST,
		.tenant.kind = CHANNEL_PEER_TENANT,
	};
	bool brisk = false;

	mutex_lock(&nv_ports_lock);
	if (any_idle(&brisk)) {
		while (!nv_call_pending(offer.pending.id, &offer.pending)) {
			if (!nv_call_identity(offer.pending.id, CHANNEL_PEER_DIGEST,
					      offer.digest.bytes) &&
			    !nv_call_identity(offer.pending.id, CHANNEL_PEER_TENANT,
					      offer.tenant.bytes))
				give(&offer);
			cond_resched();
		}
	}
	mutex_unlock(&nv_ports_lock);
	queue_delayed_work(nv_work, &scan, msecs_to_jiffies(pause_ms(brisk)));
}

void nv_scan_now(void)
{
	mod_delayed_work(nv_work, &scan, 0);
}

void nv_scan_stop(void)
{
	cancel_delayed_work_sync(&scan);
}
