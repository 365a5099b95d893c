/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for the tests and fuzzers of monitor/boot: RAM_BYTES from address 0, seen by boot_mem(). */
#ifndef TESTS_UNIT_TEST_BOOT_RAM_H
#define TESTS_UNIT_TEST_BOOT_RAM_H

#include <stdlib.h>
#include <string.h>

#include "monitor/boot/boot.h"

#define RAM_BYTES (64 * MIB)
#define RAM_COPIES_MAX 100000

static uint8_t ram[RAM_BYTES] __attribute__((aligned(4096)));

static struct {
	struct range visible; /* what boot_mem() lets through */
	/*
	 * For code that only reads: boot_mem() returns copies of exactly the size that was asked
	 * for, so that the address sanitizer sees a read past it.
	 */
	bool exact;
	unsigned int copies;
	void *copy[RAM_COPIES_MAX];
} ram_state;

void *boot_mem(hpa_t hpa, size_t len)
{
	struct range r = {hpa.a, hpa.a + len};
	void *copy;

	if (r.end < r.start || r.start < ram_state.visible.start || r.end > ram_state.visible.end)
		return NULL;
	if (!ram_state.exact || !len)
		return &ram[hpa.a];
	copy = malloc(len);
	if (!copy || ram_state.copies == RAM_COPIES_MAX)
		abort();
	memcpy(copy, &ram[hpa.a], len);
	ram_state.copy[ram_state.copies++] = copy;
	return copy;
}

static inline void ram_reset(struct range visible, bool exact)
{
	while (ram_state.copies)
		free(ram_state.copy[--ram_state.copies]);
	ram_state.visible = visible;
	ram_state.exact = exact;
}

static inline void ram_all(bool exact)
{
	ram_reset((struct range){0, RAM_BYTES}, exact);
}

static inline void ram_put(uint64_t at, const void *data, size_t len)
{
	memcpy(&ram[at], data, len);
}

static inline void ram_put32(uint64_t at, uint32_t value)
{
	ram_put(at, &value, sizeof(value));
}

static inline void ram_put_string(uint64_t at, const char *text)
{
	ram_put(at, text, strlen(text) + 1);
}

/* Is the map what memmap.h promises: sorted, disjoint, without empty or mergeable regions? */
static inline bool memmap_is_sound(const struct memmap *map)
{
	if (map->count > MEMMAP_MAX)
		return false;
	for (unsigned int i = 0; i < map->count; i++) {
		const struct region *r = &map->region[i];

		if (r->start >= r->end)
			return false;
		if (i + 1 < map->count &&
		    (r->end > r[1].start || (r->end == r[1].start && r->type == r[1].type)))
			return false;
	}
	return true;
}

/* Does a successful boot_parse() leave what boot.h promises? */
static inline bool boot_info_is_sound(const struct boot_info *info)
{
	if (!memmap_is_sound(&info->map) || !info->map.count)
		return false;
	if (info->module_count > BOOT_MODULES_MAX || info->strings_len > BOOT_STRINGS_MAX)
		return false;
	if (info->strings[0] || info->strings[info->strings_len - 1])
		return false;
	if (info->cmdline >= info->strings_len || info->loader >= info->strings_len)
		return false;
	for (unsigned int i = 0; i < info->module_count; i++)
		if (info->module[i].at.start > info->module[i].at.end ||
		    info->module[i].at.end > UINT32_MAX ||
		    info->module[i].cmdline >= info->strings_len)
			return false;
	return info->rsdp_len == 0 || info->rsdp_len == 20 || info->rsdp_len == 36;
}

#endif
