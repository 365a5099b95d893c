/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What memory isolation costs an L1 that reaches for guests' memory, for the benchmarks: each CPU that
 * takes part (all, or active=N) has a guest of its own, and all do the same thing many times at once. With
 * watch=1 the others run too: L1 on them does nothing, but can be asked by the monitor.
 * With the emulator counting instructions the TSC counts those of all CPUs together. One line a kind:
 * "fault NAME: cpus C, active A, watch W, operations N, total T", for N operations of each active CPU. First, what
 * the monitor has taken of the machine's memory: "memory: host H, monitor M", in bytes.
 */
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "tests/attack/l1/world.h"

#define MORE_PAGES \
	512u           /* fewer than the monitor has window frames; those of four guests are more */
#define OPERAND 0x100u /* in the second data page */
#define OPERAND_BYTES 16u

struct worker {
	struct vm *vm;
	uint8_t *more;
	uint64_t *entry; /* of the second data page, in the nested table */
	uint64_t start, end;
	const char *failed;
};

static struct worker workers[MAX_CPUS];
static unsigned int active;

static bool nothing(struct worker *w, unsigned int i)
{
	(void)w;
	(void)i;
	return true;
}

/* What Xen does to each entry when it wants to look at it again, and back. */
static bool mark(struct worker *w, unsigned int i)
{
	uint64_t leaf = hv_leaf((uint64_t)w->vm->data[1]);

	set_entry(w->entry, i % 2 ? leaf : hv_marked(leaf));
	return true;
}

static bool take_and_give(struct worker *w, unsigned int i)
{
	(void)i;
	set_entry(w->entry, 0);
	set_entry(w->entry, hv_leaf((uint64_t)w->vm->data[1]));
	return true;
}

static bool read_new(struct worker *w, unsigned int i)
{
	(void)*(volatile uint64_t *)(w->more + i * PAGE_SIZE);
	return true;
}

/* One exit and one entry: no memory of the guest's takes part. */
static bool port(struct worker *w, unsigned int i)
{
	(void)i;
	return vm_do(w->vm, VICTIM_FLAG, 0, 0);
}

/* The same, and before it string output from a private page: two exits and two entries. */
static bool string_port(struct worker *w, unsigned int i)
{
	struct vm *vm = w->vm;

	(void)i;
	vm_tell(vm, VICTIM_OUTS, GUEST_DATA + PAGE_SIZE + OPERAND, OPERAND_BYTES);
	if (vm_enter(vm) != CAME_STRING || !*(volatile uint64_t *)(vm->data[1] + OPERAND))
		return false;
	vm->g.r.rsi += OPERAND_BYTES;
	vm->g.r.rcx = 0;
	hv_skip(&vm->g, 2);
	return vm_enter(vm) == CAME_SIGNAL;
}

static const struct load {
	const char *name;
	bool (*once)(struct worker *w, unsigned int i);
	unsigned int times;
} loads[] = {
	{"nothing", nothing, 1000},       {"mark", mark, 1000}, {"leaf", take_and_give, 500},
	{"export", read_new, MORE_PAGES}, {"port", port, 1000}, {"string-port", string_port, 1000},
};

/* Returns when all active CPUs have come here as often as this one. */
static void meet(void)
{
	static unsigned int come;
	unsigned int n = __atomic_add_fetch(&come, 1, __ATOMIC_SEQ_CST);
	unsigned int all = (n + active - 1) / active * active;

	while (__atomic_load_n(&come, __ATOMIC_SEQ_CST) < all)
		cpu_pause();
}

/* PAUSE has the emulator go on with another CPU, so that they take turns. */
static bool repeat(struct worker *w, const struct load *k)
{
	bool fine = true;

	w->start = rdtsc();
	for (unsigned int i = 0; i < k->times; i++) {
		fine &= k->once(w, i);
		cpu_pause();
	}
	w->end = rdtsc();
	return fine;
}

static void print_cost(const struct load *k)
{
	uint64_t start = workers[0].start, end = workers[0].end;

	for (unsigned int i = 1; i < active; i++) {
		start = workers[i].start < start ? workers[i].start : start;
		end = workers[i].end > end ? workers[i].end : end;
	}
	print("fault %s: cpus %u, active %u, watch %u, operations %u, total %u\n", k->name,
	      U64(cpu_count()), U64(active), option("watch", 0), U64(k->times), end - start);
}

/* All loads, one after the other, on one CPU; the boot CPU prints. */
static void work(void *arg)
{
	struct worker *w = arg;

	vendor_enable();
	if (!vm_launch(w->vm) || !vm_do(w->vm, VICTIM_START, 0, 0))
		w->failed = "the guest does not start";
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		meet();
		if (!repeat(w, &loads[i]))
			w->failed = loads[i].name;
		meet();
		if (w == workers)
			print_cost(&loads[i]);
	}
	if (!vm_intact(w->vm))
		w->failed = "the guest's memory has changed";
	guest_release(&w->vm->g);
}

static void watch(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_SEQ_CST))
		cpu_pause();
}

static void wait_for(unsigned int cpu)
{
	while (!cpu_finished(cpu))
		cpu_pause();
}

static void prepare(struct worker *w)
{
	w->vm = vm_new();
	w->more = pages_alloc(MORE_PAGES, PAGE_SIZE);
	for (unsigned int i = 0; i < MORE_PAGES; i++)
		*vm_entry(w->vm, GUEST_MORE + i * PAGE_SIZE) =
			hv_leaf((uint64_t)w->more + i * PAGE_SIZE);
	w->entry = data_entry(w->vm, 1);
}

/* The CPUs that take part, then those that watch. */
static void faults(const void *arg)
{
	static bool stop;
	unsigned int cpus = option("watch", 0) ? cpu_count() : 0;

	(void)arg;
	active = (unsigned int)option("active", cpu_count());
	CHECK(active >= 1 && active <= cpu_count(), "there are %u CPUs", U64(cpu_count()));
	for (unsigned int i = 0; i < active; i++)
		prepare(&workers[i]);
	for (unsigned int i = active; i < cpus; i++)
		CHECK(cpu_start(i, watch, &stop), "CPU %u does not start", U64(i));
	for (unsigned int i = 1; i < active; i++)
		CHECK(cpu_start(i, work, &workers[i]), "CPU %u does not start", U64(i));
	work(&workers[0]);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	for (unsigned int i = 1; i < (cpus > active ? cpus : active); i++)
		wait_for(i);
	for (unsigned int i = 0; i < active; i++)
		CHECK(!workers[i].failed, "CPU %u: %s", U64(i), workers[i].failed);
}

static void memory(const void *arg)
{
	uint64_t out[8];
	int64_t err;

	(void)arg;
	CHECK(hypercall(HYPERCALL_INFO, 0, 0, &err, out) && !err, "the monitor does not answer");
	print("memory: host %u, monitor %u\n", out[0], out[1]);
}

void l1_main(void)
{
	vendor_start();
	if (monitor_present())
		test("memory", memory, NULL);
	test("faults", faults, NULL);
}
