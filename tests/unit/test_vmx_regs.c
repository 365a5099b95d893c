/* SPDX-License-Identifier: Apache-2.0 */
/* Registers of isolated guests that no VMCS switches: what L1 finds in them, and what the guest does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define MONITOR_LIB_H /* libc has what it declares */
#include "monitor/fake/msr.h"
#include "monitor/vmx/regs.c" /* NOLINT(bugprone-suspicious-include) */
#include "tests/unit/test_vmx_vmcs.h"

enum { OTHER, L1, L2 }; /* VMCSs */

#define LSTAR 2 /* in own_msr[] */
#define FIXED 0xffff0ff0u
#define TS CR0_TS
#define NM (1u << VECTOR_NM)

static struct cpu cpu;
static struct hw_cpu hw;
static struct guest guest;
static struct hw_vcpu hw_vcpu;
static struct guest_vcpu vcpu;
static struct {
	unsigned int begun, saved, loaded, given;
} fpu;

/* --- fpu.c --------------------------------------------------------------------------------------------- */

void fpu_begin(struct fpu *f)
{
	assert_ptr_equal(f, &vcpu.fpu);
	fpu.begun++;
}

void fpu_save(struct cpu *c, struct guest_vcpu *v)
{
	fpu.saved++;
	hw_fpu_trap(c, true);
}

void fpu_load(struct cpu *c, const struct guest_vcpu *v)
{
	fpu.loaded++;
}

void fpu_give(struct cpu *c)
{
	fpu.given++;
	hw_fpu_trap(c, false);
}

/* --- two sides ------------------------------------------------------------------------------------------ */

static void set_registers(uint64_t mark, bool debug)
{
	for (unsigned int i = 0; i < msrs; i++)
		fake_set_msr(own_msr[i], mark + i);
	vmcs.cr2 = mark + 0x100;
	vmcs.dr[6] = FIXED | (mark & 0xf);
	for (unsigned int i = 0; debug && i < 4; i++)
		vmcs.dr[i] = mark + 0x200 + i;
}

static void expect_registers(uint64_t mark, bool debug)
{
	for (unsigned int i = 0; i < msrs; i++)
		assert_int_equal(fake_msr(own_msr[i]), mark + i);
	assert_int_equal(vmcs.cr2, mark + 0x100);
	assert_int_equal(vmcs.dr[6], FIXED | (mark & 0xf));
	for (unsigned int i = 0; debug && i < 4; i++)
		assert_int_equal(vmcs.dr[i], mark + 0x200 + i);
}

/* What the guest writes with WRMSR. */
static int write_msr(uint32_t msr, uint64_t value)
{
	cpu.regs.r[RCX] = msr;
	cpu.regs.r[RAX] = (uint32_t)value | 0xabcull << 32;
	cpu.regs.r[RDX] = value >> 32;
	return vmx_regs_msr(&cpu, true);
}

/* The guest changes all its registers. */
static void guest_writes(uint64_t mark, bool debug)
{
	for (unsigned int i = 1; i < msrs; i++)
		assert_int_equal(write_msr(own_msr[i], mark + i), 0);
	if (debug && !hw_vcpu.dr_used) {
		vmx_regs_debug(&cpu);
		assert_false(vmcs.field[VMCS_CPU_CONTROLS] & CPU_DR);
		for (unsigned int i = 0; i < 4; i++)
			assert_int_equal(vmcs.dr[i], 0);
	}
	set_registers(mark, debug);
}

/* L1 is about to enter an isolated guest for the first time, with its own values in all registers. */
static void start(void)
{
	vmcs_catch();
	fake_msr_reset();
	vmx_regs_init();
	memset(&fpu, 0, sizeof(fpu));
	hw = (struct hw_cpu){.l1 = {L1, true}, .running = &vcpu};
	cpu = (struct cpu){.hw = &hw};
	guest = (struct guest){.isolated = true};
	hw_vcpu = (struct hw_vcpu){.vmcs = {L2, false}};
	vcpu = (struct guest_vcpu){.guest = &guest, .hw = &hw_vcpu};
	vmcs_load(L2);
	set_registers(0x1000, true);
	vmx_regs_enter(&cpu, &vcpu);
	vcpu.entered = true;
}

/* --- MSRs, CR2 and DR6 ---------------------------------------------------------------------------------- */

