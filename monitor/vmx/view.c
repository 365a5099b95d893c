/* SPDX-License-Identifier: Apache-2.0 */
/* The guest that runs on this CPU, whose VMCS is current, as disclose.c wants to see it. */
#include "monitor/digest.h"
#include "monitor/vmx/vmx.h"

void hw_guest_space(const struct cpu *cpu, struct walk_space *space)
{
	const uint64_t *f = cpu->hw->current.f;

	vmx_space(space, HPA(f[F_EPT_POINTER] & PAGE_MASK), true);
	space->cr0 = vmx_seen_cr0();
	space->cr4 = vmx_seen_cr4();
}

enum decode_mode hw_guest_mode(const struct cpu *cpu)
{
	return hw_host_mode(cpu);
}

uint64_t hw_guest_segment(const struct cpu *cpu, unsigned int seg)
{
	return hw_host_segment(cpu, seg);
}

int hw_guest_insn_len(struct cpu *cpu)
{
	return hw_host_insn_len(cpu);
}

void hw_guest_complete(struct cpu *cpu)
{
	vmx_complete(cpu, (unsigned int)vmx_read(VMCS_EXIT_INSN_LEN));
}

static void put_segment(uint64_t *state, unsigned int i)
{
	uint64_t rights = vmx_read(VMCS_GUEST_ES_RIGHTS + 2 * i);

	state[0] = state[1] = state[2] = state[3] = 0;
	if (rights & RIGHTS_UNUSABLE)
		return;
	state[0] = vmx_read(VMCS_GUEST_ES_SELECTOR + 2 * i);
	state[1] = vmx_read(VMCS_GUEST_ES_BASE + 2 * i);
	state[2] = vmx_read(VMCS_GUEST_ES_LIMIT + 2 * i);
	state[3] = (rights & 0xff) | (rights >> 4 & 0xf00);
}

void hw_guest_state(struct cpu *cpu, uint64_t *state)
{
	for (unsigned int i = 0; i < 16; i++)
		state[DIGEST_GPR + i] = cpu->regs.r[i];
	state[DIGEST_RIP] = cpu->regs.rip;
	state[DIGEST_RFLAGS] = cpu->regs.rflags;
	state[DIGEST_CR0] = vmx_read(VMCS_GUEST_CR0);
	state[DIGEST_CR3] = vmx_read(VMCS_GUEST_CR3);
	state[DIGEST_CR4] = vmx_read(VMCS_GUEST_CR4);
	state[DIGEST_EFER] = vmx_read(VMCS_GUEST_EFER);
	state[DIGEST_PAT] = vmx_read(VMCS_GUEST_PAT);
	state[DIGEST_DR7] = vmx_read(VMCS_GUEST_DR7);
	for (unsigned int i = 0; i < 8; i++)
		put_segment(&state[DIGEST_SEGMENT + 4 * i], i);
	state[DIGEST_GDTR] = vmx_read(VMCS_GUEST_GDTR_BASE);
	state[DIGEST_GDTR + 1] = vmx_read(VMCS_GUEST_GDTR_LIMIT);
	state[DIGEST_IDTR] = vmx_read(VMCS_GUEST_IDTR_BASE);
	state[DIGEST_IDTR + 1] = vmx_read(VMCS_GUEST_IDTR_LIMIT);
}
