/* SPDX-License-Identifier: Apache-2.0 */
/* An RSDP, a root and tables in the boot tests' memory. */
#ifndef TESTS_UNIT_TEST_BOOT_TABLES_H
#define TESTS_UNIT_TEST_BOOT_TABLES_H

#include "tests/unit/test_boot_ram.h"

#define TABLES_RSDP 0xe0000u /* where the search begins */
#define TABLES_ROOT 0x3e00000u
#define TABLE_HEADER 36u

static inline void table_seal(uint64_t at, uint32_t len)
{
	uint8_t sum = 0;

	ram_put32(at + 4, len);
	ram[at + 9] = 0;
	for (uint32_t i = 0; i < len; i++)
		sum += ram[at + i];
	ram[at + 9] = (uint8_t)-sum;
}

/* A table of len bytes, header included, of which body is what follows that. */
static inline void table_put(uint64_t at, const char *signature, const void *body, uint32_t len)
{
	memset(&ram[at], 0, TABLE_HEADER);
	ram_put(at, signature, 4);
	ram_put(at + TABLE_HEADER, body, len - TABLE_HEADER);
	table_seal(at, len);
}

/* Version 1's, with a root that lists one table. */
static inline void tables_root(uint32_t table)
{
	uint8_t sum = 0;

	memset(&ram[TABLES_RSDP], 0, 20);
	ram_put(TABLES_RSDP, "RSD PTR ", 8);
	ram_put32(TABLES_RSDP + 16, TABLES_ROOT);
	for (uint64_t i = 0; i < 20; i++)
		sum += ram[TABLES_RSDP + i];
	ram[TABLES_RSDP + 8] = (uint8_t)-sum;
	table_put(TABLES_ROOT, "RSDT", &table, TABLE_HEADER + sizeof(table));
}

#endif
