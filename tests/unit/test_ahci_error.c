// SPDX-License-Identifier: Apache-2.0
// AHCI commands that fail, ports that are stopped or reset meanwhile, and device models that lie.
#include "tests/unit/test_ahci.h"

#define LBA 40u

static void written(uint64_t version)
{
	struct plan c = {0, 0x35, LBA, 8, BUFFER, 4096, 0, 0, 0x40};

	fill(BUFFER, LBA, 8, version);
	issue(&c);
	assert_int_equal(in(P_CI), 0);
}

static void expect_read(uint64_t version)
{
	struct plan c = {7, 0x25, LBA, 8, BUFFER + 0x20000, 4096, 0, 0, 0};

	issue(&c);
	assert_int_equal(in(P_CI), 0);
	expect_version(c.at, LBA, 8, version);
}

/* One bit is wrong in sector 7 of 8: zeros from there on, UNC, and the sector's number. */
static void expect_unc(uint32_t buffer)
{
	expect_version(buffer, LBA, 7, 1);
	for (unsigned int i = 0; i < 512; i++)
		assert_int_equal(guest[buffer + 7 * 512 + i], 0);
	assert_int_equal(in(P_TFD), 0x4041);
}

static void a_read_that_does_not_verify_fails(void **state)
{
	struct plan c = {2, 0x25, LBA, 8, BUFFER + 0x20000, 4096, 0, 0, 0};
	const uint8_t *fis = guest + RECEIVED + 0x40;

	written(1);
	hba.flips = true;
	HBA(P_IS) = 0;
	issue(&c);
	assert_int_equal(in(8), 0);
	assert_int_equal(in(P_IS)&TFES, TFES);
	assert_int_equal(in(8), 1);
	assert_int_equal(in(P_CI), 4);
	expect_unc(c.at);
	assert_int_equal(fis[0], 0x34);
	assert_int_equal(fis[2] & 1, 1);
	assert_int_equal(fis[3], 0x40);
	assert_int_equal(fis[4], LBA + 7);
	out(P_IS, TFES);
	assert_int_equal(in(P_IS)&TFES, 0);
	assert_int_equal(in(8), 0);
	assert_int_equal(in(P_CI), 4);
	hba.flips = false;
	out(P_CMD, 0x10);
	out(P_CMD, 0x11);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(in(P_TFD), 0x50);
	expect_read(1);
}

/* As Linux does: PxIS, PxSACT; stop; the log; again. */
static void a_queued_read_that_does_not_verify_is_in_the_log(void **state)
{
	struct plan bad = {5, 0x60, LBA, 8, BUFFER + 0x20000, 4096, 0, 0, 0},
		    good = {6, 0x60, 200, 8, BUFFER + 0x30000, 4096, 0, 0, 0},
		    log = {0, 0x2f, 0x10, 1, BUFFER, 512, 0, 0, 0};
	uint8_t sum = 0;

	written(1);
	hba.defer = ~0u;
	issue(&bad);
	issue(&good);
	HBA(P_IS) = 0;
	hba.flips = true;
	hba_complete(5);
	hba.flips = false;
	assert_int_equal(in(P_IS)&TFES, TFES);
	assert_int_equal(in(P_SACT), 3u << 5);
	assert_int_equal(in(P_CI)&1u << 5, 0);
	expect_unc(bad.at);
	assert_int_equal(guest[RECEIVED + 0x58 + 3], 0x40);
	/* The other one is not lost if it comes before the port is stopped. */
	hba_complete(6);
	assert_int_equal(in(P_SACT), 1u << 5);
	expect_version(good.at, 200, 8, 0);
	out(P_CMD, 0x10);
	assert_int_equal(in(P_SACT), 0);
	out(P_CMD, 0x11);
	hba.defer = 0;
	issue(&log);
	assert_int_equal(hba.last, 0xec);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(guest[BUFFER], 5);
	assert_int_equal(guest[BUFFER + 2], 0x41);
	assert_int_equal(guest[BUFFER + 3], 0x40);
	assert_int_equal(guest[BUFFER + 4], LBA + 7);
	for (unsigned int i = 0; i < 512; i++)
		sum = (uint8_t)(sum + guest[BUFFER + i]);
	assert_int_equal(sum, 0);
	expect_read(1);
}

