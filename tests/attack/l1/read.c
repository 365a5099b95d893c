/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that want to know the victim's secret, by L1's own hands. */
#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "monitor/reasons.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/world.h"

#define MARKER 0x6d61726b65723132u
#define WINDOW_FRAMES 10240u /* monitor/window.c */
#define MORE_PAGES (WINDOW_FRAMES + 1024)
#define FRESH_GUESTS 3u
#define FRESH_BLOCKS 8u /* of 2 MiB, for each of them */

static void read_page(void)
{
	struct vm *v = victim_new();

	judge_secret(v, v->data[0], PAGE_SIZE, "its page");
}

/* A second address for the page in L1's own tables. */
static uint8_t *alias_of(const void *page)
{
	uint64_t *own = table_identity();

	table_map(own, TEST_VA, (uint64_t)page, PTE_P | PTE_W);
	write_cr3((uint64_t)own);
	return (uint8_t *)TEST_VA;
}

#define COPY_BY(type)                                                        \
	static void copy_##type(volatile void *to, volatile void *at)        \
	{                                                                    \
		for (unsigned i = 0; i < PAGE_SIZE / sizeof(type); i++)      \
			((volatile type *)to)[i] = ((volatile type *)at)[i]; \
	}
COPY_BY(uint8_t)
COPY_BY(uint16_t)
COPY_BY(uint32_t)
COPY_BY(uint64_t)

static void copy_string(volatile void *to, volatile void *at)
{
	memcpy((void *)to, (const void *)at, PAGE_SIZE);
}

/* Two loads for each word, each of which has half of it. */
static void copy_unaligned(volatile void *to, volatile void *at)
{
	for (unsigned i = 8; i < PAGE_SIZE - 8; i += 8) {
		uint64_t low = *(volatile uint64_t *)((uint64_t)at + i - 4);
		uint64_t high = *(volatile uint64_t *)((uint64_t)at + i + 4);

		*(volatile uint64_t *)((uint64_t)to + i) = low >> 32 | high << 32;
	}
}

static void pop_all(volatile void *to, volatile void *at)
{
	__asm__ volatile("mov %%rsp, %%rbx; mov %1, %%rsp; mov $512, %%ecx\n"
			 "1: pop %%rax; mov %%rax, (%0); add $8, %0; dec %%ecx; jnz 1b\n"
			 "mov %%rbx, %%rsp"
			 : "+r"(to)
			 : "r"(at)
			 : "rax", "rbx", "rcx", "memory", "cc");
}

/* By every kind of load, through another mapping. */
static void read_alias(void)
{
	static const struct {
		const char *name;
		void (*copy)(volatile void *to, volatile void *at);
	} ways[] = {{"1 byte", copy_uint8_t},
		    {"2 bytes", copy_uint16_t},
		    {"4 bytes", copy_uint32_t},
		    {"8 bytes", copy_uint64_t},
		    {"rep movsb", copy_string},
		    {"unaligned", copy_unaligned},
		    {"pop", pop_all}};
	struct vm *v = victim_new();
	uint8_t *alias = alias_of(v->data[0]);
	uint8_t *buffer = page_alloc();

	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		way_begin(ways[i].name);
		ways[i].copy(buffer, alias);
		way(has_secret(v, buffer, PAGE_SIZE));
	}
	judge_ways();
}

static void load_marker(void *to)
{
	*(uint64_t *)to = *(volatile uint64_t *)TEST_VA;
}

/*
 * L1's CPU is to walk a page of the victim's as a page table: if it translates, L1 knows what is in it.
 * The page is one whose content L1 gave, so that L1 can tell.
 */
static void read_by_walk(void)
{
	struct vm *v = vm_new();
	uint64_t *target = page_alloc(), *own = table_identity();
	uint64_t found = 0;

	*target = MARKER;
	*(uint64_t *)v->given[1] = (uint64_t)target | PTE_P | PTE_W | PTE_A | PTE_D;
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	table_map(own, TEST_VA, 0, 0);
	*table_entry(own, TEST_VA, LEVEL_2M) = (uint64_t)v->given[1] | PTE_P | PTE_W | PTE_A;
	write_cr3((uint64_t)own);
	expect_fault(load_marker, &found);
	if (found == MARKER)
		succeeded("L1's CPU followed an entry in its page");
	else
		failed("L1's CPU found no entry in its page");
}

struct watch {
	const struct vm *victim;
	const volatile uint8_t *page;
	volatile bool stop, seen;
	volatile uint64_t times;
};

static void watch_page(void *arg)
{
	struct watch *w = arg;

	while (!w->stop) {
		if (has_secret(w->victim, w->page + SECRET_AT, SECRET_WORDS * 8))
			w->seen = true;
		w->times++;
	}
}

