// SPDX-License-Identifier: GPL-2.0
/*
 * A pretended monitor within the kernel, in place of switch-channel/linux/monitor.c: so that two ports of one kernel have a
 * channel. Who accepts knows a channel by another number than who offers, as both are one guest here. Written to the
 * parameter `fake`: `again N` answers the next N calls with EAGAIN; `acceptor` has all acceptors die, `offerer` all offerers; `watch 1`
 * leaves seconds for what happens between this guest's being told to suspend and its being frozen, and says at a reboot whether the
 * next kernel would find a channel; `watch 0` ends that, which must be before the module goes.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/slab.h>
#include <linux/suspend.h>
#include <linux/vmalloc.h>

#include "switch-channel/call.h"
#include "switch-channel/linux/monitor.h"

#define ACCEPTED (1ull << 32) /* in the number that the acceptor knows */

struct fake {
	struct list_head list;
	u64 id, accepted, gpa;
	bool open; /* there is an acceptor */
	bool left; /* the offerer is over, or wants to close */
	u32 reason, pages;
	struct channel_offer offer;
	struct page *page[];
};

static DEFINE_MUTEX(lock);
static LIST_HEAD(all);
static u64 last_id;
static int again;
static unsigned int fake_scans; /* how often somebody has begun to ask for offers */
module_param(fake_scans, uint, 0444);

static const u8 digest[CHANNEL_IDENTITY] = {[0 ... CHANNEL_IDENTITY - 1] = 0x11};
static const u8 tenant[CHANNEL_IDENTITY] = {[0 ... CHANNEL_IDENTITY - 1] = 0x22};

static struct fake *find(u64 id)
{
	struct fake *fake;

	list_for_each_entry(fake, &all, list)
	{
		if (fake->id == (id & ~ACCEPTED))
			return fake;
	}
	return NULL;
}

/* From the first page on, and in no hurry: as the real one. */
static void scrub(struct fake *fake)
{
	u32 i;

	for (i = 0; i < fake->pages; i++) {
		clear_highpage(fake->page[i]);
		udelay(10);
	}
}

/* Whether somebody writes into the last page of a channel that was closed: of one of a service where nobody else does. */
static void look_for_writers(struct fake *fake)
{
	const u64 *last = page_address(fake->page[fake->pages - 1]);

	if (strncmp(fake->offer.service, "witness", 7))
		return;
	msleep(20);
	if (READ_ONCE(*last))
		pr_emerg("FAILED reboot-unmapped: a program has pages of a closed channel\n");
	else
		pr_emerg("ok reboot-unmapped\n");
}

static void forget(struct fake *fake)
{
	list_del(&fake->list);
	kvfree(fake);
}

static s64 offer(struct nv_regs *regs)
{
	const struct channel_offer *in = (const void *)(uintptr_t)regs->rdx;
	struct fake *fake;
	u32 pages = 0, i, j, n = 0;

	if (offset_in_page(in) + sizeof(*in) > PAGE_SIZE)
		return CHANNEL_EFAULT;
	if (!in->extents || in->extents > CHANNEL_EXTENTS_MAX || !in->service[0])
		return CHANNEL_EINVAL;
	for (i = 0; i < in->extents; i++)
		pages += in->extent[i].pages;
	if (!pages || pages > CHANNEL_PAGES_MAX)
		return CHANNEL_EINVAL;
	fake = kvzalloc(struct_size(fake, page, pages), GFP_KERNEL);
	if (!fake)
		return CHANNEL_ENOMEM;
	fake->id = ++last_id;
	fake->offer = *in;
	fake->pages = pages;
	for (i = 0; i < in->extents; i++) {
		for (j = 0; j < in->extent[i].pages; j++)
			fake->page[n++] = pfn_to_page(in->extent[i].gfn + j);
	}
	scrub(fake);
	list_add_tail(&fake->list, &all);
	regs->rbx = fake->id;
	return 0;
}

