/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a vCPU that is measured, and that a further vCPU must start with. */
#define MONITOR_LIB_H /* libc has what it declares */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/test_vmx_vmcs.h"

/* Itself: monitor/fake has functions of these names. */
#include "monitor/vmx/view.c" /* NOLINT(bugprone-suspicious-include) */

/* --- what view.c calls, for other questions ---------------------------------------------------------- */

void vmx_space(struct walk_space *space, hpa_t nested_root, bool nested)
{
}

enum decode_mode hw_host_mode(const struct cpu *cpu)
{
	return DECODE_64;
}

uint64_t hw_host_segment(const struct cpu *cpu, unsigned int seg)
{
	return 0;
}

int hw_host_insn_len(struct cpu *cpu)
{
	return 0;
}

void vmx_complete(struct cpu *cpu, unsigned int len)
{
}

uint64_t vmx_seen_cr0(void)
{
	return 0;
}

uint64_t vmx_seen_cr4(void)
{
	return 0;
}

/* --- the state -------------------------------------------------------------------------------------- */

/* Not what the guest would read of it. */
static void control_registers_of_the_processor(void **state)
{
	static struct cpu cpu;
	uint64_t s[DIGEST_STATES];

	vmcs_catch();
	vmcs_load(1);
	vmcs.field[VMCS_GUEST_CR0] = 0x80000021;
	vmcs.field[VMCS_GUEST_CR4] = 0x2060;
	vmcs.field[VMCS_CR0_MASK] = vmcs.field[VMCS_CR4_MASK] = UINT64_MAX;
	vmcs.field[VMCS_CR0_SHADOW] = 0x10;
	vmcs.field[VMCS_CR4_SHADOW] = 0;
	vmcs.field[VMCS_GUEST_EFER] = 0x500;
	hw_guest_state(&cpu, s);
	assert_int_equal(s[DIGEST_CR0], 0x80000021);
	assert_int_equal(s[DIGEST_CR4], 0x2060);
	assert_int_equal(s[DIGEST_EFER], 0x500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_registers_of_the_processor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
