/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/hv.h"
#include "tests/attack/l1/world.h"

#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"

#define PTE_PWT 0x8u
#define PTE_PCD 0x10u
#define VECTOR_PF 14
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

/* --- registers and events --------------------------------------------------------------------------- */

#define HOLD_BYTES 1u /* of its OUT */
#define VECTOR_MC 18u

/* A victim that has come out with its secret in registers. */
static struct vm *holding(void)
{
	struct vm *v = victim_new();

	vm_tell(v, VICTIM_HOLD, 0, 0);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	return v;
}

static void registers_read(void)
{
	struct vm *v = holding();

	judge_secret(v, &v->g, sizeof(v->g), "registers after an exit");
	hv_skip(&v->g, HOLD_BYTES);
	CHECK(vm_enter(v) == CAME_SIGNAL && v->shared->reply, "it has lost its registers");
}

/* What it goes on with after L1 has overwritten all but the instruction's. */
static void registers_write(void)
{
	struct vm *v = holding();

	memset(&v->g.r, 0x41, sizeof(v->g.r));
	hv_skip(&v->g, HOLD_BYTES);
	if (vm_enter(v) == CAME_SIGNAL && v->shared->reply)
		failed("its registers are its own");
	else
		succeeded("it went on with other registers");
}

/* RSP, CR3, segments and flags by the VMCB. */
static void state_write(void)
{
	struct vm *v = holding();
	struct vmcb *c = v->g.vmcb;

	c->rsp = c->cr3 = 0x41000;
	c->rflags |= 1u << 10; /* DF */
	c->gdtr.base = c->idtr.base = c->ss.base = c->ds.limit = 0x41000;
	c->cr2 = c->lstar = 0x41000;
	hv_skip(&v->g, HOLD_BYTES);
	if (vm_enter(v) == CAME_SIGNAL && v->shared->reply)
		failed("its state is its own");
	else
		succeeded("it did not go on, with another stack and other tables");
}

/* L1 has the victim leave an instruction out, or do half of it. */
static void instruction_skipped(void)
{
	struct vm *v = holding();

	hv_skip(&v->g, HOLD_BYTES + 1);
	if (vm_enter(v) == CAME_REFUSED)
		failed("it does not go on elsewhere");
	else
		succeeded("it went on elsewhere");
}

/* An event that the victim does not expect; its IDT is not even mapped. */
static void inject(uint32_t event, uint32_t error)
{
	struct vm *v = holding();

	v->g.vmcb->event = EVENT_VALID | event;
	v->g.vmcb->event_error = error;
	if (vm_enter(v) == CAME_REFUSED)
		failed("it is not entered with the event");
	else
		succeeded("it has taken the event: exit 0x%x", v->exit);
}

static void inject_machine_check(void)
{
	inject(EVENT_EXCEPTION | VECTOR_MC, 0);
}

static void inject_page_fault(void)
{
	inject(EVENT_EXCEPTION | EVENT_ERROR | VECTOR_PF, 6);
}

static void inject_interrupt(void)
{
	inject(EVENT_INTR | 0x80, 0);
}

static void inject_software(void)
{
	inject(EVENT_SOFT | 0x80, 0);
}

static void inject_nmi(void)
{
	inject(EVENT_NMI | 2, 0);
}

static void inject_virtual(void)
{
	struct vm *v = holding();

	v->g.vmcb->rflags |= 1u << 9; /* IF; the monitor ignores it */
	v->g.vmcb->int_control |= V_IRQ | 0x1full << 16 | 0x80ull << 32;
	v->g.vmcb->intercept1 &= ~16u; /* no exit at the window */
	if (vm_enter(v) == CAME_REFUSED)
		failed("it is not entered with a virtual interrupt");
	else
		succeeded("it has taken a virtual interrupt: exit 0x%x", v->exit);
}

const struct attack hv_attacks[] = {
	{"registers-read", registers_read},
	{"registers-write", registers_write},
	{"state-write", state_write},
	{"instruction-skipped", instruction_skipped},
	{"inject-machine-check", inject_machine_check},
	{"inject-page-fault", inject_page_fault},
	{"inject-interrupt", inject_interrupt},
	{"inject-software", inject_software},
	{"inject-nmi", inject_nmi},
	{"inject-virtual", inject_virtual},
	{"assist-read", assist_read},
	{"host-save-in-victim", host_save_in_victim},
	{NULL, NULL},
};
