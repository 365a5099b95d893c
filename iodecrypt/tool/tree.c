/* SPDX-License-Identifier: Apache-2.0 */
#include "iodecrypt/tool/tree.h"

#include <string.h>
#include <sys/mman.h>

#include "iodecrypt/tool/tool.h"

/* Memory that is zero takes none. */
static int make_level(struct tree *t, uint32_t level, uint64_t nodes)
{
	void *at;

	t->nodes[level] = nodes;
	t->bytes[level] = nodes * DISK_TAG_BYTES;
	at = mmap(NULL, t->bytes[level], PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return fail(STATUS_ERROR, "out of memory");
	t->entries[level] = at;
	return STATUS_OK;
}

int tree_make(struct tree *t, uint64_t sectors)
{
	uint64_t nodes = sectors;
	int status = STATUS_OK;

	*t = (struct tree){.levels = format_levels(sectors)};
	for (uint32_t level = 0; level < t->levels && !status; level++) {
		nodes = (nodes + DISK_FANOUT - 1) / DISK_FANOUT;
		status = make_level(t, level, nodes);
	}
	return status;
}

void tree_free(struct tree *t)
{
	for (uint32_t level = 0; level < DISK_LEVELS_MAX; level++)
		if (t->entries[level])
			munmap(t->entries[level], t->bytes[level]);
	*t = (struct tree){0};
}

void tree_node(const struct tree *t, uint32_t level, uint64_t index, uint8_t node[DISK_NODE])
{
	uint64_t first = index * DISK_FANOUT, n = t->nodes[level] - first;

	n = n < DISK_FANOUT ? n : DISK_FANOUT;
	memset(node, 0, DISK_NODE);
	memcpy(node, t->entries[level] + first, n * DISK_TAG_BYTES);
}
