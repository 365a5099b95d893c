/* SPDX-License-Identifier: Apache-2.0 */
/* A device model that lies, one that fails, and guests that do what drivers do not. */
#include "tests/unit/test_ide.h"

#define SECTORS 4096u
#define UNC 0x40u
#define ABRT 0x04u

static void write_first(uint64_t lba, uint32_t count, uint64_t version)
{
	fill_buffer(BUFFER, lba, count, version);
	prd_table(BUFFER, count * 512, 3);
	assert_int_equal(dma(0x35, true, true, lba, count), 0x50);
}

/* The guest finds sector `bad` named, and zeros from it on. */
static void expect_unreadable(uint64_t lba, uint32_t count, uint64_t bad)
{
	memset(guest + BUFFER, 0xaa, count * 512);
	prd_table(BUFFER, count * 512, 3);
	assert_int_equal(dma(0x25, true, false, lba, count), 0x51);
	assert_int_equal(in(0x1f1, 1), UNC);
	assert_int_equal(in(0x1f3, 1) | in(0x1f4, 1) << 8 | in(0x1f5, 1) << 16, bad & 0xffffff);
	out(0x3f6, 1, 0x80);
	assert_int_equal(in(0x1f3, 1), bad >> 24 & 0xff);
	out(0x3f6, 1, 0);
	for (uint32_t i = (uint32_t)(bad - lba) * 512; i < count * 512; i++)
		assert_int_equal(guest[BUFFER + i], 0);
	expect_no_windows();
	for (enum way way = WORDS; way <= STRINGS32; way++) {
		memset(guest + BUFFER, 0xaa, count * 512);
		assert_int_equal(pio(0x24, true, false, way, lba, count, 1), 0x51);
		assert_int_equal(in(0x1f1, 1), UNC);
		for (uint32_t i = 0; i < count * 512; i++)
			if (i / 512 >= bad - lba && guest[BUFFER + i] != 0xaa)
				assert_int_equal(guest[BUFFER + i], 0);
		expect_no_windows();
	}
	/* The disk goes on. */
	write_first(2000, 4, 77);
	prd_table(BUFFER, 4 * 512, 1);
	assert_int_equal(dma(0x25, true, false, 2000, 4), 0x50);
	expect_buffer(BUFFER, 2000, 4, 77);
}

static void a_flipped_bit(void **state)
{
	controller(SECTORS);
	write_first(10, 8, 1);
	store_flip(DISK_DATA, 13 * 512 + 77, 1);
	expect_unreadable(10, 8, 13);
}

static void swapped_sectors(void **state)
{
	uint8_t a[512], b[512];

	controller(SECTORS);
	write_first(10, 8, 1);
	store_read(&w.store, DISK_DATA, 12 * 512, a, 512);
	store_read(&w.store, DISK_DATA, 14 * 512, b, 512);
	store_write(&w.store, DISK_DATA, 12 * 512, b, 512);
	store_write(&w.store, DISK_DATA, 14 * 512, a, 512);
	expect_unreadable(10, 8, 12);
}

static void an_old_sector(void **state)
{
	uint8_t old[512];

	controller(SECTORS);
	write_first(10, 8, 1);
	store_read(&w.store, DISK_DATA, 15 * 512, old, 512);
	write_first(10, 8, 2);
	store_write(&w.store, DISK_DATA, 15 * 512, old, 512);
	expect_unreadable(10, 8, 15);
}

static void a_write_that_is_dropped(void **state)
{
	controller(SECTORS);
	write_first(10, 8, 1);
	dev.drops = true;
	write_first(10, 8, 2);
	dev.drops = false;
	expect_unreadable(10, 8, 10);
}

static void the_device_model_changes_what_it_reads(void **state)
{
	controller(SECTORS);
	write_first(10, 8, 1);
	dev.flips = true;
	memset(guest + BUFFER, 0xaa, 8 * 512);
	prd_table(BUFFER, 8 * 512, 1);
	assert_int_equal(dma(0xc8, false, false, 10, 8), 0x51);
	assert_int_equal(in(0x1f1, 1), UNC);
	for (uint32_t i = 0; i < 8 * 512; i++)
		assert_int_equal(guest[BUFFER + i], 0);
	assert_true(w.d.stats.bad_tags > 0);
}

/* The device model says that a write failed: what is there is what was there, and stays readable. */
static void a_write_that_fails(void **state)
{
	controller(SECTORS);
	write_first(10, 8, 1);
	dev.fails_write = true;
	fill_buffer(BUFFER, 10, 8, 2);
	prd_table(BUFFER, 8 * 512, 1);
	assert_int_equal(dma(0x35, true, true, 10, 8) & 1, 1);
	assert_int_equal(pio(0x34, true, true, WORDS, 12, 1, 1) & 1, 1);
	dev.fails_write = false;
	prd_table(BUFFER, 8 * 512, 1);
	assert_int_equal(dma(0x25, true, false, 10, 8), 0x50);
	expect_buffer(BUFFER, 10, 8, 1);
}

