/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMCSs that VM entry must refuse (SDM 3, 26.2 to 26.4), one thing wrong at a time: bad controls are
 * VMfail 7, bad host state VMfail 8, a bad MSR area an exit with 0x80000022 (guest state: see
 * vmx-invalid-guest.c). Nothing of the guest runs, the host is as it was, and another guest runs next.
 */
#include "lib/mem.h"
#include "lib/pages.h"
#include "lib/trap.h"
#include "vmx/known.h"
#include "vmx/vmx.h"

#define NON_CANONICAL 0x0000900000000000ull
#define ABSENT_MSR 0x1ffe
#define BAD_PAT 0x0007040600070402ull
#define CR4_HIGH (1ull << 40)

enum refusal { CONTROL = 7, HOST = 8, MSR_AREA };

struct invalid {
	const char *name;
	void (*spoil)(struct guest *g);
	uint64_t qualification;
};

static uint64_t beyond_physical(void)
{
	return 1ull << (cpuid(0x80000008, 0).a & 0xff);
}

/* A bit that the control must have, cleared; one that it must not have, set. */
static void lacking(struct guest *g, enum field f)
{
	uint32_t must = allowed(f).must;

	if (!must)
		test_skip("no bit of this control is fixed to 1");
	clear_bits(g, f, must & -must);
}

static void too_much(struct guest *g, enum field f)
{
	uint32_t may = allowed(f).may;

	if (may == ~0u)
		test_skip("no bit of this control is fixed to 0");
	set_bits(g, f, ~may & -~may);
}

static void event(struct guest *g, uint64_t info, uint64_t error, uint64_t length)
{
	set_bits(g, G_RFLAGS, FLAG_IF);
	put(g, C_EVENT, EVENT_VALID | info);
	put(g, C_EVENT_ERROR, error);
	put(g, C_EVENT_LENGTH, length);
}

static void with_tpr_shadow(struct guest *g, uint64_t page)
{
	need(C_PROC, PROC_TPR_SHADOW);
	set_bits(g, C_PROC, PROC_TPR_SHADOW);
	put(g, C_VIRTUAL_APIC, page);
	put(g, C_TPR_THRESHOLD, 0);
}

static void with_apic_access(struct guest *g, uint64_t page)
{
	need(C_PROC2, PROC2_APIC_ACCESS);
	set_bits(g, C_PROC2, PROC2_APIC_ACCESS);
	put(g, C_APIC_ACCESS, page);
}

static void area(struct guest *g, enum field address, enum field count, uint64_t at, uint64_t n)
{
	put(g, address, at);
	put(g, count, n);
}

static uint64_t page(void)
{
	return (uint64_t)page_alloc();
}

#define SPOIL(id, ...)                  \
	static void id(struct guest *g) \
	{                               \
		__VA_ARGS__;            \
	}

SPOIL(pin_lacking, lacking(g, C_PIN))
SPOIL(pin_too_much, too_much(g, C_PIN))
SPOIL(proc_lacking, lacking(g, C_PROC))
SPOIL(proc_too_much, too_much(g, C_PROC))
SPOIL(proc2_too_much, too_much(g, C_PROC2))
SPOIL(exit_lacking, lacking(g, C_EXIT))
SPOIL(exit_too_much, too_much(g, C_EXIT))
SPOIL(entry_lacking, lacking(g, C_ENTRY))
SPOIL(entry_too_much, too_much(g, C_ENTRY))
SPOIL(entry_smm, set_bits(g, C_ENTRY, ENTRY_SMM << 1))
SPOIL(cr3_count, put(g, C_CR3_COUNT, (rdmsr(MSR_VMX_MISC) >> 16 & 0x1ff) + 1))
SPOIL(io_map_a_misaligned, set_bits(g, C_IO_MAP_A, 8))
SPOIL(io_map_b_misaligned, set_bits(g, C_IO_MAP_B, 0x800))
SPOIL(io_map_a_beyond, set_bits(g, C_IO_MAP_A, beyond_physical()))
SPOIL(io_map_b_beyond, set_bits(g, C_IO_MAP_B, 1ull << 63))
SPOIL(msr_map_misaligned, set_bits(g, C_MSR_MAP, 1))
SPOIL(msr_map_beyond, set_bits(g, C_MSR_MAP, beyond_physical()))
SPOIL(virtual_nmi_alone, need(C_PIN, PIN_VIRTUAL_NMI); clear_bits(g, C_PIN, PIN_NMI);
      set_bits(g, C_PIN, PIN_VIRTUAL_NMI))
