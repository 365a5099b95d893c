/* SPDX-License-Identifier: Apache-2.0 */
/* Failures: of the device, and of any single request to the agent, also while an image is recovered. */
#define STORE_PAGES 4096u
#include "tests/unit/test_disk.h"

static void put_sector(uint64_t lba, const uint8_t *bytes)
{
	store_write(&w.store, DISK_DATA, lba * DISK_SECTOR, bytes, DISK_SECTOR);
}

/* Sectors 0..9 have version 1; then a write of version 2 fails after the device has done a part. */
static void fail_a_write(uint32_t done, bool garbage, uint8_t second[DISK_SECTOR])
{
	struct request *r = new_request(0, 10);
	uint8_t noise[DISK_SECTOR];

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 10, 1), 0);
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(start_write(r, 2), 0);
	memcpy(second, r->buf + 9 * DISK_SECTOR, DISK_SECTOR);
	device_write(r, 0, done);
	memset(noise, 0x77, sizeof(noise));
	if (garbage)
		put_sector(done, noise);
	assert_int_equal(end_write(r, false), 0);
	free_request(r);
}

static void a_failed_write_is_settled(void **state)
{
	uint8_t first[DISK_SECTOR], second[DISK_SECTOR];

	fail_a_write(4, false, second);
	for (int i = 0; i < 3; i++) {
		expect_sectors(0, 4, 2);
		expect_sectors(4, 6, 1);
		/* Once: what is now put there is not what was there. */
		store_read(&w.store, DISK_DATA, 9 * DISK_SECTOR, first, sizeof(first));
		put_sector(9, second);
		expect_bad(0, 10, 9);
		if (i == 0) {
			cut();
			assert_int_equal(open_consented(DEFAULT_PAGES), 0);
			expect_bad(0, 10, 9);
		}
		if (i == 1) {
			assert_int_equal(close_disk(), 0);
			assert_int_equal(open_closed(), 0);
			expect_bad(0, 10, 9);
		}
		put_sector(9, first);
	}
	cut();
}

static void what_is_neither_old_nor_new_is_unreadable(void **state)
{
	uint8_t second[DISK_SECTOR], old[DISK_SECTOR];

	fail_a_write(4, true, second);
	expect_bad(0, 10, 4);
	expect_sectors(5, 5, 1);
	assert_int_equal(flush_disk(), 0);
	/* For good, whatever comes to be there. */
	store_read(&w.store, DISK_DATA, 5 * DISK_SECTOR, old, sizeof(old));
	put_sector(4, old);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	expect_bad(0, 10, 4);
	assert_int_equal(write_sectors(4, 1, 3), 0);
	expect_sectors(4, 1, 3);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_sectors(4, 1, 3);
	cut();
}

/* The same for a power cut. A sector never written is still that. */
static void a_torn_sector_is_unreadable(void **state)
{
	uint8_t noise[DISK_SECTOR], second[DISK_SECTOR];

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 10, 1), 0);
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(write_sectors(5, 10, 2), 0);
	store_read(&w.store, DISK_DATA, 7 * DISK_SECTOR, second, sizeof(second));
	memset(noise, 0x77, sizeof(noise));
	put_sector(7, noise);
	put_sector(12, noise);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	put_sector(7, second);
	expect_sectors(0, 5, 1);
	expect_sectors(5, 2, 2);
	expect_bad(7, 1, 7);
	expect_sectors(8, 4, 2);
	expect_sectors(12, 1, 0);
	expect_sectors(13, 2, 2);
	expect_sectors(15, 10, 0);
	assert_int_equal(close_disk(), 0);
}

/* Then nobody knows what is there. */
static void a_failed_write_that_cannot_be_read_is_the_end(void **state)
{
	struct request *r = new_request(0, 10);

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(start_write(r, 1), 0);
	w.fail_in = 1;
	assert_int_equal(end_write(r, false), ERR_IO);
	assert_int_equal(end_read(r), ERR_IO);
	assert_int_equal(start_write(r, 1), ERR_IO);
	assert_int_equal(flush_disk(), ERR_IO);
	assert_int_equal(close_disk(), ERR_IO);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_sectors(0, 10, 0);
	cut();
	free_request(r);
}

