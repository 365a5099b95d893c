/* SPDX-License-Identifier: Apache-2.0 */
/* Windows over a guest's pages: what L1 sees and may write, and which frame is in which page's place. */
#include "tests/unit/test_isolated.h"

#define FRAMES 2048u /* of the monitor's */
#define OUT WINDOW_OUT
#define IN WINDOW_IN

static struct windows a, b; /* of two vCPUs */
static uint64_t page;       /* one of the guest's */
static uint8_t was[PAGE_SIZE];

static owner_t owner(uint64_t hpa)
{
	return owner_of(HPA(hpa & PAGE_MASK));
}

static int opens(struct windows *w, uint64_t hpa, size_t len, unsigned int direction)
{
	return window_open(w, HPA(hpa), len, owner(hpa), direction, NULL);
}

/* The guest's pages are its own; no table is needed for them here. */
static void begin(void)
{
	isolated_machine(2);
	page = PAGES + 5 * PAGE_SIZE;
	randomize(PAGES, 16 * MIB);
	memcpy(was, fake_at(HPA(page), PAGE_SIZE), PAGE_SIZE);
	assert_true(owner_take(HPA(PAGES), 16 * MIB >> PAGE_SHIFT, 3, GPA(MIB)));
	assert_int_equal(host_set(HPA(PAGES), 16 * MIB, 0), 0);
	window_close(&a);
	window_close(&b);
}

/* L1 sees these bytes of the page, zeros elsewhere. */
static void expect_seen(uint64_t hpa, size_t from, const void *bytes, size_t n)
{
	const uint8_t *frame = seen(hpa & PAGE_MASK);
	unsigned int rights;

	assert_non_null(frame);
	assert_true(in_block(in_place_of(hpa & PAGE_MASK, &rights)));
	assert_false(rights & TABLE_X);
	assert_true(is_zero(frame, from));
	assert_memory_equal(frame + from, bytes, n);
	assert_true(is_zero(frame + from + n, PAGE_SIZE - from - n));
}

static void expect_unchanged(void)
{
	assert_memory_equal(fake_at(HPA(page), PAGE_SIZE), was, PAGE_SIZE);
}

/* --- one window ----------------------------------------------------------------------------------- */

static void a_range_is_shown(void **state)
{
	const struct {
		size_t at, len;
	} range[] = {{0, 1}, {0, PAGE_SIZE}, {PAGE_SIZE - 1, 1}, {100, 8}, {0xff0, 16}};

	for (size_t i = 0; i < ARRAY_SIZE(range); i++) {
		begin();
		assert_int_equal(opens(&a, page + range[i].at, range[i].len, OUT), 0);
		expect_seen(page, range[i].at, was + range[i].at, range[i].len);
		expect_unchanged();
		assert_int_equal(a.count, 1);
	}
}

/* What was judged, in the place of what the guest has there. */
static void given_bytes_are_shown(void **state)
{
	begin();
	assert_int_equal(window_open(&a, HPA(page + 16), 5, owner(page), OUT | IN, "judge"), 0);
	expect_seen(page, 16, "judge", 5);
	expect_unchanged();
}

static void what_l1_writes(void **state)
{
	uint8_t got[8];

	begin();
	assert_int_equal(opens(&a, page + 64, 16, IN), 0);
	expect_seen(page, 64, (const uint8_t[16]){0}, 16); /* not the page's bytes */
	l1_writes(page + 60, "0123456789abcdefghijklmn", 24);
	expect_unchanged();
	assert_true(window_read(&a, HPA(page + 64), 8, got));
	assert_memory_equal(got, "456789ab", 8);
	assert_true(window_read(&a, HPA(page + 72), 8, got));
	assert_memory_equal(got, "cdefghij", 8);
	assert_true(window_write(&a, HPA(page + 66), 4, NULL));
	memcpy(was + 66, (const char[]){'6', '7', '8', '9'}, 4);
	expect_unchanged(); /* but for these */
	assert_true(window_write(&a, HPA(page + 70), 2, "XY"));
	memcpy(was + 70, (const char[]){'X', 'Y'}, 2);
	expect_unchanged();
}

