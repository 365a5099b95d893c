/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format: the values of docs/image-format.md, images read by tests/unit/disk_image.py, which was written
 * from that page, and the edges of headers, records and the tree's places.
 */
#define STORE_PAGES 2048u
#include <stdio.h>
#include <unistd.h>

#include "crypto/sha256.h"
#include "tests/unit/test_disk.h"

#define READER "tests/unit/disk_image.py"

static void levels_and_places(void **state)
{
	static const struct {
		uint64_t sectors;
		uint32_t levels;
	} row[] = {{1, 1},
		   {256, 1},
		   {257, 2},
		   {65536, 2},
		   {65537, 3},
		   {1 << 24, 3},
		   {(1 << 24) + 1, 4},
		   {(uint64_t)1 << 32, 4},
		   {((uint64_t)1 << 32) + 1, 5},
		   {DISK_SECTORS_MAX, DISK_LEVELS_MAX}};
	struct disk_header h = {.journal = 1 << 20};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		uint64_t nodes = h.sectors = row[i].sectors, end = 8192 + (2 << 20);

		assert_int_equal(format_levels(row[i].sectors), row[i].levels);
		for (uint32_t level = 0; level < row[i].levels; level++) {
			nodes = (nodes + 255) / 256;
			assert_int_equal(format_node_offset(&h, level, 0, 0), end);
			assert_int_equal(format_node_offset(&h, level, 0, 1), end + 4096);
			end += nodes * 8192;
			assert_int_equal(format_node_offset(&h, level, nodes - 1, 1), end - 4096);
		}
		assert_int_equal(nodes, 1);
		assert_int_equal(format_sidecar_bytes(&h), end);
	}
}

/* A header that verifies, and says what none may say. */
static void a_header_is_sane(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} row[] = {{48, 0},  {52, 8},   {52, 1},     {64, 2},     {68, 1},
		   {68, 3},  {72, 2},   {76, 12288}, {76, 20481}, {76, 0x40001000},
		   {144, 1}, {4060, 1}, {56, 8}};
	uint8_t page[DISK_HEADER_BYTES], made[DISK_HEADER_BYTES];
	struct crypto_hmac k;
	struct disk_header h = {0};

	make_image(1000, DISK_JOURNAL_MIN);
	disk_keys_hmac(&k, &w.keys, "nethervisor disk v1 header");
	format_header_make(&w.made, &k, made);
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		memcpy(page, made, sizeof(page));
		assert_int_equal(format_header_read(&h, &k, page, 1, w.keys.uuid, w.keys.id), 0);
		assert_memory_equal(&h, &w.made, sizeof(h));
		memcpy(page + row[i].at, &row[i].value, 4);
		crypto_hmac(&k, page, DISK_HEADER_BYTES - 32, NULL, 0,
			    page + DISK_HEADER_BYTES - 32);
		assert_int_equal(format_header_read(&h, &k, page, 1, w.keys.uuid, w.keys.id),
				 ERR_TAG);
	}
	w.made.sectors = DISK_SECTORS_MAX;
	w.made.journal = DISK_JOURNAL_MAX;
	format_header_make(&w.made, &k, page);
	assert_int_equal(format_header_read(&h, &k, page, 1, w.keys.uuid, w.keys.id), 0);
	assert_int_equal(format_header_read(&h, &k, page, 0, w.keys.uuid, w.keys.id), ERR_TAG);
}

