/* SPDX-License-Identifier: Apache-2.0 */
/* The monitor's clock: its rate, and what L1 does to the counter it runs by. */
#include "monitor/fake/port.h"
#include "monitor/msr.h"
#include "monitor/uptime.h"
#include "tests/unit/test_machine.h"

#define PORT 0x608u
#define TSC 0x10u
#define TSC_ADJUST 0x3bu
#define TICKS 1000u /* of the counter's for one of the timer's, 3.579545 MHz */
#define RATE (TICKS * 3579545ul / 1000)

static struct fadt fadt;

static void start(uint64_t ticks)
{
	machine(2);
	fake_ports_reset();
	fake_port_timer(PORT, ticks);
	fake_set_msr(TSC, 0);
	fake_set_msr(TSC_ADJUST, 0);
	fadt.timer = (struct acpi_register){ACPI_PORT, 4, PORT};
	uptime_init(&fadt);
}

/* Within 2 %, now and then: this machine may be busy, and the test be stopped at the wrong moment. */
static void expect_rate(uint64_t ticks)
{
	const uint64_t want = ticks * 3579545 / 1000;

	for (unsigned int i = 0; i < 100; i++) {
		start(ticks);
		if (uptime_rate() > want - want / 50 && uptime_rate() < want + want / 50)
			return;
	}
	fail_msg("%lu, not %lu", uptime_rate(), want);
}

static void the_rate(void **state)
{
	expect_rate(TICKS);
	expect_rate(3 * TICKS);
}

static void no_rate(void **state)
{
	start(UINT64_MAX); /* stands still */
	assert_int_equal(uptime_rate(), 0);
	assert_int_equal(uptime_ms(), 0);
	start(TICKS);
	fadt.timer.space = ACPI_NONE;
	uptime_init(&fadt);
	assert_int_equal(uptime_rate(), 0);
}

static void runs(void **state)
{
	uint64_t before, ticks, ms;

	start(TICKS);
	before = arch_rdtsc();
	ticks = uptime_ticks();
	ms = uptime_ms();
	while (arch_rdtsc() - before < 10 * RATE)
		;
	assert_true(uptime_ticks() - ticks >= 10 * RATE - (arch_rdtsc() - before) / 100);
	assert_true(uptime_ticks() - ticks < arch_rdtsc() - before + RATE);
	assert_true(uptime_ms() - ms >= 9);
}

/* Set back or forward by any amount, by two writes or many, it goes on as if nothing were. */
static void moved(void **state)
{
	const uint64_t to[] = {0, 1, 1ull << 40, 1ull << 63, UINT64_MAX};
	uint64_t real, ticks;

	start(TICKS);
	for (unsigned int i = 0; i < ARRAY_SIZE(to); i++) {
		real = arch_rdtsc();
		ticks = uptime_ticks();
		/* The counter would be at `to` now: with this one, the other way round. */
		uptime_moved(cpu, to[i], real);
		uptime_moved(cpu, real, to[i]);
		assert_true(uptime_ticks() - ticks < arch_rdtsc() - real + 10000);
	}
	/* In the sum of many the clock gains, and never loses. */
	ticks = uptime_ticks();
	for (unsigned int i = 0; i < 1000; i++)
		uptime_moved(cpu, 7, 7 + 100);
	assert_true(uptime_ticks() - ticks > 1000 * 3000);
}

/* A counter that says less than before stops the clock, if anything, until it has caught up; another CPU's carries it on. */
static void never_back(void **state)
{
	uint64_t ticks;

	start(TICKS);
	ticks = uptime_ticks();
	cpu->tsc_moved += 1ull << 40;
	assert_int_equal(uptime_ticks(), ticks);
	fake_become(cpu_at(1));
	assert_true(uptime_ticks() > ticks);
	ticks = uptime_ticks();
	fake_become(cpu);
	assert_true(uptime_ticks() >= ticks);
}

/* A CPU whose counter is anywhere goes on where the others are. */
static void joins(void **state)
{
	uint64_t ticks;

	start(TICKS);
	ticks = uptime_ticks();
	cpu_at(1)->tsc_moved = 1ull << 50;
	uptime_join(cpu_at(1));
	fake_become(cpu_at(1));
	assert_true(uptime_ticks() >= ticks);
	assert_true(uptime_ticks() - ticks < arch_rdtsc());
	assert_true(cpu_at(1)->tsc_moved < 1ull << 40);
}

/* L1's writes reach the counter, and the clock hears of each. */
static void l1_writes(void **state)
{
	uint64_t value, moved;

	start(TICKS);
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t msr = i ? TSC_ADJUST : TSC;

		assert_true(msr_watched(msr, true));
		assert_false(msr_watched(msr, false));
		moved = cpu->tsc_moved;
		assert_int_equal(msr_write(cpu, msr, 0x1234), 0);
		assert_int_equal(msr_try_read(msr, &value), 0);
		assert_int_equal(value, 0x1234);
		assert_true(cpu->tsc_moved != moved);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rate),  cmocka_unit_test(no_rate),    cmocka_unit_test(runs),
		cmocka_unit_test(moved),     cmocka_unit_test(never_back), cmocka_unit_test(joins),
		cmocka_unit_test(l1_writes),
	};

	return RUN_APART(tests);
}