/* Zeros, and L1's DR0-3 still, which the guest cannot look at without an exit. */
static void expect_first(void)
{
	assert_true(hw_vcpu.hidden);
	assert_int_equal(fpu.begun, 1);
	expect_registers(0x1000, true);
	vmx_regs_restore(&cpu);
	for (unsigned int i = 0; i < msrs; i++)
		assert_int_equal(fake_msr(own_msr[i]), 0);
	assert_int_equal(vmcs.cr2, 0);
	assert_int_equal(vmcs.dr[6], FIXED);
	assert_true(vmcs.field[VMCS_CPU_CONTROLS] & CPU_DR);
	assert_int_equal(vmcs.moves, 0);
	assert_int_equal(fpu.loaded, 1);
	vmx_regs_hide(&cpu);
	expect_registers(0x1000, true);
	assert_int_equal(fpu.saved, 1);
}

static void at_first(void **state)
{
	bool aux = (arch_cpuid(0x80000001, 0).d & 1u << 27) || (arch_cpuid(7, 0).c & 1u << 22);

	start();
	assert_int_equal(msrs, aux ? 6 : 5);
	expect_first();
}

static void each_finds_its_own(void **state)
{
	uint64_t host = 0x1000, own = 0;

	start();
	for (unsigned int i = 1; i < 100; i++) {
		bool debug = i > 50;

		vmx_regs_restore(&cpu);
		if (own)
			expect_registers(own, debug && i > 51);
		own = 0x5ec0000 + 0x1001 * i;
		guest_writes(own, debug);
		vmx_regs_hide(&cpu);
		expect_registers(host, true);
		host = 0x1000 + 0x1003 * i;
		set_registers(host, true);
		vmcs.field[VMCS_CPU_CONTROLS] = i & 1 ? CPU_DR : 0; /* as L1 wants it */
		vmx_regs_enter(&cpu, &vcpu);
		expect_registers(host, true);
		assert_int_equal(!!(vmcs.field[VMCS_CPU_CONTROLS] & CPU_DR), !debug);
	}
	assert_int_equal(fpu.saved, 99);
	assert_int_equal(fpu.begun, 1);
}

/* What is the same on both sides is left alone. */
static void nothing_to_do(void **state)
{
	start();
	vmx_regs_restore(&cpu);
	guest_writes(0x1000, false);
	vmcs.moves = 0;
	vmx_regs_hide(&cpu);
	set_registers(0x1000, false);
	fake_msr_reset();
	set_registers(0x1000, false);
	vmx_regs_restore(&cpu);
	vmx_regs_hide(&cpu);
	assert_int_equal(fake_msr_writes(), 0);
	assert_int_equal(vmcs.moves, 0);
}

/* Once is enough: an exit that L1 gets although the guest has not run. */
static void hidden_already(void **state)
{
	start();
	vmx_regs_hide(&cpu);
	vmx_regs_restore(&cpu);
	guest_writes(0x5ec000, false);
	vmx_regs_hide(&cpu);
	set_registers(0x2000, true);
	vmx_regs_hide(&cpu);
	expect_registers(0x2000, true);
	assert_int_equal(fpu.saved, 1);
	vmx_regs_restore(&cpu);
	expect_registers(0x5ec000, false);
	vmx_regs_restore(&cpu);
	assert_int_equal(fpu.loaded, 2);
}

/* After an INIT nothing of before is left. */
static void begins_again(void **state)
{
	start();
	vmx_regs_restore(&cpu);
	guest_writes(0x5ec000, true);
	vmx_regs_hide(&cpu);
	vmx_regs_begin(&vcpu);
	fpu.begun = fpu.loaded = fpu.saved = 0;
	fpu.begun = 1;
	vmcs.moves = 0;
	expect_first();
}

/* A guest that is not isolated has what L1 gives it, and an FPU without another's state. */
static void others(void **state)
{
	start();
	guest.isolated = false;
	vmcs.field[VMCS_CPU_CONTROLS] = 0;
	vmx_regs_enter(&cpu, &vcpu);
	assert_int_equal(vmcs.field[VMCS_CPU_CONTROLS], 0);
	assert_int_equal(fpu.given, 1);
	vmx_regs_restore(&cpu);
	expect_registers(0x1000, true);
	set_registers(0x3000, true);
	vmx_regs_hide(&cpu);
	expect_registers(0x3000, true);
	assert_int_equal(fpu.loaded + fpu.saved, 0);
}

