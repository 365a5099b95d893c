/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named tests. A program's l1_main() calls test() for each; a check that fails, or a skip, leaves
 * the test at once (on the boot CPU only). Output: "ok NAME", "skip NAME: why", "FAIL NAME: why",
 * and at the end "N skipped" and "N passed, N failed".
 */
#ifndef L1_LIB_TEST_H
#define L1_LIB_TEST_H

#include "lib/cpu.h"
#include "lib/print.h"

typedef void test_fn(const void *arg);

/* Each program defines it. */
void l1_main(void);

/* Runs one test, unless the command line's only=PREFIX excludes it. Pages allocated in it are freed. */
void test(const char *name, test_fn *fn, const void *arg);

/* The same, named PREFIX followed by name: for tables of cases. */
void test_named(const char *prefix, const char *name, test_fn *fn, const void *arg);

_Noreturn void test_fail(const char *fmt, ...);
_Noreturn void test_skip(const char *why);

/* Ends the machine with what was counted so far; `broken` counts as one more failure. */
_Noreturn void test_end(const char *broken);

/* Called before and after each test, to bring the machine back to a known state. */
extern void (*test_reset)(void);

/* The decimal or 0x number after "name=" on the command line, or `otherwise`. */
uint64_t option(const char *name, uint64_t otherwise);

#define CHECK(cond, ...)                        \
	do {                                    \
		if (!(cond))                    \
			test_fail(__VA_ARGS__); \
	} while (0)

#define CHECK_EQ(got, want)                                                          \
	do {                                                                         \
		uint64_t got_ = (uint64_t)(got), want_ = (uint64_t)(want);           \
		if (got_ != want_)                                                   \
			test_fail("%s is 0x%x, not 0x%x (%s:%u)", #got, got_, want_, \
				  __FILE_NAME__, U64(__LINE__));                     \
	} while (0)

/* How long WAIT_FOR() waits, in ticks of the TSC: at first 6*10^10, 20 s at 3 GHz. */
extern uint64_t test_patience;

/*
 * True as soon as cond is; false after test_patience. No PAUSE in it: in QEMU that takes the lock
 * which the other CPUs need to see an interrupt.
 */
#define WAIT_FOR(cond)                                        \
	({                                                    \
		uint64_t until_ = rdtsc() + test_patience;    \
		bool seen_;                                   \
		while (!(seen_ = (cond)) && rdtsc() < until_) \
			cpu_idle(1000);                       \
		seen_;                                        \
	})

#endif