/* The agent refuses: the write does not reach the device model, the guest is told, with an interrupt. */
static void an_agent_that_fails(void **state)
{
	unsigned int interrupts;

	controller(SECTORS);
	write_first(10, 8, 1);
	interrupts = dev.interrupts;
	w.fail_in = 1;
	fill_buffer(BUFFER, 10, 8, 2);
	prd_table(BUFFER, 8 * 512, 1);
	assert_int_equal(dma(0x35, true, true, 10, 8), 0x51);
	assert_int_equal(in(0x1f1, 1), ABRT);
	assert_true(dev.interrupts > interrupts);
	assert_int_equal(dev.last, 0);
	expect_no_windows();
	expect_secret(10, 2);
}

/* The guest resets the channel in the middle of each kind of command. */
static void resets(void **state)
{
	controller(SECTORS);
	write_first(10, 8, 1);
	for (unsigned int words = 0; words < 700; words += 63) {
		assert_int_equal(command(0x34, true, 100, 3), 0x58);
		fill_buffer(BUFFER, 100, 3, 5);
		for (unsigned int i = 0; i < words; i++)
			out(0x1f0, 2, guest[BUFFER + 2 * i] | guest[BUFFER + 2 * i + 1] << 8);
		out(0x3f6, 1, 4);
		out(0x3f6, 1, 0);
		assert_int_equal(wait_status(), 0x50);
		assert_int_equal(pio(0x24, true, false, WORDS, 101, 2, 1), 0x50);
		assert_int_equal(command(0x24, true, 10, 8), 0x58);
		for (unsigned int i = 0; i < words; i++)
			in(0x1f0, 2);
		out(0x3f6, 1, 4);
		out(0x3f6, 1, 0);
		assert_int_equal(wait_status(), 0x50);
		expect_no_windows();
		prd_table(BUFFER, 8 * 512, 1);
		assert_int_equal(dma(0x25, true, false, 10, 8), 0x50);
		expect_buffer(BUFFER, 10, 8, 1);
	}
}

/* A DMA write is reset after the device model has begun: old or new, and it is known which. */
static void a_reset_during_dma(void **state)
{
	for (unsigned int dropped = 0; dropped < 2; dropped++) {
		controller(SECTORS);
		write_first(10, 8, 1);
		fill_buffer(BUFFER, 10, 8, 2);
		prd_table(BUFFER, 8 * 512, 2);
		dev.drops = dropped;
		out(BUS_MASTER + 4, 4, TABLE);
		taskfile(true, 10, 8);
		out(0x1f7, 1, 0x35);
		out(BUS_MASTER, 1, 1);
		dev.slow = 1000; /* its status is not seen before the reset */
		out(0x3f6, 1, 4);
		out(0x3f6, 1, 0);
		assert_int_equal(wait_status(), 0x50);
		expect_no_windows();
		dev.drops = false;
		out(BUS_MASTER, 1, 0);
		prd_table(BUFFER, 8 * 512, 1);
		assert_int_equal(dma(0x25, true, false, 10, 8), 0x50);
		expect_buffer(BUFFER, 10, 8, dropped ? 1 : 2);
	}
}

/* Words at the wrong time are nobody's. */
static void data_out_of_turn(void **state)
{
	unsigned int commands;

	controller(SECTORS);
	commands = dev.commands;
	out(0x1f0, 2, 0x1234);
	assert_int_equal(in(0x1f0, 4), 0);
	assert_int_equal(command(0x24, true, 10, 1), 0x58);
	out(0x1f0, 4, 0x12345678); /* a read is under way */
	out(0x1f0, 1, 0x12);
	for (unsigned int i = 0; i < 256; i++)
		in(0x1f0, 2);
	assert_int_equal(in(0x1f0, 2), 0);
	assert_int_equal(wait_status(), 0x50);
	assert_int_equal(dev.commands, commands + 1);
	assert_false(has(dev.data, sizeof(dev.data),
			 "\x34\x12\x34\x12\x34\x12\x34\x12\x34\x12\x34\x12\x34\x12\x34\x12"));
	/* the bus master without a command */
	out(BUS_MASTER, 1, 9);
	assert_int_equal(dev.bm_command & 1, 0);
	/* sizes that the registers have not */
	assert_int_equal(in(0x1f6, 2), 0xffff);
	assert_int_equal(in(0x1f1, 4), 0xffffffff);
	out(0x1f6, 2, 0xecec);
	assert_int_equal(dev.commands, commands + 1);
}

