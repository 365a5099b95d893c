/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host table: the nested table of L1. One to one, with the largest pages that fit; what L1 must
 * not see is absent.
 */
#ifndef EPT_HOST_H
#define EPT_HOST_H

#include "ept/owner.h"

struct mtrr;

/*
 * Maps [0, top) one to one with every right. top is in bytes, a multiple of 2 MiB; leaf_1g says
 * whether the CPU takes 1 GiB pages in nested tables. mtrr (copied): L1's MTRRs, for the leaves'
 * memory types; not looked at, and may be NULL, if the format leaves types to the MTRRs themselves
 * (table_type()). Returns 0 or ERR_NOMEM (table pages exhausted).
 */
int host_init(uint64_t top, bool leaf_1g, const struct mtrr *mtrr);

/*
 * L1 changed its MTRRs (copied): every leaf gets its new type, and the rights it had, split where it
 * has come to cover several types. What is mapped later follows them too. The caller makes every CPU
 * forget old translations. Returns 0, or ERR_NOMEM: pages that could not be split are uncacheable.
 */
int host_retype(const struct mtrr *mtrr);

/*
 * Right after host_init(): only so many bits of an address, 32 or more, say where it is. Those above
 * choose a key for the same memory (R20); L1 gets no such alias mapped.
 */
void host_limit(unsigned int bits);

/* The root's address, for the hardware. */
hpa_t host_root(void);

/*
 * Gives [start, start + len), page aligned, these rights (enum table_rights; 0 makes it absent),
 * splitting larger pages. Devices reach it if the rights are all there are: it is the caller who
 * says so for L1's RAM only. The caller makes every CPU and IOMMU forget old translations when rights
 * shrink (phys_flush()). Returns 0, or ERR_NOMEM with a prefix of the range changed.
 */
int host_set(hpa_t start, uint64_t len, unsigned int rights);

/*
 * Tables that large pages have taken the place of are free again when no CPU can be walking them: a
 * flush of all CPUs asks for host_retired() before it begins, and gives that back at its end.
 */
uint32_t host_retired(void);
void host_release(uint32_t retired);

/* True: there are so many of them that no other gets free until the next such flush. */
bool host_retires_no_more(void);

/*
 * L1 sees frame, a page of the monitor's, with these rights in the place of `page` (both page aligned),
 * until host_set() says otherwise for it, or host_hide() makes it absent if it still is that frame.
 * Returns 0; ERR_PERM if the page is not `owner`'s any more; or ERR_NOMEM. L1's CPUs may see the frame
 * longer, until they flush.
 */
int host_show(hpa_t page, hpa_t frame, unsigned int rights, owner_t owner);
void host_hide(hpa_t page, hpa_t frame);

/*
 * A page of L1's that its table lacks, or lacks a right for: gives it every right. ERR_PERM if it is not
 * L1's. Whoever takes a page changes its owner first and its entry here then; this looks at the owner
 * and changes the entry in one, so that it cannot undo the taking.
 */
int host_fill(hpa_t page);

/* Whether the host table gives hpa these rights (enum table_rights) now. */
bool host_allows(hpa_t hpa, unsigned int rights);

/*
 * L1 touched an address that no one has mapped yet: device memory above the RAM. Maps the largest
 * page around it. Returns 0; ERR_FAULT if something below decided that it stays absent; ERR_NOMEM.
 */
int host_map_device(hpa_t hpa);

#endif
