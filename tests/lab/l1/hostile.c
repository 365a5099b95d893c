/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hypervisor that attacks what is below it. Whatever it does, the monitor must go on answering.
 * Options: entries=N (random VMCBs, default 1000000), seed=N.
 */
#include "lib/apic.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/smp.h"
#include "lib/trap.h"
#include "monitor/hypercall.h"
#include "svm/known.h"
#include "svm/svm.h"
#include "svm/wild.h"

#define TIMER_VECTOR 0x61
#define TIMER_TICKS 5000000
#define PROGRESS 100000
#define DEFAULT_SEED 0x4e657468u

GUEST(guest_stop, STOP);
GUEST(guest_read, "mov (%rbx), %rax; was_read:" STOP);
GUEST_LABEL(was_read);

static uint64_t seed;

static void still_answers(void)
{
	if (monitor_present())
		CHECK(monitor_answers(), "the monitor does not answer any more");
}

static void need_monitor(void)
{
	if (!monitor_present())
		test_skip("needs the monitor");
}

/* The monitor's block of memory. */
static void monitor_block(uint64_t *start, uint64_t *size)
{
	uint64_t out[8];
	int64_t rax;

	need_monitor();
	CHECK(hypercall(HYPERCALL_INFO, 0, 0, &rax, out) && rax == 0, "INFO fails");
	*start = out[2];
	*size = out[1];
	CHECK(*start && *size, "INFO tells no memory");
}

static void good_guest_runs(void)
{
	size_t mark = pages_mark();
	struct guest g = guest_long(guest_stop);

	guest_expect_at(&g, X_VMMCALL, guest_stop);
	pages_release(mark);
}

/* A run whose VMCBs are nearly all refused, or come out all in one way, would test little. */
static void check_variety(uint64_t n, uint64_t refused, const bool seen[256])
{
	unsigned ways = 0;

	for (unsigned i = 0; i < 256; i++)
		ways += seen[i];
	print("%u exit codes\n", U64(ways));
	if (n >= 10000)
		CHECK(refused > n / 100 && refused < n / 4 * 3 && ways > 30, "too little variety");
}

static void random_vmcbs(const void *arg)
{
	uint64_t n = option("entries", 1000000), refused = 0;
	static bool seen[256];
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);
	static struct wild w;

	(void)arg;
	wild_start(&w, seed);
	print("seed 0x%x, %u entries\n", seed, n);
	apic_timer(TIMER_VECTOR | APIC_TIMER_PERIODIC, (uint32_t)option("timer", TIMER_TICKS));
	for (uint64_t i = 1; i <= n; i++) {
		uint64_t before = w.random.state;

		wild_next(&w);
		wild_run(&w);
		if (w.g.vmcb->exit_code == ~0ull || w.g.vmcb->exit_code == 0xffffffff)
			refused++;
		else
			seen[w.g.vmcb->exit_code % 256] = true;
		CHECK(read_cr0() == cr0 && read_cr3() == cr3 && read_cr4() == cr4 &&
			      rdmsr(MSR_EFER) == efer,
		      "entry %u (generator 0x%x), exit 0x%x: CR0 0x%x CR3 0x%x CR4 0x%x EFER 0x%x",
		      i, before, w.g.vmcb->exit_code, read_cr0(), read_cr3(), read_cr4(),
		      rdmsr(MSR_EFER));
		if (i % 1000 == 0)
			good_guest_runs();
		if (i % PROGRESS == 0) {
			print("%u entries, %u refused\n", i, refused);
			still_answers();
		}
	}
	apic_timer(TIMER_VECTOR, 0);
	still_answers();
	check_variety(n, refused, seen);
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
	monitor_block(&start, &size);
	CHECK(start + size <= 4 * GIB, "the block is beyond what this program maps");
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		uint64_t places[] = {start, start + 8, start + size / 2, start + size - 256};

		for (unsigned p = 0; p < ARRAY_SIZE(places); p++) {
			struct fault f = expect_fault(ways[i], (void *)places[p]);

			CHECK(f.taken && f.vector == VEC_GP, "%s at 0x%x: fault %u, vector %u",
			      names[i], places[p], U64(f.taken), U64(f.vector));
			still_answers();
		}
	}
}

