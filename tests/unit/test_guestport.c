/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest's accesses to its disks' ports: what L1 is shown of them, and what the guest takes from it. */
#include "tests/unit/test_disclose.h"

#define DATA_PORT 0x1f0u

/* The first drive is not plain: its data port is the monitor's business. */
static void begin(void)
{
	launch();
	guest->protection.disks.ide.channel[0].drive[0].kind = IDE_REFUSED;
	fill_registers();
	cpu->regs.r[RDI] = DATA;
	cpu->regs.r[RSI] = DATA;
}

/* INS or OUTS, as the processor says. */
static void comes_out_for(unsigned int bytes, bool out, enum disclose_result want)
{
	comes_out((struct guest_exit){.reason = EXIT_PORT,
				      .port = DATA_PORT,
				      .bytes = (uint8_t)bytes,
				      .write = out,
				      .string = true},
		  want);
}

/* Another of its processors has put an instruction there that moves something else: it is done as it is by now. */
static void another_size(void **state)
{
	static const struct {
		uint8_t bytes, code;
		bool out;
	} row[] = {{1, 0x6d, false}, {4, 0x6c, false}, {4, 0x6f, false}, {4, 0x6d, true}};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		begin();
		GUEST_CODE_IS(row[i].code);
		comes_out_for(row[i].bytes, row[i].out, DISCLOSE_AGAIN);
		expect_registers(0);
		assert_int_equal(cpu->regs.rip, regs.rip);
		expect_nothing_seen();
	}
}

/* It is none that the monitor knows: the guest is ended, by who deals with its port. */
static void another_instruction(void **state)
{
	begin();
	GUEST_CODE_IS(0x90);
	comes_out_for(2, false, DISCLOSE_OVER);
	expect_over(STOP_INSTRUCTION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_size),
		cmocka_unit_test(another_instruction),
	};

	return RUN_APART(tests);
}
