/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest in long mode whose memory is one byte, but for its page tables in the first four pages. */
#ifndef TESTS_FUZZ_ISOLATED_H
#define TESTS_FUZZ_ISOLATED_H

#include "tests/fuzz/fuzz_guest.h"

#define SMALL MIB /* gpa of the guest's pages, of which there are */
#define GUEST_PAGES 24u
#define INFO_GPA 0x9f000u
#define DEVICE 0xa0000u
#define LINEAR 0x400000u
#define AT(i) (LINEAR + (uint64_t)(i)*PAGE_SIZE)
#define DEVICE_PAGE 100u /* linear, from LINEAR on */
#define PTE_AD 0x60u

static struct guest_vcpu *v;
static struct cpu *cpu;

static inline uint64_t *slot(hpa_t table, unsigned int i)
{
	return (uint64_t *)phys_at(table) + i;
}

/* Its pages lie in L1's memory in another order. */
static inline hpa_t page_of(unsigned int i)
{
	return HPA(PAGES + (1 + i * 5 % GUEST_PAGES) * PAGE_SIZE);
}

static inline void put_info(void)
{
	const uint32_t words[] = {48, 0, 1, 0x400, 0xfeff0, 0};
	uint8_t *info = (uint8_t *)phys_at(HPA(PAGES)) + 0x800, sum = 0;

	memcpy(info, "HVM INFO", sizeof("HVM INFO")); /* the words go over the NUL */
	memcpy(info + 8, words, sizeof(words));
	for (unsigned int i = 0; i < 48; i++)
		sum = (uint8_t)(sum + info[i]);
	info[12] = (uint8_t)-sum;
}

/* All its memory is one byte, but for its own page tables in the first four pages. */
static inline void build(void)
{
	for (unsigned int level = 4; level > 1; level--)
		*slot(table_page(4 - level), 0) = table_entry(table_page(5 - level));
	*slot(table_page(3), INFO_GPA >> PAGE_SHIFT) = table_leaf(HPA(PAGES), 1, TABLE_RWX, WB);
	put_info();
	for (unsigned int i = 0; i < GUEST_PAGES; i++) {
		*slot(table_page(3), (SMALL >> PAGE_SHIFT) + i) =
			table_leaf(page_of(i), 1, TABLE_RWX, WB);
		memset(phys_at(page_of(i)), i < 4 ? 0x80 : 0x55, PAGE_SIZE);
	}
	for (unsigned int level = 4; level > 1; level--)
		*slot(page_of(4 - level), table_index(level, LINEAR)) =
			(SMALL + (5 - level) * PAGE_SIZE) | 3;
	for (unsigned int i = 0; i < GUEST_PAGES; i++)
		*slot(page_of(3), i) = (SMALL + i * PAGE_SIZE) | 3;
	*slot(page_of(3), DEVICE_PAGE) = DEVICE | 3;
}

static inline void as_guest(void)
{
	cpu->hw->space = (struct walk_space){.cr0 = CR0_PE | CR0_PG | CR0_WP,
					     .cr3 = SMALL,
					     .cr4 = CR4_PAE,
					     .efer = EFER_LMA | EFER_LME | EFER_NXE,
					     .nested_root = table_page(0),
					     .nested = true,
					     .phys_bits = 40};
	cpu->hw->mode = DECODE_64;
}

static inline enum guest_entry enter(void)
{
	enum guest_entry how;

	as_guest();
	while ((how = guest_enter(cpu, v)) == GUEST_ENTRY_AGAIN)
		;
	return how;
}

#endif
