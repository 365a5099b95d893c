/* SPDX-License-Identifier: Apache-2.0 */
/* What the host can do to the two files: always an error, or an older disk that its owner consented to. */
#define STORE_PAGES 2048u
#include "tests/unit/test_disk.h"

#define SECTORS 70000u /* three levels */

/* A closed image with versions 1 of sectors 0..599, and of 69000..69099. */
static void closed_image(void)
{
	make_image(SECTORS, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 600, 1), 0);
	assert_int_equal(write_sectors(69000, 100, 1), 0);
	assert_int_equal(close_disk(), 0);
}

static void swap(uint32_t file, uint64_t a, uint64_t b, size_t n)
{
	static uint8_t x[8192], y[8192];

	store_read(&w.store, file, a, x, n);
	store_read(&w.store, file, b, y, n);
	store_write(&w.store, file, a, y, n);
	store_write(&w.store, file, b, x, n);
}

static void copy(uint32_t file, uint64_t to, uint64_t from, size_t n)
{
	uint8_t *x = malloc(n);

	store_read(&w.store, file, from, x, n);
	store_write(&w.store, file, to, x, n);
	free(x);
}

static uint64_t node_at(uint32_t level, uint64_t index, uint32_t slot)
{
	return format_node_offset(&w.made, level, index, slot);
}

static void every_byte_of_a_sector_counts(void **state)
{
	closed_image();
	assert_int_equal(open_closed(), 0);
	for (uint32_t i = 0; i < DISK_SECTOR; i += 3) {
		store_flip(DISK_DATA, 300 * DISK_SECTOR + i, 1 << i % 8);
		expect_bad(296, 10, 300);
		expect_bad(300, 1, 300);
		store_flip(DISK_DATA, 300 * DISK_SECTOR + i, 1 << i % 8);
	}
	assert_int_equal(w.d.stats.bad_tags, 2 * 171);
	expect_sectors(0, 600, 1);
	cut();
}

/* Also into another sector's place, or back in time. */
static void a_sector_has_its_place_and_time(void **state)
{
	uint8_t old[DISK_SECTOR];

	closed_image();
	assert_int_equal(open_closed(), 0);
	swap(DISK_DATA, 5 * DISK_SECTOR, 300 * DISK_SECTOR, DISK_SECTOR);
	expect_bad(5, 1, 5);
	expect_bad(0, 600, 5);
	expect_bad(300, 300, 300);
	swap(DISK_DATA, 5 * DISK_SECTOR, 300 * DISK_SECTOR, DISK_SECTOR);
	store_read(&w.store, DISK_DATA, 5 * DISK_SECTOR, old, sizeof(old));
	assert_int_equal(write_sectors(5, 1, 2), 0);
	store_write(&w.store, DISK_DATA, 5 * DISK_SECTOR, old, sizeof(old));
	expect_bad(0, 10, 5);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	expect_bad(0, 10, 5);
	/* It may be written again. */
	assert_int_equal(write_sectors(5, 1, 3), 0);
	expect_sectors(5, 1, 3);
	cut();
}

