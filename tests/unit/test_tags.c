/* SPDX-License-Identifier: Apache-2.0 */
/* The tags that vCPUs run with. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/tags.h"

#define CPUS 2u
#define VCPUS 6u
#define FIRST 2u
#define LIMIT 5u /* three vCPUs have room */

static struct tag_pool pool[CPUS];
static struct tag tag_of[VCPUS];
static bool fresh[VCPUS];

/* Says whether the entry that follows is to flush, as a backend does. */
static bool flushes(unsigned int c)
{
	bool flush = pool[c].flush;

	pool[c].flush = false;
	return flush;
}

static int set_up(void **state)
{
	memset(tag_of, 0, sizeof(tag_of));
	memset(fresh, 0, sizeof(fresh));
	for (unsigned int i = 0; i < CPUS; i++) {
		tags_init(&pool[i], FIRST, LIMIT);
		assert_true(flushes(i));
	}
	return 0;
}

/* Enters it; returns its number. */
static uint32_t enter(unsigned int c, unsigned int v, uint32_t l1, bool flush)
{
	if (flush)
		tags_forget(&pool[c]);
	tags_assign(&pool[c], &tag_of[v], c, l1, fresh[v]);
	fresh[v] = false;
	assert_true(tag_of[v].value >= FIRST && tag_of[v].value < LIMIT);
	return tag_of[v].value;
}

static void the_first_entry_flushes(void **state)
{
	tags_init(&pool[0], FIRST, LIMIT);
	assert_true(flushes(0));
	assert_false(flushes(0));
}

static void a_vcpu_keeps_its_tag(void **state)
{
	uint32_t a = enter(0, 0, 7, false), b = enter(0, 1, 7, false);

	assert_int_not_equal(a, b); /* although L1 gave both the same */
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(enter(0, 0, 7, false), a);
		assert_int_equal(enter(0, 1, 7, false), b);
	}
	assert_false(flushes(0));
}

static void a_flush_is_a_new_tag(void **state)
{
	uint32_t a = enter(0, 0, 7, false), b = enter(0, 0, 7, true);

	assert_int_not_equal(a, b);
	assert_int_equal(enter(0, 0, 7, false), b);
	assert_false(flushes(0));
}

/* L1 may flush with any vCPU's entry: all of this CPU lose theirs. */
static void a_flush_is_everybodys(void **state)
{
	uint32_t a = enter(0, 0, 7, false);

	enter(0, 1, 8, true);
	assert_int_not_equal(enter(0, 0, 7, false), a);
	set_up(NULL);
	a = enter(0, 0, 7, false);
	tags_forget(&pool[0]);
	assert_int_not_equal(enter(0, 0, 7, false), a);
	assert_false(flushes(0));
}

static void another_number_of_l1s_is_a_new_tag(void **state)
{
	uint32_t a = enter(0, 0, 7, false), b = enter(0, 0, 8, false);

	assert_int_not_equal(a, b);
	assert_int_not_equal(enter(0, 0, 7, false), b);
}

static void a_fresh_record_gets_a_new_tag(void **state)
{
	uint32_t a = enter(0, 0, 7, false);

	fresh[0] = true;
	assert_int_not_equal(enter(0, 0, 7, false), a);
}

static void another_cpu_and_back(void **state)
{
	uint32_t a = enter(0, 0, 7, false);

	enter(1, 0, 7, false);
	assert_int_not_equal(enter(0, 0, 7, false), a); /* what it left there is old */
}

static void running_out_flushes_once(void **state)
{
	enter(0, 0, 7, false);
	enter(0, 1, 7, false);
	enter(0, 2, 7, false);
	assert_false(flushes(0));
	enter(0, 3, 7, false);
	assert_true(flushes(0));
	assert_false(flushes(0));
	assert_false(flushes(1));
}

/*
 * Random entries. Since the last flush of a CPU's TLB, a number there has been one vCPU's with one
 * of L1's numbers only, and none that L1 asked to forget.
 */
static void no_two_share_one(void **state)
{
	static struct {
		unsigned int user, epoch;
		uint32_t l1;
	} tlb[CPUS][LIMIT];
	unsigned int epoch = 0, forgotten_at[CPUS] = {0};
	uint32_t random = 1, flushed = 0;

	memset(tlb, 0xff, sizeof(tlb));
	for (unsigned int i = 0; i < 200000; i++) {
		unsigned int c, v;
		bool flush;
		uint32_t l1, tag;

		random = random * 1664525 + 1013904223;
		c = random >> 31;
		v = (random >> 20) % VCPUS;
		l1 = random >> 16 & 1;
		flush = !(random >> 10 & 31);
		epoch += flush;
		tag = enter(c, v, l1, flush);
		if (flushes(c)) {
			memset(tlb[c], 0xff, sizeof(tlb[c]));
			flushed++;
		}
		if (flush)
			forgotten_at[c] = epoch; /* what this CPU got before it is not to be used */
		if (tlb[c][tag].user != UINT32_MAX) {
			assert_int_equal(tlb[c][tag].user, v);
			assert_int_equal(tlb[c][tag].l1, l1);
			assert_true(tlb[c][tag].epoch >= forgotten_at[c]);
		} else {
			tlb[c][tag].user = v;
			tlb[c][tag].l1 = l1;
			tlb[c][tag].epoch = epoch;
		}
	}
	assert_true(flushed > 1000);
}

/* A pool of one number flushes for every vCPU but the one that has it. */
static void a_pool_of_one(void **state)
{
	tags_init(&pool[0], FIRST, FIRST + 1);
	for (unsigned int v = 0; v < VCPUS; v++) {
		assert_int_equal(enter(0, v, 7, false), FIRST);
		assert_true(flushes(0));
		assert_int_equal(enter(0, v, 7, false), FIRST);
		assert_false(flushes(0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_first_entry_flushes, set_up),
		cmocka_unit_test_setup(a_vcpu_keeps_its_tag, set_up),
		cmocka_unit_test_setup(a_flush_is_a_new_tag, set_up),
		cmocka_unit_test_setup(a_flush_is_everybodys, set_up),
		cmocka_unit_test_setup(another_number_of_l1s_is_a_new_tag, set_up),
		cmocka_unit_test_setup(a_fresh_record_gets_a_new_tag, set_up),
		cmocka_unit_test_setup(another_cpu_and_back, set_up),
		cmocka_unit_test_setup(running_out_flushes_once, set_up),
		cmocka_unit_test_setup(no_two_share_one, set_up),
		cmocka_unit_test_setup(a_pool_of_one, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
