/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest state that VM entry must refuse (SDM 3, 26.3.1), one thing wrong at a time: an exit with
 * 0x80000021 and the right qualification. Nothing of the guest runs, and another guest runs after it.
 */
#include "lib/mem.h"
#include "lib/pages.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define NON_CANONICAL 0x0000900000000000ull
#define BAD_PAT 0x0007040600070402ull
#define DEBUG_BS 0x4000u
#define RFLAGS_VM 0x20000u
#define Q_PDPTE 2
#define Q_NMI 3
#define Q_LINK 4

struct invalid {
	const char *name;
	void (*spoil)(struct guest *g);
	uint64_t qualification;
	struct guest (*make)(const void *code);
	bool unchecked; /* by Bochs */
};

static uint64_t beyond_physical(void)
{
	return 1ull << (cpuid(0x80000008, 0).a & 0xff);
}

static uint64_t page(void)
{
	return (uint64_t)page_alloc();
}

static void set_segment(struct guest *g, enum field selector, uint64_t rights)
{
	put(g, G_ES_RIGHTS + (selector - G_ES), rights);
}

static void event(struct guest *g, uint64_t info)
{
	put(g, C_EVENT, EVENT_VALID | info);
}

static void paging_pae(struct guest *g)
{
	put(g, G_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE);
	put(g, G_CR4, CR4_VMXE | CR4_PAE);
	put(g, G_CR3, page());
	for (unsigned i = 0; i < 4; i++)
		put(g, G_PDPTE0 + 2 * i, page() | 1);
}

/* A guest in virtual-8086 mode that is right so far. */
static void virtual_8086(struct guest *g)
{
	static const enum field all[] = {G_ES, G_CS, G_SS, G_DS, G_FS, G_GS};

	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		unsigned n = all[i] - G_ES;

		put(g, all[i], REAL_GUEST >> 4);
		put(g, G_ES_BASE + n, REAL_GUEST);
		put(g, G_ES_LIMIT + n, 0xffff);
		put(g, G_ES_RIGHTS + n, 0xf3);
	}
	put(g, G_RFLAGS, 2 | RFLAGS_VM);
	put(g, G_RIP, 0);
}

#define SPOIL(id, ...)                  \
	static void id(struct guest *g) \
	{                               \
		__VA_ARGS__;            \
	}

