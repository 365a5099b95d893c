/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's global interrupt flag. The hardware's GIF is 1 whenever L1 or L2 runs, so L1's GIF = 0 has to
 * be made of other things. Virtual GIF, where the CPU has it, lets L1 execute STGI and CLGI without
 * an exit, but holds no physical interrupt back; V_INTR_MASKING with RFLAGS.IF = 0 at VMRUN does
 * (APM volume 2, 15.17, 15.21.1 and 15.33). Hence three arrangements:
 *
 *   OPEN   GIF = 1. Interrupts go straight to L1; CLGI exits.
 *   WATCH  STGI and CLGI do not exit; a physical interrupt does, and then decides: OPEN or HELD.
 *   HELD   GIF = 0. Interrupts are held back; STGI exits.
 *
 * So L1 pays for its CLGI and STGI around each VMRUN only when an interrupt came in between. Without
 * virtual GIF there is no WATCH.
 */
#include "monitor/svm/svm.h"

static uint64_t read_cr8(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr8, %0" : "=r"(v));
	return v;
}

static void write_cr8(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr8" ::"r"(v));
}

/* While V_INTR_MASKING is on, CR8 means V_TPR: the task priority moves between the two. */
static void set_masking(struct vmcb *vmcb, bool on)
{
	uint64_t *int_ctl = &vmcb->c.int_ctl;

	if (!(*int_ctl & V_INTR_MASKING) == !on)
		return;
	if (on) {
		*int_ctl = (*int_ctl & ~V_TPR_MASK) | V_INTR_MASKING | read_cr8();
	} else {
		write_cr8(*int_ctl & V_TPR_MASK);
		*int_ctl &= ~(V_INTR_MASKING | V_TPR_MASK);
	}
}

static void arrange(struct hw_cpu *hw, enum gif_mode mode, bool gif)
{
	const uint32_t both = INTERCEPT2(VMEXIT_STGI) | INTERCEPT2(VMEXIT_CLGI);
	struct vmcb_control *c = &hw->vmcb->c;

	hw->gif = gif;
	hw->gif_mode = mode;
	set_masking(hw->vmcb, mode == GIF_HELD);
	c->int_ctl &= ~(V_GIF | V_GIF_ENABLE);
	c->intercept2 |= both;
	c->intercept1 &= ~INTERCEPT1(VMEXIT_INTR);
	if (mode == GIF_WATCH) {
		c->int_ctl |= V_GIF_ENABLE | (gif ? V_GIF : 0);
		c->intercept2 &= ~both;
		c->intercept1 |= INTERCEPT1(VMEXIT_INTR);
	}
}

bool hw_host_blocks_init(const struct cpu *cpu)
{
	return !cpu->hw->gif && !cpu->hw->running;
}

void svm_gif_reset(struct cpu *cpu)
{
	cpu->hw->vmcb->c.int_ctl = 0;
	arrange(cpu->hw, GIF_OPEN, true);
}

void svm_gif_clear(struct cpu *cpu, bool interrupt_waits)
{
	bool watch = svm_has(SVM_FEATURE_VGIF) && !interrupt_waits;

	if (cpu->hw->gif)
		arrange(cpu->hw, watch ? GIF_WATCH : GIF_HELD, false);
}

void svm_gif_set(struct cpu *cpu)
{
	if (!cpu->hw->gif)
		arrange(cpu->hw, GIF_OPEN, true);
}

void svm_gif_sync(struct cpu *cpu)
{
	if (cpu->hw->gif_mode == GIF_WATCH)
		cpu->hw->gif = cpu->hw->vmcb->c.int_ctl & V_GIF;
}

void svm_gif_want_exit(struct cpu *cpu)
{
	if (cpu->hw->gif_mode == GIF_WATCH)
		arrange(cpu->hw, cpu->hw->gif ? GIF_OPEN : GIF_HELD, cpu->hw->gif);
}
