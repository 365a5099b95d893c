/* SPDX-License-Identifier: Apache-2.0 */
/* The loop of every CPU: enter L1 or L2, see why it came out, act, enter again. */
#include "monitor/account.h"
#include "monitor/svm/svm.h"

struct vmcb *svm_current(const struct cpu *cpu)
{
	return cpu->hw->running ? cpu->hw->running->hw->vmcb : cpu->hw->vmcb;
}

void svm_load_regs(struct cpu *cpu)
{
	const struct vmcb_save *s = &svm_current(cpu)->s;

	cpu->regs.r[RAX] = s->rax;
	cpu->regs.r[RSP] = s->rsp;
	cpu->regs.rip = s->rip;
	cpu->regs.rflags = s->rflags;
}

void svm_store_regs(struct cpu *cpu)
{
	struct vmcb_save *s = &svm_current(cpu)->s;

	s->rax = cpu->regs.r[RAX];
	s->rsp = cpu->regs.r[RSP];
	s->rip = cpu->regs.rip;
	s->rflags = cpu->regs.rflags;
}

/*
 * An event whose delivery an exit cut short is delivered again: an interrupt, an NMI, an exception,
 * and whatever this entry injected. An INT instruction's is not, since RIP is still at the
 * instruction and it will be executed again (APM volume 2, 15.7.2).
 */
static void redeliver(struct vmcb *vmcb, uint64_t injected)
{
	uint64_t event = vmcb->c.exit_int_info;
	bool again = EVENT_TYPE(event) == EVENT_TYPE_INTR || EVENT_TYPE(event) == EVENT_TYPE_NMI ||
		     (EVENT_TYPE(event) == EVENT_TYPE_EXCEPTION &&
		      EVENT_VECTOR(event) != VECTOR_BP && EVENT_VECTOR(event) != VECTOR_OF);

	if (!(event & EVENT_VALID))
		return;
	if ((again || event == injected) && !(vmcb->c.event_inj & EVENT_VALID))
		vmcb->c.event_inj = event;
	vmcb->c.exit_int_info = 0;
}

static void enter(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;
	struct vmcb *vmcb = svm_current(cpu);
	uint64_t hpa = hw->running ? hw->running->hw->vmcb_hpa : hw->vmcb_hpa;
	/* Physical interrupts during L2 are masked by L1's IF if L1 set V_INTR_MASKING. */
	bool interrupts = hw->running && hw->guest_gif && (hw->vmcb->s.rflags & RFLAGS_IF);

	redeliver(vmcb, hw->injected);
	hw->injected = vmcb->c.event_inj;
	svm_store_regs(cpu);
	vmcb->c.tlb_control = hw->asids.flush ? TLB_CONTROL_FLUSH_ALL : TLB_CONTROL_NONE;
	hw->asids.flush = false;
	vmcb->c.clean = 0;
	/* TCG runs SMM's code inside L1, exits included, with an EFER of 0 (docs/hardware.md). */
	if (!hw->running)
		vmcb->s.efer |= EFER_SVME;
	account_end(cpu);
	svm_enter(&cpu->regs, hpa, interrupts);
	account_exit(cpu, hw->running ? &hw->running->stats : &cpu->stats, svm_reason(vmcb),
		     arch_rdtsc());
	svm_load_regs(cpu);
	if (!svm_has(SVM_FEATURE_NRIPS))
		vmcb->c.next_rip = 0;
	if (!hw->running)
		svm_gif_sync(cpu);
	/* TCG writes the code of an invalid VMCB as 32 bits. */
	if ((uint32_t)vmcb->c.exit_code == UINT32_MAX)
		vmcb->c.exit_code = VMEXIT_INVALID;
}

/* Whether the guest can be entered just now. */
static bool ready(struct cpu *cpu)
{
	switch (guest_enter(cpu, cpu->hw->running)) {
	case GUEST_ENTRY_OK:
		svm_unhide(cpu);
		return true;
	case GUEST_ENTRY_EXIT:
		svm_ask(cpu);
		break;
	case GUEST_ENTRY_OVER:
		svm_end_run(cpu);
		break;
	case GUEST_ENTRY_AGAIN:
		break;
	}
	return false;
}

_Noreturn void hw_run(struct cpu *cpu)
{
	for (;;) {
		svm_deliver(cpu);
		if (cpu->hw->running && !ready(cpu))
			continue;
		enter(cpu);
		if (cpu->hw->running)
			svm_guest_exit(cpu);
		else
			svm_host_exit(cpu);
	}
}