SPOIL(cr0_ne, clear_bits(g, G_CR0, CR0_NE))
SPOIL(cr0_pg_without_pe, clear_bits(g, G_CR0, CR0_PE))
SPOIL(cr0_pg_in_long, bochs_lax(true, "Bochs enters it and panics"); clear_bits(g, G_CR0, CR0_PG))
SPOIL(cr0_high, set_bits(g, G_CR0, 1ull << 32))
SPOIL(cr3_beyond, set_bits(g, G_CR3, beyond_physical()))
SPOIL(cr4_vmxe, clear_bits(g, G_CR4, CR4_VMXE))
SPOIL(cr4_high, set_bits(g, G_CR4, 1ull << 40))
SPOIL(cr4_reserved, set_bits(g, G_CR4, 1u << 31))
SPOIL(cr4_pae_in_long, clear_bits(g, G_CR4, CR4_PAE))
SPOIL(dr7_high, set_bits(g, G_DR7, 1ull << 32))
SPOIL(debugctl_reserved, set_bits(g, G_DEBUGCTL, 1ull << 40))
SPOIL(efer_reserved, set_bits(g, G_EFER, 1u << 9))
SPOIL(efer_lma_clear, clear_bits(g, G_EFER, EFER_LMA))
SPOIL(efer_lme_clear, clear_bits(g, G_EFER, EFER_LME))
SPOIL(efer_lma_in_32, set_bits(g, G_EFER, EFER_LMA))
SPOIL(pat, put(g, G_PAT, BAD_PAT))
SPOIL(sysenter_esp, put(g, G_SYSENTER_ESP, NON_CANONICAL))
SPOIL(sysenter_eip, put(g, G_SYSENTER_EIP, NON_CANONICAL))
SPOIL(rflags_bit_1, put(g, G_RFLAGS, 0))
SPOIL(rflags_bit_3, put(g, G_RFLAGS, 2 | 8))
SPOIL(rflags_bit_15, put(g, G_RFLAGS, 2 | 0x8000))
SPOIL(rflags_bit_22, put(g, G_RFLAGS, 2 | 1u << 22))
SPOIL(rflags_high, put(g, G_RFLAGS, 2 | 1ull << 32))
SPOIL(rflags_vm_in_long, put(g, G_RFLAGS, 2 | RFLAGS_VM))
SPOIL(rip_non_canonical, put(g, G_RIP, NON_CANONICAL))
SPOIL(rip_high_in_32, set_bits(g, G_RIP, 1ull << 32))
SPOIL(cs_type_data, set_segment(g, G_CS, 0xa091))
SPOIL(cs_type_not_accessed, set_segment(g, G_CS, 0xa09a))
SPOIL(cs_not_present, set_segment(g, G_CS, 0xa01b))
SPOIL(cs_system, set_segment(g, G_CS, 0xa08b))
SPOIL(cs_l_and_d, set_segment(g, G_CS, 0xe09b))
SPOIL(cs_dpl, set_segment(g, G_CS, 0xa0bb))
SPOIL(cs_reserved_rights, set_segment(g, G_CS, 0xa19b))
SPOIL(cs_reserved_rights_high, set_segment(g, G_CS, 0x2a09b))
SPOIL(cs_limit_low, put(g, G_CS_LIMIT, 0xfffff000))
SPOIL(cs_limit_high, put(g, G_CS_RIGHTS, 0x409b))
SPOIL(cs_base_high, put(g, G_CS_BASE, 1ull << 32))
SPOIL(ss_type, set_segment(g, G_SS, 0xc091); put(g, G_SS, SEL_DATA | 3))
SPOIL(ss_not_present, put(g, G_SS, SEL_DATA | 3); set_segment(g, G_SS, 0xc073))
SPOIL(ds_not_accessed, set_segment(g, G_DS, 0xc092))
SPOIL(ds_execute_only, set_segment(g, G_DS, 0xc099))
SPOIL(ds_system, set_segment(g, G_DS, 0xc083))
SPOIL(ds_not_present, set_segment(g, G_DS, 0xc013))
SPOIL(ds_base_high, put(g, G_DS_BASE, 1ull << 32))
SPOIL(es_limit, put(g, G_ES_LIMIT, 0x12345678))
SPOIL(es_reserved_rights, set_segment(g, G_ES, 0xc893))
SPOIL(fs_base, put(g, G_FS_BASE, NON_CANONICAL))
SPOIL(gs_base, put(g, G_GS_BASE, NON_CANONICAL))
SPOIL(gs_not_accessed, set_segment(g, G_GS, 0xc092))
SPOIL(tr_unusable, set_bits(g, G_TR_RIGHTS, UNUSABLE))
SPOIL(tr_available, put(g, G_TR_RIGHTS, 0x89))
SPOIL(tr_16_in_long, put(g, G_TR_RIGHTS, 0x83))
SPOIL(tr_code, put(g, G_TR_RIGHTS, 0x9b))
SPOIL(tr_not_present, put(g, G_TR_RIGHTS, 0x0b))
SPOIL(tr_ti, put(g, G_TR, SEL_TSS | 4))
SPOIL(tr_limit, put(g, G_TR_LIMIT, 0x100000))
SPOIL(tr_granularity, put(g, G_TR_RIGHTS, 0x808b))
SPOIL(tr_base, put(g, G_TR_BASE, NON_CANONICAL))
SPOIL(ldtr_type, put(g, G_LDTR_RIGHTS, 0x83))
SPOIL(ldtr_not_present, put(g, G_LDTR_RIGHTS, 0x02))
SPOIL(ldtr_ti, put(g, G_LDTR, SEL_LDT | 4))
SPOIL(ldtr_base, put(g, G_LDTR_BASE, NON_CANONICAL))
SPOIL(ldtr_limit, put(g, G_LDTR_LIMIT, 0xfff00000))
SPOIL(gdtr_base, put(g, G_GDTR_BASE, NON_CANONICAL))
SPOIL(idtr_base, put(g, G_IDTR_BASE, NON_CANONICAL))
SPOIL(gdtr_limit, put(g, G_GDTR_LIMIT, 0x10000))
SPOIL(idtr_limit, put(g, G_IDTR_LIMIT, 0x80000000))
SPOIL(activity_4, put(g, G_ACTIVITY, 4))
SPOIL(activity_high, put(g, G_ACTIVITY, 0x80000000))
SPOIL(halted_in_ring_3, guest_user(g); put(g, G_ACTIVITY, HALTED))
SPOIL(halted_with_sti, put(g, G_RFLAGS, 2 | FLAG_IF); put(g, G_INTERRUPTIBILITY, BLOCKED_STI);
      put(g, G_ACTIVITY, HALTED))
