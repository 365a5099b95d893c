/* SPDX-License-Identifier: Apache-2.0 */
/* A whole tree of tags in memory, but for its leaves: 1/8192 of what has been written to the disk. */
#ifndef IODECRYPT_TOOL_TREE_H
#define IODECRYPT_TOOL_TREE_H

#include "iodecrypt/format.h"

struct tree {
	uint32_t levels;
	uint64_t nodes[DISK_LEVELS_MAX];                     /* of each level */
	uint8_t (*entries[DISK_LEVELS_MAX])[DISK_TAG_BYTES]; /* what stands for each; zeros first */
	size_t bytes[DISK_LEVELS_MAX];
};

/* A status. */
int tree_make(struct tree *t, uint64_t sectors);
void tree_free(struct tree *t);

/* The node of entries [index * 256, ...) of a level, as it is one level up. */
void tree_node(const struct tree *t, uint32_t level, uint64_t index, uint8_t node[DISK_NODE]);

#endif
