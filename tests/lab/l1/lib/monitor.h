/* SPDX-License-Identifier: Apache-2.0 */
/* Whether our monitor runs below, and its hypercalls. */
#ifndef L1_LIB_MONITOR_H
#define L1_LIB_MONITOR_H

#include "ept/base.h"

/* True if the monitor answers its version hypercall. Asked first before VMXON or on bare SVM. */
bool monitor_present(void);

/* The same question asked again (after an attack on the monitor). */
bool monitor_answers(void);

/* One hypercall; *rax gets its result, out[] RBX and R8..R14. False if it raised an exception. */
bool hypercall(uint64_t function, uint64_t rdx, uint64_t rsi, int64_t *rax, uint64_t out[8]);

/* The monitor's time for one reason to exit (monitor/reasons.h), over L1 and all guests; 0 without it. */
uint64_t monitor_spent(unsigned int reason);

#endif
