/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The monitor's own clock: since boot, by the processors' time-stamp counters. L1 may write to these, but each such write exits and
 * is made up for (monitor/msr.c); it never runs backwards, and as fast as the fastest processor's. Its rate is found at boot, by ACPI's
 * timer.
 */
#ifndef MONITOR_UPTIME_H
#define MONITOR_UPTIME_H

#include "monitor/boot/fadt.h"
#include "monitor/cpu.h"

/* At boot, on the first CPU: takes some milliseconds. Without a timer, or one that runs, the rate stays unknown; logged. */
void uptime_init(const struct fadt *fadt);

/* Another CPU is there, whose counter may be anything: it goes on from what was read last. */
void uptime_join(struct cpu *cpu);

/* On that CPU, the counter was written to: what it read before and after. */
void uptime_moved(struct cpu *cpu, uint64_t before, uint64_t after);

/* Ticks since boot, and how many are a millisecond; 0: not known, and nothing that ends some time may be allowed. */
uint64_t uptime_ticks(void);
uint64_t uptime_rate(void);

/* Milliseconds since boot; 0 if the rate is not known. */
uint64_t uptime_ms(void);

#endif
