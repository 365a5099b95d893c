/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_CALL_H
#define MONITOR_CALL_H

#include "monitor/cpu.h"

/* Serves the hypercall in cpu->regs (monitor/hypercall.h) and leaves its results there. */
void hypercall(struct cpu *cpu);

/* The TSC when the monitor started, for HYPERCALL_INFO. */
void hypercall_init(void);

#endif
