/* SPDX-License-Identifier: Apache-2.0 */
/* What of an image does not verify: collected by many threads, told in the order of the disk. */
#ifndef IODECRYPT_TOOL_DAMAGE_H
#define IODECRYPT_TOOL_DAMAGE_H

#include <pthread.h>

#include "iodecrypt/tool/tool.h"

enum damage_kind {
	DAMAGE_SECTOR, /* does not fit with its tag */
	DAMAGE_PINNED, /* recovery has found it to be neither old nor new */
	DAMAGE_NODE,   /* a node above these sectors does not verify */
};

struct damage_range {
	enum damage_kind kind;
	uint32_t level; /* of the node */
	uint64_t first, count;
};

struct damage {
	pthread_mutex_t lock;
	struct damage_range *range;
	size_t ranges, room;
	uint64_t sectors[3]; /* of each kind */
	uint64_t nodes;
};

void damage_init(struct damage *d);
void damage_free(struct damage *d);
void damage_add(struct damage *d, enum damage_kind kind, uint32_t level, uint64_t first,
		uint64_t count);
/* Says what there is on standard error, and returns the status that it makes. */
int damage_report(struct damage *d);

#endif
