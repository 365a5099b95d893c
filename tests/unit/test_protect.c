/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What L1 may do with an isolated guest's pages, from its launch until they are L1's again, in both
 * formats.
 */
#include "tests/unit/test_isolated.h"

#define PAGE (SMALL + 20 * PAGE_SIZE) /* one of the guest's */
#define NEW (SMALL + 100 * PAGE_SIZE) /* where it has none */

/* --- the launch --------------------------------------------------------------------------------- */

static void a_launch(void **state)
{
	static uint8_t was[4 * MIB];

	build(2, true);
	memcpy(was, fake_at(HPA(PAGES), sizeof(was)), sizeof(was));
	take();
	assert_int_equal(guest_state(guest), GUEST_TAKEN);
	assert_true(guest_isolated(guest));
	expect_out_of_reach();
	assert_int_equal(guest_enter(cpu, v), GUEST_ENTRY_AGAIN);
	assert_int_equal(guest_state(guest), GUEST_LIVE);
	assert_int_equal(launch_of(guest_number(guest)).id, guest->id);
	assert_int_equal(guest_enter(cpu, v), GUEST_ENTRY_OK);
	assert_int_equal(protect_pages(guest), PRIVATE_PAGES + 1 + guest->protection.table.tables);
	for (unsigned int i = 0; i < SMALL_PAGES; i++)
		expect_private(hpa_of(SMALL + i * PAGE_SIZE), SMALL + i * PAGE_SIZE);
	expect_private(hpa_of(LARGE + MIB), LARGE + MIB);
	expect_owner(shared_page(), OWNER_SHARED, SHARED_HVM);
	expect_out_of_reach();
	assert_memory_equal(fake_at(HPA(PAGES), sizeof(was)), was, sizeof(was));
	assert_true(cpu_at(1)->hw->flushed > 0);
	assert_true(summary().isolated);
}

/* Everything is L1's, and the guest is not entered, now or later. */
static void expect_refused(const char *reason)
{
	struct guest_summary s;

	assert_null(guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT), &why));
	assert_string_equal(why, "the guest was not launched");
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE)
		expect_host(hpa);
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		assert_int_equal(guest_summary(i, &s), ERR_NOENT);
}

static void launches_that_are_refused(void **state)
{
	uint64_t pos;

	build(1, true);
	map(NEW, PAGES, 1); /* a page twice */
	pos = log_end();
	expect_refused("");
	assert_non_null(strstr(log_text(&pos), "not launched: its table maps what is not L1's"));
	*word(entry_for(NEW, 1)) = 0;
	take(); /* L1 may try again */

	build(1, true);
	((uint8_t *)fake_at(HPA(PAGES + 0x800), 48))[20]++; /* hvm_info is damaged */
	expect_refused("");
	build(1, true);
	map(NEW, BLOCK, 1);
	expect_refused("");
	build(1, true);
	as_l1();
	assert_null(guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT | 1), &why)); /* without a table */
	for (uint64_t hpa = 0; hpa < RAM_SIZE; hpa += PAGE_SIZE)
		expect_host(hpa);
}

static void a_launch_without_room(void **state)
{
	unsigned int n = 0;

	for (;; n++) {
		build(1, true);
		fake_limit_tables(n);
		v = guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT), &why);
		if (v)
			break;
		expect_refused("");
		assert_true(n < 20);
	}
	assert_true(n > 0);
}

/* Another guest's pages, and its tables. */
static void a_launch_of_anothers_pages(void **state)
{
	const uint64_t stolen[] = {PAGES + PAGE_SIZE, ROOT, PAGES + 70 * PAGE_SIZE};
	uint64_t other = SPARE;

	launch();
	for (size_t i = 0; i < ARRAY_SIZE(stolen); i++) {
		for (unsigned int level = 4; level; level--)
			*word(other + (4 - level) * PAGE_SIZE) =
				level > 1 ? table_entry(HPA(other + (5 - level) * PAGE_SIZE))
					  : leaf(stolen[i], 1);
		assert_null(guest_vcpu_take(cpu, HPA(KEY + PAGE_SIZE), HPA(other), &why));
		expect_host(other);
		expect_private(PAGES + PAGE_SIZE, SMALL);
		expect_owner(shared_page(), OWNER_SHARED, SHARED_HVM);
	}
	expect_out_of_reach();
}

/* L1 changes what the layout was found in, before the page was taken from it. */
static void measured_otherwise(void **state)
{
	build(2, true);
	take();
	memset(fake_at(HPA(PAGES + 0x800), 48), 0, 48);
	assert_int_equal(enter(), GUEST_ENTRY_OVER);
	assert_int_equal(guest->stop_reason, STOP_LAUNCH);
	assert_int_equal(guest_state(guest), GUEST_DEAD);
	assert_int_equal(launch_of(guest_number(guest)).id, 0);
}

