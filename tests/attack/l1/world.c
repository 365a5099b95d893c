/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/l1/world.h"

#include "lib/mem.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "tests/attack/l1/attacks.h"

#define VMS 16
#define CPUID_RDRAND (1u << 30) /* leaf 1, ECX */

static struct {
	struct vm vm[VMS];
	unsigned count;
	struct vm *victim;
	const char *name;
	bool judged;
	uint64_t cr3;          /* L1's own */
	unsigned ways, worked; /* way() */
	const char *way, *hit;
	const char *stopped; /* why the last victim of a way was stopped */
	void (*reset)(void); /* the library's */
} world;

/* --- guests ---------------------------------------------------------------------------------------- */

uint64_t *vm_entry(struct vm *vm, uint64_t gpa)
{
	return hv_entry(vm->root, gpa, LEVEL_4K);
}

uint64_t *data_entry(struct vm *vm, unsigned page)
{
	return vm_entry(vm, GUEST_DATA + page * PAGE_SIZE);
}

static void map(struct vm *vm, uint64_t gpa, const void *page)
{
	*vm_entry(vm, gpa) = hv_leaf((uint64_t)page);
}

static void map_all(struct vm *vm, uint64_t gpa, const uint8_t *first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		map(vm, gpa + i * PAGE_SIZE, first + i * PAGE_SIZE);
}

/* The guest's own: 2 GiB, the last one below 4 GiB, and 2 MiB at GUEST_HIGH, all to themselves. */
static void fill_tables(uint64_t *t)
{
	enum { ROOT, LOW, GIB0, GIB1, GIB3, HIGH, HIGH_GIB };
	const uint64_t bits = PTE_P | PTE_W;

#define TABLE(i) ((GUEST_TABLES + (uint64_t)(i)*PAGE_SIZE) | bits)
	t[ROOT * PAGE_WORDS] = TABLE(LOW);
	t[ROOT * PAGE_WORDS + GUEST_HIGH / (512 * GIB)] = TABLE(HIGH);
	t[LOW * PAGE_WORDS] = TABLE(GIB0);
	t[LOW * PAGE_WORDS + 1] = TABLE(GIB1);
	t[LOW * PAGE_WORDS + 3] = TABLE(GIB3);
	t[HIGH * PAGE_WORDS] = TABLE(HIGH_GIB);
	t[HIGH_GIB * PAGE_WORDS] = GUEST_HIGH | bits | PTE_LARGE;
#undef TABLE
	for (uint64_t i = 0; i < PAGE_WORDS; i++) {
		t[GIB0 * PAGE_WORDS + i] = i * 2 * MIB | bits | PTE_LARGE;
		t[GIB1 * PAGE_WORDS + i] = (GIB + i * 2 * MIB) | bits | PTE_LARGE;
		t[GIB3 * PAGE_WORDS + i] = (3 * GIB + i * 2 * MIB) | bits | PTE_LARGE;
	}
}

struct guest vm_vcpu(struct vm *vm, const void *rip)
{
	struct guest g = guest_long(rip);

	hv_prepare(&g, (uint64_t)vm->root, GUEST_TABLES, rip, (uint64_t)victim_stack_end - 8);
	return g;
}

/* What the monitor tells of the guest in record *i, or in the next one that has a guest. */
static bool next_guest(uint64_t *i, uint64_t *out)
{
	int64_t err = ERR_NOENT;

	for (; monitor_present() && hypercall(HYPERCALL_GUEST, *i, 0, &err, out); ++*i)
		if (err != ERR_NOENT)
			break;
	return !err;
}

/* It remembers stopped guests. Earlier ones, which may have had the same root, have lower ids. */
static uint64_t last_guest(void)
{
	uint64_t last = 0, out[8];

	for (uint64_t i = 1; next_guest(&i, out); i++)
		last = out[0] > last ? out[0] : last;
	return last;
}

struct vm *vm_new(void)
{
	size_t code = (size_t)(victim_end - victim_image);
	struct vm *vm = &world.vm[world.count];

	CHECK(world.count < VMS, "too many guests");
	CHECK((uint64_t)victim_end <= GUEST_TABLES, "the victim's code is where its tables are");
	*vm = (struct vm){.mark = pages_mark(), .born = last_guest()};
	world.count++;
	vm->root = page_alloc();
	vm->code = pages_alloc(code / PAGE_SIZE, PAGE_SIZE);
	memcpy(vm->code, victim_image, code);
	vm->tables = pages_alloc(TABLE_PAGES, PAGE_SIZE);
	fill_tables((uint64_t *)vm->tables);
	vm->data[0] = pages_alloc(DATA_PAGES, PAGE_SIZE);
	for (unsigned i = 1; i < DATA_PAGES; i++)
		vm->data[i] = vm->data[0] + i * PAGE_SIZE;
	vm->given[0] = pages_alloc(GIVEN_PAGES, PAGE_SIZE);
	for (unsigned i = 1; i < GIVEN_PAGES; i++)
		vm->given[i] = vm->given[0] + i * PAGE_SIZE;
	vm->shared = page_alloc();
	map_all(vm, (uint64_t)victim_image, vm->code, code / PAGE_SIZE);
	map_all(vm, GUEST_TABLES, vm->tables, TABLE_PAGES);
	map_all(vm, GUEST_DATA, vm->data[0], DATA_PAGES);
	map_all(vm, GUEST_GIVEN, vm->given[0], GIVEN_PAGES);
	map(vm, GUEST_SHARED, vm->shared);
	vm->g = vm_vcpu(vm, victim_main);
	return vm;
}

