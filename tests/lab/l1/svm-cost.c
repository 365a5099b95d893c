/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round trip from L2 to L1 and back costs, for the benchmarks: with the emulator counting
 * instructions (one TSC tick each) the numbers are instructions and always the same. One line a kind:
 * "cost NAME: total T, monitor M (exit E, entry V, gif G)", each per round trip.
 */
#include "monitor/reasons.h"
#include "lib/mem.h"
#include "svm/known.h"
#include "svm/svm.h"

#define ROUNDS 1000u
#define HOLE_GPA 0x80000000u
#define HOLE_TEXT "0x80000000"

GUEST(guest_hypercall, "1: vmmcall; jmp 1b");
GUEST(guest_cpuid, "1: cpuid; jmp 1b");
GUEST(guest_port, "1: outb %al, $0x80; jmp 1b");
GUEST(guest_msr, "1: rdmsr; jmp 1b");
GUEST(guest_memory, "mov $" HOLE_TEXT ", %ebx; 1: mov %eax, (%rbx); jmp 1b");

static const struct kind {
	const char *name;
	const uint8_t *code;
	unsigned int exit;   /* exit code */
	unsigned int length; /* of the instruction */
	enum exit_reason reason;
} kinds[] = {
	{"hypercall", guest_hypercall, X_VMMCALL, 3, EXIT_HYPERCALL},
	{"cpuid", guest_cpuid, X_CPUID, 2, EXIT_CPUID},
	{"port", guest_port, X_IOIO, 2, EXIT_PORT},
	{"rdmsr", guest_msr, X_MSR, 2, EXIT_MSR_READ},
	{"memory", guest_memory, X_NPF, 2, EXIT_NESTED_FAULT},
};

static void round_trips(const void *arg)
{
	const struct kind *k = arg;
	struct guest g = guest_long(k->code);
	uint64_t start, total, exit, entry, gif;

	intercept(&g, k->exit);
	memset(g.iopm, 0xff, IOPM_SIZE);
	memset(g.msrpm, 0xff, MSRPM_SIZE);
	g.r.rcx = 0xc0000081; /* STAR */
	if (k->exit == X_NPF)
		*table_entry(g.nested, HOLE_GPA, LEVEL_2M) = 0;
	guest_expect(&g, k->exit);
	g.vmcb->rip += k->length;
	exit = monitor_spent(k->reason);
	entry = monitor_spent(EXIT_ENTER);
	gif = monitor_spent(EXIT_GIF);
	start = rdtsc();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		guest_run(&g);
		g.vmcb->rip += k->length;
	}
	total = rdtsc() - start;
	CHECK_EQ(g.vmcb->exit_code, k->exit);
	exit = (monitor_spent(k->reason) - exit) / ROUNDS;
	entry = (monitor_spent(EXIT_ENTER) - entry) / ROUNDS;
	gif = (monitor_spent(EXIT_GIF) - gif) / ROUNDS;
	print("cost %s: total %u, monitor %u (exit %u, entry %u, gif %u)\n", k->name,
	      total / ROUNDS, exit + entry + gif, exit, entry, gif);
}

void l1_main(void)
{
	svm_start();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		test(kinds[i].name, round_trips, &kinds[i]);
}
