/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/exits.h"
#include "tests/attack/l1/hv.h"
#include "tests/attack/l1/world.h"

#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"

#define PTE_PWT 0x8u
#define PTE_PCD 0x10u
#define VECTOR_PF 14
#define VECTOR_MC 18
#define LOAD_BYTES 3u              /* of VICTIM_LOAD's instruction */
#define FETCH_BYTES 15u            /* that decode assists read */
#define GUEST_UNMAPPED 0x80000000u /* by its own tables */

const bool hv_registers_stay = false;

uint64_t hv_leaf(uint64_t hpa)
{
	return hpa | PTE_ALL;
}

uint64_t hv_large(uint64_t hpa)
{
	return hpa | PTE_ALL | PTE_LARGE;
}

uint64_t hv_table(uint64_t hpa)
{
	return hpa | PTE_ALL;
}

uint64_t hv_marked(uint64_t entry)
{
	return entry & ~(uint64_t)(PTE_U | PTE_A);
}

uint64_t hv_reserved(uint64_t entry)
{
	return entry | 1ull << 51;
}

uint64_t *hv_entry(uint64_t *root, uint64_t gpa, enum table_level level)
{
	return table_entry(root, gpa, level);
}

void hv_prepare(struct guest *g, uint64_t root, uint64_t cr3, const void *rip, uint64_t rsp)
{
	memset(g->iopm, 0xff, IOPM_SIZE);
	intercept(g, X_IOIO);
	hv_root(g, root);
	g->vmcb->cr3 = cr3;
	g->vmcb->rip = (uint64_t)rip;
	g->vmcb->rsp = rsp;
}

void hv_root(struct guest *g, uint64_t root)
{
	g->vmcb->nested_cr3 = root;
}

void hv_root_alias(struct guest *g, uint64_t root)
{
	hv_root(g, root | PTE_PWT | PTE_PCD);
}

void hv_port_map(struct guest *g, uint64_t hpa)
{
	g->vmcb->iopm = hpa;
}

void hv_tag(struct guest *g, uint32_t tag)
{
	g->vmcb->asid = tag;
}

void hv_no_nesting(struct guest *g)
{
	g->vmcb->np_control = 0;
	g->vmcb->nested_cr3 = 0;
}

void hv_skip(struct guest *g, uint64_t n)
{
	g->vmcb->rip += n;
}

bool hv_is_refused(uint64_t exit)
{
	return exit == ~0ull || exit == 0xffffffff; /* TCG writes 32 bits */
}

bool hv_is_fault(uint64_t exit)
{
	return exit == X_NPF;
}

uint16_t hv_port(const struct guest *g)
{
	return (uint16_t)(g->vmcb->exit_info1 >> 16);
}

/* QEMU: docs/hardware.md. */
void hv_use_fpu(void)
{
	__asm__ volatile("fnop");
}

void hv_recover(void)
{
	stgi();
}

void hv_is_elsewhere(struct guest *g)
{
	(void)g;
}

void hv_walk_limit(bool succeeded)
{
	(void)succeeded;
}

void hv_drop(struct guest *g)
{
	(void)g;
}

static struct guest stranger;

void hv_control_page(void *page)
{
	stranger = guest_long(guest_stop);
	memcpy(page, stranger.vmcb, PAGE_SIZE);
}

static void run_stranger(void *page)
{
	stranger.vmcb = page;
	guest_run(&stranger);
}

/* VMRUN alone: the guest changes no register, and comes out at once. */
static void vmrun(void *page)
{
	__asm__ volatile("clgi; vmrun; stgi" : : "a"(page) : "memory", "cc");
}

void hv_use_control(void *page)
{
	struct fault f = expect_fault(run_stranger, page);

	hv_recover();
	if (f.taken)
		expect_fault(vmrun, page);
	hv_recover();
}

void hv_off(void)
{
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~(uint64_t)EFER_SVME);
}

bool hv_takes_init(void)
{
	return true;
}

bool hv_reads_apic(void)
{
	return true;
}

const void *hv_memory(const struct guest *g)
{
	return g->vmcb;
}

void hv_state_page(void *page)
{
	(void)page;
}

static void save(void *page)
{
	vmsave(page);
}

void hv_use_state(struct guest *g, void *page)
{
	(void)g;
	expect_fault(save, page);
}

static void load(void *page)
{
	vmload(page);
}

/* The page where VMRUN keeps L1's state. */
static void set_host_save(void *page)
{
	wrmsr(SVM_MSR_HSAVE, (uint64_t)page);
}

