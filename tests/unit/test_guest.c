/* SPDX-License-Identifier: Apache-2.0 */
/* Records of guests and vCPUs: made, found, shared, reused, and given back. */
#include <pthread.h>

#include "tests/unit/test_machine.h"

#define ROOT 0x200000u /* the first guest's; the others' follow page by page */
#define KEY 0x10000u
#define PRESENT_ENTRY 0x300007u

static uint64_t root_of(unsigned int guest)
{
	return ROOT + guest * PAGE_SIZE;
}

/* Makes the guest's table non-empty. */
static void fill_root(unsigned int guest)
{
	uint64_t entry = PRESENT_ENTRY;

	memcpy((char *)fake_at(HPA(root_of(guest)), PAGE_SIZE) + 8 * 100, &entry, sizeof(entry));
}

static struct guest_vcpu *take(struct cpu *c, unsigned int vcpu, unsigned int guest)
{
	return guest_vcpu_take(c, HPA(KEY + vcpu * PAGE_SIZE), HPA(root_of(guest)));
}

/* Takes it and gives it back. Returns the guest's id. */
static uint64_t enter(unsigned int vcpu, unsigned int guest)
{
	struct guest_vcpu *v = take(cpu, vcpu, guest);

	assert_non_null(v);
	assert_int_equal(v->guest->root.a, root_of(guest));
	guest_vcpu_drop(v);
	return v->guest->id;
}

static unsigned int guests_known(void)
{
	struct guest_summary s;
	unsigned int n = 0;

	for (unsigned int i = 0; i < GUEST_MAX; i++)
		n += !guest_summary(i, &s);
	return n;
}

/* The summary of the guest with this id. */
static struct guest_summary summary(uint64_t id)
{
	struct guest_summary s = {0};

	for (unsigned int i = 0; i < GUEST_MAX; i++)
		if (!guest_summary(i, &s) && s.id == id)
			return s;
	fail_msg("no guest %lu", id);
	return s;
}

static bool watched(unsigned int guest)
{
	assert_true(host_allows(HPA(root_of(guest)), TABLE_R));
	return !host_allows(HPA(root_of(guest)), TABLE_W);
}

/* --- made and found --------------------------------------------------------------------------- */

static void a_first_entry_makes_records(void **state)
{
	struct guest_vcpu *v;

	machine(2);
	assert_int_equal(guests_known(), 0);
	assert_false(watched(0));
	v = take(cpu, 0, 0);
	assert_true(v->fresh);
	assert_int_equal(v->key.a, KEY);
	assert_non_null(v->hw);
	assert_int_equal(v->guest->id, 1);
	assert_int_equal(v->guest->root.a, ROOT);
	assert_int_equal(v->guest->vcpus, 1);
	assert_int_equal(guests_known(), 1);
	assert_true(watched(0));
	assert_false(watched(1));
	assert_int_equal(cpu_at(0)->hw->flushed, 1); /* rights shrank, everywhere */
	assert_int_equal(cpu_at(1)->hw->flushed, 1);
}

static void a_later_entry_finds_them(void **state)
{
	struct guest_vcpu *v;

	machine(2);
	v = take(cpu, 0, 0);
	v->fresh = false;
	v->stats.count[EXIT_HLT] = 5;
	guest_vcpu_drop(v);
	fake_forget(cpu);
	assert_ptr_equal(take(cpu, 0, 0), v); /* the short way: the same CPU as before */
	guest_vcpu_drop(v);
	assert_ptr_equal(take(cpu_at(1), 0, 0), v); /* the long way */
	assert_false(v->fresh);
	assert_int_equal(v->stats.count[EXIT_HLT], 5);
	assert_int_equal(v->guest->vcpus, 1);
	assert_int_equal(cpu->hw->flushed, 0);
}

static void vcpus_of_one_root_are_one_guest(void **state)
{
	struct guest_vcpu *a, *b, *c;

	machine(2);
	a = take(cpu, 0, 0);
	b = take(cpu_at(1), 1, 0);
	assert_ptr_equal(a->guest, b->guest);
	assert_ptr_not_equal(a, b);
	assert_ptr_not_equal(a->hw, b->hw);
	assert_int_equal(a->guest->vcpus, 2);
	guest_vcpu_drop(a);
	c = take(cpu, 2, 1);
	assert_ptr_not_equal(c->guest, b->guest);
	assert_int_equal(c->guest->id, 2);
	assert_int_equal(guests_known(), 2);
}

