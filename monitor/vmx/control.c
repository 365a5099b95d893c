/* SPDX-License-Identifier: Apache-2.0 */
/*
 * L1's control registers. The monitor owns the bits that VMX operation wants set (CR0.NE, CR4.VMXE)
 * and those of features L1 does not get; L1 sees its own values there. A MOV that changes none of
 * them does not exit.
 */
#include "monitor/exit.h"
#include "monitor/msr.h"
#include "monitor/vmx/vmx.h"

#define CR0_DEFINED 0xe005003fu /* PE MP EM TS ET NE WP AM NW CD PG */
#define CR4_PSE (1u << 4)
#define CR4_PGE (1u << 7)
#define CR4_PCIDE (1u << 17)
#define CR4_SMEP (1u << 20)
#define CR3_PCID 0xfffu

/* Qualification of a control-register access: SDM vol. 3, table 28-3. */
#define CR_NUMBER(q) ((q)&0xf)
#define CR_ACCESS(q) (((q) >> 4) & 3)
#define CR_ACCESS_MOV_TO 0
#define CR_REGISTER(q) (((q) >> 8) & 0xf)

static void set_long_mode_active(bool on)
{
	uint64_t efer = vmx_read(VMCS_GUEST_EFER) & ~(uint64_t)EFER_LMA;
	uint64_t entry = vmx_read(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_GUEST_64;

	vmx_write(VMCS_GUEST_EFER, efer | (on ? EFER_LMA : 0));
	vmx_write(VMCS_ENTRY_CONTROLS, entry | (on ? ENTRY_GUEST_64 : 0));
}

/* CD and NW are in the processor itself: neither VM entry nor VM exit loads them (SDM, 27.3.2.1). */
static void set_cache_bits(uint64_t cr0)
{
	const uint64_t cache = CR0_CD | CR0_NW;
	uint64_t now = vmx_read_cr(0);

	if ((now ^ cr0) & cache)
		__asm__ volatile("mov %0, %%cr0" ::"r"((now & ~cache) | (cr0 & cache)) : "memory");
}

/* PG changes: #GP of MOV to CR0 (SDM vol. 2) that the other registers cause. */
static bool paging_change_ok(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	bool code_64 = vmx_read(VMCS_GUEST_CS_RIGHTS) & RIGHTS_LONG;

	if (cr0 & CR0_PG)
		return !(efer & EFER_LME) || ((cr4 & CR4_PAE) && !code_64);
	return !(cr4 & CR4_PCIDE) && !((efer & EFER_LMA) && code_64);
}

/*
 * In VMX operation PE and PG stay set too (SDM vol. 3, 24.8). What L1 sees of a bit comes from the
 * shadow as soon as the bit is the monitor's, so the shadow takes over what L1 sees now.
 */
void host_guard_cr0(bool vmxon)
{
	uint64_t free = vmxon ? 0 : CR0_PE | CR0_PG;
	uint64_t mask = vmx_read(VMCS_CR0_MASK);

	vmx_write(VMCS_CR0_SHADOW,
		  (vmx_read(VMCS_GUEST_CR0) & ~mask) | (vmx_read(VMCS_CR0_SHADOW) & mask));
	vmx_write(VMCS_CR0_MASK, (hw_caps.cr0_must & ~free) | (mask & CR0_TS));
}

static int write_cr0(const struct cpu *cpu, uint64_t value)
{
	uint64_t old = vmx_read(VMCS_GUEST_CR0);
	uint64_t cr4 = vmx_read(VMCS_GUEST_CR4);
	uint64_t efer = vmx_read(VMCS_GUEST_EFER);
	uint64_t must = hw_caps.cr0_must & ~(uint64_t)(CR0_PE | CR0_PG);
	bool paging = (old ^ value) & CR0_PG;

	if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) ||
	    ((value & CR0_NW) && !(value & CR0_CD)))
		return ERR_INVAL;
	if (cpu->hw->vmxon && (value & l1_caps.cr0_must) != l1_caps.cr0_must)
		return ERR_INVAL;
	if (paging && !paging_change_ok(value, cr4, efer))
		return ERR_INVAL;
	value = (value & CR0_DEFINED) | CR0_ET;
	if (vmx_pae_paging(value, cr4, efer & EFER_LME) &&
	    ((old ^ value) & (CR0_PG | CR0_CD | CR0_NW)) &&
	    vmx_load_pdptes(vmx_read(VMCS_GUEST_CR3)))
		return ERR_INVAL;
	if (paging && (efer & EFER_LME))
		set_long_mode_active(value & CR0_PG);
	set_cache_bits(value);
	vmx_write(VMCS_GUEST_CR0, value | must);
	vmx_write(VMCS_CR0_SHADOW, value);
	return 0;
}

static int write_cr4(struct cpu *cpu, uint64_t value)
{
	const uint64_t paging = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP;
	uint64_t old = vmx_read(VMCS_GUEST_CR4);
	uint64_t cr0 = vmx_read(VMCS_GUEST_CR0);
	uint64_t cr3 = vmx_read(VMCS_GUEST_CR3);
	uint64_t efer = vmx_read(VMCS_GUEST_EFER);

	if ((value & ~l1_caps.cr4_may) || (cpu->hw->vmxon && !(value & CR4_VMXE)))
		return ERR_INVAL;
	if ((efer & EFER_LMA) && (!(value & CR4_PAE) || ((old ^ value) & CR4_LA57)))
		return ERR_INVAL;
	if ((value & CR4_PCIDE) && !(old & CR4_PCIDE) && (!(efer & EFER_LMA) || (cr3 & CR3_PCID)))
		return ERR_INVAL;
	if (vmx_pae_paging(cr0, value, efer) && ((old ^ value) & paging) && vmx_load_pdptes(cr3))
		return ERR_INVAL;
	vmx_write(VMCS_GUEST_CR4, value | hw_caps.cr4_must);
	vmx_write(VMCS_CR4_SHADOW, value);
	return 0;
}

void host_cr_exit(struct cpu *cpu)
{
	uint64_t q = vmx_read(VMCS_EXIT_QUALIFICATION);
	uint64_t value = cpu->regs.r[CR_REGISTER(q)];
	int err = ERR_INVAL;

	if (hw_host_mode(cpu) != DECODE_64)
		value = (uint32_t)value;
	/* CLTS and LMSW touch no bit of the monitor's. */
	if (CR_ACCESS(q) == CR_ACCESS_MOV_TO && CR_NUMBER(q) == 0)
		err = write_cr0(cpu, value);
	else if (CR_ACCESS(q) == CR_ACCESS_MOV_TO && CR_NUMBER(q) == 4)
		err = write_cr4(cpu, value);
	if (err) {
		hw_host_inject(cpu, VECTOR_GP, 0);
		return;
	}
	vmx_invvpid(INV_SINGLE, VPID_HOST);
	exit_complete(cpu);
}

/* XSETBV exits whatever the controls say; the processor checks the value (SDM vol. 2, XSETBV). */
void host_xsetbv(struct cpu *cpu)
{
	const uint64_t *r = cpu->regs.r;

	if (RIGHTS_DPL(vmx_read(VMCS_GUEST_SS_RIGHTS)) ||
	    xcr_try_write((uint32_t)r[RCX], (uint32_t)r[RAX] | r[RDX] << 32))
		hw_host_inject(cpu, VECTOR_GP, 0);
	else
		exit_complete(cpu);
}
