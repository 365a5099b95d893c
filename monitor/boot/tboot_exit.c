/* SPDX-License-Identifier: Apache-2.0 */
/* The jump into tboot's shutdown entry, which wants to be reached with itself mapped one to one. */
#include "monitor/arch.h"
#include "monitor/boot/tboot.h"
#include "monitor/mem.h"

#define SHUTDOWN_REBOOT 0 /* tboot's include/tboot.h */
#define PTE_PRESENT_WRITE 0x3u
#define PTE_LARGE 0x80u
#define LARGE (2 * MIB)

static uint64_t *next_table(uint64_t entry)
{
	return mem_at(HPA(entry & PAGE_MASK));
}

/*
 * The image is mapped in the first GiB, and nothing else, so the tables down to there exist; where
 * it is, tboot is not.
 */
static void map_tboot(struct range range)
{
	uint64_t *pml4 = mem_at(HPA(mem_cr3()));
	uint64_t *pd = next_table(*next_table(*pml4));

	for (uint64_t a = ALIGN_DOWN(range.start, LARGE); a < range.end; a += LARGE)
		if (!pd[a / LARGE])
			pd[a / LARGE] = a | PTE_PRESENT_WRITE | PTE_LARGE;
}

void tboot_reset(void)
{
	const struct tboot *tboot = tboot_found();
	volatile struct tboot_shared *shared;

	if (tboot->state != TBOOT_MEASURED)
		return;
	shared = mem_at(tboot->shared);
	shared->shutdown_type = SHUTDOWN_REBOOT;
	map_tboot(tboot->kept[0]);
	__asm__ volatile("cli; mov %0, %%cr3; jmp *%1" ::"r"(mem_cr3()),
			 "r"((uint64_t)tboot->shutdown_entry)
			 : "memory");
	__builtin_unreachable();
}
