/* SPDX-License-Identifier: Apache-2.0 */
/* VMLAUNCH and VMRESUME: what hardware is given of what L1 asked for, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/host.h"
#include "monitor/arch.h"
#include "monitor/fake/machine.h"
#include "monitor/mem.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_nested.h"

enum { OTHER, L1, L2 }; /* VMCSs */

#define EPT_ROOT 0x10000u
#define L1_REGION 0x9000u
#define MSR_BITMAP_AT 0x1111000u
#define IO_BITMAP_AT 0x2222000u

static uint8_t msr_bits[PAGE_SIZE], io_bits[2 * PAGE_SIZE];
static struct cpu cpu;
static struct hw_cpu hw;
static struct guest guest;
static struct hw_vcpu hw_vcpu;
static struct guest_vcpu vcpu;
static uint64_t *f = hw.current.f;

/* --- what nested.c calls ------------------------------------------------------------------------ */

void shadow_collect(struct hw_cpu *h)
{
}

void shadow_show(struct hw_cpu *h)
{
}

static bool released; /* L1's vCPU, since its guest is over */

void current_release(struct cpu *c)
{
	released = true;
	c->hw->held = NULL;
}

void vmx_vmcs_init(struct vmcs *v)
{
	memset(vmcs.of[v->hpa], 0, sizeof(vmcs.of[0]));
}

void vmx_write_host_state(void)
{
	vmcs.field[VMCS_HOST_RIP] = 0x4057;
}

void vmx_load_regs(struct cpu *c)
{
	c->regs.rip = vmcs.field[VMCS_GUEST_RIP];
}

/* --- L1, before its VMLAUNCH ------------------------------------------------------------------------ */

static struct vmx_caps caps(void)
{
	return (struct vmx_caps){
		.pin = {0x16, 0x16 | PIN_INTR | PIN_NMI | PIN_VIRTUAL_NMI},
		.cpu = {0x04006172, 0x04006172 | 0xfbf91e8c},
		.cpu2 = {CPU2_RDTSCP, CPU2_RDTSCP | 0x1114ff},
		.exit = {0x36dfb | EXIT_HOST_64, 0x3fefff},
		.entry = {0x11fb, 0xd3ff},
		.cr0_must = CR0_PG | CR0_NE | CR0_PE,
		.cr0_may = UINT32_MAX,
		.cr4_must = 1u << 13,
		.cr4_may = 0x3727ff,
		.ept_vpid = CAP_UC | CAP_AD,
		.phys_bits = 40,
	};
}

static void ask(void)
{
	f[F_PIN_CONTROLS] = 0x16;
	f[F_CPU_CONTROLS] = 0x04006172 | CPU_SECONDARY | CPU_MSR_BITMAPS | CPU_IO_BITMAPS;
	f[F_CPU2_CONTROLS] = CPU2_RDTSCP | CPU2_EPT | CPU2_VPID;
	f[F_EXIT_CONTROLS] = 0x36dfb | EXIT_HOST_64;
	f[F_ENTRY_CONTROLS] = 0x11fb | ENTRY_GUEST_64;
	f[F_VPID] = 77;
	f[F_EPT_POINTER] = EPT_ROOT | EPTP_LEVELS_4 | EPTP_WB;
	f[F_MSR_BITMAP] = 0x13000;
	f[F_IO_BITMAP_A] = 0x11000;
	f[F_IO_BITMAP_B] = 0x12000;
	f[F_APIC_ACCESS] = 0x14000;
	f[F_VIRTUAL_APIC] = 0x15000;
	f[F_LINK_POINTER] = NO_VMCS;
	f[F_GUEST_CR0] = CR0_PG | CR0_NE | CR0_PE;
	f[F_GUEST_CR4] = CR4_PAE;
	f[F_GUEST_RIP] = 0x6e57;
	f[F_HOST_CR0] = CR0_PG | CR0_NE | CR0_PE;
	f[F_HOST_CR3] = 0x7000;
	f[F_HOST_CR4] = 1u << 13 | CR4_PAE;
	f[F_HOST_CS_SELECTOR] = f[F_HOST_TR_SELECTOR] = 8;
}

