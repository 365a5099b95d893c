/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks with CPUs: vCPUs that the victim does not have, one at two places, and what a TLB remembers. */
#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "monitor/hypercall.h"
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/world.h"

#define TEXT(x) #x
#define STRING(x) TEXT(x)
#define FAKE 0x66616b6566616b65u
#define SPIN_TICKS (test_patience / 200) /* 0.1 s; on Bochs 0.5 s */

static void judge_told(struct vm *v, enum came came, const char *how)
{
	if (came == CAME_REFUSED)
		failed("%s is not entered", how);
	else
		judge_secret(v, v->shared->out, SECRET_WORDS * 8, how);
}

/* A vCPU more, which L1 has begin at code of the victim's that tells the secret. */
static void vcpu_added(void)
{
	struct vm *v = victim_new();
	struct guest other = vm_vcpu(v, victim_tell);

	judge_told(v, vm_came(v, &other), "a vCPU more, at a place of L1's choice,");
}

/* The same while the first one runs on CPU 1. */
static void vcpu_added_running(void)
{
	struct vm *v = vm_new();
	struct guest other = vm_vcpu(v, victim_tell);
	struct run r = {.vm = v};
	enum came came;

	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	vm_tell(v, VICTIM_SPIN_CHECK, 0, 0);
	guest_release(&v->g);
	other_cpu(run_guest, &r);
	CHECK(WAIT_FOR(((volatile struct shared *)v->shared)->spins), "CPU 1 does not run it");
	came = vm_came(v, &other);
	v->shared->stop = 1;
	other_cpu_wait();
	judge_told(v, came, "a vCPU more, while the first one runs,");
}

/* A vCPU more, of what is to pass for another guest: its root is the victim's in other words. */
static void root_alias(void)
{
	struct vm *v = victim_new();
	struct guest other = vm_vcpu(v, victim_tell);

	hv_root_alias(&other, (uint64_t)v->root);
	judge_told(v, vm_came(v, &other), "a vCPU with the victim's root in other bits");
}

/*
 * Roots that are none: beyond memory, device registers, a table of the victim's below its root, a page of
 * its, memory of the monitor's; without the monitor just the victim's own root, which proves the attack.
 */
static void root_crafted(void)
{
	struct vm *v = victim_new();
	struct guest other = vm_vcpu(v, victim_tell);
	uint64_t roots[] = {1ull << 38,           0xfee00000,
			    0xfffff000,           v->root[0] & PTE_ADDRESS,
			    (uint64_t)v->data[0], (uint64_t)v->root};
	uint64_t out[8];
	int64_t err = 0;
	bool ran = false;

	if (monitor_present()) {
		CHECK(hypercall(HYPERCALL_INFO, 0, 0, &err, out) && !err, "INFO fails");
		roots[ARRAY_SIZE(roots) - 1] = out[2];
	}
	for (size_t i = monitor_present() ? 0 : ARRAY_SIZE(roots) - 1;
	     i < ARRAY_SIZE(roots) && !ran; i++) {
		hv_root(&other, roots[i]);
		ran = vm_came(v, &other) == CAME_SIGNAL;
	}
	if (ran)
		judge_told(v, CAME_SIGNAL, "a vCPU with another root");
	else
		failed("no such root is entered");
}

/*
 * The victim waits for its memory, and none of its registers is L1's to answer with. Meanwhile its control
 * structure serves another guest, which comes out before it has changed anything: is that forgotten?
 */
static void vcpu_replaced(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t *entry = data_entry(v, 3), leaf = *entry;
	enum came came;

	for (uint64_t at = (uint64_t)victim_image; at < (uint64_t)victim_end; at += PAGE_SIZE)
		*vm_entry(a, at) = 0;
	set_entry(entry, hv_marked(leaf));
	nested_flush(&v->g);
	vm_tell(v, VICTIM_LOAD, GUEST_DATA + 3 * PAGE_SIZE, 0);
	CHECK(vm_enter(v) == CAME_FAULT, "no exit for the load: 0x%x", v->exit);
	hv_root(&v->g, (uint64_t)a->root);
	vm_enter(v);
	hv_root(&v->g, (uint64_t)v->root);
	set_entry(entry, leaf);
	nested_flush(&v->g);
	guest_set_rax(&v->g, FAKE);
	hv_skip(&v->g, 3);
	came = vm_enter(v);
	if (came == CAME_SIGNAL && v->shared->reply == FAKE)
		succeeded("it took what L1 said for its memory");
	else
		failed("it did not take what L1 said for its memory");
	v->mute = came == CAME_REFUSED;
}

/* The victim's own vCPU goes on at another place. */
static void vcpu_steered(void)
{
	struct vm *v = victim_new();

	guest_at(&v->g, victim_tell);
	judge_told(v, vm_enter(v), "a vCPU whose RIP was changed");
}

