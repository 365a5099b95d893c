/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest state and controls that VMRUN must refuse (APM 2, 15.5.1 "Canonicalization and Consistency
 * Checks", 15.20, 15.25.3), one at a time: VMEXIT_INVALID, and nothing of the guest runs.
 */
#include "lib/mem.h"
#include "lib/pages.h"
#include "svm/known.h"
#include "svm/svm.h"

#define BEYOND_PHYSICAL (1ull << 52)

struct invalid {
	const char *name;
	void (*spoil)(struct vmcb *v);
	bool unchecked; /* TCG does not check it */
};

#define SPOIL(id, ...)                 \
	static void id(struct vmcb *v) \
	{                              \
		__VA_ARGS__;           \
	}

SPOIL(efer_svme_clear, v->efer &= ~(uint64_t)EFER_SVME)
SPOIL(efer_reserved, v->efer |= 1ull << 63)
SPOIL(efer_reserved_low, v->efer |= 1u << 9)
SPOIL(cr0_nw_without_cd, v->cr0 = (v->cr0 | CR0_NW) & ~(uint64_t)CR0_CD)
SPOIL(cr0_high, v->cr0 |= 1ull << 32)
SPOIL(cr0_highest, v->cr0 |= 1ull << 63)
SPOIL(cr3_beyond_physical, v->cr3 |= BEYOND_PHYSICAL)
SPOIL(cr3_highest, v->cr3 |= 1ull << 63)
SPOIL(cr4_reserved, v->cr4 |= 1u << 31)
SPOIL(cr4_high, v->cr4 |= 1ull << 32)
SPOIL(dr6_high, v->dr6 |= 1ull << 32)
SPOIL(dr7_high, v->dr7 |= 1ull << 63)
SPOIL(long_without_pae, v->cr4 &= ~(uint64_t)CR4_PAE)
SPOIL(long_without_pe, v->cr0 &= ~(uint64_t)CR0_PE)
SPOIL(long_cs_l_and_d, v->cs.attributes |= 0x600)
SPOIL(vmrun_not_intercepted, v->intercept2 &= ~1u)
SPOIL(asid_zero, v->asid = 0)
SPOIL(iopm_beyond_physical, v->iopm = BEYOND_PHYSICAL)
SPOIL(iopm_end, v->iopm = ~0xfffull)
SPOIL(msrpm_beyond_physical, v->msrpm = BEYOND_PHYSICAL)
SPOIL(msrpm_end, v->msrpm = ~0xfffull)
SPOIL(event_type_1, v->event = EVENT_VALID | 0x100 | 0x40)
SPOIL(event_type_5, v->event = EVENT_VALID | 0x500 | 0x40)
SPOIL(event_type_6, v->event = EVENT_VALID | 0x600 | 0x40)
SPOIL(event_type_7, v->event = EVENT_VALID | 0x700 | 0x40)
SPOIL(event_exception_nmi, v->event = EVENT_VALID | EVENT_EXCEPTION | VEC_NMI)
SPOIL(event_exception_32, v->event = EVENT_VALID | EVENT_EXCEPTION | 32)
SPOIL(event_exception_255, v->event = EVENT_VALID | EVENT_EXCEPTION | 255)
SPOIL(nested_cr3_beyond_physical, v->nested_cr3 |= BEYOND_PHYSICAL)
SPOIL(pat_illegal, v->pat = 2)

#define CASE(id, unchecked)        \
	{                          \
#id, id, unchecked \
	}
static const struct invalid invalids[] = {
	CASE(efer_svme_clear, false),
	CASE(efer_reserved, false),
	CASE(efer_reserved_low, false),
	CASE(cr0_nw_without_cd, false),
	CASE(cr0_high, false),
	CASE(cr0_highest, false),
	CASE(cr3_beyond_physical, false),
	CASE(cr3_highest, false),
	CASE(cr4_reserved, false),
	CASE(cr4_high, false),
	CASE(dr6_high, false),
	CASE(dr7_high, false),
	CASE(long_without_pae, false),
	CASE(long_without_pe, false),
	CASE(long_cs_l_and_d, false),
	CASE(vmrun_not_intercepted, false),
	CASE(asid_zero, false),
	CASE(iopm_beyond_physical, false),
	CASE(iopm_end, false),
	CASE(msrpm_beyond_physical, false),
	CASE(msrpm_end, false),
	CASE(event_type_1, false),
	CASE(event_type_5, false),
	CASE(event_type_6, false),
	CASE(event_type_7, false),
	CASE(event_exception_nmi, false),
	CASE(event_exception_32, false),
	CASE(event_exception_255, false),
	CASE(nested_cr3_beyond_physical, true),
	CASE(pat_illegal, true),
};

GUEST(guest_mark, "movl $1, (%rbx);" STOP);

static bool is_invalid(const struct guest *g)
{
	return g->vmcb->exit_code == ~0ull || g->vmcb->exit_code == 0xffffffff;
}

static void refused(const void *arg)
{
	const struct invalid *i = arg;
	struct guest g = guest_long(guest_mark), good = guest_long(guest_mark);
	volatile uint32_t *mark = page_alloc();
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);

	g.r.rbx = good.r.rbx = (uint64_t)mark;
	i->spoil(g.vmcb);
	guest_run(&g);
	if (i->unchecked)
		tcg_lax(!is_invalid(&g), "TCG does not check it");
	CHECK(is_invalid(&g), "exit 0x%x (info 0x%x 0x%x) at rip 0x%x", g.vmcb->exit_code,
	      g.vmcb->exit_info1, g.vmcb->exit_info2, g.vmcb->rip);
	CHECK_EQ(*mark, 0);
	CHECK_EQ(read_cr0(), cr0);
	CHECK_EQ(read_cr3(), cr3);
	CHECK_EQ(read_cr4(), cr4);
	CHECK_EQ(rdmsr(MSR_EFER), efer);
	guest_expect(&good, X_VMMCALL);
	CHECK_EQ(*mark, 1);
}

