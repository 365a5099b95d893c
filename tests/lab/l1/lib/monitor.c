/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/monitor.h"

#include "lib/trap.h"
#include "monitor/hypercall.h"
#include "vendor.h"

struct call {
	uint64_t function, rdx, rsi;
	int64_t rax;
	uint64_t *out;
};

static void do_call(void *arg)
{
	struct call *c = arg;
	int64_t rax = HYPERCALL_MAGIC;
	register uint64_t r8 __asm__("r8") = 0;
	register uint64_t r9 __asm__("r9") = 0;
	register uint64_t r10 __asm__("r10") = 0;
	register uint64_t r11 __asm__("r11") = 0;
	register uint64_t r12 __asm__("r12") = 0;
	register uint64_t r13 __asm__("r13") = 0;
	register uint64_t r14 __asm__("r14") = 0;
	uint64_t rbx = 0;

	__asm__ volatile(VENDOR_CALL
			 : "+a"(rax), "+b"(rbx), "+r"(r8), "+r"(r9), "+r"(r10), "+r"(r11),
			   "+r"(r12), "+r"(r13), "+r"(r14)
			 : "c"(c->function), "d"(c->rdx), "S"(c->rsi)
			 : "memory");
	c->rax = rax;
	c->out[0] = rbx;
	c->out[1] = r8;
	c->out[2] = r9;
	c->out[3] = r10;
	c->out[4] = r11;
	c->out[5] = r12;
	c->out[6] = r13;
	c->out[7] = r14;
}

bool hypercall(uint64_t function, uint64_t rdx, uint64_t rsi, int64_t *rax, uint64_t out[8])
{
	struct call c = {function, rdx, rsi, 0, out};
	struct fault f = expect_fault(do_call, &c);

	*rax = c.rax;
	return !f.taken;
}

bool monitor_answers(void)
{
	uint64_t out[8];
	int64_t rax;

	return hypercall(HYPERCALL_VERSION, 0, 0, &rax, out) && rax == 0 && out[0] == HYPERCALL_ABI;
}

bool monitor_present(void)
{
	static enum { UNKNOWN, YES, NO } known;

	if (known == UNKNOWN)
		known = monitor_answers() ? YES : NO;
	return known == YES;
}

uint64_t monitor_spent(unsigned int reason)
{
	uint64_t out[8], sum = 0;
	int64_t err;

	if (!monitor_present())
		return 0;
	/* record 0 is L1's */
	for (uint64_t i = 0; hypercall(HYPERCALL_EXITS, i, reason, &err, out) && err != -22; i++)
		sum += err ? 0 : out[1];
	return sum;
}
