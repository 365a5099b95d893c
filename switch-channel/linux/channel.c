// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "switch-channel/linux/call.h"
#include "switch-channel/linux/channel.h"
#include "switch-channel/linux/monitor.h"

#define SLOTS (CHANNEL_APERTURE_BYTES / CHANNEL_SLOT)
#define ORDER_MAX 9 /* 2 MiB: as many pages as a slot has */
#define HOST_LOOKS_MS 1000

static struct {
	struct mutex lock; /* for used */
	u64 start;
	u32 slots; /* 0: this guest cannot accept */
	bool reserved;
	DECLARE_BITMAP(used, SLOTS);
} aperture = {.lock = __MUTEX_INITIALIZER(aperture.lock)};

int nv_channel_start(void)
{
	struct nv_version version;
	int error = nv_call_version(&version);

	if (error)
		return error;
	aperture.start = version.aperture;
	aperture.slots = min_t(u64, version.bytes / CHANNEL_SLOT, SLOTS);
	if (!aperture.slots)
		return 0;
	/* So that nothing else of this kernel's is put there. */
	if (!request_mem_region(aperture.start, (u64)aperture.slots * CHANNEL_SLOT,
				"nether-channel")) {
		pr_warn("nether-vif: the aperture at %llx is in use: no channel can be accepted\n",
			aperture.start);
		aperture.slots = 0;
		return 0;
	}
	aperture.reserved = true;
	return 0;
}

void nv_channel_stop(void)
{
	if (aperture.reserved)
		release_mem_region(aperture.start, (u64)aperture.slots * CHANNEL_SLOT);
	aperture.reserved = false;
	aperture.slots = 0;
}

bool nv_channel_accepts(void)
{
	return aperture.slots != 0;
}

/* --- an offer's memory: few pieces, none of them larger than it helps ------------------------------- */

static void free_extents(struct nv_channel *channel)
{
	while (channel->extents) {
		struct nv_extent *extent = &channel->extent[--channel->extents];

		__free_pages(extent->first, extent->order);
	}
}

static int take_extents(struct nv_channel *channel, u32 pages)
{
	unsigned int order = ORDER_MAX;
	u32 left = pages;

	channel->extents = 0;
	while (left) {
		struct page *first;

		order = min_t(unsigned int, order, ilog2(left));
		if (channel->extents == CHANNEL_EXTENTS_MAX)
			goto none;
		/* Zeroed here, too: the monitor has not seen them before the offer. */
		first = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN |
					    (order ? __GFP_NORETRY : 0),
				    order);
		if (first) {
			channel->extent[channel->extents++] = (struct nv_extent){first, order};
			left -= 1u << order;
		} else if (order--) {
			continue;
		} else {
			goto none;
		}
	}
	return 0;
none:
	free_extents(channel);
	return -ENOMEM;
}

static struct page *page_at(const struct nv_channel *channel, u32 index)
{
	const struct nv_extent *extent = channel->extent;

	while (index >= 1u << extent->order)
		index -= 1u << extent++->order;
	return pfn_to_page(page_to_pfn(extent->first) + index);
}

static void *map_extents(const struct nv_channel *channel)
{
	struct page **list = kvmalloc_array(channel->pages, sizeof(*list), GFP_KERNEL);
	void *base;
	u32 i;

	if (!list)
		return NULL;
	for (i = 0; i < channel->pages; i++)
		list[i] = page_at(channel, i);
	base = vmap(list, channel->pages, VM_MAP, PAGE_KERNEL);
	kvfree(list);
	return base;
}

static int make_offer(struct nv_channel *channel, const u8 *service, const struct nv_identity *peer)
{
	/* A page of its own, as it must not cross one. */
	struct channel_offer *offer = (void *)get_zeroed_page(GFP_KERNEL);
	int error;
	u32 i;

	BUILD_BUG_ON(sizeof(*offer) > PAGE_SIZE);
	if (!offer)
		return -ENOMEM;
	memcpy(offer->service, service, CHANNEL_SERVICE);
	offer->peer = peer->kind;
	memcpy(offer->identity, peer->bytes, CHANNEL_IDENTITY);
	offer->extents = channel->extents;
	for (i = 0; i < channel->extents; i++) {
		offer->extent[i].gfn = page_to_pfn(channel->extent[i].first);
		offer->extent[i].pages = 1u << channel->extent[i].order;
	}
	error = nv_call_offer(offer, &channel->id);
	free_page((unsigned long)offer);
	return error;
}

int nv_channel_offer(struct nv_channel *channel, const u8 service[CHANNEL_SERVICE],
		     const struct nv_identity *peer, u32 pages)
{
	int error;

	memset(channel, 0, sizeof(*channel));
	if (!pages || pages > CHANNEL_PAGES_MAX)
		return -EINVAL;
	channel->offered = true;
	channel->pages = pages;
	error = take_extents(channel, pages);
	if (error)
		return error;
	channel->base = map_extents(channel);
	if (!channel->base) {
		free_extents(channel);
		return -ENOMEM;
	}
	error = make_offer(channel, service, peer);
	if (error) {
		channel->id = 0;
		vunmap(channel->base);
		free_extents(channel);
	}
	return error;
}

