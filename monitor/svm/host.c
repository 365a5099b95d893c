/* SPDX-License-Identifier: Apache-2.0 */
/* L1's exits: SVM's own instructions and MSRs here, the rest above (exit.c). */
#include "ept/phys.h"
#include "monitor/exit.h"
#include "monitor/log.h"
#include "monitor/reset.h"
#include "monitor/svm/svm.h"

#define CPUID_EXTENDED 0x80000001u
#define CPUID_FFXSR_EDX (1u << 25)
#define CPUID_TCE_ECX (1u << 17)
#define CPUID_NX_EDX (1u << 20)
#define EFER_FFXSR (1u << 14)
#define EFER_TCE (1u << 15)
/* #UD unless L1 has switched SVM on: APM volume 3, at each of the instructions. */
static bool require_svme(struct cpu *cpu)
{
	if (!cpu->hw->svme)
		hw_host_inject(cpu, VECTOR_UD, 0);
	return cpu->hw->svme;
}

/* The state-save instructions run on L1's page itself, which is the host's for as long as it takes. */
int svm_load_save(uint64_t hpa, bool save)
{
	if (page_offset(hpa) ||
	    !owner_all(HPA(hpa), PAGE_SIZE, save ? OWNER_L1_WRITES : OWNER_L1_READS))
		return ERR_INVAL;
	if (save)
		__asm__ volatile("vmsave %0" ::"a"(hpa) : "memory");
	else
		__asm__ volatile("vmload %0" ::"a"(hpa) : "memory");
	return 0;
}

static void vmload_vmsave(struct cpu *cpu, bool save)
{
	uint64_t hpa = cpu->regs.r[RAX];

	if (hw_host_mode(cpu) != DECODE_64)
		hpa = (uint32_t)hpa;
	if (svm_load_save(hpa, save))
		hw_host_inject(cpu, VECTOR_GP, 0);
	else
		exit_complete(cpu);
}

/* An address of ASID 0 is L1's own; of any other, all guests on this CPU get fresh ASIDs. */
static void invlpga(struct cpu *cpu)
{
	if ((uint32_t)cpu->regs.r[RCX])
		tags_forget(&cpu->hw->asids);
	else
		__asm__ volatile("invlpga %0, %1" ::"a"(cpu->regs.r[RAX]), "c"(ASID_HOST));
	exit_complete(cpu);
}

static void svm_instruction(struct cpu *cpu, uint64_t code)
{
	if (!require_svme(cpu))
		return;
	switch (code) {
	case VMEXIT_VMRUN:
		svm_vmrun(cpu);
		break;
	case VMEXIT_VMLOAD:
		vmload_vmsave(cpu, false);
		break;
	case VMEXIT_VMSAVE:
		vmload_vmsave(cpu, true);
		break;
	case VMEXIT_STGI:
		svm_gif_set(cpu);
		exit_complete(cpu);
		break;
	case VMEXIT_CLGI:
		svm_gif_clear(cpu, false);
		exit_complete(cpu);
		break;
	case VMEXIT_INVLPGA:
		invlpga(cpu);
		break;
	default:
		hw_host_inject(cpu, VECTOR_UD, 0);
	}
}

/*
 * QEMU's emulated CPU ends VMRUN as invalid where the manual wants #GP: a MOV to a control register
 * with reserved bits. Anything else is a state that no CPU can run, which L1 has brought about.
 */
static void invalid_state(struct cpu *cpu)
{
	struct decode_insn insn;
	bool again = (cpu->hw->injected & EVENT_VALID) && cpu->hw->invalid_rip == cpu->regs.rip;

	cpu->hw->invalid_rip = cpu->regs.rip;
	if (!again && !svm_decode(cpu, cpu->hw->vmcb, &insn) && insn.op == OP_MOV_TO_CR) {
		hw_host_inject(cpu, VECTOR_GP, 0);
		return;
	}
	log_line("L1 is in a state that the CPU refuses, at rip %lx: resetting the machine",
		 cpu->regs.rip);
	reset_machine();
}

void svm_host_exit(struct cpu *cpu)
{
	const struct vmcb_control *c = &cpu->hw->vmcb->c;
	struct exit exit = {
		.reason = svm_reason(cpu->hw->vmcb),
		.fault = HPA(c->exit_info2),
		.write = c->exit_info1 & NPF_WRITE,
		.in_walk = !(c->exit_info1 & NPF_FINAL),
		.port = IOIO_PORT(c->exit_info1),
		.size = IOIO_SIZE(c->exit_info1),
		.in = c->exit_info1 & IOIO_IN,
		.string = c->exit_info1 & IOIO_STRING,
	};

	switch (c->exit_code) {
	case VMEXIT_INVALID:
		invalid_state(cpu);
		break;
	case VMEXIT_CR_READ:
	case VMEXIT_CR_WRITE:
	case VMEXIT_EXCEPTION + VECTOR_NM:
		fpu_give(cpu); /* it does it again */
		break;
	case VMEXIT_INTR:
		svm_gif_want_exit(cpu);
		break;
	case VMEXIT_NMI:
	case VMEXIT_INIT:
		svm_nmi_exit(cpu);
		break;
	case VMEXIT_IRET:
		svm_iret_exit(cpu);
		break;
	case VMEXIT_VINTR:
		svm_window_exit(cpu);
		break;
	case VMEXIT_VMRUN:
	case VMEXIT_VMLOAD:
	case VMEXIT_VMSAVE:
	case VMEXIT_STGI:
	case VMEXIT_CLGI:
	case VMEXIT_SKINIT:
	case VMEXIT_INVLPGA:
		svm_instruction(cpu, c->exit_code);
		break;
	default:
		exit_host(cpu, &exit);
	}
}

