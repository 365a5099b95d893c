/* SPDX-License-Identifier: Apache-2.0 */
/* The guest as tests for both vendors see it: vmx/ has the same names. */
#ifndef L1_VENDOR_GUEST_H
#define L1_VENDOR_GUEST_H

#include "svm/svm.h"

/* What STOP, a fault in the nested table and I/O come out as. */
#define X_STOP X_VMMCALL
#define X_NESTED X_NPF
#define X_IO X_IOIO

static inline uint64_t guest_rax(const struct guest *g)
{
	return g->vmcb->rax;
}

static inline void guest_set_rax(struct guest *g, uint64_t rax)
{
	g->vmcb->rax = rax;
}

static inline void guest_set_flags(struct guest *g, uint64_t flags)
{
	g->vmcb->rflags |= flags;
}

/* Runs it once: the exit code, or ~0 if the CPU refused. */
static inline uint64_t guest_try(struct guest *g)
{
	guest_run(g);
	return g->vmcb->exit_code;
}

/* Lets another CPU run it. */
static inline void guest_release(struct guest *g)
{
	(void)g;
}

/* On this CPU; what a CPU's function enabled it disables in the end. */
static inline bool vendor_enabled(void)
{
	return rdmsr(MSR_EFER) & EFER_SVME;
}

static inline void vendor_enable(void)
{
	svm_enable();
}

static inline void vendor_disable(void)
{
}

/* Takes the guest to another place in its code. */
static inline void guest_at(struct guest *g, const void *rip)
{
	g->vmcb->rip = (uint64_t)rip;
}

/* Gives the guest page tables of its own. */
static inline void guest_root(struct guest *g, const uint64_t *root)
{
	g->vmcb->cr3 = (uint64_t)root;
}

static inline uint64_t *nested_entry(struct guest *g, uint64_t gpa, enum table_level level)
{
	return table_entry(g->nested, gpa, level);
}

/* Maps one 4 KiB page with all rights. */
static inline void nested_map(struct guest *g, uint64_t gpa, const void *page)
{
	table_map(g->nested, gpa, (uint64_t)page, PTE_ALL);
}

/* Has what the nested table said forgotten, from the guest's next entry on. */
static inline void nested_flush(struct guest *g)
{
	g->vmcb->tlb_control = TLB_FLUSH_ALL;
}

#endif
