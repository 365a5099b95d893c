/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks by two CPUs: one changes what the monitor looks at while the other has it look. Options: rounds=N. */
#include "lib/mem.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/race.h"

#define DIGEST_WORDS 4
#define MORE_ROUNDS 10 /* times as many as are asked for, at most */
#define JUGGLES 10     /* a round of race_store has so many of each CPU */

struct random dice = {0x9e3779b97f4a7c15};

/* What CPU 1 uses is on no stack that CPU 0 may leave. */
static struct {
	volatile uint64_t *at;
	uint64_t value[2];
	volatile uint64_t ticks;
	volatile bool go, stop;
	volatile uint64_t flips;
} f;

static void flip(void *unused)
{
	(void)unused;
	while (!f.stop) {
		uint64_t until;

		if (!f.go)
			continue;
		until = rdtsc() + f.ticks;
		do {
			set_entry((uint64_t *)f.at, f.value[0]);
			set_entry((uint64_t *)f.at, f.value[1]);
			f.flips++;
		} while (rdtsc() < until);
		f.go = false;
	}
}

void flip_start(void)
{
	memset((void *)&f, 0, sizeof(f));
	other_cpu(flip, NULL);
}

void flip_at(uint64_t *at, uint64_t a, uint64_t b, uint64_t ticks)
{
	f.at = at;
	f.value[0] = a;
	f.value[1] = b;
	f.ticks = ticks;
	f.flips = 0;
	f.go = true;
	CHECK(WAIT_FOR(f.flips || !f.go), "CPU 1 does not begin");
}

uint64_t flip_count(void)
{
	return f.flips;
}

void flip_end(void)
{
	CHECK(WAIT_FOR(!f.go), "CPU 1 does not finish a round");
}

void flip_stop(void)
{
	f.stop = true;
	other_cpu_wait();
}

void count_round(struct count *c, struct vm *v, bool launched)
{
	const char *why;

	c->rounds++;
	if (vm_stopped(v, &why))
		c->stopped++;
	else if (!launched)
		c->refused++;
	else
		c->ran++;
}

bool more_rounds(const struct count *c, uint64_t rounds, unsigned needs)
{
	bool enough = c->met * 8 >= rounds && (c->ran || !(needs & NEEDS_RAN)) &&
		      (c->refused || !(needs & NEEDS_REFUSED)) &&
		      (c->stopped || !(needs & NEEDS_STOPPED));

	return c->rounds < rounds ||
	       (monitor_present() && !enough && c->rounds < rounds * MORE_ROUNDS);
}

void judge_rounds(const struct count *c, uint64_t rounds, unsigned needs)
{
	if (monitor_present()) {
		CHECK(c->met * 8 >= rounds, "only %u of %u rounds met", c->met, c->rounds);
		CHECK(c->ran || !(needs & NEEDS_RAN), "no guest of %u ran", c->rounds);
		CHECK(c->refused || !(needs & NEEDS_REFUSED), "none of %u was refused", c->rounds);
		CHECK(c->stopped || !(needs & NEEDS_STOPPED), "no guest of %u was stopped",
		      c->rounds);
	}
	failed("%u rounds, %u met: %u guests ran, %u were stopped, %u refused", c->rounds, c->met,
	       c->ran, c->stopped, c->refused);
}

/* How long a launch takes, with the other CPU as it is: learnt as we go. */
static uint64_t launch_ticks;

static bool timed_launch(struct vm *v)
{
	uint64_t start = rdtsc();
	bool launched = vm_launch(v);

	launch_ticks = (launch_ticks * 7 + (rdtsc() - start)) / 8;
	return launched;
}

/* While CPU 1 flips. */
static bool launch_and_flip(struct vm *v, struct count *c)
{
	uint64_t before = flip_count();
	bool launched = timed_launch(v);

	c->met += flip_count() > before;
	return launched;
}

static bool starts(struct vm *v)
{
	if (!vm_do(v, VICTIM_START, 0, 0))
		return false;
	memcpy(v->check, v->shared->check, sizeof(v->check));
	return true;
}