/* Found only when the guest looks at PxSACT by itself: it is not over for it either. */
static void a_bad_read_is_never_over(void **state)
{
	struct plan bad = {5, 0x60, LBA, 8, BUFFER + 0x20000, 4096, 0, 0, 0};

	written(1);
	hba.flips = true;
	issue(&bad);
	assert_int_equal(in(P_SACT), 1u << 5);
	expect_unc(bad.at);
	assert_int_equal(in(P_IS)&TFES, TFES);
	/* Nor is it issued again before the port was stopped. */
	hba.commands = 0;
	out(P_CI, 1u << 5);
	assert_int_equal(hba.commands, 0);
}

/* The device model fails a write: the guest is told, and reads what is there. */
static void a_write_that_fails(void **state)
{
	struct plan c = {1, 0x35, LBA, 8, BUFFER, 4096, 0, 0, 0x40};

	written(1);
	fill(BUFFER, LBA, 8, 2);
	hba.fails = true;
	issue(&c);
	assert_int_equal(in(P_IS)&TFES, TFES);
	assert_int_equal(in(P_CI), 2);
	assert_int_equal(in(P_TFD), 0x441);
	assert_non_null(w.d.in_flight);
	hba.fails = false;
	out(P_CMD, 0x10);
	assert_int_equal(hba.resets, 1);
	assert_null(w.d.in_flight);
	out(P_CMD, 0x11);
	expect_read(1);
}

/*
 * QEMU goes on with what it has when the port is stopped. So the monitor resets the device, and only then settles
 * what was being written.
 */
static void a_port_is_stopped_under_writes(void **state)
{
	struct plan c = {.code = 0x61, .count = 8, .bytes = 4096, .options = 0x40};

	written(1);
	hba.defer = ~0u;
	for (unsigned int i = 0; i < 4; i++) {
		c.slot = i;
		c.lba = LBA + i * 8;
		c.at = BUFFER + i * 0x1000;
		fill(c.at, c.lba, 8, 2);
		issue(&c);
	}
	c = (struct plan){9, 0x60, 500, 8, BUFFER + 0x9000, 4096, 0, 0, 0};
	issue(&c);
	c.slot = 10; /* one that waits */
	c.lba = LBA;
	issue(&c);
	assert_int_equal(hba.kept, 0x20f);
	hba_execute(1); /* it has reached the disk; the guest has not seen that */
	out(P_CMD, 0x10);
	assert_int_equal(hba.resets, 1);
	assert_int_equal(HBA(P_SCTL), 0);
	assert_null(w.d.in_flight);
	assert_int_equal(in(P_CI) | in(P_SACT), 0);
	for (size_t i = 0; i < GUEST_RAM; i++)
		assert_true(!covered[i] || i - RECEIVED < 256);
	out(P_CMD, 0x11);
	hba.defer = 0;
	expect_read(1);
	c = (struct plan){0, 0x60, LBA + 8, 8, BUFFER, 4096, 0, 0, 0};
	issue(&c);
	assert_int_equal(in(P_SACT), 0);
	expect_version(BUFFER, LBA + 8, 8, 2);
}

static void the_guest_resets_the_device(void **state)
{
	struct plan c = {3, 0x61, LBA, 8, BUFFER, 4096, 0, 0, 0x40};

	written(1);
	hba.defer = ~0u;
	for (unsigned int how = 0; how < 2; how++) {
		fill(BUFFER, LBA, 8, 3);
		issue(&c);
		assert_int_equal(hba.kept, 8);
		if (how == 0) {
			out(P_SCTL, 0x301);
			assert_non_null(w.d.in_flight);
			out(P_SCTL, 0x300);
		} else {
			out(4, 0x80000001);
		}
		assert_int_equal(hba.resets, how + 1);
		assert_null(w.d.in_flight);
		if (how == 1) {
			expect_no_windows();
			start_port();
		}
	}
	hba.defer = 0;
	expect_read(1);
}

/* SRST, by a command of its own; others that are under way are given up before. */
static void the_guest_resets_by_software(void **state)
{
	struct plan c = {3, 0x61, LBA, 8, BUFFER, 4096, 0, 0, 0x40}, control = {.slot = 0};

	written(1);
	hba.defer = ~1u;
	fill(BUFFER, LBA, 8, 3);
	issue(&c);
	prepare(&control);
	guest[TABLE(0) + 1] = 0;
	guest[TABLE(0) + 15] = 4;
	out(P_CI, 1);
	assert_int_equal(hba.resets, 1);
	assert_null(w.d.in_flight);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(ahci.port[0].issued, 0);
	hba.defer = 0;
	expect_read(1);
}

