/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/fake/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"
#include "monitor/mem.h"

enum kind { HOST_RAM, DEVICE, MONITOR };

struct piece {
	uint64_t start, len;
	uint8_t *bytes;
	enum kind kind;
};

static struct {
	struct piece piece[FAKE_PIECES_MAX];
	size_t piece_count;
	struct piece *monitor;
	uint64_t monitor_used;
	uint64_t *tables[FAKE_TABLE_PAGES];
	unsigned int table_count;
	unsigned int table_limit;
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
	for (size_t i = 0; i < machine.piece_count; i++)
		free(machine.piece[i].bytes);
	for (unsigned int i = 0; i < machine.table_count; i++)
		free(machine.tables[i]);
	memset(&machine, 0, sizeof(machine));
	machine.table_limit = FAKE_TABLE_PAGES;
}

static struct piece *add_piece(hpa_t start, uint64_t len, enum kind kind)
{
	size_t i = machine.piece_count++;
	struct piece *p = &machine.piece[i];

	ASSERT(i < FAKE_PIECES_MAX && len && !page_offset(start.a | len));
	*p = (struct piece){start.a, len, aligned_alloc(PAGE_SIZE, len), kind};
	ASSERT(p->bytes);
	memset(p->bytes, 0, len);
	return p;
}

void fake_add_ram(hpa_t start, uint64_t len)
{
	add_piece(start, len, HOST_RAM);
}

void fake_add_device(hpa_t start, uint64_t len)
{
	add_piece(start, len, DEVICE);
}

void fake_add_monitor(hpa_t start, uint64_t len)
{
	ASSERT(!machine.monitor);
	machine.monitor = add_piece(start, len, MONITOR);
}

static struct piece *find_piece(hpa_t hpa, size_t len)
{
	for (size_t i = 0; i < machine.piece_count; i++) {
		struct piece *p = &machine.piece[i];
		uint64_t offset = hpa.a - p->start;

		if (hpa.a >= p->start && offset <= p->len && len <= p->len - offset)
			return p;
	}
	return NULL;
}

void *fake_at(hpa_t hpa, size_t len)
{
	void *p = phys_host(hpa, len);

	ASSERT(p);
	return p;
}

/* Empty: every access takes the general way. */
struct phys_piece phys_pieces[2];

void *phys_host_other(hpa_t hpa, size_t len)
{
	struct piece *p = find_piece(hpa, len);

	return p && p->kind == HOST_RAM ? p->bytes + (hpa.a - p->start) : NULL;
}

void fake_limit_tables(unsigned int n)
{
	ASSERT(n <= FAKE_TABLE_PAGES - machine.table_count);
	machine.table_limit = machine.table_count + n;
}

int phys_table_alloc(hpa_t *out)
{
	unsigned int i = machine.table_count;

	if (i == machine.table_limit)
		return ERR_NOMEM;
	machine.tables[i] = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
	ASSERT(machine.tables[i]);
	memset(machine.tables[i], 0, PAGE_SIZE);
	*out = HPA(FAKE_TABLES.a + i * PAGE_SIZE);
	machine.table_count++;
	return 0;
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
	struct piece *p = find_piece(hpa, 1);

	ASSERT(p);
	return p->bytes + (hpa.a - p->start);
}

void *mem_pages(size_t n)
{
	uint8_t *pages = machine.monitor->bytes + machine.monitor_used;

	machine.monitor_used += n << PAGE_SHIFT;
	ASSERT(machine.monitor_used <= machine.monitor->len);
	return pages;
}

hpa_t mem_hpa(const void *p)
{
	uint64_t offset = (uint64_t)((const uint8_t *)p - machine.monitor->bytes);

	ASSERT(offset < machine.monitor->len);
	return HPA(machine.monitor->start + offset);
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
		if (machine.piece[i].kind == HOST_RAM)
			sum += machine.piece[i].len;
	return sum;
}

uint64_t mem_top(void)
{
	uint64_t top = 4 * GIB;

	for (size_t i = 0; i < machine.piece_count; i++) {
		const struct piece *p = &machine.piece[i];

		if (p->kind == HOST_RAM && p->start + p->len > top)
			top = ALIGN_UP(p->start + p->len, GIB);
	}
	return top;
}
