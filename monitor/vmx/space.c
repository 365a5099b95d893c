/* SPDX-License-Identifier: Apache-2.0 */
/* Address space and mode of whoever the current VMCS describes; L1's as hw.h wants them. */
#include "ept/phys.h"
#include "ept/walk.h"
#include "monitor/vmx/vmx.h"

#define PDPTES 4
#define PDPTE_PRESENT 1u
#define PDPTE_RESERVED 0x1e6u /* SDM vol. 3, table 5-8 */
#define CR3_PAE_MASK 0xffffffe0u

void vmx_space(struct walk_space *space, hpa_t nested_root, bool nested)
{
	*space = (struct walk_space){
		.cr0 = vmx_read(VMCS_GUEST_CR0),
		.cr3 = vmx_read(VMCS_GUEST_CR3),
		.cr4 = vmx_read(VMCS_GUEST_CR4),
		.efer = vmx_read(VMCS_GUEST_EFER),
		.nested_root = nested_root,
		.nested = nested,
		.cpl = RIGHTS_DPL(vmx_read(VMCS_GUEST_SS_RIGHTS)),
		.phys_bits = (uint8_t)hw_caps.phys_bits,
	};
}

uint64_t vmx_seen_cr0(void)
{
	uint64_t mask = vmx_read(VMCS_CR0_MASK);

	return (vmx_read(VMCS_GUEST_CR0) & ~mask) | (vmx_read(VMCS_CR0_SHADOW) & mask);
}

uint64_t vmx_seen_cr4(void)
{
	uint64_t mask = vmx_read(VMCS_CR4_MASK);

	return (vmx_read(VMCS_GUEST_CR4) & ~mask) | (vmx_read(VMCS_CR4_SHADOW) & mask);
}

/* The walker wants what L1 believes: its own CR0 and CR4. */
void hw_host_space(const struct cpu *cpu, struct walk_space *space)
{
	(void)cpu;
	vmx_space(space, HPA(0), false);
	space->cr0 = vmx_seen_cr0();
	space->cr4 = vmx_seen_cr4();
}

enum decode_mode hw_host_mode(const struct cpu *cpu)
{
	uint64_t rights = vmx_read(VMCS_GUEST_CS_RIGHTS);

	if (host_real_mode() || (cpu->regs.rflags & RFLAGS_VM))
		return DECODE_16;
	if ((vmx_read(VMCS_GUEST_EFER) & EFER_LMA) && (rights & RIGHTS_LONG))
		return DECODE_64;
	return rights & RIGHTS_DEFAULT ? DECODE_32 : DECODE_16;
}

bool host_real_mode(void)
{
	return !(vmx_read(VMCS_GUEST_CR0) & CR0_PE);
}

uint64_t hw_host_segment(const struct cpu *cpu, unsigned int seg)
{
	if (seg < SEG_FS && hw_host_mode(cpu) == DECODE_64)
		return 0;
	return vmx_read(VMCS_GUEST_ES_BASE + 2 * seg);
}

void vmx_complete(struct cpu *cpu, unsigned int len)
{
	const uint64_t shadow = BLOCKED_STI | BLOCKED_MOV_SS;
	uint64_t blocked = vmx_read(VMCS_GUEST_INTERRUPTIBILITY);

	cpu->regs.rip += len;
	if (hw_host_mode(cpu) != DECODE_64)
		cpu->regs.rip &= UINT32_MAX;
	vmx_write(VMCS_GUEST_RIP, cpu->regs.rip);
	if (blocked & shadow)
		vmx_write(VMCS_GUEST_INTERRUPTIBILITY, blocked & ~shadow);
	if ((cpu->regs.rflags & RFLAGS_TF) && !(vmx_read(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		vmx_write(VMCS_GUEST_PENDING_DEBUG,
			  vmx_read(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_STEP);
}

/* The length is in the VMCS for every exit that an instruction caused (SDM vol. 3, 28.2.5). */
int hw_host_insn_len(struct cpu *cpu)
{
	(void)cpu;
	return (int)vmx_read(VMCS_EXIT_INSN_LEN);
}

bool vmx_pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & (EFER_LMA | EFER_LME));
}

static int take_pdptes(const uint64_t entry[PDPTES])
{
	uint64_t beyond = ~(((uint64_t)1 << hw_caps.phys_bits) - 1);

	for (unsigned int i = 0; i < PDPTES; i++)
		if ((entry[i] & PDPTE_PRESENT) && (entry[i] & (PDPTE_RESERVED | beyond)))
			return ERR_INVAL;
	for (unsigned int i = 0; i < PDPTES; i++)
		vmx_write(VMCS_GUEST_PDPTE0 + 2 * i, entry[i]);
	return 0;
}

int vmx_load_pdptes(uint64_t cr3)
{
	uint64_t entry[PDPTES];
	int err = phys_read(entry, HPA(cr3 & CR3_PAE_MASK), sizeof(entry));

	return err ? err : take_pdptes(entry);
}

int vmx_load_guest_pdptes(const struct walk_space *space)
{
	uint64_t entry[PDPTES];
	struct walk_result at;
	const void *bytes;

	if (walk_gpa(space, GPA(space->cr3 & CR3_PAE_MASK), 0, &at))
		return ERR_FAULT;
	bytes = phys_seen(at.hpa, sizeof(entry), space->guest);
	if (!bytes)
		return ERR_FAULT;
	__builtin_memcpy(entry, bytes, sizeof(entry));
	__asm__ volatile("" ::: "memory");
	return take_pdptes(entry);
}
