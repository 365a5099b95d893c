/* SPDX-License-Identifier: Apache-2.0 */
/* memory_op: what it shows, and what it lets Xen do to the guest's table. */
#include "tests/unit/test_guestcall.h"

#define MEMORY_OP 12
#define DECREASE 1
#define POPULATE 6
#define PHYSMAP 7
#define MAP 9
#define MOST 512 /* gfns */

enum space { SHARED_INFO, GRANT_TABLE, GMFN, GMFN_RANGE, GMFN_FOREIGN };

static uint64_t gfns[MOST + 1];

static uint64_t op(unsigned int sub, uint64_t start)
{
	return start << 6 | sub;
}

static void put_list(bool wide, uint64_t gva, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		put(gva + (uint64_t)i * (wide ? 8 : 4), &gfns[i], wide ? 8 : 4);
}

static void reserve(bool wide, uint64_t first, const struct reservation_wide *r)
{
	const struct reservation_compat c = {(uint32_t)r->extents, (uint32_t)r->count, r->order,
					     r->flags, r->domid};

	if (wide)
		put(AT, r, sizeof(*r));
	else
		put(AT, &c, sizeof(c));
	make(wide, MEMORY_OP, first, AT, 0);
}

static void ballooning(void **state)
{
	static const unsigned int counts[] = {1, 2, 511, 512};
	static const unsigned int subs[] = {DECREASE, POPULATE};

	for (unsigned int i = 0; i < 16; i++) {
		bool wide = i & 1;
		unsigned int sub = subs[i >> 1 & 1], n = counts[i >> 2];
		struct reservation_wide r = {LIST, n, 0, 0, SELF};
		struct reservation_compat compat = {LIST, n, 0, 0, SELF};

		for (unsigned int g = 0; g < n; g++)
			gfns[g] = 0x1000 + 3 * g;
		gfns[n - 1] = wide ? GUESTCALL_GFN_END - 1 : UINT32_MAX;
		put_list(wide, LIST, n);
		reserve(wide, sub, &r);
		expect_pass(2, 2);
		if (wide)
			expect_operand(0, AT, 32, 0, 0, &r, 26);
		else
			expect_operand(0, AT, 20, 0, 0, &compat, 18);
		assert_int_equal(call.operand[1].gva.a, LIST);
		assert_int_equal(call.operand[1].bytes, n * (wide ? 8 : 4));
		assert_true(call.operand[1].shown);
		assert_int_equal(call.operand[1].taken, 0);
		assert_int_equal(call.effect,
				 sub == DECREASE ? GUESTCALL_RELEASE : GUESTCALL_POPULATE);
		assert_int_equal(call.count, n);
		for (unsigned int g = 0; g < n; g++) {
			uint64_t shown = 0;

			/* Xen sees the gfns that were judged, whatever memory holds by now. */
			assert_int_equal(guestcall_gfn(&call, g), gfns[g]);
			memcpy(&shown, call.data + call.operand[1].data + g * (wide ? 8u : 4u),
			       wide ? 8 : 4);
			assert_int_equal(shown, gfns[g]);
		}
	}
}

static void interrupted_ballooning(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++)
		for (uint64_t start = 0; start < 12; start++) {
			struct reservation_wide r = {LIST, 10, 0, 0, SELF};

			for (unsigned int g = 0; g < 10; g++)
				gfns[g] = 0x70 + g;
			put_list(wide, LIST, 10);
			reserve(wide, op(DECREASE, start), &r);
			if (start >= 10) { /* Xen's answer too: so many are done */
				expect_answer((int64_t)start);
				continue;
			}
			expect_pass(2, 2);
			assert_int_equal(call.operand[1].bytes, wide ? 80 : 40);
			assert_int_equal(call.count, 10 - start);
			for (unsigned int g = 0; g < call.count; g++)
				assert_int_equal(guestcall_gfn(&call, g), 0x70 + start + g);
		}
}

/* Linux stops if nothing to do is an error. */
static void empty_balloons_are_done(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		reserve(wide, DECREASE, &(struct reservation_wide){LIST, 0, 0, 0, SELF});
		expect_answer(0);
	}
}