SPOIL(nmi_window_alone, need(C_PROC, PROC_NMI_WINDOW); set_bits(g, C_PROC, PROC_NMI_WINDOW))
SPOIL(virtual_apic_misaligned, with_tpr_shadow(g, page() + 16))
SPOIL(virtual_apic_beyond, with_tpr_shadow(g, page() | beyond_physical()))
SPOIL(threshold_reserved, with_tpr_shadow(g, page()); put(g, C_TPR_THRESHOLD, 0x10))
SPOIL(threshold_above_tpr, with_tpr_shadow(g, page()); put(g, C_TPR_THRESHOLD, 1))
SPOIL(apic_access_misaligned, with_apic_access(g, page() + 16))
SPOIL(apic_access_beyond, with_apic_access(g, page() | beyond_physical()))
SPOIL(x2apic_without_shadow, need(C_PROC2, PROC2_X2APIC); set_bits(g, C_PROC2, PROC2_X2APIC))
SPOIL(x2apic_and_apic_access, with_tpr_shadow(g, page()); need(C_PROC2, PROC2_X2APIC);
      with_apic_access(g, page()); set_bits(g, C_PROC2, PROC2_X2APIC))
SPOIL(vpid_zero, need(C_PROC2, PROC2_VPID); set_bits(g, C_PROC2, PROC2_VPID); put(g, C_VPID, 0))
SPOIL(ept_type, put(g, C_EPTP, (get(g, C_EPTP) & ~7ull) | 1))
SPOIL(ept_levels, put(g, C_EPTP, (get(g, C_EPTP) & ~0x38ull) | 2 << 3))
SPOIL(ept_reserved, set_bits(g, C_EPTP, 0x800))
SPOIL(ept_beyond, set_bits(g, C_EPTP, beyond_physical()))
SPOIL(unrestricted_without_ept, clear_bits(g, C_PROC2, PROC2_EPT))
SPOIL(exit_store_misaligned, area(g, C_EXIT_STORE, C_EXIT_STORE_COUNT, page() + 8, 1))
SPOIL(exit_store_beyond, area(g, C_EXIT_STORE, C_EXIT_STORE_COUNT, beyond_physical(), 1))
SPOIL(exit_store_end, area(g, C_EXIT_STORE, C_EXIT_STORE_COUNT, beyond_physical() - 16, 2))
SPOIL(exit_load_misaligned, area(g, C_EXIT_LOAD, C_EXIT_LOAD_COUNT, page() + 8, 1))
SPOIL(exit_load_beyond, area(g, C_EXIT_LOAD, C_EXIT_LOAD_COUNT, beyond_physical(), 1))
SPOIL(exit_load_end, area(g, C_EXIT_LOAD, C_EXIT_LOAD_COUNT, beyond_physical() - 16, 2))
SPOIL(entry_load_misaligned, area(g, C_ENTRY_LOAD, C_ENTRY_LOAD_COUNT, page() + 8, 1))
SPOIL(entry_load_beyond, area(g, C_ENTRY_LOAD, C_ENTRY_LOAD_COUNT, beyond_physical(), 1))
SPOIL(entry_load_end, area(g, C_ENTRY_LOAD, C_ENTRY_LOAD_COUNT, beyond_physical() - 16, 2))
SPOIL(event_type_1, event(g, 0x100 | 0x40, 0, 0))
SPOIL(event_other,
      bochs_lax(!can(C_PROC, PROC_TRAP_FLAG), "Bochs without a trap flag panics at it");
      event(g, EVENT_OTHER | 1, 0, 0))
