/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/attack/l1/attacks.h"
#include "tests/attack/l1/hv.h"
#include "tests/attack/l1/world.h"

#include "lib/access.h"
#include "lib/mem.h"
#include "lib/pages.h"
#include "vmx/known.h"

#define FAKE 0x66616b6566616b65u

const bool hv_registers_stay = true;

uint64_t hv_leaf(uint64_t hpa)
{
	return hpa | EPT_ALL | EPT_WB;
}

uint64_t hv_large(uint64_t hpa)
{
	return hpa | EPT_ALL | EPT_WB | EPT_LARGE;
}

uint64_t hv_table(uint64_t hpa)
{
	return hpa | EPT_ALL;
}

uint64_t hv_marked(uint64_t entry)
{
	return entry | 7u << 3; /* a memory type that there is not */
}

uint64_t hv_reserved(uint64_t entry)
{
	return entry | 1ull << 51;
}

uint64_t *hv_entry(uint64_t *root, uint64_t gpa, enum table_level level)
{
	return ept_entry(root, gpa, level);
}

void hv_prepare(struct guest *g, uint64_t root, uint64_t cr3, const void *rip, uint64_t rsp)
{
	memset(g->io_a, 0xff, PAGE_SIZE);
	memset(g->io_b, 0xff, PAGE_SIZE);
	hv_root(g, root);
	put(g, G_CR3, cr3);
	put(g, G_RIP, (uint64_t)rip);
	put(g, G_RSP, rsp);
}

void hv_root(struct guest *g, uint64_t root)
{
	put(g, C_EPTP, root | EPTP_WB_4_LEVELS);
}

void hv_root_alias(struct guest *g, uint64_t root)
{
	hv_root(g, root | EPTP_AD);
}

void hv_port_map(struct guest *g, uint64_t hpa)
{
	put(g, C_IO_MAP_A, hpa);
}

void hv_tag(struct guest *g, uint32_t tag)
{
	if (can(C_PROC2, PROC2_VPID)) {
		set_bits(g, C_PROC2, PROC2_VPID);
		put(g, C_VPID, tag);
	}
}

void hv_no_nesting(struct guest *g)
{
	clear_bits(g, C_PROC2, PROC2_EPT | PROC2_UNRESTRICTED);
}

void hv_skip(struct guest *g, uint64_t n)
{
	put(g, G_RIP, get(g, G_RIP) + n);
}

bool hv_is_refused(uint64_t exit)
{
	return exit == ~0ull || exit & ENTRY_FAILURE;
}

bool hv_is_fault(uint64_t exit)
{
	return exit == X_EPT_VIOLATION || exit == X_EPT_MISCONFIGURATION;
}

uint16_t hv_port(const struct guest *g)
{
	return (uint16_t)(get(g, I_QUALIFICATION) >> 16);
}

void hv_use_fpu(void)
{
}

void hv_recover(void)
{
}

void hv_is_elsewhere(struct guest *g)
{
	g->launched = true;
}

void hv_walk_limit(bool succeeded)
{
	bochs_limit(succeeded && monitor_present(),
		    "Bochs sets A and D where the EPT forbids writes");
}

void hv_drop(struct guest *g)
{
	vmcs_drop(g);
}

void hv_control_page(void *page)
{
	*(uint32_t *)page = (uint32_t)rdmsr(MSR_VMX_BASIC) & 0x7fffffff;
}

void hv_use_control(void *page)
{
	vmclear((uint64_t)page);
	if (vmptrld((uint64_t)page))
		return;
	for (unsigned i = 0; i < 8; i++)
		vmwrite(G_CR3, i);
	vmwrite(G_RIP, (uint64_t)page);
	vmclear((uint64_t)page);
}

void hv_off(void)
{
	vmx_disable();
}

/* Bochs keeps an INIT pending after the exit that it makes. */
bool hv_takes_init(void)
{
	return monitor_present();
}

/* Bochs ends when 8 bytes are read there. */
bool hv_reads_apic(void)
{
	return monitor_present();
}

const void *hv_memory(const struct guest *g)
{
	(void)g;
	return NULL;
}

void hv_state_page(void *page)
{
	*(uint64_t *)page = MSR_FS_BASE; /* a list of one MSR to be stored at exits */
}

