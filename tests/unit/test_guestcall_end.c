/* SPDX-License-Identifier: Apache-2.0 */
/* What a hostile Xen may answer, and how it may interrupt a call. */
#include "tests/unit/test_guestcall.h"

static uint8_t taken[1024];

/* What the guest gets in RAX. */
static int64_t accept(int64_t rax, bool merged)
{
	uint64_t value = (uint64_t)rax;

	assert_true(call.pass);
	assert_int_equal(guestcall_accept(&call, &value, call.operands ? taken : NULL), merged);
	return call.wide ? (int64_t)value : (int32_t)value;
}

static void put_reservation(bool wide, unsigned int n)
{
	struct reservation_wide w = {LIST, n, 0, 0, SELF};
	struct reservation_compat c = {LIST, n, 0, 0, SELF};

	memset(memory + (LIST - BASE), 0, PAGE_SIZE);
	if (wide)
		put(AT, &w, sizeof(w));
	else
		put(AT, &c, sizeof(c));
}

static void results_are_in_range(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		make(wide, 29, 0, 0, 0); /* yield */
		assert_int_equal(accept(0, true), 0);
		assert_int_equal(accept(1, false), ERR_IO);
		assert_int_equal(accept(-1, false), -1);
		assert_int_equal(accept(-4095, false), -4095);
		assert_int_equal(accept(-4096, false), ERR_IO);
		assert_int_equal(accept(INT32_MIN, false), ERR_IO);
		make(wide, 18, 0, 0, AT); /* console */
		assert_int_equal(accept(1, false), ERR_IO);
		make(wide, 29, 3, AT, 0); /* poll */
		assert_int_equal(accept(0, true), 0);
		assert_int_equal(accept(1, false), ERR_IO);
		make(wide, 17, 0, 0, 0); /* version */
		assert_int_equal(accept(0x40011, true), 0x40011);
		make(wide, 17, 7, 0, 0); /* pagesize */
		assert_int_equal(accept(4096, true), 4096);
		assert_int_equal(accept(4097, false), ERR_IO);
		put_reservation(wide, 20);
		make(wide, 12, 1, AT, 0);
		assert_int_equal(accept(0, true), 0);
		assert_int_equal(accept(20, true), 20);
		assert_int_equal(accept(21, false), ERR_IO);
		/* Those done before count. */
		put_reservation(wide, 20);
		make(wide, 12, 5 << 6 | 6, AT, 0);
		assert_int_equal(accept(20, true), 20);
		assert_int_equal(accept(21, false), ERR_IO);
	}
	make(true, 29, 0, 0, 0);
	assert_int_equal(accept(INT64_MIN, false), ERR_IO);
	assert_int_equal(accept((int64_t)1 << 32, false), ERR_IO);
	/* A 32-bit guest has EAX alone. */
	make(false, 29, 0, 0, 0);
	assert_int_equal(accept((int64_t)1 << 32, true), 0);
}

static void rax_has_no_other_bits(void **state)
{
	uint64_t rax = JUNK | (uint32_t)ERR_INVAL;

	make(false, 29, 0, 0, 0);
	assert_false(guestcall_accept(&call, &rax, NULL));
	assert_int_equal(rax, (uint32_t)ERR_INVAL);
}

/* Interrupts by event channel and dom0's rights are not for this guest. */
static void features_are_masked(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		static const uint32_t bits[][2] = {
			{0xffffffff, 0x12305}, {0x12705, 0x12305}, {0x400, 0}, {0x800, 0},
			{0x200, 0x200},
		};

		for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
			make(wide, 17, 6, AT, 0);
			memset(taken, 0xaa, sizeof(taken));
			memcpy(taken, &bits[i][0], 4);
			assert_int_equal(accept(0, true), 0);
			assert_memory_equal(taken, &bits[i][1], 4);
			assert_int_equal(taken[4], 0xaa);
		}
	}
}

static void texts_end(void **state)
{
	static const unsigned int bytes[] = {0, 16, 144, 1024, 64};

	for (unsigned int wide = 0; wide < 2; wide++)
		for (unsigned int sub = 1; sub < ARRAY_SIZE(bytes); sub++) {
			make(wide, 17, sub, AT, 0);
			memset(taken, 'x', sizeof(taken));
			assert_int_equal(accept(0, true), 0);
			for (unsigned int i = 0; i < sizeof(taken); i++)
				assert_int_equal(taken[i], i == bytes[sub] - 1 ? 0 : 'x');
		}
	/* A UUID is no text. */
	make(true, 17, 8, AT, 0);
	memset(taken, 'x', sizeof(taken));
	assert_int_equal(accept(0, true), 0);
	assert_int_equal(taken[15], 'x');
}

static void xen_leaves(uint64_t value, unsigned int bytes, bool good)
{
	memset(taken, 0, sizeof(taken));
	memcpy(taken, &value, bytes);
	assert_int_equal(accept(0, good), good ? 0 : ERR_IO);
	assert_memory_equal(taken, &value, bytes);
}

static void ports_are_in_range(void **state)
{
	static const uint8_t subs[] = {0, 1, 6, 7};

	for (unsigned int i = 0; i < 2 * ARRAY_SIZE(subs); i++) {
		bool wide = i & 1;

		make(wide, 32, subs[i / 2], AT, 0);
		xen_leaves(1, 4, true);
		xen_leaves(1023, 4, true);
		xen_leaves(1024, 4, wide);
		xen_leaves(4095, 4, wide);
		xen_leaves(4096, 4, false);
		xen_leaves(UINT32_MAX, 4, false);
	}
}

