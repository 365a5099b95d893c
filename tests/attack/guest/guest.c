/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attacked guest, small enough to start afresh for each attack. On its command line, or in the first
 * line from its console:
 *   victim seed=HEX ticks=HEX   holds a secret, checks all of its memory again and again, and
 *                               says each TICKS whether something changed
 *   accomplice seed=HEX         a guest that the attacker owns: searches what is mapped into it
 * It speaks on its PV console, in lines that world.c reads. Numbers are Xen's public interface
 * (xen/include/public: xen.h, sched.h, event_channel.h, hvm/hvm_op.h, hvm/params.h, io/console.h,
 * arch-x86/hvm/start_info.h).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/attack/pattern.h"

enum { SCHED_OP = 29, EVENT_CHANNEL_OP = 32, HVM_OP = 34 };
enum { SCHEDOP_YIELD = 0, EVTCHNOP_SEND = 4, HVMOP_GET_PARAM = 1 };
enum { PARAM_CONSOLE_PFN = 17, PARAM_CONSOLE_EVTCHN = 18 };
enum { DOMID_SELF = 0x7ff0, MSR_XEN_HYPERCALL_PAGE = 0x40000000 };

#define PAGE 4096u
#define LINE 128
#define BAD_MAX 4 /* changed pages named in one beat */

/* The victim's pages, from VICTIM_MEMORY on. It reaches them at other addresses than their gpas. */
#define HIGH 0xffff800000000000u
enum { SECRET, DATA, DATA_PAGES = 32, EPOCH = DATA + DATA_PAGES, PAGES };

struct console {
	char in[1024], out[2048];
	uint32_t in_cons, in_prod, out_cons, out_prod;
};

struct param {
	uint16_t domid;
	uint32_t index;
	uint64_t value;
};

struct start_info {
	uint32_t magic, version, flags, modules;
	uint64_t modlist, cmdline;
};

extern char hypercall_page[];
extern uint64_t high_pages[];

static volatile struct console *console;
static uint32_t console_port;
static uint64_t seed;

static long hypercall(unsigned int call, uint64_t op, void *arg)
{
	long ret;

	__asm__ volatile("call *%[entry]"
			 : "=a"(ret), "+D"(op), "+S"(arg)
			 : [entry] "r"(hypercall_page + (size_t)call * 32)
			 : "memory", "rcx", "rdx", "r8", "r9", "r10", "r11", "cc");
	return ret;
}

/* Without CPUID, from which Xen is hidden above the monitor: for guests without Hyper-V's interface. */
static void find_hypercalls(void)
{
	__asm__ volatile("wrmsr" ::"c"(MSR_XEN_HYPERCALL_PAGE),
			 "a"((uint32_t)(uintptr_t)hypercall_page), "d"(0)
			 : "memory");
}

static uint64_t param(uint32_t index)
{
	struct param p = {.domid = DOMID_SELF, .index = index};

	hypercall(HVM_OP, HVMOP_GET_PARAM, &p);
	return p.value;
}

static uint64_t ticks_now(void)
{
	uint32_t lo;
	uint32_t hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

static void yield(void)
{
	hypercall(SCHED_OP, SCHEDOP_YIELD, NULL);
}

/* --- the console -------------------------------------------------------------------------- */

static void put_char(char c)
{
	while (console->out_prod - console->out_cons >= sizeof(console->out))
		yield();
	console->out[console->out_prod % sizeof(console->out)] = c;
	__asm__ volatile("" ::: "memory"); /* the text before its length; x86 keeps the order */
	console->out_prod++;
}

static void put(const char *text)
{
	for (; *text; text++)
		put_char(*text);
}

static void put_hex(uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[value >> shift & 15]);
}

static void put_named(const char *name, uint64_t value)
{
	put(name);
	put_hex(value);
}

static void put_end(void)
{
	put_char('\n');
	hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, &console_port);
}

static char get_char(void)
{
	char c;

	while (console->in_cons == console->in_prod)
		yield();
	c = console->in[console->in_cons % sizeof(console->in)];
	__asm__ volatile("" ::: "memory");
	console->in_cons++;
	return c;
}

static void get_line(char line[LINE])
{
	size_t n;

	for (n = 0; n < LINE - 1; n++) {
		line[n] = get_char();
		if (line[n] == '\n' || line[n] == '\r')
			break;
	}
	line[n] = 0;
}

/* The hexadecimal number that begins here; *text is then behind it. */
static uint64_t hex(const char **text)
{
	uint64_t value = 0;

	for (;; ++*text) {
		char c = **text;

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return value;
	}
}

/* The number behind NAME= in the command line, or 0. */
static uint64_t option(const char *cmdline, const char *name)
{
	for (; *cmdline; cmdline++) {
		const char *c = cmdline;
		const char *n = name;

		while (*n && *c == *n) {
			c++;
			n++;
		}
		if (!*n)
			return hex(&c);
	}
	return 0;
}

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

static __attribute__((noinline, aligned(16))) void hook(void)
{
	__asm__ volatile("nop; nop; nop; nop; nop; nop; nop; nop" ::: "memory");
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

static bool holds_secret(void)
{
	for (size_t i = 0; i < SECRET_WORDS; i++)
		if (words_of(SECRET)[SECRET_AT / 8 + i] != pattern(seed, PATTERN_SECRET, i))
			return false;
	return true;
}

struct bad {
	size_t count;
	size_t page[BAD_MAX];
};

static void note(struct bad *bad, size_t page)
{
	for (size_t i = 0; i < bad->count; i++)
		if (bad->page[i] == page)
			return;
	if (bad->count < BAD_MAX)
		bad->page[bad->count++] = page;
}

static void check(struct bad *bad, uint64_t beat)
{
	if (!holds_secret())
		note(bad, SECRET);
	for (size_t i = 0; i < DATA_PAGES; i++)
		if (!holds(DATA + i, i))
			note(bad, DATA + i);
	if (!holds(EPOCH, PATTERN_EPOCH + beat))
		note(bad, EPOCH);
}

static void report(const struct bad *bad, uint64_t beat)
{
	put_named(bad->count ? "victim: changed " : "victim: intact ", beat);
	for (size_t i = 0; i < bad->count; i++)
		put_named(" at ", gpa_of(bad->page[i]));
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
	put_end();
}

static void victim(uint64_t ticks)
{
	struct bad bad = {0};
	uint64_t beat = 0;
	uint64_t next;

	prepare();
	next = ticks_now() + ticks;
	for (;;) {
		yield();
		check(&bad, beat);
		if ((int64_t)(ticks_now() - next) < 0)
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

static bool is_secret(const volatile uint64_t *words)
{
	for (size_t i = 0; i < SECRET_WORDS; i++)
		if (words[i] != pattern(seed, PATTERN_SECRET, i))
			return false;
	return true;
}

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

	find_hypercalls();
	console = (volatile struct console *)(param(PARAM_CONSOLE_PFN) * PAGE);
	if (!console)
		return;
	console_port = (uint32_t)param(PARAM_CONSOLE_EVTCHN);
	if (!what || !*what) { /* an HVM guest has no command line */
		get_line(line);
		what = line;
	}
	seed = option(what, "seed=");
	if (*what == 'v')
		victim(option(what, "ticks="));
	else
		accomplice();
}
