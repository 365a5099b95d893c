/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest's VMCS and L1's: what of L1's controls counts, and what L1 reads. */
#include "tests/unit/test_vmx_isolated.h"

/* --- controls ---------------------------------------------------------------------------------------- */

/* R17: by bits of SDM volume 3, tables 25-6 and 25-7. */
#define MAY_CPU                                                                               \
	(1u << 2 | 1u << 3 | 1u << 7 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 21 | 1u << 22 | \
	 1u << 29 | 1u << 30)
#define MAY_CPU2 (1u << 0 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 10 | 1u << 12 | 1u << 20)

static void requests(void **state)
{
	for (unsigned int bit = 0; bit < 32; bit++) {
		uint64_t one = 1ull << bit;
		struct vmx_request r = {one, one, one, 0};

		start();
		set(VMCS_CPU_CONTROLS, bit % 2 ? UINT32_MAX : 0);
		vmx_shown_request(&vcpu, &r);
		assert_int_equal(r.pin, one | 9);
		assert_int_equal(r.cpu, 0x04006172 | (one & MAY_CPU) | (bit == 21 ? 0 : 3u << 19) |
						(bit % 2 ? 1u << 23 : 0));
		assert_int_equal(r.cpu2, (one & MAY_CPU2) | 0x82);
		assert_int_equal(r.entry, 0x11ff | ENTRY_GUEST_64);
		/* The first time the mode is L1's to say. */
		r.entry = 0;
		vcpu.entered = false;
		vmx_shown_request(&vcpu, &r);
		assert_int_equal(r.entry, 0);
	}
}

static void load(unsigned int dirty)
{
	memset(&hw.current.dirty, 0, sizeof(hw.current.dirty));
	set_add(&hw.current.dirty, dirty);
	vmx_shown_load(&hw.current);
}

static void fields_that_count_in_part(void **state)
{
	start();
	f[F_EXCEPTION_BITMAP] = UINT32_MAX;
	load(F_CR0_MASK);
	assert_int_equal(in_l2(VMCS_EXCEPTION_BITMAP), guests(F_EXCEPTION_BITMAP));
	load(F_EXCEPTION_BITMAP);
	assert_int_equal(in_l2(VMCS_EXCEPTION_BITMAP), 1u << 1 | 1u << 17 | 1u << 18);
	/* L1 hears of CR4's bits; the guest reads what it read. */
	set(VMCS_GUEST_CR4, MUST | CR4_PAE | 0x200); /* a bit that it set by itself */
	f[F_CR4_MASK] = 0x600;
	load(F_CR4_MASK);
	assert_int_equal(in_l2(VMCS_CR4_MASK), MUST | 0x600 | ~l1_caps.cr4_may);
	assert_int_equal(vmx_seen_cr4(), CR4_PAE | 0x200);
	assert_int_equal(in_l2(VMCS_GUEST_CR4), MUST | CR4_PAE | 0x200);
}

/* L1 ends a wait, and says MOV SS for STI; nothing else. */
static void waiting(void **state)
{
	for (uint64_t own = 0; own < 16; own++)
		for (uint64_t l1 = 0; l1 < 16; l1++) {
			uint64_t swapped = (own & 1) && (l1 & 2) ? own ^ 3 : own;

			start();
			set(VMCS_GUEST_INTERRUPTIBILITY, own);
			f[F_GUEST_INTERRUPTIBILITY] = l1;
			load(F_GUEST_INTERRUPTIBILITY);
			assert_int_equal(in_l2(VMCS_GUEST_INTERRUPTIBILITY), swapped);
			start();
			set(VMCS_GUEST_ACTIVITY, own & 1);
			f[F_GUEST_ACTIVITY] = l1;
			load(F_GUEST_ACTIVITY);
			assert_int_equal(in_l2(VMCS_GUEST_ACTIVITY), l1 ? own & 1 : 0);
		}
}

/* --- the first entry --------------------------------------------------------------------------------- */