static void start(void)
{
	start_l1(&cpu, &hw, L1);
	hw_caps = l1_caps = caps();
	guest = (struct guest){.id = 1, .state = GUEST_LIVE, .root = HPA(EPT_ROOT)};
	released = false;
	hw_vcpu = (struct hw_vcpu){.vmcs = {L2, false}, .msr_bitmap = MSR_BITMAP_AT};
	hw_vcpu.io_bitmap = IO_BITMAP_AT;
	hw_vcpu.msr = (struct permit_map){.bits = msr_bits, .size = sizeof(msr_bits)};
	hw_vcpu.io = (struct permit_map){.bits = io_bits, .size = sizeof(io_bits)};
	vcpu = (struct guest_vcpu){.guest = &guest, .fresh = true, .hw = &hw_vcpu};
	hw.held = &vcpu;
	hw.current.hpa = L1_REGION;
	memset(&hw.current.dirty, 0xff, sizeof(hw.current.dirty));
	tags_init(&hw.vpids, VPID_HOST + 1, VPID_COUNT);
	ask();
	vmcs.field[VMCS_GUEST_DR7] = 0x4d7;
	vmcs.field[VMCS_GUEST_DEBUGCTL] = 0x4deb;
	vmcs.field[VMCS_GUEST_PAT] = 0x4147;
	vmcs.field[VMCS_GUEST_EFER] = EFER_LMA | EFER_LME | EFER_NXE;
}

static uint64_t in_l2(uint16_t encoding)
{
	return vmcs.of[L2][encoding];
}

static void expect_entered(void)
{
	assert_int_equal(failed, -1);
	assert_false(released);
	assert_ptr_equal(hw.running, &vcpu);
	assert_ptr_equal(vmcs.field, vmcs.of[L2]);
	assert_int_equal(cpu.regs.rip, 0x6e57);
}

/* --- what is refused -------------------------------------------------------------------------------- */

static void expect_refused(int error)
{
	assert_int_equal(failed, error);
	assert_null(hw.running);
	assert_int_equal(vmcs.writes, 0);
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
}

#define REFUSED(launch, error, ...)       \
	do {                              \
		start();                  \
		__VA_ARGS__;              \
		vmx_launch(&cpu, launch); \
		expect_refused(error);    \
	} while (0)

/* SDM volume 3, 27.1 and 31.4. */
static void refusals(void **state)
{
	REFUSED(true, 0, hw.current.hpa = NO_VMCS);
	REFUSED(true, 4, hw.current.launched = true);
	REFUSED(false, 5, hw.current.launched = false);
	REFUSED(true, 26, vmcs.field[VMCS_GUEST_INTERRUPTIBILITY] = 2);
	REFUSED(true, 7, f[F_PIN_CONTROLS] = 0);
	REFUSED(true, 7, f[F_ENTRY_EVENT] = 0x80000100);
	REFUSED(true, 8, f[F_HOST_CR0] = 0);
	REFUSED(true, 8, vmcs.field[VMCS_GUEST_EFER] = EFER_LME);
	for (enum guest_state over = GUEST_ENDING; over <= GUEST_DEAD; over++) {
		REFUSED(true, 7, guest.state = over);
		assert_true(released);
	}
	/* What is wrong first is told. */
	REFUSED(true, 7, f[F_PIN_CONTROLS] = 0; f[F_HOST_CR0] = 0);
	REFUSED(true, 4, hw.current.launched = true; f[F_PIN_CONTROLS] = 0);
}

/* It is refused as often as L1 tries. */
static void again(void **state)
{
	start();
	f[F_HOST_CR3] = 1ull << 40;
	for (int i = 0; i < 3; i++) {
		vmx_launch(&cpu, true);
		expect_refused(8);
	}
	f[F_HOST_CR3] = 0x7000;
	failed = -1;
	vmx_launch(&cpu, true);
	expect_entered();
}

/* --- what is given to hardware ---------------------------------------------------------------------- */

