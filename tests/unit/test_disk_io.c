/* SPDX-License-Identifier: Apache-2.0 */
/* What is written is read, at any size of disk and command, with any number of pages, and again after a close. */
#include "tests/unit/test_disk.h"

#define TIB ((uint64_t)1 << 40)

static void a_new_image_is_zeros(void **state)
{
	uint8_t noise[DISK_SECTOR];

	make_image(1000, DISK_JOURNAL_MIN);
	memset(noise, 0x5a, sizeof(noise));
	store_write(&w.store, DISK_DATA, 7 * DISK_SECTOR, noise, sizeof(noise));
	assert_int_equal(open_closed(), 0);
	expect_sectors(0, 1000, 0);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(w.receipt.generation, 3);
}

static void what_is_written_is_read(void **state)
{
	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(3, 1, 1), 0);
	assert_int_equal(write_sectors(250, 300, 2), 0);
	assert_int_equal(write_sectors(999, 1, 3), 0);
	expect_sectors(3, 1, 1);
	expect_sectors(250, 300, 2);
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(close_disk(), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(open_closed(), 0);
		expect_sectors(0, 3, 0);
		expect_sectors(3, 1, 1);
		expect_sectors(4, 246, 0);
		expect_sectors(250, 300, 2);
		expect_sectors(550, 449, 0);
		expect_sectors(999, 1, 3);
		assert_int_equal(close_disk(), 0);
	}
}

/* cryptsetup opens it: AES-256-XTS, tweak the sector number. */
static void the_data_file_is_plain_xts(void **state)
{
	uint8_t sector[DISK_SECTOR], want[DISK_SECTOR];
	struct crypto_xts x;

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(700, 2, 9), 0);
	store_read(&w.store, DISK_DATA, 701 * DISK_SECTOR, sector, sizeof(sector));
	fill_sector(want, 701, 9);
	assert_memory_not_equal(sector, want, sizeof(want));
	assert_int_equal(crypto_xts_init(&x, w.keys.xts), 0);
	crypto_xts_decrypt(&x, 701, sector, sector, 1);
	assert_memory_equal(sector, want, sizeof(want));
	cut();
}

/* Random places of a disk of any size, with few pages: nodes come and go, checkpoints come between. */
static void random_writes(uint64_t sectors, size_t pages)
{
	enum { N = 200 };
	uint64_t lba[N];

	make_image(sectors, DISK_JOURNAL_DEFAULT);
	assert_int_equal(open_consented(pages), 0);
	for (unsigned int i = 0; i < N; i++) {
		uint32_t count = 1 + i % 9;

		lba[i] = (i * 0x9e3779b97f4a7c15u) % (sectors - count);
		if (i == 1)
			lba[i] = sectors - count;
		assert_int_equal(write_sectors(lba[i], count, i + 1), 0);
		expect_sectors(lba[i], count, i + 1);
	}
	assert_true(w.d.stats.node_misses > 0);
	assert_true(w.d.stats.checkpoints > 3);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	for (unsigned int i = 0; i < N; i++)
		expect_sectors(lba[i], 1, i + 1);
	assert_int_equal(close_disk(), 0);
}

static void disks_of_many_sizes(void **state)
{
	random_writes(64 * GIB / DISK_SECTOR, DISK_PAGES(256));
	random_writes(64 * GIB / DISK_SECTOR, DISK_PAGES(256) + 40);
	random_writes(8 * TIB / DISK_SECTOR, DISK_PAGES(256));
	random_writes(DISK_SECTORS_MAX, DISK_PAGES(256));
}

/* Leaves of the tree that a command needs come by one list of requests, each is verified when it is used. */
static void leaves_come_together(void **state)
{
	struct disk_header *h = &w.d.header;
	uint32_t slot;

	make_image(64 * GIB / DISK_SECTOR, DISK_JOURNAL_DEFAULT);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 2048, 1), 0);
	assert_int_equal(write_sectors(256 * 256 - 1024, 2048, 2), 0);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	w.lists = 0;
	expect_sectors(0, 2048, 1);
	assert_int_equal(w.lists, w.d.levels);
	assert_int_equal(w.d.stats.node_misses, w.d.levels - 1 + 2048 / 256);
	expect_sectors(256 * 256 - 1024, 2048, 2); /* of two parents */
	assert_int_equal(w.lists, w.d.levels + 1 + 2);
	cut();
	assert_int_equal(open_consented(DISK_PAGES(1)), 0); /* hardly any pages */
	expect_sectors(0, 2048, 1);
	for (slot = 0; slot < 2; slot++)
		store_flip(DISK_SIDECAR, format_node_offset(h, 0, 3, slot) + 9, 1);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_bad(0, 2048, 3 * 256);
	assert_int_equal(w.d.stats.bad_nodes, 1);
	expect_sectors(4 * 256, 1024, 1);
	w.fail_in = 1;
	expect_bad(256 * 256 - 1024, 512, 256 * 256 - 1024);
	expect_sectors(256 * 256 - 1024, 2048, 2);
}