static void balloons_that_are_refused(void **state)
{
	static const struct {
		struct reservation_wide r;
		int error;
	} rows[] = {
		{{LIST, MOST + 1, 0, 0, SELF}, ERR_2BIG},
		{{LIST, UINT32_MAX, 0, 0, SELF}, ERR_2BIG},
		{{LIST, 1, 9, 0, SELF}, ERR_INVAL},
		{{LIST, 1, 0, 1 << 16, SELF}, ERR_INVAL}, /* populate on demand */
		{{LIST, 1, 0, 0, 0}, ERR_PERM},
		{{LIST, 1, 0, 0, 0x7ff1}, ERR_PERM},
		{{0, 1, 0, 0, SELF}, ERR_FAULT},
		{{BASE + MEMORY - 2, 1, 0, 0, SELF}, ERR_FAULT},
		{{UINT32_MAX - 2, 1, 0, 0, SELF}, ERR_FAULT},
	};

	for (unsigned int wide = 0; wide < 2; wide++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			gfns[0] = 0x80;
			put_list(wide, LIST, 1);
			reserve(wide, DECREASE, &rows[i].r);
			expect_answer(rows[i].error);
			put_list(wide, LIST, 1);
			reserve(wide, POPULATE, &rows[i].r);
			expect_answer(rows[i].error);
		}
	reserve(true, DECREASE, &(struct reservation_wide){UINT64_MAX - 6, 1, 0, 0, SELF});
	expect_answer(ERR_FAULT);
	reserve(true, DECREASE, &(struct reservation_wide){LIST, (uint64_t)1 << 61, 0, 0, SELF});
	expect_answer(ERR_2BIG);
	gfns[0] = 1;
	gfns[1] = GUESTCALL_GFN_END;
	put_list(true, LIST, 2);
	reserve(true, DECREASE, &(struct reservation_wide){LIST, 2, 0, 0, SELF});
	expect_answer(ERR_INVAL);
}

static void physmap(bool wide, bool grants, uint64_t first, const struct physmap_wide *p)
{
	const struct physmap_compat c = {p->domid, p->size, p->space, (uint32_t)p->idx,
					 (uint32_t)p->gpfn};

	if (wide)
		put(AT, p, sizeof(*p));
	else
		put(AT, &c, sizeof(c));
	request.grants = grants;
	make(wide, MEMORY_OP, first, AT, 0);
	if (call.pass) {
		expect_pass(2, 1);
		expect_operand(0, AT, wide ? 24 : 16, 0, 0, wide ? (const void *)p : &c,
			       wide ? 24 : 16);
	}
}

static void pages_are_shared(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++)
		for (unsigned int space = 0; space < 2; space++)
			for (unsigned int grants = 0; grants < 2; grants++) {
				physmap(wide, grants, PHYSMAP,
					&(struct physmap_wide){SELF, 0, space, 0, 0xfdfff});
				if (space == GRANT_TABLE && !grants) {
					expect_answer(ERR_NOSYS);
					continue;
				}
				assert_true(call.pass);
				assert_int_equal(call.effect, space == GRANT_TABLE
								      ? GUESTCALL_SHARE
								      : GUESTCALL_SHARE_INFO);
				assert_int_equal(call.to, 0xfdfff);
				assert_int_equal(call.count, 1);
			}
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 0, 0, 0, GUESTCALL_GFN_END});
	expect_answer(ERR_INVAL);
	physmap(true, true, op(PHYSMAP, 1), &(struct physmap_wide){SELF, 5, 0, 0, 1});
	expect_answer(ERR_INVAL);
}

/* hvmloader takes RAM out of the hole for devices, some 64K pages a call. */
static void pages_move(void **state)
{
	for (unsigned int wide = 0; wide < 2; wide++) {
		physmap(wide, false, PHYSMAP,
			&(struct physmap_wide){SELF, 0, GMFN, 0x3ffff, 0xfc000});
		assert_true(call.pass);
		assert_int_equal(call.effect, GUESTCALL_MOVE);
		assert_int_equal(call.from, 0x3ffff);
		assert_int_equal(call.to, 0xfc000);
		assert_int_equal(call.count, 1);

		physmap(wide, false, op(PHYSMAP, 16),
			&(struct physmap_wide){SELF, 0xffff, GMFN_RANGE, 0xe0000, 0x100000});
		assert_true(call.pass);
		assert_int_equal(call.effect, GUESTCALL_MOVE);
		assert_int_equal(call.from, 0xe0010);
		assert_int_equal(call.to, 0x100010);
		assert_int_equal(call.count, 0xffff - 16);
	}
}

