/* SPDX-License-Identifier: Apache-2.0 */
/* L1's VMX instructions: what they do, and how they tell L1 that they did not. */
#include "tests/unit/test_vmx_l1.h"

/* --- when they are allowed ---------------------------------------------------------------------------- */

static const uint8_t reasons[] = {
	REASON_VMXON,    REASON_VMXOFF, REASON_VMCLEAR, REASON_VMPTRLD,
	REASON_VMPTRST,  REASON_VMREAD, REASON_VMWRITE, REASON_VMLAUNCH,
	REASON_VMRESUME, REASON_INVEPT, REASON_INVVPID, REASON_VMCALL,
};

#define FAULTS(number, ...)                                        \
	do {                                                       \
		for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) { \
			start(true);                               \
			cpu.regs.rflags = KEPT | FLAGS;            \
			calls.completed = 0;                       \
			__VA_ARGS__;                               \
			if (reasons[i] == REASON_VMCALL)           \
				vmx_vmcall(&cpu);                  \
			else                                       \
				vmx_instruction(&cpu, reasons[i]); \
			expect_fault(number);                      \
		}                                                  \
	} while (0)

/* SDM volume 3, 31.3: the "Operation" of each. */
static void faults(void **state)
{
	FAULTS(VECTOR_UD, vmcs.field[VMCS_CR4_SHADOW] = 0);
	FAULTS(VECTOR_UD, vmcs.field[VMCS_GUEST_CR0] &= ~(uint64_t)CR0_PE);
	FAULTS(VECTOR_UD, cpu.regs.rflags |= RFLAGS_VM);
	FAULTS(VECTOR_UD, vmcs.field[VMCS_GUEST_CS_RIGHTS] = 0xc09b);
	for (uint64_t cpl = 1; cpl < 4; cpl++)
		FAULTS(VECTOR_GP, vmcs.field[VMCS_GUEST_SS_RIGHTS] = 0xc093 | cpl << 5);
	/* All but VMXON, outside VMX operation. */
	for (size_t i = 1; i < ARRAY_SIZE(reasons); i++) {
		start_off();
		if (reasons[i] == REASON_VMCALL)
			vmx_vmcall(&cpu);
		else
			vmx_instruction(&cpu, reasons[i]);
		expect_fault(VECTOR_UD);
	}
}

static void a_fault_at_the_operand(void **state)
{
	static const uint8_t with[] = {REASON_VMCLEAR, REASON_VMPTRLD, REASON_VMPTRST,
				       REASON_VMREAD,  REASON_VMWRITE, REASON_INVEPT,
				       REASON_INVVPID};

	for (size_t i = 0; i < ARRAY_SIZE(with); i++) {
		start(true);
		calls.fault = true;
		calls.reg[1] = with[i] == REASON_INVEPT || with[i] == REASON_INVVPID
				       ? INV_ALL
				       : VMCS_GUEST_RIP;
		execute(with[i]);
		expect_fault(VECTOR_GP);
		assert_int_equal(hw.current.hpa, A);
		assert_int_equal(vmcs.invepts, 0);
	}
	start_off();
	calls.fault = true;
	execute(REASON_VMXON);
	expect_fault(VECTOR_GP);
	assert_false(hw.vmxon);
}

static void vmcall(void **state)
{
	for (int current = 0; current < 2; current++) {
		start(current);
		cpu.regs.rflags = KEPT | FLAGS;
		calls.completed = 0;
		hw.current.f[F_INSN_ERROR] = NOTHING;
		vmx_vmcall(&cpu);
		expect_failure(1);
	}
}

static void launch_and_resume(void **state)
{
	start(true);
	execute(REASON_VMLAUNCH);
	assert_int_equal(calls.launch, true);
	execute(REASON_VMRESUME);
	assert_int_equal(calls.launch, false);
}

/* --- VMXON and VMXOFF ------------------------------------------------------------------------------------- */

static const uint64_t no_page[] = {A + 8,          A + 0x800,      MIB,
				   1ull << 40 | A, 1ull << 63 | A, UINT64_MAX};

