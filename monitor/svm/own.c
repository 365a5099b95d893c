/* SPDX-License-Identifier: Apache-2.0 */
/* Exits of L2 that L1 gets nothing of: those that only the monitor wanted. */
#include "monitor/exit.h"
#include "monitor/log.h"
#include "monitor/svm/svm.h"

/*
 * L2 executes CLGI that neither L1 intercepts nor virtual GIF covers: physical interrupts are held
 * back as for L1 (gif.c), virtual ones by the virtual GIF that L1 did not ask for.
 */
static void clear_guest_gif(struct cpu *cpu)
{
	struct vmcb_control *c = &svm_current(cpu)->c;

	cpu->hw->guest_gif = false;
	c->int_ctl = (c->int_ctl & ~V_GIF) | V_INTR_MASKING | V_GIF_ENABLE;
}

static void set_guest_gif(struct cpu *cpu)
{
	struct vmcb_control *c = &svm_current(cpu)->c;

	cpu->hw->guest_gif = true;
	c->int_ctl &= ~(V_INTR_MASKING | V_GIF_ENABLE | V_GIF);
	c->int_ctl |= cpu->hw->request.int_ctl & V_INTR_MASKING;
}

/* L2 raises an exception, which exits to L1 if L1 intercepts it. */
static void raise_in_guest(struct cpu *cpu, unsigned int vector)
{
	struct vmcb_control *c = &svm_current(cpu)->c;

	if (cpu->hw->request.exceptions >> vector & 1) {
		c->exit_code = VMEXIT_EXCEPTION + vector;
		c->exit_info1 = 0;
		c->exit_info2 = 0;
		svm_reflect(cpu);
		return;
	}
	c->event_inj = EVENT_VALID | EVENT_TYPE_EXCEPTION << 8 | vector;
	if (vector == VECTOR_GP)
		c->event_inj |= EVENT_ERROR_VALID;
}

void hw_guest_complete(struct cpu *cpu)
{
	struct vmcb *vmcb = svm_current(cpu);
	int len = svm_insn_len(cpu, vmcb);

	if (len <= 0) {
		raise_in_guest(cpu, VECTOR_GP);
		return;
	}
	cpu->regs.rip += (unsigned int)len;
	vmcb->c.int_state &= ~INT_STATE_SHADOW;
}

/* L2 without EFER.SVME is undefined (APM volume 2, 3.1.7): refused, whatever L1 leaves open. */
static void guest_efer(struct cpu *cpu)
{
	struct vmcb_save *s = &svm_current(cpu)->s;
	uint64_t value = (uint32_t)cpu->regs.r[RAX] | cpu->regs.r[RDX] << 32;
	bool lme_changes = (value ^ s->efer) & EFER_LME;

	if (!(value & EFER_SVME) || (value & ~(uint64_t)SVM_EFER_DEFINED) ||
	    (lme_changes && (s->cr0 & CR0_PG))) {
		raise_in_guest(cpu, VECTOR_GP);
		return;
	}
	s->efer = (value & ~(uint64_t)EFER_LMA) | (s->efer & EFER_LMA);
	hw_guest_complete(cpu);
}

/* An MSR that L1 leaves to its guest, but the monitor does not leave to the hardware. */
static void guest_msr(struct cpu *cpu, bool write)
{
	struct vmcb_save *s = &svm_current(cpu)->s;

	if (cpu->hw->running->guest->isolated && (uint32_t)cpu->regs.r[RCX] != MSR_EFER) {
		raise_in_guest(cpu, VECTOR_GP); /* L1's, or the monitor's */
	} else if (cpu->hw->running->guest->isolated && !write) {
		cpu->regs.r[RAX] = (uint32_t)s->efer & ~EFER_SVME;
		cpu->regs.r[RDX] = s->efer >> 32;
		hw_guest_complete(cpu);
	} else if (write && (uint32_t)cpu->regs.r[RCX] == MSR_EFER)
		guest_efer(cpu);
	else if (msr_access(cpu, write))
		raise_in_guest(cpu, VECTOR_GP);
	else
		hw_guest_complete(cpu);
}

/* L2's VMLOAD or VMSAVE, which L1 left to it: like L1's own, on L1's memory. */
static void guest_vmload_vmsave(struct cpu *cpu, bool save)
{
	if (svm_load_save(cpu->regs.r[RAX], save))
		raise_in_guest(cpu, VECTOR_GP);
	else
		hw_guest_complete(cpu);
}

/* Exits that only the monitor wanted: as if L1's own setting were in force. */
void svm_own_exit(struct cpu *cpu)
{
	struct vmcb *vmcb = svm_current(cpu);

	switch (vmcb->c.exit_code) {
	case VMEXIT_NMI:
	case VMEXIT_INIT:
		svm_nmi_exit(cpu);
		break;
	case VMEXIT_INVD:
		__asm__ volatile("wbinvd" ::: "memory");
		hw_guest_complete(cpu);
		break;
	case VMEXIT_INVLPGA:
		tags_forget(&cpu->hw->asids);
		hw_guest_complete(cpu);
		break;
	case VMEXIT_MSR:
		guest_msr(cpu, vmcb->c.exit_info1 & 1);
		break;
	case VMEXIT_VMLOAD:
		guest_vmload_vmsave(cpu, false);
		break;
	case VMEXIT_VMSAVE:
		guest_vmload_vmsave(cpu, true);
		break;
	case VMEXIT_STGI:
		set_guest_gif(cpu);
		hw_guest_complete(cpu);
		break;
	case VMEXIT_SKINIT:
		raise_in_guest(cpu, VECTOR_UD);
		break;
	case VMEXIT_NPF:
		/* Of a guest without nested paging, which runs on L1's own table. */
		if (!exit_may_repeat(cpu, HPA(vmcb->c.exit_info2)))
			raise_in_guest(cpu, VECTOR_GP);
		break;
	case VMEXIT_SHUTDOWN:
		/* Without L1's intercept a guest's triple fault is the processor's: L1 is gone. */
		log_provoked("guest %lu shut the processor down", cpu->hw->running->guest->id);
		vmcb->c.exit_code = VMEXIT_SHUTDOWN;
		svm_reflect(cpu);
		break;
	case VMEXIT_CLGI:
		if (svm_has(SVM_FEATURE_VGIF)) {
			clear_guest_gif(cpu);
			hw_guest_complete(cpu);
			break;
		}
		/* fall through */
	default:
		guest_end(cpu->hw->running->guest, STOP_UNKNOWN_EXIT);
		svm_end_run(cpu);
	}
}

/* Exits of an isolated guest that L1 has no part in. */
bool svm_hidden_exit(struct cpu *cpu)
{
	uint64_t code = svm_current(cpu)->c.exit_code;

	if (code >= VMEXIT_DR_READ && code < VMEXIT_EXCEPTION) {
		svm_hide_debug(cpu);
	} else if ((code >= VMEXIT_VMRUN && code <= VMEXIT_SKINIT && code != VMEXIT_VMMCALL) ||
		   code == VMEXIT_INVLPGA) {
		raise_in_guest(cpu, VECTOR_UD); /* SVM is not offered */
	} else if (code == VMEXIT_INVALID) {
		guest_end(cpu->hw->running->guest, STOP_REGISTERS);
		svm_end_run(cpu);
	} else {
		return false;
	}
	return true;
}
