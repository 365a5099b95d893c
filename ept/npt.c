/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AMD's nested table: long-mode page tables whose every access is a user access (APM vol. 2, 5.3,
 * 5.4 and 15.25.5). Memory types assume the monitor's PAT, whose entry 0 is WB.
 */
#include "ept/format.h"

#define PTE_P ((uint64_t)1 << 0)
#define PTE_W ((uint64_t)1 << 1)
#define PTE_U ((uint64_t)1 << 2)
#define PTE_PWT ((uint64_t)1 << 3)
#define PTE_PCD ((uint64_t)1 << 4)
#define PTE_A ((uint64_t)1 << 5)
#define PTE_D ((uint64_t)1 << 6)
#define PTE_PS ((uint64_t)1 << 7)
#define PTE_G ((uint64_t)1 << 8) /* must be zero in upper-level entries */
#define PTE_NX ((uint64_t)1 << 63)

struct table_format table_format = {
	.present = PTE_P,
	.invert = PTE_NX,
	.read = PTE_P | PTE_U,
	.write = PTE_P | PTE_U | PTE_W,
	.exec = PTE_P | PTE_U | PTE_NX,
	.leaf = PTE_PS,
	.table = PTE_P | PTE_W | PTE_U | PTE_A,
	.leaf_type = PTE_PCD | PTE_PWT,
	.wb = 0,
	.reserved_table = {[3] = PTE_G, [4] = PTE_G},
	/* Bit 12 of a large leaf belongs to the memory type. */
	.reserved_leaf = {[2] = 0x001fe000, [3] = 0x3fffe000, [4] = UINT64_MAX},
};

uint64_t table_leaf(hpa_t hpa, unsigned int level, unsigned int rights, uint64_t type)
{
	uint64_t entry = hpa.a | type | PTE_P | PTE_U | PTE_A | PTE_D;

	if (!rights)
		return 0;
	if (rights & TABLE_W)
		entry |= PTE_W;
	if (!(rights & TABLE_X))
		entry |= PTE_NX;
	if (level > 1)
		entry |= PTE_PS;
	return entry;
}

/* MTRRs apply to what the nested table gives (APM vol. 2, 15.25.8): write-back leaves them the word. */
bool table_type(const struct mtrr *mtrr, hpa_t hpa, unsigned int level, uint64_t *type)
{
	/* Large pages do not cross regions of different memory types: ROMs and VGA, devices. */
	unsigned int largest = hpa.a < 2 * MIB ? 1 : hpa.a < 4 * GIB ? 2 : 3;

	*type = 0;
	return level <= largest;
}

/* The mark is U clear; A may have been set beside it by a walk that stopped there. */
uint64_t table_unmark(uint64_t entry, unsigned int level)
{
	return entry | PTE_U;
}

bool table_is_wb(uint64_t leaf)
{
	return !(leaf & (PTE_PCD | PTE_PWT));
}