static void vmxon(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(no_page); i++) {
		start_off();
		execute_at(REASON_VMXON, no_page[i]);
		expect_failure(0);
		assert_false(hw.vmxon);
		assert_int_equal(calls.guard, -1);
	}
	start_off();
	execute_at(REASON_VMXON, FOREIGN);
	expect_failure(0);
	assert_false(hw.vmxon);
	execute_at(REASON_VMXON, VMXON_AT);
	expect_success();
	assert_true(hw.vmxon);
	assert_int_equal(calls.guard, true);
	assert_int_equal(hw.current.hpa, NO_VMCS);
	execute_at(REASON_VMXON, VMXON_AT);
	expect_failure(15);
	execute_at(REASON_VMPTRLD, A);
	execute_at(REASON_VMXON, VMXON_AT);
	expect_failure(15);
}

/* SDM volume 3, 24.8. */
static void vmxon_registers(void **state)
{
	static const uint64_t cr0[] = {CR0_PG, CR0_NE};

	for (size_t i = 0; i < ARRAY_SIZE(cr0); i++) {
		start_off();
		vmcs.field[VMCS_GUEST_CR0] &= ~cr0[i];
		execute_at(REASON_VMXON, VMXON_AT);
		expect_fault(VECTOR_GP);
		assert_false(hw.vmxon);
	}
	start_off();
	l1_caps.cr4_must |= CR4_PAE;
	execute_at(REASON_VMXON, VMXON_AT);
	expect_fault(VECTOR_GP);
	vmcs.field[VMCS_GUEST_CR4] = CR4_PAE;
	execute_at(REASON_VMXON, VMXON_AT);
	expect_success();
}

static void vmxoff(void **state)
{
	for (int current = 0; current < 2; current++) {
		start(current);
		hw.current.launched = true;
		execute(REASON_VMXOFF);
		expect_success();
		assert_false(hw.vmxon);
		assert_int_equal(calls.guard, false);
		assert_int_equal(hw.current.hpa, NO_VMCS);
		assert_int_equal(*in_memory(A + LAUNCHED_AT), current);
	}
}

/* --- VMPTRLD, VMPTRST and VMCLEAR ---------------------------------------------------------------------- */

static void pointers_that_fail(void **state)
{
	for (int current = 0; current < 2; current++) {
		for (size_t i = 0; i < ARRAY_SIZE(no_page); i++) {
			start(current);
			execute_at(REASON_VMPTRLD, no_page[i]);
			expect_failure(9);
			execute_at(REASON_VMCLEAR, no_page[i]);
			expect_failure(2);
		}
		start(current);
		execute_at(REASON_VMPTRLD, VMXON_AT);
		expect_failure(10);
		execute_at(REASON_VMCLEAR, VMXON_AT);
		expect_failure(3);
		execute_at(REASON_VMPTRLD, FOREIGN);
		expect_failure(11);
		assert_int_equal(hw.current.hpa, current ? A : NO_VMCS);
		execute_at(REASON_VMCLEAR, FOREIGN); /* does not look */
		expect_success();
	}
	start(false);
	hw_caps.phys_bits = 15; /* whatever is in memory there */
	execute_at(REASON_VMPTRLD, A);
	expect_failure(9);
	execute_at(REASON_VMCLEAR, A);
	expect_failure(2);
	assert_int_equal(hw.current.hpa, NO_VMCS);
}

static void expect_pointer(uint64_t hpa)
{
	execute_at(REASON_VMPTRST, 0x1234);
	expect_success();
	assert_int_equal(calls.operand[0], hpa);
	assert_int_equal(calls.size, 8);
}

static void current_and_launched(void **state)
{
	start(false);
	expect_pointer(UINT64_MAX);
	execute_at(REASON_VMPTRLD, A);
	expect_success();
	expect_pointer(A);
	hw.current.launched = true;
	execute_at(REASON_VMPTRLD, A); /* is current already */
	expect_success();
	assert_true(hw.current.launched);
	execute_at(REASON_VMPTRLD, B);
	expect_success();
	expect_pointer(B);
	assert_false(hw.current.launched);
	execute_at(REASON_VMPTRLD, A);
	assert_true(hw.current.launched);
	execute_at(REASON_VMCLEAR, B); /* not the current one */
	expect_success();
	expect_pointer(A);
	assert_true(hw.current.launched);
	execute_at(REASON_VMCLEAR, A);
	expect_success();
	expect_pointer(UINT64_MAX);
	assert_int_equal(*in_memory(A + LAUNCHED_AT), 0);
	execute_at(REASON_VMPTRLD, A);
	assert_false(hw.current.launched);
}

