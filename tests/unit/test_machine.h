/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A software machine with L1 running on it, for tests of the policy; guests are not isolated. The monitor keeps its state in
 * static variables and never forgets a guest, so each test gets a process of its own.
 */
#ifndef TESTS_TEST_MACHINE_H
#define TESTS_TEST_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/apic.h"
#include "monitor/channel.h"
#include "monitor/fake/cpu.h"
#include "monitor/fake/machine.h"
#include "monitor/guest.h"
#include "monitor/icr.h"
#include "monitor/log.h"
#include "monitor/mem.h"

/* RAM from 0 with the monitor's block behind it, then a hole with the local APIC's registers. */
#ifndef RAM_SIZE
#define RAM_SIZE (8 * MIB)
#define BLOCK (16 * MIB)
#define BLOCK_SIZE (2 * MIB)
#endif
#define APIC_AT 0xfee00000u
#define CODE 0x1000u /* where L1 executes */

static struct cpu *cpu; /* the first one */

static inline void machine(unsigned int cpus)
{
	fake_reset();
	fake_add_ram(HPA(0), RAM_SIZE);
	fake_add_monitor(HPA(BLOCK), BLOCK_SIZE);
	fake_add_device(HPA(APIC_AT), PAGE_SIZE);
	fake_msr_reset();
	fake_set_msr(MSR_APIC_BASE, APIC_AT | APIC_BASE_ENABLE);
	fake_cpus(cpus);
	fake_catch();
	log_console(false);
	protect_off = true;
	guest_init();
	channel_init();
	assert_int_equal(host_init(mem_top(), true, NULL), 0);
	assert_int_equal(host_set(HPA(BLOCK), BLOCK_SIZE, 0), 0);
	assert_int_equal(icr_init(), 0);
	cpu = cpu_at(0);
	cpu->regs.rip = CODE;
}

/* L1 is at these bytes. */
static inline void code(const void *bytes, size_t n)
{
	memset(fake_at(HPA(CODE), DECODE_MAX), 0x90, DECODE_MAX);
	memcpy(fake_at(HPA(CODE), n), bytes, n);
	cpu->regs.rip = CODE;
	fake_forget(cpu);
}

#define CODE_IS(...)                                \
	do {                                        \
		const uint8_t is[] = {__VA_ARGS__}; \
		code(is, sizeof(is));               \
	} while (0)

/* L1 took a fault there and nothing of the instruction was done. */
static inline void expect_fault(unsigned int vector)
{
	assert_int_equal(cpu->hw->injected, 1);
	assert_int_equal(cpu->hw->vector, vector);
	assert_int_equal(cpu->hw->completed, 0);
	assert_int_equal(cpu->regs.rip, CODE);
}

static inline void expect_done(unsigned int len)
{
	assert_int_equal(cpu->hw->injected, 0);
	assert_int_equal(cpu->hw->completed, 1);
	assert_int_equal(cpu->regs.rip, CODE + len);
}

static inline void expect_nothing(void)
{
	assert_int_equal(cpu->hw->injected, 0);
	assert_int_equal(cpu->hw->completed, 0);
	assert_int_equal(cpu->regs.rip, CODE);
}

static inline void leave(const struct exit *exit)
{
	assert_int_equal(fake_exit(cpu, exit), FAKE_RETURNED);
}

static inline void touch(uint64_t hpa, bool write)
{
	struct exit exit = {.reason = EXIT_NESTED_FAULT, .fault = HPA(hpa), .write = write};

	leave(&exit);
}

/* MOV [address], EAX of 32-bit code */
static inline void store_eax(uint64_t hpa, uint32_t value)
{
	uint8_t insn[] = {0xa3, (uint8_t)hpa, (uint8_t)(hpa >> 8), (uint8_t)(hpa >> 16),
			  (uint8_t)(hpa >> 24)};

	code(insn, sizeof(insn));
	cpu->regs.r[RAX] = value;
	touch(hpa, true);
}

/* The log's text from *pos on, at most 4 KiB; *pos moves behind it. */
static inline const char *log_text(uint64_t *pos)
{
	static char text[4097];
	size_t n = log_read(pos, text, sizeof(text) - 1);

	*pos += n;
	text[n] = 0;
	return text;
}

static inline uint64_t log_end(void)
{
	uint64_t pos = UINT64_MAX;

	log_read(&pos, NULL, 0);
	return pos;
}

/* Runs each test in a process of its own. Returns how many failed. */
static inline int run_apart(const struct CMUnitTest *tests, size_t n)
{
	int failed = 0;

	for (size_t i = 0; i < n; i++) {
		pid_t child;
		int status = 0;

		fflush(NULL);
		child = fork();
		if (!child)
			exit(_cmocka_run_group_tests(tests[i].name, &tests[i], 1, NULL, NULL));
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			failed++;
	}
	return failed;
}

#define RUN_APART(tests) run_apart(tests, ARRAY_SIZE(tests))

#endif