/* Not a byte around the range, nor of one that is only shown, nor when it is closed. */
static void what_is_not_taken(void **state)
{
	uint8_t got[16];

	begin();
	assert_int_equal(opens(&a, page + 64, 16, IN), 0);
	assert_int_equal(opens(&a, page + 128, 16, OUT), 0);
	assert_int_equal(opens(&a, page + PAGE_SIZE + 200, 16, IN), 0);
	l1_writes(page, was + 1, PAGE_SIZE - 1);
	const struct {
		uint64_t at;
		size_t len;
	} no[] = {
		{63, 1},
		{63, 2},
		{80, 1},
		{79, 2},
		{64, 17},
		{128, 1},
		{0, 1},
		{200, 1},
		{PAGE_SIZE + 64, 1},
		{PAGE_SIZE + 199, 17},
		{(uint64_t)0 - PAGE_SIZE + 64, 1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(no); i++) {
		assert_false(window_read(&a, HPA(page + no[i].at), no[i].len, got));
		assert_false(window_write(&a, HPA(page + no[i].at), no[i].len, NULL));
		assert_false(window_write(&a, HPA(page + no[i].at), no[i].len, was));
	}
	assert_false(window_write(&b, HPA(page + 64), 1, NULL)); /* another vCPU's */
	window_close(&a);
	assert_int_equal(a.count, 0);
	assert_false(window_read(&a, HPA(page + 64), 1, got));
	assert_false(window_write(&a, HPA(page + 64), 1, NULL));
	expect_unchanged();
}

/* It has seen it, so nothing has to be done; the next one over the page starts from there. */
static void a_closed_window_stays(void **state)
{
	unsigned int rights, flushed;
	uint64_t frame;

	begin();
	assert_int_equal(opens(&a, page + 64, 4, OUT), 0);
	frame = in_place_of(page, &rights);
	flushed = cpu->hw->flushed;
	window_close(&a);
	expect_seen(page, 64, was + 64, 4);
	randomize(page, PAGE_SIZE);
	assert_int_equal(opens(&a, page + 68, 4, OUT), 0);
	assert_int_equal(in_place_of(page, &rights), frame);
	assert_memory_equal(seen(page) + 64, was + 64, 4);
	assert_memory_equal(seen(page) + 68, fake_at(HPA(page + 68), 4), 4);
	assert_true(is_zero(seen(page) + 72, PAGE_SIZE - 72));
	assert_int_equal(cpu->hw->flushed, flushed);
}

/* An IN range over what was shown before. */
static void an_in_range_is_zero(void **state)
{
	begin();
	assert_int_equal(opens(&a, page, 32, OUT), 0);
	window_close(&a);
	assert_int_equal(opens(&a, page + 8, 8, IN), 0);
	assert_true(is_zero(seen(page) + 8, 8));
	l1_writes(page + 8, "changed!", 8);
	assert_int_equal(opens(&a, page + 8, 8, IN), 0); /* the same again */
	assert_int_equal(a.count, 1);
	assert_memory_equal(seen(page) + 8, "changed!", 8);
}

static void too_many(void **state)
{
	begin();
	for (unsigned int i = 0; i < WINDOWS_PER_VCPU; i++)
		assert_int_equal(opens(&a, page + 16 * i, 8, OUT), 0);
	assert_int_equal(opens(&a, page + 2048, 8, OUT), ERR_NOMEM);
	assert_int_equal(opens(&a, page + 16, 8, OUT), 0); /* one that is open */
	assert_int_equal(a.count, WINDOWS_PER_VCPU);
	assert_true(is_zero(seen(page) + 2048, 8));
	assert_int_equal(opens(&b, page + 2048, 8, OUT), 0);
	window_close(&a);
	assert_int_equal(opens(&a, page + 2064, 8, OUT), 0);
}

static void without_table_pages(void **state)
{
	unsigned int rights;

	begin();
	fake_limit_tables(0);
	assert_int_equal(opens(&a, page, 8, OUT), ERR_NOMEM);
	assert_int_equal(a.count, 0);
	assert_int_equal(window_export(HPA(page), owner(page)), ERR_NOMEM);
	assert_int_equal(in_place_of(page, &rights), 0);
}

/* --- pages that change hands -------------------------------------------------------------------------- */

static void a_page_of_somebody_else(void **state)
{
	const owner_t hers = owner_word(OWNER_GUEST, 3, GPA(MIB + 5 * PAGE_SIZE));
	const owner_t other[] = {
		owner_word(OWNER_GUEST, 4, GPA(MIB + 5 * PAGE_SIZE)),
		owner_word(OWNER_GUEST, 3, GPA(MIB + 6 * PAGE_SIZE)),
		OWNER_WORD(OWNER_BUSY),
		OWNER_WORD(OWNER_HOST),
	};

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		unsigned int rights;

		begin();
		assert_true(owner_change(HPA(page), hers, other[i]));
		assert_int_equal(window_open(&a, HPA(page), 8, hers, OUT, NULL), ERR_BUSY);
		assert_int_equal(a.count, 0);
		assert_int_equal(window_export(HPA(page), hers), 0); /* L1 tries again */
		assert_int_equal(in_place_of(page, &rights), 0);
	}
}

