/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hypervisor that attacks what is below it. Whatever it does, the monitor must go on answering.
 * Options: entries=N (random VMCBs, default 1000000), races=N, seed=N.
 */
#include "lib/attacks.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/random.h"
#include "lib/smp.h"
#include "lib/trap.h"
#include "lib/wild_tests.h"
#include "monitor/hypercall.h"
#include "svm/known.h"
#include "svm/svm.h"

GUEST(guest_stop, STOP);
GUEST(guest_read, "mov (%rbx), %rax; was_read:" STOP);
GUEST_LABEL(was_read);

static void good_guest_runs(void)
{
	size_t mark = pages_mark();
	struct guest g = guest_long(guest_stop);

	guest_expect_at(&g, X_VMMCALL, guest_stop);
	pages_release(mark);
}

static void random_vmcbs(const void *arg)
{
	static const struct wild_test wild = {.entries = 1000000,
					      .progress = 100000,
					      .timer = 5000000,
					      .ways = 30,
					      .good_guest_runs = good_guest_runs};

	(void)arg;
	wild_entries(&wild);
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
	attack_target(&start, &size);
	for (unsigned i = 0; i < ARRAY_SIZE(ways); i++) {
		uint64_t places[] = {start, start + (size / 2 & PAGE_MASK),
				     start + size - PAGE_SIZE};

		for (unsigned p = 0; p < ARRAY_SIZE(places); p++) {
			struct fault f = expect_fault(ways[i], (void *)places[p]);

			stgi();
			CHECK(f.taken && f.vector == VEC_GP, "%s of 0x%x is no #GP", names[i],
			      places[p]);
			attack_survived();
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
	attack_target(&start, &size);
	for (uint64_t a = start; a < start + size; a += PAGE_SIZE) {
		struct fault f = expect_fault(write_hsave, (void *)a);

		CHECK(!f.taken || f.vector == VEC_GP, "vector %u", U64(f.vector));
		good_guest_runs();
	}
	attack_survived();
}

/* Addresses inside a VMCB: refused, or of no use; the monitor answers. */
static void vmcb_addresses(const void *arg)
{
	uint64_t start, size;

	(void)arg;
	attack_target(&start, &size);
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
			attack_survived();
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
	attack_target(&start, &size);
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
		attack_survived();
		pages_release(mark);
	}
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
			  .random.state = attack_seed | 1,
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
	attack_survived();
}

static void recover(void)
{
	svm_enable();
	good_guest_runs();
}

static void leave(void)
{
}

void l1_main(void)
{
	static const struct attack_msr msrs[] = {
		{MSR_STAR, 0},      {MSR_LSTAR, 0},          {MSR_CSTAR, 0},
		{MSR_SFMASK, 0},    {MSR_KERNEL_GS_BASE, 0}, {MSR_PAT, 0},
		{MSR_GS_BASE, 0},   {MSR_SYSENTER_CS, 0},    {MSR_SYSENTER_ESP, 0},
		{SVM_MSR_HSAVE, 0}, {SVM_MSR_VM_CR, 0x10}, /* SVMDIS would end SVM */
	};
	static const struct attacker attacker = {recover, leave, msrs, ARRAY_SIZE(msrs)};

	svm_start();
	attacks(&attacker);
	test("svm-addresses", svm_addresses, NULL);
	test("hsave-address", hsave_address, NULL);
	test("vmcb-addresses", vmcb_addresses, NULL);
	test("guest-without-nesting", guest_without_nesting, NULL);
	test("vmcb-race", vmcb_race, NULL);
	test("random-vmcbs", random_vmcbs, NULL);
}