static void first_entry(void **state)
{
	start();
	vcpu.entered = false;
	set(VMCS_GUEST_CR0, CR0_PE | CR0_NE | CR0_TS | CR0_CD);
	set(VMCS_GUEST_CR4, MUST | CR4_PAE);
	f[F_CR4_MASK] = 0x7ff;
	f[F_EXCEPTION_BITMAP] = 1u << 14 | 1u << 1;
	set(VMCS_GUEST_DEBUGCTL, 3);
	set(VMCS_GUEST_INTERRUPTIBILITY, 1);
	set(VMCS_GUEST_ACTIVITY, 1);
	set(VMCS_GUEST_PENDING_DEBUG, 0x4000);
	assert_int_equal(vmx_shown_begin(&cpu, &vcpu), 0);
	assert_int_equal(vmx_seen_cr0(), CR0_PE | CR0_ET | CR0_CD);
	assert_int_equal(in_l2(VMCS_GUEST_CR0), CR0_PE | CR0_ET | CR0_NE);
	assert_int_equal(vmx_seen_cr4(), CR4_PAE);
	assert_int_equal(in_l2(VMCS_GUEST_CR4), MUST | CR4_PAE);
	assert_int_equal(in_l2(VMCS_CR4_MASK), MUST | 0x7ff | ~l1_caps.cr4_may);
	assert_int_equal(in_l2(VMCS_EXCEPTION_BITMAP), 2);
	/* All of the mask's bits are compared, or no page fault would ever exit, or all would. */
	assert_int_equal(in_l2(VMCS_PF_ERROR_MASK), 0);
	assert_int_equal(in_l2(VMCS_PF_ERROR_MATCH), 0);
	assert_int_equal(in_l2(VMCS_CR3_TARGET_COUNT), 0);
	assert_int_equal(in_l2(VMCS_XSS_EXITING), 0);
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_CS), 0);
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_ESP), 0);
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_EIP), 0);
	assert_int_equal(in_l2(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(in_l2(VMCS_GUEST_ACTIVITY), 0);
	assert_int_equal(in_l2(VMCS_GUEST_DEBUGCTL), 0);
	assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), 0);
	assert_int_equal(in_l2(VMCS_GUEST_PDPTE0), guests(F_GUEST_PDPTE0));
}

/* With PAE paging the processor takes four entries from the VMCS: the guest's. */
static void first_entry_with_pae(void **state)
{
	for (int bad = 0; bad < 2; bad++) {
		uint64_t *entry;

		start();
		entry = fake_at(HPA(CR3 & ~31u), 32);
		entry[0] = 0x5001;
		entry[3] = bad ? 0x6003 : 0;
		vcpu.entered = false;
		set(VMCS_GUEST_CR0, CR0_PG | CR0_PE | CR0_NE);
		set(VMCS_GUEST_CR4, MUST | CR4_PAE);
		set(VMCS_GUEST_EFER, 0);
		assert_int_equal(vmx_shown_begin(&cpu, &vcpu), bad ? ERR_INVAL : 0);
		if (!bad)
			assert_int_equal(in_l2(VMCS_GUEST_PDPTE0), 0x5001);
	}
}

/* --- what L1 reads ----------------------------------------------------------------------------------- */

static void expect_mode(void)
{
	assert_int_equal(f[F_GUEST_CR0], CR0_PG | CR0_PE | CR0_WP | CR0_TS | CR0_ET);
	assert_int_equal(f[F_GUEST_CR4], CR4_PAE);
	assert_int_equal(f[F_GUEST_EFER], LONG | EFER_NXE);
	assert_int_equal(f[F_GUEST_PAT], PAT_INIT);
	assert_int_equal(f[F_GUEST_DR7], 0x400);
	assert_int_equal(f[F_GUEST_RSP], 0x51);
	assert_int_equal(f[F_GUEST_RIP], 0x52);
	assert_int_equal(f[F_GUEST_RFLAGS], RFLAGS_FIXED | RFLAGS_IF);
}

static bool is_mode(unsigned int field)
{
	return field == F_GUEST_CR0 || field == F_GUEST_CR4 || field == F_GUEST_EFER ||
	       field == F_GUEST_PAT || field == F_GUEST_DR7 || field == F_GUEST_RSP ||
	       field == F_GUEST_RIP || field == F_GUEST_RFLAGS ||
	       (field >= F_GUEST_ES_RIGHTS && field <= F_GUEST_TR_RIGHTS);
}

/* Of the six that programs use, and not of LDTR and TR. */
static bool is_segment(unsigned int field)
{
	return (field >= F_GUEST_ES_SELECTOR && field <= F_GUEST_GS_SELECTOR) ||
	       (field >= F_GUEST_ES_LIMIT && field <= F_GUEST_GS_LIMIT) ||
	       (field >= F_GUEST_ES_BASE && field <= F_GUEST_GS_BASE);
}

static void show(bool emulated)
{
	start();
	set(VMCS_GUEST_SS_RIGHTS, 0x1c0f3);
	disclosure.exposure.row = emulated ? EXPOSURE_EMULATED : EXPOSURE_CPUID;
	disclosure.cr3 = emulated ? CR3 : 0;
	cpu.regs.r[RSP] = 0x51;
	cpu.regs.rip = 0x52;
	cpu.regs.rflags = RFLAGS_FIXED | RFLAGS_IF;
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		f[i] = 0xdead;
	memset(&hw.current.stale, 0xff, sizeof(hw.current.stale));
	vmx_shown_state(&cpu);
}

static void state_after_exits(void **state)
{
	show(false);
	expect_mode();
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		if (!is_state(i))
			assert_int_equal(f[i], 0xdead);
		else if (!is_mode(i) && i != F_GUEST_CS_LIMIT && i != F_GUEST_SS_LIMIT)
			assert_int_equal(f[i], 0);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(f[F_GUEST_ES_RIGHTS + i], i == SEG_CS   ? 0x2080
							   : i == SEG_SS ? 0x40e0
									 : 0x10000);
	assert_int_equal(set_next(&hw.current.stale, -1), -1);
}