/* Another CPU has the translation in its TLB, and reads on while the page becomes the victim's. */
static void old_mapping_read(void)
{
	struct vm *v = vm_new();
	struct watch w = {.victim = v, .page = v->data[0]};
	uint64_t before;

	victim_is(v);
	other_cpu(watch_page, &w);
	CHECK(WAIT_FOR(w.times > 10), "CPU 1 does not read");
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	before = w.times;
	CHECK(WAIT_FOR(w.times > before + 100), "CPU 1 does not read any more");
	w.stop = true;
	other_cpu_wait();
	if (w.seen)
		succeeded("CPU 1 has read the secret");
	else
		failed("CPU 1 read on, and saw no secret");
}

/* A guest that runs on L1's physical memory reads where L1 cannot. */
static void no_nesting_read(void)
{
	struct vm *v = victim_new();
	uint64_t found[SECRET_WORDS] = {0};

	for (unsigned i = 0; i < SECRET_WORDS; i++) {
		struct guest g = guest_long(guest_read);

		hv_no_nesting(&g);
		g.r.rbx = (uint64_t)v->data[0] + SECRET_AT + i * 8;
		if (guest_try(&g) == X_STOP)
			found[i] = guest_rax(&g);
	}
	judge_secret(v, found, sizeof(found), "what a guest without a nested table has read");
}

/*
 * The victim's page is an accomplice's map of ports: whether a port makes it exit is a bit of the
 * secret.
 */
static void port_map_in_victim(void)
{
	enum { FIRST = SECRET_AT * 8, PORTS = 64 };
	struct vm *v = victim_new(), *a = vm_new();
	enum came came;
	uint64_t bits = 0;

	CHECK(vm_launch(a), "the accomplice is not launched");
	hv_port_map(&a->g, (uint64_t)v->data[0]);
	vm_tell(a, VICTIM_PORTS, FIRST, PORTS);
	while ((came = vm_enter(a)) == CAME_PORT) {
		unsigned port = hv_port(&a->g) - (unsigned)FIRST;

		CHECK(port < PORTS, "an exit for port 0x%x", U64(port));
		bits |= 1ull << port;
		hv_skip(&a->g, 1);
	}
	if (came == CAME_REFUSED)
		failed("such a map is refused");
	else
		judge_secret(v, &bits, sizeof(bits), "the ports for which an accomplice exits");
}

static void dead_read(void)
{
	struct vm *v = victim_new();
	bool found = false;

	(void)has_secret(v, v->data[0], PAGE_SIZE); /* ciphertext, which must not stay either */
	set_entry(&v->root[0], 0);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		found |= has_secret(v, v->data[i], PAGE_SIZE);
	vm_end(v);
	for (unsigned i = 0; monitor_present() && i < PAGE_SIZE; i++)
		CHECK(v->data[0][i] == 0, "byte 0x%x is not zero", U64(i));
	if (found)
		succeeded("the secret is left in its memory");
	else
		failed("its memory is zero");
}

/* The same of a guest that the monitor has stopped, and that L1 has not torn down. */
static void stopped_read(void)
{
	struct vm *v = victim_new();

	*(volatile uint64_t *)v->data[3] = 1;
	judge_secret(v, v->data[0], PAGE_SIZE, "its memory after it was stopped");
}

/* L1 takes the page away, and reads it. */
static void taken_page_read(void)
{
	struct vm *v = victim_new();

	set_entry(data_entry(v, 0), 0);
	judge_secret(v, v->data[0], PAGE_SIZE, "a page that was taken away");
	set_entry(data_entry(v, 0), hv_leaf((uint64_t)v->data[0]));
	nested_flush(&v->g);
}

/* String I/O discloses its operand, from a page with the secret. */
static void window_read(void)
{
	enum { AT = 0x100, BYTES = 16 };
	struct vm *v = victim_new();
	bool found;

	vm_tell(v, VICTIM_OUTS, GUEST_DATA + AT, BYTES);
	CHECK(vm_enter(v) == CAME_STRING, "no string I/O: exit 0x%x", v->exit);
	CHECK(*(uint64_t *)(v->data[0] + AT), "the operand is not shown");
	found = has_secret(v, v->data[0], PAGE_SIZE);
	v->g.r.rsi += BYTES;
	v->g.r.rcx = 0;
	hv_skip(&v->g, 2);
	CHECK(vm_enter(v) == CAME_SIGNAL, "the I/O does not end: exit 0x%x", v->exit);
	if (found)
		succeeded("the secret is beside the operand of string I/O");
	else
		failed("only the operand of string I/O is to be seen");
}

/* A page is declared a device's: what is stored there comes out to be emulated. */
static void mmio_listen(void)
{
	struct vm *v = victim_new();
	uint64_t from;

	set_entry(data_entry(v, 3), 0);
	nested_flush(&v->g);
	vm_tell(v, VICTIM_COPY, GUEST_DATA + SECRET_AT, GUEST_DATA + 3 * PAGE_SIZE);
	if (vm_enter(v) != CAME_FAULT) {
		failed("no exit for the store");
		return;
	}
	from = v->g.r.rsi - GUEST_DATA;
	CHECK(from == SECRET_AT, "the operand is at 0x%x", from);
	judge_secret(v, v->data[0] + from, 8,
		     "the operand of a store to a page declared a device's");
}