static void the_largest_command(void **state)
{
	make_image(200000, DISK_JOURNAL_DEFAULT);
	assert_int_equal(open_consented(DISK_PAGES(DISK_COUNT_MAX)), 0);
	assert_int_equal(write_sectors(100, DISK_COUNT_MAX, 1), 0);
	expect_sectors(100, DISK_COUNT_MAX, 1);
	assert_int_equal(write_sectors(101, DISK_COUNT_MAX, 2), 0);
	cut();
	assert_int_equal(open_consented(DISK_PAGES(1)), 0);
	expect_sectors(100, 1, 1);
	expect_sectors(101, DISK_COUNT_MAX, 2);
	assert_int_equal(write_sectors(0, DISK_COUNT_MAX, 3), ERR_NOMEM);
	assert_int_equal(write_sectors(0, 256, 3), 0);
	assert_int_equal(close_disk(), 0);
}

static void bad_arguments_are_refused(void **state)
{
	static const struct {
		uint64_t lba;
		uint32_t count;
	} row[] = {{0, 0},
		   {1000, 1},
		   {999, 2},
		   {0, 1001},
		   {UINT64_MAX, 2},
		   {UINT64_MAX - 1, 1},
		   {0, DISK_COUNT_MAX + 1}};

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		struct request *r = new_request(row[i].lba, row[i].count);
		int err;

		UNTIL_DONE(err, disk_write_start(&w.d, &r->cmd));
		assert_int_equal(err, ERR_INVAL);
		UNTIL_DONE(err, disk_read_end(&w.d, &r->cmd));
		assert_int_equal(err, ERR_INVAL);
		free_request(r);
	}
	cut();
	assert_int_equal(disk_init(&w.d, w.pages, DISK_PAGES(1) - 1), ERR_INVAL);
	assert_int_equal(disk_init(&w.d, w.pages, DISK_PAGES_MAX + 1), ERR_INVAL);
}

/* Not more than a half of the journal takes. */
static void a_command_fits_in_the_journal(void **state)
{
	make_image(5000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 1001, 1), ERR_2BIG);
	for (unsigned int i = 1; i < 10; i++)
		assert_int_equal(write_sectors(i, 1000, i), 0);
	assert_int_equal(w.d.stats.checkpoints, 9);
	expect_sectors(9, 1000, 9);
	assert_int_equal(close_disk(), 0);
}

static void writes_may_overlap_in_time_only(void **state)
{
	struct request *a, *b, *c, *e;

	make_image(5000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	a = new_request(0, 300);
	b = new_request(300, 300);
	c = new_request(299, 1);
	e = new_request(600, 500);
	assert_int_equal(start_write(a, 1), 0);
	assert_int_equal(start_write(b, 2), 0);
	assert_int_equal(start_write(c, 3), ERR_BUSY);
	assert_int_equal(start_write(e, 4), ERR_BUSY);
	device_write(b, 0, 300);
	assert_int_equal(end_write(b, true), 0);
	assert_int_equal(close_disk(), ERR_BUSY);
	assert_int_equal(start_write(c, 3), ERR_BUSY);
	/* It takes a checkpoint, which a's records survive. */
	assert_int_equal(start_write(e, 4), 0);
	device_write(e, 0, 500);
	assert_int_equal(end_write(e, true), 0);
	expect_sectors(600, 500, 4);
	device_write(a, 0, 300);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_sectors(0, 300, 1);
	expect_sectors(300, 300, 2);
	expect_sectors(600, 500, 4);
	assert_int_equal(close_disk(), 0);
	free_request(a);
	free_request(b);
	free_request(c);
	free_request(e);
}

/* Pages for two paths through the tree are kept from tags. */
static void tags_leave_room_for_nodes(void **state)
{
	struct request *a, *b;

	make_image(200000, DISK_JOURNAL_DEFAULT);
	assert_int_equal(open_consented(DISK_PAGES(256)), 0);
	a = new_request(0, 256);
	b = new_request(1000, 4 * 256);
	assert_int_equal(start_write(a, 1), 0);
	assert_int_equal(start_write(b, 2), 0);
	assert_int_equal(write_sectors(5000, 1, 3), ERR_BUSY);
	device_write(a, 0, 256);
	device_write(b, 0, 4 * 256);
	assert_int_equal(end_write(b, true), 0);
	assert_int_equal(end_write(a, true), 0);
	assert_int_equal(write_sectors(5000, 1, 3), 0);
	expect_sectors(0, 256, 1);
	expect_sectors(1000, 4 * 256, 2);
	expect_sectors(5000, 1, 3);
	cut();
	free_request(a);
	free_request(b);
}

static void faults_end_a_command(void **state)
{
	struct request *r;

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 100, 1), 0);
	r = new_request(0, 100);
	r->fault_at = 40 * DISK_SECTOR;
	assert_int_equal(start_write(r, 2), ERR_FAULT);
	assert_int_equal(w.d.tag_pages, 0);
	expect_sectors(0, 100, 1);
	assert_int_equal(end_read(r), ERR_FAULT);
	assert_int_equal(close_disk(), 0);
	free_request(r);
}