/* Which slots a node of the closed image is in does not matter here: both are changed. */
static void every_node_counts(void **state)
{
	static const struct {
		uint32_t level;
		uint64_t index, bad, good;
	} row[] = {{0, 1, 256, 0}, {0, 0, 0, 256}, {1, 0, 0, 69000}, {1, 1, 69000, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		for (uint32_t byte = 0; byte < DISK_NODE; byte += 509) {
			closed_image();
			for (uint32_t slot = 0; slot < 2; slot++)
				store_flip(DISK_SIDECAR,
					   node_at(row[i].level, row[i].index, slot) + byte, 0x10);
			assert_int_equal(open_closed(), 0);
			expect_bad(row[i].bad, 50, row[i].bad);
			assert_int_equal(w.d.stats.bad_nodes, 1);
			assert_int_equal(write_sectors(row[i].bad, 1, 2), ERR_IO);
			/* The rest goes on. */
			expect_sectors(row[i].good, 50, 1);
			assert_int_equal(write_sectors(row[i].good, 1, 2), 0);
			assert_int_equal(close_disk(), 0);
		}
	closed_image();
	for (uint32_t slot = 0; slot < 2; slot++)
		store_flip(DISK_SIDECAR, node_at(2, 0, slot) + 5, 0x10);
	assert_int_equal(open_closed(), 0);
	expect_bad(0, 1, 0);
	expect_bad(69000, 1, 69000);
	cut();
}

static void a_node_has_its_place_and_time(void **state)
{
	closed_image();
	swap(DISK_SIDECAR, node_at(0, 0, 0), node_at(0, 1, 0), 8192);
	assert_int_equal(open_closed(), 0);
	expect_bad(0, 1, 0);
	expect_bad(256, 1, 256);
	cut();
	/* The other slot has what was before the second session; both then have. */
	closed_image();
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(256, 1, 2), 0);
	assert_int_equal(close_disk(), 0);
	swap(DISK_SIDECAR, node_at(0, 1, 0), node_at(0, 1, 1), 4096);
	assert_int_equal(open_closed(), 0);
	expect_bad(256, 1, 256);
	cut();
	/* One level up the same. */
	swap(DISK_SIDECAR, node_at(0, 1, 0), node_at(0, 1, 1), 4096);
	swap(DISK_SIDECAR, node_at(1, 0, 0), node_at(1, 0, 1), 4096);
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_bad(257, 1, 257);
	cut();
}

static void every_byte_of_a_header_counts(void **state)
{
	uint64_t here, other;

	closed_image();
	here = format_header_slot(w.receipt.generation) * DISK_HEADER_BYTES;
	other = DISK_HEADER_BYTES - here;
	for (uint32_t i = 0; i < DISK_HEADER_BYTES; i += i < 160 ? 1 : 23) {
		int want = i < 8 ? ERR_INVAL : i < 16 ? ERR_NOSYS : i < 32 ? ERR_NODEV : ERR_KEY;

		store_flip(DISK_SIDECAR, here + i, 1 << i % 8);
		/* Then the older counts. */
		assert_int_equal(open_closed(), ERR_STALE);
		store_flip(DISK_SIDECAR, other + i, 1 << i % 8);
		assert_int_equal(open_consented(DEFAULT_PAGES), i < 48 ? want : ERR_TAG);
		store_flip(DISK_SIDECAR, other + i, 1 << i % 8);
		store_flip(DISK_SIDECAR, here + i, 1 << i % 8);
	}
	/* A header has its place, too. */
	swap(DISK_SIDECAR, 0, DISK_HEADER_BYTES, DISK_HEADER_BYTES);
	assert_int_equal(open_consented(DEFAULT_PAGES), ERR_TAG);
	swap(DISK_SIDECAR, 0, DISK_HEADER_BYTES, DISK_HEADER_BYTES);
	assert_int_equal(open_closed(), 0);
	cut();
}

static void keys_are_told_apart(void **state)
{
	static const uint8_t master[DISK_MASTER_BYTES] = "another";
	struct disk_keys right;

	closed_image();
	right = w.keys;
	disk_keys_derive(&w.keys, master, right.uuid);
	assert_int_equal(open_closed(), ERR_KEY);
	w.keys = right;
	w.keys.uuid[3] ^= 1;
	assert_int_equal(open_closed(), ERR_NODEV);
	w.keys = right;
	w.keys.tag[3] ^= 1;
	assert_int_equal(open_closed(), ERR_TAG);
	w.keys = right;
	memcpy(w.keys.xts, w.keys.xts + 32, 32);
	assert_int_equal(open_closed(), ERR_KEY);
	w.keys = right;
	assert_int_equal(open_closed(), 0);
	cut();
}

static void an_older_image_is_refused(void **state)
{
	struct store older = {0};
	struct disk_receipt was;

	closed_image();
	was = w.receipt;
	store_copy(&older, &w.store);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(w.receipt.generation, was.generation + 2);
	store_copy(&w.store, &older);
	assert_int_equal(open_closed(), ERR_STALE);
	assert_int_equal(w.d.header.generation, was.generation);
	assert_int_equal(open_consented(DEFAULT_PAGES), ERR_STALE);
	w.receipt = was;
	assert_int_equal(open_closed(), 0);
	cut();
	store_clear(&older);
}

/* Two sessions from one image end with the same generation. */
static void a_fork_is_refused(void **state)
{
	struct disk_receipt was, first;
	struct store older = {0};

	closed_image();
	was = w.receipt;
	store_copy(&older, &w.store);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 1, 2), 0);
	assert_int_equal(close_disk(), 0);
	first = w.receipt;
	store_copy(&w.store, &older);
	w.receipt = was;
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 1, 3), 0);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(w.receipt.generation, first.generation);
	w.receipt = first;
	assert_int_equal(open_closed(), ERR_UNCLEAN);
	store_clear(&older);
}