/* However many guests that have nothing to lose L1 enters, on other CPUs and keys. */
static void records_stay(void **state)
{
	struct guest_vcpu *other;

	launch();
	v->stats.count[EXIT_HLT] = 5;
	guest_vcpu_drop(v);
	protect_off = true;
	/* First more vCPUs than there are records, then more guests. */
	for (unsigned int i = 0; i < 2 * (GUEST_VCPU_MAX + GUEST_MAX); i++) {
		unsigned int n = i < 2 * GUEST_VCPU_MAX ? 0 : i;

		other = guest_vcpu_take(cpu_at(1), HPA(SPARE + i * PAGE_SIZE),
					HPA(SPARE + 4 * MIB + n * PAGE_SIZE), &why);
		assert_non_null(other);
		assert_ptr_not_equal(other, v);
		assert_ptr_not_equal(other->guest, guest);
		guest_vcpu_drop(other);
	}
	assert_ptr_equal(guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT), &why), v);
	assert_ptr_equal(v->guest, guest);
	assert_int_equal(v->stats.count[EXIT_HLT], 5);
	expect_out_of_reach();
}

/* What L1 owes it would be forgotten, if the vCPU became another guest's for a moment. */
static void a_vcpu_stays_with_its_guest(void **state)
{
	const struct guest_exit x = {.reason = EXIT_NESTED_FAULT, .fault = GPA(DEVICE)};
	struct regs regs;

	launch();
	memcpy(fake_at(HPA(hpa_at(GUEST_CODE)), 2), "\x8b\x07", 2);
	cpu->regs.rip = GUEST_CODE;
	cpu->regs.r[RDI] = AT_DEVICE;
	regs = cpu->regs;
	assert_int_equal(leave_guest(&x), DISCLOSE_TELL);
	guest_vcpu_drop(v);
	protect_off = true;
	assert_null(guest_vcpu_take(cpu_at(1), HPA(KEY), HPA(SPARE), &why));
	assert_null(guest_vcpu_take(cpu, HPA(KEY), HPA(SPARE), &why));
	assert_ptr_equal(guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT), &why), v);
	cpu->regs.r[RBX] = 0xbad;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	assert_memory_equal(&cpu->regs, &regs, sizeof(regs));
	/* Until that is over */
	guest_vcpu_drop(v);
	guest_end(guest, STOP_NONE);
	assert_non_null(guest_vcpu_take(cpu, HPA(KEY), HPA(SPARE), &why));
}

/* --- touches ------------------------------------------------------------------------------------ */

static void a_read_gives_ciphertext(void **state)
{
	uint64_t hpa, other;
	uint8_t was[PAGE_SIZE], first[PAGE_SIZE];
	unsigned int rights, same = 0;

	launch();
	hpa = hpa_of(PAGE);
	other = hpa_of(PAGE + PAGE_SIZE);
	memcpy(fake_at(HPA(other), PAGE_SIZE), fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	memcpy(was, fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	l1_touch(hpa + 0x123, false);
	expect_nothing(); /* L1 does it again, and now it has it */
	assert_true(in_block(in_place_of(hpa, &rights)));
	assert_int_equal(rights, TABLE_R);
	memcpy(first, seen(hpa), PAGE_SIZE);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		same += first[i] == was[i];
	assert_in_range(same, 0, PAGE_SIZE / 64); /* a 256th by chance */
	assert_false(is_zero(first, PAGE_SIZE));
	l1_touch(other, false);
	assert_memory_not_equal(first, seen(other), PAGE_SIZE); /* not even what is equal */
	assert_memory_equal(fake_at(HPA(hpa), PAGE_SIZE), was, PAGE_SIZE);
	assert_true(guest_live(guest));
	expect_out_of_reach();
	assert_int_equal(enter(), GUEST_ENTRY_OK);
}

static void a_write_ends_the_guest(void **state)
{
	uint64_t pos, hpa;

	launch();
	pos = log_end();
	hpa = hpa_of(PAGE);
	l1_touch(hpa, true);
	expect_nothing();
	assert_int_equal(guest_state(guest), GUEST_DEAD);
	assert_int_equal(guest->stop_reason, STOP_HOST_WRITE);
	assert_non_null(strstr(log_text(&pos), "stopped: L1 wrote to its memory"));
	expect_private(hpa, PAGE); /* until L1 does it again */
	assert_int_equal(enter(), GUEST_ENTRY_OVER);
	guest_vcpu_drop(v);
	assert_null(guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT), &why));
	assert_string_equal(why, "the guest was not launched");
	expect_host(ROOT);
	expect_host(shared_page());
	expect_out_of_reach();
}