SPOIL(event_nmi_3, event(g, EVENT_NMI | 3, 0, 0))
SPOIL(event_exception_32, event(g, EVENT_EXCEPTION | 32, 0, 0))
SPOIL(event_gp_without_error, event(g, EVENT_EXCEPTION | VEC_GP, 0, 0))
SPOIL(event_ud_with_error, event(g, EVENT_EXCEPTION | EVENT_ERROR | VEC_UD, 0, 0))
SPOIL(event_interrupt_with_error, event(g, EVENT_INTR | EVENT_ERROR | 0x40, 0, 0))
SPOIL(event_error_high, event(g, EVENT_EXCEPTION | EVENT_ERROR | VEC_GP, 0x10000, 0))
SPOIL(event_reserved, event(g, EVENT_INTR | 0x40 | 0x2000, 0, 0))
SPOIL(event_reserved_30, event(g, EVENT_INTR | 0x40 | 1 << 30, 0, 0))
SPOIL(event_length_16, event(g, EVENT_SOFT | 0x40, 0, 16))
SPOIL(event_soft_exception_length, event(g, EVENT_SOFT_EXCEPTION | VEC_BP, 0, 99))
SPOIL(event_length_0, if (rdmsr(MSR_VMX_MISC) & MISC_LENGTH_0) test_skip("a length of 0 is legal");
      event(g, EVENT_SOFT | 0x40, 0, 0))

#define CASE(id)           \
	{                  \
#id, id, 0 \
	}
#define QUALIFIED(id, q)   \
	{                  \
#id, id, q \
	}
static const struct invalid bad_controls[] = {
	CASE(pin_lacking),
	CASE(pin_too_much),
	CASE(proc_lacking),
	CASE(proc_too_much),
	CASE(proc2_too_much),
	CASE(exit_lacking),
	CASE(exit_too_much),
	CASE(entry_lacking),
	CASE(entry_too_much),
	CASE(entry_smm),
	CASE(cr3_count),
	CASE(io_map_a_misaligned),
	CASE(io_map_b_misaligned),
	CASE(io_map_a_beyond),
	CASE(io_map_b_beyond),
	CASE(msr_map_misaligned),
	CASE(msr_map_beyond),
	CASE(virtual_nmi_alone),
	CASE(nmi_window_alone),
	CASE(virtual_apic_misaligned),
	CASE(virtual_apic_beyond),
	CASE(threshold_reserved),
	CASE(threshold_above_tpr),
	CASE(apic_access_misaligned),
	CASE(apic_access_beyond),
	CASE(x2apic_without_shadow),
	CASE(x2apic_and_apic_access),
	CASE(vpid_zero),
	CASE(ept_type),
	CASE(ept_levels),
	CASE(ept_reserved),
	CASE(ept_beyond),
	CASE(unrestricted_without_ept),
	CASE(exit_store_misaligned),
	CASE(exit_store_beyond),
	CASE(exit_store_end),
	CASE(exit_load_misaligned),
	CASE(exit_load_beyond),
	CASE(exit_load_end),
	CASE(entry_load_misaligned),
	CASE(entry_load_beyond),
	CASE(entry_load_end),
	CASE(event_type_1),
	CASE(event_other),
	CASE(event_nmi_3),
	CASE(event_exception_32),
	CASE(event_gp_without_error),
	CASE(event_ud_with_error),
	CASE(event_interrupt_with_error),
	CASE(event_error_high),
	CASE(event_reserved),
	CASE(event_reserved_30),
	CASE(event_length_16),
	CASE(event_soft_exception_length),
	CASE(event_length_0),
};