static void a_vcpu_runs_on_one_cpu(void **state)
{
	struct guest_vcpu *v;

	machine(2);
	v = take(cpu, 0, 0);
	assert_null(take(cpu_at(1), 0, 0));
	assert_null(take(cpu_at(1), 0, 1)); /* nor with another root */
	assert_null(take(cpu, 0, 0));       /* nor twice */
	assert_int_equal(v->guest->root.a, ROOT);
	guest_vcpu_drop(v);
	assert_ptr_equal(take(cpu_at(1), 0, 0), v);
	assert_null(take(cpu, 0, 0));
}

static void a_vcpu_that_changes_its_root_changes_its_guest(void **state)
{
	struct guest_vcpu *v, *w;

	machine(1);
	v = take(cpu, 0, 0);
	v->fresh = false;
	v->stats.count[EXIT_HLT] = 5;
	guest_vcpu_drop(v);
	w = take(cpu, 0, 1);
	assert_true(w->fresh);
	assert_int_equal(w->guest->id, 2);
	assert_int_equal(w->stats.count[EXIT_HLT], 0);
	assert_int_equal(summary(1).vcpus, 0);
	assert_int_equal(summary(1).exits, 5); /* what it did stays where it was done */
	assert_int_equal(summary(2).exits, 0);
}

static void a_guest_without_a_nested_table_is_not_watched(void **state)
{
	struct guest_vcpu *v;

	machine(1);
	v = guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT | 1));
	assert_non_null(v);
	assert_false(v->guest->watched);
	assert_false(watched(0));
	assert_int_equal(cpu->hw->flushed, 0);
}

/* --- watched roots ---------------------------------------------------------------------------- */

static uint64_t entry_at(uint64_t hpa)
{
	uint64_t v;

	memcpy(&v, fake_at(HPA(hpa), 8), 8);
	return v;
}

static void a_store_to_a_root_is_performed(void **state)
{
	machine(1);
	enter(0, 0);
	fill_root(0);
	store_eax(ROOT + 0x18, 0x12345);
	expect_done(5);
	assert_int_equal(entry_at(ROOT + 0x18), 0x12345);
	assert_true(watched(0));
	assert_int_equal(guests_known(), 1);
	/* Xen's way: MOVNTI of 8 bytes */
	cpu->hw->mode = DECODE_64;
	CODE_IS(0x48, 0x0f, 0xc3, 0x07);
	cpu->regs.r[RDI] = ROOT + 0x20;
	cpu->regs.r[RAX] = 0x123456789abcdef0;
	touch(ROOT + 0x20, true);
	expect_done(4);
	assert_int_equal(entry_at(ROOT + 0x20), 0x123456789abcdef0);
	assert_true(watched(0));
}

/* p2m_teardown zeroes the root entry by entry. */
static void an_emptied_root_is_given_back(void **state)
{
	struct guest_vcpu *v;

	machine(1);
	v = take(cpu, 0, 0);
	v->stats.count[EXIT_HLT] = 5;
	guest_vcpu_drop(v);
	fill_root(0);
	store_eax(ROOT + 8, 0);
	assert_true(watched(0)); /* not the last entry */
	store_eax(ROOT + 100 * 8, 0);
	expect_done(5);
	assert_int_equal(entry_at(ROOT + 100 * 8) & UINT32_MAX, 0);
	assert_false(watched(0));
	assert_int_equal(guests_known(), 0);
	assert_int_equal(cpu->hw->flushed, 1);
	assert_int_equal(enter(0, 0), 2); /* the page again, as another guest's */
}

static void what_is_not_present_counts_as_empty(void **state)
{
	machine(1);
	enter(0, 0);
	fill_root(0);
	store_eax(ROOT + 8 * 7, 0xfffffffe);
	store_eax(ROOT + 8 * 100, 0xfffffffe);
	assert_int_equal(guests_known(), 0);
}