/* Whatever L1 asked for and was not refused. */
static void expect_safe(void)
{
	uint64_t cpu2 = f[F_CPU_CONTROLS] >> 31 ? f[F_CPU2_CONTROLS] : 0;
	uint64_t pin = in_l2(VMCS_PIN_CONTROLS), primary = in_l2(VMCS_CPU_CONTROLS);

	assert_int_equal(pin, f[F_PIN_CONTROLS] | 0x28);
	assert_int_equal(primary,
			 (f[F_CPU_CONTROLS] & ~(1ull << 24)) | 1u << 25 | 1u << 28 | 1u << 31);
	assert_int_equal(in_l2(VMCS_CPU2_CONTROLS), cpu2 | 0x8 | 0x22);
	assert_int_equal(in_l2(VMCS_EXIT_CONTROLS),
			 0x36fff | 0xfu << 18 | (f[F_EXIT_CONTROLS] & 1u << 15));
	assert_int_equal(in_l2(VMCS_ENTRY_CONTROLS), 0xd1ff | (f[F_ENTRY_CONTROLS] & 1u << 9));
	assert_int_equal(in_l2(VMCS_EPT_POINTER),
			 cpu2 & 2 ? f[F_EPT_POINTER] : host_root().a | 0x1e);
	assert_int_equal(in_l2(VMCS_MSR_BITMAP), MSR_BITMAP_AT);
	assert_int_equal(in_l2(VMCS_IO_BITMAP_A), IO_BITMAP_AT);
	assert_int_equal(in_l2(VMCS_IO_BITMAP_B), IO_BITMAP_AT + PAGE_SIZE);
	assert_in_range(in_l2(VMCS_VPID), 2, 65535);
	assert_int_equal(in_l2(VMCS_ENTRY_MSR_LOAD_COUNT), 0);
	assert_int_equal(in_l2(VMCS_EXIT_MSR_LOAD_COUNT), 0);
	assert_int_equal(in_l2(VMCS_EXIT_MSR_STORE_COUNT), 0);
	assert_int_equal(in_l2(VMCS_HOST_RIP), 0x4057);
	assert_int_equal(in_l2(VMCS_HOST_CR3), 0);
	assert_int_equal(in_l2(VMCS_LINK_POINTER), 0);
}

static void controls_are_merged(void **state)
{
	unsigned int entered = 0;

	srandom(1);
	for (int i = 0; i < 400; i++) {
		uint64_t few = (uint64_t)random();

		few &= (uint64_t)random();
		start();
		f[F_PIN_CONTROLS] |= (uint64_t)random() & l1_caps.pin.may;
		f[F_CPU_CONTROLS] =
			l1_caps.cpu.must | (((uint64_t)random() << 1) & l1_caps.cpu.may);
		f[F_CPU2_CONTROLS] |= few & l1_caps.cpu2.may;
		if (i % 4 == 0)
			f[F_CPU2_CONTROLS] &= ~(uint64_t)(CPU2_EPT | CPU2_UNRESTRICTED);
		f[F_EXIT_CONTROLS] |=
			(uint64_t)random() & l1_caps.exit.may & ~(uint64_t)(EXIT_LOAD_EFER);
		f[F_ENTRY_CONTROLS] |= (uint64_t)random() & l1_caps.entry.may;
		if (!(f[F_CPU_CONTROLS] >> 31) || !(f[F_CPU2_CONTROLS] & CPU2_EPT))
			guest.root = HPA(L1_REGION | 1);
		vmx_launch(&cpu, true);
		if (failed >= 0)
			continue;
		entered++;
		expect_safe();
	}
	assert_in_range(entered, 40, 400);
}

/* A guest without EPT is one by itself, and runs on L1's table. */
static void without_ept(void **state)
{
	start();
	f[F_CPU2_CONTROLS] = CPU2_RDTSCP;
	guest.root = HPA(L1_REGION | 1);
	vmx_launch(&cpu, true);
	expect_entered();
	expect_safe();
	assert_int_equal(in_l2(VMCS_EPT_POINTER), host_root().a | 0x1e);
}

/* Without a VPID of L1's, the guest and L1 start with nothing in the TLB. */
static void vpids(void **state)
{
	uint64_t first;

	start();
	vmx_launch(&cpu, true);
	first = in_l2(VMCS_VPID);
	assert_int_not_equal(first, 77);
	assert_int_equal(vmcs.invvpids, 1); /* of all, at the first */
	for (int i = 0; i < 3; i++) {
		hw.running = NULL;
		vmcs_load(L1);
		vmx_launch(&cpu, true);
		assert_int_equal(in_l2(VMCS_VPID), first);
	}
	assert_int_equal(vmcs.invvpids, 1);
	hw.running = NULL;
	vmcs_load(L1);
	f[F_CPU2_CONTROLS] &= ~(uint64_t)CPU2_VPID;
	memset(&hw.current.dirty, 0xff, sizeof(hw.current.dirty));
	vmx_launch(&cpu, true);
	assert_int_not_equal(in_l2(VMCS_VPID), first);
	assert_true(vmcs.invvpids > 1);
}

