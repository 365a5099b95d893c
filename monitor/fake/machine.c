/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/fake/machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "monitor/console.h"
#include "monitor/mem.h"

#define PAGES (FAKE_TOP >> PAGE_SHIFT)

struct piece {
	uint64_t start, len;
	enum owner_kind kind; /* NONE: device registers */
};

static struct {
	struct piece piece[FAKE_PIECES_MAX];
	size_t piece_count;
	struct piece *monitor;
	owner_t *owners;
	uint64_t monitor_used;
	uint64_t *tables[FAKE_TABLE_PAGES];
	unsigned int table_count;
	unsigned int table_limit;
	hpa_t free[FAKE_TABLE_PAGES];
	unsigned int free_count;
} machine = {.table_limit = FAKE_TABLE_PAGES};

_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, what);
	abort();
}

void console_write(const char *text, size_t n)
{
	fwrite(text, 1, n, stderr);
}

void fake_reset(void)
{
	if (machine.owners) {
		munmap(phys_at(HPA(0)), FAKE_TOP);
		munmap(machine.owners, owner_bytes(PAGES));
		owner_init(NULL, 0);
	}
	for (unsigned int i = 0; i < machine.table_count; i++)
		free(machine.tables[i]);
	memset(&machine, 0, sizeof(machine));
	machine.table_limit = FAKE_TABLE_PAGES;
}

uint64_t phys_direct;

/* Address space for all physical memory, of which nothing can be touched yet. */
static void *reserve(size_t len)
{
	void *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT(p != MAP_FAILED);
	return p;
}

/* Zeroed memory at a place that reserve() gave. */
static void back(void *at, size_t len)
{
	void *p = mmap(at, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);

	ASSERT(p == at);
}

static struct piece *add_piece(hpa_t start, uint64_t len, enum owner_kind kind)
{
	size_t i = machine.piece_count++;
	struct piece *p = &machine.piece[i];

	ASSERT(i < FAKE_PIECES_MAX && len && !page_offset(start.a | len));
	ASSERT(start.a + len <= FAKE_TOP);
	*p = (struct piece){start.a, len, kind};
	if (!machine.owners) {
		phys_direct = (uint64_t)reserve(FAKE_TOP);
		machine.owners = reserve(owner_bytes(PAGES));
		back(machine.owners, owner_bytes(PAGES));
		owner_init(machine.owners, PAGES);
	}
	back(phys_at(start), len);
	owner_set(start.a, start.a + len, kind);
	return p;
}

void fake_add_ram(hpa_t start, uint64_t len)
{
	add_piece(start, len, OWNER_HOST);
}

void fake_add_device(hpa_t start, uint64_t len)
{
	add_piece(start, len, OWNER_NONE);
}

void fake_add_monitor(hpa_t start, uint64_t len)
{
	ASSERT(!machine.monitor);
	machine.monitor = add_piece(start, len, OWNER_MONITOR);
}

void *fake_at(hpa_t hpa, size_t len)
{
	ASSERT(owner_all(hpa, len, ~(1u << OWNER_NONE)));
	return phys_at(hpa);
}

void phys_relax(void)
{
	sched_yield();
}

void fake_limit_tables(unsigned int n)
{
	ASSERT(n <= FAKE_TABLE_PAGES - machine.table_count);
	machine.table_limit = machine.table_count + n;
}

int phys_table_alloc(hpa_t *out)
{
	unsigned int i = machine.table_count;

	if (machine.free_count) {
		*out = machine.free[--machine.free_count];
		memset(phys_table(*out), 0, PAGE_SIZE);
		return 0;
	}
	if (i == machine.table_limit)
		return ERR_NOMEM;
	machine.tables[i] = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	ASSERT(machine.tables[i]);
	memset(machine.tables[i], 0, PAGE_SIZE);
	*out = HPA(FAKE_TABLES.a + i * PAGE_SIZE);
	machine.table_count++;
	return 0;
}

void phys_table_free(hpa_t table)
{
	memset(phys_table(table), 0xa5, PAGE_SIZE);
	machine.free[machine.free_count++] = table;
}

uint64_t *phys_table(hpa_t hpa)
{
	uint64_t i = (hpa.a - FAKE_TABLES.a) >> PAGE_SHIFT;

	ASSERT(hpa.a >= FAKE_TABLES.a && !page_offset(hpa.a) && i < machine.table_count);
	return machine.tables[i];
}

/* --- monitor/mem.h --------------------------------------------------------------------------- */

void *mem_at(hpa_t hpa)
{
	return phys_at(hpa);
}

void *mem_pages(size_t n)
{
	void *pages = phys_at(HPA(machine.monitor->start + machine.monitor_used));

	machine.monitor_used += n << PAGE_SHIFT;
	ASSERT(machine.monitor_used <= machine.monitor->len);
	return pages;
}

hpa_t mem_hpa(const void *p)
{
	uint64_t hpa = (uint64_t)p - phys_direct;

	ASSERT(hpa - machine.monitor->start < machine.monitor->len);
	return HPA(hpa);
}

struct range mem_block(void)
{
	if (!machine.monitor)
		return (struct range){0, 0};
	return (struct range){machine.monitor->start,
			      machine.monitor->start + machine.monitor->len};
}

bool mem_is_monitor(hpa_t hpa)
{
	struct range block = mem_block();

	return hpa.a >= block.start && hpa.a < block.end;
}

uint64_t mem_host_bytes(void)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < machine.piece_count; i++)
		if (machine.piece[i].kind == OWNER_HOST)
			sum += machine.piece[i].len;
	return sum;
}

uint64_t mem_top(void)
{
	uint64_t top = 4 * GIB;

	for (size_t i = 0; i < machine.piece_count; i++) {
		const struct piece *p = &machine.piece[i];

		if (p->kind == OWNER_HOST && p->start + p->len > top)
			top = ALIGN_UP(p->start + p->len, GIB);
	}
	return top;
}
