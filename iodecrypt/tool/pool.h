/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that work through a disk, a chunk each at a time. */
#ifndef IODECRYPT_TOOL_POOL_H
#define IODECRYPT_TOOL_POOL_H

#include <pthread.h>

#include "iodecrypt/format.h"
#include "iodecrypt/tool/tool.h"

#define LEAF_BYTES ((uint64_t)DISK_FANOUT * DISK_SECTOR)
#define CHUNK_LEAVES 8u
#define CHUNK_SECTORS (CHUNK_LEAVES * DISK_FANOUT)
#define CHUNK_BYTES ((size_t)CHUNK_SECTORS * DISK_SECTOR)
#define THREADS_MAX 64u

/* What a sector of a chunk is. */
enum have {
	HAVE_NOT, /* never written */
	HAVE_IT,
	HAVE_LOST, /* it does not verify */
};

struct chunk {
	uint64_t ticket;  /* counts those that were taken */
	uint64_t leaf;    /* its first: a multiple of CHUNK_LEAVES */
	uint32_t sectors; /* 0: there are no more */
	bool whole;       /* a source's, without holes */
	uint8_t have[CHUNK_SECTORS];
	_Alignas(16) uint8_t data[CHUNK_BYTES];
	uint8_t node[CHUNK_LEAVES][DISK_NODE];
};

struct pool {
	/* Fills in leaf and sectors of the next chunk, in order; one thread at a time. A status. */
	int (*take)(struct pool *p, struct chunk *c);
	/* Does what there is to do for it. A status; any but 0 ends it all. */
	int (*work)(struct pool *p, struct chunk *c);

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t tickets, turn;
	unsigned int running;
	int status;
};

/* take and work are set. threads: 0 is one for each CPU. A status. */
int pool_run(struct pool *p, unsigned int threads);

/* Within work(): waits until all chunks before have had their turns; false if it all ends. */
bool pool_turn(struct pool *p, const struct chunk *c);
void pool_turned(struct pool *p);

/* Fills in leaf and sectors of the chunk with this sector, of a disk of so many. */
void chunk_at(struct chunk *c, uint64_t sector, uint64_t sectors);
static inline uint64_t chunk_sector(const struct chunk *c)
{
	return c->leaf * DISK_FANOUT;
}
/* The next run of sectors that are `what`, from *first on; its length, or 0. */
uint32_t chunk_run(const struct chunk *c, enum have what, uint32_t *first);

#endif
