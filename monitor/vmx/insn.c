/* SPDX-License-Identifier: Apache-2.0 */
/* L1's VMX instructions: SDM vol. 3, chapter 31. */
#include "ept/format.h"
#include "ept/phys.h"
#include "monitor/arch.h"
#include "monitor/exit.h"
#include "monitor/vmx/vmx.h"

#define FLAGS_CLEARED 0x8d5u /* CF PF AF ZF SF OF */
#define FLAG_CF 1u
#define FLAG_ZF 0x40u
#define REG1_SHIFT 3  /* VMREAD and VMWRITE: the register operand that is no encoding */
#define REG2_SHIFT 28 /* the one that is; type of INVEPT and INVVPID */
#define INVVPID_TYPES 4
#define INVEPT_TYPES 3

static void finish(struct cpu *cpu, uint64_t flags)
{
	cpu->regs.rflags = (cpu->regs.rflags & ~(uint64_t)FLAGS_CLEARED) | flags;
	exit_complete(cpu);
}

void vm_succeed(struct cpu *cpu)
{
	finish(cpu, 0);
}

static void fail_invalid(struct cpu *cpu)
{
	finish(cpu, FLAG_CF);
}

void vm_fail(struct cpu *cpu, enum vm_error error)
{
	struct l1_vmcs *current = &cpu->hw->current;

	if (current->hpa == NO_VMCS) {
		fail_invalid(cpu);
		return;
	}
	current->f[F_INSN_ERROR] = error;
	finish(cpu, FLAG_ZF);
}

/* What every one of them checks first. False: the fault has been injected. */
static bool may_execute(struct cpu *cpu, bool vmxon)
{
	uint64_t efer = vmx_read(VMCS_GUEST_EFER);
	bool compatibility = (efer & EFER_LMA) && hw_host_mode(cpu) != DECODE_64;

	if (!(vmx_read(VMCS_CR4_SHADOW) & CR4_VMXE) || host_real_mode() ||
	    (cpu->regs.rflags & RFLAGS_VM) || compatibility || (!cpu->hw->vmxon && !vmxon)) {
		hw_host_inject(cpu, VECTOR_UD, 0);
		return false;
	}
	if (RIGHTS_DPL(vmx_read(VMCS_GUEST_SS_RIGHTS))) {
		hw_host_inject(cpu, VECTOR_GP, 0);
		return false;
	}
	return true;
}

static bool page_ok(uint64_t hpa)
{
	return !page_offset(hpa) && !(hpa >> hw_caps.phys_bits) && phys_host(HPA(hpa), PAGE_SIZE);
}

static uint32_t revision_at(uint64_t hpa)
{
	uint32_t revision = 0;

	phys_read(&revision, HPA(hpa), sizeof(revision));
	return revision;
}

static void do_vmxon(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	uint64_t hpa;

	if (hw->vmxon) {
		vm_fail(cpu, ERROR_VMXON_AGAIN);
		return;
	}
	if (operand_read(cpu, &hpa, sizeof(hpa)))
		return;
	if (!page_ok(hpa) || revision_at(hpa) != VMX_REVISION) {
		fail_invalid(cpu);
		return;
	}
	hw->vmxon = true;
	hw->vmxon_ptr = hpa;
	hw->current.hpa = NO_VMCS;
	host_guard_cr0(true);
	vm_succeed(cpu);
}

/* CR0 and CR4 as VMX operation wants them, or #GP: SDM vol. 3, 24.8. */
static bool vmxon_registers(struct cpu *cpu)
{
	struct walk_space space;

	hw_host_space(cpu, &space);
	if ((space.cr0 & l1_caps.cr0_must) == l1_caps.cr0_must &&
	    (space.cr4 & l1_caps.cr4_must) == l1_caps.cr4_must)
		return true;
	hw_host_inject(cpu, VECTOR_GP, 0);
	return false;
}

static void do_vmxoff(struct cpu *cpu)
{
	if (cpu->hw->current.hpa != NO_VMCS)
		current_store(cpu);
	cpu->hw->vmxon = false;
	host_guard_cr0(false);
	vm_succeed(cpu);
}

static void do_vmclear(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	uint64_t hpa;

	if (operand_read(cpu, &hpa, sizeof(hpa)))
		return;
	if (!page_ok(hpa)) {
		vm_fail(cpu, ERROR_VMCLEAR_ADDRESS);
	} else if (hpa == hw->vmxon_ptr) {
		vm_fail(cpu, ERROR_VMCLEAR_VMXON);
	} else {
		if (hpa == hw->current.hpa)
			current_store(cpu);
		region_clear(hpa);
		vm_succeed(cpu);
	}
}

static void do_vmptrld(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	uint64_t hpa;

	if (operand_read(cpu, &hpa, sizeof(hpa)))
		return;
	if (!page_ok(hpa)) {
		vm_fail(cpu, ERROR_VMPTRLD_ADDRESS);
	} else if (hpa == hw->vmxon_ptr) {
		vm_fail(cpu, ERROR_VMPTRLD_VMXON);
	} else if (revision_at(hpa) != VMX_REVISION) {
		vm_fail(cpu, ERROR_VMPTRLD_REVISION);
	} else if (hpa != hw->current.hpa && !current_load(cpu, hpa)) {
		vm_fail(cpu, ERROR_VMPTRLD_ADDRESS);
	} else {
		vm_succeed(cpu);
	}
}

static void do_vmptrst(struct cpu *cpu)
{
	if (!operand_write(cpu, &cpu->hw->current.hpa, sizeof(uint64_t)))
		vm_succeed(cpu);
}

