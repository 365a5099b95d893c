/* SPDX-License-Identifier: Apache-2.0 */
#include "svm/known.h"

#include "lib/test.h"
#include "lib/trap.h"
#include "monitor/hypercall.h"

#define CPUID_HYPERVISOR 0x40000000u
#define SIGNATURE_TCGT 0x54474354u /* "TCGT", "CGTC", "GTCG" */

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

	__asm__ volatile("vmmcall"
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

static bool cpu_is_tcg(void)
{
	return (cpuid(1, 0).c >> 31) && cpuid(CPUID_HYPERVISOR, 0).b == SIGNATURE_TCGT;
}

void tcg_limit(bool seen, const char *deviation)
{
	if (seen && (cpu_is_tcg() || monitor_present()))
		test_skip(deviation);
}

void tcg_lax(bool seen, const char *deviation)
{
	if (seen && !monitor_present() && cpu_is_tcg())
		test_skip(deviation);
}
