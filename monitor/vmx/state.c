/* SPDX-License-Identifier: Apache-2.0 */
/* The state after INIT and after a start-up IPI (SDM vol. 3, table 9-1), of whoever the current VMCS describes. */
#include "monitor/arch.h"
#include "monitor/vmx/vmx.h"

/* Segment access rights (SDM vol. 3, table 25-2). */
#define RIGHTS_DATA 0x93
#define RIGHTS_CODE 0x9b
#define RIGHTS_LDT 0x82
#define RIGHTS_TSS 0x8b

#define LIMIT_INIT 0xffff

void vmx_set_segment(unsigned int i, uint16_t selector, uint64_t base, uint32_t limit,
		     uint32_t rights)
{
	vmx_write(VMCS_GUEST_ES_SELECTOR + 2 * i, selector);
	vmx_write(VMCS_GUEST_ES_BASE + 2 * i, base);
	vmx_write(VMCS_GUEST_ES_LIMIT + 2 * i, limit);
	vmx_write(VMCS_GUEST_ES_RIGHTS + 2 * i, rights);
}

static void reset_tables(void)
{
	for (unsigned int i = 0; i < SEG_COUNT; i++)
		vmx_set_segment(i, 0, 0, LIMIT_INIT, RIGHTS_DATA);
	vmx_set_segment(SEG_CS, 0xf000, 0xffff0000, LIMIT_INIT, RIGHTS_CODE);
	vmx_set_segment(SEG_LDTR, 0, 0, LIMIT_INIT, RIGHTS_LDT);
	vmx_set_segment(SEG_TR, 0, 0, LIMIT_INIT, RIGHTS_TSS);
	vmx_write(VMCS_GUEST_GDTR_BASE, 0);
	vmx_write(VMCS_GUEST_GDTR_LIMIT, LIMIT_INIT);
	vmx_write(VMCS_GUEST_IDTR_BASE, 0);
	vmx_write(VMCS_GUEST_IDTR_LIMIT, LIMIT_INIT);
}

static void reset_registers(void)
{
	uint64_t must = hw_caps.cr0_must & ~(uint64_t)(CR0_PE | CR0_PG);

	vmx_write(VMCS_GUEST_CR0, CR0_ET | must);
	vmx_write(VMCS_CR0_SHADOW, CR0_ET);
	vmx_write(VMCS_CR0_MASK, must);
	vmx_write(VMCS_GUEST_CR3, 0);
	vmx_write(VMCS_GUEST_CR4, hw_caps.cr4_must);
	vmx_write(VMCS_CR4_SHADOW, 0);
	vmx_write(VMCS_GUEST_EFER, 0);
	vmx_write(VMCS_ENTRY_CONTROLS, vmx_read(VMCS_ENTRY_CONTROLS) & ~(uint64_t)ENTRY_GUEST_64);
	vmx_write(VMCS_GUEST_DR7, DR7_INIT);
	vmx_write(VMCS_GUEST_DEBUGCTL, 0);
	vmx_write(VMCS_GUEST_SYSENTER_CS, 0);
	vmx_write(VMCS_GUEST_SYSENTER_ESP, 0);
	vmx_write(VMCS_GUEST_SYSENTER_EIP, 0);
	vmx_write(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmx_write(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmx_write(VMCS_GUEST_PENDING_DEBUG, 0);
}

void vmx_reset_state(void)
{
	reset_tables();
	reset_registers();
}

void vmx_sipi_state(uint8_t vector)
{
	vmx_set_segment(SEG_CS, (uint16_t)(vector << 8), (uint64_t)vector << 12, LIMIT_INIT,
			RIGHTS_CODE);
}