/* What a record says of its size is not believed before it verifies. The sanitizer sees reads beyond. */
static void a_record_stays_in_its_room(void **state)
{
	static const uint8_t session[DISK_SESSION_BYTES] = "session", key[32] = "key";
	struct disk_record r = {.type = DISK_RECORD_WRITE, .seq = 7, .count = DISK_RECORD_TAGS},
			   got;
	uint8_t *out = calloc(1, DISK_RECORD_MAX);
	struct crypto_hmac k;

	crypto_hmac_init(&k, key, sizeof(key));
	format_record_make(&r, &k, session, out);
	assert_int_equal(r.bytes, DISK_RECORD_MAX);
	assert_true(format_record_read(&got, &k, session, 7, out, DISK_RECORD_MAX));
	assert_int_equal(got.count, DISK_RECORD_TAGS);
	assert_false(format_record_read(&got, &k, session, 8, out, DISK_RECORD_MAX));
	assert_false(format_record_read(&got, &k, session, 7, out, DISK_RECORD_MAX - 1));
	assert_false(format_record_read(&got, &k, session, 7, out, DISK_SECTOR - 1));
	for (uint32_t count = DISK_RECORD_TAGS + 1; count; count *= 2) {
		uint32_t bytes = format_record_bytes(count);

		memcpy(out + 40, &count, 4);
		memcpy(out + 44, &bytes, 4);
		assert_false(format_record_read(&got, &k, session, 7, out, UINT32_MAX));
	}
	free(out);
}

static void entries_have_their_slot(void **state)
{
	static const uint8_t key[32] = "key", node[DISK_NODE];
	uint8_t a[DISK_TAG_BYTES], b[DISK_TAG_BYTES];
	struct crypto_hmac k;

	crypto_hmac_init(&k, key, sizeof(key));
	for (uint32_t i = 0; i < 100; i++) {
		format_entry(&k, node, 0, i, 0, a);
		format_entry(&k, node, 0, i, 1, b);
		assert_int_equal(a[0] & 1, 0);
		assert_int_equal(b[0], a[0] | 1);
		assert_memory_equal(a + 1, b + 1, sizeof(a) - 1);
		format_entry(&k, node, 1, i, 0, b);
		assert_memory_not_equal(a, b, sizeof(a));
	}
}

/* --- images as another implementation reads them ---------------------------------------------------- */

static void save(uint32_t file, uint64_t bytes, const char *path)
{
	static uint8_t page[4096];
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	for (uint64_t at = 0; at < bytes; at += 4096) {
		store_read(&w.store, file, at, page, sizeof(page));
		assert_int_equal(fwrite(page, sizeof(page), 1, f), 1);
	}
	assert_int_equal(fclose(f), 0);
}

static void hex(char *to, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(to + 2 * i, 3, "%02x", bytes[i]);
}

/* What the reader prints, without the keys. */
static void read_image(const uint8_t *master, char *out, size_t n)
{
	char dir[] = "/tmp/test_disk_XXXXXX", command[512], sidecar[64], data[64], m[65], u[33],
	     line[256];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(sidecar, sizeof(sidecar), "%s/sidecar", dir);
	snprintf(data, sizeof(data), "%s/data", dir);
	save(DISK_SIDECAR, format_sidecar_bytes(&w.made), sidecar);
	save(DISK_DATA, w.made.sectors * DISK_SECTOR, data);
	hex(m, master, DISK_MASTER_BYTES);
	hex(u, w.keys.uuid, DISK_UUID_BYTES);
	snprintf(command, sizeof(command), "python3 " READER " %s %s %s %s", m, u, sidecar, data);
	f = popen(command, "r");
	assert_non_null(f);
	*out = 0;
	while (fgets(line, sizeof(line), f))
		if (!strncmp(line, "sector", 6) || !strncmp(line, "record", 6)) {
			assert_true(strlen(out) + strlen(line) < n);
			memcpy(out + strlen(out), line, strlen(line) + 1);
		}
	assert_int_equal(pclose(f), 0);
	unlink(sidecar);
	unlink(data);
	rmdir(dir);
}

static void expect_line(char *out, uint64_t lba, uint64_t version)
{
	uint8_t sector[DISK_SECTOR], digest[32];
	char text[65];

	fill_sector(sector, lba, version);
	crypto_sha256(sector, sizeof(sector), digest);
	hex(text, digest, sizeof(digest));
	sprintf(out + strlen(out), "sector %u %s\n", (unsigned int)lba, text);
}

static void add_line(char *out, const char *line)
{
	memcpy(out + strlen(out), line, strlen(line) + 1);
}

static const uint8_t master[DISK_MASTER_BYTES] = "master key of the unit tests";

