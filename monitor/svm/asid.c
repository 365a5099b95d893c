/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ASIDs are the monitor's own, never L1's (R3). Each CPU hands them out in order; a vCPU keeps its
 * number until L1 asks for a flush, gives it another number, moves it to another CPU, or the CPU
 * runs out. So a flush costs a new number, and the hardware flushes only once a round.
 */
#include "monitor/svm/svm.h"

void svm_asid_init(struct hw_cpu *hw)
{
	hw->generation = 1;
	hw->next_asid = ASID_HOST + 1;
	hw->flush = true;
}

void svm_asid_forget_guests(struct hw_cpu *hw)
{
	hw->generation++;
}

void svm_asid_assign(struct cpu *cpu, struct guest_vcpu *v, uint32_t l1_asid, bool flush)
{
	struct hw_cpu *hw = cpu->hw;
	struct hw_vcpu *s = v->hw;

	if (flush)
		svm_asid_forget_guests(hw);
	if (s->cpu == cpu->index && s->generation == hw->generation && s->l1_asid == l1_asid &&
	    !v->fresh)
		return;
	if (hw->next_asid == svm_features.asids) {
		svm_asid_forget_guests(hw);
		hw->next_asid = ASID_HOST + 1;
		hw->flush = true;
	}
	s->asid = hw->next_asid++;
	s->cpu = cpu->index;
	s->generation = hw->generation;
	s->l1_asid = l1_asid;
}

/* For the entry that follows now. */
uint32_t svm_asid_tlb_control(struct hw_cpu *hw)
{
	bool flush = hw->flush;

	hw->flush = false;
	return flush ? TLB_CONTROL_FLUSH_ALL : TLB_CONTROL_NONE;
}
