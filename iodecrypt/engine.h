/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the files of the engine. How a function resumes: the operation runs again from its beginning,
 * and each step of it finds by the state in struct disk or disk_cmd that it has been done. disk->waiting
 * says that a list of requests is out; the step that made it is the first one that is not yet done.
 */
#ifndef IODECRYPT_ENGINE_H
#define IODECRYPT_ENGINE_H

#include "iodecrypt/disk.h"

/* The stage, in which requests' bytes are while not in a node: how recovery divides it. */
#define STAGE_WINDOW (64u << 10) /* of the journal */
#define STAGE_DATA STAGE_WINDOW  /* then sectors as the device has them */
#define STAGE_SECTORS 120u
#define STAGE_TAGS (DISK_IO_BYTES - DISK_NODE) /* and their tags */
#define STAGE_HEADER STAGE_DATA

enum page_state {
	PAGE_FREE,
	PAGE_CLEAN,
	PAGE_DIRTY,   /* unlike on disk, and so are all above it: they stay until a checkpoint */
	PAGE_LOADING, /* a READ of it is out */
	PAGE_READ,    /* and is done: to be verified before it is used */
	PAGE_TAGS,    /* 256 new tags of a write under way */
};

struct disk_page {
	uint64_t index;
	uint64_t used; /* disk->clock when it was last */
	uint32_t next; /* PAGE_TAGS: page with the following ones */
	uint32_t hint; /* not of this page: where such a node was whose number leads here */
	uint8_t state;
	uint8_t level;
	uint8_t slot; /* in which the node is on disk */
};

/* io.c */
void io_add(struct disk *d, uint8_t op, uint8_t file, uint64_t offset, void *buf, uint32_t bytes);
/* ERR_AGAIN with the list that was made; the next time, how it went: 0 or ERR_IO. */
int io_wait(struct disk *d);

/* cache.c */
static inline uint8_t *page_bytes(const struct disk *d, uint32_t i)
{
	return d->pool + (size_t)i * DISK_NODE;
}

/* The leaf with the tags of sectors leaf * 256 and up, and all nodes above it, in memory. */
int cache_load(struct disk *d, uint64_t leaf, uint8_t **node);
/* Says that a leaf changes that cache_load() has just got. */
void cache_dirty(struct disk *d, uint64_t leaf);
/* Pages for the tags of cmd. */
int cache_take_tags(struct disk *d, struct disk_cmd *cmd);
void cache_give_tags(struct disk *d, struct disk_cmd *cmd);
/* Where the tag of the i-th sector of cmd is; those up to the next multiple of 256 follow it. */
uint8_t *cache_tags(const struct disk *d, const struct disk_cmd *cmd, uint32_t i);

/* checkpoint.c: what is in memory becomes what is on disk. Once begun, to be called until it is done. */
int checkpoint(struct disk *d);

/* journal.c */
uint32_t journal_bytes(uint32_t count);
/* Records of the tags of cmd from cmd->logged on; durable, if told so. */
int journal_write(struct disk *d, struct disk_cmd *cmd, bool sync);
int journal_flushed(struct disk *d);
/* The next record from d->scan.at on: 0, or ERR_NOENT if there is none. Its tags are at *tags. */
int journal_read(struct disk *d, struct disk_record *r, const uint8_t **tags);

/* tree.c: gives n sectors of one leaf their tags, or those that fit with what the data file has. */
int tree_set(struct disk *d, uint64_t lba, uint32_t n, const uint8_t *tags, bool resolve);

/* disk.c */
typedef int disk_step(struct disk *d, struct disk_cmd *cmd);
/* Runs the step for cmd, or resumes it, after the checkpoint that it began. */
int disk_run(struct disk *d, disk_step *step, struct disk_cmd *cmd);
/* err if that is ERR_AGAIN or none; else the disk is dead: ERR_IO. */
int disk_must(struct disk *d, int err);

#endif
