/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1 in front of a VMX instruction: its memory, its VMCS and operands. What insn.c calls beside
 * region.c, shadow.c and space.c is here, and says what was called.
 */
#ifndef TESTS_UNIT_TEST_VMX_L1_H
#define TESTS_UNIT_TEST_VMX_L1_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/format.h"
#include "ept/host.h"
#include "monitor/arch.h"
#include "monitor/exit.h"
#include "monitor/fake/machine.h"
#include "monitor/mem.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_vmcs.h"

enum { OTHER, L1, L2 }; /* VMCSs */

#define REVISION 0x4e560001u /* IA32_VMX_BASIC as L1 reads it */
#define VMXON_AT 0x8000u
#define A 0x9000u
#define B 0xa000u
#define FOREIGN 0xb000u /* another revision */
#define LAUNCHED_AT 8u
#define ROOT 0x10000u
#define EPTP (ROOT | 0x1e)
#define FLAGS 0x8d5u /* CF PF AF ZF SF OF */
#define CF 1u
#define ZF 0x40u
#define KEPT 0x3302u /* others, set */
#define REGISTER (1u << 10)
#define NOTHING 99

static struct cpu cpu;
static struct hw_cpu hw;

/* --- what insn.c calls ----------------------------------------------------------------------------- */

static struct {
	unsigned int completed, injected, vector;
	int launch; /* vmx_launch()'s argument */
	int guard;  /* host_guard_cr0()'s */
	uint64_t operand[2];
	size_t size; /* as it was read or written */
	bool fault;  /* set by tests */
	uint64_t reg[2];
} calls;

void exit_complete(struct cpu *c)
{
	calls.completed++;
}

void hw_host_inject(struct cpu *c, unsigned int vector, uint32_t error_code)
{
	assert_int_equal(error_code, 0);
	calls.injected++;
	calls.vector = vector;
}

bool operand_is_register(void)
{
	return vmcs.field[VMCS_EXIT_INSN_INFO] & REGISTER;
}

uint64_t *operand_reg(struct cpu *c, unsigned int shift)
{
	assert_true(shift == 3 || shift == 28);
	return &calls.reg[shift == 28];
}

static inline int memory(void *to, const void *from, size_t n)
{
	if (calls.fault) {
		hw_host_inject(&cpu, VECTOR_GP, 0);
		return ERR_FAULT;
	}
	assert_in_range(n, 1, sizeof(calls.operand));
	memcpy(to, from, n);
	calls.size = n;
	return 0;
}

int operand_read(struct cpu *c, void *buf, size_t n)
{
	return memory(buf, calls.operand, n);
}

int operand_write(struct cpu *c, const void *buf, size_t n)
{
	return memory(calls.operand, buf, n);
}

void host_guard_cr0(bool vmxon)
{
	calls.guard = vmxon;
}

void vmx_launch(struct cpu *c, bool launch)
{
	calls.launch = launch;
}

void guest_vcpu_drop(struct guest_vcpu *v)
{
	abort();
}

/* The only isolated guest's root, and that of its copy. */
static uint64_t isolated_root, copied_root;

hpa_t guest_walked_for(hpa_t root)
{
	return HPA(isolated_root && root.a == isolated_root ? copied_root : 0);
}

void vmx_vmcs_init(struct vmcs *v)
{
	abort();
}

/* --- L1 --------------------------------------------------------------------------------------------- */

static inline bool all(uint64_t encoding)
{
	return true;
}

static inline uint32_t *in_memory(uint64_t at)
{
	return fake_at(HPA(at), 4);
}

static inline void set_mode(bool is_64)
{
	vmcs.field[VMCS_GUEST_CS_RIGHTS] = is_64 ? 0xa09b : 0xc09b;
	vmcs.field[VMCS_GUEST_EFER] = is_64 ? EFER_LMA | EFER_LME : 0;
}

/* Ring 0 of 64-bit code, before VMXON. */
static inline void start_off(void)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	assert_int_equal(host_init(mem_top(), true, NULL), 0);
	*in_memory(VMXON_AT) = *in_memory(A) = *in_memory(B) = REVISION;
	*in_memory(FOREIGN) = REVISION ^ 1;
	vmcs_catch();
	fields_init(all);
	memset(&hw, 0, sizeof(hw));
	memset(&calls, 0, sizeof(calls));
	calls.guard = calls.launch = -1;
	hw_caps = l1_caps = (struct vmx_caps){
		.cr0_must = CR0_PG | CR0_NE | CR0_PE,
		.cr4_must = CR4_VMXE,
		.ept_vpid = CAP_AD | 7ull << 24 | 0xfull << 40,
		.phys_bits = 40,
	};
	cpu.hw = &hw;
	hw.l1.hpa = L1;
	hw.current.hpa = NO_VMCS;
	tags_init(&hw.vpids, VPID_HOST + 1, VPID_COUNT);
	vmcs_load(L1);
	vmcs.field[VMCS_GUEST_CR0] = CR0_PG | CR0_NE | CR0_PE;
	vmcs.field[VMCS_CR4_MASK] = vmcs.field[VMCS_CR4_SHADOW] = CR4_VMXE;
	set_mode(true);
	cpu.regs.rflags = KEPT | FLAGS;
}

static inline void execute(unsigned int reason)
{
	cpu.regs.rflags = KEPT | FLAGS;
	calls.completed = calls.injected = 0;
	hw.current.f[F_INSN_ERROR] = NOTHING;
	vmx_instruction(&cpu, reason);
}

static inline void execute_at(unsigned int reason, uint64_t address)
{
	calls.operand[0] = address;
	execute(reason);
}

static inline void expect_flags(uint32_t flags)
{
	assert_int_equal(calls.injected, 0);
	assert_int_equal(calls.completed, 1);
	assert_int_equal(cpu.regs.rflags, KEPT | flags);
	assert_ptr_equal(vmcs.field, vmcs.of[L1]);
}

static inline void expect_success(void)
{
	expect_flags(0);
}

/* SDM volume 3, 31.2: VMfailInvalid, or VMfailValid with its number. */
static inline void expect_failure(uint64_t error)
{
	bool valid = hw.current.hpa != NO_VMCS;

	expect_flags(valid ? ZF : CF);
	assert_int_equal(hw.current.f[F_INSN_ERROR], valid ? error : NOTHING);
}

static inline void expect_fault(unsigned int vector)
{
	assert_int_equal(calls.injected, 1);
	assert_int_equal(calls.vector, vector);
	assert_int_equal(calls.completed, 0);
	assert_int_equal(cpu.regs.rflags & FLAGS, FLAGS);
	assert_int_equal(calls.launch, -1);
}

/* After VMXON, without a current VMCS, or with A. */
static inline void start(bool current)
{
	start_off();
	execute_at(REASON_VMXON, VMXON_AT);
	expect_success();
	if (!current)
		return;
	execute_at(REASON_VMPTRLD, A);
	expect_success();
}

#endif