static void host_save_in_victim(void)
{
	struct vm *v = victim_new(), *a = vm_new();
	uint64_t old = rdmsr(SVM_MSR_HSAVE);
	struct fault f;

	CHECK(vm_launch(a), "not launched");
	f = expect_fault(set_host_save, v->given[0]);
	CHECK(vm_do(a, VICTIM_CHECK, 0, 0), "the accomplice does not run: exit 0x%x", a->exit);
	if (!f.taken)
		wrmsr(SVM_MSR_HSAVE, old);
	judge_change(v, "VMRUN kept L1's state in its page");
}

/* The victim's load at `at` comes out, and L1 answers it. Was the code n bytes on to be had? */
static void read_code(struct vm *v, uint64_t at, uint64_t exit, size_t n)
{
	size_t behind = (size_t)(victim_load_end - victim_image) - LOAD_BYTES + n;

	vm_tell(v, VICTIM_LOAD, at, 0);
	vm_enter(v);
	CHECK(v->exit == exit || monitor_present(), "exit 0x%x", v->exit);
	if (v->exit != exit) { /* the victim's #PF is its own */
		way(false);
		return;
	}
	way(!memcmp(v->g.vmcb->bytes + n, victim_image + behind, FETCH_BYTES - n) ||
	    !memcmp(v->code + behind, victim_image + behind, FETCH_BYTES - n));
	hv_skip(&v->g, LOAD_BYTES);
	CHECK(vm_enter(v) == CAME_SIGNAL, "it does not go on: exit 0x%x", v->exit);
}

/* By what decode assists have read, or, where there are none, L1. */
static void assist_read(void)
{
	struct vm *v = victim_new();

	way_begin("page fault");
	read_code(v, GUEST_UNMAPPED, X_EXCEPTION + VECTOR_PF, 0);
	way_begin("emulation");
	read_code(v, GUEST_SHARED2, X_NPF, LOAD_BYTES);
	judge_ways();
}

/* VMLOAD takes registers from the victim's page, as if a VMCB of L1's were there. */
static void load_from_victim(void)
{
	struct vm *v = victim_new();
	void *host = page_alloc(), *page = page_alloc();

	vmsave(host);
	if (expect_fault(load, v->data[0]).taken) {
		failed("VMLOAD faults");
	} else {
		vmsave(page);
		vmload(host);
		judge_secret(v, page, PAGE_SIZE, "what VMLOAD has loaded");
	}
	vmload(host);
}

/* --- registers and events --------------------------------------------------------------------------- */

/* RSP, CR3, segments and flags by the VMCB. */
static void state_write(void)
{
	struct vm *v = exits_victim(KIND_OUT);
	struct vmcb *c = v->g.vmcb;

	vm_enter(v);
	c->rsp = c->cr3 = 0x41000;
	c->rflags |= 1u << 10; /* DF */
	c->gdtr.base = c->idtr.base = c->ss.base = c->ds.limit = 0x41000;
	hv_skip(&v->g, hv_kinds[KIND_OUT].bytes);
	if (vm_enter(v) == CAME_SIGNAL && !v->shared->reply)
		failed("its state is its own");
	else
		succeeded("it did not go on, with another stack and other tables");
}

/* A virtual interrupt, of the highest priority, that L1 is not told of. */
static void inject_by_virq(uint64_t vector)
{
	struct vm *v = events_victim();

	v->g.vmcb->int_control |= V_IRQ | V_PRIORITY(0xf) | V_IGNORE_TPR | V_VECTOR(vector);
	intercept_clear(&v->g, X_VINTR);
	events_judge(v);
}

static void inject_virtual(void)
{
	inject_by_virq(0x80);
}

static void inject_virtual_low(void)
{
	inject_by_virq(VECTOR_MC);
}

/* By a virtual APIC of L1's making (AVIC): APM volume 2, 15.29. */
static void inject_by_avic(void)
{
	struct vm *v = events_victim();
	uint8_t *backing = page_alloc();

	*(uint32_t *)(backing + 0xf0) = 0x1ff;
	*(uint32_t *)(backing + 0x200 + 0x80 / 32 * 0x10) = 1u << 0x80 % 32;
	v->g.vmcb->int_control |= 1ull << 31;
	*(uint64_t *)((uint8_t *)v->g.vmcb + 0xe0) = (uint64_t)backing;
	*(uint64_t *)((uint8_t *)v->g.vmcb + 0xf0) = (uint64_t)page_alloc();
	*(uint64_t *)((uint8_t *)v->g.vmcb + 0xf8) = (uint64_t)page_alloc();
	events_judge(v);
}

const struct attack hv_attacks[] = {
	{"state-write", state_write},
	{"inject-virtual", inject_virtual},
	{"inject-virtual-low", inject_virtual_low},
	{"inject-by-virtual-apic", inject_by_avic},
	{"assist-read", assist_read},
	{"host-save-in-victim", host_save_in_victim},
	{"load-from-victim", load_from_victim},
	{NULL, NULL},
};
