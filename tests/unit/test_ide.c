/* SPDX-License-Identifier: Apache-2.0 */
/* An encrypted disk on the IDE controller: all commands, all ways to move data. */
#include "tests/unit/test_ide.h"

#define SECTORS 4096u

static void pio_reads_what_was_written(void **state)
{
	uint64_t version = 1;

	controller(SECTORS);
	for (enum way way = WORDS; way <= UNALIGNED; way++) {
		for (uint32_t count = 1; count <= 20; count += 6, version++) {
			uint32_t gpa = way == UNALIGNED ? BUFFER + 0x332 : BUFFER;
			uint64_t lba = 100 * way + count;

			fill_buffer(gpa, lba, count, version);
			assert_int_equal(pio(0x30, false, true, way, lba, count, 1), 0x50);
			expect_secret(lba, version);
			expect_secret(lba + count - 1, version);
			memset(guest + gpa, 0, count * 512);
			assert_int_equal(pio(0x20, false, false, way, lba, count, 1), 0x50);
			expect_buffer(gpa, lba, count, version);
			expect_secret(lba, version);
			expect_no_windows();
		}
	}
}

static void pio_in_blocks(void **state)
{
	controller(SECTORS);
	for (enum way way = WORDS; way <= UNALIGNED; way++) {
		uint32_t gpa = way == UNALIGNED ? BUFFER + 0x332 : BUFFER;

		assert_int_equal(command(0xc6, false, 0, 8), 0x50);
		fill_buffer(gpa, 7, 21, 40 + way);
		assert_int_equal(pio(0xc5, false, true, way, 7, 21, 8), 0x50);
		memset(guest + gpa, 0, 21 * 512);
		assert_int_equal(pio(0x29, true, false, way, 7, 21, 8), 0x50);
		expect_buffer(gpa, 7, 21, 40 + way);
	}
	expect_no_windows();
}

/* SET MULTIPLE is refused with a count that is none, and so are blocks then. */
static void blocks_that_are_not_set(void **state)
{
	controller(SECTORS);
	assert_int_equal(pio(0xc4, false, false, WORDS, 0, 1, 1), 0x51);
	assert_int_equal(in(0x1f1, 1), 4);
	assert_int_equal(command(0xc6, false, 0, 12), 0x51);
	assert_int_equal(command(0xc6, false, 0, 32), 0x51);
	assert_int_equal(command(0xc6, false, 0, 16), 0x50);
	fill_buffer(BUFFER, 5, 16, 3);
	assert_int_equal(pio(0x39, true, true, STRINGS, 5, 16, 16), 0x50);
	assert_int_equal(pio(0xc4, false, false, STRINGS32, 5, 16, 16), 0x50);
	expect_buffer(BUFFER, 5, 16, 3);
}

static void dma_reads_what_was_written(void **state)
{
	static const uint32_t counts[] = {1, 2, 7, 8, 128, 255, 256};
	uint64_t version = 100;

	controller(SECTORS);
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		for (unsigned int pieces = 1; pieces < 200; pieces = pieces * 5 + 1, version++) {
			uint32_t n = counts[i], gpa = BUFFER + 2 * ((uint32_t)rand() % 4096);
			uint64_t lba = (uint64_t)rand() % (SECTORS - n);

			prd_table(gpa, n * 512, pieces);
			fill_buffer(gpa, lba, n, version);
			assert_int_equal(dma(0xca, false, true, lba, n), 0x50);
			expect_no_windows();
			expect_secret(lba, version);
			memset(guest + gpa, 0, n * 512);
			prd_table(gpa, n * 512, pieces);
			assert_int_equal(dma(0xc8, false, false, lba, n), 0x50);
			expect_buffer(gpa, lba, n, version);
			expect_secret(lba + n - 1, version);
			expect_no_windows();
		}
	}
}

/* Two switches to the agent and back for a write, none for a read whose tags are there, whatever the size. */
static void agent_calls_of_dma(void **state)
{
	controller(SECTORS);
	prd_table(BUFFER, 2048 * 512, 30);
	fill_buffer(BUFFER, 0, 2048, 1);
	assert_int_equal(dma(0x35, true, true, 0, 2048), 0x50);
	for (uint32_t n = 1; n <= 2048; n *= 4) {
		agent_calls = asks = 0;
		prd_table(BUFFER, n * 512, 3);
		assert_int_equal(dma(0x35, true, true, 0, n), 0x50);
		assert_int_equal(agent_calls, 1);
		assert_int_equal(dma(0x25, true, false, 0, n), 0x50);
		assert_int_equal(agent_calls, 1);
		assert_int_equal(asks, 0);
	}
}

static void what_was_never_written(void **state)
{
	controller(SECTORS);
	memset(guest + BUFFER, 0xaa, 16 * 512);
	prd_table(BUFFER, 16 * 512, 2);
	assert_int_equal(dma(0xc8, false, false, 1000, 16), 0x50);
	expect_buffer(BUFFER, 1000, 16, 0);
	memset(guest + BUFFER, 0xaa, 3 * 512);
	assert_int_equal(pio(0x24, true, false, DWORDS, 2000, 3, 1), 0x50);
	expect_buffer(BUFFER, 2000, 3, 0);
}

