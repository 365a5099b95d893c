// SPDX-License-Identifier: GPL-2.0
/*
 * Bells between two ports of one kernel, in place of switch-channel/linux/bell.c. The parameter `fake_bells`: 0 as without event
 * channels, 1 they ring, 2 they are lost, 3 they are lost, and everybody seems to have joined.
 */
#include <linux/irq_work.h>
#include <linux/module.h>
#include <linux/spinlock.h>

#include "switch-channel/linux/bell.h"

#define BELLS 64
#define DOMID 7

static int fake_bells;
module_param(fake_bells, int, 0644);

static DEFINE_SPINLOCK(lock);
static struct slot {
	struct nv_bell *bell;
	u32 peer;  /* port; 0: nobody has joined */
	bool rung; /* while an event was not answered */
	struct irq_work work;
} slots[BELLS]; /* by port; 0 is none */

int nv_bell_start(void)
{
	return fake_bells ? 0 : -ENODEV;
}

u32 nv_bell_domid(void)
{
	return DOMID;
}

static void deliver(struct irq_work *work)
{
	struct slot *slot = container_of(work, struct slot, work);
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	if (slot->bell)
		slot->bell->heard(slot->bell->data);
	spin_unlock_irqrestore(&lock, flags);
}

int nv_bell_open(struct nv_bell *bell, u32 peer, void (*heard)(void *data), void *data)
{
	int error = -ENOSPC;
	u32 port;

	if (peer != DOMID)
		return -ESRCH;
	spin_lock_irq(&lock);
	for (port = 1; port < BELLS; port++) {
		if (slots[port].bell)
			continue;
		bell->heard = heard;
		bell->data = data;
		bell->port = port;
		atomic_set(&bell->taken, 0);
		slots[port] = (struct slot){.bell = bell, .work = IRQ_WORK_INIT_HARD(deliver)};
		error = 0;
		break;
	}
	spin_unlock_irq(&lock);
	return error;
}

int nv_bell_join(struct nv_bell *bell, u32 peer, u32 port, void (*heard)(void *data), void *data)
{
	int error;

	if (port >= BELLS)
		return -EINVAL;
	error = nv_bell_open(bell, peer, heard, data);
	if (error)
		return error;
	spin_lock_irq(&lock);
	slots[port].peer = bell->port;
	slots[bell->port].peer = port;
	spin_unlock_irq(&lock);
	return 0;
}

void nv_bell_close(struct nv_bell *bell)
{
	u32 port = bell->port;

	if (!port)
		return;
	spin_lock_irq(&lock);
	slots[slots[port].peer].peer = 0;
	slots[port].bell = NULL;
	spin_unlock_irq(&lock);
	irq_work_sync(&slots[port].work);
	bell->port = 0;
}

bool nv_bell_joined(const struct nv_bell *bell)
{
	return bell->port && (slots[bell->port].peer || READ_ONCE(fake_bells) == 3);
}

/* As an event channel that is masked: what comes meanwhile is kept, once. */
static void arrive(struct slot *slot)
{
	if (!slot->bell)
		return;
	slot->rung = atomic_read(&slot->bell->taken);
	if (slot->rung)
		return;
	atomic_set(&slot->bell->taken, 1);
	irq_work_queue(&slot->work);
}

void nv_bell_ring(const struct nv_bell *bell)
{
	unsigned long flags;

	if (READ_ONCE(fake_bells) != 1)
		return;
	spin_lock_irqsave(&lock, flags);
	arrive(&slots[slots[bell->port].peer]);
	spin_unlock_irqrestore(&lock, flags);
}

void nv_bell_listen(struct nv_bell *bell)
{
	struct slot *slot = &slots[bell->port];
	unsigned long flags;

	spin_lock_irqsave(&lock, flags);
	atomic_set(&bell->taken, 0);
	if (slot->rung)
		arrive(slot);
	spin_unlock_irqrestore(&lock, flags);
}