static void what_was_not_closed_needs_consent(void **state)
{
	closed_image();
	assert_int_equal(open_closed(), 0);
	cut();
	assert_int_equal(open_closed(), ERR_UNCLEAN);
	assert_int_equal(w.d.header.state, DISK_OPEN);
	assert_int_equal(w.d.header.generation, w.receipt.generation + 1);
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	w.receipt.generation = w.d.header.generation;
	cut();
	assert_int_equal(open_closed(), ERR_UNCLEAN);
	/* Newer, though closed. */
	closed_image();
	w.receipt.generation--;
	assert_int_equal(open_closed(), ERR_UNCLEAN);
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	cut();
}

/* An image that was not closed: sector 10 twice flushed, 20 not. */
static void open_image(void)
{
	closed_image();
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(10, 1, 2), 0);
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(write_sectors(10, 1, 3), 0);
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(write_sectors(20, 1, 2), 0);
	w.made.half = w.d.header.half;
	cut();
}

/* Records are of a sector each, but for a flush: 2 3 at 0, 2; 2 at 4. */
static void every_byte_of_a_record_counts(void **state)
{
	uint64_t half;

	for (uint32_t i = 0; i < 5 * DISK_SECTOR; i += 15) {
		uint32_t record = i / DISK_SECTOR, used = record % 2 ? 96 : 112;

		open_image();
		half = format_journal_offset(&w.made, w.made.half);
		store_flip(DISK_SIDECAR, half + i, 0x40);
		assert_int_equal(open_consented(DEFAULT_PAGES), 0);
		if (i % DISK_SECTOR >= used)
			record = 5;
		/* The data file has version 3; without its record nothing verifies it. */
		if (record > 2)
			expect_sectors(10, 1, 3);
		else
			expect_bad(0, 20, 10);
		if (record > 4)
			expect_sectors(20, 1, 2);
		else
			expect_bad(20, 1, 20);
		cut();
	}
}

/* As if the device had forgotten: only what was not flushed may be old. */
static void what_was_flushed_is_not_older(void **state)
{
	uint8_t old[DISK_SECTOR], older[DISK_SECTOR];

	closed_image();
	assert_int_equal(open_closed(), 0);
	store_read(&w.store, DISK_DATA, 20 * DISK_SECTOR, old, sizeof(old));
	store_read(&w.store, DISK_DATA, 10 * DISK_SECTOR, older, sizeof(older));
	cut();
	open_image();
	store_write(&w.store, DISK_DATA, 20 * DISK_SECTOR, old, sizeof(old));
	store_write(&w.store, DISK_DATA, 10 * DISK_SECTOR, older, sizeof(older));
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_bad(0, 21, 10);
	expect_sectors(11, 10, 1);
	cut();
}

/* Another session's records, or an earlier checkpoint's, count nothing. */
static void a_journal_has_its_time(void **state)
{
	uint64_t half[2];

	open_image();
	half[0] = format_journal_offset(&w.made, 0);
	half[1] = format_journal_offset(&w.made, 1);
	copy(DISK_SIDECAR, half[!w.made.half], half[w.made.half], DISK_JOURNAL_MIN);
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	assert_int_equal(w.d.header.half, !w.made.half);
	assert_int_equal(write_sectors(10, 1, 4), 0);
	assert_int_equal(flush_disk(), 0);
	cut();
	copy(DISK_SIDECAR, half[!w.made.half], half[w.made.half], DISK_JOURNAL_MIN);
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_bad(0, 20, 10);
	expect_sectors(20, 1, 2);
	cut();
}

/* Two sessions from one image have the same sequence numbers. */
static void a_journal_has_its_session(void **state)
{
	static uint8_t journal[2 * DISK_JOURNAL_MIN], data[20 * DISK_SECTOR];
	struct store older = {0};

	closed_image();
	store_copy(&older, &w.store);
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	assert_int_equal(write_sectors(0, 20, 4), 0);
	assert_int_equal(flush_disk(), 0);
	cut();
	store_read(&w.store, DISK_SIDECAR, 2 * DISK_HEADER_BYTES, journal, sizeof(journal));
	store_read(&w.store, DISK_DATA, 0, data, sizeof(data));
	store_copy(&w.store, &older);
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	cut();
	store_write(&w.store, DISK_SIDECAR, 2 * DISK_HEADER_BYTES, journal, sizeof(journal));
	store_write(&w.store, DISK_DATA, 0, data, sizeof(data));
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_bad(0, 20, 0);
	expect_sectors(20, 10, 1);
	cut();
	store_clear(&older);
}

