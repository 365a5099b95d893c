/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/fake/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/console.h"

static struct {
	struct {
		uint64_t start, len;
		uint8_t *bytes;
	} ram[FAKE_RAM_MAX];
	size_t ram_count;
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
	for (size_t i = 0; i < machine.ram_count; i++)
		free(machine.ram[i].bytes);
	for (unsigned int i = 0; i < machine.table_count; i++)
		free(machine.tables[i]);
	memset(&machine, 0, sizeof(machine));
	machine.table_limit = FAKE_TABLE_PAGES;
}

void fake_add_ram(hpa_t start, uint64_t len)
{
	size_t i = machine.ram_count++;

	ASSERT(i < FAKE_RAM_MAX && len && !page_offset(start.a | len));
	machine.ram[i].start = start.a;
	machine.ram[i].len = len;
	machine.ram[i].bytes = aligned_alloc(PAGE_SIZE, len);
	ASSERT(machine.ram[i].bytes);
	memset(machine.ram[i].bytes, 0, len);
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
	for (size_t i = 0; i < machine.ram_count; i++) {
		uint64_t offset = hpa.a - machine.ram[i].start;

		if (hpa.a >= machine.ram[i].start && offset <= machine.ram[i].len &&
		    len <= machine.ram[i].len - offset)
			return machine.ram[i].bytes + offset;
	}
	return NULL;
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
