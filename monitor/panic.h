/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MONITOR_PANIC_H
#define MONITOR_PANIC_H

#include "ept/base.h"

/* Registers as the exception stubs push them. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/*
 * Boot can't go on: says why, in one line on serial line and screen, and stops. For what the
 * machine, the loader or the user must change; text says what to do.
 */
_Noreturn void die(const char *text);

/* A bug of the monitor: takes the console back, says what, stops all CPUs, and wipes memory (reset.h). */
_Noreturn void panic(const char *text);

/* Loads the monitor's exception handlers on this CPU. */
void trap_init(void);

/* Their table. */
#define TRAP_TABLE_SIZE 512
const void *trap_table(void);

/*
 * From the stubs. Returns for an NMI and a redirected INIT, which it notes, and for a #GP of
 * msr_try_read() and msr_try_write(); dumps and stops for anything else.
 */
void trap(struct trap_frame *frame);

#endif
