/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses to MSRs that exit: the monitor's own, the local APIC's, and those no bitmap covers. A guest
 * to whom L1 leaves one has L1's, as it would without the monitor.
 */
#ifndef MONITOR_MSR_H
#define MONITOR_MSR_H

#include "monitor/cpu.h"

/* 0, or ERR_INVAL where whoever tried is to take #GP. */
int msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value);
int msr_write(struct cpu *cpu, uint32_t msr, uint64_t value);

/* The same for the RDMSR or WRMSR that L1 or L2 left for, with cpu->regs; completes nothing. */
int msr_access(struct cpu *cpu, bool write);

/* Whether an access has to come here from L1 and from every guest, whatever L1 leaves to it. */
bool msr_watched(uint32_t msr, bool write);

/* RDMSR and WRMSR on the hardware: 0, or ERR_INVAL if it answers with #GP. */
int msr_try_read(uint32_t msr, uint64_t *value);
int msr_try_write(uint32_t msr, uint64_t value);

/* XSETBV, the same way. */
int xcr_try_write(uint32_t xcr, uint64_t value);

#endif
