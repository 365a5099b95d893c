/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of guests and vCPUs: made, found, shared, reused, and given back. The guests are not
 * isolated: test_protect.c has those.
 */
#include <pthread.h>

#include "tests/unit/test_machine.h"

#define ROOT 0x200000u /* the first guest's; the others' follow page by page */
#define KEY 0x10000u

static _Thread_local const char *why; /* of the last vCPU that was not to be had */

static uint64_t root_of(unsigned int guest)
{
	return ROOT + guest * PAGE_SIZE;
}

static struct guest_vcpu *take(struct cpu *c, unsigned int vcpu, unsigned int guest)
{
	return guest_vcpu_take(c, HPA(KEY + vcpu * PAGE_SIZE), HPA(root_of(guest)), &why);
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

static void expect_none(const struct guest_vcpu *v, const char *reason)
{
	assert_null(v);
	assert_string_equal(why, reason);
}

#define IN_USE "the vCPU is in use on another CPU, or too many are in use"

/* --- made and found --------------------------------------------------------------------------- */

static void a_first_entry_makes_records(void **state)
{
	struct guest_vcpu *v;

	machine(2);
	assert_int_equal(guests_known(), 0);
	v = take(cpu, 0, 0);
	assert_true(v->fresh);
	assert_int_equal(v->key.a, KEY);
	assert_non_null(v->hw);
	assert_int_equal(v->guest->id, 1);
	assert_int_equal(v->guest->root.a, ROOT);
	assert_int_equal(v->guest->vcpus, 1);
	assert_int_equal(guests_known(), 1);
	assert_int_equal(guest_state(v->guest), GUEST_LIVE);
	assert_ptr_equal(guest_numbered(guest_number(v->guest)), v->guest);
}

/* L1 keeps all that the guest has. */
static void nothing_is_taken(void **state)
{
	struct guest_vcpu *v;

	machine(2);
	v = take(cpu, 0, 0);
	assert_false(guest_isolated(v->guest));
	assert_false(summary(1).isolated);
	for (uint64_t at = 0; at < RAM_SIZE; at += PAGE_SIZE) {
		assert_int_equal(owner_kind(owner_of(HPA(at))), OWNER_HOST);
		assert_true(host_allows(HPA(at), TABLE_RWX));
	}
	assert_int_equal(cpu->hw->flushed, 0);
	assert_int_equal(guest_enter(cpu, v), GUEST_ENTRY_OK);
}

/*
 * A CPU may know the translations of the guests it has run since it forgot all, and is asked by
 * phys_flush_guest() then; always of the last one, whose exit it may be dealing with.
 */
static void cpus_know_whom_they_have_run(void **state)
{
	unsigned int first, second;

	machine(2);
	enter(0, 0);
	first = cpu->last_guest - 1;
	assert_true(cpu_knows(cpu, first));
	assert_false(cpu_knows(cpu_at(1), first));
	phys_flush();
	assert_true(cpu_knows(cpu, first));
	enter(1, 1);
	second = cpu->last_guest - 1;
	assert_true(cpu_knows(cpu, first) && cpu_knows(cpu, second));
	phys_flush_guest(first);
	assert_int_equal(cpu->hw->flushed, 2);
	assert_int_equal(cpu_at(1)->hw->flushed, 1);
	assert_false(cpu_knows(cpu, first));
	assert_true(cpu_knows(cpu, second));
	phys_flush_guest(first);
	assert_int_equal(cpu->hw->flushed, 2);
	enter(0, 0); /* by the quick way too */
	enter(0, 0);
	assert_true(cpu_knows(cpu, first));
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
	expect_none(take(cpu_at(1), 0, 0), IN_USE);
	expect_none(take(cpu_at(1), 0, 1), IN_USE); /* nor with another root */
	expect_none(take(cpu, 0, 0), IN_USE);       /* nor twice */
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

static void a_guest_without_a_nested_table(void **state)
{
	struct guest_vcpu *v;

	machine(1);
	v = guest_vcpu_take(cpu, HPA(KEY), HPA(ROOT | 1), &why);
	assert_non_null(v);
	assert_int_equal(v->guest->root.a, ROOT | 1);
	assert_false(guest_isolated(v->guest));
}

/* --- the end ---------------------------------------------------------------------------------- */

/* While a vCPU is used its guest stays, and is not entered; then it goes too. */
static void the_end_of_a_running_guest(void **state)
{
	struct guest_vcpu *running;
	struct guest *g;

	machine(2);
	enter(1, 0);
	running = take(cpu_at(1), 0, 0);
	g = running->guest;
	guest_end(g, STOP_NONE);
	assert_int_equal(guest_state(g), GUEST_DEAD);
	assert_int_equal(cpu_at(1)->hw->flushed, 1); /* it has left the guest */
	assert_int_equal(guests_known(), 0);         /* nobody is told of it any more */
	assert_int_equal(g->vcpus, 1);               /* the idle one is gone */
	assert_int_equal(guest_enter(cpu_at(1), running), GUEST_ENTRY_OVER);
	guest_vcpu_drop(running);
	assert_int_equal(guest_state(g), GUEST_FREE);
	assert_int_equal(enter(0, 0), 2); /* the page again, as another guest's */
}

static void a_stopped_guest(void **state)
{
	struct guest_vcpu *v;
	uint64_t pos;

	machine(2);
	v = take(cpu, 0, 0);
	pos = log_end();
	guest_end(v->guest, STOP_UNKNOWN_EXIT);
	assert_int_equal(summary(1).stop_reason, STOP_UNKNOWN_EXIT);
	assert_int_equal(summary(1).state, GUEST_DEAD);
	assert_non_null(strstr(log_text(&pos), "guest 1 stopped: an exit that"));
	guest_end(v->guest, STOP_HOST_WRITE); /* once */
	assert_int_equal(summary(1).stop_reason, STOP_UNKNOWN_EXIT);
	assert_string_equal(log_text(&pos), "");
	expect_none(take(cpu_at(1), 1, 0), "the guest was stopped");
	assert_int_equal(guest_enter(cpu, v), GUEST_ENTRY_OVER);
	guest_vcpu_drop(v);
}

/* L1 may take the place of a guest that it has torn down while an old vCPU is still in use. */
static void a_root_used_again(void **state)
{
	struct guest_vcpu *old, *new;

	machine(2);
	old = take(cpu_at(1), 0, 0);
	guest_end(old->guest, STOP_NONE);
	new = take(cpu, 1, 0);
	assert_non_null(new);
	assert_int_equal(new->guest->id, 2);
	assert_ptr_not_equal(new->guest, old->guest);
	guest_vcpu_drop(old);
	assert_int_equal(guests_known(), 1);
	assert_int_equal(guest_enter(cpu, new), GUEST_ENTRY_OK);
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
	assert_int_equal(enter(0, 0), 1);
	assert_int_equal(enter(1, 1), GUEST_MAX + 2);
	assert_int_equal(enter(3, 3), 4); /* the third made room for that */
	assert_int_equal(enter(2, 2), GUEST_MAX + 3);
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
	guest_vcpu_drop(v);
}

static void only_running_guests(void **state)
{
	struct guest_vcpu *v[GUEST_MAX];

	machine(2);
	for (unsigned int i = 0; i < GUEST_MAX; i++)
		v[i] = take(cpu_at(1), i, i);
	expect_none(take(cpu, GUEST_MAX, GUEST_MAX), "too many guests");
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
	expect_none(take(cpu, GUEST_VCPU_MAX, 0), IN_USE);
	expect_none(take(cpu, GUEST_VCPU_MAX, 1), IN_USE);
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
			struct guest_vcpu *v = take(cpu, i % 5, guest);

			guest_end(v->guest, STOP_NONE);
			guest_vcpu_drop(v);
			ended[id] = true;
		}
	}
	assert_true(made > GUEST_MAX + 9);
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
		cmocka_unit_test(nothing_is_taken),
		cmocka_unit_test(a_later_entry_finds_them),
		cmocka_unit_test(vcpus_of_one_root_are_one_guest),
		cmocka_unit_test(a_vcpu_runs_on_one_cpu),
		cmocka_unit_test(a_vcpu_that_changes_its_root_changes_its_guest),
		cmocka_unit_test(a_guest_without_a_nested_table),
		cmocka_unit_test(the_end_of_a_running_guest),
		cmocka_unit_test(a_stopped_guest),
		cmocka_unit_test(a_root_used_again),
		cmocka_unit_test(the_oldest_guest_makes_room),
		cmocka_unit_test(a_running_guest_does_not_make_room),
		cmocka_unit_test(only_running_guests),
		cmocka_unit_test(the_oldest_vcpu_makes_room),
		cmocka_unit_test(running_vcpus_do_not_make_room),
		cmocka_unit_test(statistics_outlive_vcpus),
		cmocka_unit_test(cpus_know_whom_they_have_run),
		cmocka_unit_test(ids_are_not_used_twice),
		cmocka_unit_test(cpus_race_for_vcpus),
	};

	return RUN_APART(tests);
}