SPOIL(interruptibility_reserved, put(g, G_INTERRUPTIBILITY, 0x20))
SPOIL(interruptibility_high, put(g, G_INTERRUPTIBILITY, 0x80000000))
SPOIL(sti_and_mov_ss, put(g, G_RFLAGS, 2 | FLAG_IF);
      put(g, G_INTERRUPTIBILITY, BLOCKED_STI | BLOCKED_MOV_SS))
SPOIL(sti_without_if, put(g, G_INTERRUPTIBILITY, BLOCKED_STI))
SPOIL(smi_blocked, put(g, G_INTERRUPTIBILITY, BLOCKED_SMI))
SPOIL(interrupt_without_if, event(g, EVENT_INTR | 0x40))
SPOIL(interrupt_after_sti, put(g, G_RFLAGS, 2 | FLAG_IF); put(g, G_INTERRUPTIBILITY, BLOCKED_STI);
      event(g, EVENT_INTR | 0x40))
SPOIL(interrupt_after_mov_ss, put(g, G_RFLAGS, 2 | FLAG_IF);
      put(g, G_INTERRUPTIBILITY, BLOCKED_MOV_SS); event(g, EVENT_INTR | 0x40))
SPOIL(nmi_after_mov_ss, put(g, G_INTERRUPTIBILITY, BLOCKED_MOV_SS); event(g, EVENT_NMI | VEC_NMI))
SPOIL(nmi_while_blocked, need(C_PIN, PIN_VIRTUAL_NMI); set_bits(g, C_PIN, PIN_VIRTUAL_NMI);
      put(g, G_INTERRUPTIBILITY, BLOCKED_NMI); event(g, EVENT_NMI | VEC_NMI))
SPOIL(pending_reserved, put(g, G_PENDING_DEBUG, 0x10))
SPOIL(pending_reserved_high, put(g, G_PENDING_DEBUG, 0x20000))
SPOIL(pending_without_step, put(g, G_RFLAGS, 2 | FLAG_TF);
      put(g, G_INTERRUPTIBILITY, BLOCKED_MOV_SS))
SPOIL(pending_step_without_tf, put(g, G_INTERRUPTIBILITY, BLOCKED_MOV_SS);
      put(g, G_PENDING_DEBUG, DEBUG_BS))
SPOIL(link_misaligned, put(g, G_LINK, page() + 8))
SPOIL(link_beyond, put(g, G_LINK, page() | beyond_physical()))
SPOIL(link_revision, put(g, G_LINK, page()))
SPOIL(link_itself, put(g, G_LINK, (uint64_t)g->vmcs))
SPOIL(pdpte_reserved, paging_pae(g); set_bits(g, G_PDPTE2, PTE_W))
SPOIL(pdpte_beyond, paging_pae(g); set_bits(g, G_PDPTE3, beyond_physical()))
SPOIL(v86_base, virtual_8086(g); put(g, G_DS_BASE, 0))
SPOIL(v86_limit, virtual_8086(g); put(g, G_SS_LIMIT, 0xfffff))
SPOIL(v86_rights, virtual_8086(g); put(g, G_GS_RIGHTS, 0x93))

#define CASE(id)                        \
	{                               \
#id, id, 0, NULL, false \
	}
#define QUALIFIED(id, q)                \
	{                               \
#id, id, q, NULL, false \
	}
#define IN_32(id)                                  \
	{                                          \
#id, id, 0, guest_protected, false \
	}
#define UNCHECKED(id, q)               \
	{                              \
#id, id, q, NULL, true \
	}

