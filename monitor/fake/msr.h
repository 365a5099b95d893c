/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_FAKE_MSR_H
#define MONITOR_FAKE_MSR_H

#include <stdint.h>

/*
 * The MSRs, the same ones on every CPU: those set exist, and keep what is written; any other raises
 * #GP. RDMSR, WRMSR, WBINVD, and IN and OUT (port.h) are executed as they stand in the monitor's code: the kernel answers
 * with a signal, behind which the software machine carries them out.
 */
void fake_set_msr(uint32_t msr, uint64_t value);
uint64_t fake_msr(uint32_t msr); /* stops the test if there is no such MSR */
unsigned int fake_msr_writes(void);
unsigned int fake_wbinvds(void);
void fake_msr_reset(void); /* no MSR, no counts */

/* Catches that signal from now on. fake_exit() and fake_run() do it, since test libraries undo it. */
void fake_catch(void);

#endif
