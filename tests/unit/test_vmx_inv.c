/* SPDX-License-Identifier: Apache-2.0 */
/* L1's INVEPT and INVVPID: what is forgotten, and what is refused. */
#include "tests/unit/test_vmx_l1.h"

static void invalidate(unsigned int reason, uint64_t type, uint64_t first, uint64_t second)
{
	start(true);
	calls.reg[1] = type;
	calls.operand[1] = second;
	execute_at(reason, first);
}

/* It reaches the hardware, with L1's own pointer. */
static void invept(void **state)
{
	invalidate(REASON_INVEPT, 1, EPTP, 0);
	expect_success();
	assert_int_equal(vmcs.invepts, 1);
	assert_int_equal(vmcs.inv_type, 1);
	assert_int_equal(vmcs.inv_operand[0], EPTP);
	assert_int_equal(vmcs.inv_operand[1], 0);
	invalidate(REASON_INVEPT, 2, UINT64_MAX, UINT64_MAX); /* of all: the pointer says nothing */
	expect_success();
	assert_int_equal(vmcs.invepts, 1);
	assert_int_equal(vmcs.inv_type, 2);
	assert_int_equal(vmcs.invvpids, 0);
}

/* What the hardware walks for an isolated guest is forgotten with what L1 names. */
static void invept_of_a_copy(void **state)
{
	isolated_root = EPTP & ~(uint64_t)0xfff;
	copied_root = 0x7654000;
	invalidate(REASON_INVEPT, 1, EPTP, 0);
	expect_success();
	assert_int_equal(vmcs.invepts, 2);
	assert_int_equal(vmcs.inv_type, 1);
	assert_int_equal(vmcs.inv_operand[0], copied_root | (EPTP & 0xfff));
	invalidate(REASON_INVEPT, 2, 0, 0);
	expect_success();
	assert_int_equal(vmcs.invepts, 1);
	isolated_root = 0;
}

static void invept_that_fails(void **state)
{
	static const uint64_t types[] = {0, 3, 4, 1ull << 32 | 1, UINT64_MAX};
	static const uint64_t pointers[] = {ROOT, EPTP | 1, EPTP | 0x80, EPTP | 1ull << 40};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		invalidate(REASON_INVEPT, types[i], EPTP, 0);
		expect_failure(28);
		assert_int_equal(vmcs.invepts, 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(pointers); i++) {
		invalidate(REASON_INVEPT, 1, pointers[i], 0);
		expect_failure(28);
		assert_int_equal(vmcs.invepts, 0);
	}
	for (uint64_t type = 1; type < 3; type++) {
		start(true);
		l1_caps.ept_vpid &= ~(1ull << (24 + type));
		calls.reg[1] = type;
		execute_at(REASON_INVEPT, EPTP);
		expect_failure(28);
		assert_int_equal(vmcs.invepts, 0);
	}
	start(true);
	vmcs.inv_fails = true; /* the hardware */
	calls.reg[1] = 1;
	execute_at(REASON_INVEPT, EPTP);
	expect_failure(28);
	assert_int_equal(vmcs.invepts, 1);
}

/* The tag that a guest has is good no more: it gets another one at its next entry. */
static bool forgot(void)
{
	struct tag t = {.cpu = 0, .generation = 1, .value = 2, .l1 = 77};

	tags_assign(&hw.vpids, &t, 0, 77, false);
	return t.generation != 1;
}

static void invvpid(void **state)
{
	for (uint64_t type = 0; type < 4; type++) {
		start(true);
		assert_false(forgot());
		invalidate(REASON_INVVPID, type, 77, 0xffff800000000000);
		expect_success();
		assert_true(forgot());
		invalidate(REASON_INVVPID, type, 0xffff, 0x7fffffffffff);
		expect_success();
		invalidate(REASON_INVVPID, type, 0, 0);
		if (type == 2)
			expect_success();
		else
			expect_failure(28);
		assert_int_equal(forgot(), type == 2);
		assert_int_equal(vmcs.invepts, 0);
	}
}

static void invvpid_that_fails(void **state)
{
	static const uint64_t types[] = {4, 5, 1ull << 32, UINT64_MAX};
	static const uint64_t addresses[] = {1ull << 47, 0xffff7fffffffffff, 1ull << 63};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		invalidate(REASON_INVVPID, types[i], 77, 0);
		expect_failure(28);
		assert_false(forgot());
	}
	for (uint64_t type = 0; type < 4; type++) {
		invalidate(REASON_INVVPID, type, 0x1004d, 0);
		expect_failure(28);
		assert_false(forgot());
		start(true);
		l1_caps.ept_vpid &= ~(1ull << (40 + type));
		calls.reg[1] = type;
		execute_at(REASON_INVVPID, 77);
		expect_failure(28);
		assert_false(forgot());
		for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
			invalidate(REASON_INVVPID, type, 77, addresses[i]);
			if (type)
				expect_success();
			else
				expect_failure(28);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invept),
		cmocka_unit_test(invept_of_a_copy),
		cmocka_unit_test(invept_that_fails),
		cmocka_unit_test(invvpid),
		cmocka_unit_test(invvpid_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