static void moves_that_are_refused(void **state)
{
	static const struct {
		struct physmap_wide p;
		uint64_t start;
		int error;
	} rows[] = {
		{{0, 0, GMFN, 1, 2}, 0, ERR_PERM},
		{{SELF, 0, GMFN_FOREIGN, 1, 2}, 0, ERR_NOSYS},
		{{SELF, 0, 5, 1, 2}, 0, ERR_NOSYS},
		{{SELF, 0, 0x10002, 1, 2}, 0, ERR_NOSYS},
		{{SELF, 0, GMFN, 1, 1}, 0, ERR_INVAL},
		{{SELF, 5, GMFN, 1, 2}, 1, ERR_INVAL},
		{{SELF, 0, GMFN_RANGE, 1, 2}, 0, ERR_INVAL},
		{{SELF, 5, GMFN_RANGE, 0x100, 0x200}, 5, ERR_INVAL},
		{{SELF, 5, GMFN_RANGE, 0x100, 0x104}, 0, ERR_INVAL},
		{{SELF, 5, GMFN_RANGE, 0x104, 0x100}, 0, ERR_INVAL},
		{{SELF, 5, GMFN_RANGE, 0x104, 0x100}, 4, ERR_INVAL},
	};
	const uint64_t end = GUESTCALL_GFN_END;

	for (unsigned int wide = 0; wide < 2; wide++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			physmap(wide, true, op(PHYSMAP, rows[i].start), &rows[i].p);
			expect_answer(rows[i].error);
		}
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 5, GMFN_RANGE, end - 5, 0});
	assert_true(call.pass);
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 5, GMFN_RANGE, 0, end - 5});
	assert_true(call.pass);
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 5, GMFN_RANGE, 0x100, 0x105});
	assert_true(call.pass);
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 5, GMFN_RANGE, 0x105, 0x100});
	assert_true(call.pass);
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 5, GMFN_RANGE, end - 4, 0});
	expect_answer(ERR_INVAL);
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 5, GMFN_RANGE, 0, end - 4});
	expect_answer(ERR_INVAL);
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 5, GMFN_RANGE, UINT64_MAX, 0});
	expect_answer(ERR_INVAL);
	physmap(true, true, PHYSMAP, &(struct physmap_wide){SELF, 1, GMFN, 0, UINT64_MAX});
	expect_answer(ERR_INVAL);
}

static void memory_maps(void **state)
{
	for (unsigned int n = 0; n <= 130; n++) {
		struct map_wide wide = {n, LIST};
		struct map_compat compat = {n, LIST};

		memset((uint8_t *)&wide + 4, 0, 4);
		for (unsigned int w = 0; w < 2; w++) {
			if (w)
				put(AT, &wide, sizeof(wide));
			else
				put(AT, &compat, sizeof(compat));
			make(w, MEMORY_OP, MAP, AT, 0);
			if (n > 128) {
				expect_answer(ERR_2BIG);
				continue;
			}
			expect_pass(2, n ? 2 : 1);
			/* The pointer stays as it is, whatever Xen writes back. */
			expect_operand(0, AT, w ? 16 : 8, 0, 4, w ? (const void *)&wide : &compat,
				       w ? 16 : 8);
			if (n)
				expect_operand(1, LIST, 20 * n, 0, 20 * n, NULL, 0);
		}
	}
	put(AT, &(struct map_compat){1, LIST}, sizeof(struct map_compat));
	make(false, MEMORY_OP, op(MAP, 1), AT, 0);
	expect_answer(ERR_NOSYS);
	put(AT, &(struct map_compat){2, UINT32_MAX - 38}, sizeof(struct map_compat));
	make(false, MEMORY_OP, MAP, AT, 0);
	expect_answer(ERR_FAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ballooning),
		cmocka_unit_test(interrupted_ballooning),
		cmocka_unit_test(empty_balloons_are_done),
		cmocka_unit_test(balloons_that_are_refused),
		cmocka_unit_test(pages_are_shared),
		cmocka_unit_test(pages_move),
		cmocka_unit_test(moves_that_are_refused),
		cmocka_unit_test(memory_maps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