static const struct invalid invalids[] = {
	CASE(cr0_ne),
	CASE(cr0_pg_without_pe),
	CASE(cr0_pg_in_long),
	CASE(cr0_high),
	CASE(cr3_beyond),
	CASE(cr4_vmxe),
	CASE(cr4_high),
	CASE(cr4_reserved),
	CASE(cr4_pae_in_long),
	CASE(dr7_high),
	UNCHECKED(debugctl_reserved, 0),
	CASE(efer_reserved),
	CASE(efer_lma_clear),
	CASE(efer_lme_clear),
	IN_32(efer_lma_in_32),
	CASE(pat),
	CASE(sysenter_esp),
	CASE(sysenter_eip),
	CASE(rflags_bit_1),
	CASE(rflags_bit_3),
	CASE(rflags_bit_15),
	CASE(rflags_bit_22),
	CASE(rflags_high),
	CASE(rflags_vm_in_long),
	UNCHECKED(rip_non_canonical, 0),
	IN_32(rip_high_in_32),
	CASE(cs_type_data),
	CASE(cs_type_not_accessed),
	CASE(cs_not_present),
	CASE(cs_system),
	CASE(cs_l_and_d),
	CASE(cs_dpl),
	CASE(cs_reserved_rights),
	CASE(cs_reserved_rights_high),
	CASE(cs_limit_low),
	IN_32(cs_limit_high),
	CASE(cs_base_high),
	CASE(ss_type),
	CASE(ss_not_present),
	CASE(ds_not_accessed),
	CASE(ds_execute_only),
	CASE(ds_system),
	CASE(ds_not_present),
	CASE(ds_base_high),
	CASE(es_limit),
	CASE(es_reserved_rights),
	CASE(fs_base),
	CASE(gs_base),
	CASE(gs_not_accessed),
	CASE(tr_unusable),
	CASE(tr_available),
	CASE(tr_16_in_long),
	CASE(tr_code),
	CASE(tr_not_present),
	CASE(tr_ti),
	CASE(tr_limit),
	CASE(tr_granularity),
	CASE(tr_base),
	CASE(ldtr_type),
	CASE(ldtr_not_present),
	CASE(ldtr_ti),
	CASE(ldtr_base),
	CASE(ldtr_limit),
	CASE(gdtr_base),
	CASE(idtr_base),
	CASE(gdtr_limit),
	CASE(idtr_limit),
	CASE(activity_4),
	CASE(activity_high),
	CASE(halted_in_ring_3),
	CASE(halted_with_sti),
	CASE(interruptibility_reserved),
	CASE(interruptibility_high),
	CASE(sti_and_mov_ss),
	CASE(sti_without_if),
	CASE(smi_blocked),
	CASE(interrupt_without_if),
	CASE(interrupt_after_sti),
	CASE(interrupt_after_mov_ss),
	CASE(nmi_after_mov_ss),
	UNCHECKED(nmi_while_blocked, Q_NMI),
	CASE(pending_reserved),
	CASE(pending_reserved_high),
	UNCHECKED(pending_without_step, 0),
	UNCHECKED(pending_step_without_tf, 0),
	QUALIFIED(link_misaligned, Q_LINK),
	QUALIFIED(link_beyond, Q_LINK),
	QUALIFIED(link_revision, Q_LINK),
	QUALIFIED(link_itself, Q_LINK),
	{"pdpte_reserved", pdpte_reserved, Q_PDPTE, guest_protected, false},
	{"pdpte_beyond", pdpte_beyond, Q_PDPTE, guest_protected, false},
	IN_32(v86_base),
	IN_32(v86_limit),
	IN_32(v86_rights),
};

GUEST(guest_mark, "movl $1, (%rbx);" STOP);

static struct guest make(const struct invalid *i)
{
	struct guest g = i->make ? i->make(guest_mark) : guest_long(guest_mark);

	put(&g, C_EXCEPTIONS, 0xffffffff);
	i->spoil(&g);
	return g;
}