/* It went while a window was open over it: nothing is written. */
static void a_page_that_goes(void **state)
{
	const owner_t hers = owner_word(OWNER_GUEST, 3, GPA(MIB + 5 * PAGE_SIZE));
	unsigned int rights;
	uint64_t frame;

	begin();
	assert_int_equal(opens(&a, page, 8, IN), 0);
	frame = in_place_of(page, &rights);
	l1_writes(page, "too late", 8);
	owner_hold(HPA(page), 1, 3, GPA(MIB + 5 * PAGE_SIZE));
	assert_false(window_write(&a, HPA(page), 8, NULL));
	assert_true(window_cancel(HPA(page)));
	assert_false(window_cancel(HPA(page)));
	assert_int_equal(host_set(HPA(page), PAGE_SIZE, TABLE_RWX), 0);
	owner_give(HPA(page), 1);
	assert_false(window_write(&a, HPA(page), 8, NULL));
	expect_unchanged();
	/* the guest's again: what L1 wrote before it left is of no use */
	assert_true(owner_take(HPA(page), 1, 3, GPA(MIB + 5 * PAGE_SIZE)));
	assert_false(window_write(&a, HPA(page), 8, NULL));
	expect_unchanged();
	owner_hold(HPA(page), 1, 3, GPA(MIB + 5 * PAGE_SIZE));
	owner_give(HPA(page), 1);
	/* L1's, and then another guest's: it gets another frame while the old one may be known */
	assert_true(owner_take(HPA(page), 1, 4, GPA(0)));
	assert_int_equal(host_set(HPA(page), PAGE_SIZE, 0), 0);
	assert_int_equal(opens(&b, page + 8, 8, OUT), 0);
	assert_int_not_equal(in_place_of(page, &rights), frame);
	expect_seen(page, 8, was + 8, 8);
	assert_false(window_write(&a, HPA(page), 8, NULL));
	assert_int_equal(window_open(&a, HPA(page + 100), 8, hers, OUT, NULL), ERR_BUSY);
	window_close(&a);
	window_close(&b);
	assert_false(window_cancel(HPA(PAGES))); /* which never had one */
}

/* A guest that is no more; another's windows stay. */
static void forgotten(void **state)
{
	unsigned int rights;
	uint64_t hers;

	begin();
	hers = PAGES + 15 * MIB;
	owner_set(hers, hers + PAGE_SIZE, OWNER_HOST);
	assert_true(owner_take(HPA(hers), 1, 4, GPA(0)));
	assert_int_equal(opens(&a, page, 8, IN), 0);
	assert_int_equal(opens(&b, hers, 8, IN), 0);
	assert_int_equal(window_export(HPA(page + PAGE_SIZE), owner(page + PAGE_SIZE)), 0);
	window_forget(3);
	assert_int_equal(in_place_of(page, &rights), 0);
	assert_int_equal(in_place_of(page + PAGE_SIZE, &rights), 0);
	assert_non_null(seen(hers));
	window_close(&a);
	assert_int_equal(opens(&a, page, 8, OUT), 0);
	expect_seen(page, 0, was, 8);
}

/* --- two vCPUs --------------------------------------------------------------------------------------- */

static void two_vcpus_over_one_page(void **state)
{
	unsigned int rights;
	uint64_t frame;

	begin();
	assert_int_equal(opens(&a, page, 16, OUT), 0);
	frame = in_place_of(page, &rights);
	assert_int_equal(opens(&b, page + 32, 16, IN), 0);
	assert_int_equal(in_place_of(page, &rights), frame);
	expect_seen(page, 0, was, 16);
	l1_writes(page + 32, "0123456789abcdef", 16);
	window_close(&a); /* the other's goes on */
	assert_true(window_write(&b, HPA(page + 32), 16, NULL));
	for (unsigned int i = 0; i < 16; i++)
		was[32 + i] = (uint8_t) "0123456789abcdef"[i];
	expect_unchanged();
	/* Nor does L1's reading elsewhere in it */
	assert_int_equal(window_export(HPA(page), owner(page)), 0);
	assert_memory_equal(seen(page) + 32, "0123456789abcdef", 16);
	assert_int_equal(in_place_of(page, &rights), frame);
	assert_int_equal(rights, TABLE_R | TABLE_W);
}

/* --- ciphertext ---------------------------------------------------------------------------------------- */