/* The device model's answer to IDENTIFY is not the guest's. */
static void identity(void **state)
{
	for (enum way way = WORDS; way <= STRINGS32; way++) {
		const uint16_t *id = (const void *)(guest + BUFFER);
		uint8_t sum = 0;

		controller(0x12345678);
		memset(guest + BUFFER, 0, 512);
		assert_int_equal(command(0xec, false, 0, 0), 0x58);
		move(way, false, BUFFER, 512);
		assert_int_equal(wait_status(), 0x50);
		assert_int_equal(id[60] | id[61] << 16, 0x0fffffff);
		assert_int_equal(id[100] | id[101] << 16, 0x12345678);
		assert_int_equal(id[83] & 0x0400, 0x0400);
		assert_memory_equal((const uint8_t *)id + 54, "eNhtreivos rnercpyet didks  ", 28);
		for (unsigned int i = 0; i < 512; i++)
			sum = (uint8_t)(sum + guest[BUFFER + i]);
		assert_int_equal(sum, 0);
		assert_int_equal(dev.status, 0x50); /* it got rid of its own */
		expect_no_windows();
	}
}

/* All other codes end with ABRT, and the device model does not see them. */
static void commands_that_are_not_known(void **state)
{
	static const uint8_t known[] = {0x10, 0x20, 0x21, 0x24, 0x25, 0x29, 0x30, 0x31, 0x34, 0x35,
					0x39, 0x40, 0x41, 0x42, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75,
					0x76, 0x77, 0x78, 0x79, 0x7a, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f,
					0x90, 0x91, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0xc4, 0xc5,
					0xc6, 0xc8, 0xc9, 0xca, 0xcb, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5,
					0xe6, 0xe7, 0xea, 0xec, 0xef};
	unsigned int interrupts;

	controller(SECTORS);
	for (unsigned int code = 0, k = 0; code < 256; code++) {
		if (k < sizeof(known) && known[k] == code) {
			k++;
			continue;
		}
		interrupts = dev.interrupts;
		assert_int_equal(command((uint8_t)code, false, 0, 1) & 1, 1);
		assert_int_equal(in(0x1f1, 1), 4);
		assert_int_equal(dev.last, 0);
		assert_int_equal(dev.interrupts, interrupts + 1);
	}
}

static void beyond_the_end(void **state)
{
	controller(SECTORS);
	prd_table(BUFFER, 512, 1);
	assert_int_equal(dma(0xca, false, true, SECTORS, 1) & 1, 1);
	assert_int_equal(in(0x1f1, 1), 0x10);
	assert_int_equal(pio(0x24, true, false, WORDS, SECTORS - 1, 2, 1) & 1, 1);
	assert_int_equal(in(0x1f1, 1), 0x10);
	assert_int_equal(pio(0x24, true, false, WORDS, (1ull << 48) - 1, 0, 1) & 1, 1);
	assert_int_equal(pio(0x20, false, false, WORDS, SECTORS - 1, 1, 1), 0x50);
	/* CHS */
	taskfile(false, 1, 1);
	out(0x1f6, 1, 0xa0);
	out(0x1f7, 1, 0x20);
	assert_int_equal(wait_status() & 1, 1);
	assert_int_equal(in(0x1f1, 1), 4);
}

/* A table that is too short: the transfer does not begin. The guest resets the channel. */
static void a_short_table(void **state)
{
	controller(SECTORS);
	prd_table(BUFFER, 512, 1);
	assert_int_equal(dma(0xca, false, true, 5, 2) & 8, 8);
	assert_int_equal(dev.waits, true);
	expect_no_windows();
	out(0x3f6, 1, 4);
	out(0x3f6, 1, 0);
	assert_int_equal(wait_status(), 0x50);
	fill_buffer(BUFFER, 5, 1, 9);
	assert_int_equal(dma(0xca, false, true, 5, 1), 0x50);
	assert_int_equal(dma(0xc8, false, false, 5, 1), 0x50);
	expect_buffer(BUFFER, 5, 1, 9);
}