enum came vm_came(struct vm *vm, struct guest *g)
{
	uint64_t exit = guest_try(g);
	uint16_t port;

	vm->exit = exit;
	if (hv_is_refused(exit))
		return CAME_REFUSED;
	if (hv_is_fault(exit))
		return CAME_FAULT;
	if (exit == X_STOP)
		return CAME_CALL;
	if (exit != X_IO)
		return CAME_OTHER;
	port = hv_port(g);
	if (port != SIGNAL_PORT)
		return port == STRING_PORT ? CAME_STRING : CAME_PORT;
	hv_skip(g, 1);
	return CAME_SIGNAL;
}

enum came vm_enter(struct vm *vm)
{
	return vm_came(vm, &vm->g);
}

bool vm_launch(struct vm *vm)
{
	return vm_enter(vm) == CAME_SIGNAL;
}

void vm_tell(struct vm *vm, enum command command, uint64_t a, uint64_t b)
{
	vm->shared->command = command;
	vm->shared->argument[0] = a;
	vm->shared->argument[1] = b;
	vm->shared->spins = 0;
	vm->shared->stop = 0;
	__asm__ volatile("" ::: "memory");
}

bool vm_do(struct vm *vm, enum command command, uint64_t a, uint64_t b)
{
	vm_tell(vm, command, a, b);
	return vm_enter(vm) == CAME_SIGNAL;
}

/* A last entry of the root that goes away is what tells the monitor. */
void vm_end(struct vm *vm)
{
	if (vm->over)
		return;
	vm->over = true;
	for (unsigned i = 0; i < PAGE_WORDS; i++)
		if (vm->root[i])
			set_entry(&vm->root[i], 0);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		(void)*(volatile uint8_t *)vm->data[i]; /* wherever an attack has put them */
}

/* L1 touches its pages from `mark` on, and so gets back what was a dead guest's. */
static void take_back(size_t mark)
{
	uint64_t start, end;

	pages_range(&start, &end);
	for (uint64_t at = start + mark; at < start + pages_mark(); at += PAGE_SIZE)
		(void)*(volatile uint8_t *)at;
}

void vm_drop(struct vm *vm)
{
	CHECK(vm == &world.vm[world.count - 1], "not the newest guest");
	vm_end(vm);
	world.count--;
	take_back(vm->mark);
	hv_drop(&vm->g);
	pages_release(vm->mark);
}

void victim_is(struct vm *vm)
{
	world.victim = vm;
}

void victim_start(struct vm *vm)
{
	bool rdrand = cpuid(1, 0).c & CPUID_RDRAND;

	CHECK(vm_do(vm, VICTIM_START, rdrand, 0), "the victim does not start: exit 0x%x", vm->exit);
	memcpy(vm->check, vm->shared->check, sizeof(vm->check));
	CHECK(vm_do(vm, VICTIM_CHECK, 0, 0) && vm->shared->reply == 0,
	      "the victim is not intact at first: exit 0x%x, 0x%x", vm->exit, vm->shared->reply);
}

struct vm *victim_new(void)
{
	struct vm *vm = vm_new();

	hv_control_page(vm->given[0]);
	victim_is(vm);
	CHECK(vm_launch(vm), "the victim is not launched: exit 0x%x", vm->exit);
	victim_start(vm);
	return vm;
}

/* --- what became of them ----------------------------------------------------------------------------- */

bool has_secret(const struct vm *victim, const volatile void *memory, size_t size)
{
	const volatile uint64_t *word = memory;

	for (size_t i = 0; i < size / 8; i++) {
		uint64_t check = check_of(word[i]);

		for (unsigned s = 0; s < CHECKS; s++)
			if (check == victim->check[s])
				return true;
	}
	return false;
}

bool vm_stopped(const struct vm *vm, const char **why)
{
	static const char *const text[] = {
#define X(name, words) words,
		STOP_REASONS(X)
#undef X
	};
	uint64_t out[8];

	for (uint64_t i = 1; next_guest(&i, out); i++) {
		if (out[0] <= vm->born || out[1] != (uint64_t)vm->root || !out[3])
			continue;
		*why = out[4] < ARRAY_SIZE(text) ? text[out[4]] : "a reason with no name";
		return true;
	}
	return false;
}