/* Exits of L1's for its nested table: each export begins with one. */
static uint64_t own_faults(void)
{
	uint64_t out[8];
	int64_t err = 0;

	CHECK(hypercall(HYPERCALL_EXITS, 0, EXIT_NESTED_FAULT, &err, out) && !err, "EXITS fails");
	return out[0];
}

/* A guest of many pages, whose content L1 knows; the secret's page is apart from them. */
static struct vm *large_victim(uint8_t *more)
{
	struct vm *v = vm_new();

	for (uint64_t i = 0; i < MORE_PAGES; i++) {
		*(uint64_t *)(more + i * PAGE_SIZE) = mix(i + 1);
		*vm_entry(v, GUEST_MORE + i * PAGE_SIZE) = hv_leaf((uint64_t)more + i * PAGE_SIZE);
	}
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	return v;
}

/* Reads a word of each page; how many have what L1 knows to be there. */
static uint64_t sweep(const uint8_t *more)
{
	uint64_t plain = 0;

	for (uint64_t i = 0; i < MORE_PAGES; i++)
		plain += *(const volatile uint64_t *)(more + i * PAGE_SIZE) == mix(i + 1);
	return plain;
}

/* The victim's own windows need frames, too. */
static bool has_windows(struct vm *v)
{
	enum { AT = 0x100, BYTES = 16 };
	bool shown;

	vm_tell(v, VICTIM_OUTS, GUEST_DATA + AT, BYTES);
	if (vm_enter(v) != CAME_STRING)
		return false;
	shown = *(volatile uint64_t *)(v->data[0] + AT) != 0;
	v->g.r.rsi += BYTES;
	v->g.r.rcx = 0;
	hv_skip(&v->g, 2);
	return vm_enter(v) == CAME_SIGNAL && shown;
}

/* Large pages of L1's that are to be split, and given back, again. */
static uint8_t fresh[FRESH_BLOCKS][2 * MIB]
	__attribute__((section(".pool,\"aw\",@nobits#"), aligned(2 * MIB)));

/* The monitor's memory for tables is not used up, nor the one for guests. */
static bool can_launch_more(void)
{
	for (unsigned i = 0; i < FRESH_GUESTS; i++) {
		struct vm *a = vm_new();

		for (unsigned j = 0; j < FRESH_BLOCKS; j++)
			*vm_entry(a, GUEST_MORE + j * PAGE_SIZE) = hv_leaf((uint64_t)fresh[j]);
		if (!vm_launch(a) || !vm_do(a, VICTIM_START, 0, 0) || !vm_intact(a))
			return false;
		vm_drop(a);
		for (unsigned j = 0; j < FRESH_BLOCKS; j++)
			*(volatile uint8_t *)fresh[j] = 0;
	}
	return true;
}

/*
 * All pages of a guest with many, again and again. Each read is an export of the monitor's, which has to
 * take an earlier one's place: its memory is what it had at boot. Is anything used up by that?
 */
static void export_flood(void)
{
	uint64_t want = option("exports", 20000), n = 0, plain = 0, exports = 0;
	uint8_t *more = pages_alloc(MORE_PAGES, PAGE_SIZE);
	struct vm *v = large_victim(more);
	bool found = false;

	while (!plain && !found && (monitor_present() ? exports < want : n < want)) {
		uint64_t before = monitor_present() ? own_faults() : 0;

		plain = sweep(more);
		n += MORE_PAGES;
		if (monitor_present()) {
			uint64_t these = own_faults() - before;

			CHECK(these >= MORE_PAGES - WINDOW_FRAMES,
			      "%u exports for %u pages: they are all kept", these, U64(MORE_PAGES));
			exports += these;
		}
		found = has_secret(v, v->data[0], PAGE_SIZE);
		CHECK(plain || found || vm_intact(v), "not intact after %u reads", n);
	}
	if (plain || found) {
		succeeded("after %u reads: %s", n, found ? "the secret" : "a page in plain text");
		return;
	}
	CHECK(has_windows(v), "the victim's string output is not shown any more");
	CHECK(can_launch_more(), "no guest can be launched any more");
	failed("%u reads were %u exports, all ciphertext; windows and launches go on", n, exports);
}

const struct attack read_attacks[] = {
	{"read", read_page},
	{"read-alias", read_alias},
	{"read-by-walk", read_by_walk},
	{"old-mapping-read", old_mapping_read},
	{"no-nesting-read", no_nesting_read},
	{"port-map-in-victim", port_map_in_victim},
	{"dead-read", dead_read},
	{"stopped-read", stopped_read},
	{"taken-page-read", taken_page_read},
	{"window-read", window_read},
	{"mmio-listen", mmio_listen},
	{"export-flood", export_flood},
	{NULL, NULL},
};