static void a_store_not_understood_gives_the_root_back(void **state)
{
	machine(1);
	enter(0, 0);
	fill_root(0);
	CODE_IS(0xab); /* STOSD */
	cpu->regs.r[RDI] = ROOT;
	touch(ROOT, true);
	expect_nothing(); /* L1 repeats it */
	assert_false(watched(0));
	assert_int_equal(guests_known(), 0);
	assert_int_equal(cpu->hw->flushed, 1);
}

/* While a vCPU is used its guest stays, but without its table being watched; then it goes too. */
static void an_emptied_root_of_a_running_guest(void **state)
{
	struct guest_vcpu *running;

	machine(2);
	enter(1, 0);
	running = take(cpu_at(1), 0, 0);
	store_eax(ROOT, 0);
	expect_done(5);
	assert_false(watched(0));
	assert_int_equal(guests_known(), 1);
	assert_int_equal(running->guest->vcpus, 1);
	assert_int_equal(running->guest->id, 1);
	store_eax(ROOT, 0); /* a CPU that still has the old right, in its TLB */
	expect_nothing();
	assert_int_equal(cpu->hw->flushed, 1);
	guest_vcpu_drop(running);
	assert_int_equal(guests_known(), 0);
}

/* The CPU sets A and D bits: it is no store of an instruction. */
/* L1's CPU sets bits in it: the page has become a page table of L1's own, and is given back. */
static void a_walk_through_a_root_gives_it_back(void **state)
{
	struct exit exit = {.reason = EXIT_NESTED_FAULT,
			    .fault = HPA(ROOT),
			    .write = true,
			    .in_walk = true};

	machine(1);
	enter(0, 0);
	CODE_IS(0xa3, 0x00, 0x00, 0x20, 0x00);
	leave(&exit);
	expect_nothing();
	assert_true(host_allows(HPA(ROOT), TABLE_W));
	assert_int_equal(entry_at(ROOT), 0);
}

/* A page that was a root until just now, and is one of L1's page tables already. */
static void a_walk_with_an_old_right_is_repeated(void **state)
{
	struct exit exit = {.reason = EXIT_NESTED_FAULT,
			    .fault = HPA(ROOT),
			    .write = true,
			    .in_walk = true};

	machine(2);
	enter(0, 0);
	store_eax(ROOT, 0);
	assert_false(watched(0));
	cpu = cpu_at(1);
	cpu->regs.rip = CODE;
	CODE_IS(0x90);
	leave(&exit);
	expect_nothing();
	assert_int_equal(cpu->hw->flushed, 1);
}

static void another_page_is_not_a_root(void **state)
{
	machine(1);
	enter(0, 0);
	assert_int_equal(host_set(HPA(0x400000), PAGE_SIZE, TABLE_R), 0);
	CODE_IS(0xa3, 0x00, 0x00, 0x40, 0x00);
	assert_int_equal(guest_root_write(cpu, HPA(0x400000), false), ERR_NOENT);
	expect_nothing();
	assert_int_equal(entry_at(0x400000), 0);
}

/* --- pools ------------------------------------------------------------------------------------ */

static void the_oldest_guest_makes_room(void **state)
{
	machine(1);
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		assert_int_equal(enter(i, i), i + 1);
	assert_int_equal(guests_known(), GUEST_MAX);
	enter(0, 0); /* now the second is the oldest */
	assert_int_equal(enter(GUEST_MAX, GUEST_MAX), GUEST_MAX + 1);
	assert_int_equal(guests_known(), GUEST_MAX);
	assert_true(watched(0));
	assert_false(watched(1));
	assert_true(watched(2));
	assert_true(watched(GUEST_MAX));
	assert_int_equal(enter(0, 0), 1);
	assert_int_equal(enter(1, 1), GUEST_MAX + 2);
	assert_false(watched(2));
}

static void a_running_guest_does_not_make_room(void **state)
{
	struct guest_vcpu *v;

	machine(2);
	enter(1, 0);
	v = take(cpu_at(1), 0, 0);
	for (unsigned int i = 1; i < GUEST_MAX; i++)
		enter(1 + i, i);
	/* The oldest one is running: the next one goes, and the oldest keeps what it has. */
	assert_int_equal(enter(1 + GUEST_MAX, GUEST_MAX), GUEST_MAX + 1);
	assert_int_equal(v->guest->id, 1);
	assert_int_equal(v->guest->vcpus, 2);
	assert_int_equal(v->key.a, KEY);
	assert_true(watched(0));
	assert_false(watched(1));
	assert_true(watched(2));
	guest_vcpu_drop(v);
}