/* All pages of it, by a load each. */
static void monitor_memory_all(const void *arg)
{
	uint64_t start, size;

	(void)arg;
	monitor_block(&start, &size);
	CHECK(start + size <= 4 * GIB, "the block is beyond what this program maps");
	for (uint64_t a = start; a < start + size; a += PAGE_SIZE)
		CHECK(faults_with(load, (void *)a, VEC_GP), "0x%x can be read", a);
	still_answers();
}

static void do_vmrun(void *p)
{
	__asm__ volatile("push %%rbp; vmrun; pop %%rbp"
			 :
			 : "a"(p)
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "memory", "cc");
}

static void do_vmload(void *p)
{
	vmload(p);
}

static void do_vmsave(void *p)
{
	vmsave(p);
}

static void svm_addresses(const void *arg)
{
	static void (*const ways[])(void *) = {do_vmrun, do_vmload, do_vmsave};
	static const char *const names[] = {"VMRUN", "VMLOAD", "VMSAVE"};
	uint64_t start, size;

	(void)arg;
	monitor_block(&start, &size);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		uint64_t places[] = {start, start + (size / 2 & PAGE_MASK),
				     start + size - PAGE_SIZE};

		for (unsigned p = 0; p < ARRAY_SIZE(places); p++) {
			struct fault f = expect_fault(ways[i], (void *)places[p]);

			stgi();
			CHECK(f.taken && f.vector == VEC_GP, "%s of 0x%x is no #GP", names[i],
			      places[p]);
			still_answers();
		}
	}
	good_guest_runs();
}

static void write_hsave(void *p)
{
	wrmsr(SVM_MSR_HSAVE, (uint64_t)p);
}

/* A save area in the monitor: refused, or never used. */
static void hsave_address(const void *arg)
{
	uint64_t start, size;

	(void)arg;
	monitor_block(&start, &size);
	for (uint64_t a = start; a < start + size; a += PAGE_SIZE) {
		struct fault f = expect_fault(write_hsave, (void *)a);

		CHECK(!f.taken || f.vector == VEC_GP, "vector %u", U64(f.vector));
		good_guest_runs();
	}
	still_answers();
}

/* Addresses inside a VMCB: refused, or of no use; the monitor answers. */
static void vmcb_addresses(const void *arg)
{
	uint64_t start, size;

	(void)arg;
	monitor_block(&start, &size);
	for (unsigned i = 0; i < 3; i++) {
		for (uint64_t a = start; a < start + size; a += size / 16 & PAGE_MASK) {
			size_t mark = pages_mark();
			struct guest g = guest_long(guest_stop);

			if (i == 0)
				g.vmcb->iopm = a;
			else if (i == 1)
				g.vmcb->msrpm = a;
			else
				g.vmcb->nested_cr3 = a;
			guest_run(&g);
			CHECK(i != 2 || g.vmcb->exit_code != X_VMMCALL,
			      "a guest runs on a nested table at 0x%x", a);
			still_answers();
			pages_release(mark);
		}
	}
	good_guest_runs();
}

/* Without nested paging, a guest's own table may name the monitor's memory, but not reach it. */
static void guest_without_nesting(const void *arg)
{
	uint64_t start, size;

	(void)arg;
	monitor_block(&start, &size);
	for (uint64_t a = start; a < start + size; a += size / 16 & PAGE_MASK) {
		size_t mark = pages_mark();
		struct guest g = guest_long(guest_read);

		g.vmcb->np_control = 0;
		g.vmcb->cr3 = (uint64_t)table_identity();
		g.r.rbx = a;
		guest_run(&g);
		/* #GP in the guest, or some exit: but not past the load */
		CHECK(g.vmcb->rip != (uint64_t)was_read, "the guest read 0x%x at 0x%x", g.vmcb->rax,
		      a);
		still_answers();
		pages_release(mark);
	}
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
		still_answers();
	}
}

