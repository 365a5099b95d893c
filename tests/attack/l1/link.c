/* SPDX-License-Identifier: Apache-2.0 */
/* Races over a store that links tables into the nested table of a guest that runs already. */
#include "lib/mem.h"
#include "lib/pages.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/race.h"

#define TABLES 512u /* below one table: the monitor has a while to do with them */

/* How long such a store takes, with the other CPU as it is: learnt as we go. */
static uint64_t link_ticks;

static void link(uint64_t *entry, uint64_t value)
{
	uint64_t start = rdtsc();

	set_entry(entry, value);
	link_ticks = (link_ticks * 7 + (rdtsc() - start)) / 8;
}

/* --- CPU 1 flips an entry of the tables that are linked -------------------------------------------- */

/* Tables for GUEST_HIGH, not linked yet, and two values for one entry of theirs: one of its own, one not. */
struct subtree {
	uint64_t *top, *entry;
	uint64_t fair, evil;
};

static struct subtree subtree_new(const struct vm *v, bool above)
{
	uint64_t *top = page_alloc(), *middle = page_alloc(), *low = page_alloc();
	uint64_t *evil = page_alloc();

	evil[0] = hv_leaf((uint64_t)v->data[0]);
	low[0] = hv_leaf((uint64_t)junk_page());
	middle[0] = hv_table((uint64_t)low);
	top[0] = hv_table((uint64_t)middle);
	return above ? (struct subtree){top, middle, middle[0], hv_table((uint64_t)evil)}
		     : (struct subtree){top, low, low[0], evil[0]};
}

static bool link_won(const struct vm *v, struct vm *a, struct count *c)
{
	struct subtree s = subtree_new(v, c->rounds & 1);
	uint64_t ticks = random_below(&dice, 2 * link_ticks + 1);
	uint64_t before;

	if (c->rounds & 2)
		flip_at(s.entry, s.evil, s.fair, ticks);
	else
		flip_at(s.entry, s.fair, s.evil, ticks);
	before = flip_count();
	link(&a->root[GUEST_HIGH / (512 * GIB)], hv_table((uint64_t)s.top));
	c->met += flip_count() > before;
	flip_end();
	nested_flush(&a->g);
	return vm_do(a, VICTIM_READ, GUEST_HIGH + SECRET_WINDOW, 0) &&
	       has_secret(v, a->shared->out, sizeof(a->shared->out));
}

static void race_link(void)
{
	uint64_t rounds = option("rounds", 1000);
	struct vm *v = victim_new();
	struct count c = {0};
	bool won = false;

	link_ticks = 0;
	flip_start();
	while (!won && more_rounds(&c, rounds, NEEDS_RAN | NEEDS_STOPPED)) {
		struct vm *a = vm_new();

		CHECK(vm_launch(a), "not launched");
		won = link_won(v, a, &c);
		count_round(&c, a, true);
		vm_drop(a);
	}
	flip_stop();
	if (won)
		succeeded("an accomplice reads the secret in round %u", c.rounds);
	else
		judge_rounds(&c, rounds, NEEDS_RAN | NEEDS_STOPPED);
}

/* --- the tables that are linked are the guest's already -------------------------------------------- */

/*
 * A table that the accomplice's table has already comes below a new one, in the place of the old one's.
 * If the monitor takes it for L1's meanwhile, CPU 1 can write to it, and have the accomplice run by it.
 */
static struct {
	struct vm *a;
	uint64_t *leaf, evil;
	volatile uint64_t delay;
	volatile bool go, stop, met, reads;
	volatile enum { BEFORE, LINKING, LINKED } link;
} child;

static void write_and_run(void)
{
	uint64_t until;

	while (child.link == BEFORE)
		;
	until = rdtsc() + child.delay;
	while (rdtsc() < until)
		;
	child.met = child.link == LINKING;
	set_entry(child.leaf, child.evil);
	nested_flush(&child.a->g);
	child.reads = vm_do(child.a, VICTIM_READ, GUEST_MORE + SECRET_WINDOW, 0);
	guest_release(&child.a->g);
}

static void use_child(void *unused)
{
	(void)unused;
	vendor_enable();
	while (!child.stop) {
		if (!child.go)
			continue;
		write_and_run();
		child.go = false;
	}
	vendor_disable();
}

/* A guest with as many tables as one can have below it, and a page in the first of them. */
static struct vm *wide_guest(void)
{
	struct vm *a = vm_new();

	for (uint64_t i = 0; i < TABLES; i++)
		*vm_entry(a, GUEST_MORE + i * 2 * MIB) = 0;
	*vm_entry(a, GUEST_MORE) = hv_leaf((uint64_t)junk_page());
	CHECK(vm_launch(a), "not launched");
	return a;
}

/* The entry that points to a table of the accomplice's, and a copy of that table. */
static uint64_t *table_copy(uint64_t *entry)
{
	uint64_t *copy = page_alloc();

	memcpy(copy, (void *)(*entry & PTE_ADDRESS), PAGE_SIZE);
	return copy;
}

static bool child_won(const struct vm *v, struct vm *a, bool top, struct count *c)
{
	uint64_t *entry = top ? &a->root[0] : hv_entry(a->root, GUEST_MORE, LEVEL_1G);
	uint64_t *copy = table_copy(entry);

	child.leaf = vm_entry(a, GUEST_MORE);
	child.evil = hv_leaf((uint64_t)v->data[0]);
	/* All that counts is early in the store; the rest is the end of the guest. */
	child.delay = random_below(&dice, (link_ticks >> (4 + random_below(&dice, 8))) + 1);
	child.a = a;
	child.link = BEFORE;
	guest_release(&a->g);
	child.go = true;
	cpu_idle(10000);
	child.link = LINKING;
	link(entry, hv_table((uint64_t)copy));
	child.link = LINKED;
	CHECK(WAIT_FOR(!child.go), "CPU 1 does not finish a round");
	c->met += child.met;
	return child.reads && has_secret(v, a->shared->out, sizeof(a->shared->out));
}

static void shared_child(void)
{
	uint64_t rounds = option("rounds", 1000) / 3 + 1;
	struct vm *v = victim_new();
	struct count c = {0};
	bool won = false;

	link_ticks = 0;
	memset((void *)&child, 0, sizeof(child));
	other_cpu(use_child, NULL);
	while (!won && more_rounds(&c, rounds, NEEDS_STOPPED)) {
		struct vm *a = wide_guest();

		won = child_won(v, a, c.rounds & 1, &c);
		count_round(&c, a, true);
		vm_drop(a);
	}
	child.stop = true;
	other_cpu_wait();
	if (won)
		succeeded("an accomplice reads the secret in round %u", c.rounds);
	else
		judge_rounds(&c, rounds, NEEDS_STOPPED);
}

const struct attack link_attacks[] = {
	{"race-link", race_link},
	{"shared-child", shared_child},
	{NULL, NULL},
};