static void only_running_guests(void **state)
{
	struct guest_vcpu *v[GUEST_MAX];

	machine(2);
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		v[i] = take(cpu_at(1), i, i);
	assert_null(take(cpu, GUEST_MAX, GUEST_MAX));
	assert_false(watched(GUEST_MAX));
	for (unsigned int i = 0; i < GUEST_MAX; i++) {
		assert_int_equal(v[i]->guest->id, i + 1);
		guest_vcpu_drop(v[i]);
	}
	assert_int_equal(enter(GUEST_MAX, GUEST_MAX), GUEST_MAX + 1);
}

static void the_oldest_vcpu_makes_room(void **state)
{
	struct guest_vcpu *v = NULL;

	machine(1);
	for (unsigned int i = 0; i < GUEST_VCPU_MAX; i++) {
		v = take(cpu, i, 0);
		v->stats.count[EXIT_HLT] = 1;
		v->stats.cycles[EXIT_HLT] = 10;
		v->fresh = false;
		guest_vcpu_drop(v);
	}
	assert_int_equal(summary(1).vcpus, GUEST_VCPU_MAX);
	enter(0, 0);
	v = take(cpu, GUEST_VCPU_MAX, 0); /* in place of the second */
	assert_true(v->fresh);
	assert_int_equal(v->stats.count[EXIT_HLT], 0);
	guest_vcpu_drop(v);
	v = take(cpu, 0, 0);
	assert_false(v->fresh);
	guest_vcpu_drop(v);
	v = take(cpu, 1, 0);
	assert_true(v->fresh);
	guest_vcpu_drop(v);
	assert_int_equal(summary(1).vcpus, GUEST_VCPU_MAX);
	assert_int_equal(summary(1).exits, GUEST_VCPU_MAX); /* nothing is lost */
}

static void running_vcpus_do_not_make_room(void **state)
{
	struct guest_vcpu *v[GUEST_VCPU_MAX];

	machine(2);
	for (unsigned int i = 0; i < GUEST_VCPU_MAX; i++)
		v[i] = take(cpu_at(1), i, 0);
	assert_null(take(cpu, GUEST_VCPU_MAX, 0));
	assert_null(take(cpu, GUEST_VCPU_MAX, 1));
	for (unsigned int i = 0; i < GUEST_VCPU_MAX; i++) {
		assert_int_equal(v[i]->key.a, KEY + i * PAGE_SIZE);
		assert_ptr_equal(v[i]->guest, v[0]->guest);
	}
	guest_vcpu_drop(v[99]); /* the only one that may be taken away, though not the oldest */
	assert_ptr_equal(take(cpu, GUEST_VCPU_MAX, 0), v[99]);
}

static void statistics_outlive_vcpus(void **state)
{
	struct guest_vcpu *v;
	uint64_t count, cycles;

	machine(1);
	for (unsigned int i = 0; i < 10; i++) {
		v = take(cpu, 0, i % 2);
		v->stats.count[EXIT_MSR_READ] += 3;
		v->stats.cycles[EXIT_MSR_READ] += 50;
		guest_vcpu_drop(v);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(guest_exits(i, EXIT_MSR_READ, &count, &cycles), 0);
		assert_int_equal(count, 15);
		assert_int_equal(cycles, 250);
	}
	assert_int_equal(guest_exits(2, EXIT_MSR_READ, &count, &cycles), ERR_NOENT);
}

static void ids_are_not_used_twice(void **state)
{
	static uint64_t root[3 * GUEST_MAX + 1]; /* by id */
	static bool ended[ARRAY_SIZE(root)];
	unsigned int made = 0;

	machine(1);
	for (unsigned int i = 0; i < ARRAY_SIZE(root) - 1; i++) {
		unsigned int guest = i * 37 % (GUEST_MAX + 9);
		uint64_t id = enter(i % 5, guest);

		assert_true(id > 0 && id < ARRAY_SIZE(root));
		assert_false(ended[id]);
		assert_true(!root[id] || root[id] == root_of(guest));
		made += !root[id];
		root[id] = root_of(guest);
		if (i % 3 == 0) {
			store_eax(root_of(guest), 0);
			ended[id] = true;
		}
	}
	assert_true(made > GUEST_MAX + 9);
}

