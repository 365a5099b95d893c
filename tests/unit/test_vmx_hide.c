/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest's state in VMCSs: what of L1's reaches it, what L1 reads, and what accept.c changes. */
#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/fake/machine.h"
#include "tests/unit/test_vmx_vmcs.h"

/* Themselves: monitor/fake has functions of these names. */
#include "monitor/vmx/hide.c"  /* NOLINT(bugprone-suspicious-include) */
#include "monitor/vmx/shown.c" /* NOLINT(bugprone-suspicious-include) */
#include "monitor/vmx/space.c" /* NOLINT(bugprone-suspicious-include) */
#include "monitor/vmx/view.c"  /* NOLINT(bugprone-suspicious-include) */

enum { OTHER, L1, L2 }; /* VMCSs */

#define EPTP 0x1005e
#define MUST (CR4_VMXE | CR4_MCE)
#define LONG (EFER_LME | EFER_LMA)
#define CR3 0x20ffu

static struct cpu cpu;
static struct hw_cpu hw;
static struct hw_vcpu hw_vcpu;
static struct guest guest;
static struct disclosure disclosure;
static struct guest_vcpu vcpu = {.hw = &hw_vcpu, .guest = &guest, .disclosure = &disclosure};
static uint64_t *f = hw.current.f;

/* --- what is called ---------------------------------------------------------------------------------- */

static struct {
	unsigned int disclosed, debug, begun;
	struct guest_exit x;
	uint64_t cr2;
} calls;

enum disclose_result disclose(struct cpu *c, struct guest_vcpu *v, const struct guest_exit *x)
{
	assert_ptr_equal(v, &vcpu);
	calls.disclosed++;
	calls.x = *x;
	return DISCLOSE_TELL;
}

void guest_space(const struct guest *g, struct walk_space *space)
{
	space->private = true;
}

/* Other tests' matter: gpa is hpa. */
int walk_gpa(const struct walk_space *s, gpa_t gpa, uint32_t access, struct walk_result *out)
{
	assert_true(s->private);
	assert_int_equal(s->nested_root.a, EPTP & PAGE_MASK);
	out->hpa = HPA(gpa.a);
	return 0;
}

uint64_t vmx_regs_offer_cr2(const struct cpu *c)
{
	return 0xc2;
}

void vmx_regs_set_cr2(struct cpu *c, uint64_t value)
{
	calls.cr2 = value;
}

void vmx_regs_begin(struct guest_vcpu *v)
{
	calls.begun++;
}

void vmx_regs_take_debug(struct cpu *c)
{
	calls.debug++;
}

/* --- the machine ------------------------------------------------------------------------------------- */

static bool all_fields(uint64_t encoding)
{
	return true;
}

static uint64_t in_l2(uint16_t encoding)
{
	return vmcs.of[L2][encoding];
}

static void set(uint16_t encoding, uint64_t value)
{
	vmcs.of[L2][encoding] = value;
}

static uint64_t guests(unsigned int field)
{
	return field_set_value(field_encoding[field], 0, 0x1000100010001 * (field + 1));
}

static bool is_state(unsigned int field)
{
	return (field_encoding[field] >> 10 & 3) == 2 && field != F_LINK_POINTER;
}

/* The guest in long mode, with something in every field. */
static void start(void)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	vmcs_catch();
	fields_init(all_fields);
	memset(&hw, 0, sizeof(hw));
	memset(&calls, 0, sizeof(calls));
	memset(&disclosure, 0, sizeof(disclosure));
	hw_vcpu = (struct hw_vcpu){.vmcs = {L2, true}};
	hw_vcpu.vpid.value = 7;
	guest = (struct guest){.isolated = true};
	vcpu.entered = true;
	hw_caps = l1_caps = (struct vmx_caps){
		.cpu = {0x04006172, UINT32_MAX},
		.cr0_must = CR0_PG | CR0_NE | CR0_PE,
		.cr4_must = CR4_VMXE,
		.cr4_may = 0x7727ff,
		.phys_bits = 40,
	};
	cpu.hw = &hw;
	cpu.regs = (struct regs){.rflags = RFLAGS_FIXED};
	hw.running = &vcpu;
	vmcs_load(L2);
	for (unsigned int i = 0; i < FIELD_COUNT; i++)
		set(field_encoding[i], guests(i));
	f[F_EPT_POINTER] = EPTP;
	set(VMCS_GUEST_EFER, LONG | EFER_NXE);
	set(VMCS_GUEST_CR3, CR3);
	set(VMCS_ENTRY_CONTROLS, 0x11ff | ENTRY_GUEST_64);
	set(VMCS_GUEST_CS_RIGHTS, 0xa09b);
	set(VMCS_GUEST_INTERRUPTIBILITY, 0);
	set(VMCS_GUEST_ACTIVITY, 0);
	set(VMCS_GUEST_PENDING_DEBUG, 0);
	set(VMCS_GUEST_DEBUGCTL, 0);
	set(VMCS_EXIT_EVENT, 0);
	set(VMCS_VECTORING_EVENT, 0);
	vmx_set_cr0(CR0_PG | CR0_PE | CR0_WP | CR0_TS);
	vmx_set_cr4(CR4_PAE, 0);
}

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
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_EIP), 0);
	assert_int_equal(in_l2(VMCS_GUEST_INTERRUPTIBILITY), 0);
	assert_int_equal(in_l2(VMCS_GUEST_DEBUGCTL), 0);
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

