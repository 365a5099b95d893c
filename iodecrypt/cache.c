/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a disk: nodes of its tree, verified, the least recently used given up first; and new tags. */
#include "iodecrypt/engine.h"

#define NO_PAGE UINT32_MAX

static bool has(const struct disk_page *p, uint32_t level, uint64_t index)
{
	return p->index == index && p->level == level && p->state >= PAGE_CLEAN &&
	       p->state <= PAGE_READ;
}

/* Where the node was last is looked at before all pages are. */
static uint32_t find(struct disk *d, uint32_t level, uint64_t index)
{
	uint32_t *hint = &d->page[(index + level * 0x9e3779b1u) % d->pages].hint;

	if (has(&d->page[*hint], level, index))
		return *hint;
	for (uint32_t i = 0; i < d->pages; i++) {
		if (has(&d->page[i], level, index)) {
			*hint = i;
			return i;
		}
	}
	return NO_PAGE;
}

/* A page that is free, or was used before this call of cache_load(): not of the path that it is loading. */
static uint32_t spare(const struct disk *d)
{
	uint64_t oldest = d->clock;
	uint32_t page = NO_PAGE;

	if (d->page[d->freed].state == PAGE_FREE)
		return d->freed;
	for (uint32_t i = 0; i < d->pages; i++) {
		const struct disk_page *p = &d->page[i];

		if (p->state == PAGE_FREE)
			return i;
		if ((p->state == PAGE_CLEAN || p->state == PAGE_READ) && p->used < oldest) {
			page = i;
			oldest = p->used;
		}
	}
	return page;
}

static int take(struct disk *d, uint32_t *page)
{
	*page = spare(d);
	if (*page != NO_PAGE)
		return 0;
	return d->dirty ? checkpoint(d) : ERR_NOMEM;
}

static bool verifies(struct disk *d, uint32_t page, const uint8_t *entry)
{
	const struct disk_page *p = &d->page[page];
	uint8_t actual[DISK_TAG_BYTES];

	format_entry(&d->node_key, page_bytes(d, page), p->level, p->index, p->slot, actual);
	if (format_same(actual, entry))
		return true;
	d->stats.bad_nodes++;
	return false;
}

/* entry is the parent's. A subtree never written is not on disk. */
static void fetch(struct disk *d, uint32_t page, uint32_t level, uint64_t index,
		  const uint8_t *entry)
{
	struct disk_page *p = &d->page[page];

	p->index = index;
	p->used = d->clock;
	p->level = (uint8_t)level;
	p->slot = 1;
	p->state = PAGE_CLEAN;
	if (format_same(entry, format_never)) {
		__builtin_memset(page_bytes(d, page), 0, DISK_NODE);
		return;
	}
	p->state = PAGE_LOADING;
	p->slot = entry[0] & 1;
	d->stats.node_misses++;
	io_add(d, DISK_READ, DISK_SIDECAR, format_node_offset(&d->header, level, index, p->slot),
	       page_bytes(d, page), DISK_NODE);
}

/*
 * With a leaf that has to be read, those after it that the command needs, by the same list of requests, as far as they
 * have its parent, and pages are to spare.
 */
static void fetch_ahead(struct disk *d, uint64_t leaf, const uint8_t *entry)
{
	uint64_t last = d->cmd ? (d->cmd->lba + d->cmd->count - 1) / DISK_FANOUT : leaf;
	uint32_t page;

	while (leaf++ < last && leaf % DISK_FANOUT && d->ios < DISK_IO_BYTES / DISK_NODE) {
		entry += DISK_TAG_BYTES;
		if (format_same(entry, format_never) || find(d, 0, leaf) != NO_PAGE)
			continue;
		page = spare(d);
		if (page == NO_PAGE)
			return;
		fetch(d, page, 0, leaf, entry);
	}
}

/* After the list of requests: what it brought has to be verified yet, each node when it is needed. */
static void loaded(struct disk *d, int err)
{
	for (uint32_t i = 0; i < d->pages; i++)
		if (d->page[i].state == PAGE_LOADING)
			d->page[i].state = err ? PAGE_FREE : PAGE_READ;
}

/* entry is needed only if the node is not here. */
static int load(struct disk *d, uint32_t level, uint64_t index, const uint8_t *entry,
		uint32_t *page)
{
	struct disk_page *p;
	int err;

	*page = find(d, level, index);
	if (*page == NO_PAGE) {
		err = take(d, page);
		if (err)
			return err;
		fetch(d, *page, level, index, entry);
		if (!level && d->ios)
			fetch_ahead(d, index, entry);
	}
	p = &d->page[*page];
	p->used = d->clock;
	if (p->state == PAGE_LOADING) {
		err = io_wait(d);
		if (err == ERR_AGAIN)
			return err;
		loaded(d, err);
		if (err)
			return err;
	}
	if (p->state != PAGE_READ)
		return 0;
	err = verifies(d, *page, entry) ? 0 : ERR_IO;
	p->state = err ? PAGE_FREE : PAGE_CLEAN;
	return err;
}

int cache_load(struct disk *d, uint64_t leaf, uint8_t **node)
{
	uint32_t level = d->levels - 1, page;
	const uint8_t *entry = d->root;
	int err;

	d->clock++;
	for (;; level--) {
		err = load(d, level, leaf >> 8 * level, entry, &page);
		if (err)
			return err;
		*node = page_bytes(d, page);
		if (!level)
			return 0;
		entry = *node + DISK_TAG_BYTES * (leaf >> 8 * (level - 1) & (DISK_FANOUT - 1));
	}
}

void cache_dirty(struct disk *d, uint64_t leaf)
{
	for (uint32_t level = 0; level < d->levels; level++) {
		struct disk_page *p = &d->page[find(d, level, leaf >> 8 * level)];

		if (p->state == PAGE_CLEAN)
			d->dirty++;
		p->state = PAGE_DIRTY;
	}
}

/* Room for two paths stays, lest a write that was started could not end. */
int cache_take_tags(struct disk *d, struct disk_cmd *cmd)
{
	uint32_t need = (cmd->count + DISK_FANOUT - 1) / DISK_FANOUT, page;
	int err;

	if (d->tag_pages - cmd->tag_pages + need > d->pages - 2 * d->levels)
		return d->in_flight ? ERR_BUSY : ERR_NOMEM;
	d->clock++;
	while (cmd->tag_pages < need) {
		err = take(d, &page);
		if (err)
			return err;
		d->page[page].state = PAGE_TAGS;
		d->page[page].next = cmd->tags;
		cmd->tags = page;
		cmd->tag_pages++;
		d->tag_pages++;
	}
	return 0;
}

void cache_give_tags(struct disk *d, struct disk_cmd *cmd)
{
	for (; cmd->tag_pages; cmd->tag_pages--, d->tag_pages--) {
		struct disk_page *p = &d->page[cmd->tags];

		d->freed = cmd->tags;
		cmd->tags = p->next;
		p->state = PAGE_FREE;
	}
}

uint8_t *cache_tags(const struct disk *d, const struct disk_cmd *cmd, uint32_t i)
{
	uint32_t page = cmd->tags;

	for (uint32_t n = i / DISK_FANOUT; n; n--)
		page = d->page[page].next;
	return page_bytes(d, page) + DISK_TAG_BYTES * (i % DISK_FANOUT);
}
