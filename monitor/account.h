/* SPDX-License-Identifier: Apache-2.0 */
/* Whose exits they are, and where the monitor's time goes: struct exit_stats of L1 and of each vCPU. */
#ifndef MONITOR_ACCOUNT_H
#define MONITOR_ACCOUNT_H

#include "monitor/cpu.h"

/*
 * Counts an exit in stats, and charges the time from tsc (of the exit) on to it, until
 * account_end(). stats has to stay until then.
 */
void account_exit(struct cpu *cpu, struct exit_stats *stats, enum exit_reason reason, uint64_t tsc);

/* Before each entry, and before a vCPU record is dropped. Does nothing the second time. */
void account_end(struct cpu *cpu);

#endif