static void another_implementation_reads_it(void **state)
{
	static char got[20000], want[20000];

	make_image(70000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(5, 2, 1), 0);
	assert_int_equal(write_sectors(69999, 1, 2), 0);
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(6, 2, 3), 0);
	assert_int_equal(close_disk(), 0);
	*want = 0;
	expect_line(want, 5, 1);
	expect_line(want, 6, 3);
	expect_line(want, 7, 3);
	expect_line(want, 69999, 2);
	read_image(master, got, sizeof(got));
	assert_string_equal(got, want);
}

static void another_implementation_recovers_it(void **state)
{
	static const uint8_t noise[DISK_SECTOR] = "noise";
	static char got[20000], want[20000];
	uint8_t old[DISK_SECTOR];

	make_image(70000, DISK_JOURNAL_MIN);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 8, 1), 0);
	store_read(&w.store, DISK_DATA, 5 * DISK_SECTOR, old, sizeof(old));
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	assert_int_equal(write_sectors(0, 3, 2), 0);
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(write_sectors(4, 6, 3), 0);
	store_write(&w.store, DISK_DATA, 5 * DISK_SECTOR, old, sizeof(old));
	store_write(&w.store, DISK_DATA, 1 * DISK_SECTOR, noise, sizeof(noise));
	store_write(&w.store, DISK_DATA, 6 * DISK_SECTOR, noise, sizeof(noise));
	store_write(&w.store, DISK_DATA, 9 * DISK_SECTOR, noise, sizeof(noise));
	cut();
	snprintf(want, sizeof(want), "record 1 1 0 3\nrecord 2 2 0 0\nrecord 1 3 4 6\n");
	expect_line(want, 0, 2);
	add_line(want, "sector 1 bad\n");
	expect_line(want, 2, 2);
	expect_line(want, 3, 1);
	expect_line(want, 4, 3);
	expect_line(want, 5, 1);
	add_line(want, "sector 6 bad\n");
	expect_line(want, 7, 3);
	expect_line(want, 8, 3);
	read_image(master, got, sizeof(got));
	assert_string_equal(got, want);
}

/* --- the example of docs/image-format.md ------------------------------------------------------------ */

static void make_example(void)
{
	uint8_t m[DISK_MASTER_BYTES], uuid[DISK_UUID_BYTES], session[DISK_SESSION_BYTES];
	uint8_t page[DISK_HEADER_BYTES];
	struct disk_expect expect = {.generation = 1};
	struct request *r = new_request(300, 2);
	struct crypto_hmac k;
	int err;

	for (uint32_t i = 0; i < 32; i++)
		m[i] = i;
	for (uint32_t i = 0; i < 16; i++) {
		uuid[i] = 0x40 + i;
		session[i] = 0xa0 + i;
	}
	make_image(1000, DISK_JOURNAL_MIN);
	disk_keys_derive(&w.keys, m, uuid);
	disk_keys_hmac(&k, &w.keys, "nethervisor disk v1 header");
	memcpy(w.made.uuid, uuid, sizeof(uuid));
	memcpy(w.made.key_id, w.keys.id, sizeof(w.keys.id));
	w.made.seq = 1;
	format_header_make(&w.made, &k, page);
	store_write(&w.store, DISK_SIDECAR, DISK_HEADER_BYTES, page, sizeof(page));
	w.pages = aligned_alloc(4096, DEFAULT_PAGES * 4096);
	assert_int_equal(disk_init(&w.d, w.pages, DEFAULT_PAGES), 0);
	UNTIL_DONE(err, disk_open(&w.d, &w.keys, &expect, session));
	assert_int_equal(err, 0);
	for (uint32_t i = 0; i < 512; i++)
		r->buf[i] = i;
	memset(r->buf + 512, 0, 512);
	UNTIL_DONE(err, disk_write_start(&w.d, &r->cmd));
	assert_int_equal(err, 0);
	device_write(r, 0, 2);
	assert_int_equal(end_write(r, true), 0);
	assert_int_equal(flush_disk(), 0);
	assert_int_equal(close_disk(), 0);
	free_request(r);
}

