/* SPDX-License-Identifier: Apache-2.0 */
/* HYPERCALL_EVIDENCE: what the monitor says of itself and its guests, signed (attest/evidence.h). */
#ifndef MONITOR_REPORT_H
#define MONITOR_REPORT_H

#include "ept/walk.h"

/*
 * To the caller's n bytes at gva, which begin with the nonce. *bytes is how many it is. 0; ERR_2BIG, with *bytes set and nothing
 * written; ERR_FAULT: the caller may not read or write there.
 */
int report_give(const struct walk_space *caller, gva_t gva, uint64_t n, uint64_t *bytes);

#endif