bool vm_intact(struct vm *vm)
{
	return vm_do(vm, VICTIM_CHECK, 0, 0) && vm->shared->reply == 0;
}

static void verdict(const char *word, const char *fmt, va_list ap)
{
	if (world.judged)
		return;
	world.judged = true;
	print("attack %s: %s (", world.name, word);
	print_args(fmt, ap);
	print(")\n");
}

void succeeded(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verdict("succeeded", fmt, ap);
	va_end(ap);
}

void failed(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	verdict("failed", fmt, ap);
	va_end(ap);
}

void judge_secret(const struct vm *victim, const volatile void *memory, size_t size,
		  const char *where)
{
	if (has_secret(victim, memory, size))
		succeeded("the secret is in %s", where);
	else
		failed("no secret in %s", where);
}

void judge_change(struct vm *victim, const char *how)
{
	if (!vm_do(victim, VICTIM_CHECK, 0, 0))
		failed("the victim was not entered again");
	else if (victim->shared->reply)
		succeeded("%s: page %u has changed", how, victim->shared->reply);
	else
		failed("nothing has changed");
}

static void print_life(void)
{
	struct vm *v = world.victim;
	const char *why = "";

	print("victim %s: ", world.name);
	if (!v)
		print("none\n");
	else if (world.ways && world.stopped)
		print("stopped: %s\n", world.stopped);
	else if (vm_stopped(v, &why))
		print("stopped: %s\n", why);
	else if (v->over)
		print("torn down\n");
	else if (v->mute)
		print("cannot be entered\n");
	else if (!v->check[0])
		print("never launched\n");
	else if (!vm_do(v, VICTIM_CHECK, 0, 0))
		print("lost: exit 0x%x\n", v->exit);
	else if (v->shared->reply)
		print("changed: page %u\n", v->shared->reply);
	else
		print("goes on\n");
}

void way_begin(const char *name)
{
	world.way = name;
}

void way(bool worked)
{
	world.ways++;
	world.worked += worked;
	if (worked == monitor_present())
		world.hit = world.way;
	if (world.victim && !vm_stopped(world.victim, &world.stopped))
		world.stopped = NULL;
}

void judge_ways(void)
{
	bool all = world.worked == world.ways;

	CHECK(world.ways, "nothing was tried");
	if (monitor_present() ? world.worked : all)
		succeeded("%u of %u ways%s%s", U64(world.worked), U64(world.ways),
			  all ? "" : ", e.g. ", all ? "" : world.hit);
	else
		failed("%u of %u ways%s%s", U64(world.worked), U64(world.ways),
		       world.worked ? ", not " : "", world.worked ? world.hit : "");
}

/* --- the other CPU --------------------------------------------------------------------------------- */

void other_cpu(void (*fn)(void *), void *arg)
{
	CHECK(cpu_count() > 1, "one CPU");
	CHECK(cpu_start(1, fn, arg), "CPU 1 does not start");
}

void other_cpu_wait(void)
{
	CHECK(WAIT_FOR(cpu_finished(1)), "CPU 1 does not finish");
}

void run_guest(void *arg)
{
	struct run *r = arg;

	vendor_enable();
	r->came = vm_enter(r->vm);
	guest_release(&r->vm->g);
	vendor_disable();
}

/* --- attacks ----------------------------------------------------------------------------------------- */

void *junk_page(void)
{
	uint64_t *page = page_alloc();

	for (uint64_t i = 0; i < PAGE_WORDS; i++)
		page[i] = mix(i + 1);
	return page;
}

static void clean(void)
{
	write_cr3(world.cr3);
	while (world.count)
		vm_end(&world.vm[--world.count]);
	take_back(0);
	world.victim = NULL;
	world.judged = false;
	world.ways = world.worked = 0;
	world.stopped = NULL;
	world.reset();
}

static void run(const void *arg)
{
	const struct attack *a = arg;

	world.name = a->name;
	a->run();
	if (!world.judged)
		failed("it says nothing");
	print_life();
	if (monitor_present())
		CHECK(monitor_answers(), "the monitor does not answer any more");
}

static void dump_log(void)
{
	uint64_t out[8], pos = 0;
	int64_t err;

	while (monitor_present() && hypercall(HYPERCALL_LOG, pos, 0, &err, out) && !err && out[1]) {
		for (unsigned i = 0; i < out[1]; i++)
			print("%c", U64(((uint8_t *)&out[2])[i]));
		pos = out[0] + out[1];
	}
}

void world_run(const struct attack *const *lists)
{
	uint64_t from = option("from", 0), n = 0;

	world.cr3 = read_cr3();
	world.reset = test_reset;
	test_reset = clean;
	for (; *lists; lists++)
		for (const struct attack *a = *lists; a->name; a++)
			if (n++ >= from)
				test(a->name, run, a);
	if (option("log", 0))
		dump_log();
}