static void expect_hex(const char *what, const uint8_t *bytes, const char *want)
{
	char got[257] = "";

	hex(got, bytes, strlen(want) / 2);
	if (strcmp(got, want))
		fail_msg("%s: %s", what, got);
}

static void the_example(void **state)
{
	static const struct {
		const char *what;
		uint32_t file;
		uint64_t at;
		const char *hex;
	} row[] = {
		{"header 2, from its sectors on", DISK_SIDECAR, 48,
		 "e803000000000000020000000000000001000000020000000100000000400000"
		 "0100000000000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf0000000000000000"
		 "0000000000000000"},
		{"header 2, MAC", DISK_SIDECAR, 4064,
		 "645fc0980a960df964e046e00041ff65f9e982ca95f135df95307fe59da4a276"},
		{"header 3, from its sectors on", DISK_SIDECAR, 4144,
		 "e803000000000000030000000000000000000000020000000000000000400000"
		 "0300000000000000a0a1a2a3a4a5a6a7a8a9aaabacadaeafe8e1b0b7cf36f2d6"
		 "663ce7cb33e6e453"},
		{"header 3, MAC", DISK_SIDECAR, 8160,
		 "d3648ba9da4ecd8fbf8477fd60c110ab5d30307989524831aee8fde9b6db6a2c"},
		{"record 1, head", DISK_SIDECAR, 24576,
		 "4e484a31010000000100000000000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
		 "2c010000000000000200000000020000"},
		{"record 1, tags", DISK_SIDECAR, 24640,
		 "344bae6c56e991b4d1aadd0d8b38e11f9e243fa473310bc2ddc14b4f8e7e0cf1"},
		{"record 1, MAC", DISK_SIDECAR, 24672,
		 "ae9d8b59922573a4c1acecc8c785b877448837e6797f45efc0cf4b3132b6b345"},
		{"record 2, head", DISK_SIDECAR, 25088,
		 "4e484a31020000000200000000000000a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"
		 "00000000000000000000000000020000"},
		{"record 2, MAC", DISK_SIDECAR, 25152,
		 "4ae56d48acf0148305dcca78d1aeb2c54dd9fd933c42da311a753ddbea44d742"},
		{"leaf 1, tags", DISK_SIDECAR, 49856,
		 "344bae6c56e991b4d1aadd0d8b38e11f9e243fa473310bc2ddc14b4f8e7e0cf1"},
		{"root node, entries 0 and 1", DISK_SIDECAR, 73728,
		 "00000000000000000000000000000000f09792cacade8555bc1e8dac17ed4455"},
		{"sector 300", DISK_DATA, 153600,
		 "adb63e2cbb45491d5e2cc2aae02f5d8536dea39935396e4b066ea998798481f8"},
		{"sector 301", DISK_DATA, 154112,
		 "7220abad160f2bcdabf1a8157095c656c070d0031f6273fae84953bb56341b1c"},

	};
	uint8_t bytes[128];

	make_example();
	expect_hex("key id", w.keys.id, "3a48c22e88e23e7bdb81086c0466c8ac");
	expect_hex("xts", w.keys.xts,
		   "c5c6cc6e8c7ef43c3c9ab7109d3b481603efe125d6863f8e46423eb581b1eb18"
		   "206ed9da586c3533defdd30c5f59132ad866b13414c061e1ca94797bb29741bd");
	expect_hex("tag", w.keys.tag,
		   "5c082e51e0c298cb8f96762bfc6d4de241d78d6e601c3059db946c761b8cc75d");
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		store_read(&w.store, row[i].file, row[i].at, bytes, sizeof(bytes));
		expect_hex(row[i].what, bytes, row[i].hex);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_and_places),
		cmocka_unit_test(a_header_is_sane),
		cmocka_unit_test(a_record_stays_in_its_room),
		cmocka_unit_test(entries_have_their_slot),
		cmocka_unit_test(another_implementation_reads_it),
		cmocka_unit_test(another_implementation_recovers_it),
		cmocka_unit_test(the_example),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
