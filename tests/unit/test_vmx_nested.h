/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What monitor/vmx/nested.c calls of the parts that execute something, where a test does not look at
 * it. A test defines the rest: vmx_vmcs_init(), vmx_write_host_state() and vmx_load_regs().
 */
#ifndef TESTS_UNIT_TEST_VMX_NESTED_H
#define TESTS_UNIT_TEST_VMX_NESTED_H

#include <string.h>

#include "ept/host.h"
#include "monitor/fake/machine.h"
#include "monitor/mem.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_vmcs.h"

static int failed; /* vm_fail()'s error, or -1 */

void vm_fail(struct cpu *c, enum vm_error error)
{
	failed = (int)error;
}

void vmx_write_neutral_controls(void)
{
}

bool vmx_pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
	return false;
}

int vmx_load_pdptes(uint64_t cr3)
{
	return 0;
}

void vmx_nmi_exit(struct cpu *c)
{
}

void vmx_close_window(struct cpu *c)
{
}

bool vmx_hide(struct cpu *c, enum exit_reason reason, uint8_t vector)
{
	return true;
}

void vmx_shown_state(struct cpu *c)
{
}

void vmx_shown_info(struct cpu *c)
{
}

static unsigned int begun, loaded; /* entries of an isolated guest: a vCPU's first, later ones */

void vmx_shown_request(const struct guest_vcpu *v, struct vmx_request *r)
{
	r->cpu2 |= CPU2_WBINVD; /* that it was asked */
}

int vmx_shown_begin(struct cpu *c, struct guest_vcpu *v)
{
	begun++;
	return 0;
}

void vmx_shown_load(const struct l1_vmcs *current)
{
	loaded++;
}

struct injection vmx_injection(uint32_t event, uint32_t error)
{
	return (struct injection){0};
}

void vmx_redeliver(void)
{
}

/* regs.c is a matter of real registers. */
static struct {
	unsigned int entered, hidden, shown, debug;
	int msr; /* what vmx_regs_msr() says */
} regs_calls;

void vmx_regs_enter(struct cpu *c, struct guest_vcpu *v)
{
	regs_calls.entered++;
}

void vmx_regs_hide(struct cpu *c)
{
	regs_calls.hidden++;
}

void vmx_regs_host(struct cpu *c)
{
	regs_calls.shown++;
}

void vmx_regs_debug(struct cpu *c)
{
	regs_calls.debug++;
}

int vmx_regs_msr(struct cpu *c, bool write)
{
	return regs_calls.msr;
}

static bool all_fields(uint64_t encoding)
{
	return true;
}

/* The CPU's current VMCS is L1's, and L1 has none. */
static void start_l1(struct cpu *cpu, struct hw_cpu *hw, uint64_t l1)
{
	fake_reset();
	fake_add_ram(HPA(0), MIB);
	assert_int_equal(host_init(mem_top(), true, NULL), 0);
	vmcs_catch();
	fields_init(all_fields);
	memset(hw, 0, sizeof(*hw));
	cpu->hw = hw;
	hw->l1.hpa = l1;
	hw->current.hpa = NO_VMCS;
	vmcs_load(l1);
	failed = -1;
	memset(&regs_calls, 0, sizeof(regs_calls));
	begun = loaded = 0;
}

#endif