/* SDM volume 3, 27.3.2.1: loaded, or L1's own; EFER's mode bits by the entry controls. */
static void choices(void **state)
{
	for (unsigned int bit = 0; bit < 16; bit++) {
		uint32_t control = 1u << bit;

		if (control != ENTRY_LOAD_DEBUG && control != ENTRY_LOAD_PAT &&
		    control != ENTRY_LOAD_EFER)
			continue;
		start();
		f[F_ENTRY_CONTROLS] |= control;
		f[F_GUEST_DR7] = 0x11;
		f[F_GUEST_DEBUGCTL] = bit == 2 ? 0xffff : 0;
		f[F_GUEST_PAT] = 0x13;
		f[F_GUEST_EFER] = 0x14;
		vmx_launch(&cpu, true);
		expect_entered();
		assert_int_equal(in_l2(VMCS_GUEST_DR7), bit == 2 ? 0x11 : 0x4d7);
		assert_int_equal(in_l2(VMCS_GUEST_DEBUGCTL), 2); /* R20: L1's is 4deb */
		assert_int_equal(in_l2(VMCS_GUEST_PAT), bit == 14 ? 0x13 : 0x4147);
		assert_int_equal(in_l2(VMCS_GUEST_EFER), bit == 15 ? 0x14 : 0xd00);
	}
	start();
	f[F_ENTRY_CONTROLS] &= ~(uint64_t)ENTRY_GUEST_64;
	vmx_launch(&cpu, true);
	assert_int_equal(in_l2(VMCS_GUEST_EFER), 0x800); /* with paging, LME is LMA */
	start();
	f[F_ENTRY_CONTROLS] &= ~(uint64_t)ENTRY_GUEST_64;
	f[F_GUEST_CR0] = CR0_NE;
	vmx_launch(&cpu, true);
	assert_int_equal(in_l2(VMCS_GUEST_EFER), 0x900); /* without, it stays */
}

/* Fields come to hardware once, and again when they are written again. */
static void only_what_is_new(void **state)
{
	start();
	vmx_launch(&cpu, true);
	hw.running = NULL;
	hw.current.launched = true;
	vmcs.of[L2][VMCS_GUEST_ES_BASE] = 0x35;
	vmcs.of[L2][VMCS_CR0_MASK] = 0x36;
	f[F_GUEST_RIP] = 0x999; /* not marked as new */
	f[F_GUEST_RSP] = 0x888;
	set_add(&hw.current.dirty, F_GUEST_RSP);
	vmcs.of[L2][VMCS_GUEST_CS_BASE] = 0x37; /* newer there, whatever is marked */
	set_add(&hw.current.dirty, F_GUEST_CS_BASE);
	set_add(&hw.current.stale, F_GUEST_CS_BASE);
	vmcs_load(L1);
	vmx_launch(&cpu, false);
	expect_entered();
	assert_int_equal(in_l2(VMCS_GUEST_ES_BASE), 0x35);
	assert_int_equal(in_l2(VMCS_CR0_MASK), 0x36);
	assert_int_equal(in_l2(VMCS_GUEST_CS_BASE), 0x37);
	assert_int_equal(in_l2(VMCS_GUEST_RSP), 0x888);
	assert_int_equal(set_next(&hw.current.dirty, -1), -1);
}

/* SDM volume 3, 27.8: L1 is back at its exit handler. */
static void expect_failed(uint64_t qualification)
{
	assert_int_equal(failed, -1);
	assert_null(hw.running);
	assert_int_equal(f[F_EXIT_REASON], 0x80000021);
	assert_int_equal(f[F_EXIT_QUALIFICATION], qualification);
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
}

/* --- isolated guests ---------------------------------------------------------------------------------- */

#define GUEST_STATE(encoding) (((encoding) >> 10 & 3) == 2)