/* It runs on CPU 1, and is entered here, too. */
static void vcpu_twice(void)
{
	struct vm *v = victim_new();
	struct run r = {.vm = v};
	enum came came;

	vm_tell(v, VICTIM_SPIN, rdtsc() + 10 * SPIN_TICKS, 0);
	guest_release(&v->g);
	other_cpu(run_guest, &r);
	CHECK(WAIT_FOR(((volatile struct shared *)v->shared)->spins), "CPU 1 does not run it");
	hv_is_elsewhere(&v->g);
	came = vm_enter(v);
	guest_release(&v->g);
	other_cpu_wait();
	if (came == CAME_SIGNAL)
		succeeded("one vCPU was on two CPUs");
	else
		failed("it is not entered a second time");
}

/* L1 tears the table down while the victim runs, and changes the memory that is its own by that. */
static void table_reused(void)
{
	struct vm *v = victim_new();
	struct run r = {.vm = v};

	vm_tell(v, VICTIM_SPIN_CHECK, 0, 0);
	guest_release(&v->g);
	other_cpu(run_guest, &r);
	CHECK(WAIT_FOR(((volatile struct shared *)v->shared)->spins > 1), "CPU 1 does not run it");
	set_entry(&v->root[0], 0);
	*(volatile uint64_t *)(v->data[2] + 0x100) ^= 1;
	WAIT_FOR(cpu_finished(1));
	v->shared->stop = 1;
	other_cpu_wait();
	if (r.came == CAME_SIGNAL)
		succeeded("it went on without a table, %s",
			  v->shared->reply ? "with other memory" : "unchanged");
	else
		failed("it did not go on without its table");
	vm_end(v);
}

/*
 * An accomplice reads a page on CPU 1. L1 takes the page away, without a flush, and gives it to the victim.
 */
static void stale_translation(void)
{
	struct vm *a = vm_new(), *v;
	struct run r = {.vm = a};
	volatile struct shared *says = a->shared;
	uint64_t spins;

	CHECK(vm_launch(a), "not launched");
	vm_tell(a, VICTIM_SPIN_READ, GUEST_DATA + 6 * PAGE_SIZE + SECRET_AT, 0);
	guest_release(&a->g);
	other_cpu(run_guest, &r);
	CHECK(WAIT_FOR(says->spins), "CPU 1 does not run the accomplice");
	set_entry(data_entry(a, 6), 0);
	v = vm_new();
	*data_entry(v, 0) = hv_leaf((uint64_t)a->data[6]);
	v->data[0] = a->data[6];
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	spins = says->spins;
	for (unsigned i = 0; i < 1000 && says->spins < spins + 10 && !cpu_finished(1); i++)
		cpu_idle(100000);
	says->stop = 1;
	other_cpu_wait();
	judge_secret(v, says->out, OUT_WORDS * 8, "what an accomplice reads by an old translation");
}

/* It runs on CPU 1. L1 takes a page away, without a flush, reads it and writes all over it. */
static void taken_while_running(void)
{
	struct vm *v = victim_new();
	struct run r = {.vm = v};
	uint8_t *old = page_alloc();
	bool found;

	vm_tell(v, VICTIM_SPIN_CHECK, 0, 0);
	guest_release(&v->g);
	other_cpu(run_guest, &r);
	CHECK(WAIT_FOR(((volatile struct shared *)v->shared)->spins > 1), "CPU 1 does not run it");
	set_entry(data_entry(v, 0), 0);
	memcpy(old, v->data[0], PAGE_SIZE);
	found = has_secret(v, old, PAGE_SIZE);
	memset(v->data[0], 0x41, PAGE_SIZE);
	WAIT_FOR(cpu_finished(1));
	v->shared->stop = 1;
	other_cpu_wait();
	if (found || (r.came == CAME_SIGNAL && v->shared->reply))
		succeeded("%s", found ? "a page that was taken away has the secret"
				      : "it went on with a page that was taken away");
	else
		failed("it came out when a page was taken away");
}

/*
 * Two control structures that are the same but for the tag, as of two VMs, have one root. The first one
 * is launched; the second one would be the same guest, so that L1 can have it do what it likes.
 */
static void two_vms_one_root(void)
{
	struct vm *v = vm_new();
	struct guest second = vm_vcpu(v, victim_main);

	hv_tag(&v->g, 1);
	hv_tag(&second, 2);
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	if (vm_came(v, &second) != CAME_SIGNAL) {
		failed("a second VM with the victim's root is not entered");
		return;
	}
	vm_tell(v, VICTIM_READ, GUEST_DATA + SECRET_WINDOW, 0);
	vm_came(v, &second);
	judge_secret(v, v->shared->out, sizeof(v->shared->out), "what a second VM reads");
}

/*
 * Victim and accomplice run in turn under one ASID or VPID, without a flush: each reads where the other
 * has just filled the TLB.
 */
