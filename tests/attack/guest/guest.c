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
#define HOLD_TURNS 100000
#define TIME_SLACK 0x100000 /* that CPUs may differ by */

#define MSR_STAR 0xc0000081u
#define APIC_SPURIOUS 0xfee000f0u
#define APIC_ENABLED 0x1ffu
#define CODE_SELECTOR 8
#define GATE_INTERRUPT 0x8e00u
#define GATE_PROGRAMS 0x6000u /* DPL 3 */
#define SYSTEM_CALL 0x80

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

struct gate {
	uint16_t low, selector, bits, middle;
	uint32_t high, zero;
};

extern char hypercall_page[], stray[], root[], vector_stubs[];
extern uint64_t high_pages[];
extern volatile uint64_t events_seen;

/* The words in RBX, RBP, R12 to R15, R8, R9 during some time and a hypercall; then what is there. */
void hold(const uint64_t words[SECRET_WORDS], uint64_t got[SECRET_WORDS], uint64_t turns);
void vectors_load(const uint64_t words[SECRET_WORDS]);
void vectors_store(uint64_t words[SECRET_WORDS]);

static volatile struct console *console;
static uint32_t console_port;
static uint64_t seed, holds_in;
static struct gate idt[256];

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

/* Gates for all vectors; one as Linux has it for its programs. And a local APIC that takes interrupts. */
static void take_events(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = {sizeof(idt) - 1, (uintptr_t)idt};

	for (size_t i = 0; i < 256; i++) {
		uint32_t stub = (uint32_t)(uintptr_t)(vector_stubs + i * 16);

		idt[i] = (struct gate){.low = (uint16_t)stub,
				       .selector = CODE_SELECTOR,
				       .bits = GATE_INTERRUPT,
				       .middle = (uint16_t)(stub >> 16)};
	}
	idt[SYSTEM_CALL].bits |= GATE_PROGRAMS;
	__asm__ volatile("lidt %0" ::"m"(table));
	*(volatile uint32_t *)APIC_SPURIOUS = APIC_ENABLED;
	__asm__ volatile("sti");
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
	holds_in = option(what, "hold=");
	if (option(what, "events="))
		take_events();
	if (*what == 'v')
		victim(option(what, "ticks="));
	else
		accomplice();
}
