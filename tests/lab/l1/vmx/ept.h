/* SPDX-License-Identifier: Apache-2.0 */
/* Extended page tables: SDM volume 3, 28.2. */
#ifndef L1_VMX_EPT_H
#define L1_VMX_EPT_H

#include "lib/tables.h"

#define EPT_R 0x1u
#define EPT_W 0x2u
#define EPT_X 0x4u
#define EPT_ALL (EPT_R | EPT_W | EPT_X)
#define EPT_WB 0x30u /* memory type 6, in a leaf */
#define EPT_LARGE 0x80u
#define EPT_A 0x100u
#define EPT_D 0x200u
#define EPT_ADDRESS 0x000ffffffffff000ull

/* The EPT pointer's low bits: write-back, 4 levels. */
#define EPTP_WB_4_LEVELS 0x1eu
#define EPTP_AD 0x40u

/* A new table that maps 4 GiB to themselves by 2 MiB pages, with all rights; its root. */
uint64_t *ept_identity(void);

/* The entry for gpa at `level`, with tables made on the way: large pages above it are split. */
uint64_t *ept_entry(uint64_t *root, uint64_t gpa, enum table_level level);

/* Maps one 4 KiB page, write-back. */
void ept_map(uint64_t *root, uint64_t gpa, uint64_t hpa, uint64_t rights);

#endif
