/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What surrounds the taking of a guest's table at its launch: the shared set before, the digest
 * after, and whether somebody in L1 declared that the guest be sealed (R24). Guests are named here
 * by their number in the table of owners, which is the number of their record.
 */
#ifndef MONITOR_LAUNCH_H
#define MONITOR_LAUNCH_H

#include "monitor/digest.h"

/* What is remembered of the last launch under a number. */
struct launch {
	uint64_t id; /* the guest's; 0: none */
	bool sealed;
	uint8_t digest[DIGEST_BYTES];
};

/*
 * Until its launch a guest is known by one of its pages. The guest that takes this page will be
 * sealed, or (sealed false) an earlier declaration of the page is withdrawn. Only the newest 16
 * count. A guest that a disk is attached to is sealed whatever was declared. L1 cannot be trusted
 * with it and need not be: nothing but the digest says what a guest was launched as. ERR_PERM if
 * the page is not HOST: too late.
 */
int launch_declare(hpa_t page, bool sealed);

/*
 * Before guest_table_launch(): finds the layout through t->root, which is still L1's, and sets t's
 * shared ranges by it. Returns 0, or an error that refuses the launch; the log has the reason.
 */
int launch_prepare(struct guest_table *t, struct guest_layout *layout);

/*
 * After guest_table_launch(), before the first entry: sees that the layout is still the same, uses
 * up the declarations that hit, hashes with the boot vCPU's state, and remembers the result for
 * t->guest. Returns 0, or an error that ends the guest: ERR_PERM if L1 changed the layout
 * meanwhile.
 */
int launch_measure(struct guest_table *t, uint64_t id, const struct guest_layout *layout,
		   const uint64_t state[DIGEST_STATES]);

/* The last launch under this number (below GUEST_MAX): id 0 if there was none. */
struct launch launch_of(unsigned int number);

/* The same if it was that of the guest with this id, not of an earlier one; else zeros. */
struct launch launch_of_guest(unsigned int number, uint64_t id);

/* LAUNCH_ flags of monitor/hypercall.h. */
uint32_t launch_flags(const struct launch *launch);

#endif