/* SIPI with the vectors of pages that hold nothing: the CPU runs zeros, or faults, until INIT. */
static void sipi_anywhere(const void *arg)
{
	volatile uint32_t *n = page_alloc();

	(void)arg;
	need_monitor();
	if (cpu_count() < 2)
		test_skip("one CPU");
	for (unsigned vector = 0x20; vector < 0x90; vector += 5) {
		apic_send(1, ICR_INIT);
		apic_send(1, ICR_SIPI | vector);
		still_answers();
	}
	CHECK(cpu_start(1, arrive, (void *)n), "CPU 1 does not start again");
	CHECK(WAIT_FOR(cpu_finished(1)), "CPU 1 does not run");
}

/* What the other CPU writes over and over into the VMCB that this one runs. */
struct race {
	struct guest g;
	struct random random;
	uint64_t *zero;
	volatile bool stop;
	volatile uint64_t writes;
};

static void rewrite(void *arg)
{
	struct race *r = arg;
	struct vmcb *v = r->g.vmcb;

	while (!r->stop) {
		uint64_t x = random_next(&r->random);
		volatile struct vmcb *w = v;

		switch (x >> 60) {
		case 0:
			w->asid = x & 1;
			break;
		case 1:
			w->iopm = x & 1 ? (uint64_t)r->g.iopm : x & 2 ? 1ull << 52 : ~0ull;
			break;
		case 2:
			w->msrpm = x & 1 ? (uint64_t)r->g.msrpm : x & 2 ? 1ull << 52 : ~0ull;
			break;
		case 3:
			w->intercept2 = (uint32_t)x & 3;
			break;
		case 4:
			w->event = x & 1 ? 0 : EVENT_VALID | (x & 0x7ff);
			break;
		case 5:
			w->nested_cr3 = (uint64_t)(x & 1 ? r->g.nested : r->zero);
			break;
		case 6:
			w->cr0 = x & 1 ? read_cr0() : x & 2 ? read_cr0() | CR0_NW : 1ull << 40;
			break;
		case 7:
			w->efer = rdmsr(MSR_EFER) | (x & 1 ? EFER_SVME : 0);
			break;
		case 8:
			w->rip = (uint64_t)guest_stop;
			break;
		case 9:
			w->int_control = V_INTR_MASKING | (x & (V_IRQ | V_PRIORITY(15)));
			break;
		case 10:
			w->exit_code = x;
			break;
		case 11:
			w->cs.attributes = x & 1 ? 0xa9b : 0xe9b;
			break;
		default:
			w->tlb_control = x & 1;
			break;
		}
		r->writes++;
	}
}

static void vmcb_race(const void *arg)
{
	static struct race r;
	static struct vmcb good;
	uint64_t n = option("races", 50000), ran = 0;

	(void)arg;
	if (cpu_count() < 2)
		test_skip("one CPU");
	r = (struct race){.g = guest_long(guest_stop),
			  .random.state = seed | 1,
			  .zero = page_alloc()};
	r.g.vmcb->int_control = V_INTR_MASKING;
	good = *r.g.vmcb;
	CHECK(cpu_start(1, rewrite, &r), "CPU 1 does not start");
	CHECK(WAIT_FOR(r.writes > 1000), "CPU 1 does not write");
	for (uint64_t i = 0; i < n; i++) {
		memcpy(r.g.vmcb, &good, sizeof(good));
		guest_run(&r.g);
		ran += r.g.vmcb->exit_code == X_VMMCALL;
	}
	r.stop = true;
	CHECK(WAIT_FOR(cpu_finished(1)), "CPU 1 does not finish");
	CHECK(ran > 0, "no run got through");
	good_guest_runs();
	still_answers();
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
		still_answers();
	}
	CHECK(readable > 10, "only %u MSRs", U64(readable));
	svm_enable();
	good_guest_runs();
}

