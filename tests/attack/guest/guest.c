/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attacked guest, small enough to start afresh for each attack. On its command line, or in the first
 * line from its console:
 *   victim seed=HEX ticks=HEX   holds a secret, checks all of its memory again and again, and
 *                               says each TICKS whether something changed
 *     hold=1                    and has its secret in registers, for some time in general ones; hold=2:
 *                               and in XMM4 to XMM7
 *     events=1                  and takes interrupts and exceptions
 *   accomplice seed=HEX         a guest that the attacker owns: searches what is mapped into it
 * It speaks on its PV console, in lines that world.c reads.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/attack/guest/events.h"
#include "tests/attack/guest/talk.h"
#include "tests/attack/pattern.h"

#define BAD_MAX 4 /* changed pages named in one beat */
#define HOLD_TURNS 100000
#define TIME_SLACK 0x100000 /* that CPUs may differ by */

#define MSR_STAR 0xc0000081u

/* The victim's pages, from VICTIM_MEMORY on. It reaches them at other addresses than their gpas. */
#define HIGH 0xffff800000000000u
enum { SECRET, DATA, DATA_PAGES = 32, EPOCH = DATA + DATA_PAGES, PAGES };

extern char stray[], root[];
extern uint64_t high_pages[];
extern volatile uint64_t events_seen;

/* The words in RBX, RBP, R12 to R15, R8, R9 during some time and a hypercall; then what is there. */
void hold(const uint64_t words[SECRET_WORDS], uint64_t got[SECRET_WORDS], uint64_t turns);
void vectors_load(const uint64_t words[SECRET_WORDS]);
void vectors_store(uint64_t words[SECRET_WORDS]);

static uint64_t seed, holds_in;

/* --- the victim --------------------------------------------------------------------------- */

static uint64_t gpa_of(size_t page)
{
	return VICTIM_MEMORY + page * PAGE;
}

static volatile uint64_t *words_of(size_t page)
{
	return (volatile uint64_t *)(HIGH + page * PAGE);
}

/* Called by nothing here. Code that an attacker writes into hook() jumps to it. */
static __attribute__((noinline, used)) void tell(void)
{
	put("victim: the secret is ");
	for (size_t i = 0; i < SECRET_WORDS; i++)
		put_hex(words_of(SECRET)[SECRET_AT / 8 + i]);
	put_end();
}

/* Its caller must keep nothing where tell() may write. */
static __attribute__((noinline, aligned(16))) void hook(void)
{
	__asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop" ::
				 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",
				   "memory");
}

static void fill(volatile uint64_t *words, uint64_t kind)
{
	for (size_t i = 0; i < PAGE_WORDS; i++)
		words[i] = pattern(seed, kind, i);
}

static bool holds(size_t page, uint64_t kind)
{
	for (size_t i = 0; i < PAGE_WORDS; i++)
		if (words_of(page)[i] != pattern(seed, kind, i))
			return false;
	return true;
}

struct bad {
	size_t count;
	uint64_t at[BAD_MAX];
};

static void note_at(struct bad *bad, uint64_t at)
{
	for (size_t i = 0; i < bad->count; i++)
		if (bad->at[i] == at)
			return;
	if (bad->count < BAD_MAX)
		bad->at[bad->count++] = at;
}

static void note(struct bad *bad, size_t page)
{
	note_at(bad, gpa_of(page));
}

static void get_secret(uint64_t words[SECRET_WORDS])
{
	for (size_t i = 0; i < SECRET_WORDS; i++)
		words[i] = pattern(seed, PATTERN_SECRET, i);
}

static bool is_secret(const volatile uint64_t *words)
{
	for (size_t i = 0; i < SECRET_WORDS; i++)
		if (words[i] != pattern(seed, PATTERN_SECRET, i))
			return false;
	return true;
}

static void set_system(const uint64_t words[SECRET_WORDS])
{
	__asm__ volatile("wrmsr" ::"c"(MSR_STAR), "a"((uint32_t)words[0]), "d"(words[0] >> 32));
	__asm__ volatile("mov %0, %%dr1" ::"r"(words[1]));
	__asm__ volatile("mov %0, %%cr2" ::"r"(words[2]));
}

static bool system_is(const uint64_t words[SECRET_WORDS])
{
	uint32_t lo;
	uint32_t hi;
	uint64_t dr1;
	uint64_t cr2;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(MSR_STAR));
	__asm__ volatile("mov %%dr1, %0" : "=r"(dr1));
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	return (lo | (uint64_t)hi << 32) == words[0] && dr1 == words[1] && cr2 == words[2];
}

static void check_registers(struct bad *bad)
{
	uint64_t words[SECRET_WORDS];
	uint64_t got[SECRET_WORDS];

	get_secret(words);
	hold(words, got, HOLD_TURNS);
	if (!is_secret(got))
		note_at(bad, VICTIM_SIGN(SIGN_GENERAL));
	if (!system_is(words)) {
		note_at(bad, VICTIM_SIGN(SIGN_SYSTEM));
		set_system(words);
	}
	if (holds_in < 2)
		return;
	vectors_store(got);
	if (!is_secret(got)) {
		note_at(bad, VICTIM_SIGN(SIGN_VECTOR));
		vectors_load(words);
	}
}