/* As an entry of an isolated guest's, its first or a later one. */
static void enter_isolated(bool entered)
{
	hw.running = NULL;
	hw.current.launched = entered;
	vcpu.entered = entered;
	vmcs_load(L1);
	vmx_launch(&cpu, !entered);
	expect_entered();
}

static void start_isolated(void)
{
	start();
	guest.isolated = true;
	f[F_CPU2_CONTROLS] |= CPU2_UNRESTRICTED;
	enter_isolated(false);
}

/* R17: whatever L1 writes after the first entry, of these fields alone it gets to the hardware as it is. */
static void nothing_is_copied(void **state)
{
	static const uint8_t passed[] = {F_VIRTUAL_APIC, F_APIC_ACCESS, F_TPR_THRESHOLD, F_PLE_GAP,
					 F_PLE_WINDOW};
	static uint64_t before[VMCS_FIELDS_MAX];

	start_isolated();
	assert_int_equal(begun, 1);
	assert_int_equal(loaded, 0);
	memcpy(before, vmcs.of[L2], sizeof(before));
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		if (GUEST_STATE(field_encoding[i]) && i != F_LINK_POINTER && i != F_GUEST_RIP)
			f[i] = field_set_value(field_encoding[i], 0, 0x1000100010001 * (i + 1));
	f[F_EXCEPTION_BITMAP] = f[F_PF_ERROR_MASK] = f[F_PF_ERROR_MATCH] = UINT32_MAX;
	f[F_CR3_TARGET_COUNT] = 3;
	f[F_CR0_MASK] = f[F_CR0_SHADOW] = f[F_CR4_MASK] = f[F_CR4_SHADOW] = UINT64_MAX;
	f[F_XSS_EXITING] = 5;
	f[F_TPR_THRESHOLD] = 7;
	f[F_PLE_GAP] = 8;
	f[F_PLE_WINDOW] = 9;
	f[F_VIRTUAL_APIC] = 0x16000;
	f[F_APIC_ACCESS] = 0x17000;
	memset(&hw.current.dirty, 0xff, sizeof(hw.current.dirty));
	enter_isolated(true);
	assert_int_equal(begun, 1);
	assert_int_equal(loaded, 1);
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++) {
		uint16_t encoding = field_encoding[passed[i]];

		assert_int_equal(in_l2(encoding), f[passed[i]]);
		assert_int_not_equal(in_l2(encoding), before[encoding]);
		before[encoding] = in_l2(encoding);
	}
	assert_memory_equal(before, vmcs.of[L2], sizeof(before));
}

/* What is L1's request is asked about before it counts, at each entry. */
static void requests(void **state)
{
	start_isolated();
	assert_true(in_l2(VMCS_CPU2_CONTROLS) & CPU2_WBINVD);
	set_add(&hw.current.dirty, F_PIN_CONTROLS);
	vmcs.of[L2][VMCS_CPU2_CONTROLS] = 0;
	enter_isolated(true);
	assert_true(in_l2(VMCS_CPU2_CONTROLS) & CPU2_WBINVD);
}

/* R9 */
static void unrestricted_guest(void **state)
{
	start();
	guest.isolated = true;
	vmx_launch(&cpu, true);
	expect_refused(7);
	start();
	vmx_launch(&cpu, true);
	expect_entered();
}

/* The hardware sees nothing of L1's that could be wrong: its refusal is the guest's end. */
static void refused_by_hardware(void **state)
{
	for (int entry = 0; entry < 2; entry++) {
		start_isolated();
		vmcs.of[L2][VMCS_EXIT_REASON] = 0x80000021;
		if (entry)
			vmx_guest_exit(&cpu);
		else
			vmx_guest_refused(&cpu);
		assert_int_equal(guest.stop_reason, STOP_REGISTERS);
		assert_null(hw.running);
		assert_int_equal(f[F_EXIT_REASON], 0x80000021);
		assert_ptr_equal(vmcs.field, vmcs.of[L1]);
	}
}