/* --- an accepted channel's place ---------------------------------------------------------------------- */

static u32 slots_of(u32 pages)
{
	return DIV_ROUND_UP(pages, CHANNEL_SLOT >> PAGE_SHIFT);
}

static int take_slots(struct nv_channel *channel)
{
	u32 n = slots_of(channel->pages);
	unsigned long at;

	mutex_lock(&aperture.lock);
	at = bitmap_find_next_zero_area(aperture.used, aperture.slots, 0, n, 0);
	if (at < aperture.slots)
		bitmap_set(aperture.used, at, n);
	mutex_unlock(&aperture.lock);
	if (at >= aperture.slots)
		return -EBUSY;
	channel->gpa = aperture.start + at * CHANNEL_SLOT;
	return 0;
}

static void free_slots(struct nv_channel *channel)
{
	mutex_lock(&aperture.lock);
	bitmap_clear(aperture.used, (channel->gpa - aperture.start) / CHANNEL_SLOT,
		     slots_of(channel->pages));
	mutex_unlock(&aperture.lock);
}

static int ask_for(struct nv_channel *channel, u64 id, const u8 *service,
		   const struct nv_identity *offerer)
{
	struct channel_accept *accept = (void *)get_zeroed_page(GFP_KERNEL);
	int error;

	if (!accept)
		return -ENOMEM;
	accept->id = id;
	memcpy(accept->service, service, CHANNEL_SERVICE);
	accept->peer = offerer->kind;
	memcpy(accept->identity, offerer->bytes, CHANNEL_IDENTITY);
	accept->gpa = channel->gpa;
	error = nv_call_accept(accept);
	free_page((unsigned long)accept);
	if (!error)
		channel->id = id;
	return error;
}

int nv_channel_accept(struct nv_channel *channel, u64 id, const u8 service[CHANNEL_SERVICE],
		      const struct nv_identity *offerer, u32 pages)
{
	int error;

	memset(channel, 0, sizeof(*channel));
	if (!pages || pages > CHANNEL_PAGES_MAX)
		return -EINVAL;
	channel->pages = pages;
	error = take_slots(channel);
	if (error)
		return error;
	error = ask_for(channel, id, service, offerer);
	if (error) {
		free_slots(channel);
		return error;
	}
	channel->base = nv_monitor_map(channel->gpa, pages);
	if (!channel->base) {
		nv_channel_close(channel, CHANNEL_REASON_CLOSED);
		return -ENOMEM;
	}
	return 0;
}

/* Those that the monitor has not closed: no more than it lets a guest have. */
static struct {
	struct mutex lock;
	u32 n;
	u64 id[CHANNEL_OFFERS_MAX + CHANNEL_ACCEPTS_MAX];
} lost = {.lock = __MUTEX_INITIALIZER(lost.lock)};

static void remember_lost(u64 id)
{
	mutex_lock(&lost.lock);
	if (lost.n < ARRAY_SIZE(lost.id))
		lost.id[lost.n++] = id;
	mutex_unlock(&lost.lock);
}

void nv_channel_close_lost(void)
{
	mutex_lock(&lost.lock);
	while (lost.n) {
		while (nv_call_close(lost.id[lost.n - 1], CHANNEL_REASON_CLOSED) == -EAGAIN)
			pr_err("nether-vif: channel %llu is not closed: not without it\n",
			       lost.id[lost.n - 1]);
		lost.n--;
	}
	mutex_unlock(&lost.lock);
}

static bool host_has(const struct nv_channel *channel)
{
	struct nv_status status;

	return channel->offered && !nv_call_status(channel->id, &status) &&
	       status.state == CHANNEL_OPEN && status.peer == CHANNEL_HOST;
}

void nv_channel_close(struct nv_channel *channel, u32 reason)
{
	bool shown;
	int error;

	if (!channel->id)
		return;
	shown = host_has(channel);
	if (!channel->offered && channel->base)
		nv_monitor_unmap(channel->base);
	error = nv_call_close(channel->id, reason);
	if (channel->offered)
		vunmap(channel->base);
	if (error && error != -ENOENT) {
		pr_err("nether-vif: channel %llu is not closed (error %d): its pages are lost\n",
		       channel->id, error);
		remember_lost(channel->id);
	} else if (channel->offered) {
		/* The host's program writes to what it has mapped until it looks, every NRING_HEARTBEAT_MS; by then that must not be a disk's. */
		if (shown)
			msleep(HOST_LOOKS_MS);
		free_extents(channel);
	} else {
		free_slots(channel);
	}
	channel->base = NULL;
	channel->id = 0;
}

unsigned long nv_channel_pfn(const struct nv_channel *channel, u32 index)
{
	if (channel->offered)
		return page_to_pfn(page_at(channel, index));
	return nv_monitor_pfn(channel->gpa + ((u64)index << PAGE_SHIFT));
}
