/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1 writes a copy of the MTRRs: the processor's stay as the firmware left them, so that L1 cannot change
 * how the monitor and guests reach memory (R4). Where the MTRRs do not apply to L1's accesses, the host
 * table takes its types from the copy; where they do, what L1 writes has no effect.
 */
#ifndef MONITOR_TYPES_H
#define MONITOR_TYPES_H

#include "ept/mtrr.h"

/* At boot: the hardware's. table_follows: host_init() gets them, and host_retype() what L1 writes. */
const struct mtrr *types_read(uint8_t phys_bits, bool table_follows);

/*
 * On another CPU, before L1 runs: takes over what types_read() read, as L1 cannot do it any more where the
 * firmware has set up the boot CPU only. True: there was a difference. Interrupts are off.
 */
bool types_adopt(void);

/* Whether an MSR is one of the copy; then types_get() and types_set(): 0, or ERR_INVAL for #GP. */
bool types_is_mtrr(uint32_t msr);
int types_get(uint32_t msr, uint64_t *value);
int types_set(uint32_t msr, uint64_t value);

#endif
