/* SPDX-License-Identifier: Apache-2.0 */
/* The end of an instruction that the monitor carried out, and the address space it was in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ept/walk.h"
#include "monitor/arch.h"
#include "monitor/fake/machine.h"
#include "monitor/vmx/vmx.h"
#include "tests/unit/test_vmx_vmcs.h"

#define STI 1u
#define MOV_SS 2u
#define OTHERS 0x18u /* blocking by SMI and NMI */
#define STEP (1u << 14)
#define BTF 2u
#define CS_64 0xa09bu
#define CS_32 0xc09bu

static struct cpu cpu;

static void start(uint32_t cs, uint64_t efer, uint64_t rip)
{
	vmcs_catch();
	vmcs.field[VMCS_GUEST_CR0] = CR0_PE | CR0_PG;
	vmcs.field[VMCS_GUEST_CS_RIGHTS] = cs;
	vmcs.field[VMCS_GUEST_EFER] = efer;
	cpu.regs.rip = rip;
	cpu.regs.rflags = RFLAGS_FIXED;
}

static void start_64(void)
{
	start(CS_64, EFER_LMA | EFER_LME, 0xffffffff80001000);
}

/* --- vmx_complete() ----------------------------------------------------------------------------- */

static void the_next_instruction(void **state)
{
	start_64();
	vmx_complete(&cpu, 5);
	assert_int_equal(cpu.regs.rip, 0xffffffff80001005);
	assert_int_equal(vmcs.field[VMCS_GUEST_RIP], 0xffffffff80001005);
	assert_int_equal(vmcs.field[VMCS_GUEST_INTERRUPTIBILITY], 0);
	assert_int_equal(vmcs.field[VMCS_GUEST_PENDING_DEBUG], 0);
	start(CS_64, EFER_LMA | EFER_LME, 0xfffffffe);
	vmx_complete(&cpu, 3);
	assert_int_equal(vmcs.field[VMCS_GUEST_RIP], 0x100000001);
	/* Compatibility mode, 32-bit code, and the L bit outside IA-32e mode. */
	for (int i = 0; i < 3; i++) {
		start(i < 2 ? CS_32 : CS_64, i ? 0 : EFER_LMA | EFER_LME, 0xfffffffe);
		vmx_complete(&cpu, 3);
		assert_int_equal(cpu.regs.rip, 1);
		assert_int_equal(vmcs.field[VMCS_GUEST_RIP], 1);
	}
}

/* SDM volume 3, table 25-3: STI and MOV SS block for one instruction; NMI and SMI stay blocked. */
static void blocking_ends(void **state)
{
	for (uint32_t blocked = 0; blocked < 32; blocked++) {
		start_64();
		vmcs.field[VMCS_GUEST_INTERRUPTIBILITY] = blocked;
		vmx_complete(&cpu, 3);
		assert_int_equal(vmcs.field[VMCS_GUEST_INTERRUPTIBILITY], blocked & 0x1c);
	}
	start_64();
	vmcs.field[VMCS_GUEST_INTERRUPTIBILITY] = STI | MOV_SS | OTHERS;
	vmx_complete(&cpu, 3);
	assert_int_equal(vmcs.field[VMCS_GUEST_INTERRUPTIBILITY], OTHERS);
}

/* With BTF, which is DEBUGCTL's bit 1, branches only are traced: SDM volume 3, 18.4.3. */
static void single_steps(void **state)
{
	for (int tf = 0; tf < 2; tf++) {
		for (uint64_t debugctl = 0; debugctl < 8; debugctl++) {
			uint64_t step = tf && !(debugctl & BTF) ? STEP : 0;

			start_64();
			cpu.regs.rflags |= tf ? RFLAGS_TF : 0;
			vmcs.field[VMCS_GUEST_DEBUGCTL] = debugctl;
			vmcs.field[VMCS_GUEST_PENDING_DEBUG] = 0x1009; /* breakpoints 0 and 3 */
			vmx_complete(&cpu, 3);
			assert_int_equal(vmcs.field[VMCS_GUEST_PENDING_DEBUG], 0x1009 | step);
		}
	}
}

/* --- where it was ------------------------------------------------------------------------------- */

static void the_space(void **state)
{
	struct walk_space space;

	start_64();
	hw_caps.phys_bits = 39;
	vmcs.field[VMCS_GUEST_CR0] = 0x80050033;
	vmcs.field[VMCS_GUEST_CR3] = 0x5000;
	vmcs.field[VMCS_GUEST_CR4] = 0x2021;
	vmcs.field[VMCS_GUEST_SS_RIGHTS] = 0xc0f3;
	for (int nested = 0; nested < 2; nested++) {
		vmx_space(&space, HPA(0x7000), nested);
		assert_int_equal(space.cr0, 0x80050033);
		assert_int_equal(space.cr3, 0x5000);
		assert_int_equal(space.cr4, 0x2021);
		assert_int_equal(space.efer, EFER_LMA | EFER_LME);
		assert_int_equal(space.cpl, 3);
		assert_int_equal(space.phys_bits, 39);
		assert_int_equal(space.nested_root.a, 0x7000);
		assert_int_equal(space.nested, nested);
	}
}

/* SDM volume 3, 4.4.1 and table 5-8. */
static void pdptes(void **state)
{
	uint64_t *entry;

	fake_reset();
	fake_add_ram(HPA(0), MIB);
	start(CS_32, 0, 0);
	hw_caps.phys_bits = 40;
	entry = fake_at(HPA(0x3020), 4 * sizeof(*entry));
	for (unsigned int bit = 0; bit < 64; bit++) {
		bool reserved = (0x1e6 | ~0ull << 40) >> bit & 1;

		for (unsigned int i = 0; i < 4; i++) {
			memset(entry, 0, 4 * sizeof(*entry));
			entry[i] = 1 | 1ull << bit;
			assert_int_equal(vmx_load_pdptes(0x303f), reserved ? ERR_INVAL : 0);
			if (!reserved)
				assert_int_equal(vmcs.field[VMCS_GUEST_PDPTE0 + 2 * i], entry[i]);
			entry[i] &= ~1ull; /* not present: anything goes, but for bit 0 itself */
			assert_int_equal(vmx_load_pdptes(0x3020), 0);
			assert_int_equal(vmcs.field[VMCS_GUEST_PDPTE0 + 2 * i], entry[i]);
		}
	}
	assert_int_equal(vmx_load_pdptes(2 * MIB), ERR_FAULT);
	fake_reset();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_instruction),
		cmocka_unit_test(blocking_ends),
		cmocka_unit_test(single_steps),
		cmocka_unit_test(the_space),
		cmocka_unit_test(pdptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