/* --- exits that the hardware did not make --------------------------------------------------------------- */

static void hiding(void **state)
{
	start();
	set(VMCS_ENTRY_EVENT, 0x80000b0d);
	set(VMCS_ENTRY_ERROR_CODE, 5);
	assert_true(vmx_hide(&cpu, EXIT_NMI, 2));
	assert_int_equal(calls.disclosed, 1);
	assert_int_equal(calls.x.reason, EXIT_NMI);
	assert_int_equal(calls.x.interrupted.type, INJECTION_EXCEPTION);
	assert_int_equal(calls.x.interrupted.error, 5);
	/* L1 has had it, and the guest has taken nothing of what L1 left. */
	disclosure.accept = ACCEPT_ROW;
	assert_false(vmx_hide(&cpu, EXIT_NMI, 2));
	disclosure.accept = ACCEPT_OWN;
	vcpu.entered = false;
	assert_false(vmx_hide(&cpu, EXIT_NMI, 2));
	assert_int_equal(calls.disclosed, 1);
	guest.isolated = false;
	assert_true(vmx_hide(&cpu, EXIT_NMI, 2));
	assert_int_equal(calls.disclosed, 1);
}

/* Nothing of a guest that is over is left in the registers. */
static void over(void **state)
{
	start();
	memset(cpu.regs.r, 0xff, sizeof(cpu.regs.r));
	vmx_hide(&cpu, EXIT_INVALID, 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(cpu.regs.r[i], 0);
}

/* --- what accept.c asks for ---------------------------------------------------------------------------- */

static bool change(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return hw_guest_control(&cpu, cr0, cr4, efer);
}

static void expect_control(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	assert_int_equal(vmx_seen_cr0(), cr0 | CR0_ET);
	assert_int_equal(in_l2(VMCS_GUEST_CR0), (cr0 & ~(3ull << 29)) | CR0_ET | CR0_NE);
	assert_int_equal(vmx_seen_cr4(), cr4);
	assert_int_equal(in_l2(VMCS_GUEST_CR4), cr4 | MUST);
	assert_int_equal(in_l2(VMCS_GUEST_EFER), efer);
	assert_int_equal(in_l2(VMCS_ENTRY_CONTROLS), 0x11ff | (efer & EFER_LMA ? 1u << 9 : 0));
}

/* Real mode, protected mode, paging, PAE, long mode, and back. */
static void modes(void **state)
{
	const struct {
		uint64_t cr0, cr4, efer;
	} rows[] = {
		{0, 0, 0},
		{CR0_PE, 0, 0},
		{CR0_PE, CR4_PAE, 0},
		{CR0_PE, CR4_PAE, EFER_LME},
		{CR0_PE | CR0_PG, CR4_PAE, LONG},
		{CR0_PE | CR0_PG | CR0_WP | CR0_NE, CR4_PAE | CR4_PCIDE, LONG | EFER_NXE},
		{CR0_PE | CR0_PG | CR0_CD, CR4_PAE, LONG},
		{CR0_PE, CR4_PAE, EFER_LME},
		{CR0_PE, 0x10, 0},
		{CR0_PE | CR0_PG, 0x10, 0},
	};
	unsigned int flushes;

	start();
	set(VMCS_GUEST_CS_RIGHTS, 0xc09b);
	vmx_set_cr0(CR0_PE);
	vmx_set_cr4(0, 0);
	set(VMCS_GUEST_EFER, 0);
	set(VMCS_ENTRY_CONTROLS, 0x11ff);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		flushes = vmcs.invvpids;
		assert_true(change(rows[i].cr0, rows[i].cr4, rows[i].efer));
		expect_control(rows[i].cr0, rows[i].cr4, rows[i].efer);
		assert_int_equal(vmcs.invvpids, flushes + 1);
		assert_int_equal(vmcs.inv_type, INV_SINGLE);
		assert_int_equal(vmcs.inv_operand[0], 7);
	}
	/* What is no mode flushes nothing. */
	flushes = vmcs.invvpids;
	assert_true(change(CR0_PE | CR0_PG | CR0_TS | CR0_NE, 0x10, 0));
	expect_control(CR0_PE | CR0_PG | CR0_TS | CR0_NE, 0x10, 0);
	assert_int_equal(vmcs.invvpids, flushes);
	assert_int_equal(in_l2(VMCS_GUEST_PDPTE0), guests(F_GUEST_PDPTE0));
}

