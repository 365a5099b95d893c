/* SPDX-License-Identifier: Apache-2.0 */
/* L1's trap for monitor/fpu.c: CR0.TS in its VMCB, which it could see, so that looks at CR0 exit too. */
#include "monitor/svm/svm.h"

#define CR0_ACCESS 1u /* in cr_read and cr_write */

static void arm(struct hw_cpu *hw)
{
	struct vmcb *vmcb = hw->vmcb;

	hw->host_ts = vmcb->s.cr0 & CR0_TS;
	vmcb->s.cr0 |= CR0_TS;
	vmcb->c.exceptions |= 1u << VECTOR_NM;
	vmcb->c.cr_read |= CR0_ACCESS;
	vmcb->c.cr_write |= CR0_ACCESS;
}

static void disarm(struct hw_cpu *hw)
{
	struct vmcb *vmcb = hw->vmcb;

	vmcb->s.cr0 = (vmcb->s.cr0 & ~(uint64_t)CR0_TS) | hw->host_ts;
	vmcb->c.exceptions &= ~(1u << VECTOR_NM);
	vmcb->c.cr_read &= (uint16_t)~CR0_ACCESS;
	vmcb->c.cr_write &= (uint16_t)~CR0_ACCESS;
}

void hw_fpu_trap(struct cpu *cpu, bool on)
{
	struct hw_cpu *hw = cpu->hw;

	if (hw->fpu_armed != on)
		(on ? arm : disarm)(hw);
	hw->fpu_armed = on;
}
