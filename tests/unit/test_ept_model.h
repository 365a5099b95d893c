/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EPT as the manual words it (SDM vol. 3, 29.3.2 and 29.3.3), a sentence a line, for comparison with
 * the walker. Slow, and shares nothing with ept/ept.c.
 */
#ifndef TESTS_TEST_EPT_MODEL_H
#define TESTS_TEST_EPT_MODEL_H

#include "ept/phys.h"
#include "ept/walk.h"

struct ept_model {
	bool exec_only, leaf_1g;
	unsigned int phys_bits;
};

static inline bool model_bits(uint64_t entry, unsigned int last, unsigned int first)
{
	for (unsigned int bit = first; bit <= last; bit++)
		if (entry >> bit & 1)
			return true;
	return false;
}

static inline bool model_is_leaf(const struct ept_model *m, uint64_t entry, unsigned int level)
{
	if (level == 1)
		return true;
	return (entry >> 7 & 1) && (level == 2 || (level == 3 && m->leaf_1g));
}

static inline bool model_misconfigured(const struct ept_model *m, uint64_t entry,
				       unsigned int level)
{
	bool r = entry & 1, w = entry >> 1 & 1, x = entry >> 2 & 1;
	unsigned int type = entry >> 3 & 7;

	if (w && !r)
		return true;
	if (x && !r && !m->exec_only)
		return true;
	if (model_bits(entry, 51, m->phys_bits))
		return true;
	if (!model_is_leaf(m, entry, level))
		return model_bits(entry, 7, 3);
	if (type == 2 || type == 3 || type == 7)
		return true;
	return (level == 2 && model_bits(entry, 20, 12)) ||
	       (level == 3 && model_bits(entry, 29, 12));
}

/* Where a walk for this access ends: WALK_DONE with *hpa, WALK_NESTED, or WALK_MEMORY. */
static inline enum walk_stop model_walk(const struct ept_model *m, hpa_t root, uint64_t gpa,
					uint32_t access, uint64_t *hpa)
{
	uint64_t table = root.a, entry;
	bool r = true, w = true, x = true, allowed;
	unsigned int level, shift;

	if (gpa >> 48)
		return WALK_NESTED;
	for (level = 4;; level--) {
		shift = 12 + 9 * (level - 1);
		if (phys_read64(&entry, HPA(table + (gpa >> shift & 511) * 8)))
			return WALK_MEMORY;
		if (!model_bits(entry, 2, 0))
			return WALK_NESTED;
		if (model_misconfigured(m, entry, level))
			return WALK_NESTED;
		r = r && (entry & 1);
		w = w && (entry & 2);
		x = x && (entry & 4);
		table = entry & 0xffffffffff000u;
		if (model_is_leaf(m, entry, level))
			break;
	}
	*hpa = table | (gpa & (((uint64_t)1 << shift) - 1));
	allowed = access == WALK_EXEC ? x : access == WALK_WRITE ? w : r;
	return allowed ? WALK_DONE : WALK_NESTED;
}

#endif
