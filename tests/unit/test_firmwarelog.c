/* SPDX-License-Identifier: Apache-2.0 */
/* Where a firmware's log ends and where final events begin, of good bytes and of all that can be wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/test_firmwarelog_bytes.h"

static uint8_t space[4096];
static struct firmwarelog log;

/* Header, then events with 0, 7 and 100 bytes. */
static struct bytes three_events(void)
{
	struct bytes b = {space, 0};

	put_header(&b);
	put_event(&b, 0, 0);
	put_event(&b, 4, 7);
	put_event(&b, 8, 100);
	return b;
}

/* On a heap of just that size, for the address sanitizer. */
static uint8_t *exactly(const void *bytes, uint32_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	return copy;
}

static void finds_the_end(void **state)
{
	struct bytes b = three_events();
	uint32_t end;

	assert_true(firmwarelog_open(&log, b.at, b.len));
	assert_int_equal(log.first, HEADER);
	assert_int_equal(log.banks, 2);
	assert_true(firmwarelog_end(&log, b.at, b.len, 0, &end));
	assert_int_equal(end, HEADER);
	assert_true(firmwarelog_end(&log, b.at, b.len, HEADER, &end));
	assert_int_equal(end, HEADER + EVENT(0));
	assert_true(firmwarelog_end(&log, b.at, sizeof(space), b.len - EVENT(100), &end));
	assert_int_equal(end, b.len);
}

static void refuses_what_is_cut_off(void **state)
{
	struct bytes b = three_events();
	uint32_t last = b.len - EVENT(100), end;

	for (uint32_t len = 0; len < b.len; len++) {
		uint8_t *copy = exactly(b.at, len);
		bool good = firmwarelog_open(&log, copy, len);

		assert_int_equal(good, len >= HEADER);
		if (good)
			assert_false(firmwarelog_end(&log, copy, len, last, &end));
		free(copy);
	}
}

static void refuses_a_last_event_that_is_none(void **state)
{
	struct bytes b = three_events();
	uint32_t end;

	assert_true(firmwarelog_open(&log, b.at, b.len));
	for (uint64_t last = 1; last < b.len + 8; last++)
		assert_int_equal(firmwarelog_end(&log, b.at, b.len, last, &end),
				 last == HEADER || last == HEADER + EVENT(0) ||
					 last == HEADER + EVENT(0) + EVENT(7));
	assert_false(firmwarelog_end(&log, b.at, b.len, UINT64_MAX, &end));
}

static void refuses_other_headers(void **state)
{
	const struct {
		uint32_t at;
		uint8_t value;
	} wrong[] = {{4, 4},   {32, 's'}, {47, 'x'}, {56, 0}, {56, FIRMWARELOG_BANKS_MAX + 1},
		     {28, 27}, {31, 0xff}};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct bytes b = three_events();

		b.at[wrong[i].at] = wrong[i].value;
		assert_false(firmwarelog_open(&log, b.at, b.len));
	}
}

static void refuses_unknown_digests_and_too_many(void **state)
{
	struct bytes b = three_events();
	uint32_t end;

	assert_true(firmwarelog_open(&log, b.at, b.len));
	b.at[HEADER + 12] = SHA1 + 1;
	assert_false(firmwarelog_end(&log, b.at, b.len, HEADER, &end));
	b.at[HEADER + 12] = SHA1;
	b.at[HEADER + 8] = 3;
	assert_false(firmwarelog_end(&log, b.at, b.len, HEADER, &end));
	b.at[HEADER + 8] = 2;
	assert_true(firmwarelog_end(&log, b.at, b.len, HEADER, &end));
}

static struct bytes final_events(uint64_t says)
{
	struct bytes b = three_events();

	assert_true(firmwarelog_open(&log, b.at, b.len));
	b.len = 0;
	put_final_head(&b, says);
	put_event(&b, 5, 1);
	put_event(&b, 5, 2);
	put_event(&b, 5, 3);
	return b;
}

static void finds_the_final_events(void **state)
{
	struct bytes b = final_events(3);
	const uint32_t starts[] = {16, 16 + EVENT(1), 16 + EVENT(1) + EVENT(2), b.len};
	uint32_t from, to;

	for (uint64_t skip = 0; skip <= 3; skip++) {
		assert_true(firmwarelog_final(&log, b.at, sizeof(space), skip, &from, &to));
		assert_int_equal(from, starts[skip]);
		assert_int_equal(to, b.len);
	}
	assert_false(firmwarelog_final(&log, b.at, b.len, 4, &from, &to));
	b = final_events(0);
	assert_true(firmwarelog_final(&log, b.at, b.len, 0, &from, &to));
	assert_int_equal(from, 16);
	assert_int_equal(to, 16);
}

static void refuses_wrong_final_events(void **state)
{
	struct bytes b = final_events(3);
	uint32_t from, to;

	for (uint32_t len = 0; len < b.len; len++) {
		uint8_t *copy = exactly(b.at, len);

		assert_false(firmwarelog_final(&log, copy, len, 0, &from, &to));
		free(copy);
	}
	b.at[0] = 2; /* the table's version */
	assert_false(firmwarelog_final(&log, b.at, b.len, 0, &from, &to));
	b = final_events(UINT64_MAX);
	assert_false(firmwarelog_final(&log, b.at, b.len, 0, &from, &to));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_end),
		cmocka_unit_test(refuses_what_is_cut_off),
		cmocka_unit_test(refuses_a_last_event_that_is_none),
		cmocka_unit_test(refuses_other_headers),
		cmocka_unit_test(refuses_unknown_digests_and_too_many),
		cmocka_unit_test(finds_the_final_events),
		cmocka_unit_test(refuses_wrong_final_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