/* Its memory ends where the command list would be: the port does not start. */
static void a_list_that_is_no_memory(void **state)
{
	out(P_CMD, 0x10);
	out(P_CLB, GUEST_RAM);
	out(P_CMD, 0x11);
	assert_int_equal(in(P_CMD)&1, 0);
	out(P_CI, 1);
	assert_int_equal(hba.commands, 0);
	out(P_CLB, LIST);
	out(P_CMD, 0x11);
	expect_read(0);
	out(P_CMD, 0);
	expect_no_windows();
}

/* A device model that says that all is over, and has done nothing. */
static void it_says_too_early_that_it_is_done(void **state)
{
	struct plan c = {2, 0x25, LBA, 8, BUFFER + 0x20000, 4096, 0, 0, 0};

	written(1);
	hba.defer = ~0u;
	issue(&c);
	hba.dead = true;
	assert_int_equal(in(P_CI), 4);
	assert_int_equal(in(P_TFD)&1, 1);
	for (unsigned int i = 0; i < 4096; i++)
		assert_int_equal(guest[c.at + i], 0);
}

/* It ends just when the guest asks: the FIS comes with the word, as SeaBIOS needs it. */
static void a_fis_comes_with_the_word(void **state)
{
	struct plan c = {2, 0x25, LBA, 8, BUFFER + 0x20000, 4096, 0, 0, 0};
	struct ahci_op op = {.access = {P_IS, false, 0}};

	memset(guest + RECEIVED, 0, 256);
	hba.defer = ~0u;
	issue(&c);
	assert_int_equal(ahci_begin(&ahci, &op, NULL), AHCI_ASK);
	hba_complete(2);
	assert_int_equal(go_on(&op, AHCI_ASK), AHCI_DONE);
	assert_int_equal(op.access.value & 1, 1);
	assert_int_equal(guest[RECEIVED + 0x40], 0x34);
	assert_int_equal(guest[RECEIVED + 0x42], 0x50);
}

/* What was in the place of its FISes before is none. */
static void nothing_is_received_from_before(void **state)
{
	out(P_CMD, 0);
	view[RECEIVED + 0x40] = 0x34;
	out(P_CMD, 0x11);
	memset(guest + RECEIVED, 0, 256);
	in(P_IS);
	assert_int_equal(guest[RECEIVED + 0x40], 0);
}

/* It interrupts, and sends FISes, while PxCI says otherwise: drivers that look at one of them alone see nothing. */
static void it_says_by_one_register_only_that_it_is_done(void **state)
{
	struct plan c = {2, 0x25, LBA, 8, BUFFER + 0x20000, 4096, 0, 0, 0};

	written(1);
	memset(guest + RECEIVED, 0, 256);
	hba.defer = ~0u;
	issue(&c);
	HBA(P_IS) = 7;
	HBA(P_TFD) = 0x50;
	hba_fis(0x40, 0x34, 0x50, 0);
	hba_fis(0x20, 0x5f, 0x50, 0);
	assert_int_equal(in(P_IS), 0);
	assert_int_equal(in(P_TFD), 0xd0);
	assert_int_equal(in(P_CI), 4);
	assert_int_equal(guest[RECEIVED + 0x40] | guest[RECEIVED + 0x20], 0);
	hba_complete(2);
	assert_int_equal(in(P_IS), 7);
	assert_int_equal(guest[RECEIVED + 0x40], 0x34);
	expect_version(c.at, LBA, 8, 1);
	/* A FIS that the guest has taken does not come again. */
	guest[RECEIVED + 0x40] = 0;
	assert_int_equal(in(P_IS), 7);
	assert_int_equal(guest[RECEIVED + 0x40], 0);
}

/* The drive that nobody has vouched for is not used, whatever it is. */
static void a_drive_that_is_refused(void **state)
{
	struct plan c = {0, 0x25, 0, 1, BUFFER, 512, 0, 0, 0};

	ahci_set(&ahci, 0, IDE_REFUSED, NULL);
	issue(&c);
	assert_int_equal(hba.last, 0xef);
	assert_int_equal(in(P_TFD), 0x441);
}

/* A second controller, with the same disk. */
static void it_is_behind_another_controller(void **state)
{
	static const uint8_t codes[] = {0x60, 0x61, 0x25, 0x35, 0xea};
	struct ide_drive other = {.kind = IDE_ENCRYPTED, .disk = &w.d};

	assert_true(drive_is_here(&other));
	for (size_t i = 0; i < sizeof(codes); i++) {
		struct plan c = {0, codes[i], LBA, 8, BUFFER, 4096, 0, 0, i % 2 ? 0x40 : 0};

		issue(&c);
		assert_int_equal(hba.last, 0xef);
		assert_int_equal(in(P_TFD), 0x441);
		out(P_CMD, 0x10);
		out(P_CMD, 0x11);
		HBA(P_IS) = HBA(P_TFD) = 0;
	}
	assert_int_equal(w.d.stats.sectors_written, 0);
}

