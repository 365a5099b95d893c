/* SPDX-License-Identifier: Apache-2.0 */
/* L1's exits: VMX's own instructions, registers and MSRs here, the rest above (exit.c). */
#include "monitor/exit.h"
#include "monitor/log.h"
#include "monitor/reset.h"
#include "monitor/vmx/vmx.h"

static void host_exit(struct cpu *cpu, uint32_t reason)
{
	uint64_t q = vmx_read(VMCS_EXIT_QUALIFICATION);
	struct exit exit = {.reason = vmx_reason(reason, 0)};

	if (reason == REASON_EPT_VIOLATION) {
		exit.fault = HPA(vmx_read(VMCS_GUEST_PHYSICAL));
		exit.write = q & VIOLATION_WRITE;
		exit.in_walk = (q & VIOLATION_LINEAR) && !(q & VIOLATION_FINAL);
	}
	if (reason == REASON_PORT) {
		exit.port = PORT_NUMBER(q);
		exit.size = PORT_SIZE(q);
		exit.in = q & PORT_IS_IN;
		exit.string = q & PORT_STRING;
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
	case REASON_EXCEPTION: /* the monitor asks for NMIs, and for #NM while it is armed */
		if (EVENT_VECTOR(vmx_read(VMCS_EXIT_EVENT)) == VECTOR_NM)
			fpu_give(cpu); /* it does it again */
		else
			vmx_nmi_exit(cpu);
		break;
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
		if (cpu->hw->fpu_armed)
			fpu_give(cpu);
		else
			host_cr_exit(cpu);
		break;
	case REASON_XSETBV:
		host_xsetbv(cpu);
		break;
	case REASON_ENCLS: /* no SGX: hidden.c */
	case REASON_GETSEC:
	case REASON_SEAMCALL:
	case REASON_TDCALL:
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

void hw_host_inject(struct cpu *cpu, unsigned int vector, uint32_t error_code)
{
	uint32_t event = EVENT_VALID | EVENT_TYPE_EXCEPTION << 8 | vector;
	bool has_error = vector == VECTOR_GP || vector == VECTOR_PF || vector == VECTOR_SS;

	if (has_error && !host_real_mode()) {
		event |= EVENT_HAS_ERROR;
		vmx_write(VMCS_ENTRY_ERROR_CODE, error_code);
	}
	vmx_write(VMCS_ENTRY_EVENT, event);
}

void hw_host_complete(struct cpu *cpu, unsigned int len)
{
	vmx_complete(cpu, len);
}

void hw_host_no_hypercall(struct cpu *cpu)
{
	vmx_vmcall(cpu);
}

int hw_host_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	(void)cpu;
	if (msr >= MSR_VMX_BASIC && msr <= MSR_VMX_LAST)
		return caps_msr(msr, value);
	if (caps_hides_msr(msr))
		return ERR_INVAL;
	if (msr == MSR_DEBUGCTL) { /* L1's, or its guest's: whose VMCS is current */
		*value = vmx_read(VMCS_GUEST_DEBUGCTL);
		return 0;
	}
	if (msr == MSR_FEATURE_CONTROL) {
		*value = FEATURE_LOCKED | FEATURE_VMXON;
		return 0;
	}
	return ERR_NOENT;
}

int hw_host_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	(void)cpu;
	if (msr == MSR_FEATURE_CONTROL || (msr >= MSR_VMX_BASIC && msr <= MSR_VMX_LAST) ||
	    caps_hides_msr(msr) || (msr == MSR_XSS && !caps_xss_ok(value)))
		return ERR_INVAL;
	if (msr == MSR_DEBUGCTL) {
		vmx_write(VMCS_GUEST_DEBUGCTL, value);
		return 0;
	}
	return ERR_NOENT;
}

void hw_host_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
	(void)cpu;
	*out = arch_cpuid(leaf, subleaf);
	caps_hide_cpuid(leaf, subleaf, out);
}
