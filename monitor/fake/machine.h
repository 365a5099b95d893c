/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A software machine's memory, for tests and fuzzers: ordinary processes with a C library. Host RAM
 * is what a test declares; everything else is a hole to phys_host(). Implements ept/phys.h and what
 * runs after boot of monitor/mem.h.
 */
#ifndef MONITOR_FAKE_MACHINE_H
#define MONITOR_FAKE_MACHINE_H

#include "ept/phys.h"

#define FAKE_TOP (64 * GIB)             /* physical addresses are below it */
#define FAKE_PIECES_MAX 16              /* ranges of RAM, device registers, monitor memory */
#define FAKE_TABLES HPA(0x7f0000000000) /* where phys_table_alloc() takes pages from */
#define FAKE_TABLE_PAGES 256

/* Forgets all memory and tables. Pointers into them are dead afterwards. */
void fake_reset(void);

/* Declares [start, start + len) host RAM, zeroed: page aligned, apart from other RAM by a hole. */
void fake_add_ram(hpa_t start, uint64_t len);

/* The same for registers of a device, which keep what is written: mem_at() only. */
void fake_add_device(hpa_t start, uint64_t len);

/* The same for the monitor's block, at most one: mem_at() and mem_pages() only. */
void fake_add_monitor(hpa_t start, uint64_t len);

/* The page that hpa lies in belongs to that kind, and to guest 0 at gpa 0 if to one. */
static inline void fake_give(hpa_t hpa, enum owner_kind kind)
{
	owner_set(ALIGN_DOWN(hpa.a, PAGE_SIZE), ALIGN_DOWN(hpa.a, PAGE_SIZE) + PAGE_SIZE, kind);
}

/* phys_table_alloc() gives n more pages (at most FAKE_TABLE_PAGES in all), then ERR_NOMEM. */
void fake_limit_tables(unsigned int n);

/* For a test's own writes, past all rights: stops the test if the range is not RAM. */
void *fake_at(hpa_t hpa, size_t len);

#endif
