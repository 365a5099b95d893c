/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/attacks.h"

#include "lib/apic.h"
#include "lib/layout.h"
#include "lib/mem.h"
#include "lib/monitor.h"
#include "lib/pages.h"
#include "lib/random.h"
#include "lib/smp.h"
#include "lib/test.h"
#include "lib/trap.h"
#include "monitor/hypercall.h"
#include "vendor.h"

#define DEFAULT_SEED 0x4e657468u

uint64_t attack_seed;
static const struct attacker *attacker;

void attack_survived(void)
{
	if (monitor_present())
		CHECK(monitor_answers(), "the monitor does not answer any more");
}

void attack_needs_monitor(void)
{
	if (!monitor_present())
		test_skip("needs the monitor");
}

/* The monitor's block of memory. */
void attack_target(uint64_t *start, uint64_t *size)
{
	uint64_t out[8];
	int64_t rax;

	attack_needs_monitor();
	CHECK(hypercall(HYPERCALL_INFO, 0, 0, &rax, out) && rax == 0, "INFO fails");
	*start = out[2];
	*size = out[1];
	CHECK(*start && *size, "INFO tells no memory");
}

static void load(void *p)
{
	(void)*(volatile uint64_t *)p;
}

static void store(void *p)
{
	*(volatile uint64_t *)p = 0x4141414141414141;
}

static void locked(void *p)
{
	__asm__ volatile("lock incq (%0)" : : "r"(p) : "memory");
}

static void execute(void *p)
{
	((void (*)(void))p)();
}

static void copy_out(void *p)
{
	static uint8_t buffer[256];

	memcpy(p, buffer, sizeof(buffer));
}

static void monitor_memory(const void *arg)
{
	static void (*const ways[])(void *) = {load, store, locked, execute, copy_out};
	static const char *const names[] = {"load", "store", "locked add", "fetch", "string store"};
	uint64_t start, size;

	(void)arg;
	attack_target(&start, &size);
	CHECK(start + size <= 4 * GIB, "the block is beyond what this program maps");
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		uint64_t places[] = {start, start + 8, start + size / 2, start + size - 256};

		for (unsigned p = 0; p < ARRAY_SIZE(places); p++) {
			struct fault f = expect_fault(ways[i], (void *)places[p]);

			CHECK(f.taken && f.vector == VEC_GP, "%s at 0x%x: fault %u, vector %u",
			      names[i], places[p], U64(f.taken), U64(f.vector));
			attack_survived();
		}
	}
}

/* All pages of it, by a load each. */
static void monitor_memory_all(const void *arg)
{
	uint64_t start, size;

	(void)arg;
	attack_target(&start, &size);
	CHECK(start + size <= 4 * GIB, "the block is beyond what this program maps");
	for (uint64_t a = start; a < start + size; a += PAGE_SIZE)
		CHECK(faults_with(load, (void *)a, VEC_GP), "0x%x can be read", a);
	attack_survived();
}

static void count_up(void *arg)
{
	volatile uint32_t *n = arg;

	for (;;)
		++*n;
}

static void arrive(void *arg)
{
	*(volatile uint32_t *)arg = 1;
}

static void init_storm(const void *arg)
{
	volatile uint32_t *n = page_alloc();

	(void)arg;
	if (cpu_count() < 2)
		test_skip("one CPU");
	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 1; i < cpu_count(); i++)
			CHECK(cpu_start(i, count_up, (void *)n), "CPU %u does not start", U64(i));
		for (unsigned i = 0; i < 500; i++)
			apic_send(0, ICR_INIT | ICR_ALL_BUT_SELF);
		for (unsigned i = 0; i < 100; i++) {
			apic_send(1, ICR_INIT);
			apic_send(1, ICR_SIPI | TRAMPOLINE >> 12);
		}
		for (unsigned i = 1; i < cpu_count(); i++) {
			/* a word of its own: a CPU whose INIT is late still counts in n[0] */
			n[i] = 0;
			CHECK(cpu_start(i, arrive, (void *)(n + i)), "CPU %u does not start again",
			      U64(i));
			CHECK(WAIT_FOR(cpu_finished(i)), "CPU %u does not finish", U64(i));
			CHECK_EQ(n[i], 1);
		}
		attack_survived();
	}
}

/*
 * SIPI with other vectors than the trampoline's. The CPU finds a halt there: left to what lies in
 * memory it would reach the BIOS, and a port with which Bochs stops the machine.
 */
static void sipi_anywhere(const void *arg)
{
	enum { FIRST = 0x20, LAST = 0x8b, STEP = 5, CLI_HLT_LOOP = 0xfdebf4fa };
	uint32_t kept[(LAST - FIRST) / STEP + 1] = {0};
	volatile uint32_t *n = page_alloc();

	(void)arg;
	attack_needs_monitor();
	if (cpu_count() < 2)
		test_skip("one CPU");
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++) {
		volatile uint32_t *start = (uint32_t *)((uint64_t)(FIRST + i * STEP) << PAGE_SHIFT);

		kept[i] = *start;
		*start = CLI_HLT_LOOP;
		apic_send(1, ICR_INIT);
		apic_send(1, ICR_SIPI | (FIRST + i * STEP));
		attack_survived();
	}
	CHECK(cpu_start(1, arrive, (void *)n), "CPU 1 does not start again");
	CHECK(WAIT_FOR(cpu_finished(1)), "CPU 1 does not run");
	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		*(volatile uint32_t *)((uint64_t)(FIRST + i * STEP) << PAGE_SHIFT) = kept[i];
}

