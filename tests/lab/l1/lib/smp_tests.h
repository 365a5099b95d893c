/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of several CPUs that are the same for both vendors: INIT, SIPI and IPIs to CPUs without guests. */
#ifndef L1_LIB_SMP_TESTS_H
#define L1_LIB_SMP_TESTS_H

/* Runs them all. */
void smp_tests(void);

/* Skips the test on a machine of one CPU. */
void smp_need_two(void);

/* cpu_start() that must work, and the wait for the function's end. */
void smp_start(unsigned cpu, void (*fn)(void *), void *arg);
void smp_wait_finished(unsigned cpu);

#endif
