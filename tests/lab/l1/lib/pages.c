/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/pages.h"

#include "lib/mem.h"
#include "lib/test.h"

#define POOL_SIZE (80 * MIB)

static uint8_t pool[POOL_SIZE] __attribute__((section(".pool,\"aw\",@nobits#"), aligned(4096)));
static size_t used;

void *pages_alloc(size_t n, size_t align)
{
	size_t start = ALIGN_UP((uint64_t)pool + used, align) - (uint64_t)pool;

	if (start + n * PAGE_SIZE > POOL_SIZE)
		test_end("out of pages");
	used = start + n * PAGE_SIZE;
	memset(pool + start, 0, n * PAGE_SIZE);
	return pool + start;
}

void *page_alloc(void)
{
	return pages_alloc(1, PAGE_SIZE);
}

size_t pages_mark(void)
{
	return used;
}

void pages_release(size_t mark)
{
	used = mark;
}

void pages_range(uint64_t *start, uint64_t *end)
{
	*start = (uint64_t)pool;
	*end = (uint64_t)pool + POOL_SIZE;
}
