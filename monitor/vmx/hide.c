/* SPDX-License-Identifier: Apache-2.0 */
/* What accept.c asks of an isolated guest. Of its registers only those of cpu->regs are hidden from L1 as yet. */
#include "monitor/vmx/vmx.h"

#define BLOCKED_INSN (BLOCKED_STI | BLOCKED_MOV_SS)

const bool hw_keeps_guest = false;

struct injection vmx_injection(uint32_t event, uint32_t error)
{
	static const uint8_t type[8] = {INJECTION_INTERRUPT, INJECTION_SOFTWARE, INJECTION_NMI,
					INJECTION_EXCEPTION, INJECTION_SOFTWARE, INJECTION_SOFTWARE,
					INJECTION_SOFTWARE,  INJECTION_SOFTWARE};
	bool has_error = event & EVENT_HAS_ERROR;

	if (!(event & EVENT_VALID))
		return (struct injection){0};
	return (struct injection){.type = type[EVENT_TYPE(event)],
				  .vector = EVENT_VECTOR(event),
				  .has_error = has_error,
				  .error = has_error ? error : 0};
}

/* What L1 has had, and the guest has not taken, is as L1 left it. */
void vmx_hide(struct cpu *cpu, enum exit_reason reason, uint8_t vector)
{
	struct guest_vcpu *v = cpu->hw->running;
	struct guest_exit x = {.reason = reason, .vector = vector};

	if (!v->guest->isolated || v->disclosure->accept != ACCEPT_OWN)
		return;
	if (reason == EXIT_INVALID) {
		cpu->regs = (struct regs){.rflags = RFLAGS_FIXED};
		return;
	}
	x.interrupted = vmx_injection((uint32_t)vmx_read(VMCS_ENTRY_EVENT),
				      (uint32_t)vmx_read(VMCS_ENTRY_ERROR_CODE));
	disclose(cpu, v, &x);
}

void hw_guest_entry(const struct cpu *cpu, struct hw_entry *entry)
{
	uint32_t event = (uint32_t)vmx_read(VMCS_ENTRY_EVENT);

	(void)cpu;
	*entry =
		(struct hw_entry){.event = vmx_injection(event,
							 (uint32_t)vmx_read(VMCS_ENTRY_ERROR_CODE)),
				  .shadow = vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKED_INSN,
				  .idt_base = vmx_read(VMCS_GUEST_IDTR_BASE),
				  .idt_limit = (uint32_t)vmx_read(VMCS_GUEST_IDTR_LIMIT)};
}

void hw_guest_offer(const struct cpu *cpu, struct hw_offer *offer)
{
	*offer = (struct hw_offer){.cs_base = vmx_read(VMCS_GUEST_ES_BASE + 2 * SEG_CS),
				   .cs_selector =
					   (uint16_t)vmx_read(VMCS_GUEST_ES_SELECTOR + 2 * SEG_CS),
				   .rip = cpu->regs.rip,
				   .cr0 = vmx_read(VMCS_GUEST_CR0) & vmx_read(VMCS_CR0_SHADOW),
				   .efer = vmx_read(VMCS_GUEST_EFER)};
}

void hw_guest_reset(struct cpu *cpu, uint8_t vector)
{
	(void)vector; /* offered, and judged */
	vmx_regs_begin(cpu->hw->running);
	cpu->regs = (struct regs){.rflags = RFLAGS_FIXED};
}

void hw_guest_moved(struct cpu *cpu)
{
	(void)cpu;
	vmx_write(VMCS_GUEST_INTERRUPTIBILITY,
		  vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & ~(uint64_t)BLOCKED_INSN);
}

void hw_guest_takes(struct cpu *cpu, const struct injection *event)
{
	if (event->vector == VECTOR_PF)
		vmx_regs_set_cr2(cpu, vmx_regs_offer_cr2(cpu));
	else if (event->vector == VECTOR_DB)
		vmx_regs_take_debug(cpu);
}

bool hw_guest_control(struct cpu *cpu, uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return true;
}
