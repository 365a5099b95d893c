/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a disk: nodes of its tree, verified, the least recently used given up first; and new tags. */
#include "iodecrypt/engine.h"

#define NO_PAGE UINT32_MAX

static uint32_t find(const struct disk *d, uint32_t level, uint64_t index)
{
	for (uint32_t i = 0; i < d->pages; i++) {
		const struct disk_page *p = &d->page[i];

		if (p->index == index && p->level == level && p->state >= PAGE_CLEAN &&
		    p->state <= PAGE_LOADING)
			return i;
	}
	return NO_PAGE;
}

/* A page that is free, or was used before this call of cache_load(): not of the path that it is loading. */
static int take(struct disk *d, uint32_t *page)
{
	uint64_t oldest = d->clock;

	*page = NO_PAGE;
	for (uint32_t i = 0; i < d->pages; i++) {
		const struct disk_page *p = &d->page[i];

		if (p->state == PAGE_FREE || (p->state == PAGE_CLEAN && p->used < oldest)) {
			*page = i;
			oldest = p->state == PAGE_FREE ? 0 : p->used;
		}
	}
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

/* entry is the parent's; needed only if the node is not here. A subtree never written is not on disk. */
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
		p = &d->page[*page];
		*p = (struct disk_page){index, d->clock, 0, PAGE_CLEAN, level, 1};
		__builtin_memset(page_bytes(d, *page), 0, DISK_NODE);
		if (!format_same(entry, format_never)) {
			p->state = PAGE_LOADING;
			p->slot = entry[0] & 1;
			d->stats.node_misses++;
			io_add(d, DISK_READ, DISK_SIDECAR,
			       format_node_offset(&d->header, level, index, p->slot),
			       page_bytes(d, *page), DISK_NODE);
		}
	}
	p = &d->page[*page];
	p->used = d->clock;
	if (p->state != PAGE_LOADING)
		return 0;
	err = io_wait(d);
	if (err == ERR_AGAIN)
		return err;
	if (!err && !verifies(d, *page, entry))
		err = ERR_IO;
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
		d->page[page] = (struct disk_page){.state = PAGE_TAGS, .next = cmd->tags};
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