/* After a round in which the victim may have got one of two pages, or both. */
static bool round_won(struct vm *v, struct count *c, const void *one, const void *two)
{
	bool launched = launch_and_flip(v, c), started, won = false;

	started = launched && starts(v);
	if (started) {
		won = has_secret(v, one, PAGE_SIZE) || has_secret(v, two, PAGE_SIZE);
		won |= vm_do(v, VICTIM_CHECK, 0, 0) && v->shared->reply;
	}
	count_round(c, v, launched);
	return won;
}

/* Which entry of the victim's tables flips, and to what, so that the secret's page becomes `other`. */
typedef void (*aim_fn)(struct vm *v, uint64_t *other, uint64_t **entry, uint64_t *value);

/* It flips during the launch, each time at another moment. */
static void race_flips(aim_fn aim)
{
	uint64_t rounds = option("rounds", 1000);
	struct count c = {0};
	bool won = false;

	flip_start();
	while (!won && more_rounds(&c, rounds, NEEDS_STOPPED)) {
		struct vm *v = vm_new();
		uint64_t *other = page_alloc(), *entry, value;

		aim(v, other, &entry, &value);
		victim_is(v);
		flip_at(entry, *entry, value, random_below(&dice, 2 * launch_ticks + 1));
		won = round_won(v, &c, v->data[0], other);
		flip_end();
		if (!won) {
			victim_is(NULL);
			vm_drop(v);
		}
	}
	flip_stop();
	if (won)
		succeeded("in round %u", c.rounds);
	else
		judge_rounds(&c, rounds, NEEDS_STOPPED);
}

static void aim_leaf(struct vm *v, uint64_t *other, uint64_t **entry, uint64_t *value)
{
	*entry = data_entry(v, 0);
	*value = hv_leaf((uint64_t)other);
}

/* The leaf of the secret's page. */
static void race_leaf(void)
{
	race_flips(aim_leaf);
}

static void aim_table(struct vm *v, uint64_t *other, uint64_t **entry, uint64_t *value)
{
	uint64_t *table = page_alloc();

	*entry = hv_entry(v->root, GUEST_DATA, LEVEL_2M);
	memcpy(table, (void *)(**entry & PTE_ADDRESS), PAGE_SIZE);
	table[0] = hv_leaf((uint64_t)other);
	*value = hv_table((uint64_t)table);
}

/* The table above it: the other table has another page there. */
static void race_table(void)
{
	race_flips(aim_table);
}

/* Two guests are launched at once that map the same page; only one may have it. */
struct twin {
	struct vm *vm;
	volatile bool go, stop, launched;
	volatile uint64_t start, end;
};

static struct twin t;

static void launch_twin(void *unused)
{
	(void)unused;
	vendor_enable();
	while (!t.stop) {
		if (!t.go)
			continue;
		t.start = rdtsc();
		t.launched = vm_launch(t.vm);
		t.end = rdtsc();
		guest_release(&t.vm->g);
		t.go = false;
	}
	vendor_disable();
}

/* One round. The victim runs, or the accomplice is launched: at most one of the two. */
static bool twins_won(struct vm *v, struct vm *a, struct count *c)
{
	uint64_t start, end;
	bool started, won = false;

	t.go = true;
	cpu_idle(random_below(&dice, launch_ticks / 16 + 1) + 1);
	start = rdtsc();
	started = timed_launch(v);
	end = rdtsc();
	started = started && starts(v);
	CHECK(WAIT_FOR(!t.go), "CPU 1 does not launch");
	c->met += start < t.end && t.start < end;
	if (started) {
		won = t.launched && vm_do(a, VICTIM_READ, GUEST_DATA + PAGE_SIZE + SECRET_AT, 0) &&
		      has_secret(v, a->shared->out, sizeof(a->shared->out));
		won |= vm_do(v, VICTIM_CHECK, 0, 0) && v->shared->reply;
	} else {
		CHECK(t.launched, "neither is launched in round %u", c->rounds);
	}
	count_round(c, v, started);
	return won;
}