/* State that looks odd but is legal: it must run. */
SPOIL(cr0_cd_without_nw, v->cr0 |= CR0_CD)
SPOIL(cr0_cd_and_nw, v->cr0 |= CR0_CD | CR0_NW)
SPOIL(unknown_intercepts, v->intercept2 |= 0xc000)
SPOIL(not_clean, v->clean = 0)
SPOIL(event_not_valid, v->event = 0x7ff)
SPOIL(data_segments_null, v->ds = (struct vmcb_segment){0}; v->es = v->ds; v->fs = v->ds)
static const struct invalid valids[] = {
	CASE(cr0_cd_without_nw, false),  CASE(cr0_cd_and_nw, false),
	CASE(unknown_intercepts, false), CASE(not_clean, false),
	CASE(event_not_valid, false),    CASE(data_segments_null, false),
};

static void accepted(const void *arg)
{
	const struct invalid *i = arg;
	struct guest g = guest_long(guest_mark);
	volatile uint32_t *mark = page_alloc();

	g.r.rbx = (uint64_t)mark;
	i->spoil(g.vmcb);
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(*mark, 1);
}

/* Non-canonical segment bases are made canonical, not refused. */
static void canonicalized(const void *arg)
{
	struct guest g = guest_long(guest_mark);
	volatile uint32_t *mark = page_alloc();

	(void)arg;
	g.r.rbx = (uint64_t)mark;
	g.vmcb->ds.base = 0x13ff800000000000; /* with 48 and with 57 bits the same */
	guest_expect(&g, X_VMMCALL);
	CHECK_EQ(g.vmcb->ds.base, 0xffff800000000000);
}

void l1_main(void)
{
	svm_start();
	for (unsigned i = 0; i < ARRAY_SIZE(invalids); i++)
		test_named("refused-", invalids[i].name, refused, &invalids[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(valids); i++)
		test_named("accepted-", valids[i].name, accepted, &valids[i]);
	test("segment-bases-canonicalized", canonicalized, NULL);
}