SPOIL(host_cr0_pg, clear_bits(g, H_CR0, CR0_PG))
SPOIL(host_cr0_pe, clear_bits(g, H_CR0, CR0_PE))
SPOIL(host_cr0_ne, clear_bits(g, H_CR0, CR0_NE))
SPOIL(host_cr0_high, set_bits(g, H_CR0, 1ull << 32))
SPOIL(host_cr3_beyond, set_bits(g, H_CR3, beyond_physical()))
SPOIL(host_cr4_vmxe, clear_bits(g, H_CR4, CR4_VMXE))
SPOIL(host_cr4_pae, clear_bits(g, H_CR4, CR4_PAE))
SPOIL(host_cr4_high, set_bits(g, H_CR4, CR4_HIGH))
SPOIL(host_es_rpl, put(g, H_ES, SEL_DATA | 3))
SPOIL(host_cs_rpl, put(g, H_CS, SEL_CODE64 | 1))
SPOIL(host_ss_ti, put(g, H_SS, SEL_DATA | 4))
SPOIL(host_ds_rpl, put(g, H_DS, SEL_DATA | 2))
SPOIL(host_fs_rpl, put(g, H_FS, SEL_DATA | 1))
SPOIL(host_gs_ti, put(g, H_GS, SEL_DATA | 4))
SPOIL(host_tr_rpl, put(g, H_TR, SEL_TSS | 3))
SPOIL(host_cs_null, put(g, H_CS, 0))
SPOIL(host_tr_null, put(g, H_TR, 0))
SPOIL(host_fs_base, put(g, H_FS_BASE, NON_CANONICAL))
SPOIL(host_gs_base, put(g, H_GS_BASE, NON_CANONICAL))
SPOIL(host_tr_base, put(g, H_TR_BASE, NON_CANONICAL))
SPOIL(host_gdtr_base, put(g, H_GDTR_BASE, NON_CANONICAL))
SPOIL(host_idtr_base, put(g, H_IDTR_BASE, NON_CANONICAL))
SPOIL(host_sysenter_esp, put(g, H_SYSENTER_ESP, NON_CANONICAL))
SPOIL(host_sysenter_eip, put(g, H_SYSENTER_EIP, NON_CANONICAL))
SPOIL(host_rip, put(g, H_RIP, NON_CANONICAL))
SPOIL(host_pat, put(g, H_PAT, BAD_PAT))
SPOIL(host_efer_reserved, set_bits(g, H_EFER, 1u << 9))
SPOIL(host_efer_lma, clear_bits(g, H_EFER, EFER_LMA))
SPOIL(host_efer_lme, clear_bits(g, H_EFER, EFER_LME))

static const struct invalid bad_host[] = {
	CASE(host_cr0_pg),    CASE(host_cr0_pe),       CASE(host_cr0_ne),
	CASE(host_cr0_high),  CASE(host_cr3_beyond),   CASE(host_cr4_vmxe),
	CASE(host_cr4_pae),   CASE(host_cr4_high),     CASE(host_es_rpl),
	CASE(host_cs_rpl),    CASE(host_ss_ti),        CASE(host_ds_rpl),
	CASE(host_fs_rpl),    CASE(host_gs_ti),        CASE(host_tr_rpl),
	CASE(host_cs_null),   CASE(host_tr_null),      CASE(host_fs_base),
	CASE(host_gs_base),   CASE(host_tr_base),      CASE(host_gdtr_base),
	CASE(host_idtr_base), CASE(host_sysenter_esp), CASE(host_sysenter_eip),
	CASE(host_rip),       CASE(host_pat),          CASE(host_efer_reserved),
	CASE(host_efer_lma),  CASE(host_efer_lme),
};

struct msr_entry {
	uint32_t index, reserved;
	uint64_t value;
};

/* Two good entries, then this one. */
static void msr_area(struct guest *g, struct msr_entry bad)
{
	struct msr_entry *a = page_alloc();

	a[0] = (struct msr_entry){MSR_STAR, 0, 0};
	a[1] = (struct msr_entry){MSR_CSTAR, 0, 0};
	a[2] = bad;
	area(g, C_ENTRY_LOAD, C_ENTRY_LOAD_COUNT, (uint64_t)a, 3);
}

static void read_absent(void *arg)
{
	(void)arg;
	rdmsr(ABSENT_MSR);
}