/* One page in each descriptor, as Linux writes zeros: other ciphertext for each. Read so, it has what came last. */
static void one_page_again_and_again(void **state)
{
	uint32_t prd[4][2];
	uint8_t page[4096];

	for (unsigned int i = 0; i < 4; i++) {
		prd[i][0] = BUFFER;
		prd[i][1] = 4096 | (i == 3 ? 0x80000000 : 0);
	}
	controller(SECTORS);
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i >> 5);
	memcpy(guest + BUFFER, page, sizeof(page));
	memcpy(guest + TABLE, prd, sizeof(prd));
	assert_int_equal(dma(0x35, true, true, 100, 32), 0x50);
	expect_no_windows();
	prd_table(BUFFER, 32 * 512, 3);
	assert_int_equal(dma(0x25, true, false, 100, 32), 0x50);
	for (unsigned int i = 0; i < 4; i++)
		assert_memory_equal(guest + BUFFER + i * sizeof(page), page, sizeof(page));
	fill_buffer(BUFFER, 124, 8, 3);
	prd_table(BUFFER, 8 * 512, 1);
	assert_int_equal(dma(0x35, true, true, 124, 8), 0x50);
	memset(guest + BUFFER, 0, sizeof(page));
	memcpy(guest + TABLE, prd, sizeof(prd));
	assert_int_equal(dma(0x25, true, false, 100, 32), 0x50);
	expect_buffer(BUFFER, 124, 8, 3);
	expect_no_windows();
}

/* What a guest flushes is there after a power cut, and nothing older is taken for it. */
static void flush(void **state)
{
	controller(SECTORS);
	prd_table(BUFFER, 8 * 512, 1);
	fill_buffer(BUFFER, 0, 8, 1);
	assert_int_equal(dma(0xca, false, true, 0, 8), 0x50);
	dev.drops = true;
	fill_buffer(BUFFER, 0, 8, 2);
	assert_int_equal(dma(0xca, false, true, 0, 8), 0x50);
	assert_int_equal(command(0xe7, false, 0, 0), 0x50);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_bad(0, 8, 0);
}

/* Without the write cache each write is as if it were flushed. */
static void no_write_cache(void **state)
{
	controller(SECTORS);
	out(0x1f1, 1, 0x82);
	assert_int_equal(command(0xef, false, 0, 0), 0x50);
	prd_table(BUFFER, 8 * 512, 1);
	fill_buffer(BUFFER, 0, 8, 1);
	assert_int_equal(dma(0xca, false, true, 0, 8), 0x50);
	fill_buffer(BUFFER, 0, 8, 2);
	dev.drops = true;
	assert_int_equal(dma(0xca, false, true, 0, 8), 0x50);
	cut();
	assert_int_equal(open_consented(DEFAULT_PAGES), 0);
	expect_bad(0, 8, 0);
}

/* Random commands against what must be there. */
static void at_random(void **state)
{
	static uint64_t version[SECTORS];
	static const uint8_t code[2][3] = {{0x25, 0x24, 0x29}, {0x35, 0x34, 0x39}};
	uint64_t now = 0;

	controller(SECTORS);
	memset(version, 0, sizeof(version));
	assert_int_equal(command(0xc6, false, 0, 4), 0x50);
	for (unsigned int i = 0; i < 1500; i++) {
		bool write = rand() % 2;
		unsigned int kind = (unsigned int)rand() % 3;
		uint32_t n = 1 + (uint32_t)rand() % (kind ? 12 : 64);
		uint64_t lba = (uint64_t)rand() % (SECTORS / 8 - n);
		enum way way = (enum way)(rand() % (UNALIGNED + 1));
		uint32_t gpa = kind && way == UNALIGNED ? BUFFER + 0x332 : BUFFER;

		fill_buffer(gpa, lba, n, ++now);
		if (!kind)
			prd_table(gpa, n * 512, 1 + (unsigned int)rand() % 9);
		assert_int_equal(kind ? pio(code[write][kind], true, write, way, lba, n,
					    kind == 2 ? 4 : 1)
				      : dma(code[write][0], true, write, lba, n),
				 0x50);
		for (uint32_t k = 0; k < n; k++) {
			if (write)
				version[lba + k] = now;
			else
				expect_buffer(gpa + k * 512, lba + k, 1, version[lba + k]);
		}
		if (rand() % 50 == 0)
			assert_int_equal(command(0xea, true, 0, 0), 0x50);
	}
	expect_no_windows();
	assert_int_equal(close_disk(), 0);
	assert_int_equal(open_closed(), 0);
	for (uint64_t lba = 0; lba < SECTORS / 8; lba++)
		expect_sectors(lba, 1, version[lba]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(pio_reads_what_was_written, forget),
		cmocka_unit_test_teardown(pio_in_blocks, forget),
		cmocka_unit_test_teardown(blocks_that_are_not_set, forget),
		cmocka_unit_test_teardown(dma_reads_what_was_written, forget),
		cmocka_unit_test_teardown(agent_calls_of_dma, forget),
		cmocka_unit_test_teardown(what_was_never_written, forget),
		cmocka_unit_test_teardown(identity, forget),
		cmocka_unit_test_teardown(commands_that_are_not_known, forget),
		cmocka_unit_test_teardown(beyond_the_end, forget),
		cmocka_unit_test_teardown(a_short_table, forget),
		cmocka_unit_test_teardown(one_page_again_and_again, forget),
		cmocka_unit_test_teardown(flush, forget),
		cmocka_unit_test_teardown(no_write_cache, forget),
		cmocka_unit_test_teardown(at_random, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