/* The field that a VMREAD or VMWRITE names, or -1 with the failure told. */
static int named_field(struct cpu *cpu, uint64_t encoding)
{
	int field;

	if (cpu->hw->current.hpa == NO_VMCS) {
		fail_invalid(cpu);
		return -1;
	}
	field = field_find(encoding);
	if (field < 0)
		vm_fail(cpu, ERROR_UNSUPPORTED_FIELD);
	return field;
}

static uint64_t encoding_operand(struct cpu *cpu)
{
	uint64_t e = *operand_reg(cpu, REG2_SHIFT);

	return hw_host_mode(cpu) == DECODE_64 ? e : (uint32_t)e;
}

static void do_vmread(struct cpu *cpu)
{
	bool is_64 = hw_host_mode(cpu) == DECODE_64;
	uint64_t encoding = encoding_operand(cpu);
	int field = named_field(cpu, encoding);
	uint64_t value;

	if (field < 0)
		return;
	value = current_read(cpu, (unsigned int)field);
	if (encoding & FIELD_HIGH)
		value >>= 32;
	if (operand_is_register())
		*operand_reg(cpu, REG1_SHIFT) = is_64 ? value : (uint32_t)value;
	else if (operand_write(cpu, &value, is_64 ? sizeof(uint64_t) : sizeof(uint32_t)))
		return;
	vm_succeed(cpu);
}

static void do_vmwrite(struct cpu *cpu)
{
	bool is_64 = hw_host_mode(cpu) == DECODE_64;
	uint64_t encoding = encoding_operand(cpu);
	uint64_t value = 0;
	int field;

	if (cpu->hw->current.hpa == NO_VMCS) {
		fail_invalid(cpu);
		return;
	}
	if (operand_is_register())
		value = *operand_reg(cpu, REG1_SHIFT);
	else if (operand_read(cpu, &value, is_64 ? sizeof(uint64_t) : sizeof(uint32_t)))
		return;
	if (!is_64)
		value = (uint32_t)value;
	field = named_field(cpu, encoding);
	if (field < 0)
		return;
	if (FIELD_TYPE(encoding) == FIELD_TYPE_INFO) {
		vm_fail(cpu, ERROR_READ_ONLY_FIELD);
		return;
	}
	value = field_set_value((uint32_t)encoding, current_read(cpu, (unsigned int)field), value);
	current_write(cpu, (unsigned int)field, value);
	vm_succeed(cpu);
}

static bool offered(unsigned int first_bit, uint64_t type, unsigned int types)
{
	return type < types && (l1_caps.ept_vpid >> (first_bit + type) & 1);
}

/* What the hardware has been given in the place of that EPT pointer, if it is another one. */
static bool flush_walked(uint64_t eptp)
{
	hpa_t walked = guest_walked_for(HPA(eptp & TABLE_ADDR_MASK));

	return !walked.a || vmx_invept(INV_SINGLE, (eptp & ~TABLE_ADDR_MASK) | walked.a);
}

/*
 * L1's tables are what the hardware walks, but for the roots of isolated guests. A pointer with bits that VM
 * entry would refuse is refused here; to which memory it leads does not matter.
 */
static void do_invept(struct cpu *cpu)
{
	uint64_t type = *operand_reg(cpu, REG2_SHIFT);
	uint64_t operand[2];

	if (!offered(24, type, INVEPT_TYPES) || !type) {
		vm_fail(cpu, ERROR_INV_OPERAND);
		return;
	}
	if (operand_read(cpu, operand, sizeof(operand)))
		return;
	if ((type == INV_SINGLE && !eptp_ok(operand[0], &l1_caps)) ||
	    !vmx_invept(type, operand[0]) || (type == INV_SINGLE && !flush_walked(operand[0])))
		vm_fail(cpu, ERROR_INV_OPERAND);
	else
		vm_succeed(cpu);
}

static bool canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

/* VPIDs are the monitor's own (R3): all guests on this CPU get fresh ones. */
static void do_invvpid(struct cpu *cpu)
{
	uint64_t type = *operand_reg(cpu, REG2_SHIFT);
	uint64_t operand[2];

	if (!offered(40, type, INVVPID_TYPES)) {
		vm_fail(cpu, ERROR_INV_OPERAND);
		return;
	}
	if (operand_read(cpu, operand, sizeof(operand)))
		return;
	if (operand[0] >> 16 || (type != INV_ALL && !operand[0]) ||
	    (type == INV_ADDRESS && !canonical(operand[1]))) {
		vm_fail(cpu, ERROR_INV_OPERAND);
		return;
	}
	tags_forget(&cpu->hw->vpids);
	vm_succeed(cpu);
}

/* L1 has no monitor of its own in SMM to call. */
void vmx_vmcall(struct cpu *cpu)
{
	if (may_execute(cpu, false))
		vm_fail(cpu, ERROR_VMCALL_IN_ROOT);
}

void vmx_instruction(struct cpu *cpu, unsigned int reason)
{
	if (!may_execute(cpu, reason == REASON_VMXON))
		return;
	if (reason == REASON_VMXON && !cpu->hw->vmxon && !vmxon_registers(cpu))
		return;
	switch (reason) {
	case REASON_VMXON:
		do_vmxon(cpu);
		break;
	case REASON_VMXOFF:
		do_vmxoff(cpu);
		break;
	case REASON_VMCLEAR:
		do_vmclear(cpu);
		break;
	case REASON_VMPTRLD:
		do_vmptrld(cpu);
		break;
	case REASON_VMPTRST:
		do_vmptrst(cpu);
		break;
	case REASON_VMREAD:
		do_vmread(cpu);
		break;
	case REASON_VMWRITE:
		do_vmwrite(cpu);
		break;
	case REASON_INVEPT:
		do_invept(cpu);
		break;
	case REASON_INVVPID:
		do_invvpid(cpu);
		break;
	default:
		vmx_launch(cpu, reason == REASON_VMLAUNCH);
	}
}