static void an_export(void **state)
{
	uint8_t first[PAGE_SIZE];
	unsigned int rights;

	begin();
	assert_int_equal(window_export(HPA(page), owner(page)), 0);
	in_place_of(page, &rights);
	assert_int_equal(rights, TABLE_R);
	memcpy(first, seen(page), PAGE_SIZE);
	assert_memory_not_equal(first, was, 16);
	assert_memory_not_equal(first + PAGE_SIZE - 16, was + PAGE_SIZE - 16, 16);
	expect_unchanged();
	assert_int_equal(window_export(HPA(page), owner(page)), 0);
	assert_memory_not_equal(seen(page), first, 16); /* never by the same nonce */
	assert_memory_not_equal(seen(page) + PAGE_SIZE - 16, first + PAGE_SIZE - 16, 16);
	/* A window takes its place: no ciphertext is left around its range */
	assert_int_equal(opens(&a, page + 8, 8, OUT), 0);
	expect_seen(page, 8, was + 8, 8);
	in_place_of(page, &rights);
	assert_int_equal(rights, TABLE_R | TABLE_W);
	window_close(&a);
	/* and the reverse */
	assert_int_equal(window_export(HPA(page), owner(page)), 0);
	assert_memory_not_equal(seen(page) + 8, was + 8, 8);
	assert_memory_not_equal(seen(page) + 8, first + 8, 8);
}

/* --- frames -------------------------------------------------------------------------------------------- */

static uint64_t nth(unsigned int i)
{
	return PAGES + (uint64_t)i * PAGE_SIZE;
}

/* How many of the guest's pages L1 sees something in the place of; each its own frame. */
static unsigned int frames_seen(void)
{
	static bool used[BLOCK_SIZE >> PAGE_SHIFT];
	unsigned int n = 0, rights;

	memset(used, 0, sizeof(used));
	for (unsigned int i = 0; i < 16 * MIB >> PAGE_SHIFT; i++) {
		uint64_t at = in_place_of(nth(i), &rights);

		if (!at)
			continue;
		assert_true(in_block(at));
		assert_false(used[(at - BLOCK) >> PAGE_SHIFT]);
		used[(at - BLOCK) >> PAGE_SHIFT] = true;
		n++;
	}
	return n;
}

/* They are taken from pages that nobody has a window over, after all CPUs have flushed. */
static void frames_are_used_again(void **state)
{
	unsigned int i, flushed, rights, again = 0;

	begin();
	assert_int_equal(opens(&b, page, 8, OUT), 0);
	flushed = cpu_at(1)->hw->flushed;
	for (i = 0; i < 16 * MIB >> PAGE_SHIFT; i++) {
		const uint64_t at = nth(i) + i % 500 * 8; /* what was there before is gone */

		if (nth(i) == page)
			continue;
		int err = opens(&a, at, 8, OUT);

		if (err == ERR_BUSY) { /* others were served: look again */
			assert_int_equal(cpu_at(1)->hw->flushed, flushed + 1);
			assert_int_equal(a.count, 0);
			assert_int_equal(frames_seen(), 1); /* the one that is open */
			flushed++;
			again++;
			err = opens(&a, at, 8, OUT);
		}
		assert_int_equal(err, 0);
		expect_seen(nth(i), page_offset(at), fake_at(HPA(at), 8), 8);
		window_close(&a);
		assert_int_equal(cpu_at(1)->hw->flushed, flushed);
	}
	assert_true(again >= 1);
	assert_non_null(seen(page));
	assert_int_equal(b.count, 1);
	expect_seen(page, 0, was, 8);
	in_place_of(page, &rights);
	frames_seen();
}

/* A frame that is lent has another page's bytes: nobody gets a window over its page, nor is one lent that has some. */
static void a_lent_frame(void **state)
{
	uint8_t bytes[8] = {1, 2, 3, 4, 5, 6, 7, 8}, got[8];
	uint64_t other;
	int frame;

	begin();
	other = page + PAGE_SIZE;
	assert_false(window_is_held(HPA(page)));
	frame = window_hold(HPA(page), owner(page), true);
	assert_true(frame >= 0);
	assert_true(window_is_held(HPA(page)));
	assert_int_equal(window_hold(HPA(page), owner(page), false), ERR_BUSY);
	assert_int_equal(window_hold(HPA(page), owner(page), true), ERR_BUSY);
	assert_int_equal(opens(&a, page, 8, OUT), ERR_BUSY);
	memcpy(window_frame((unsigned int)frame, HPA(other)), "frame", 6);
	expect_seen(page, 0, "frame", 6);
	assert_true(window_give((unsigned int)frame, HPA(other + 16), owner(other), bytes, 8));
	assert_memory_equal(fake_at(HPA(other + 16), 8), bytes, 8);
	assert_true(window_take((unsigned int)frame, HPA(other + 16), owner(other), got, 8));
	assert_memory_equal(got, bytes, 8);
	assert_false(
		window_give((unsigned int)frame, HPA(other + 16), OWNER_WORD(OWNER_HOST), got, 8));
	expect_unchanged();
	window_unhold((unsigned int)frame);
	assert_false(window_is_held(HPA(page)));
	assert_int_equal(opens(&a, page, 8, OUT), 0);
	assert_int_equal(window_hold(HPA(page), owner(page), true), ERR_BUSY);
	assert_true(window_hold(HPA(page), owner(page), false) >= 0);
	window_close(&a);
}

