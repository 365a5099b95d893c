/* SPDX-License-Identifier: Apache-2.0 */
/* The guest as tests for both vendors see it: svm/ has the same names. */
#ifndef L1_VENDOR_GUEST_H
#define L1_VENDOR_GUEST_H

#include "vmx/vmx.h"

/* What STOP, and a fault in the nested table, come out as. I/O is X_IO. */
#define X_STOP X_VMCALL
#define X_NESTED X_EPT_VIOLATION

static inline uint64_t guest_rax(const struct guest *g)
{
	return g->r.rax;
}

static inline void guest_set_rax(struct guest *g, uint64_t rax)
{
	g->r.rax = rax;
}

static inline void guest_set_flags(struct guest *g, uint64_t flags)
{
	set_bits(g, G_RFLAGS, flags);
}

/* Runs it once: the exit reason, or ~0 if the CPU refused. */
static inline uint64_t guest_try(struct guest *g)
{
	return guest_enter(g) ? ~0ull : get(g, I_REASON);
}

/* Lets another CPU run it. */
static inline void guest_release(struct guest *g)
{
	guest_clear(g);
}

/* On this CPU; what a CPU's function enabled it disables in the end. */
static inline bool vendor_enabled(void)
{
	return read_cr4() & CR4_VMXE;
}

static inline void vendor_enable(void)
{
	vmx_enable();
}

static inline void vendor_disable(void)
{
	vmx_disable();
}

/* Gives the guest page tables of its own. */
static inline void guest_root(struct guest *g, const uint64_t *root)
{
	put(g, G_CR3, (uint64_t)root);
}

static inline uint64_t *nested_entry(struct guest *g, uint64_t gpa, enum table_level level)
{
	return ept_entry(g->ept, gpa, level);
}

/* Maps one 4 KiB page with all rights. */
static inline void nested_map(struct guest *g, uint64_t gpa, const void *page)
{
	ept_map(g->ept, gpa, (uint64_t)page, EPT_ALL);
}

/* Has what the nested table said forgotten, from the guest's next entry on. */
static inline void nested_flush(struct guest *g)
{
	(void)g;
	flush_all();
}

#endif
