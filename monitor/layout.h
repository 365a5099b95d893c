/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which guest-physical addresses of one of Xen's guests pages of L1's may back: the shared set
 * (R9). Everything else is private. It is worked out once, at the launch, from the table that Xen's
 * builder leaves in an HVM guest's memory; a PVH guest has none, and shares the fixed pages only.
 *
 * The set also says where an access that nothing backs may be shown to L1 as a device's. It
 * protects nothing by itself from a guest that is told to use shared memory as RAM: what else tells
 * it so (the answer to XENMEM_memory_map), and what it moves there itself (XENMEM_add_to_physmap),
 * must be held against the set. The launch digest has the set, and the table
 * (docs/launch-digest.md).
 */
#ifndef MONITOR_LAYOUT_H
#define MONITOR_LAYOUT_H

#include "ept/guest_table.h"

/* Why a range is shared. Numbers are in the launch digest: append only. */
enum layout_reason {
	LAYOUT_VGA = 1,
	LAYOUT_PCI = 2,
	LAYOUT_CHIPSET = 3,
	LAYOUT_APIC = 4,
	LAYOUT_SPECIAL = 5,
	LAYOUT_CONSOLE = 6,
	LAYOUT_BLOCKS = 7,
};

struct guest_layout {
	bool hvm;
	unsigned int vcpus;      /* of an HVM guest; 0: not known */
	gpa_t low_end, high_end; /* an HVM guest's RAM: below low_end, and 4 GiB to high_end or 0 */
	unsigned int count;
	struct gpa_range shared[GUEST_TABLE_SHARED_MAX]; /* ascending, disjoint */
	enum layout_reason reason[GUEST_TABLE_SHARED_MAX];
};

/*
 * Copies len bytes, inside one page, from the guest's memory. ERR_NOENT: nothing is there. Another
 * error ends layout_find().
 */
typedef int (*layout_read_fn)(void *context, gpa_t gpa, void *buf, size_t len);

/*
 * Fills out from the guest's memory, which is read once. Returns 0; ERR_INVAL with *why set if the
 * table is damaged or says what this monitor's rows are not made for; or an error of read. Until
 * its page is the guest's, the table is L1's: what is found must be found again afterwards
 * (layout_same).
 */
int layout_find(layout_read_fn read, void *context, struct guest_layout *out, const char **why);

/* All else in a layout follows from these. */
static inline bool layout_same(const struct guest_layout *a, const struct guest_layout *b)
{
	return a->hvm == b->hvm && a->vcpus == b->vcpus && a->low_end.a == b->low_end.a &&
	       a->high_end.a == b->high_end.a;
}

#endif
