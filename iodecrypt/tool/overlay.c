/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/overlay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE 512u
#define BUCKETS 65536u

struct piece {
	struct piece *next;
	uint64_t offset;
	uint8_t bytes[PIECE];
};

struct overlay {
	struct piece *bucket[BUCKETS];
};

struct overlay *overlay_new(void)
{
	return calloc(1, sizeof(struct overlay));
}

void overlay_free(struct overlay *o)
{
	for (size_t i = 0; o && i < BUCKETS; i++)
		for (struct piece *p = o->bucket[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	free(o);
}

static struct piece *find(const struct overlay *o, uint64_t offset)
{
	struct piece *p = o->bucket[offset / PIECE % BUCKETS];

	while (p && p->offset != offset)
		p = p->next;
	return p;
}

static struct piece *make(struct overlay *o, uint64_t offset)
{
	struct piece **bucket = &o->bucket[offset / PIECE % BUCKETS], *p = malloc(sizeof(*p));

	if (p) {
		p->offset = offset;
		p->next = *bucket;
		*bucket = p;
	}
	return p;
}

int overlay_write(struct overlay *o, const void *buf, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i += PIECE) {
		struct piece *p = find(o, offset + i);

		p = p ? p : make(o, offset + i);
		if (!p) {
			errno = ENOMEM;
			return -1;
		}
		memcpy(p->bytes, (const uint8_t *)buf + i, PIECE);
	}
	return 0;
}

void overlay_read(const struct overlay *o, void *buf, size_t n, uint64_t offset)
{
	for (size_t i = 0; i < n; i += PIECE) {
		const struct piece *p = find(o, offset + i);

		if (p)
			memcpy((uint8_t *)buf + i, p->bytes, PIECE);
	}
}