static void shared_tag(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	bool found = false, changed = false;

	hv_tag(&v->g, 1);
	hv_tag(&a->g, 1);
	CHECK(vm_launch(a) && vm_do(a, VICTIM_START, 0, 0), "the accomplice does not start");
	for (unsigned i = 0; i < 50 && !found && !changed; i++) {
		CHECK(vm_do(v, VICTIM_CHECK, 0, 0), "the victim does not run: 0x%x", v->exit);
		changed = v->shared->reply;
		CHECK(vm_do(a, VICTIM_READ, GUEST_DATA + SECRET_WINDOW, 0),
		      "the accomplice does not run: 0x%x", a->exit);
		found = has_secret(v, a->shared->out, sizeof(a->shared->out));
	}
	if (found || changed)
		succeeded("%s", found ? "an accomplice reads the secret by the victim's translation"
				      : "the victim uses a translation of an accomplice's");
	else
		failed("each has its own translations");
}

/* Where the victim's second CPU begins, in real mode: it counts itself, then waits. */
#define AP_COUNT 0x100
#define AP_SECOND 6ull /* behind the first instruction */
GUEST(ap_code, ".code16\nlock incw %cs:" STRING(
		       AP_COUNT) "\n"
				 "mov $" STRING(SIGNAL_PORT) ", %dx\n1: out %al, %dx\njmp 1b");

/* A victim that has this code for a second CPU. */
static struct vm *victim_with_ap(void)
{
	struct vm *v = vm_new();
	uint8_t *page = page_alloc();

	memcpy(page, ap_code, (size_t)(ap_code_end - ap_code));
	*vm_entry(v, REAL_GUEST) = hv_leaf((uint64_t)page);
	victim_is(v);
	CHECK(vm_launch(v), "not launched");
	victim_start(v);
	return v;
}

/* A vCPU in the state after a start-up IPI. */
static struct guest vm_ap(const struct vm *v)
{
	struct guest g = guest_real(ap_code, ap_code_end);

	hv_prepare(&g, (uint64_t)v->root, 0, NULL, 0);
	return g;
}

/* How many CPUs have begun there: the victim's word. */
static uint64_t ap_count(struct vm *v)
{
	CHECK(vm_do(v, VICTIM_READ, REAL_GUEST + AP_COUNT, 0), "exit 0x%x", v->exit);
	return v->shared->out[0] & 0xffff;
}

/* The victim starts its second CPU; L1 emulates the APIC. */
static void start_up(struct vm *v)
{
	enum came came;

	vm_tell(v, VICTIM_START_UP, REAL_GUEST >> PAGE_SHIFT, 0);
	while ((came = vm_enter(v)) == CAME_FAULT)
		hv_skip(&v->g, 2);
	CHECK(came == CAME_SIGNAL, "no start-up IPI: exit 0x%x", v->exit);
}

/* A second CPU that the victim has not started. */
static void vcpu_added_unasked(void)
{
	struct vm *v = victim_with_ap();
	struct guest ap = vm_ap(v);

	vm_came(v, &ap);
	if (ap_count(v))
		succeeded("a CPU runs that the victim has not started");
	else
		failed("a CPU that the victim has not started is not entered");
}

/* The victim starts one CPU, and gets two. */
static void vcpu_added_at_sipi(void)
{
	struct vm *v = victim_with_ap();
	struct guest ap = vm_ap(v), more = vm_ap(v);

	start_up(v);
	CHECK(vm_came(v, &ap) == CAME_SIGNAL, "its second CPU does not start: 0x%x", v->exit);
	CHECK(ap_count(v) == 1, "its second CPU has not begun");
	vm_came(v, &more);
	CHECK(vm_came(v, &ap) == CAME_SIGNAL, "its second CPU does not go on: 0x%x", v->exit);
	if (ap_count(v) == 1)
		failed("a CPU more than the victim has started is not entered");
	else
		succeeded("two CPUs began by one start-up IPI");
}

/* The victim starts its second CPU. L1 has it begin elsewhere: in its own code, or where the secret is told. */
static void vcpu_started_elsewhere(void)
{
	struct vm *v = victim_with_ap();
	struct guest ap = vm_ap(v), tells = vm_vcpu(v, victim_tell);
	enum came came;

	start_up(v);
	guest_at(&ap, (const void *)AP_SECOND);
	if (vm_came(v, &ap) == CAME_SIGNAL && !ap_count(v)) {
		succeeded("its second CPU began behind where it should have");
		return;
	}
	came = vm_came(v, &tells);
	judge_told(v, came, "a CPU of its that begins elsewhere");
}

const struct attack vcpu_attacks[] = {
	{"vcpu-added", vcpu_added},
	{"vcpu-added-running", vcpu_added_running},
	{"vcpu-added-unasked", vcpu_added_unasked},
	{"vcpu-added-at-sipi", vcpu_added_at_sipi},
	{"vcpu-started-elsewhere", vcpu_started_elsewhere},
	{"two-vms-one-root", two_vms_one_root},
	{"root-alias", root_alias},
	{"root-crafted", root_crafted},
	{"vcpu-replaced", vcpu_replaced},
	{"vcpu-steered", vcpu_steered},
	{"vcpu-twice", vcpu_twice},
	{"table-reused", table_reused},
	{"shared-tag", shared_tag},
	{"stale-translation", stale_translation},
	{"taken-while-running", taken_while_running},
	{NULL, NULL},
};