static void without_tsc_aux(void **state)
{
	start();
	msrs = VMX_REGS_MSRS - 1;
	fake_msr_reset();
	set_registers(0x1000, true); /* there is no other MSR */
	vmx_regs_restore(&cpu);
	assert_int_equal(write_msr(own_msr[VMX_REGS_MSRS - 1], 1), ERR_NOENT);
	vmx_regs_hide(&cpu);
	expect_registers(0x1000, true);
}

/* --- RDMSR and WRMSR ------------------------------------------------------------------------------------- */

static void writes_that_fault(void **state)
{
	start();
	vmx_regs_restore(&cpu);
	assert_int_equal(write_msr(own_msr[LSTAR], 7), 0);
	fake_msr_reset(); /* now none exists */
	for (unsigned int i = 1; i < msrs; i++)
		assert_int_equal(write_msr(own_msr[i], 9), ERR_INVAL);
	assert_int_equal(hw_vcpu.own.msr[LSTAR], 7);
}

static void other_msrs(void **state)
{
	static const uint32_t msr[] = {0x10, 0x48, 0x174, 0x277, 0xc0000080, 0xc0000102};

	start();
	vmx_regs_restore(&cpu);
	for (size_t i = 0; i < ARRAY_SIZE(msr); i++) {
		assert_int_equal(write_msr(msr[i], 0), ERR_NOENT);
		assert_int_equal(vmx_regs_msr(&cpu, false), ERR_NOENT);
	}
	assert_int_equal(fake_msr_writes(), msrs + 0u);
	cpu.regs.r[RCX] = own_msr[LSTAR]; /* does not exit */
	assert_int_equal(vmx_regs_msr(&cpu, false), ERR_NOENT);
}

/* SDM volume 1, 13.3: XSAVES would store more than the monitor switches. */
static void supervisor_state(void **state)
{
	start();
	assert_int_equal(write_msr(0xda0, 0), 0);
	for (unsigned int bit = 0; bit < 64; bit++)
		assert_int_equal(write_msr(0xda0, 1ull << bit), ERR_INVAL);
	cpu.regs.r[RAX] = cpu.regs.r[RDX] = UINT64_MAX;
	assert_int_equal(vmx_regs_msr(&cpu, false), 0);
	assert_int_equal(cpu.regs.r[RAX] | cpu.regs.r[RDX], 0);
}

/* --- exceptions that L1 raises --------------------------------------------------------------------------- */

static void page_fault(void **state)
{
	start();
	vmx_regs_restore(&cpu);
	guest_writes(0x5ec000, false);
	vmx_regs_hide(&cpu);
	vmcs.cr2 = 0xfa01;
	assert_int_equal(vmx_regs_offer_cr2(&cpu), 0xfa01);
	vmx_regs_set_cr2(&cpu, vmx_regs_offer_cr2(&cpu));
	assert_int_equal(vmcs.cr2, 0xfa01);
	vmx_regs_restore(&cpu);
	assert_int_equal(vmcs.cr2, 0xfa01);
	vmx_regs_hide(&cpu);
	assert_int_equal(vmcs.cr2, 0xfa01);
}

/* The guest comes out by an exception, and takes a #DB then. */
static uint64_t takes_debug(uint32_t reason, uint64_t vector, uint64_t qualification, uint64_t dr6)
{
	start();
	vmx_regs_restore(&cpu);
	vmcs.dr[6] = dr6;
	vmcs.field[VMCS_EXIT_REASON] = reason;
	vmcs.field[VMCS_EXIT_EVENT] = EVENT_VALID | EVENT_TYPE_EXCEPTION << 8 | vector;
	vmcs.field[VMCS_EXIT_QUALIFICATION] = qualification;
	vmcs.field[VMCS_GUEST_DR7] = 0x2755;
	vmx_regs_hide(&cpu);
	vmx_regs_take_debug(&cpu);
	vmx_regs_restore(&cpu);
	return vmcs.dr[6];
}

