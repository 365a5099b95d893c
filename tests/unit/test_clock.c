/* SPDX-License-Identifier: Apache-2.0 */
/* The counter of a guest does not run backwards. Offsets are far apart: the real TSC goes on meanwhile. */
#include "monitor/clock.h"
#include "monitor/arch.h"
#include "tests/unit/test_machine.h"

#define STEP ((uint64_t)1 << 50)
#define TSC MSR_TSC

static struct clock c;

static int set_up(void **state)
{
	c = (struct clock){.started = false};
	return 0;
}

static void forward_only(void **state)
{
	assert_int_equal(clock_enter(&c, 5 * STEP, false), 5 * STEP);
	assert_int_equal(clock_enter(&c, 6 * STEP, false), 6 * STEP);
	assert_int_equal(clock_enter(&c, 4 * STEP, false), 6 * STEP);
	assert_int_equal(clock_enter(&c, 4 * STEP, false), 6 * STEP);
	assert_int_equal(clock_enter(&c, 5 * STEP, false), 6 * STEP);
	assert_int_equal(clock_enter(&c, 7 * STEP, false), 7 * STEP);
}

static void the_first_may_be_any(void **state)
{
	uint64_t zero = -arch_rdtsc();

	assert_int_equal(clock_enter(&c, zero, false), zero); /* Xen begins at 0 */
	assert_int_equal(clock_enter(&c, zero - STEP, false), zero);
	assert_int_equal(clock_enter(&c, zero + STEP, false), zero + STEP);
}

/* So far forward that the counter wraps around. */
static void around_the_end(void **state)
{
	const uint64_t quarter = (uint64_t)1 << 62;

	assert_int_equal(clock_enter(&c, 3 * quarter, false), 0); /* the first may not, either */
	assert_int_equal(clock_enter(&c, quarter, false), quarter);
	for (unsigned int i = 2; i < 5; i++)
		assert_int_equal(clock_enter(&c, i * quarter, false), quarter);
	clock_written(&c, TSC);
	assert_int_equal(clock_enter(&c, 3 * quarter, false),
			 3 * quarter); /* the guest wants it so */
}

static void the_guest_sets_it_back(void **state)
{
	clock_enter(&c, 5 * STEP, false);
	clock_written(&c, TSC + 1);
	assert_int_equal(clock_enter(&c, STEP, false), 5 * STEP);
	clock_written(&c, TSC);
	assert_int_equal(clock_enter(&c, STEP, false), STEP);
	assert_int_equal(clock_enter(&c, 0, false), STEP); /* once */
	clock_written(&c, 0x3b);
	assert_int_equal(clock_enter(&c, 0, false), 0);
}

/* L1 sets the processor's own counter back: as if the guest had come out later than it did. */
static void the_processor_goes_back(void **state)
{
	assert_int_equal(clock_enter(&c, STEP, false), STEP);
	clock_leave(&c);
	assert_int_equal(clock_enter(&c, STEP, false), STEP);
	clock_leave(&c);
	c.left += 3 * STEP;
	assert_in_range(clock_enter(&c, STEP, false), 4 * STEP - STEP / 2, 4 * STEP);
	clock_leave(&c);
	assert_in_range(clock_enter(&c, STEP, false), 4 * STEP - STEP / 2, 4 * STEP);
	c.left -= 3 * STEP; /* and forward again */
	assert_int_equal(clock_enter(&c, STEP, false), STEP);
	c.left += 3 * STEP;
	clock_written(&c, TSC);
	assert_int_equal(clock_enter(&c, 0, false), 0);
}

static void answers(void **state)
{
	clock_enter(&c, 0, true);
	assert_true(c.exits);
	assert_int_equal(clock_answer(&c, 100), 100);
	assert_int_equal(clock_answer(&c, 99), 100);
	assert_int_equal(clock_answer(&c, 101), 101);
	clock_written(&c, TSC);
	clock_enter(&c, 0, true);
	assert_int_equal(clock_answer(&c, 7), 7);
	assert_int_equal(clock_answer(&c, 6), 7);
}

static void how_it_is_read_stays(void **state)
{
	clock_enter(&c, 0, true);
	clock_enter(&c, 1, false);
	assert_true(c.exits);
	set_up(state);
	clock_enter(&c, 0, false);
	clock_enter(&c, 1, true);
	assert_false(c.exits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(forward_only, set_up),
		cmocka_unit_test_setup(the_first_may_be_any, set_up),
		cmocka_unit_test_setup(around_the_end, set_up),
		cmocka_unit_test_setup(the_guest_sets_it_back, set_up),
		cmocka_unit_test_setup(the_processor_goes_back, set_up),
		cmocka_unit_test_setup(answers, set_up),
		cmocka_unit_test_setup(how_it_is_read_stays, set_up),
	};

	return RUN_APART(tests);
}