/* Reserved bits of CR0 are ignored, its upper half is not: SDM volume 3, 2.5. */
static void no_modes(void **state)
{
	const uint64_t on = CR0_PE | CR0_PG;
	const struct {
		uint64_t cr0, cr4, efer;
	} rows[] = {
		{CR0_PG, CR4_PAE, LONG},
		{on | 1ull << 32, CR4_PAE, LONG},
		{on | CR0_NW, CR4_PAE, LONG},
		{on, 0, LONG},
		{on, CR4_PAE | CR4_VMXE, LONG},
		{on, CR4_PAE | 1ull << 23, LONG},
		{on, CR4_PAE | 1ull << 40, LONG},
		{on, CR4_PAE, LONG | 1u << 12},
		{on, CR4_PAE, 0},                 /* LME changes under paging */
		{CR0_PE, CR4_PAE, EFER_LME},      /* paging goes off in 64-bit code */
		{CR0_PE, CR4_PAE | CR4_PCIDE, 0}, /* or with PCIDs */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		start();
		set(VMCS_GUEST_CS_RIGHTS, i == 10 ? 0xc09b : 0xa09b);
		assert_false(change(rows[i].cr0, rows[i].cr4, rows[i].efer));
		assert_int_equal(in_l2(VMCS_GUEST_EFER), LONG | EFER_NXE);
		assert_int_equal(vmx_seen_cr0(), CR0_PG | CR0_PE | CR0_WP | CR0_TS | CR0_ET);
	}
	start();
	assert_true(change(on | 1u << 15, CR4_PAE, LONG));
	expect_control(on, CR4_PAE, LONG);
}

static void pae(void **state)
{
	uint64_t *entry;

	for (int bad = 0; bad < 2; bad++) {
		start();
		entry = fake_at(HPA(CR3 & ~31u), 32);
		entry[0] = 0x5001;
		entry[1] = bad ? 1ull << 40 | 1 : 0;
		entry[2] = 1ull << 40; /* not present */
		set(VMCS_GUEST_CS_RIGHTS, 0xc09b);
		vmx_set_cr0(CR0_PE);
		set(VMCS_GUEST_EFER, 0);
		assert_int_equal(change(CR0_PE | CR0_PG, CR4_PAE, 0), !bad);
		if (!bad)
			assert_int_equal(in_l2(VMCS_GUEST_PDPTE0 + 4), 1ull << 40);
	}
	/* Where there is no memory */
	start();
	set(VMCS_GUEST_CS_RIGHTS, 0xc09b);
	vmx_set_cr0(CR0_PE);
	set(VMCS_GUEST_EFER, 0);
	set(VMCS_GUEST_CR3, 0xfffff000);
	assert_false(change(CR0_PE | CR0_PG, CR4_PAE, 0));
}

/* SDM volume 3, table 9-1, and 11.4.4.2. */
static void start_up(void **state)
{
	start();
	memset(cpu.regs.r, 0xff, sizeof(cpu.regs.r));
	hw_guest_reset(&cpu, 0x9a);
	expect_control(0, 0, 0);
	assert_int_equal(calls.begun, 1);
	assert_int_equal(in_l2(VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS), 0x9a00);
	assert_int_equal(in_l2(VMCS_GUEST_ES_BASE + 2 * SEG_CS), 0x9a000);
	assert_int_equal(in_l2(VMCS_GUEST_ES_LIMIT + 2 * SEG_CS), 0xffff);
	assert_int_equal(in_l2(VMCS_GUEST_CS_RIGHTS), 0x9b);
	assert_int_equal(in_l2(VMCS_GUEST_ES_SELECTOR), 0);
	assert_int_equal(in_l2(VMCS_GUEST_ES_RIGHTS), 0x93);
	assert_int_equal(in_l2(VMCS_GUEST_CR3), 0);
	assert_int_equal(in_l2(VMCS_GUEST_IDTR_LIMIT), 0xffff);
	assert_int_equal(in_l2(VMCS_GUEST_PAT), 0x0007040600070406);
	assert_int_equal(in_l2(VMCS_GUEST_DR7), 0x400);
	assert_int_equal(in_l2(VMCS_GUEST_SYSENTER_EIP), 0);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(cpu.regs.r[i], i == RDX ? 0x600 : 0);
	assert_int_equal(cpu.regs.rip, 0);
	assert_int_equal(cpu.regs.rflags, 2);
	assert_int_equal(vmcs.invvpids, 1);
	/* What L1 injects is left for guest.c to see. */
	assert_int_equal(in_l2(VMCS_ENTRY_EVENT), guests(F_ENTRY_EVENT));
}