static void without_table_pages_guests_are_not_watched(void **state)
{
	struct guest_vcpu *v;

	machine(1);
	fake_limit_tables(0);
	v = take(cpu, 0, 0);
	assert_non_null(v);
	assert_false(v->guest->watched);
	assert_false(watched(0));
}

static void a_stopped_guest(void **state)
{
	struct guest_vcpu *v;
	uint64_t pos;

	machine(1);
	v = take(cpu, 0, 0);
	pos = log_end();
	guest_stop(v->guest, STOP_UNKNOWN_EXIT);
	assert_int_equal(summary(1).stop_reason, STOP_UNKNOWN_EXIT);
	assert_non_null(strstr(log_text(&pos), "guest 1 stopped: an exit that"));
	guest_vcpu_drop(v);
	assert_int_equal(take(cpu, 1, 0)->guest->stop_reason, STOP_UNKNOWN_EXIT);
}

/* --- races ------------------------------------------------------------------------------------ */

#define THREADS 2u
#define ROUNDS 300000u
#define RACED 2u /* vCPUs: so few that the CPUs always meet */

static int users[RACED];
static pthread_barrier_t together;

/* Mostly the same vCPU of the same guest; sometimes it gets another root. */
static void *race(void *arg)
{
	struct cpu *c = arg;
	uint32_t random = c->index + 1;

	fake_become(c);
	pthread_barrier_wait(&together);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		unsigned int n, guest;
		struct guest_vcpu *v;

		random = random * 1664525 + 1013904223;
		n = (random >> 16 & 15) % 8 == 0;
		guest = (random >> 24 & 31) == 0;
		v = take(c, n, guest);
		if (!v)
			continue;
		ASSERT(!__atomic_fetch_add(&users[n], 1, __ATOMIC_SEQ_CST));
		ASSERT(v->cpu == c->index + 1);
		ASSERT(v->key.a == KEY + n * PAGE_SIZE);
		ASSERT(v->guest && v->guest->root.a == root_of(guest));
		v->stats.count[EXIT_HLT]++;
		__atomic_fetch_add(&users[n], -1, __ATOMIC_SEQ_CST);
		guest_vcpu_drop(v);
	}
	return NULL;
}

static void cpus_race_for_vcpus(void **state)
{
	pthread_t thread[THREADS];

	machine(THREADS);
	pthread_barrier_init(&together, NULL, THREADS);
	for (unsigned int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, race, cpu_at(i)), 0);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(guests_known(), 2);
	assert_int_equal(summary(1).vcpus + summary(2).vcpus, RACED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_first_entry_makes_records),
		cmocka_unit_test(a_later_entry_finds_them),
		cmocka_unit_test(vcpus_of_one_root_are_one_guest),
		cmocka_unit_test(a_vcpu_runs_on_one_cpu),
		cmocka_unit_test(a_vcpu_that_changes_its_root_changes_its_guest),
		cmocka_unit_test(a_guest_without_a_nested_table_is_not_watched),
		cmocka_unit_test(a_store_to_a_root_is_performed),
		cmocka_unit_test(an_emptied_root_is_given_back),
		cmocka_unit_test(what_is_not_present_counts_as_empty),
		cmocka_unit_test(a_store_not_understood_gives_the_root_back),
		cmocka_unit_test(an_emptied_root_of_a_running_guest),
		cmocka_unit_test(a_walk_through_a_root_gives_it_back),
		cmocka_unit_test(a_walk_with_an_old_right_is_repeated),
		cmocka_unit_test(another_page_is_not_a_root),
		cmocka_unit_test(the_oldest_guest_makes_room),
		cmocka_unit_test(a_running_guest_does_not_make_room),
		cmocka_unit_test(only_running_guests),
		cmocka_unit_test(the_oldest_vcpu_makes_room),
		cmocka_unit_test(running_vcpus_do_not_make_room),
		cmocka_unit_test(statistics_outlive_vcpus),
		cmocka_unit_test(ids_are_not_used_twice),
		cmocka_unit_test(without_table_pages_guests_are_not_watched),
		cmocka_unit_test(a_stopped_guest),
		cmocka_unit_test(cpus_race_for_vcpus),
	};

	return RUN_APART(tests);
}
