/* SPDX-License-Identifier: Apache-2.0 */
/* The other CPUs, by APIC id (QEMU's are 0, 1, 2...). */
#ifndef L1_LIB_SMP_H
#define L1_LIB_SMP_H

#include "ept/base.h"

/* This CPU: 0 is the boot CPU. */
unsigned cpu_index(void);

/*
 * CPUs in the machine, by the number that CPUID reports or that ACPI lists, if that is more (Bochs's
 * CPUs are packages of one); at most MAX_CPUS.
 */
unsigned cpu_count(void);

/*
 * INIT, then SIPI, then a second SIPI, to CPU `cpu` (>= 1), which runs fn(arg) on its own stack and
 * then halts with interrupts off. Returns false if it has not arrived after ten seconds.
 */
bool cpu_start(unsigned cpu, void (*fn)(void *), void *arg);

/* INIT to every CPU that cpu_start() has started since the last call: none of them runs on. */
void cpus_stop(void);

/* True once fn has returned on that CPU. */
bool cpu_finished(unsigned cpu);

#endif