/* An entry that a CPU remembers from before, or that another CPU has just put there. */
static void a_touch_of_what_is_there(void **state)
{
	struct windows w = {0};
	uint64_t hpa;

	launch();
	hpa = hpa_of(PAGE);
	assert_int_equal(window_open(&w, HPA(hpa), 8, owner_of(HPA(hpa)), WINDOW_IN, NULL), 0);
	l1_touch(hpa, true);
	expect_nothing();
	assert_int_equal(cpu->hw->flushed, 1);
	assert_true(guest_live(guest));
	l1_touch(hpa, false);
	assert_true(guest_live(guest));
	assert_true(is_zero(seen(hpa), PAGE_SIZE));
	/* The same of tables, which L1 reads */
	l1_touch(ROOT, false);
	expect_nothing();
	assert_true(guest_live(guest));
}

/* --- stores to the table ------------------------------------------------------------------------ */

static void a_store_is_performed(void **state)
{
	uint64_t at;

	launch();
	at = entry_for(PAGE, 1);
	assert_true(l1_stores(at, MARKED(*word(at))));
	assert_true(l1_stores(at, leaf(hpa_of(PAGE), 1)));
	assert_true(l1_stores(entry_for(NEW, 1), leaf(SPARE, 1)));
	assert_int_equal(*word(entry_for(NEW, 1)), leaf(SPARE, 1));
	expect_private(SPARE, NEW);
	assert_true(is_zero(fake_at(HPA(SPARE), PAGE_SIZE), PAGE_SIZE));
	assert_true(guest_live(guest));
	expect_out_of_reach();
}

static void expect_stopped(enum stop_reason reason)
{
	assert_int_equal(guest_state(guest), GUEST_DEAD);
	assert_int_equal(guest->stop_reason, reason);
	expect_host(ROOT); /* L1 does with it what it likes */
	expect_host(ROOT + PAGE_SIZE);
	assert_int_equal(guest->protection.table.tables, 0);
	expect_out_of_reach();
}

static void stores_that_end_the_guest(void **state)
{
	const struct {
		uint8_t code[4];
		bool in_walk;
	} bad[] = {
		{{0xab, 0x90, 0x90, 0x90}, false}, /* STOSD */
		{{0x89, 0x07, 0x90, 0x90}, false}, /* MOV [RDI], EAX: 4 bytes */
		{{0x88, 0x07, 0x90, 0x90}, false}, /* 1 byte */
		{{0x48, 0x89, 0x47, 0x08}, false}, /* elsewhere */
		{{0x48, 0x01, 0x07, 0x90}, false}, /* ADD */
		{{0x48, 0x89, 0x07, 0x90}, true},  /* L1's CPU, setting bits */
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct exit exit = {.reason = EXIT_NESTED_FAULT, .write = true};
		uint64_t at, was;

		launch();
		at = entry_for(PAGE, 1);
		was = *word(at);
		as_l1();
		code(bad[i].code, 4);
		cpu->regs.r[RDI] = at;
		cpu->regs.r[RAX] = 0;
		exit.fault = HPA(at);
		exit.in_walk = bad[i].in_walk;
		leave(&exit);
		expect_nothing(); /* L1 does it again, and may */
		assert_int_equal(*word(at), was);
		expect_stopped(STOP_TABLE_STORE);
	}
}

static void stores_that_are_refused(void **state)
{
	for (unsigned int i = 0; i < 6; i++) {
		uint64_t value[6], at;

		launch();
		value[0] = leaf(hpa_of(PAGE + PAGE_SIZE), 1);
		value[1] = leaf(ROOT, 1);
		value[2] = leaf(BLOCK, 1);
		value[3] = leaf(RAM_SIZE, 1);
		value[4] = leaf(shared_page(), 1);
		value[5] = leaf(SPARE, 1) ^ (WB ? 0x30 : 0x18); /* not write-back */
		at = entry_for(PAGE, 1);
		assert_false(l1_stores(at, value[i]));
		expect_stopped(STOP_TABLE_STORE);
		assert_true(*word(at) != value[i]);
	}
}

static void a_store_without_room(void **state)
{
	unsigned int n = 0;

	for (;; n++) {
		launch();
		fake_limit_tables(n);
		/* Where all is in large pages still. */
		if (l1_maps(NEW, 1, leaf(SPARE + 5 * PAGE_SIZE, 1)))
			break;
		assert_int_equal(guest->stop_reason, STOP_NO_MEMORY);
		assert_int_equal(guest_state(guest), GUEST_DEAD);
		assert_true(n < 5);
	}
	assert_true(n > 0);
}