struct msr_access {
	uint32_t msr;
	uint64_t value;
};

static void do_rdmsr(void *arg)
{
	struct msr_access *m = arg;

	m->value = rdmsr(m->msr);
}

static void do_wrmsr(void *arg)
{
	const struct msr_access *m = arg;

	wrmsr(m->msr, m->value);
}

/* Each MSR of the three ranges is read and, if it can be read, written back as it was. */
static void msrs(const void *arg)
{
	static const uint32_t starts[] = {0, 0xc0000000, 0xc0010000, 0x40000000};
	unsigned readable = 0;

	(void)arg;
	for (unsigned r = 0; r < ARRAY_SIZE(starts); r++) {
		for (uint32_t i = 0; i < 0x2000; i++) {
			struct msr_access m = {starts[r] + i, 0};
			struct fault f = expect_fault(do_rdmsr, &m);

			CHECK(!f.taken || f.vector == VEC_GP, "RDMSR 0x%x: vector %u", U64(m.msr),
			      U64(f.vector));
			if (f.taken)
				continue;
			readable++;
			f = expect_fault(do_wrmsr, &m);
			CHECK(!f.taken || f.vector == VEC_GP, "WRMSR 0x%x: vector %u", U64(m.msr),
			      U64(f.vector));
		}
		attack_survived();
	}
	CHECK(readable > 10, "only %u MSRs", U64(readable));
	attacker->recover();
}

/* Random values where they cannot stop this program itself. */
static void msr_values(const void *arg)
{
	struct random random = {attack_seed | 1};
	uint64_t pat = rdmsr(MSR_PAT);

	(void)arg;
	for (unsigned i = 0; i < 5000; i++) {
		const struct attack_msr *a =
			&attacker->msrs[random_below(&random, attacker->msr_count)];
		struct msr_access m = {a->msr, random_next(&random) & ~a->never};
		struct fault f;

		f = expect_fault(do_wrmsr, &m);
		CHECK(!f.taken || f.vector == VEC_GP, "WRMSR 0x%x: vector %u", U64(m.msr),
		      U64(f.vector));
		m = (struct msr_access){MSR_EFER, rdmsr(MSR_EFER) | (random_next(&random) &
								     0xffffffffffff0000)};
		f = expect_fault(do_wrmsr, &m);
		CHECK(!f.taken || f.vector == VEC_GP, "WRMSR EFER: vector %u", U64(f.vector));
	}
	wrmsr(MSR_PAT, pat);
	attack_survived();
	attacker->recover();
}

static void cpuid_leaves(const void *arg)
{
	static const uint32_t starts[] = {0,          0x40000000, 0x80000000,
					  0x8fffff00, 0xc0000000, 0xffffff00};
	struct random random = {attack_seed | 1};
	uint32_t sum = 0;

	(void)arg;
	for (unsigned s = 0; s < ARRAY_SIZE(starts); s++) {
		for (uint32_t leaf = 0; leaf < 0x100; leaf++) {
			for (uint32_t sub = 0; sub < 8; sub++)
				sum += cpuid(starts[s] + leaf, sub).a;
		}
	}
	for (unsigned i = 0; i < 10000; i++)
		sum += cpuid((uint32_t)random_next(&random), (uint32_t)random_next(&random)).a;
	CHECK(sum != 0, "all leaves are empty");
	attack_survived();
}

static void hypercalls(const void *arg)
{
	struct random random = {attack_seed | 1};

	(void)arg;
	attack_needs_monitor();
	for (unsigned i = 0; i < 50000; i++) {
		uint64_t out[8];
		uint64_t function =
			random_one_in(&random, 4) ? random_next(&random) : random_below(&random, 8);
		uint64_t rdx =
			random_one_in(&random, 2) ? random_next(&random) : random_below(&random, 8);
		uint64_t rsi = random_one_in(&random, 2) ? random_next(&random)
							 : random_below(&random, 64);
		int64_t rax = 1;

		CHECK(hypercall(function, rdx, rsi, &rax, out), "hypercall 0x%x faults", function);
		CHECK(rax <= 0 && rax > -4096, "hypercall 0x%x gives 0x%x", function, U64(rax));
	}
	attack_survived();
}

static void call_other(void *arg)
{
	__asm__ volatile(VENDOR_CALL : : "a"((uint64_t)arg), "c"(0) : "memory", "rbx", "rdx");
}

/* Any other RAX is not for the monitor. */
static void not_hypercalls(const void *arg)
{
	struct random random = {attack_seed | 1};

	(void)arg;
	attacker->leave();
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t rax = random_next(&random);

		if (rax == HYPERCALL_MAGIC)
			continue;
		CHECK(faults_with(call_other, (void *)rax, VEC_UD),
		      VENDOR_CALL " with RAX 0x%x is no #UD", rax);
	}
	attack_survived();
}

void attacks(const struct attacker *a)
{
	attacker = a;
	attack_seed = option("seed", DEFAULT_SEED);
	test("monitor-memory", monitor_memory, NULL);
	test("monitor-memory-all", monitor_memory_all, NULL);
	test("msrs", msrs, NULL);
	test("msr-values", msr_values, NULL);
	test("cpuid-leaves", cpuid_leaves, NULL);
	test("hypercalls", hypercalls, NULL);
	test("not-hypercalls", not_hypercalls, NULL);
	test("init-storm", init_storm, NULL);
	test("sipi-anywhere", sipi_anywhere, NULL);
}