/* One function at a time. */
static void others_wait(void **state)
{
	struct request *r = new_request(0, 1), *other = new_request(9, 1);

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(disk_write_start(&w.d, &r->cmd), ERR_AGAIN);
	assert_int_equal(disk_write_start(&w.d, &other->cmd), ERR_BUSY);
	assert_int_equal(disk_read_end(&w.d, &other->cmd), ERR_BUSY);
	assert_int_equal(disk_write_end(&w.d, &r->cmd, true), ERR_BUSY);
	assert_int_equal(disk_close(&w.d, &w.receipt), ERR_BUSY);
	assert_int_equal(disk_open(&w.d, &w.keys, NULL, NULL), ERR_BUSY);
	carry_out();
	assert_int_equal(disk_write_start(&w.d, &r->cmd), 0);
	assert_int_equal(disk_write_end(&w.d, &r->cmd, true), 0);
	cut();
	free_request(r);
	free_request(other);
}

static void nothing_works_when_not_open(void **state)
{
	struct request *r = new_request(0, 1);

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(close_disk(), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(start_write(r, 1), ERR_IO);
		assert_int_equal(end_write(r, true), ERR_IO);
		assert_int_equal(end_read(r), ERR_IO);
		assert_int_equal(flush_disk(), ERR_IO);
		assert_int_equal(close_disk(), ERR_IO);
		disk_abandon(&w.d);
	}
	free_request(r);
}

/* Neither keys nor plaintext stay. */
static void nothing_is_left_in_memory(void **state)
{
	const uint8_t *p;

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 100, 1), 0);
	assert_int_equal(close_disk(), 0);
	p = w.pages;
	for (size_t i = 0; i < DEFAULT_PAGES * 4096; i++)
		assert_int_equal(p[i], 0);
	memset(&w.d.header, 0, sizeof(w.d.header));
	memset(&w.d.stats, 0, sizeof(w.d.stats));
	p = (const uint8_t *)&w.d;
	for (size_t i = 0; i < sizeof(w.d); i++)
		assert_int_equal(p[i], 0);
}

/* A flush with nothing new costs nothing. */
static void a_flush_is_one_record(void **state)
{
	uint64_t bytes;

	make_image(1000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(disk_flush_end(&w.d), 0);
	assert_int_equal(write_sectors(0, 1, 1), 0);
	bytes = w.d.stats.journal_bytes;
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(w.d.stats.journal_bytes, bytes + DISK_SECTOR);
	assert_int_equal(disk_flush_end(&w.d), 0);
	/* The half has room for 32 of them, then a checkpoint does. */
	assert_int_equal(write_sectors(0, 1, 1), 0);
	for (unsigned int i = 2; i < 16; i++) {
		assert_int_equal(write_sectors(i, 1 + i % 3, i), 0);
		assert_int_equal(flush_disk(), 0);
	}
	assert_int_equal(w.d.tail, 31 * DISK_SECTOR);
	assert_int_equal(write_sectors(0, 1, 2), 0);
	bytes = w.d.stats.journal_bytes;
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(w.d.stats.journal_bytes, bytes);
	assert_int_equal(w.d.tail, 0);
	assert_int_equal(disk_flush_end(&w.d), 0);
	cut();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_image_is_zeros),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_data_file_is_plain_xts),
		cmocka_unit_test(disks_of_many_sizes),
		cmocka_unit_test(leaves_come_together),
		cmocka_unit_test(the_largest_command),
		cmocka_unit_test(bad_arguments_are_refused),
		cmocka_unit_test(a_command_fits_in_the_journal),
		cmocka_unit_test(writes_may_overlap_in_time_only),
		cmocka_unit_test(tags_leave_room_for_nodes),
		cmocka_unit_test(faults_end_a_command),
		cmocka_unit_test(others_wait),
		cmocka_unit_test(nothing_works_when_not_open),
		cmocka_unit_test(nothing_is_left_in_memory),
		cmocka_unit_test(a_flush_is_one_record),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
