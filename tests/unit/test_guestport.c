/* SPDX-License-Identifier: Apache-2.0 */
/* An isolated guest's accesses to its disks' ports: what L1 is shown of them, and what the guest takes from it. */
#include <pthread.h>
#include <unistd.h>

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

/* --- another processor -------------------------------------------------------------------------------------- */

/* The channel is busy: L1 is told of something harmless, and the guest does it again. */
static void a_busy_channel(void **state)
{
	static const struct guest_exit row[] = {
		{.reason = EXIT_PORT, .port = 0x1f7, .bytes = 1},
		{.reason = EXIT_PORT, .port = 0x1f6, .bytes = 1, .write = true},
		{.reason = EXIT_PORT, .port = 0x1f0, .bytes = 2, .string = true},
	};
	struct ide_op other = {.channel = 0};
	struct ide_channel *channel;

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		begin();
		channel = &guest->protection.disks.ide.channel[0];
		channel->user = &other;
		GUEST_CODE_IS(0x66, 0x6d);
		comes_out(row[i], DISCLOSE_TELL);
		assert_int_equal(v->disclosure->exposure.row, EXPOSURE_PORT_IN);
		cpu->regs.rip = 2;
		cpu->regs.r[RAX] = 0x50;
		goes_in();
		expect_registers(0);
		assert_int_equal(cpu->regs.rip, regs.rip);
		assert_false(v->disclosure->port.active);
		assert_ptr_equal(channel->user, &other);
		expect_kept();
	}
}

/* --- a guest that is over ---------------------------------------------------------------------------------- */

/* Another CPU ends the guest while this one waits for the lock. */
static void *ends_it(void *unused)
{
	usleep(100000);
	guest->state = GUEST_ENDING;
	lock_drop(&guest->protection.disks.lock);
	return NULL;
}

static void while_waiting(void (*what)(void))
{
	pthread_t thread;

	lock_take(&guest->protection.disks.lock);
	assert_int_equal(pthread_create(&thread, NULL, ends_it, NULL), 0);
	what();
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(guest->protection.disks.lock.next, guest->protection.disks.lock.served);
	guest->state = GUEST_LIVE;
}

static void writes_device(void)
{
	comes_out(
		(struct guest_exit){.reason = EXIT_PORT, .port = 0x1f6, .bytes = 1, .write = true},
		DISCLOSE_OVER);
}

static void stores_register(void)
{
	GUEST_CODE_IS(0x89, 0x07);
	cpu->regs.r[RDI] = AT_DEVICE + 0x100;
	comes_out((struct guest_exit){.reason = EXIT_NESTED_FAULT,
				      .fault = GPA(DEVICE + 0x100),
				      .write = true},
		  DISCLOSE_OVER);
}

static void goes_in_again(void)
{
	assert_int_equal(enter(), GUEST_ENTRY_OVER);
}

/* Its keys are being wiped, and its disks may be another's soon. */
static void over_meanwhile(void **state)
{
	struct guest_disks *disks;

	begin();
	disks = &guest->protection.disks;
	disks->ide.channel[0].file.reg[0][6] = 0xe0;
	while_waiting(writes_device);
	assert_int_equal(disks->ide.channel[0].file.reg[0][6], 0xe0);
	disks->ahci.base = DEVICE;
	while_waiting(stores_register);
	assert_int_equal(disks->ahci.port[0].list, 0);
}

static void over_before_it_goes_in(void **state)
{
	struct ide_channel *channel;

	begin();
	channel = &guest->protection.disks.ide.channel[0];
	channel->drive[0].multiple = 8;
	comes_out(
		(struct guest_exit){.reason = EXIT_PORT, .port = 0x3f6, .bytes = 1, .write = true},
		DISCLOSE_TELL);
	v->disclosure->port.op.access.value = ATA_SRST;
	cpu->regs.rip = 2;
	while_waiting(goes_in_again);
	assert_int_equal(channel->drive[0].multiple, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_size),           cmocka_unit_test(another_instruction),
		cmocka_unit_test(a_busy_channel),         cmocka_unit_test(over_meanwhile),
		cmocka_unit_test(over_before_it_goes_in),
	};

	return RUN_APART(tests);
}
