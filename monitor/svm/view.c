/* SPDX-License-Identifier: Apache-2.0 */
/* The guest that runs on this CPU, as disclose.c wants to see it. */
#include "monitor/digest.h"
#include "monitor/svm/svm.h"

#define ATTR_PRESENT (1u << 7)

void hw_guest_space(const struct cpu *cpu, struct walk_space *space)
{
	svm_space(cpu, svm_current(cpu), space);
	space->efer &= ~(uint64_t)EFER_SVME;
	if (cpu->hw->pae_forced)
		space->cr4 &= ~(uint64_t)CR4_PAE;
}

enum decode_mode hw_guest_mode(const struct cpu *cpu)
{
	return svm_mode(svm_current(cpu));
}

uint64_t hw_guest_segment(const struct cpu *cpu, unsigned int seg)
{
	return svm_segment(svm_current(cpu), seg);
}

int hw_guest_insn_len(struct cpu *cpu)
{
	return svm_insn_len(cpu, svm_current(cpu));
}

static void put_segment(uint64_t *state, const struct vmcb_seg *seg)
{
	bool usable = seg->attrib & ATTR_PRESENT;

	state[0] = usable ? seg->selector : 0;
	state[1] = usable ? seg->base : 0;
	state[2] = usable ? seg->limit : 0;
	state[3] = usable ? seg->attrib : 0;
}

void hw_guest_state(struct cpu *cpu, uint64_t *state)
{
	struct hw_vcpu *v = cpu->hw->running->hw;
	const struct vmcb_save *s = &v->vmcb->s;
	const struct vmcb_seg *const seg[] = {&s->es, &s->cs, &s->ss,   &s->ds,
					      &s->fs, &s->gs, &s->ldtr, &s->tr};

	if (!v->hidden) /* FS, GS, LDTR and TR */
		__asm__ volatile("vmsave %0" ::"a"(v->vmcb_hpa) : "memory");
	for (unsigned int i = 0; i < 16; i++)
		state[DIGEST_GPR + i] = cpu->regs.r[i];
	state[DIGEST_RIP] = cpu->regs.rip;
	state[DIGEST_RFLAGS] = cpu->regs.rflags;
	state[DIGEST_CR0] = s->cr0;
	state[DIGEST_CR3] = s->cr3;
	state[DIGEST_CR4] = s->cr4;
	state[DIGEST_EFER] = s->efer & ~(uint64_t)EFER_SVME;
	state[DIGEST_PAT] = s->pat;
	state[DIGEST_DR7] = s->dr7;
	for (unsigned int i = 0; i < 8; i++)
		put_segment(&state[DIGEST_SEGMENT + 4 * i], seg[i]);
	state[DIGEST_GDTR] = s->gdtr.base;
	state[DIGEST_GDTR + 1] = s->gdtr.limit;
	state[DIGEST_IDTR] = s->idtr.base;
	state[DIGEST_IDTR + 1] = s->idtr.limit;
}
