/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of several CPUs that are the same for both vendors: INIT, SIPI and IPIs to CPUs without guests. */
#ifndef L1_LIB_SMP_TESTS_H
#define L1_LIB_SMP_TESTS_H

#include "ept/base.h"

/* Which interrupt is sent, and how many of them. */
#define SMP_IRQ 0x54
#define SMP_ROUNDS 20

/* Runs them all. */
void smp_tests(void);

/* Skips the test on a machine of one CPU. */
void smp_need_two(void);

/* cpu_start() that must work, and the wait for the function's end. */
void smp_start(unsigned cpu, void (*fn)(void *), void *arg);
void smp_wait_finished(unsigned cpu);

/* SMP_ROUNDS IPIs to CPU 1, whose function sets flag to 1 and takes them all (smp_take_ipis()). */
void smp_ipis(uint32_t ipi, void (*fn)(void *), void *arg, const volatile uint32_t *flag);
void smp_take_ipis(volatile uint32_t *flag);

#endif