static void refused(const void *arg)
{
	const struct invalid *i = arg;
	struct guest good = guest_long(guest_mark), g = make(i);
	volatile uint32_t *mark = page_alloc();
	uint64_t cr3 = read_cr3(), cr4 = read_cr4(), efer = rdmsr(MSR_EFER);
	uint32_t before;

	g.r.rbx = good.r.rbx = (uint64_t)mark;
	CHECK_EQ(guest_enter(&g), 0);
	before = *mark;
	if (i->unchecked)
		bochs_limit(!(get(&g, I_REASON) & ENTRY_FAILURE), "Bochs does not check it");
	CHECK_EQ(get(&g, I_REASON), ENTRY_FAILURE | X_BAD_GUEST);
	CHECK(get(&g, I_QUALIFICATION) == i->qualification, "qualification 0x%x",
	      get(&g, I_QUALIFICATION));
	CHECK_EQ(before, 0);
	CHECK_EQ(read_cr3(), cr3);
	CHECK_EQ(read_cr4(), cr4);
	CHECK_EQ(rdmsr(MSR_EFER), efer);
	CHECK_EQ(vm_result(vmx_enter(&g.r, true)), 5); /* not launched */
	guest_expect(&good, X_VMCALL);
	CHECK_EQ(*mark, 1);
}

/* Activity states that the capabilities do not offer. */
static void activity_not_offered(const void *arg)
{
	static const struct {
		enum activity state;
		uint32_t offered;
	} states[] = {{HALTED, MISC_HLT}, {SHUT_DOWN, MISC_SHUTDOWN}, {WAIT_FOR_SIPI, MISC_SIPI}};
	unsigned tried = 0;

	(void)arg;
	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		struct guest g;

		if (rdmsr(MSR_VMX_MISC) & states[i].offered)
			continue;
		g = guest_long(guest_mark);
		put(&g, G_ACTIVITY, states[i].state);
		guest_expect(&g, ENTRY_FAILURE | X_BAD_GUEST);
		tried++;
	}
	if (!tried)
		test_skip("all activity states are offered");
}

/* What looks odd but is legal: it must run. */
SPOIL(cr0_cd_and_nw, set_bits(g, G_CR0, CR0_CD | CR0_NW))
SPOIL(segments_unusable, set_segment(g, G_DS, UNUSABLE); set_segment(g, G_ES, UNUSABLE);
      put(g, G_DS_LIMIT, 0x12345678); set_segment(g, G_FS, UNUSABLE | 0xfff); put(g, G_FS, 0xffff))
SPOIL(ss_null, put(g, G_SS, 0); set_segment(g, G_SS, UNUSABLE))
SPOIL(cs_conforming, set_segment(g, G_CS, 0xa09f))
SPOIL(ldtr_unusable, put(g, G_LDTR_RIGHTS, UNUSABLE); put(g, G_LDTR, 0xffff))
SPOIL(dr7_unused, clear_bits(g, C_ENTRY, ENTRY_LOAD_DEBUG | ENTRY_LOAD_EFER | ENTRY_LOAD_PAT);
      put(g, G_DR7, ~0ull); put(g, G_EFER, ~0ull); put(g, G_PAT, ~0ull))
SPOIL(pdptes_unused, put(g, G_PDPTE0, ~0ull))
SPOIL(granular_limit, put(g, G_ES_LIMIT, 0xfff))
SPOIL(nmi_blocked, put(g, G_INTERRUPTIBILITY, BLOCKED_NMI))

static const struct invalid valids[] = {
	CASE(cr0_cd_and_nw), CASE(segments_unusable), CASE(ss_null),
	CASE(cs_conforming), CASE(ldtr_unusable),     CASE(dr7_unused),
	CASE(pdptes_unused), CASE(granular_limit),    CASE(nmi_blocked),
};

static void accepted(const void *arg)
{
	struct guest g = make(arg);
	volatile uint32_t *mark = page_alloc();

	if (((const struct invalid *)arg)->spoil == dr7_unused &&
	    allowed(C_ENTRY).must & ENTRY_LOAD_DEBUG)
		test_skip("DR7 is always loaded");
	g.r.rbx = (uint64_t)mark;
	guest_expect(&g, X_VMCALL);
	CHECK_EQ(*mark, 1);
}

void l1_main(void)
{
	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(invalids); i++)
		test_named("refused-", invalids[i].name, refused, &invalids[i]);
	test("activity-not-offered", activity_not_offered, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(valids); i++)
		test_named("accepted-", valids[i].name, accepted, &valids[i]);
}