/* The host is nobody else either. */
static bool is_mine(u32 kind, const u8 *identity)
{
	return kind == CHANNEL_PEER_HOST ||
	       (kind == CHANNEL_PEER_DIGEST && !memcmp(identity, digest, sizeof(digest))) ||
	       (kind == CHANNEL_PEER_TENANT && !memcmp(identity, tenant, sizeof(tenant)));
}

static s64 pending(struct nv_regs *regs)
{
	const u8 *identity = regs->rsi == CHANNEL_PEER_DIGEST ? digest : tenant;
	struct fake *fake;

	if (regs->rsi) {
		if (!find(regs->rdx))
			return CHANNEL_ENOENT;
		memcpy(&regs->r8, identity, 8);
		memcpy(&regs->r9, identity + 8, 8);
		memcpy(&regs->r10, identity + 16, 8);
		memcpy(&regs->r11, identity + 24, 8);
		return 0;
	}
	fake_scans += !regs->rdx;
	list_for_each_entry(fake, &all, list)
	{
		if ((fake->id | ACCEPTED) <= regs->rdx || fake->open || fake->left ||
		    !is_mine(fake->offer.peer, fake->offer.identity))
			continue;
		regs->rbx = fake->id | ACCEPTED;
		memcpy(&regs->r8, fake->offer.service, 8);
		memcpy(&regs->r9, fake->offer.service + 8, 8);
		regs->r10 = fake->pages;
		regs->r11 = 1;
		return 0;
	}
	return CHANNEL_ENOENT;
}

static bool is_free(u64 gpa, u32 pages)
{
	struct fake *fake;

	list_for_each_entry(fake, &all, list)
	{
		if (fake->open && gpa < fake->gpa + ((u64)fake->pages << PAGE_SHIFT) &&
		    fake->gpa < gpa + ((u64)pages << PAGE_SHIFT))
			return false;
	}
	return true;
}

static s64 accept(struct nv_regs *regs)
{
	const struct channel_accept *in = (const void *)(uintptr_t)regs->rdx;
	struct fake *fake = find(in->id);

	if (!fake || fake->open || fake->left || !(in->id & ACCEPTED) ||
	    memcmp(in->service, fake->offer.service, CHANNEL_SERVICE) ||
	    !is_mine(in->peer, in->identity))
		return CHANNEL_ENOENT;
	if (in->gpa % CHANNEL_SLOT || in->gpa < CHANNEL_APERTURE ||
	    in->gpa + ((u64)fake->pages << PAGE_SHIFT) > CHANNEL_APERTURE + CHANNEL_APERTURE_BYTES)
		return CHANNEL_EINVAL;
	if (!is_free(in->gpa, fake->pages))
		return CHANNEL_EBUSY;
	fake->gpa = in->gpa;
	fake->open = true;
	fake->accepted++;
	return 0;
}

/* An offerer's pages stay while the acceptor has them: unlike the real monitor this one cannot take them away. */
static s64 close(struct nv_regs *regs)
{
	struct fake *fake = find(regs->rdx);

	if (!fake)
		return CHANNEL_ENOENT;
	scrub(fake);
	fake->reason = regs->rsi;
	if (regs->rdx & ACCEPTED) {
		if (!fake->open)
			return CHANNEL_ENOENT;
		look_for_writers(fake);
		fake->open = false;
		return 0;
	}
	fake->left = true;
	if (fake->open)
		return CHANNEL_EAGAIN;
	forget(fake);
	return 0;
}

static s64 status(struct nv_regs *regs)
{
	bool accepted = regs->rdx & ACCEPTED;
	struct fake *fake = find(regs->rdx);

	if (!fake || (accepted ? !fake->open : fake->left))
		return CHANNEL_ENOENT;
	regs->rbx = fake->left ? CHANNEL_LEFT : fake->open ? CHANNEL_OPEN : CHANNEL_OFFERED;
	regs->r8 = fake->accepted;
	regs->r9 = fake->open && !fake->left;
	regs->r10 = fake->pages;
	regs->r11 = fake->reason;
	return 0;
}

