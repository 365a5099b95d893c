/* SPDX-License-Identifier: Apache-2.0 */
/* L1's exits: VMX's own instructions, registers and MSRs here, the rest above (exit.c). */
#include "monitor/exit.h"
#include "monitor/log.h"
#include "monitor/reset.h"
#include "monitor/vmx/vmx.h"

#define CPUID_SMX_ECX (1u << 6) /* leaf 1 */
#define CPUID_SGX_EBX (1u << 2) /* leaf 7 from here */
#define CPUID_PT_EBX (1u << 25) /* Processor Trace */
#define CPUID_CET_SS_ECX (1u << 7)
#define CPUID_WAITPKG_ECX (1u << 5)
#define CPUID_PKS_ECX (1u << 31)
#define CPUID_CET_IBT_EDX (1u << 20)
#define CPUID_PCONFIG_EDX (1u << 18)
#define CPUID_UINTR_EDX (1u << 5)

static void host_exit(struct cpu *cpu, uint32_t reason)
{
	uint64_t q = vmx_read(VMCS_EXIT_QUALIFICATION);
	struct exit exit = {.reason = vmx_reason(reason, 0)};

	if (reason == REASON_EPT_VIOLATION) {
		exit.fault = HPA(vmx_read(VMCS_GUEST_PHYSICAL));
		exit.write = q & VIOLATION_WRITE;
		exit.in_walk = (q & VIOLATION_LINEAR) && !(q & VIOLATION_FINAL);
	}
	exit_host(cpu, &exit);
}

static _Noreturn void invalid_state(const struct cpu *cpu, uint32_t reason)
{
	log_line(
		"L1 is in a state that the CPU refuses (reason %x, %lx), at rip %lx: resetting the "
		"machine",
		reason, vmx_read(VMCS_EXIT_QUALIFICATION), cpu->regs.rip);
	reset_machine();
}

void vmx_host_exit(struct cpu *cpu)
{
	uint32_t reason = (uint32_t)vmx_read(VMCS_EXIT_REASON);

	switch (reason) {
	case REASON_EXCEPTION: /* the monitor asks for NMIs only */
	case REASON_INIT:
		vmx_nmi_exit(cpu);
		break;
	case REASON_NMI_WINDOW:
		break; /* vmx_deliver() */
	case REASON_VMCLEAR:
	case REASON_VMLAUNCH:
	case REASON_VMPTRLD:
	case REASON_VMPTRST:
	case REASON_VMREAD:
	case REASON_VMRESUME:
	case REASON_VMWRITE:
	case REASON_VMXOFF:
	case REASON_VMXON:
	case REASON_INVEPT:
	case REASON_INVVPID:
		vmx_instruction(cpu, reason);
		break;
	case REASON_CR:
		host_cr_exit(cpu);
		break;
	case REASON_XSETBV:
		host_xsetbv(cpu);
		break;
	case REASON_GETSEC:
		hw_host_inject(cpu, VECTOR_UD, 0);
		break;
	case REASON_TASK_SWITCH:
		log_provoked("refused: a hardware task switch at rip %lx", cpu->regs.rip);
		hw_host_inject(cpu, VECTOR_GP, 0);
		break;
	default:
		if (reason & REASON_ENTRY_FAILED)
			invalid_state(cpu, reason);
		host_exit(cpu, reason);
	}
}

void hw_host_complete(struct cpu *cpu, unsigned int len)
{
	uint64_t blocked = vmx_read(VMCS_GUEST_INTERRUPTIBILITY);

	cpu->regs.rip += len;
	if (hw_host_mode(cpu) != DECODE_64)
		cpu->regs.rip &= UINT32_MAX;
	if (blocked & (BLOCKED_STI | BLOCKED_MOV_SS))
		vmx_write(VMCS_GUEST_INTERRUPTIBILITY,
			  blocked & ~(uint64_t)(BLOCKED_STI | BLOCKED_MOV_SS));
	if (cpu->regs.rflags & RFLAGS_TF)
		vmx_write(VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_STEP);
}

void hw_host_inject(struct cpu *cpu, unsigned int vector, uint32_t error_code)
{
	uint32_t event = EVENT_VALID | EVENT_TYPE_EXCEPTION << 8 | vector;
	bool has_error = vector == VECTOR_GP || vector == VECTOR_PF || vector == VECTOR_SS;

	if (has_error && !hw_host_real_mode(cpu)) {
		event |= EVENT_HAS_ERROR;
		vmx_write(VMCS_ENTRY_ERROR_CODE, error_code);
	}
	vmx_write(VMCS_ENTRY_EVENT, event);
}

int hw_host_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	(void)cpu;
	if (msr >= MSR_VMX_BASIC && msr <= MSR_VMX_LAST)
		return caps_msr(msr, value);
	if (types_is_mtrr(msr))
		return types_get(msr, value);
	if (msr == MSR_FEATURE_CONTROL) {
		*value = FEATURE_LOCKED | FEATURE_VMXON;
		return 0;
	}
	return ERR_NOENT;
}

int hw_host_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	(void)cpu;
	if (msr == MSR_FEATURE_CONTROL || (msr >= MSR_VMX_BASIC && msr <= MSR_VMX_LAST))
		return ERR_INVAL;
	if (types_is_mtrr(msr))
		return types_set(msr, value);
	return ERR_NOENT;
}

/*
 * Features that need VMX controls or state the monitor does not switch: SMX, SGX, Processor Trace,
 * shadow stacks, and what is newer and like them.
 */
void hw_host_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
	(void)cpu;
	*out = arch_cpuid(leaf, subleaf);
	if (leaf == 1)
		out->c &= ~CPUID_SMX_ECX;
	if (leaf != 7 || subleaf)
		return;
	out->b &= ~(CPUID_SGX_EBX | CPUID_PT_EBX);
	out->c &= ~(CPUID_CET_SS_ECX | CPUID_PKS_ECX);
	if (!(hw_caps.cpu2.may & CPU2_USER_WAIT))
		out->c &= ~CPUID_WAITPKG_ECX;
	out->d &= ~(CPUID_CET_IBT_EDX | CPUID_PCONFIG_EDX | CPUID_UINTR_EDX);
}
