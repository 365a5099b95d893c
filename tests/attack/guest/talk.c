/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers are Xen's public interface (xen/include/public: xen.h, sched.h, event_channel.h, hvm/hvm_op.h, hvm/params.h,
 * io/console.h).
 */
#include "tests/attack/guest/talk.h"

enum { SCHED_OP = 29, EVENT_CHANNEL_OP = 32, HVM_OP = 34 };
enum { SCHEDOP_YIELD = 0, EVTCHNOP_SEND = 4, HVMOP_GET_PARAM = 1 };
enum { PARAM_CONSOLE_PFN = 17, PARAM_CONSOLE_EVTCHN = 18 };
enum { DOMID_SELF = 0x7ff0, MSR_XEN_HYPERCALL_PAGE = 0x40000000 };

struct console {
	char in[1024], out[2048];
	uint32_t in_cons, in_prod, out_cons, out_prod;
};

struct param {
	uint16_t domid;
	uint32_t index;
	uint64_t value;
};

extern char hypercall_page[];

static volatile struct console *console;
static uint32_t console_port;
void (*talk_wait)(void) = yield;

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

uint64_t ticks_now(void)
{
	uint32_t lo;
	uint32_t hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (uint64_t)hi << 32;
}

void yield(void)
{
	hypercall(SCHED_OP, SCHEDOP_YIELD, NULL);
}

bool talk_start(void)
{
	find_hypercalls();
	console = (volatile struct console *)(param(PARAM_CONSOLE_PFN) * PAGE);
	if (!console)
		return false;
	console_port = (uint32_t)param(PARAM_CONSOLE_EVTCHN);
	return true;
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

void put(const char *text)
{
	for (; *text; text++)
		put_char(*text);
}

void put_hex(uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[value >> shift & 15]);
}

void put_named(const char *name, uint64_t value)
{
	put(name);
	put_hex(value);
}

void put_end(void)
{
	put_char('\n');
	hypercall(EVENT_CHANNEL_OP, EVTCHNOP_SEND, &console_port);
}

bool talk_waiting(void)
{
	return console->in_cons != console->in_prod;
}

static char get_char(void)
{
	char c;

	while (!talk_waiting())
		talk_wait();
	c = console->in[console->in_cons % sizeof(console->in)];
	__asm__ volatile("" ::: "memory");
	console->in_cons++;
	return c;
}

void get_line(char line[LINE])
{
	size_t n;

	for (n = 0; n < LINE - 1; n++) {
		line[n] = get_char();
		if (line[n] == '\n' || line[n] == '\r')
			break;
	}
	line[n] = 0;
}

uint64_t hex(const char **text)
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

uint64_t option(const char *cmdline, const char *name)
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