/* Buffers that are no memory of the guest's, or for which there is no room: an error, nothing is moved. */
static void a_buffer_that_is_not_there(void **state)
{
	controller(SECTORS);
	write_first(10, 8, 1);
	for (unsigned int i = 0; i < 4; i++) {
		prd_table(i & 1 ? GUEST_RAM - 4 * 512 : GUEST_RAM, 8 * 512, 1);
		assert_int_equal(dma(i & 2 ? 0x35 : 0x25, true, i & 2, 10, 8), 0x51);
		assert_int_equal(in(0x1f1, 1), ABRT);
		expect_no_windows();
		prd_table(BUFFER, 8 * 512, 1);
		assert_int_equal(dma(0x25, true, false, 10, 8), 0x50);
		expect_buffer(BUFFER, 10, 8, 1);
	}
}

/* A drive that was not declared has no data for the guest, and gets none. */
static void a_refused_drive(void **state)
{
	controller(SECTORS);
	out(0x1f6, 1, 0xf0);
	out(0x1f7, 1, 0xec);
	assert_int_equal(wait_status() & 1, 1);
	assert_int_equal(in(0x1f1, 1), ABRT);
	assert_int_equal(dev.last, 0);
	dev.status = 0x58; /* it offers some all the same */
	dev.in = true;
	dev.end = 512;
	memset(dev.data, 0x66, 512);
	assert_int_equal(in(0x1f0, 2), 0);
	string(false, BUFFER, 512, 2);
	for (unsigned int i = 0; i < 512; i++)
		assert_int_equal(guest[BUFFER + i], 0);
	dev.status = 0x50;
	out(0x1f6, 1, 0xe0);
	write_first(10, 8, 1);
}

/* It is behind another controller, too. */
static void a_disk_of_two_controllers(void **state)
{
	struct ide_drive other = {.kind = IDE_ENCRYPTED, .disk = &w.d};
	struct ata_taskfile file = {.reg = {{[2] = 1, [6] = ATA_LBA}}};
	struct ata_command read = ata_command(0x25);
	struct disk_cmd cmd;

	controller(SECTORS);
	assert_int_equal(command(0xec, false, 0, 0), 0x58); /* that is no use of it */
	out(0x3f6, 1, 4);
	out(0x3f6, 1, 0);
	assert_int_equal(drive_range(&other, &read, &file, &cmd), 0);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(command((const uint8_t[]){0x25, 0x34, 0xea}[i], true, 10, 1),
				 0x51);
		assert_int_equal(in(0x1f1, 1), ABRT);
		assert_int_equal(dev.last, 0);
	}
	w.d.drive = NULL;
	write_first(10, 1, 1);
	assert_int_equal(drive_range(&other, &read, &file, &cmd), ATA_ABRT);
}

/* A drive that is declared plain: as it is, by windows. */
static void a_plain_drive(void **state)
{
	controller(SECTORS);
	ide_set(&ide, 0, IDE_PLAIN, NULL);
	for (unsigned int i = 0; i < 3; i++) {
		uint32_t n = 1 + 100 * i;

		fill_buffer(BUFFER + 2, 10, n, 1);
		prd_table(BUFFER + 2, n * 512, 5);
		assert_int_equal(dma(0xca, false, true, 10, n), 0x50);
		expect_no_windows();
		memset(guest + BUFFER, 0, n * 512 + 2);
		prd_table(BUFFER + 2, n * 512, 9);
		assert_int_equal(dma(0xc8, false, false, 10, n), 0x50);
		expect_buffer(BUFFER + 2, 10, n, 1);
		expect_no_windows();
	}
	assert_int_equal(command(0xec, false, 0, 0), 0x58);
	assert_int_equal(in(0x1f0, 2), 0x7777);
}

/* Another of the guest's processors finds the channel busy, and no answer that comes before its time. */
static void two_processors(void **state)
{
	struct ide_op a = {.access = {BUS_MASTER, 1, true, 1}},
		      b = {.access = {0x3f6, 1, false, 0}}, c = b;

	controller(SECTORS);
	fill_buffer(BUFFER, 10, 8, 1);
	prd_table(BUFFER, 8 * 512, 1);
	out(BUS_MASTER + 4, 4, TABLE);
	taskfile(true, 10, 8);
	out(0x1f7, 1, 0x35);
	dev.slow = 0;
	assert_int_equal(ide_begin(&ide, &c, NULL), IDE_PASS); /* on its way */
	assert_int_equal(ide_begin(&ide, &a, NULL), IDE_AGENT);
	assert_int_equal(ide_begin(&ide, &b, NULL), IDE_WAIT);
	c.ask.value = 0x50;
	assert_int_equal(ide_resume(&ide, &c, NULL), IDE_WAIT);
	carry_out();
	assert_int_equal(ide_resume(&ide, &a, NULL), IDE_PASS);
	dev_access(&a.ask);
	assert_int_equal(ide_resume(&ide, &a, NULL), IDE_DONE);
	assert_int_equal(ide_begin(&ide, &b, NULL), IDE_PASS);
	b.ask.value = 0x50;
	assert_int_equal(ide_resume(&ide, &b, NULL), IDE_DONE);
	expect_no_windows();
	prd_table(BUFFER, 8 * 512, 1);
	out(BUS_MASTER, 1, 0);
	assert_int_equal(dma(0x25, true, false, 10, 8), 0x50);
	expect_buffer(BUFFER, 10, 8, 1);
}

