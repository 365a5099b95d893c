/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round trip from L2 to L1 and back costs, for the benchmarks: where the TSC counts instructions
 * (Bochs) the numbers are instructions. L1 does the least that a hypervisor does: it reads the exit
 * reason and the instruction's length, and writes RIP. One line a kind:
 * "cost NAME: total T, monitor M (exit E, entry V, state S)", each per round trip; and one line each
 * for a VMREAD and a VMWRITE: "cost NAME: total T, monitor M".
 */
#include "lib/mem.h"
#include "lib/monitor.h"
#include "monitor/reasons.h"
#include "vmx/vmx.h"

#define ROUNDS 1000u
#define HOLE_GPA 0x80000000u
#define HOLE_TEXT "0x80000000"

GUEST(guest_hypercall, "1: vmcall; jmp 1b");
GUEST(guest_cpuid, "1: cpuid; jmp 1b");
GUEST(guest_port, "1: outb %al, $0x80; jmp 1b");
GUEST(guest_msr, "1: rdmsr; jmp 1b");
GUEST(guest_memory, "mov $" HOLE_TEXT ", %ebx; 1: mov %eax, (%rbx); jmp 1b");

static const struct kind {
	const char *name;
	const uint8_t *code;
	unsigned int exit;
	enum exit_reason reason;
} kinds[] = {
	{"hypercall", guest_hypercall, X_VMCALL, EXIT_HYPERCALL},
	{"cpuid", guest_cpuid, X_CPUID, EXIT_CPUID},
	{"port", guest_port, X_IO, EXIT_PORT},
	{"rdmsr", guest_msr, X_RDMSR, EXIT_MSR_READ},
	{"memory", guest_memory, X_EPT_VIOLATION, EXIT_NESTED_FAULT},
};

static inline uint64_t vmread_plainly(uint64_t field)
{
	uint64_t v;

	__asm__ volatile("vmread %1, %0" : "=r"(v) : "r"(field) : "cc");
	return v;
}

static inline void vmwrite_plainly(uint64_t field, uint64_t v)
{
	__asm__ volatile("vmwrite %0, %1" : : "r"(v), "r"(field) : "cc");
}

/* Instructions that are 2 bytes long but for VMCALL; an EPT violation has no length. */
static void round_trip(struct guest *g, const struct kind *k)
{
	uint64_t length;

	vmx_enter(&g->r, true);
	if (vmread_plainly(I_REASON) != k->exit)
		test_fail("exit 0x%x", get(g, I_REASON));
	length = vmread_plainly(I_LENGTH);
	if (k->exit == X_EPT_VIOLATION)
		length = 2;
	vmwrite_plainly(G_RIP, vmread_plainly(G_RIP) + length);
}

static void round_trips(const void *arg)
{
	const struct kind *k = arg;
	struct guest g = guest_long(k->code);
	uint64_t start, total, exit, entry, state;

	memset(g.io_a, 0xff, PAGE_SIZE);
	memset(g.msr_map, 0xff, PAGE_SIZE);
	g.r.rcx = MSR_STAR;
	if (k->exit == X_EPT_VIOLATION)
		*ept_entry(g.ept, HOLE_GPA, LEVEL_2M) = 0;
	guest_expect(&g, k->exit);
	round_trip(&g, k);
	exit = monitor_spent(k->reason);
	entry = monitor_spent(EXIT_ENTER);
	state = monitor_spent(EXIT_STATE);
	start = rdtsc();
	for (unsigned int i = 0; i < ROUNDS; i++)
		round_trip(&g, k);
	total = rdtsc() - start;
	exit = (monitor_spent(k->reason) - exit) / ROUNDS;
	entry = (monitor_spent(EXIT_ENTER) - entry) / ROUNDS;
	state = (monitor_spent(EXIT_STATE) - state) / ROUNDS;
	print("cost %s: total %u, monitor %u (exit %u, entry %u, state %u)\n", k->name,
	      total / ROUNDS, exit + entry + state, exit, entry, state);
}

static void access(const void *arg)
{
	bool write = arg != NULL;
	struct guest g = guest_long(guest_hypercall);
	uint64_t state, start, total;

	guest_use(&g);
	state = monitor_spent(EXIT_STATE);
	start = rdtsc();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (write)
			vmwrite_plainly(G_RIP, i);
		else
			vmread_plainly(G_RIP);
	}
	total = rdtsc() - start;
	CHECK_EQ(get(&g, G_RIP), write ? ROUNDS - 1 : (uint64_t)guest_hypercall);
	print("cost %s: total %u, monitor %u\n", write ? "vmwrite" : "vmread", total / ROUNDS,
	      (monitor_spent(EXIT_STATE) - state) / ROUNDS);
}

void l1_main(void)
{
	vmx_start();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		test(kinds[i].name, round_trips, &kinds[i]);
	test("vmread", access, NULL);
	test("vmwrite", access, "");
}
