/* SPDX-License-Identifier: Apache-2.0 */
/* Whose exits they are, and where the time goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/account.h"
#include "monitor/arch.h"

#define LONG_AGO ((uint64_t)1 << 40) /* TSC cycles: more than a test takes */

static struct cpu cpu;
static struct exit_stats guest;

static int set_up(void **state)
{
	memset(&cpu, 0, sizeof(cpu));
	memset(&guest, 0, sizeof(guest));
	return 0;
}

static uint64_t sum(const uint64_t *n)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < EXIT_REASON_COUNT; i++)
		total += n[i];
	return total;
}

static void an_exit_is_charged_until_the_end(void **state)
{
	uint64_t before = arch_rdtsc();

	account_exit(&cpu, &guest, EXIT_PORT, before - LONG_AGO);
	assert_int_equal(cpu.exit_tsc, before - LONG_AGO);
	assert_int_equal(guest.count[EXIT_PORT], 1);
	assert_int_equal(guest.cycles[EXIT_PORT], 0);
	account_end(&cpu);
	assert_in_range(guest.cycles[EXIT_PORT], LONG_AGO, LONG_AGO + arch_rdtsc() - before);
	assert_int_equal(sum(guest.count), 1);
	assert_int_equal(sum(guest.cycles), guest.cycles[EXIT_PORT]);
	assert_int_equal(sum(cpu.stats.count) + sum(cpu.stats.cycles), 0);
}

/* The record may be another vCPU's by then. */
static void nothing_is_charged_twice(void **state)
{
	account_end(&cpu); /* no exit yet */
	account_exit(&cpu, &guest, EXIT_HLT, arch_rdtsc());
	account_end(&cpu);
	memset(&guest, 0, sizeof(guest));
	account_end(&cpu);
	assert_int_equal(sum(guest.count) + sum(guest.cycles), 0);
}

static void exits_add_up(void **state)
{
	account_exit(&cpu, &guest, EXIT_HLT, arch_rdtsc() - LONG_AGO);
	account_end(&cpu);
	account_exit(&cpu, &cpu.stats, EXIT_ENTER, arch_rdtsc() - LONG_AGO);
	account_end(&cpu);
	account_exit(&cpu, &guest, EXIT_HLT, arch_rdtsc() - LONG_AGO);
	account_end(&cpu);
	assert_int_equal(guest.count[EXIT_HLT], 2);
	assert_in_range(guest.cycles[EXIT_HLT], 2 * LONG_AGO, 3 * LONG_AGO);
	assert_int_equal(cpu.stats.count[EXIT_ENTER], 1);
	assert_in_range(cpu.stats.cycles[EXIT_ENTER], LONG_AGO, 2 * LONG_AGO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_exit_is_charged_until_the_end, set_up),
		cmocka_unit_test_setup(nothing_is_charged_twice, set_up),
		cmocka_unit_test_setup(exits_add_up, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