/* L1's words, not what the vCPU has. */
static void offer(void **state)
{
	struct hw_offer o;

	start();
	f[F_GUEST_CS_BASE] = 0x9a000;
	f[F_GUEST_CS_SELECTOR] = 0x9a00;
	f[F_GUEST_RIP] = 0x12;
	f[F_GUEST_CR0] = 0x30;
	f[F_GUEST_EFER] = 0x100;
	hw_guest_offer(&cpu, &o);
	assert_int_equal(o.cs_base, 0x9a000);
	assert_int_equal(o.cs_selector, 0x9a00);
	assert_int_equal(o.rip, 0x12);
	assert_int_equal(o.cr0, 0x30);
	assert_int_equal(o.efer, 0x100);
}

/* SDM volume 3, 27.3.1.5. */
static void single_steps(void **state)
{
	const uint64_t step = 1u << 14;

	for (unsigned int i = 0; i < 16; i++) {
		bool tf = i & 1, btf = i & 2, blocked = i & 4;

		start();
		cpu.regs.rflags |= tf ? RFLAGS_TF : 0;
		set(VMCS_GUEST_DEBUGCTL, btf ? 2 : 0);
		set(VMCS_GUEST_INTERRUPTIBILITY, blocked ? 1 + (i >> 3) : 8);
		set(VMCS_GUEST_PENDING_DEBUG, i & 8 ? step | 1 : 1);
		vmx_unhide(&cpu);
		assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG),
				 blocked ? (tf && !btf ? step | 1 : 1)
				 : i & 8 ? step | 1
					 : 1);
		/* An instruction that L1 carried out. */
		set(VMCS_GUEST_PENDING_DEBUG, 0);
		set(VMCS_GUEST_ACTIVITY, 1);
		hw_guest_moved(&cpu);
		assert_int_equal(in_l2(VMCS_GUEST_INTERRUPTIBILITY), blocked ? 0 : 8);
		assert_int_equal(in_l2(VMCS_GUEST_ACTIVITY), 0);
		assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), tf && !btf ? step : 0);
	}
}

static void exceptions_of_l1(void **state)
{
	start();
	set(VMCS_GUEST_PENDING_DEBUG, 1u << 14 | 1);
	hw_guest_takes(&cpu, &(struct injection){INJECTION_EXCEPTION, VECTOR_GP, true, 0});
	assert_int_equal(calls.debug, 0);
	assert_int_equal(calls.cr2, 0);
	hw_guest_takes(&cpu, &(struct injection){INJECTION_EXCEPTION, VECTOR_PF, true, 2});
	assert_int_equal(calls.cr2, 0xc2);
	assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), 1u << 14 | 1);
	hw_guest_takes(&cpu, &(struct injection){INJECTION_EXCEPTION, VECTOR_DB, false, 0});
	assert_int_equal(calls.debug, 1);
	assert_int_equal(in_l2(VMCS_GUEST_PENDING_DEBUG), 1);
}

/* The guest's own shadow and IDT, and L1's event. */
static void entries(void **state)
{
	struct hw_entry e;

	for (uint64_t blocked = 0; blocked < 16; blocked++) {
		start();
		set(VMCS_GUEST_INTERRUPTIBILITY, blocked);
		f[F_GUEST_INTERRUPTIBILITY] = ~blocked;
		set(VMCS_ENTRY_EVENT, 0x80000041);
		hw_guest_entry(&cpu, &e);
		assert_int_equal(e.shadow, (blocked & 3) != 0);
		assert_int_equal(e.event.type, INJECTION_INTERRUPT);
		assert_int_equal(e.event.vector, 0x41);
		assert_int_equal(e.idt_base, guests(F_GUEST_IDTR_BASE));
		assert_int_equal(e.idt_limit, guests(F_GUEST_IDTR_LIMIT));
	}
	for (uint32_t type = 4; type < 8; type++) { /* and the pending trap flag */
		set(VMCS_ENTRY_EVENT, 0x80000001 | type << 8);
		hw_guest_entry(&cpu, &e);
		assert_int_equal(e.event.type, INJECTION_SOFTWARE);
	}
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
		cmocka_unit_test(hiding),
		cmocka_unit_test(over),
		cmocka_unit_test(modes),
		cmocka_unit_test(no_modes),
		cmocka_unit_test(pae),
		cmocka_unit_test(start_up),
		cmocka_unit_test(offer),
		cmocka_unit_test(single_steps),
		cmocka_unit_test(exceptions_of_l1),
		cmocka_unit_test(entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