static void race_twins(void)
{
	uint64_t rounds = option("rounds", 1000);
	struct count c = {0};
	bool won = false;

	t = (struct twin){0};
	other_cpu(launch_twin, NULL);
	while (!won && more_rounds(&c, rounds, NEEDS_RAN | NEEDS_REFUSED)) {
		struct vm *v = vm_new(), *a = vm_new();

		*data_entry(a, 1) = hv_leaf((uint64_t)v->data[0]);
		guest_release(&a->g);
		t.vm = a;
		victim_is(v);
		won = twins_won(v, a, &c);
		if (!won) {
			victim_is(NULL);
			vm_drop(a);
			vm_drop(v);
		}
	}
	t.stop = true;
	other_cpu_wait();
	if (won)
		succeeded("in round %u", c.rounds);
	else
		judge_rounds(&c, rounds, NEEDS_RAN | NEEDS_REFUSED);
}

static bool digest_of(const struct vm *v, uint64_t digest[DIGEST_WORDS])
{
	uint64_t out[8];
	int64_t err = 0;

	for (uint64_t i = 1; hypercall(HYPERCALL_GUEST, i, 0, &err, out) && err != ERR_INVAL; i++) {
		if (err || out[0] <= v->born || out[1] != (uint64_t)v->root)
			continue;
		if (!hypercall(HYPERCALL_LAUNCH, i, 0, &err, out) || err)
			return false;
		memcpy(digest, &out[1], DIGEST_WORDS * 8);
		return true;
	}
	return false;
}

/* The flag that the victim's code is launched with. */
static uint64_t *flag_of(struct vm *v)
{
	return (uint64_t *)(v->code + ((uint64_t)&victim_flag - (uint64_t)victim_image));
}

/* The digest of a victim with this flag. */
static void measured(uint64_t flag, uint64_t digest[DIGEST_WORDS])
{
	struct vm *v = vm_new();

	*flag_of(v) = flag;
	CHECK(vm_launch(v), "not launched");
	CHECK(digest_of(v, digest), "no digest");
	vm_drop(v);
}

/* What is measured flips during the launch: is it what runs? Without a monitor nothing is measured. */
static void race_measure(void)
{
	uint64_t rounds = option("rounds", 1000);
	uint64_t digest[3][DIGEST_WORDS] = {{0}};
	struct count c = {0};
	bool won = false;

	if (monitor_present()) {
		measured(0, digest[0]);
		measured(1, digest[1]);
		CHECK(memcmp(digest[0], digest[1], sizeof(digest[0])),
		      "the flag is not in the digest");
	}
	flip_start();
	while (!won && more_rounds(&c, rounds, NEEDS_RAN | NEEDS_STOPPED)) {
		uint64_t first = c.rounds % 2;
		struct vm *v = vm_new();
		bool launched;

		victim_is(v);
		flip_at(flag_of(v), first, 1 - first, random_below(&dice, 2 * launch_ticks + 1));
		launched = launch_and_flip(v, &c);
		if (launched && !monitor_present())
			flip_end(), set_entry(flag_of(v), 2);
		if (launched && (!monitor_present() || digest_of(v, digest[2])) &&
		    vm_do(v, VICTIM_FLAG, 0, 0)) {
			uint64_t flag = v->shared->reply;

			won = flag > 1 || memcmp(digest[2], digest[flag], sizeof(digest[2]));
		}
		count_round(&c, v, launched);
		flip_end();
		if (!won) {
			victim_is(NULL);
			vm_drop(v);
		}
	}
	flip_stop();
	if (won)
		succeeded("in round %u: it runs with other memory than was measured", c.rounds);
	else
		judge_rounds(&c, rounds, NEEDS_RAN | NEEDS_STOPPED);
}

/* CPU 1 takes a page away and gives it back again and again, and looks at it, and so does CPU 0. */
struct juggler {
	struct vm *vm;
	uint64_t *entry, leaf;
	volatile bool go, stop, seen;
	volatile uint64_t times; /* CPU 1's */
};

static struct juggler j;

static void juggle_once(void)
{
	set_entry(j.entry, 0);
	if (has_secret(j.vm, j.vm->data[0] + SECRET_AT, SECRET_WORDS * 8))
		j.seen = true;
	set_entry(j.entry, j.leaf);
}