/* One of them is reset while the agent works for it; the other one resets the channel. */
static void a_processor_goes_away(void **state)
{
	struct ide_op read = {.access = {0x1f7, 1, false, 0}},
		      write = {.access = {BUS_MASTER, 1, true, 1}};

	controller(SECTORS);
	write_first(10, 8, 1);
	write_first(1024, 8, 2);
	write_first(2048, 8, 3);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	prd_table(BUFFER, 8 * 512, 1);
	assert_int_equal(dma(0x25, true, false, 2048, 8), 0x50);
	taskfile(true, 10, 8);
	out(0x1f7, 1, 0x25);
	out(BUS_MASTER, 1, 9);
	dev.slow = 0;
	assert_int_equal(ide_begin(&ide, &read, NULL), IDE_PASS);
	dev_access(&read.ask);
	assert_int_equal(ide_resume(&ide, &read, NULL), IDE_AGENT);
	ide_forget(&ide, &read);
	out(0x3f6, 1, 4);
	out(0x3f6, 1, 0);
	out(BUS_MASTER, 1, 8);
	expect_no_windows();
	wait_status();
	assert_int_equal(dma(0x25, true, false, 1024, 8), 0x50);
	expect_buffer(BUFFER, 1024, 8, 2);
	/* What is in the journal is not known then: the disk is dead. */
	taskfile(true, 1024, 8);
	out(0x1f7, 1, 0x35);
	assert_int_equal(ide_begin(&ide, &write, NULL), IDE_AGENT);
	ide_forget(&ide, &write);
	assert_true(w.d.dead);
	out(BUS_MASTER, 1, 0);
	out(BUS_MASTER, 1, 1); /* it is not begun again without a record */
	assert_int_equal(wait_status(), 0x51);
	expect_no_windows();
}

/* The device model moves fewer elements than it says, or L1 does. */
static void a_string_that_is_cut(void **state)
{
	struct ide_op op = {.access = {0x1f0, 2, false, 0}, .gpa = GPA(BUFFER), .bytes = 512};

	controller(SECTORS);
	write_first(10, 2, 1);
	memset(guest + BUFFER, 0xaa, 1024);
	assert_int_equal(command(0x24, true, 10, 2), 0x58);
	assert_int_equal(ide_begin(&ide, &op, NULL), IDE_PASS);
	op.moved = 510;
	for (enum ide_next next = ide_resume(&ide, &op, NULL); next != IDE_DONE;
	     next = ide_resume(&ide, &op, NULL)) {
		assert_int_equal(next, IDE_ASK);
		dev_access(&op.ask);
	}
	assert_int_equal(wait_status(), 0x51);
	assert_int_equal(in(0x1f1, 1), UNC);
	for (unsigned int i = 0; i < 1024; i++)
		assert_int_equal(guest[BUFFER + i], 0xaa);
	expect_no_windows();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_flipped_bit, forget),
		cmocka_unit_test_teardown(swapped_sectors, forget),
		cmocka_unit_test_teardown(an_old_sector, forget),
		cmocka_unit_test_teardown(a_write_that_is_dropped, forget),
		cmocka_unit_test_teardown(the_device_model_changes_what_it_reads, forget),
		cmocka_unit_test_teardown(a_write_that_fails, forget),
		cmocka_unit_test_teardown(an_agent_that_fails, forget),
		cmocka_unit_test_teardown(resets, forget),
		cmocka_unit_test_teardown(a_reset_during_dma, forget),
		cmocka_unit_test_teardown(data_out_of_turn, forget),
		cmocka_unit_test_teardown(a_buffer_that_is_not_there, forget),
		cmocka_unit_test_teardown(a_refused_drive, forget),
		cmocka_unit_test_teardown(a_disk_of_two_controllers, forget),
		cmocka_unit_test_teardown(a_plain_drive, forget),
		cmocka_unit_test_teardown(two_processors, forget),
		cmocka_unit_test_teardown(a_processor_goes_away, forget),
		cmocka_unit_test_teardown(a_string_that_is_cut, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
