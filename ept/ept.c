/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Intel's nested table, EPT (SDM vol. 3, 29.3.2 and 29.3.3.1). A leaf carries the memory type, since
 * the MTRRs do not apply below it (29.3.7.2).
 */
#include "ept/ept.h"

#include "ept/format.h"
#include "ept/mtrr.h"

#define EPT_R ((uint64_t)TABLE_R)
#define EPT_W ((uint64_t)TABLE_W)
#define EPT_X ((uint64_t)TABLE_X)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)
#define EPT_TYPE_SHIFT 3
#define EPT_TYPE ((uint64_t)7 << EPT_TYPE_SHIFT)
#define EPT_PS ((uint64_t)1 << 7)
#define EPT_A ((uint64_t)1 << 8)
#define EPT_D ((uint64_t)1 << 9)

#define LARGE_RESERVED(level) (((uint64_t)1 << (PAGE_SHIFT + 9 * ((level)-1))) - PAGE_SIZE)
#define TABLE_RESERVED 0xf8u /* bits 7:3 of an entry that points at a table */

/* Bits 5:0 are type and rights: in a map of malformed ones, a byte for each type. */
#define EVERY_TYPE(rights) ((uint64_t)(rights)*0x0101010101010101u)
#define ONE_TYPE(type) ((uint64_t)0xff << 8 * (type))
#define NO_SUCH_TYPE (ONE_TYPE(2) | ONE_TYPE(3) | ONE_TYPE(7)) /* Xen writes 7 on purpose (R7) */
#define WRITE_WITHOUT_READ (1u << EPT_W | 1u << (EPT_W | EPT_X))
#define EXEC_ONLY (1u << EPT_X)
#define MALFORMED (NO_SUCH_TYPE | EVERY_TYPE(WRITE_WITHOUT_READ))

struct table_format table_format = {
	.present = EPT_RWX,
	.read = EPT_R,
	.write = EPT_R | EPT_W,
	.exec = EPT_X,
	.leaf = EPT_PS,
	.table = EPT_RWX | EPT_A,
	.leaf_type = EPT_TYPE,
	.wb = (uint64_t)MEM_WB << EPT_TYPE_SHIFT,
	.malformed = MALFORMED | EVERY_TYPE(EXEC_ONLY),
	.reserved_table = {[2] = TABLE_RESERVED, [3] = TABLE_RESERVED, [4] = TABLE_RESERVED},
	.reserved_leaf = {[2] = LARGE_RESERVED(2), [3] = UINT64_MAX, [4] = UINT64_MAX},
};

void ept_limits(bool exec_only, bool leaf_1g)
{
	table_format.malformed = MALFORMED | (exec_only ? 0 : EVERY_TYPE(EXEC_ONLY));
	table_format.reserved_leaf[3] = leaf_1g ? LARGE_RESERVED(3) : UINT64_MAX;
}

uint64_t table_leaf(hpa_t hpa, unsigned int level, unsigned int rights, uint64_t type)
{
	uint64_t entry = hpa.a | type | rights | EPT_R | EPT_A | EPT_D;

	if (!rights)
		return 0;
	return level > 1 ? entry | EPT_PS : entry;
}

bool table_type(const struct mtrr *mtrr, hpa_t hpa, unsigned int level, uint64_t *type)
{
	bool uniform;
	enum mem_type t = mtrr_type(mtrr, hpa, table_span(level), &uniform);

	*type = (uint64_t)t << EPT_TYPE_SHIFT;
	return uniform;
}

/* The mark is a memory type that does not exist, 7, at any level. */
uint64_t table_unmark(uint64_t entry, unsigned int level)
{
	if ((entry & EPT_TYPE) != EPT_TYPE)
		return entry;
	return (entry & ~EPT_TYPE) |
	       (table_is_leaf(entry, level) ? (uint64_t)MEM_WB << EPT_TYPE_SHIFT : 0);
}

bool table_is_wb(uint64_t leaf)
{
	return (leaf & EPT_TYPE) >> EPT_TYPE_SHIFT == MEM_WB;
}