static void juggle(void *unused)
{
	(void)unused;
	while (!j.stop) {
		if (!j.go)
			continue;
		juggle_once();
		j.times++;
	}
}

/* Both CPUs, until each has done it often enough; false if CPU 1 does not come to it. */
static bool juggle_both(void)
{
	j.times = 0;
	j.go = true;
	for (unsigned n = 0; n < JUGGLES || (j.times < JUGGLES && n < 10 * JUGGLES); n++) {
		juggle_once();
		cpu_idle(random_below(&dice, 1000) + 1);
	}
	j.go = false;
	cpu_idle(10000);
	return j.times >= JUGGLES;
}

static void race_store(void)
{
	uint64_t rounds = option("rounds", 1000) / 10;
	struct count c = {0};
	bool won = false, goes_on = false;
	struct vm *v = NULL;

	while (!won && more_rounds(&c, rounds, NEEDS_RAN)) {
		if (!goes_on) {
			v = victim_new();
			j = (struct juggler){.vm = v,
					     .entry = data_entry(v, 0),
					     .leaf = *data_entry(v, 0)};
			other_cpu(juggle, NULL);
		}
		c.met += juggle_both();
		set_entry(j.entry, j.leaf);
		nested_flush(&v->g);
		goes_on = vm_do(v, VICTIM_CHECK, 0, 0);
		won = j.seen || (goes_on && v->shared->reply);
		count_round(&c, v, true);
		if (!goes_on && !won) {
			j.stop = true;
			other_cpu_wait();
			victim_is(NULL);
			vm_drop(v);
		}
	}
	j.stop = true;
	other_cpu_wait();
	if (won)
		succeeded("%s in round %u", j.seen ? "the secret was seen" : "a page has changed",
			  c.rounds);
	else
		judge_rounds(&c, rounds, NEEDS_RAN);
}

/* CPU 1 looks for the secret all the time in the lives of many victims. */
struct reader {
	struct vm *volatile vm;
	volatile bool stop, seen;
	volatile uint64_t times;
};

static struct reader r;

static void look(void *unused)
{
	(void)unused;
	while (!r.stop) {
		struct vm *v = r.vm;

		if (v && has_secret(v, v->data[0] + SECRET_AT, SECRET_WORDS * 8))
			r.seen = true;
		r.times++;
	}
}

/* Lets it look a few times. */
static void let_look(void)
{
	uint64_t before = r.times;

	CHECK(WAIT_FOR(r.times > before + 2), "CPU 1 does not look");
}

static void race_read(void)
{
	uint64_t rounds = option("rounds", 1000) / 4;
	struct count c = {0};

	r = (struct reader){0};
	other_cpu(look, NULL);
	while (!r.seen && more_rounds(&c, rounds, NEEDS_RAN | NEEDS_STOPPED)) {
		struct vm *v = vm_new();
		uint64_t *entry = data_entry(v, 0), leaf = *entry;
		uint64_t before;
		bool launched;

		victim_is(v);
		r.vm = v;
		let_look();
		before = r.times;
		launched = vm_launch(v) && starts(v);
		c.met += r.times > before;
		let_look();
		set_entry(entry, 0);
		set_entry(entry, leaf);
		nested_flush(&v->g);
		if (c.rounds % 2)
			*(volatile uint64_t *)v->data[3] = 1; /* it is stopped */
		else
			CHECK(vm_do(v, VICTIM_CHECK, 0, 0), "it does not go on: exit 0x%x",
			      v->exit);
		count_round(&c, v, launched);
		vm_end(v);
		let_look();
		victim_is(NULL);
		r.vm = NULL;
		let_look();
		vm_drop(v);
	}
	r.stop = true;
	other_cpu_wait();
	if (r.seen)
		succeeded("the secret was seen in round %u", c.rounds);
	else
		judge_rounds(&c, rounds, NEEDS_RAN | NEEDS_STOPPED);
}

const struct attack race_attacks[] = {
	{"race-leaf", race_leaf},
	{"race-table", race_table},
	{"race-twins", race_twins},
	{"race-measure", race_measure},
	{"race-store", race_store},
	{"race-read", race_read},
	{NULL, NULL},
};