void hw_host_no_hypercall(struct cpu *cpu)
{
	hw_host_inject(cpu, VECTOR_UD, 0);
}

/* L2 with the branch records of its VMCB: DEBUGCTL is there, and the CPU's is L1's. */
static bool own_branches(const struct cpu *cpu)
{
	return svm_current(cpu)->c.virt_ext & VIRT_EXT_LBR;
}

int hw_host_msr_read(struct cpu *cpu, uint32_t msr, uint64_t *value)
{
	const struct hw_cpu *hw = cpu->hw;

	switch (msr) {
	case MSR_EFER:
		*value = (hw->vmcb->s.efer & ~(uint64_t)EFER_SVME) | (hw->svme ? EFER_SVME : 0);
		return 0;
	case MSR_VM_CR:
		*value = hw->vm_cr;
		return 0;
	case MSR_VM_HSAVE_PA:
		*value = hw->hsave_pa;
		return 0;
	case MSR_DEBUGCTL:
		if (!own_branches(cpu))
			return ERR_NOENT;
		*value = svm_current(cpu)->s.dbgctl;
		return 0;
	default:
		return ERR_NOENT;
	}
}

/* APM volume 2, 3.1.7. SVME is L1's in name only: the hardware's stays set. */
static int write_efer(struct cpu *cpu, uint64_t value)
{
	struct hw_cpu *hw = cpu->hw;
	struct vmcb_save *s = &hw->vmcb->s;
	struct cpuid ext = arch_cpuid(CPUID_EXTENDED, 0);
	uint64_t allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_SVME;

	allowed |= ext.d & CPUID_NX_EDX ? EFER_NXE : 0;
	allowed |= ext.d & CPUID_FFXSR_EDX ? EFER_FFXSR : 0;
	allowed |= ext.c & CPUID_TCE_ECX ? EFER_TCE : 0;
	if (value & ~allowed)
		return ERR_INVAL;
	if (((value ^ s->efer) & EFER_LME) && (s->cr0 & CR0_PG))
		return ERR_INVAL;
	if ((value & EFER_SVME) && (hw->vm_cr & VM_CR_SVMDIS))
		return ERR_INVAL;
	hw->svme = value & EFER_SVME;
	if (!hw->svme)
		svm_gif_want_exit(cpu); /* STGI and CLGI have to raise #UD now */
	s->efer = (value & ~(uint64_t)EFER_LMA) | (s->efer & EFER_LMA) | EFER_SVME;
	return 0;
}

/* APM volume 2, 15.30.1. Of its bits L1 has LOCK and SVMDIS; INIT redirection is not offered. */
static int write_vm_cr(struct hw_cpu *hw, uint64_t value)
{
	uint64_t allowed = VM_CR_LOCK | VM_CR_SVMDIS;

	if (value & ~allowed)
		return ERR_INVAL;
	if (hw->vm_cr & VM_CR_LOCK)
		value = hw->vm_cr;
	if ((value & VM_CR_SVMDIS) && hw->svme)
		return ERR_INVAL;
	hw->vm_cr = value;
	return 0;
}

int hw_host_msr_write(struct cpu *cpu, uint32_t msr, uint64_t value)
{
	struct hw_cpu *hw = cpu->hw;

	switch (msr) {
	case MSR_EFER:
		return write_efer(cpu, value);
	case MSR_VM_CR:
		return write_vm_cr(hw, value);
	case MSR_VM_HSAVE_PA:
		/* Kept for L1 to read back; the monitor saves L1's state in its own memory (R18). */
		if (page_offset(value) || !phys_host(HPA(value), PAGE_SIZE))
			return ERR_INVAL;
		hw->hsave_pa = value;
		return 0;
	case MSR_DEBUGCTL:
		if (!own_branches(cpu))
			return ERR_NOENT;
		svm_current(cpu)->s.dbgctl = value;
		return 0;
	case MSR_XSS: /* no state that the monitor switches: hw_host_cpuid() */
		return value ? ERR_INVAL : ERR_NOENT;
	default:
		return ERR_NOENT;
	}
}

void hw_host_cpuid(struct cpu *cpu, uint32_t leaf, uint32_t subleaf, struct cpuid *out)
{
	(void)cpu;
	*out = arch_cpuid(leaf, subleaf);
	svm_hide_cpuid(leaf, subleaf, out);
}
