/* SPDX-License-Identifier: Apache-2.0 */
/* NMI and INIT for L1, which the monitor holds while L1's GIF is 0. */
#include "monitor/svm/svm.h"

#define NMI_EVENT (EVENT_VALID | EVENT_TYPE_NMI << 8 | VECTOR_NMI)
/* A virtual interrupt that would be taken as soon as L1's IF allows, of the highest priority. */
#define WINDOW (V_IRQ | V_INTR_PRIO_MASK | V_IGN_TPR)

void svm_nmi_window(void);

/* NMI, or INIT that became #SX: both wait in the CPU until they are let in. */
void svm_nmi_exit(struct cpu *cpu)
{
	svm_nmi_window();
	cpu_nmi(cpu);
}

static void set_intercept(struct vmcb *vmcb, uint32_t bit, bool on)
{
	vmcb->c.intercept1 = on ? vmcb->c.intercept1 | bit : vmcb->c.intercept1 & ~bit;
}

void svm_iret_exit(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	set_intercept(hw->vmcb, INTERCEPT1(VMEXIT_IRET), false);
	hw->nmi_masked = false;
	hw->nmi_hold = true;
	if (cpu->nmi_pending) {
		set_intercept(hw->vmcb, INTERCEPT1(VMEXIT_VINTR), true);
		hw->vmcb->c.int_ctl |= WINDOW;
	}
}

void svm_window_exit(struct cpu *cpu)
{
	set_intercept(cpu->hw->vmcb, INTERCEPT1(VMEXIT_VINTR), false);
	cpu->hw->vmcb->c.int_ctl &= ~WINDOW;
}

static void deliver_nmi(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	if (hw->nmi_hold) {
		hw->nmi_hold = false;
		return;
	}
	if (!cpu->nmi_pending || hw->nmi_masked || (hw->vmcb->c.event_inj & EVENT_VALID))
		return;
	cpu->nmi_pending = false;
	hw->nmi_masked = true;
	hw->vmcb->c.event_inj = NMI_EVENT;
	set_intercept(hw->vmcb, INTERCEPT1(VMEXIT_IRET), true);
}

/* Before every entry. L2 has INIT and NMI turned into exits if L1 wants that (APM vol. 2, 15.21). */
void svm_deliver(struct cpu *cpu)
{
	struct hw_cpu *hw = cpu->hw;

	cpu_serve(cpu);
	if (hw->running && (cpu->init_pending || cpu->nmi_pending))
		svm_interrupt_guest(cpu);
	if (hw->running)
		return;
	if (!hw->gif) {
		if (cpu->init_pending || cpu->nmi_pending)
			svm_gif_want_exit(cpu);
		return;
	}
	cpu_start_up(cpu);
	deliver_nmi(cpu);
}
