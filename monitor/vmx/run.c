/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of every CPU: enter L1 or L2, see why it came out, act, enter again. */
#include "monitor/account.h"
#include "monitor/panic.h"
#include "monitor/vmx/vmx.h"

void vmx_load_regs(struct cpu *cpu)
{
	cpu->regs.r[RSP] = vmx_read(VMCS_GUEST_RSP);
	cpu->regs.rip = vmx_read(VMCS_GUEST_RIP);
	cpu->regs.rflags = vmx_read(VMCS_GUEST_RFLAGS);
}

static void store_regs(const struct cpu *cpu)
{
	vmx_write(VMCS_GUEST_RSP, cpu->regs.r[RSP]);
	vmx_write(VMCS_GUEST_RIP, cpu->regs.rip);
	vmx_write(VMCS_GUEST_RFLAGS, cpu->regs.rflags);
}

/* An IRET that unblocked NMIs and then faulted is executed again: SDM vol. 3, 28.2.3. */
static void block_nmi_again(void)
{
	if ((uint16_t)vmx_read(VMCS_EXIT_REASON) == REASON_EPT_VIOLATION &&
	    (vmx_read(VMCS_EXIT_QUALIFICATION) & VIOLATION_UNBLOCKED))
		vmx_write(VMCS_GUEST_INTERRUPTIBILITY,
			  vmx_read(VMCS_GUEST_INTERRUPTIBILITY) | BLOCKED_NMI);
}

/* SDM vol. 3, 28.2.4. */
void vmx_redeliver(void)
{
	uint64_t event = vmx_read(VMCS_VECTORING_EVENT);

	if (!(event & EVENT_VALID)) {
		block_nmi_again();
		return;
	}
	if (vmx_read(VMCS_ENTRY_EVENT) & EVENT_VALID)
		return;
	vmx_write(VMCS_ENTRY_EVENT, event & ~(uint64_t)EVENT_NMI_UNBLOCKED);
	if (EVENT_TYPE(event) == EVENT_TYPE_NMI)
		vmx_write(VMCS_GUEST_INTERRUPTIBILITY,
			  vmx_read(VMCS_GUEST_INTERRUPTIBILITY) & ~(uint64_t)BLOCKED_NMI);
	vmx_write(VMCS_ENTRY_INSN_LEN, vmx_read(VMCS_EXIT_INSN_LEN));
	if (event & EVENT_HAS_ERROR)
		vmx_write(VMCS_ENTRY_ERROR_CODE, vmx_read(VMCS_VECTORING_ERROR_CODE));
}

static void act(struct cpu *cpu)
{
	struct guest_vcpu *v = cpu->hw->running;

	if (v)
		vmx_guest_exit(cpu);
	else
		vmx_host_exit(cpu);
	/* Whoever it was goes on: had it not, its events would be L1's business now. */
	if (cpu->hw->running == v)
		vmx_redeliver();
}

static void refused(struct cpu *cpu)
{
	if (cpu->hw->running)
		vmx_guest_refused(cpu);
	else
		panic("the CPU refuses L1's VMCS");
}

static enum enter_result enter(struct cpu *cpu)
{
	struct vmcs *vmcs = cpu->hw->running ? &cpu->hw->running->hw->vmcs : &cpu->hw->l1;
	enum enter_result result;
	uint32_t reason;

	store_regs(cpu);
	account_end(cpu);
	result = vmx_enter(&cpu->regs, vmcs->launched, &cpu->nmi_seen);
	if (result != ENTER_DONE)
		return result;
	reason = (uint32_t)vmx_read(VMCS_EXIT_REASON);
	account_exit(cpu, cpu->hw->running ? &cpu->hw->running->stats : &cpu->stats,
		     vmx_reason(reason, (uint32_t)vmx_read(VMCS_EXIT_EVENT)), arch_rdtsc());
	/* A failed entry leaves the VMCS as clear as it was. */
	if (!(reason & REASON_ENTRY_FAILED))
		vmcs->launched = true;
	vmx_load_regs(cpu);
	return ENTER_DONE;
}

/* Whether the guest can be entered just now. */
static bool ready(struct cpu *cpu)
{
	enum guest_entry entry = guest_enter(cpu, cpu->hw->running);

	if (entry == GUEST_ENTRY_AGAIN)
		return false;
	if (entry == GUEST_ENTRY_EXIT) {
		vmx_ask(cpu);
		return false;
	}
	if (entry == GUEST_ENTRY_OVER || !vmx_pages_ok(cpu)) {
		vmx_end_run(cpu);
		return false;
	}
	vmx_regs_restore(cpu);
	vmx_unhide(cpu);
	return true;
}

_Noreturn void hw_run(struct cpu *cpu)
{
	for (;;) {
		vmx_deliver(cpu);
		if (cpu->hw->running && !ready(cpu))
			continue;
		switch (enter(cpu)) {
		case ENTER_DONE:
			act(cpu);
			break;
		case ENTER_REFUSED:
			refused(cpu);
			break;
		case ENTER_NMI:
			break;
		}
	}
}