static s64 answer(struct nv_regs *regs)
{
	if (regs->rax != CHANNEL_MAGIC)
		return CHANNEL_ENOSYS;
	if (regs->rcx != CHANNEL_VERSION && again > 0) {
		again--;
		return CHANNEL_EAGAIN;
	}
	switch (regs->rcx) {
	case CHANNEL_VERSION:
		regs->rbx = CHANNEL_ABI;
		regs->r8 = CHANNEL_APERTURE;
		regs->r9 = CHANNEL_APERTURE_BYTES;
		regs->r10 = 1;
		return 0;
	case CHANNEL_OFFER:
		return offer(regs);
	case CHANNEL_PENDING:
		return pending(regs);
	case CHANNEL_ACCEPT:
		return accept(regs);
	case CHANNEL_CLOSE:
		return close(regs);
	case CHANNEL_STATUS:
		return status(regs);
	default:
		return CHANNEL_ENOSYS;
	}
}

int nv_monitor_call(struct nv_regs *regs)
{
	mutex_lock(&lock);
	regs->rax = answer(regs);
	mutex_unlock(&lock);
	return 0;
}

static struct fake *at(u64 gpa)
{
	struct fake *fake;

	list_for_each_entry(fake, &all, list)
	{
		if (fake->open && gpa - fake->gpa < (u64)fake->pages << PAGE_SHIFT)
			return fake;
	}
	return NULL;
}

void *nv_monitor_map(u64 gpa, u32 pages)
{
	struct fake *fake;
	void *base = NULL;

	mutex_lock(&lock);
	fake = at(gpa);
	if (fake && fake->pages == pages)
		base = vmap(fake->page, pages, VM_MAP, PAGE_KERNEL);
	mutex_unlock(&lock);
	return base;
}

void nv_monitor_unmap(void *base)
{
	vunmap(base);
}

unsigned long nv_monitor_pfn(u64 gpa)
{
	struct fake *fake;
	unsigned long pfn;

	mutex_lock(&lock);
	fake = at(gpa);
	pfn = fake ? page_to_pfn(fake->page[(gpa - fake->gpa) >> PAGE_SHIFT]) : 0;
	mutex_unlock(&lock);
	return pfn;
}

static int on_suspend(struct notifier_block *block, unsigned long event, void *data)
{
	if (event == PM_SUSPEND_PREPARE)
		msleep(3000);
	return NOTIFY_DONE;
}

static int on_reboot(struct notifier_block *block, unsigned long event, void *data)
{
	mutex_lock(&lock);
	if (list_empty(&all))
		pr_emerg("ok reboot-nothing-left\n");
	else
		pr_emerg("FAILED reboot-nothing-left\n");
	mutex_unlock(&lock);
	msleep(1000); /* for programs */
	return NOTIFY_DONE;
}

/* After the driver's. */
static struct notifier_block suspend_block = {.notifier_call = on_suspend, .priority = INT_MIN};
static struct notifier_block reboot_block = {.notifier_call = on_reboot, .priority = INT_MIN};

static int watch(bool on)
{
	if (on)
		return register_pm_notifier(&suspend_block)
			       ?: register_reboot_notifier(&reboot_block);
	return unregister_pm_notifier(&suspend_block) ?: unregister_reboot_notifier(&reboot_block);
}

static int fake_set(const char *value, const struct kernel_param *param)
{
	struct fake *fake;
	int on;

	if (sscanf(value, "watch %d", &on) == 1)
		return watch(on);
	mutex_lock(&lock);
	if (sscanf(value, "again %d", &again) != 1) {
		list_for_each_entry(fake, &all, list)
		{
			scrub(fake);
			if (strstarts(value, "acceptor"))
				fake->open = false;
			else
				fake->left = true;
		}
	}
	mutex_unlock(&lock);
	return 0;
}

static const struct kernel_param_ops fake_ops = {.set = fake_set};
module_param_cb(fake, &fake_ops, NULL, 0200);