/* The agent fails: the guest's command does, and none hangs. */
static void the_agent_fails(void **state)
{
	struct plan c = {0, 0x61, LBA, 8, BUFFER, 4096, 0, 0, 0x40};

	w.fail_in = 1;
	fill(BUFFER, LBA, 8, 1);
	issue(&c);
	assert_int_equal(w.fails, 1);
	assert_int_equal(hba.last, 0xef);
	assert_int_equal(in(P_IS)&TFES, TFES);
	out(P_CMD, 0x10);
	out(P_CMD, 0x11);
	assert_null(w.d.in_flight);
}

/* A processor's operation is given up in the middle; another goes on with it. */
static void an_operation_is_forgotten(void **state)
{
	struct plan c = {0, 0x61, LBA, 8, BUFFER, 4096, 0, 0, 0x40};
	struct ahci_op op = {.access = {P_CI, true, 1}};

	fill(BUFFER, LBA, 8, 1);
	prepare(&c);
	out(P_SACT, 1);
	assert_int_equal(ahci_begin(&ahci, &op, NULL), AHCI_AGENT);
	ahci_forget(&ahci, &op);
	assert_int_equal(in(P_SACT), 1);
	assert_int_equal(in(P_IS)&TFES, TFES);
	out(P_CMD, 0x10);
	assert_int_equal(in(P_SACT), 0);
}

/* It was about another command than the one that ends next. */
static void a_write_is_forgotten_before_another_ends(void **state)
{
	struct plan c = {0, 0x61, LBA, 8, BUFFER, 4096, 0, 0, 0x40}, d = c;
	struct ahci_op op = {.access = {P_CI, true, 1}};

	d.slot = 1;
	d.lba = LBA + 8;
	fill(BUFFER, LBA, 8, 1);
	hba.defer = 2;
	issue(&d);
	prepare(&c);
	out(P_SACT, 1);
	assert_int_equal(ahci_begin(&ahci, &op, NULL), AHCI_AGENT);
	ahci_forget(&ahci, &op);
	hba_complete(1);
	in(P_SACT);
	assert_null(w.d.in_flight);
	out(P_CMD, 0x10);
	assert_int_equal(in(P_SACT), 0);
}

/* The tags of all sectors have to be fetched. */
static void reopen(void)
{
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
}

static void begin_read(const struct plan *c, struct ahci_op *op)
{
	enum ahci_next next;

	issue(c);
	next = ahci_begin(&ahci, op, NULL);
	while (next == AHCI_ASK) {
		hba_access(&op->ask);
		next = ahci_resume(&ahci, op, NULL);
	}
	assert_int_equal(next, AHCI_AGENT);
}

/* The next goes on with it, or with another one after a reset. */
static void a_read_is_forgotten(void **state)
{
	struct plan c = {0, 0x60, 0, 8, BUFFER, 4096, 0, 0, 0};

	assert_int_equal(write_sectors(0, 8, 1), 0);
	assert_int_equal(write_sectors(1024, 8, 2), 0);
	for (unsigned int reset = 0; reset < 2; reset++) {
		struct ahci_op op = {.access = {P_SACT, false, 0}};

		reopen();
		c.lba = 0;
		begin_read(&c, &op);
		ahci_forget(&ahci, &op);
		if (reset) {
			out(P_SCTL, 1);
			out(P_SCTL, 0);
			c.lba = 1024;
			issue(&c);
		}
		assert_int_equal(in(P_SACT), 0);
		assert_int_equal(in(P_IS)&TFES, 0);
		expect_version(BUFFER, c.lba, 8, 1 + reset);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_read_that_does_not_verify_fails),
		TEST(a_queued_read_that_does_not_verify_is_in_the_log),
		TEST(a_bad_read_is_never_over),
		TEST(a_write_that_fails),
		TEST(a_port_is_stopped_under_writes),
		TEST(the_guest_resets_the_device),
		TEST(the_guest_resets_by_software),
		TEST(a_list_that_is_no_memory),
		TEST(it_says_too_early_that_it_is_done),
		TEST(a_fis_comes_with_the_word),
		TEST(nothing_is_received_from_before),
		TEST(it_says_by_one_register_only_that_it_is_done),
		TEST(a_drive_that_is_refused),
		TEST(it_is_behind_another_controller),
		TEST(the_agent_fails),
		TEST(an_operation_is_forgotten),
		TEST(a_write_is_forgotten_before_another_ends),
		TEST(a_read_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