/* By as many parts of as many commands as there may be, all in one page. */
static void a_frame_that_is_held_often(void **state)
{
	int err = 0;

	begin();
	for (unsigned int i = 0; i < 1u << 16; i++)
		assert_true(window_hold(HPA(page), owner(page), false) >= 0);
	for (unsigned int i = 0; !err; i++) {
		err = opens(&a, nth(i), 8, OUT);
		window_close(&a);
	}
	assert_int_equal(err, ERR_BUSY);
	assert_int_equal(frames_seen(), 1);
	assert_non_null(seen(page));
}

/* All that one page may have are in use: there is none, however often it is tried. */
static void frames_that_are_all_in_use(void **state)
{
	static struct windows w[FRAMES / WINDOWS_PER_VCPU + 1];
	unsigned int refused = 0, n = 0;

	begin();
	memset(w, 0, sizeof(w));
	for (unsigned int i = 0; i < 16 * MIB >> PAGE_SHIFT && n < ARRAY_SIZE(w); i++) {
		int err = opens(&w[n], nth(i), 8, OUT);

		assert_true(err == 0 || err == ERR_BUSY || err == ERR_NOMEM);
		if (err) {
			refused++;
			assert_null(seen(nth(i)));
		} else if (w[n].count == WINDOWS_PER_VCPU) {
			n++;
		}
	}
	assert_int_equal(frames_seen(), FRAMES);
	assert_int_equal(refused, (16 * MIB >> PAGE_SHIFT) - FRAMES);
	/* Each shows its own page */
	for (unsigned int i = 0; i < 16 * MIB >> PAGE_SHIFT; i++)
		if (seen(nth(i)))
			expect_seen(nth(i), 0, fake_at(HPA(nth(i)), 8), 8);
	assert_int_equal(window_export(HPA(nth(4095)), owner(nth(4095))), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++)
		window_close(&w[i]);
	assert_int_equal(opens(&a, nth(4095), 8, OUT), ERR_BUSY);
	assert_int_equal(opens(&a, nth(4095), 8, OUT), 0);
}

/* Whoever reads all of a guest's memory: the number of frames is bounded, and windows go on. */
static void exports_are_bounded(void **state)
{
	unsigned int tries = 0;

	begin();
	assert_int_equal(opens(&b, page, 8, IN), 0);
	for (unsigned int i = 0; i < 16 * MIB >> PAGE_SHIFT; i++) {
		for (; !seen(nth(i)); tries++)
			assert_int_equal(window_export(HPA(nth(i)), owner(nth(i))), 0);
		assert_true(nth(i) == page || memcmp(seen(nth(i)), phys_at(HPA(nth(i))), 16));
	}
	assert_in_range(tries, 4096 - 1, 4096 + 16);
	l1_writes(page, "12345678", 8);
	assert_true(window_write(&b, HPA(page), 8, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_shown),
		cmocka_unit_test(given_bytes_are_shown),
		cmocka_unit_test(what_l1_writes),
		cmocka_unit_test(what_is_not_taken),
		cmocka_unit_test(a_closed_window_stays),
		cmocka_unit_test(an_in_range_is_zero),
		cmocka_unit_test(too_many),
		cmocka_unit_test(without_table_pages),
		cmocka_unit_test(a_page_of_somebody_else),
		cmocka_unit_test(a_page_that_goes),
		cmocka_unit_test(forgotten),
		cmocka_unit_test(two_vcpus_over_one_page),
		cmocka_unit_test(an_export),
		cmocka_unit_test(frames_are_used_again),
		cmocka_unit_test(a_lent_frame),
		cmocka_unit_test(a_frame_that_is_held_often),
		cmocka_unit_test(frames_that_are_all_in_use),
		cmocka_unit_test(exports_are_bounded),
	};

	return RUN_APART(tests);
}