/* SDM volume 3, 18.2.3: B0 to B3 are cleared, the others are not. */
static void debug_exceptions(void **state)
{
	assert_int_equal(takes_debug(REASON_EXCEPTION, VECTOR_DB, 2, FIXED | 0x4005),
			 FIXED | 0x4002);
	assert_int_equal(vmcs.field[VMCS_GUEST_DR7], 0x2755);
	assert_int_equal(takes_debug(REASON_EXCEPTION, VECTOR_DB, 0x2000, FIXED), FIXED | 0x2000);
	assert_int_equal(vmcs.field[VMCS_GUEST_DR7], 0x0755);
	assert_int_equal(takes_debug(REASON_EXCEPTION, VECTOR_DB, UINT64_MAX, FIXED),
			 FIXED | 0x600f);
	/* A single step over what L1 carried out. */
	assert_int_equal(takes_debug(REASON_PORT, VECTOR_DB, 2, FIXED | 1), FIXED | 0x4001);
	assert_int_equal(takes_debug(REASON_EXCEPTION, 17, 2, FIXED), FIXED | 0x4000);
}

/* --- the trap for L1's x87, SSE and AVX -------------------------------------------------------------------- */

/* L1's CR0 as it reads it. */
static uint64_t seen(void)
{
	uint64_t mask = vmcs.of[L1][VMCS_CR0_MASK];

	return (vmcs.of[L1][VMCS_GUEST_CR0] & ~mask) | (vmcs.of[L1][VMCS_CR0_SHADOW] & mask);
}

/* L1 goes on behind an exit, with this host CR0: as load_host() has it. */
static void go_on(uint64_t cr0)
{
	hw.running = NULL;
	vmcs_load(L1);
	vmcs.field[VMCS_GUEST_CR0] = vmcs.field[VMCS_CR0_SHADOW] = cr0;
	vmx_regs_host(&cpu);
}

static void expect_trap(bool on, uint64_t cr0)
{
	assert_int_equal(seen(), cr0);
	assert_int_equal(vmcs.of[L1][VMCS_CR0_MASK], 0x21 | (on ? TS : 0));
	assert_int_equal(vmcs.of[L1][VMCS_EXCEPTION_BITMAP], 0x10 | (on ? NM : 0));
	assert_int_equal(vmcs.of[L1][VMCS_GUEST_CR0] & TS, on ? TS : cr0 & TS);
}

static void trap(void **state)
{
	static const uint64_t cr0[] = {0x80050033, 0x8005003b};

	start();
	vmcs.of[L1][VMCS_CR0_MASK] = 0x21;
	vmcs.of[L1][VMCS_EXCEPTION_BITMAP] = 0x10;
	for (unsigned int i = 0; i < 8; i++) {
		uint64_t l1 = cr0[i & 1];

		vmcs_load(L2);
		hw.running = &vcpu;
		vmx_regs_restore(&cpu);
		vmx_regs_hide(&cpu);
		assert_int_equal(vmcs.of[L2][VMCS_GUEST_CR0], 0);
		go_on(l1);
		expect_trap(true, l1);
		vmx_regs_host(&cpu); /* an entry that the hardware refuses */
		expect_trap(true, l1);
		if (i &
		    2) { /* else it stays armed, and L1 changes what it has by its exit's state */
			hw_fpu_trap(&cpu, false);
			expect_trap(false, l1);
			vmcs.field[VMCS_GUEST_CR0] ^= TS; /* L1's CLTS or MOV */
			vmx_regs_host(&cpu);
			expect_trap(false, l1 ^ TS);
			hw_fpu_trap(&cpu, true);
			expect_trap(true, l1 ^ TS);
		}
	}
}

/* It is given up while L1's VMCS is not current: for a guest that is not isolated. */
static void trap_that_ends_later(void **state)
{
	start();
	vmcs.of[L1][VMCS_CR0_MASK] = 0x21;
	vmcs.of[L1][VMCS_EXCEPTION_BITMAP] = 0x10;
	vmx_regs_restore(&cpu);
	vmx_regs_hide(&cpu);
	go_on(0x80050033);
	vmcs_load(L2);
	hw.running = &vcpu;
	guest.isolated = false;
	vmx_regs_enter(&cpu, &vcpu);
	expect_trap(true, 0x80050033);
	assert_int_equal(vmcs.of[L2][VMCS_EXCEPTION_BITMAP] | vmcs.of[L2][VMCS_CR0_MASK], 0);
	go_on(0x80050033);
	expect_trap(false, 0x80050033);
}

#define T(t) cmocka_unit_test(t)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(at_first),
		T(each_finds_its_own),
		T(nothing_to_do),
		T(hidden_already),
		T(begins_again),
		T(others),
		T(without_tsc_aux),
		T(writes_that_fault),
		T(other_msrs),
		T(supervisor_state),
		T(page_fault),
		T(debug_exceptions),
		T(trap),
		T(trap_that_ends_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
