/* SPDX-License-Identifier: Apache-2.0 */
/* What is left in memory when the machine ends. */
#include "tests/unit/test_machine.h"

#include "monitor/wipe.h"

static bool zero(uint64_t page)
{
	const uint8_t *p = fake_at(HPA(page), PAGE_SIZE);

	for (size_t i = 0; i < PAGE_SIZE; i++)
		if (p[i])
			return false;
	return true;
}

static void what_l1_cannot_read_is_wiped(void **state)
{
	machine(1);
	memset(fake_at(HPA(0), RAM_SIZE), 0x5a, RAM_SIZE);
	memset(mem_at(HPA(BLOCK + BLOCK_SIZE - PAGE_SIZE)), 0x5a, PAGE_SIZE);
	fake_give(HPA(0x1000), OWNER_GUEST);
	fake_give(HPA(0x3000), OWNER_BUSY);
	fake_give(HPA(0x4000), OWNER_TABLE);
	fake_give(HPA(0x5000), OWNER_SHARED);
	fake_give(HPA(0x7000), (enum owner_kind)7); /* a kind of the future */
	fake_give(HPA(RAM_SIZE - PAGE_SIZE), OWNER_GUEST);
	*(uint8_t *)mem_at(HPA(APIC_AT)) = 0x5a;
	wipe_guests();
	assert_true(zero(0x1000));
	assert_true(zero(0x3000));
	assert_true(zero(0x7000));
	assert_true(zero(RAM_SIZE - PAGE_SIZE));
	for (uint64_t page = 0; page < 0x9000; page += PAGE_SIZE)
		if (page != 0x1000 && page != 0x3000 && page != 0x7000)
			assert_int_equal(*(uint8_t *)fake_at(HPA(page + 5), 1), 0x5a);
	/* Ours is mem_wipe()'s; device registers are no memory. */
	assert_int_equal(*(uint8_t *)mem_at(HPA(BLOCK + BLOCK_SIZE - PAGE_SIZE)), 0x5a);
	assert_int_equal(*(uint8_t *)mem_at(HPA(APIC_AT)), 0x5a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_l1_cannot_read_is_wiped),
	};

	return RUN_APART(tests);
}