/* A node is not that important. */
static void a_failed_read_of_a_node_is_one_commands(void **state)
{
	struct request *r = new_request(0, 10);

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 10, 1), 0);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	w.fail_in = 1;
	assert_int_equal(end_read(r), ERR_IO);
	assert_int_equal(r->cmd.bad, 0);
	w.fail_in = 2;
	assert_int_equal(start_write(r, 2), ERR_IO);
	assert_int_equal(w.fails, 2);
	expect_sectors(0, 10, 1);
	assert_int_equal(start_write(r, 2), 0);
	device_write(r, 0, 10);
	assert_int_equal(end_write(r, true), 0);
	expect_sectors(0, 10, 2);
	assert_int_equal(close_disk(), 0);
	free_request(r);
}

/* Until the first error; how far it came. */
static int session(void)
{
	struct request *r = new_request(600, 300);
	int err = open_closed(), step = 0;

	err = err ? err : (step++, write_sectors(0, 500, 1));
	err = err ? err : (step++, flush_disk());
	err = err ? err : (step++, write_sectors(100, 300, 2));
	err = err ? err : (step++, start_write(r, 3));
	if (!err) {
		device_write(r, 0, 200);
		step++;
		err = end_write(r, false);
	}
	err = err ? err : (step++, flush_disk());
	err = err ? err : (step++, close_disk());
	step += !err;
	free_request(r);
	return step;
}

static void version_between(uint64_t lba, uint64_t least, uint64_t most)
{
	struct request *r = new_request(lba, 1);
	uint64_t version;

	assert_int_equal(end_read(r), 0);
	version = sector_version(r->buf, lba);
	assert_in_range(version, least, most);
	free_request(r);
}

/* After any request has failed the disk is dead, and the next session finds all that was flushed. */
static void any_request_may_fail(void **state)
{
	int step, n = 0;

	do {
		make_image(1000, DISK_JOURNAL_MIN);
		w.fail_in = ++n;
		step = session();
		if (step > 0 && step < 8) {
			assert_int_equal(write_sectors(0, 1, 9), ERR_IO);
			assert_int_equal(flush_disk(), ERR_IO);
		}
		cut();
		w.fail_in = 0;
		assert_int_equal(open_consented(DEFAULT_PAGES), 0);
		version_between(50, step > 2, step > 0);
		version_between(450, step > 2, step > 0);
		version_between(150, step > 6 ? 2 : step > 2, 2);
		version_between(700, step > 6 ? 3 : 0, 3);
		version_between(850, 0, 0);
		expect_sectors(900, 100, 0);
		assert_int_equal(close_disk(), 0);
	} while (step < 8);
	assert_true(n > 20);
}

/* More leaves than pages, so that recovery makes checkpoints, at each of which it may end and begin again. */
static void recovery_may_fail_anywhere(void **state)
{
	struct store broken = {0};
	int err, n = 0;

	make_image(20000, 64u << 10);
	assert_int_equal(open_consented(DISK_PAGES(DISK_COUNT_MAX)), 0);
	for (unsigned int i = 0; i < 40; i++) {
		assert_int_equal(write_sectors(500 * i, 3, 1), 0);
		if (i == 20)
			assert_int_equal(flush_disk(), 0);
		assert_int_equal(write_sectors(500 * i, 2, 2), 0);
	}
	assert_int_equal(w.d.stats.checkpoints, 1);
	cut();
	store_copy(&broken, &w.store);
	do {
		store_copy(&w.store, &broken);
		w.receipt.generation = 1;
		w.fail_in = ++n;
		err = open_consented(DISK_PAGES(1));
		assert_true(err == 0 || err == ERR_IO);
		if (!err)
			assert_true(w.d.stats.checkpoints > 3);
		cut();
		w.fail_in = 0;
		assert_int_equal(open_consented(DISK_PAGES(1)), 0);
		for (unsigned int i = 0; i < 40; i++) {
			expect_sectors(500 * i, 2, 2);
			expect_sectors(500 * i + 2, 1, 1);
		}
		assert_int_equal(close_disk(), 0);
	} while (err);
	assert_true(n > 40);
	store_clear(&broken);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_write_is_settled),
		cmocka_unit_test(what_is_neither_old_nor_new_is_unreadable),
		cmocka_unit_test(a_torn_sector_is_unreadable),
		cmocka_unit_test(a_failed_write_that_cannot_be_read_is_the_end),
		cmocka_unit_test(a_failed_read_of_a_node_is_one_commands),
		cmocka_unit_test(any_request_may_fail),
		cmocka_unit_test(recovery_may_fail_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