/* Instructions of VMX, and ICEBP, which L1 could not deliver as what it is. */
static void without_l1(void **state)
{
	for (uint32_t reason = 0; reason < REASON_COUNT; reason++) {
		bool vmx = (reason >= 19 && reason <= 27) || reason == 50 || reason == 53;

		start_isolated();
		vmcs.of[L2][VMCS_EXIT_REASON] = reason;
		vmcs.of[L2][VMCS_EXIT_EVENT] = 0x80000d01;
		vmcs.of[L2][VMCS_EXIT_INSN_LEN] = 1;
		if (!vmx && reason)
			continue;
		vmx_guest_exit(&cpu);
		assert_ptr_equal(hw.running, &vcpu);
		assert_int_equal(in_l2(VMCS_ENTRY_EVENT), vmx ? 0x80000306 : 0x80000d01);
		if (!vmx)
			assert_int_equal(in_l2(VMCS_ENTRY_INSN_LEN), 1);
	}
}

static void state_of_the_guest(void **state)
{
	for (uint64_t activity = 0; activity < 5; activity++) {
		start();
		f[F_GUEST_ACTIVITY] = activity;
		vmx_launch(&cpu, true);
		if (activity < 2)
			expect_entered();
		else
			expect_failed(0);
	}
	for (unsigned int bit = 0; bit < 64; bit++) {
		start();
		f[F_GUEST_CR4] |= 1ull << bit;
		vmx_launch(&cpu, true);
		if (l1_caps.cr4_may >> bit & 1)
			expect_entered();
		else
			expect_failed(0);
	}
	start();
	f[F_LINK_POINTER] = 0x5000;
	vmx_launch(&cpu, true);
	expect_failed(4);
}

/* --- pages that the hardware goes on using ----------------------------------------------------------- */

/* An entry of the same guest, after page `at` has become another guest's. */
static bool still_ok(uint64_t at)
{
	vmx_launch(&cpu, true);
	expect_entered();
	assert_true(vmx_pages_ok(&cpu));
	assert_true(owner_take(HPA(at), 1, 3, GPA(0)));
	return vmx_pages_ok(&cpu);
}

static void pages_that_are_taken(void **state)
{
	for (unsigned int set = 0; set < 4; set++)
		for (unsigned int i = 0; i < 2; i++) {
			start();
			f[F_CPU_CONTROLS] |= set & 1 ? CPU_TPR_SHADOW : 0;
			f[F_CPU2_CONTROLS] |= set & 2 ? CPU2_APIC_ACCESSES : 0;
			assert_int_equal(still_ok(f[i ? F_APIC_ACCESS : F_VIRTUAL_APIC]),
					 !(set & 1u << i));
		}
}

/*
 * A page that L1 had named is taken before the next entry, which finds nothing to check: the guest's registers are
 * loaded already, so it does not go on with what L1 says then.
 */
static void pages_taken_after_acceptance(void **state)
{
	start();
	guest.isolated = true;
	f[F_CPU2_CONTROLS] |= CPU2_UNRESTRICTED;
	f[F_CPU_CONTROLS] |= CPU_TPR_SHADOW;
	vmx_launch(&cpu, true);
	vcpu.entered = true; /* measured, ran */
	hw.current.launched = true;
	assert_true(vmx_pages_ok(&cpu));
	hw.running = NULL;
	vmcs_load(L1);
	assert_true(owner_take(HPA(f[F_VIRTUAL_APIC]), 1, 3, GPA(0)));
	vmx_launch(&cpu, false); /* nothing is dirty: not checked */
	assert_int_equal(failed, -1);
	assert_ptr_equal(hw.running, &vcpu);
	/* as in ready(), after GUEST_ENTRY_OK */
	assert_false(vmx_pages_ok(&cpu));
	vmx_end_run(&cpu);
	assert_null(hw.running);
	assert_false(guest_live(&guest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_taken_after_acceptance),
		cmocka_unit_test(refusals),
		cmocka_unit_test(again),
		cmocka_unit_test(controls_are_merged),
		cmocka_unit_test(without_ept),
		cmocka_unit_test(vpids),
		cmocka_unit_test(choices),
		cmocka_unit_test(only_what_is_new),
		cmocka_unit_test(state_of_the_guest),
		cmocka_unit_test(pages_that_are_taken),
		cmocka_unit_test(nothing_is_copied),
		cmocka_unit_test(requests),
		cmocka_unit_test(unrestricted_guest),
		cmocka_unit_test(refused_by_hardware),
		cmocka_unit_test(without_l1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