/* Bochs can be told to ignore accesses to MSRs that are not there. */
static void need_faults(void)
{
	if (!expect_fault(read_absent, NULL).taken)
		test_skip("this machine answers for MSRs that are not there");
}

SPOIL(msr_fs_base, msr_area(g, (struct msr_entry){MSR_FS_BASE, 0, 0}))
SPOIL(msr_gs_base, msr_area(g, (struct msr_entry){MSR_GS_BASE, 0, 0}))
SPOIL(msr_reserved, msr_area(g, (struct msr_entry){MSR_LSTAR, 1, 0}))
SPOIL(msr_absent, need_faults(); msr_area(g, (struct msr_entry){ABSENT_MSR, 0, 0}))
SPOIL(msr_value, msr_area(g, (struct msr_entry){MSR_LSTAR, 0, NON_CANONICAL}))
SPOIL(msr_x2apic, msr_area(g, (struct msr_entry){0x808, 0, 0}))

static const struct invalid bad_msrs[] = {
	QUALIFIED(msr_fs_base, 3), QUALIFIED(msr_gs_base, 3), QUALIFIED(msr_reserved, 3),
	QUALIFIED(msr_absent, 3),  QUALIFIED(msr_value, 3),   QUALIFIED(msr_x2apic, 3),
};

GUEST(guest_mark, "movl $1, (%rbx);" STOP);

struct host {
	uint64_t cr0, cr3, cr4, efer, pat, gdt, idt;
};

static struct host host_now(void)
{
	return (struct host){read_cr0(),     read_cr3(),       read_cr4(),      rdmsr(MSR_EFER),
			     rdmsr(MSR_PAT), read_gdtr().base, read_idtr().base};
}

static void refused(const struct invalid *i, enum refusal how)
{
	struct guest good = guest_long(guest_mark), g = guest_long(guest_mark);
	volatile uint32_t *mark = page_alloc();
	struct host before = host_now(), after;
	int err;

	g.r.rbx = good.r.rbx = (uint64_t)mark;
	i->spoil(&g);
	err = guest_enter(&g);
	after = host_now();
	CHECK_EQ(*mark, 0);
	CHECK(!memcmp(&before, &after, sizeof(before)), "the host's state changed");
	if (how == CONTROL || how == HOST) {
		CHECK_EQ(err, how);
	} else {
		CHECK_EQ(err, 0);
		CHECK_EQ(get(&g, I_REASON), ENTRY_FAILURE | X_BAD_MSR);
		CHECK_EQ(get(&g, I_QUALIFICATION), i->qualification);
		CHECK_EQ(vm_result(vmx_enter(&g.r, true)), 5); /* not launched */
	}
	guest_expect(&good, X_VMCALL);
	CHECK_EQ(*mark, 1);
}

static void control(const void *arg)
{
	refused(arg, CONTROL);
}

static void host(const void *arg)
{
	refused(arg, HOST);
}

static void msr(const void *arg)
{
	refused(arg, MSR_AREA);
}

/* In long mode the host must be one of 64 bits: a bad host field, or a control that is fixed. */
static void host_32(const void *arg)
{
	struct guest g = guest_long(guest_mark);
	int err;

	(void)arg;
	clear_bits(&g, C_EXIT, EXIT_HOST_64);
	err = guest_enter(&g);
	CHECK(err == (allowed(C_EXIT).must & EXIT_HOST_64 ? 7 : 8), "error %u", U64(err));
}

/* Bad controls come before bad host state, that before bad guest state, that before bad MSRs. */
static void order(const void *arg)
{
	struct guest g = guest_long(guest_mark);

	(void)arg;
	g.r.rbx = (uint64_t)page_alloc();
	msr_fs_base(&g);
	put(&g, G_RFLAGS, 0);
	host_cs_null(&g);
	pin_lacking(&g);
	CHECK_EQ(guest_enter(&g), 7);
	set_bits(&g, C_PIN, allowed(C_PIN).must);
	CHECK_EQ(guest_enter(&g), 8);
	put(&g, H_CS, SEL_CODE64);
	guest_expect(&g, ENTRY_FAILURE | X_BAD_GUEST);
	put(&g, G_RFLAGS, 2);
	guest_expect(&g, ENTRY_FAILURE | X_BAD_MSR);
	put(&g, C_ENTRY_LOAD_COUNT, 2);
	guest_expect(&g, X_VMCALL);
}

