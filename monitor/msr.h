/* SPDX-License-Identifier: Apache-2.0 */
/* L1's accesses to MSRs that exit: the monitor's own, the local APIC's, and those no bitmap covers. */
#ifndef MONITOR_MSR_H
#define MONITOR_MSR_H

#include "monitor/cpu.h"

/* 0, or ERR_INVAL where L1 is to take #GP. */
int msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
int msr_write(struct cpu *cpu, uint32_t msr, uint64_t value);

/* RDMSR and WRMSR on the hardware: 0, or ERR_INVAL if it answers with #GP. */
int msr_try_read(uint32_t msr, uint64_t *value);
int msr_try_write(uint32_t msr, uint64_t value);

#endif