static void params_are_what_they_must_be(void **state)
{
	static const struct {
		uint32_t index;
		uint64_t value;
		bool good;
	} rows[] = {
		{1, 0xfeffc, true},      {1, 0, true},           {1, 0xfefff, false},
		{1, 0xfeffd, false},     {1, 1, false},          {1, 0x1000fefffc, false},
		{1, UINT64_MAX, false},  {17, 0xfefff, true},    {17, 0xfeffc, false},
		{17, 0x100, false},      {2, 1, true},           {2, 1023, true},
		{2, 4096, false},        {2, UINT64_MAX, false}, {18, 2, true},
		{18, 1ull << 32, false},
	};

	for (unsigned int wide = 0; wide < 2; wide++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct param p = {SELF, rows[i].index, 0};

			put(AT, &p, sizeof(p));
			make(wide, 34, 1, AT, 0);
			xen_leaves(rows[i].value, 8, rows[i].good);
		}
}

static void maps_fit(void **state)
{
	for (unsigned int n = 0; n <= 128; n += 32) {
		put(AT, &(struct map_wide){n, LIST}, sizeof(struct map_wide));
		make(true, 12, 9, AT, 0);
		xen_leaves(n, 4, true);
		xen_leaves(0, 4, true);
		xen_leaves(n + 1, 4, false);
		xen_leaves(UINT32_MAX, 4, false);
		assert_int_equal(accept(1, false), ERR_IO);
		/* An error leaves the guest's structure as it was. */
		assert_int_equal(accept(ERR_NOSYS, false), ERR_NOSYS);
	}
}

static int resume(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t arg[GUESTCALL_ARGS] = {a, b, c, 0x77, 0x88}; /* the last ones are no arguments */

	for (unsigned int i = 0; i < 3 && !call.wide; i++)
		arg[i] |= JUNK;
	return guestcall_resume(&call, arg);
}

static void reservations_resume(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		put_reservation(wide, 20);
		make(wide, 12, 3 << 6 | 1, AT, 0);
		assert_true(call.pass);
		assert_int_equal(resume(3 << 6 | 1, AT, 0), 0);
		assert_int_equal(resume(4 << 6 | 1, AT, 0), 0);
		assert_int_equal(resume(19 << 6 | 1, AT, 0), 0);
		assert_int_equal(resume(20 << 6 | 1, AT, 0), ERR_INVAL);
		assert_int_equal(resume(2 << 6 | 1, AT, 0), ERR_INVAL);
		assert_int_equal(resume(4 << 6 | 6, AT, 0), ERR_INVAL);
		assert_int_equal(resume(4 << 6 | 1, AT + 1, 0), ERR_INVAL);
		assert_int_equal(resume(4 << 6 | 1, AT, 1), 0); /* no argument either */
	}
	put_reservation(true, 20);
	make(true, 12, 1, AT, 0);
	assert_int_equal(resume((uint64_t)1 << 32 | 1, AT, 0), ERR_INVAL);
}

static void moves_resume(void **state)
{
	put(AT, &(struct physmap_wide){SELF, 100, 3, 0xe0000, 0x100000}, 24);
	make(true, 12, 7, AT, 0);
	assert_true(call.pass);
	assert_int_equal(resume(16 << 6 | 7, AT, 0), 0);
	assert_int_equal(resume(99 << 6 | 7, AT, 0), 0);
	assert_int_equal(resume(100 << 6 | 7, AT, 0), ERR_INVAL);
	assert_int_equal(accept(0, true), 0);
	assert_int_equal(accept(1, false), ERR_IO);
	put(AT, &(struct physmap_wide){SELF, 0, 0, 0, 0x100000}, 24);
	make(true, 12, 7, AT, 0);
	assert_int_equal(resume(7, AT, 0), 0);
	assert_int_equal(resume(1 << 6 | 7, AT, 0), ERR_INVAL);
}

static void console_resumes(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		make(wide, 18, 0, 1000, AT);
		assert_true(call.pass);
		assert_int_equal(resume(0, 1000, AT), 0);
		assert_int_equal(resume(0, 873, AT + 127), 0);
		assert_int_equal(resume(0, 873, AT), ERR_INVAL);
		assert_int_equal(resume(0, 1000, AT + 127), ERR_INVAL);
		assert_int_equal(resume(0, 1127, AT - 127), ERR_INVAL);
		assert_int_equal(resume(1, 873, AT + 127), ERR_INVAL);
	}
}

static void others_do_not_change(void **state)
{
	make(true, 32, 1, AT, 0);
	assert_int_equal(resume(1, AT, 0), 0);
	assert_int_equal(resume(2, AT, 0), ERR_INVAL);
	assert_int_equal(resume(1 << 6 | 1, AT, 0), ERR_INVAL);
	assert_int_equal(resume(1, AT + 4, 0), ERR_INVAL);
	make(true, 24, 8, 1, AT);
	assert_int_equal(resume(8, 1, AT), 0);
	assert_int_equal(resume(8, 0, AT), ERR_INVAL);
	assert_int_equal(resume(8, 1, AT + 1), ERR_INVAL);
	assert_int_equal(resume(8, 0, AT + 1), ERR_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_are_in_range),
		cmocka_unit_test(rax_has_no_other_bits),
		cmocka_unit_test(features_are_masked),
		cmocka_unit_test(texts_end),
		cmocka_unit_test(ports_are_in_range),
		cmocka_unit_test(params_are_what_they_must_be),
		cmocka_unit_test(maps_fit),
		cmocka_unit_test(reservations_resume),
		cmocka_unit_test(moves_resume),
		cmocka_unit_test(console_resumes),
		cmocka_unit_test(others_do_not_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