/* The tables that were linked come back although the pages in them do not. */
static void a_subtree_that_is_refused(void **state)
{
	uint64_t new = SPARE + MIB;

	launch();
	word(new)[0] = leaf(SPARE, 1);
	word(new)[1] = leaf(ROOT, 1);
	assert_false(l1_stores(entry_for(8 * MIB, 2), table_entry(HPA(new))));
	expect_stopped(STOP_TABLE_STORE);
	expect_host(new);
	expect_host(SPARE);
}

/* Xen's end of a guest: the root is zeroed. */
static void the_table_is_torn_down(void **state)
{
	struct guest *g;
	uint64_t pos, was;

	launch();
	g = guest;
	pos = log_end();
	was = *word(ROOT);
	assert_false(l1_stores(ROOT, 0));
	assert_int_equal(*word(ROOT), was); /* L1 does it again */
	assert_int_equal(guest_state(g), GUEST_DEAD);
	assert_int_equal(g->stop_reason, STOP_NONE);
	assert_string_equal(log_text(&pos), ""); /* nothing is wrong */
	expect_host(ROOT);
	expect_host(shared_page());
	expect_private(PAGES + PAGE_SIZE, SMALL);
	assert_int_equal(enter(), GUEST_ENTRY_OVER);
}

/* A CPU that met the table when it was a guest's. */
static void a_late_touch_of_a_table(void **state)
{
	launch();
	guest_end(guest, STOP_NONE);
	l1_touch(ROOT, true);
	expect_nothing();
	assert_int_equal(cpu->hw->flushed, 1);
}

/* --- before the first entry ---------------------------------------------------------------------- */

/* L1 finds something wrong with its control structure, and never enters the guest. */
static void never_entered(void **state)
{
	uint8_t was[PAGE_SIZE];
	uint64_t hpa;

	build(2, true);
	take();
	guest_vcpu_drop(v);
	hpa = hpa_of(PAGE);
	memcpy(was, fake_at(HPA(hpa), PAGE_SIZE), PAGE_SIZE);
	l1_touch(hpa, false);
	assert_non_null(seen(hpa));
	assert_memory_not_equal(seen(hpa), was, PAGE_SIZE);
	assert_true(l1_stores(entry_for(NEW, 1), leaf(SPARE, 1)));
	expect_private(SPARE, NEW);
	assert_false(l1_stores(ROOT, 0));
	assert_int_equal(guest_state(guest), GUEST_DEAD);
	expect_host(ROOT);

	build(2, true);
	take();
	l1_touch(hpa_of(PAGE), true);
	assert_int_equal(guest_state(guest), GUEST_DEAD);
	assert_int_equal(guest->stop_reason, STOP_HOST_WRITE);
	assert_int_equal(enter(), GUEST_ENTRY_OVER);
}

/* While its state settles, L1 repeats what it does. */
static void between_states(void **state)
{
	const enum guest_state between[] = {GUEST_LAUNCHING, GUEST_MEASURING, GUEST_ENDING};

	launch();
	for (size_t i = 0; i < ARRAY_SIZE(between); i++) {
		unsigned int rights;

		guest->state = between[i];
		for (unsigned int write = 0; write < 2; write++) {
			l1_touch(hpa_of(PAGE), write);
			expect_nothing();
			assert_int_equal(in_place_of(hpa_of(PAGE), &rights), 0);
		}
		assert_false(l1_stores(entry_for(PAGE, 1), 0));
		assert_int_equal(guest->state, between[i]);
	}
	guest->state = GUEST_LIVE;
	assert_int_equal(enter(), GUEST_ENTRY_OK);
	fake_give(HPA(SPARE), OWNER_BUSY); /* a page that changes hands */
	l1_touch(SPARE, true);
	expect_nothing();
	assert_int_equal(cpu->hw->flushed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_launch),
		cmocka_unit_test(launches_that_are_refused),
		cmocka_unit_test(a_launch_without_room),
		cmocka_unit_test(a_launch_of_anothers_pages),
		cmocka_unit_test(measured_otherwise),
		cmocka_unit_test(records_stay),
		cmocka_unit_test(a_vcpu_stays_with_its_guest),
		cmocka_unit_test(a_read_gives_ciphertext),
		cmocka_unit_test(a_write_ends_the_guest),
		cmocka_unit_test(a_touch_of_what_is_there),
		cmocka_unit_test(a_store_is_performed),
		cmocka_unit_test(stores_that_end_the_guest),
		cmocka_unit_test(stores_that_are_refused),
		cmocka_unit_test(a_store_without_room),
		cmocka_unit_test(a_subtree_that_is_refused),
		cmocka_unit_test(the_table_is_torn_down),
		cmocka_unit_test(a_late_touch_of_a_table),
		cmocka_unit_test(never_entered),
		cmocka_unit_test(between_states),
	};

	return RUN_APART(tests);
}