/* An entry that fails does not consume the event, and leaves the guest's fields. */
static void failure_keeps(const void *arg)
{
	struct guest g = guest_long(guest_mark);

	(void)arg;
	event(&g, EVENT_INTR | 0x40, 0, 0);
	put(&g, G_TR_LIMIT, 0x12345678);
	guest_expect(&g, ENTRY_FAILURE | X_BAD_GUEST);
	CHECK_EQ(get(&g, C_EVENT), EVENT_VALID | EVENT_INTR | 0x40);
	CHECK_EQ(get(&g, G_TR_LIMIT), 0x12345678);
	CHECK_EQ(get(&g, G_RIP), guest_mark);
	CHECK_EQ(get(&g, G_RFLAGS), 2 | FLAG_IF);
	put(&g, G_TR_LIMIT, 0x67);
	guest_expect_at(&g, X_VMCALL, guest_stub(0x40));
}

/* What looks odd but is legal: it must run. */
SPOIL(unused_addresses, put(g, C_EXIT_STORE, ~0ull); put(g, C_EXIT_LOAD, ~0ull);
      put(g, C_ENTRY_LOAD, ~0ull); put(g, C_CR3_TARGET0, ~0ull))
SPOIL(unused_io_maps, clear_bits(g, C_PROC, PROC_IO_MAPS); put(g, C_IO_MAP_A, 5);
      put(g, C_IO_MAP_B, ~0ull))
SPOIL(event_not_valid, put(g, C_EVENT, 0x7fffffff); put(g, C_EVENT_LENGTH, 99))
SPOIL(masks_of_everything, put(g, C_CR0_MASK, ~0ull); put(g, C_CR4_MASK, ~0ull);
      put(g, C_CR0_SHADOW, ~0ull); put(g, C_CR4_SHADOW, ~0ull))
SPOIL(host_data_null, put(g, H_ES, 0); put(g, H_DS, 0); put(g, H_FS, 0); put(g, H_GS, 0);
      put(g, H_SS, 0))
SPOIL(host_efer_unused, clear_bits(g, C_EXIT, EXIT_LOAD_EFER | EXIT_LOAD_PAT);
      put(g, H_EFER, ~0ull); put(g, H_PAT, ~0ull))

static const struct invalid valids[] = {
	CASE(unused_addresses),    CASE(unused_io_maps), CASE(event_not_valid),
	CASE(masks_of_everything), CASE(host_data_null), CASE(host_efer_unused),
};

static void accepted(const void *arg)
{
	const struct invalid *i = arg;
	struct guest g = guest_long(guest_mark);
	volatile uint32_t *mark = page_alloc();
	int err;
	uint64_t reason;

	g.r.rbx = (uint64_t)mark;
	i->spoil(&g);
	err = guest_enter(&g);
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss" : : "r"(SEL_DATA));
	CHECK_EQ(err, 0);
	reason = get(&g, I_REASON);
	CHECK_EQ(reason, X_VMCALL);
	CHECK_EQ(*mark, 1);
}

void l1_main(void)
{
	vmx_start();
	for (unsigned i = 0; i < ARRAY_SIZE(bad_controls); i++)
		test_named("control-", bad_controls[i].name, control, &bad_controls[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(bad_host); i++)
		test_named("", bad_host[i].name, host, &bad_host[i]);
	test("host_32", host_32, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(bad_msrs); i++)
		test_named("", bad_msrs[i].name, msr, &bad_msrs[i]);
	test("order", order, NULL);
	test("failure-keeps", failure_keeps, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(valids); i++)
		test_named("accepted-", valids[i].name, accepted, &valids[i]);
}
