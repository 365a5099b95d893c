/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's own memory: one contiguous block at the top of RAM below 4 GiB, holding the image,
 * the stacks, the tables and the pools, and an address space of its own in which all of physical
 * memory is visible. Handed out at boot, never given back.
 */
#ifndef MONITOR_MEM_H
#define MONITOR_MEM_H

#include "ept/addr.h"
#include "ept/phys.h"
#include "monitor/boot/boot.h"

/* Before boot_parse(): boot_mem() then reaches everything below 4 GiB. */
void mem_early(struct boot_info *info);

/*
 * Chooses the block, moves the running image there and switches to the final page tables: after
 * it, addresses below 4 GiB are no longer mapped one to one. Returns 0, or an error with *why set.
 * iommus: there are some, so there is to be room for their tables, too. Keeps info: its memory map decides what phys_host() calls host RAM, from mem_seal() on.
 */
int mem_init(struct boot_info *info, bool iommus, const char **why);

/*
 * Until this call boot_mem() reaches what the loader left, and phys_host() nothing. After it, the
 * map in boot_info is L1's, and phys_host() follows it.
 */
void mem_seal(void);

/* n zeroed pages, contiguous, for ever. At boot only: running out stops the machine with a hint. */
void *mem_pages(size_t n);

/*
 * The end: zeroes what was ever handed out and all variables, but for n kept pieces (the caller's stack is to
 * be one of them, of addresses as it has them itself), and writes all caches to memory, which a reset
 * would otherwise find as it was before. Afterwards mem_at() and mem_cr3() work, and nothing else
 * that has state.
 */
#define MEM_KEPT_MAX 3
struct mem_kept {
	const void *start;
	size_t size;
};
void mem_wipe(const struct mem_kept *kept, unsigned int n);

/* The block. */
struct range mem_block(void);

/* RAM that is the host's, in bytes. */
uint64_t mem_host_bytes(void);

/* End of the last RAM region, rounded up to 1 GiB, and at least 4 GiB. */
uint64_t mem_top(void);

/* hpa of something inside the block or the image. */
hpa_t mem_hpa(const void *p);

/* Any physical address below mem_top(), as the monitor sees it: RAM, tables, device registers. */
void *mem_at(hpa_t hpa);

/* Whether hpa is in the monitor's block. */
bool mem_is_monitor(hpa_t hpa);

/* The physical CR3 of the final tables, for the other CPUs. */
uint64_t mem_cr3(void);

#endif
