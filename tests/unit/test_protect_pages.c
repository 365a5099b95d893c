/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of an isolated guest that go and come, in both formats: those of a dead one, those that L1 takes
 * away, and those that the guest itself gives up, gets or moves.
 */
#include <pthread.h>

#include "tests/unit/test_isolated.h"

#define PAGE (SMALL + 20 * PAGE_SIZE) /* one of the guest's */
#define NEW (SMALL + 100 * PAGE_SIZE) /* where it has none */

/* --- the dead guest's pages ---------------------------------------------------------------------- */

static uint64_t left_to_guest(void)
{
	uint64_t n = 0;

	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE)
		n += owner_kind(owner_of(HPA(hpa))) == OWNER_GUEST;
	return n;
}

static void pages_come_back_by_the_block(void **state)
{
	uint64_t pages = PRIVATE_PAGES + 1;

	launch();
	guest_vcpu_drop(v);
	assert_false(l1_stores(ROOT, 0));
	assert_int_equal(protect_pages(guest), pages);
	l1_touch(PAGES + 2 * MIB + 0x5678, false);
	expect_nothing();
	for (uint64_t at = 0; at < 2 * MIB; at += PAGE_SIZE) {
		expect_host(PAGES + 2 * MIB + at);
		assert_true(is_zero(fake_at(HPA(PAGES + 2 * MIB + at), PAGE_SIZE), PAGE_SIZE));
	}
	assert_int_equal(protect_pages(guest), pages - 512);
	assert_int_equal(left_to_guest(), pages - 512);
	assert_int_equal(guest_state(guest), GUEST_DEAD);
	assert_false(is_zero(fake_at(HPA(PAGES + PAGE_SIZE), PAGE_SIZE), 64));
	l1_touch(PAGES + 5 * PAGE_SIZE, true);
	assert_int_equal(left_to_guest(), 0);
	assert_true(is_zero(fake_at(HPA(PAGES), MIB / 8), MIB / 8));
	assert_int_equal(guest->id, 0); /* the record is free */
}

/* Not before, and not while a vCPU of it is in use. */
static void the_record_stays_as_long_as_pages(void **state)
{
	launch();
	l1_stores(ROOT, 0);
	l1_touch(PAGES, true);
	l1_touch(PAGES + 2 * MIB, true);
	assert_int_equal(left_to_guest(), 0);
	assert_int_equal(guest->id, 1);
	guest_vcpu_drop(v);
	assert_int_equal(guest->id, 0);
}

/* L1 must not take a frame that it still has for the page, and lose what it writes there. */
static void frames_go_with_the_guest(void **state)
{
	uint64_t read, window, still;
	unsigned int rights;

	launch();
	read = hpa_of(PAGE);
	window = hpa_of(PAGE + PAGE_SIZE);
	still = hpa_of(PAGE + 2 * PAGE_SIZE);
	l1_touch(read, false);
	assert_int_equal(window_open(&v->windows, HPA(window), 8, owner_of(HPA(window)), WINDOW_IN,
				     NULL),
			 0);
	assert_int_equal(enter(), GUEST_ENTRY_OK); /* closed */
	assert_int_equal(window_open(&v->windows, HPA(still), 8, owner_of(HPA(still)), WINDOW_IN,
				     NULL),
			 0);
	l1_stores(ROOT, 0);
	assert_int_equal(in_place_of(read, &rights), 0);
	assert_int_equal(in_place_of(window, &rights), 0);
	assert_int_equal(in_place_of(still, &rights), 0);
	l1_touch(window, true);
	expect_host(read);
	expect_host(window);
	expect_host(still);
	assert_true(is_zero(fake_at(HPA(read), PAGE_SIZE), PAGE_SIZE));
}

/* --- pages that go and come ----------------------------------------------------------------------- */

