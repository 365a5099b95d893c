/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to the tree. */
#include "iodecrypt/engine.h"

/*
 * The tag that fits with what the data file has: the new one, or the old one, or none. A sector never written
 * stays so, since nobody relies on its bytes. R27: what this says is pinned by the next checkpoint.
 */
static void settle(uint8_t *tag, const uint8_t *new, const uint8_t *actual)
{
	if (format_same(actual, new))
		__builtin_memcpy(tag, new, DISK_TAG_BYTES);
	else if (!format_same(actual, tag) && !format_same(tag, format_never))
		__builtin_memcpy(tag, format_bad, DISK_TAG_BYTES);
}

int tree_set(struct disk *d, uint64_t lba, uint32_t n, const uint8_t *tags, bool resolve)
{
	uint8_t(*actual)[DISK_TAG_BYTES] = (void *)(d->stage + STAGE_TAGS), *leaf;
	int err = cache_load(d, lba / DISK_FANOUT, &leaf);

	if (err)
		return err;
	leaf += DISK_TAG_BYTES * (lba % DISK_FANOUT);
	if (!resolve) {
		__builtin_memcpy(leaf, tags, DISK_TAG_BYTES * n);
		cache_dirty(d, lba / DISK_FANOUT);
		return 0;
	}
	if (!d->waiting)
		io_add(d, DISK_READ, DISK_DATA, lba * DISK_SECTOR, d->stage + STAGE_DATA,
		       n * DISK_SECTOR);
	err = io_wait(d);
	if (err)
		return err;
	format_tags(&d->sector_key, lba, d->stage + STAGE_DATA, n, actual);
	for (uint32_t i = 0; i < n; i++)
		settle(leaf + DISK_TAG_BYTES * i, tags + DISK_TAG_BYTES * i, actual[i]);
	cache_dirty(d, lba / DISK_FANOUT);
	return 0;
}
