/* SPDX-License-Identifier: Apache-2.0 */
/* What Intel CPUs differ in about EPT. */
#ifndef EPT_EPT_H
#define EPT_EPT_H

#include "ept/base.h"

/*
 * Tells table_format what this machine's CPUs take: pages that can be executed but not read, and
 * 1 GiB pages (IA32_VMX_EPT_VPID_CAP bits 0 and 17; SDM vol. 3, A.10). Once at boot, before any
 * table is walked; until then neither is taken.
 */
void ept_limits(bool exec_only, bool leaf_1g);

#endif