/* Random values where they cannot stop this program itself. */
static void msr_values(const void *arg)
{
	static const uint32_t free[] = {MSR_STAR,      MSR_LSTAR,          MSR_CSTAR,
					MSR_SFMASK,    MSR_KERNEL_GS_BASE, MSR_PAT,
					MSR_GS_BASE,   MSR_SYSENTER_CS,    MSR_SYSENTER_ESP,
					SVM_MSR_HSAVE, SVM_MSR_VM_CR};
	struct random random = {seed | 1};
	uint64_t pat = rdmsr(MSR_PAT);

	(void)arg;
	for (unsigned i = 0; i < 5000; i++) {
		struct msr_access m = {free[random_below(&random, ARRAY_SIZE(free))],
				       random_next(&random)};
		struct fault f;

		if (m.msr == SVM_MSR_VM_CR)
			m.value &= ~0x10ull; /* SVMDIS, legal while SVME is clear, would end SVM */
		f = expect_fault(do_wrmsr, &m);
		CHECK(!f.taken || f.vector == VEC_GP, "WRMSR 0x%x: vector %u", U64(m.msr),
		      U64(f.vector));
		m = (struct msr_access){MSR_EFER, rdmsr(MSR_EFER) | (random_next(&random) &
								     0xffffffffffff0000)};
		f = expect_fault(do_wrmsr, &m);
		CHECK(!f.taken || f.vector == VEC_GP, "WRMSR EFER: vector %u", U64(f.vector));
	}
	wrmsr(MSR_PAT, pat);
	svm_enable();
	still_answers();
	good_guest_runs();
}

static void cpuid_leaves(const void *arg)
{
	static const uint32_t starts[] = {0,          0x40000000, 0x80000000,
					  0x8fffff00, 0xc0000000, 0xffffff00};
	struct random random = {seed | 1};
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
	still_answers();
}

static void hypercalls(const void *arg)
{
	struct random random = {seed | 1};

	(void)arg;
	need_monitor();
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
	still_answers();
}

static void vmmcall_other(void *arg)
{
	__asm__ volatile("vmmcall" : : "a"((uint64_t)arg), "c"(0) : "memory", "rbx", "rdx");
}

/* Any other RAX is not for the monitor. */
static void not_hypercalls(const void *arg)
{
	struct random random = {seed | 1};

	(void)arg;
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t rax = random_next(&random);

		if (rax == HYPERCALL_MAGIC)
			continue;
		CHECK(faults_with(vmmcall_other, (void *)rax, VEC_UD),
		      "VMMCALL with RAX 0x%x is no #UD", rax);
	}
	still_answers();
}

void l1_main(void)
{
	svm_start();
	seed = option("seed", DEFAULT_SEED);
	test("monitor-memory", monitor_memory, NULL);
	test("monitor-memory-all", monitor_memory_all, NULL);
	test("svm-addresses", svm_addresses, NULL);
	test("hsave-address", hsave_address, NULL);
	test("vmcb-addresses", vmcb_addresses, NULL);
	test("guest-without-nesting", guest_without_nesting, NULL);
	test("msrs", msrs, NULL);
	test("msr-values", msr_values, NULL);
	test("cpuid-leaves", cpuid_leaves, NULL);
	test("hypercalls", hypercalls, NULL);
	test("not-hypercalls", not_hypercalls, NULL);
	test("init-storm", init_storm, NULL);
	test("sipi-anywhere", sipi_anywhere, NULL);
	test("vmcb-race", vmcb_race, NULL);
	test("random-vmcbs", random_vmcbs, NULL);
}
