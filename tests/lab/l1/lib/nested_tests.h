/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of faults in the nested table that are the same for both vendors, for a program that defines
 * the functions down to nested_deny(): how the vendor reports such a fault.
 */
#ifndef L1_LIB_NESTED_TESTS_H
#define L1_LIB_NESTED_TESTS_H

#include "vendor_guest.h"

/* Rights in a nested table, as bits. */
#define NESTED_R 1u
#define NESTED_W 2u
#define NESTED_X 4u
#define NESTED_ALL (NESTED_R | NESTED_W | NESTED_X)

/* What the guest did. Whether NESTED_MODIFY is reported as a read as well is the CPU's choice. */
enum nested_access { NESTED_READ, NESTED_WRITE, NESTED_MODIFY, NESTED_FETCH };

/*
 * Runs the guest, whose access to a page comes out as a fault at `rip`; `rights` is what the nested
 * table allows there. The address is left to check_fault_address() or nested_fault_gpa().
 */
void expect_nested_fault(struct guest *g, enum nested_access access, unsigned rights,
			 const void *rip);

/* The same where the guest's own tables are what cannot be accessed at all. */
void expect_walk_fault(struct guest *g, const void *rip);

/* Checks both addresses of the fault that came last, as far as the vendor reports them. */
void check_fault_address(const struct guest *g, uint64_t gpa, uint64_t linear);
uint64_t nested_fault_gpa(const struct guest *g);

/* Runs the guest, whose own page fault (error code, CR2) comes out at `rip`. */
void expect_page_fault(struct guest *g, uint32_t error, uint64_t address, const void *rip);

/* Takes rights from an entry. */
void nested_deny(uint64_t *entry, unsigned rights);

/* Runs them all. */
void nested_tests(void);

/* A page of the guest's, whose nested mapping the tests change: RBX at its second word, 0x2222. */
uint64_t *target_page(struct guest *g);

/* The nested entry of a page that is mapped to itself. */
uint64_t *leaf(struct guest *g, const void *page);

/* Tables of the guest's own, in which TEST_VA leads to the page of gpa; RBX reaches gpa by them. */
uint64_t *reach(struct guest *g, uint64_t gpa);

/* A gpa of its own in each table, 600 GiB, mapped to a page of ours and reached at TEST_VA + 8, RBX. */
uint64_t far_gpa(struct guest *g, const void *page);

/* Table levels by name. */
struct named_level {
	const char *name;
	enum table_level level;
};
#define LEVELS 4
extern const struct named_level named_levels[LEVELS];

#endif