void hv_use_state(struct guest *g, void *page)
{
	put(g, C_EXIT_STORE, (uint64_t)page);
	put(g, C_EXIT_STORE_COUNT, 1);
	put(g, G_FS_BASE, 0x123456789000);
	guest_try(g);
	put(g, C_EXIT_STORE_COUNT, 0);
}

/* The TPR that the accomplice sets is in the page. */
static void virtual_apic_in_victim(void)
{
	struct vm *v = victim_new(), *a = vm_new();

	CHECK(vm_launch(a), "not launched");
	set_bits(&a->g, C_PROC, PROC_TPR_SHADOW);
	put(&a->g, C_TPR_THRESHOLD, 0);
	put(&a->g, C_VIRTUAL_APIC, (uint64_t)v->given[0]);
	vm_do(a, VICTIM_SET_TPR, 5, 0);
	judge_change(v, "MOV to CR8 went to its page");
}

/* L1 answers the victim's load from a page that was the APIC's before it was the victim's. */
static void apic_access_in_victim(void)
{
	struct vm *v = vm_new();
	void *page = junk_page();

	*vm_entry(v, GUEST_MORE) = hv_leaf((uint64_t)page);
	victim_is(v);
	set_bits(&v->g, C_PROC2, PROC2_APIC_ACCESS);
	put(&v->g, C_APIC_ACCESS, (uint64_t)page);
	if (!vm_launch(v)) {
		failed("it is not entered");
		return;
	}
	victim_start(v);
	vm_tell(v, VICTIM_LOAD, GUEST_MORE, 0);
	if (vm_enter(v) == CAME_OTHER && v->exit == X_APIC_ACCESS) {
		guest_set_rax(&v->g, FAKE);
		hv_skip(&v->g, 3);
		vm_enter(v);
	}
	if (v->shared->reply == FAKE)
		succeeded("it took what L1 said for its memory");
	else
		failed("it did not take what L1 said for its memory");
}

/* --- registers --------------------------------------------------------------------------- */

#define HOLD_BYTES 1u /* of its OUT */

/* A victim that has come out with its secret in registers. */
static struct vm *holding(void)
{
	struct vm *v = victim_new();

	vm_tell(v, VICTIM_HOLD, 0, 0);
	CHECK(vm_enter(v) == CAME_PORT, "exit 0x%x", v->exit);
	return v;
}

static void judge_state(struct vm *v)
{
	hv_skip(&v->g, HOLD_BYTES);
	if (vm_enter(v) == CAME_SIGNAL && v->shared->reply)
		failed("its state is its own");
	else
		succeeded("it did not go on, with another stack, tables, or mode");
}

/* RSP, CR3, segments and flags by the VMCS. */
static void state_write(void)
{
	struct vm *v = holding();

	put(&v->g, G_RSP, 0x41000);
	put(&v->g, G_CR3, 0x41000);
	put(&v->g, G_RFLAGS, get(&v->g, G_RFLAGS) | 1u << 10); /* DF */
	put(&v->g, G_GDTR_BASE, 0x41000);
	put(&v->g, G_IDTR_BASE, 0x41000);
	put(&v->g, G_SS_BASE, 0x41000);
	put(&v->g, G_DS_LIMIT, 0x41000);
	put(&v->g, G_SYSENTER_EIP, 0x41000);
	judge_state(v);
}

/* 32-bit mode, without paging, which are its code in other words. */
static void mode_write(void)
{
	struct vm *v = holding();

	put(&v->g, G_CR0, get(&v->g, G_CR0) & ~(uint64_t)CR0_PG);
	put(&v->g, G_EFER, get(&v->g, G_EFER) & ~0x500ull);
	put(&v->g, G_CS_RIGHTS, 0xc09b);
	clear_bits(&v->g, C_ENTRY, ENTRY_GUEST_64);
	judge_state(v);
}

const struct attack hv_attacks[] = {
	{"state-write", state_write},
	{"mode-write", mode_write},
	{"virtual-apic-in-victim", virtual_apic_in_victim},
	{"apic-access-in-victim", apic_access_in_victim},
	{NULL, NULL},
};