/* The TSC, which never goes back. */
static uint64_t time(struct bad *bad)
{
	static uint64_t last;
	uint64_t now = ticks_now();

	if ((int64_t)(now - last) < -TIME_SLACK)
		note_at(bad, VICTIM_SIGN(SIGN_TIME));
	last = now;
	return now;
}

static void check(struct bad *bad, uint64_t beat)
{
	if (!is_secret(&words_of(SECRET)[SECRET_AT / 8]))
		note(bad, SECRET);
	for (size_t i = 0; i < DATA_PAGES; i++)
		if (!holds(DATA + i, i))
			note(bad, DATA + i);
	if (!holds(EPOCH, PATTERN_EPOCH + beat))
		note(bad, EPOCH);
	if (events_seen)
		note_at(bad, VICTIM_SIGN(SIGN_EVENT));
	events_seen = 0;
	if (holds_in)
		check_registers(bad);
}

static void report(const struct bad *bad, uint64_t beat)
{
	put_named(bad->count ? "victim: changed " : "victim: intact ", beat);
	for (size_t i = 0; i < bad->count; i++)
		put_named(" at ", bad->at[i]);
	put_end();
}

static void prepare(void)
{
	for (size_t i = 0; i < PAGES; i++)
		high_pages[i] = gpa_of(i) | 3; /* present, writable */
	for (size_t i = 0; i < SECRET_WORDS; i++)
		words_of(SECRET)[SECRET_AT / 8 + i] = pattern(seed, PATTERN_SECRET, i);
	for (size_t i = 0; i < DATA_PAGES; i++)
		fill(words_of(DATA + i), i);
	fill(words_of(EPOCH), PATTERN_EPOCH);
	put_named("victim: ready secret=", gpa_of(SECRET));
	put_named(" va=", (uintptr_t)words_of(SECRET));
	put_named(" data=", gpa_of(DATA));
	put_named(" epoch=", gpa_of(EPOCH));
	put_named(" hook=", (uintptr_t)hook);
	put_named(" tell=", (uintptr_t)tell);
	put_named(" stray=", (uintptr_t)stray);
	put_named(" root=", (uintptr_t)root);
	put_end();
}

static void victim(uint64_t ticks)
{
	uint64_t words[SECRET_WORDS];
	struct bad bad = {0};
	uint64_t beat = 0;
	uint64_t next;
	uint64_t now;

	get_secret(words);
	if (holds_in)
		set_system(words);
	if (holds_in > 1)
		vectors_load(words);
	prepare();
	next = ticks_now() + ticks;
	for (;;) {
		yield();
		check(&bad, beat);
		now = time(&bad);
		if ((int64_t)(now - next) < 0 &&
		    next - now <= ticks) /* more: the clock went back */
			continue;
		/* Right after the check, without an exit: what is written over it is seen. */
		fill(words_of(EPOCH), PATTERN_EPOCH + beat + 1);
		report(&bad, beat);
		bad.count = 0;
		beat++;
		next = ticks_now() + ticks;
		hook();
	}
}

/* --- the accomplice ----------------------------------------------------------------------- */

#define WINDOW 0x100000000u /* 4 GiB: nothing of its own from here on */

static void search(uint64_t gpa, uint64_t pages)
{
	uint64_t first = pattern(seed, PATTERN_SECRET, 0);
	const volatile uint64_t *words = (const volatile uint64_t *)gpa;
	uint64_t count = pages * PAGE_WORDS;

	for (uint64_t i = 0; i + SECRET_WORDS <= count; i++)
		if (words[i] == first && is_secret(words + i)) {
			put_named("accomplice: found at ", gpa + i * 8);
			return put_end();
		}
	put_named("accomplice: nothing in ", gpa);
	put_end();
}

/* Commands: "s GPA PAGES" searches for the secret, "w GPA" fills a page; both from WINDOW on. */
static void accomplice(void)
{
	char line[LINE];
	const char *text;
	uint64_t gpa;

	put("accomplice: ready");
	put_end();
	for (;;) {
		get_line(line);
		text = line[0] && line[1] ? line + 2 : line;
		gpa = hex(&text);
		if (gpa < WINDOW)
			continue;
		if (line[0] == 's') {
			text += *text == ' ';
			search(gpa, hex(&text));
		} else {
			fill((volatile uint64_t *)gpa, 0);
			put_named("accomplice: wrote ", gpa);
			put_end();
		}
	}
}

void guest(const struct start_info *start);
void guest(const struct start_info *start)
{
	const char *what = (const char *)start->cmdline;
	char line[LINE];

	if (!talk_start())
		return;
	if (!what || !*what) { /* an HVM guest has no command line */
		get_line(line);
		what = line;
	}
	seed = option(what, "seed=");
	holds_in = option(what, "hold=");
	if (option(what, "events=")) {
		events_prepare(0);
		__asm__ volatile("sti");
	}
	if (*what == 'v')
		victim(option(what, "ticks="));
	else
		accomplice();
}