static uint32_t journal_reads;

static void hide_the_second_time(const struct disk_io *io)
{
	if (io->op == DISK_READ && io->offset == format_journal_offset(&w.made, w.made.half) &&
	    journal_reads++)
		memset(io->buf, 0, 3 * DISK_SECTOR);
}

static void a_journal_is_the_same_twice(void **state)
{
	make_image(SECTORS, 128u << 10); /* more than recovery reads at once */
	assert_int_equal(open_closed(), 0);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(write_sectors(10 * i, 1, 2), 0);
	w.made.half = w.d.header.half;
	cut();
	journal_reads = 0;
	w.seen = hide_the_second_time;
	assert_int_equal(open_consented(DEFAULT_PAGES), ERR_IO);
	assert_int_equal(journal_reads, 2);
	w.seen = NULL;
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_sectors(0, 1, 2);
	expect_sectors(1990, 1, 2);
	cut();
}

/* Zeros, to the engine. */
static void a_file_may_be_cut_off(void **state)
{
	static const uint8_t zeros[600 * DISK_SECTOR];

	closed_image();
	store_write(&w.store, DISK_DATA, 100 * DISK_SECTOR, zeros, 500 * DISK_SECTOR);
	assert_int_equal(open_closed(), 0);
	expect_bad(0, 600, 100);
	cut();
	closed_image();
	store_write(&w.store, DISK_SIDECAR, node_at(0, 1, 0), zeros, 8192);
	assert_int_equal(open_closed(), 0);
	expect_bad(0, 600, 256);
	cut();
	store_write(&w.store, DISK_SIDECAR, 0, zeros, 8192);
	assert_int_equal(open_consented(DEFAULT_PAGES), ERR_INVAL);
}

/*
 * A write failed, and was settled to be as before. An older header, with its half of the journal and behind that
 * what followed in the other half, would have it done all the same, and nothing else lost.
 */
static void a_half_has_its_own_records(void **state)
{
	uint8_t half[DISK_JOURNAL_MIN];
	struct request *r = new_request(5, 1);
	struct disk_header older;
	uint64_t tail;

	make_image(SECTORS, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(5, 1, 1), 0);
	assert_int_equal(start_write(r, 2), 0);
	older = w.d.header;
	tail = w.d.tail;
	store_read(&w.store, DISK_SIDECAR, 4096 * (older.generation % 2), half, 4096);
	assert_int_equal(end_write(r, false), 0);
	assert_int_equal(write_sectors(300, 1, 3), 0);
	assert_int_equal(flush_disk(), 0);
	assert_int_not_equal(w.d.header.half, older.half);
	store_write(&w.store, DISK_SIDECAR, 4096 * (older.generation % 2), half, 4096);
	memset(half, 0, 4096);
	store_write(&w.store, DISK_SIDECAR, 4096 * (w.d.header.generation % 2), half, 4096);
	store_read(&w.store, DISK_SIDECAR, format_journal_offset(&older, w.d.header.half), half,
		   sizeof(half));
	store_write(&w.store, DISK_SIDECAR, format_journal_offset(&older, older.half) + tail, half,
		    sizeof(half) - tail);
	device_write(r, 0, 1);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_sectors(300, 1, 0);
	cut();
	free_request(r);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_of_a_sector_counts),
		cmocka_unit_test(a_sector_has_its_place_and_time),
		cmocka_unit_test(every_node_counts),
		cmocka_unit_test(a_node_has_its_place_and_time),
		cmocka_unit_test(every_byte_of_a_header_counts),
		cmocka_unit_test(keys_are_told_apart),
		cmocka_unit_test(an_older_image_is_refused),
		cmocka_unit_test(a_fork_is_refused),
		cmocka_unit_test(what_was_not_closed_needs_consent),
		cmocka_unit_test(every_byte_of_a_record_counts),
		cmocka_unit_test(what_was_flushed_is_not_older),
		cmocka_unit_test(a_journal_has_its_time),
		cmocka_unit_test(a_journal_has_its_session),
		cmocka_unit_test(a_half_has_its_own_records),
		cmocka_unit_test(a_journal_is_the_same_twice),
		cmocka_unit_test(a_file_may_be_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
