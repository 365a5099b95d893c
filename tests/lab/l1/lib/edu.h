/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU's edu device: DMA at L1's word (docs/specs/edu.txt of QEMU). On the root bus. */
#ifndef L1_LIB_EDU_H
#define L1_LIB_EDU_H

#include "ept/base.h"

#define EDU_MAX 2048u /* bytes in one transfer */

/* Finds it and lets it be a bus master. */
bool edu_present(void);

/*
 * What the device reads at `from` (n bytes, at most EDU_MAX), carried into `to`, memory of L1's own; what
 * it writes at `to` it has fetched from there. Both wait for the end. False: it did not come.
 */
bool edu_read(void *to, uint64_t from, size_t n);
bool edu_write(uint64_t to, const void *from, size_t n);

/* The write in two steps: it happens a tenth of a second after the first. */
bool edu_write_later(uint64_t to, const void *from, size_t n);
bool edu_wait(void);

#endif