/* --- VMREAD and VMWRITE --------------------------------------------------------------------------------- */

static void access_field(unsigned int reason, uint64_t encoding, uint64_t value)
{
	calls.reg[1] = encoding;
	calls.reg[0] = calls.operand[0] = value;
	calls.size = 0;
	execute(reason);
}

/* In 64-bit mode, and 4 bytes at a time in 32-bit mode; the upper half has an encoding of its own. */
static void reads_and_writes(void **state)
{
	for (int is_64 = 0; is_64 < 2; is_64++) {
		for (uint32_t info = 0; info <= REGISTER; info += REGISTER) {
			uint64_t *got = info ? calls.reg : calls.operand;
			uint64_t low = is_64 ? UINT64_MAX : UINT32_MAX;

			start(true);
			set_mode(is_64);
			vmcs.field[VMCS_EXIT_INSN_INFO] = info;
			access_field(REASON_VMWRITE, VMCS_GUEST_CR3, 0x1122334455667788);
			expect_success();
			assert_int_equal(calls.size, info ? 0 : is_64 ? 8 : 4);
			assert_int_equal(hw.current.f[F_GUEST_CR3], 0x1122334455667788 & low);
			assert_true(set_has(&hw.current.dirty, F_GUEST_CR3));
			access_field(REASON_VMWRITE, VMCS_TSC_OFFSET | 1, 0x99aabbcc);
			expect_success();
			assert_int_equal(hw.current.f[F_TSC_OFFSET], 0x99aabbcc00000000);
			access_field(REASON_VMREAD, VMCS_TSC_OFFSET | 1, 0);
			expect_success();
			assert_int_equal(*got, 0x99aabbcc);
			hw.current.f[F_GUEST_CR3] = 0x1122334455667788;
			access_field(REASON_VMREAD, VMCS_GUEST_CR3, 0);
			expect_success();
			assert_int_equal(*got, 0x1122334455667788 & low);
			assert_int_equal(calls.size, info ? 0 : is_64 ? 8 : 4);
		}
	}
}

static void fields_that_fail(void **state)
{
	for (int current = 0; current < 2; current++) {
		start(current);
		access_field(REASON_VMREAD, 0x7ffe, 0);
		expect_failure(12);
		access_field(REASON_VMWRITE, 0x7ffe, 0);
		expect_failure(12);
		access_field(REASON_VMWRITE, VMCS_EXIT_REASON, 0x77);
		expect_failure(13);
		access_field(REASON_VMREAD, VMCS_GUEST_RIP | 1ull << 32, 0);
		expect_failure(12);
		access_field(REASON_VMREAD, VMCS_GUEST_RIP, 0);
		expect_flags(current ? 0 : CF);
		access_field(REASON_VMWRITE, VMCS_GUEST_RIP, 0);
		expect_flags(current ? 0 : CF);
	}
	start(true);
	hw.current.f[F_EXIT_REASON] = 0x66;
	access_field(REASON_VMWRITE, VMCS_EXIT_REASON, 0x77);
	assert_int_equal(hw.current.f[F_EXIT_REASON], 0x66);
	set_mode(false); /* 32 bits of the encoding */
	access_field(REASON_VMREAD, VMCS_GUEST_RIP | 1ull << 32, 0);
	expect_success();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults),
		cmocka_unit_test(a_fault_at_the_operand),
		cmocka_unit_test(vmcall),
		cmocka_unit_test(launch_and_resume),
		cmocka_unit_test(vmxon),
		cmocka_unit_test(vmxon_registers),
		cmocka_unit_test(vmxoff),
		cmocka_unit_test(pointers_that_fail),
		cmocka_unit_test(current_and_launched),
		cmocka_unit_test(reads_and_writes),
		cmocka_unit_test(fields_that_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
