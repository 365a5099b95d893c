// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/kconfig.h>

#include "switch-channel/linux/bell.h"

#if IS_ENABLED(CONFIG_XEN)
#include <xen/events.h>
#include <xen/interface/event_channel.h>
#include <xen/interface/xen.h>
#include <xen/xen.h>
#include <asm/xen/hypercall.h>

static u32 own_domid;

static int close_port(u32 port)
{
	struct evtchn_close close = {.port = port};

	return HYPERVISOR_event_channel_op(EVTCHNOP_close, &close);
}

/* Xen tells a domain its number only as that of somebody else's peer: its own. */
int nv_bell_start(void)
{
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = DOMID_SELF};
	struct evtchn_status status = {.dom = DOMID_SELF};
	int error;

	if (!xen_domain())
		return -ENODEV;
	error = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);
	if (error)
		return -ENODEV;
	status.port = alloc.port;
	error = HYPERVISOR_event_channel_op(EVTCHNOP_status, &status);
	close_port(alloc.port);
	if (error || status.status != EVTCHNSTAT_unbound)
		return -ENODEV;
	own_domid = status.u.unbound.dom;
	return 0;
}

u32 nv_bell_domid(void)
{
	return own_domid;
}

static irqreturn_t bell_irq(int irq, void *data)
{
	struct nv_bell *bell = data;

	atomic_set(&bell->taken, 1);
	bell->heard(bell->data);
	return IRQ_HANDLED;
}

static int bind_port(struct nv_bell *bell, u32 port, void (*heard)(void *data), void *data)
{
	int irq;

	bell->heard = heard;
	bell->data = data;
	atomic_set(&bell->taken, 0);
	/* Late: a peer that rings without end is not heard before nv_bell_listen(). */
	irq = bind_evtchn_to_irqhandler_lateeoi(port, bell_irq, 0, "nether-vif", bell);
	if (irq < 0) {
		close_port(port);
		return irq;
	}
	bell->irq = irq;
	bell->port = port;
	return 0;
}

int nv_bell_open(struct nv_bell *bell, u32 peer, void (*heard)(void *data), void *data)
{
	struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = peer};
	int error = HYPERVISOR_event_channel_op(EVTCHNOP_alloc_unbound, &alloc);

	return error ? error : bind_port(bell, alloc.port, heard, data);
}

int nv_bell_join(struct nv_bell *bell, u32 peer, u32 port, void (*heard)(void *data), void *data)
{
	struct evtchn_bind_interdomain bind = {.remote_dom = peer, .remote_port = port};
	int error = HYPERVISOR_event_channel_op(EVTCHNOP_bind_interdomain, &bind);

	return error ? error : bind_port(bell, bind.local_port, heard, data);
}

void nv_bell_close(struct nv_bell *bell)
{
	if (bell->port)
		unbind_from_irqhandler(bell->irq, bell); /* and closes the port */
	bell->port = 0;
}

bool nv_bell_joined(const struct nv_bell *bell)
{
	struct evtchn_status status = {.dom = DOMID_SELF, .port = bell->port};

	return bell->port && !HYPERVISOR_event_channel_op(EVTCHNOP_status, &status) &&
	       status.status == EVTCHNSTAT_interdomain;
}

void nv_bell_ring(const struct nv_bell *bell)
{
	notify_remote_via_irq(bell->irq);
}

void nv_bell_listen(struct nv_bell *bell)
{
	if (atomic_xchg(&bell->taken, 0))
		xen_irq_lateeoi(bell->irq, 0);
}

#else /* a kernel that does not know Xen */

int nv_bell_start(void)
{
	return -ENODEV;
}

u32 nv_bell_domid(void)
{
	return 0;
}

int nv_bell_open(struct nv_bell *bell, u32 peer, void (*heard)(void *data), void *data)
{
	return -ENODEV;
}

int nv_bell_join(struct nv_bell *bell, u32 peer, u32 port, void (*heard)(void *data), void *data)
{
	return -ENODEV;
}

void nv_bell_close(struct nv_bell *bell)
{
}

bool nv_bell_joined(const struct nv_bell *bell)
{
	return false;
}

void nv_bell_ring(const struct nv_bell *bell)
{
}

void nv_bell_listen(struct nv_bell *bell)
{
}

#endif