static void state_for_emulators(void **state)
{
	show(true);
	expect_mode();
	assert_int_equal(f[F_GUEST_CR3], CR3);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		if (is_segment(i))
			assert_int_equal(f[i], guests(i));
		else if (is_state(i) && !is_mode(i) && i != F_GUEST_CR3)
			assert_int_equal(f[i], 0);
	assert_int_equal(f[F_GUEST_CS_RIGHTS], 0xa09b);
	assert_int_equal(f[F_GUEST_TR_RIGHTS], 0x10000);
}

/* SDM volume 3, 28.2.3: NMIs are blocked by what is done again, and not by what did not come about. */
static void nmis(void **state)
{
	const struct {
		uint32_t reason, qualification, event, vectoring;
		uint64_t before, after;
	} rows[] = {
		{REASON_EPT_VIOLATION, 1u << 12, 0, 0, 1, 9},
		{REASON_EPT_VIOLATION, 1u << 12, 0, 0x80000041, 1, 1},
		{REASON_EPT_VIOLATION, 0, 0x1000, 0, 1, 1},
		{REASON_EXCEPTION, 1u << 12, 0x80000311, 0, 0, 0},
		{REASON_EXCEPTION, 0, 0x80001311, 0, 0, 8},
		{REASON_CPUID, 1u << 12, 0x80001311, 0, 0, 0},
		{REASON_EPT_VIOLATION, 0, 0, 0x80000202, 9, 1},
		{REASON_EPT_VIOLATION, 0, 0, 0x80000302, 9, 9},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start();
		set(VMCS_EXIT_REASON, rows[i].reason);
		set(VMCS_EXIT_QUALIFICATION, rows[i].qualification);
		set(VMCS_EXIT_EVENT, rows[i].event);
		set(VMCS_VECTORING_EVENT, rows[i].vectoring);
		set(VMCS_GUEST_INTERRUPTIBILITY, rows[i].before);
		vmx_shown_state(&cpu);
		assert_int_equal(in_l2(VMCS_GUEST_INTERRUPTIBILITY), rows[i].after);
		assert_int_equal(f[F_GUEST_INTERRUPTIBILITY], rows[i].after & 0xb);
	}
}

/* The information of each exit that L1 may have. */
static void information(void **state)
{
	for (uint32_t reason = 0; reason < REASON_COUNT; reason++)
		for (int emulated = 0; emulated < 2; emulated++) {
			bool fault = reason == 48;
			uint64_t q = reason == 28   ? 0xfff
				     : reason == 30 ? UINT64_MAX
				     : reason == 44 ? 0xffff
				     : fault        ? (emulated ? 0x1ff : 0x7f)
						    : 0;

			start();
			for (int i = -1; (i = set_next(&fields_of[INFO], i)) >= 0;)
				set(field_encoding[i], UINT64_MAX);
			set(VMCS_EXIT_REASON, reason);
			disclosure.exposure.row = emulated ? EXPOSURE_EMULATED : EXPOSURE_CPUID;
			disclosure.exposure.len = 3;
			vmx_shown_info(&cpu);
			assert_int_equal(f[F_EXIT_REASON], reason);
			assert_int_equal(f[F_EXIT_QUALIFICATION], q);
			assert_int_equal(f[F_GUEST_PHYSICAL],
					 fault || reason == 49 ? UINT64_MAX : 0);
			assert_int_equal(f[F_GUEST_LINEAR], emulated ? UINT64_MAX : 0);
			assert_int_equal(f[F_EXIT_INSN_INFO], emulated ? UINT64_MAX : 0);
			assert_int_equal(f[F_EXIT_INSN_LEN], 3);
			assert_int_equal(f[F_EXIT_EVENT], reason < 2 ? ~0x1000ull : 0);
			assert_int_equal(f[F_EXIT_ERROR_CODE], reason < 2 ? UINT64_MAX : 0);
			assert_int_equal(f[F_VECTORING_EVENT], ~0x1000ull);
			assert_int_equal(f[F_VECTORING_ERROR_CODE], UINT64_MAX);
		}
	start();
	set(VMCS_VECTORING_EVENT, 0x7fffffff); /* none */
	vmx_shown_info(&cpu);
	assert_int_equal(f[F_VECTORING_EVENT], 0);
	assert_int_equal(f[F_VECTORING_ERROR_CODE], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(fields_that_count_in_part),
		cmocka_unit_test(waiting),
		cmocka_unit_test(first_entry),
		cmocka_unit_test(first_entry_with_pae),
		cmocka_unit_test(state_after_exits),
		cmocka_unit_test(state_for_emulators),
		cmocka_unit_test(nmis),
		cmocka_unit_test(information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