/* L1 takes a page although the guest did not ask: it comes back unchanged, at its place. */
static void a_page_is_taken_away(void **state)
{
	uint8_t was[PAGE_SIZE], sealed[PAGE_SIZE];
	uint64_t hpa;

	launch();
	hpa = hpa_of(PAGE);
	memcpy(was, fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	assert_true(l1_maps(PAGE, 1, 0));
	expect_host(hpa);
	memcpy(sealed, fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	assert_memory_not_equal(sealed, was, PAGE_SIZE);
	assert_false(is_zero(sealed, PAGE_SIZE));
	/* In another page of L1's */
	memcpy(fake_at(HPA(SPARE), PAGE_SIZE), sealed, PAGE_SIZE);
	assert_true(l1_maps(PAGE, 1, leaf(SPARE, 1)));
	expect_private(SPARE, PAGE);
	assert_memory_equal(fake_at(HPA(SPARE), PAGE_SIZE), was, PAGE_SIZE);
	/* Once */
	assert_true(l1_maps(PAGE, 1, 0));
	memcpy(fake_at(HPA(SPARE), PAGE_SIZE), sealed, PAGE_SIZE);
	assert_false(l1_maps(PAGE, 1, leaf(SPARE, 1)));
	assert_int_equal(guest->stop_reason, STOP_TABLE_STORE);
}

static void a_page_comes_back_changed(void **state)
{
	for (unsigned int i = 0; i < 4; i++) {
		uint64_t hpa, to = PAGE;

		launch();
		hpa = hpa_of(PAGE);
		assert_true(l1_maps(PAGE, 1, 0));
		if (i == 0)
			*(uint8_t *)fake_at(HPA(hpa + 0xfff), 1) ^= 1;
		else if (i == 1)
			memset(fake_at(HPA(hpa), PAGE_SIZE), 0, PAGE_SIZE);
		else if (i == 2)
			hpa = SPARE;
		else { /* that of another place */
			assert_true(l1_maps(PAGE + PAGE_SIZE, 1, 0));
			to = PAGE + PAGE_SIZE;
		}
		assert_false(l1_maps(to, 1, leaf(hpa, 1)));
		assert_int_equal(guest->stop_reason, STOP_TABLE_STORE);
		expect_owner(hpa, OWNER_GUEST, to); /* what was decrypted is not L1's */
	}
}

/* A window over a page that L1 takes away: neither its bytes nor the frame stay. */
static void a_page_with_a_window_is_taken_away(void **state)
{
	unsigned int flushed;
	uint64_t hpa;

	launch();
	hpa = hpa_of(PAGE);
	l1_touch(hpa, false);
	cpu_meets(cpu_at(1), guest_number(guest));
	flushed = cpu_at(1)->hw->flushed;
	assert_true(l1_maps(PAGE, 1, 0));
	expect_host(hpa);
	assert_true(cpu_at(1)->hw->flushed >= flushed + 2); /* the guest, then the frame */
	assert_true(l1_maps(PAGE, 1, leaf(hpa, 1)));
	expect_private(hpa, PAGE);
	expect_out_of_reach();
}

/* As many as there are records for. */
static void no_room_to_seal(void **state)
{
	size_t used, room, i = 0;

	launch();
	sealed_usage(&used, &room);
	assert_in_range(room, 1, PRIVATE_PAGES);
	while (l1_maps(LARGE, 2, leaf(hpa_of(LARGE), 2)) && i++ < 2)
		;
	assert_true(guest_live(guest)); /* nothing went */
	for (i = 0; i < SMALL_PAGES && l1_maps(SMALL + i * PAGE_SIZE, 1, 0); i++)
		;
	if (guest_live(guest))
		l1_maps(LARGE, 2, 0);
	assert_int_equal(guest->stop_reason, STOP_NO_MEMORY);
	expect_host(ROOT);
	expect_out_of_reach();
}

/* --- calls of the guest's ------------------------------------------------------------------------- */

#define ARGS AT(30) /* where it puts a call's structure, */
#define LIST AT(31) /* and its list */
#define MEMORY_OP 12
#define DECREASE 1
#define POPULATE 6
#define PHYSMAP 7
#define SELF 0x7ff0

struct reservation {
	uint64_t list, count;
	uint32_t order, flags;
	uint16_t domain;
};

struct physmap {
	uint16_t domain, size;
	uint32_t space;
	uint64_t index, gfn;
};

static void calls(uint64_t op, const void *args, size_t n)
{
	const struct guest_exit x = {.reason = EXIT_HYPERCALL};
	uint64_t *r = cpu->regs.r;

	memcpy(fake_at(HPA(hpa_at(ARGS)), n), args, n);
	cpu->hw->guest_insn_len = 3;
	cpu->regs.rip = GUEST_CODE;
	r[RAX] = MEMORY_OP;
	r[RDI] = op;
	r[RSI] = ARGS;
	assert_int_equal(leave_guest(&x), DISCLOSE_TELL);
}

static void reserves(uint64_t op, uint64_t gpa)
{
	const struct reservation args = {LIST, 1, 0, 0, SELF};

	*word(hpa_at(LIST)) = gpa >> PAGE_SHIFT;
	calls(op, &args, sizeof(args));
}

static void moves(uint64_t from, uint64_t to)
{
	const struct physmap args = {SELF, 0, 2, from >> PAGE_SHIFT, to >> PAGE_SHIFT};

	calls(PHYSMAP, &args, sizeof(args));
}

/* L1 has carried it out. */
static void returns(uint64_t result)
{
	cpu->regs.rip = 3;
	cpu->regs.r[RAX] = result;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_int_equal(cpu->regs.r[RAX], result);
}

static void a_page_is_released(void **state)
{
	size_t used, room;
	uint64_t hpa;

	launch();
	hpa = hpa_of(PAGE);
	reserves(DECREASE, PAGE);
	assert_true(l1_maps(PAGE, 1, 0));
	expect_host(hpa);
	assert_true(is_zero(fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE));
	sealed_usage(&used, &room);
	assert_int_equal(used, 0);
	assert_true(l1_maps(PAGE + PAGE_SIZE, 1, 0)); /* which it did not say */
	sealed_usage(&used, &room);
	assert_int_equal(used, 1);
	returns(1);
	/* The call is over */
	assert_true(l1_maps(PAGE + 2 * PAGE_SIZE, 1, 0));
	sealed_usage(&used, &room);
	assert_int_equal(used, 2);
}

static void a_page_is_populated(void **state)
{
	size_t used, room;

	launch();
	assert_true(l1_maps(PAGE, 1, 0)); /* sealed */
	reserves(POPULATE, PAGE);
	randomize(SPARE, PAGE_SIZE);
	assert_true(l1_maps(PAGE, 1, leaf(SPARE, 1)));
	expect_private(SPARE, PAGE);
	assert_true(is_zero(fake_at(HPA(SPARE), PAGE_SIZE), PAGE_SIZE));
	sealed_usage(&used, &room);
	assert_int_equal(used, 0);
	returns(1);
}

/* As Xen does it: what is there goes, the page goes from its old place and comes to the new one. */
static void a_page_is_moved(void **state)
{
	const uint64_t to = PAGE + PAGE_SIZE;
	uint8_t was[PAGE_SIZE], old[PAGE_SIZE];
	uint64_t hpa, there;
	size_t used, room;

	launch();
	hpa = hpa_of(PAGE);
	there = hpa_of(to);
	memcpy(was, fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	moves(PAGE, to);
	memcpy(old, fake_at(HPA(there), PAGE_SIZE), PAGE_SIZE);
	assert_true(l1_maps(to, 1, 0));
	assert_memory_not_equal(fake_at(HPA(there), PAGE_SIZE), old, PAGE_SIZE);
	assert_true(l1_maps(PAGE, 1, 0));
	assert_true(l1_maps(to, 1, leaf(hpa, 1)));
	expect_private(hpa, to);
	assert_memory_equal(fake_at(HPA(hpa), PAGE_SIZE), was, PAGE_SIZE);
	sealed_usage(&used, &room);
	assert_int_equal(used, 0);
	/* What has come is the guest's, though the call is not over: it is not lost if it goes again. */
	assert_true(l1_maps(to, 1, 0));
	returns(0);
	assert_true(l1_maps(to, 1, leaf(hpa, 1)));
	assert_memory_equal(fake_at(HPA(hpa), PAGE_SIZE), was, PAGE_SIZE);
	expect_out_of_reach();
}

/* A page of zeros in the place of what was to be moved. */
static void a_move_that_loses_the_content(void **state)
{
	launch();
	moves(PAGE, NEW);
	assert_false(l1_maps(NEW, 1, leaf(SPARE, 1)));
	assert_int_equal(guest->stop_reason, STOP_TABLE_STORE);
}

static void shares(unsigned int space, uint64_t gpa)
{
	const struct physmap args = {SELF, 0, space, 0, gpa >> PAGE_SHIFT};

	calls(PHYSMAP, &args, sizeof(args));
}

static void a_page_is_shared(void **state)
{
	for (unsigned int space = 0; space < 2; space++) {
		uint64_t hpa;

		launch_on(2, false);
		hpa = hpa_of(PAGE);
		shares(space, PAGE);
		assert_false(l1_maps(PAGE + PAGE_SIZE, 1, leaf(SPARE, 1))); /* not there */
		launch_on(2, false);
		shares(space, PAGE);
		randomize(SPARE, 2 * PAGE_SIZE);
		assert_true(l1_maps(PAGE, 1, leaf(SPARE, 1)));
		expect_owner(SPARE, OWNER_SHARED, PAGE);
		assert_false(is_zero(fake_at(HPA(SPARE), PAGE_SIZE), PAGE_SIZE));
		expect_host(hpa); /* what the guest had there is void, */
		assert_true(is_zero(fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE)); /* and not L1's */
		returns(0);
		assert_int_equal(guest->protection.infos.shared.gpa.a, space ? 0 : PAGE);
		/* Over: another page is not, and is private */
		assert_true(l1_maps(PAGE, 1, MARKED(leaf(SPARE, 1))));
		expect_owner(SPARE, OWNER_SHARED, PAGE);
		assert_true(l1_maps(PAGE, 1, leaf(SPARE + PAGE_SIZE, 1)));
		expect_host(SPARE);
		expect_private(SPARE + PAGE_SIZE, PAGE);
		assert_true(is_zero(fake_at(HPA(SPARE + PAGE_SIZE), PAGE_SIZE), PAGE_SIZE));
		expect_out_of_reach();
	}
}

/* L1 lets the guest go on without carrying it out. */
static void a_call_that_was_not_carried_out(void **state)
{
	launch();
	shares(0, NEW);
	returns((uint64_t)(int64_t)ERR_PERM);
	assert_int_equal(guest->protection.infos.shared.gpa.a, 0);
	assert_true(l1_maps(NEW, 1, leaf(SPARE, 1)));
	expect_private(SPARE, NEW);
}

/* --- two guests ----------------------------------------------------------------------------------- */

static void what_one_guest_asks_is_not_anothers(void **state)
{
	const uint64_t other = SPARE;
	struct guest_vcpu *first;

	launch();
	for (unsigned int level = 4; level; level--)
		*word(other + (4 - level) * PAGE_SIZE) =
			level > 1 ? table_entry(HPA(other + (5 - level) * PAGE_SIZE))
				  : leaf(other + 8 * PAGE_SIZE, 1);
	first = v;
	v = guest_vcpu_take(cpu, HPA(KEY + PAGE_SIZE), HPA(other), &why);
	assert_non_null(v);
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	v = first;
	shares(0, PAGE);
	assert_true(guest_asked(guest, GUESTCALL_SHARE_INFO, GPA(PAGE), NULL));
	assert_false(guest_asked(guest, GUESTCALL_SHARE, GPA(PAGE), NULL));
	assert_false(guest_asked(guest, GUESTCALL_SHARE_INFO, GPA(PAGE + PAGE_SIZE), NULL));
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		if (guest_numbered(i) != guest)
			assert_false(guest_asked(guest_numbered(i), GUESTCALL_SHARE_INFO, GPA(PAGE),
						 NULL));
	/* The end of one leaves the other alone */
	l1_touch(other + 8 * PAGE_SIZE, true);
	assert_true(guest_live(guest));
	l1_touch(other + 8 * PAGE_SIZE, true);
	expect_host(other + 8 * PAGE_SIZE);
	expect_private(hpa_of(PAGE), PAGE);
	returns((uint64_t)(int64_t)ERR_PERM);
}

/* --- a page that another CPU takes and gives back while L1 reads it ------------------------------- */

static bool stop;

static void *take_and_give(void *unused)
{
	const gpa_t gpa = GPA(NEW);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		assert_true(owner_take(HPA(SPARE), 1, guest_number(guest), gpa));
		assert_int_equal(host_set(HPA(SPARE), PAGE_SIZE, 0), 0);
		owner_hold(HPA(SPARE), 1, guest_number(guest), gpa);
		window_cancel(HPA(SPARE));
		assert_int_equal(host_set(HPA(SPARE), PAGE_SIZE, TABLE_RWX), 0);
		owner_give(HPA(SPARE), 1);
	}
	return NULL;
}

static void a_page_that_changes_hands(void **state)
{
	unsigned int met = 0;
	pthread_t thread;

	launch();
	assert_int_equal(pthread_create(&thread, NULL, take_and_give, NULL), 0);
	for (unsigned int i = 0; i < 3000000; i++) {
		met += owner_kind(owner_of(HPA(SPARE))) != OWNER_HOST;
		assert_true(protect_touch(cpu, HPA(SPARE), false, false));
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_true(met); /* both sides did something */
	expect_host(SPARE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_that_changes_hands),
		cmocka_unit_test(pages_come_back_by_the_block),
		cmocka_unit_test(the_record_stays_as_long_as_pages),
		cmocka_unit_test(frames_go_with_the_guest),
		cmocka_unit_test(a_page_is_taken_away),
		cmocka_unit_test(a_page_comes_back_changed),
		cmocka_unit_test(a_page_with_a_window_is_taken_away),
		cmocka_unit_test(no_room_to_seal),
		cmocka_unit_test(a_page_is_released),
		cmocka_unit_test(a_page_is_populated),
		cmocka_unit_test(a_page_is_moved),
		cmocka_unit_test(a_move_that_loses_the_content),
		cmocka_unit_test(a_page_is_shared),
		cmocka_unit_test(a_call_that_was_not_carried_out),
		cmocka_unit_test(what_one_guest_asks_is_not_anothers),
	};

	return RUN_APART(tests);
}
