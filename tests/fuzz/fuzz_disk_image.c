/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: the fields of a header, records and a node, which all get right MACs, and then bytes to put over
 * them. Opening, reading and writing ends, stays within the image and its pages, and a disk that could be
 * closed opens again.
 */
#include "tests/fuzz/fuzz_disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int agent(const struct disk_io *io)
{
	honest(io);
	return 0;
}

static void set_header(void)
{
	static const uint64_t sizes[] = {1, 255, 256, 257, 300, 65536, 65537, DISK_SECTORS_MAX};
	uint8_t how = next8();

	f.made.sectors = how % 16 < 8 ? sizes[how % 8] : next_bytes(how % 9);
	f.made.journal = how & 16 ? next_bytes(4) : DISK_JOURNAL_MIN;
	f.made.generation = next8();
	f.made.state = next8() % 4 ? DISK_OPEN : next8();
	f.made.half = next8() % 4 ? 0 : next8();
	f.made.seq = next8() % 4 ? next8() : next_bytes(8);
	if (how & 32)
		for (uint32_t i = 0; i < DISK_TAG_BYTES; i++)
			f.made.root[i] = next8();
}

/* One after the other from the half's start; what is said of their size may be anything. */
static void put_records(void)
{
	uint64_t at = format_journal_offset(&f.made, f.made.half & 1);
	uint8_t *half = f.file[DISK_SIDECAR], kind;
	struct disk_record r = {.seq = f.made.seq};

	while (at + 2 * DISK_RECORD_MAX <= FILE_BYTES && input_left && (kind = next8())) {
		r.type = kind % 4 ? DISK_RECORD_WRITE : kind / 4;
		r.count = next8() % (DISK_RECORD_TAGS + 1);
		r.first = kind & 32 ? next_bytes(8) : next_bytes(2);
		for (uint32_t i = 0; i < r.count * DISK_TAG_BYTES && input_left; i++)
			half[at + DISK_RECORD_HEAD + i] = next8();
		if (kind & 64)
			memset(half + at + DISK_RECORD_HEAD, 0, r.count * DISK_TAG_BYTES);
		format_record_make(&r, &f.journal_key, f.made.session, half + at);
		at += r.bytes;
		r.seq++;
	}
}

/* A root that verifies, of a disk with a level or two. */
static void put_node(void)
{
	uint32_t top = format_levels(f.made.sectors) - 1;
	uint64_t at = format_node_offset(&f.made, top, 0, 1);

	if (at + DISK_NODE > FILE_BYTES || !(next8() % 2))
		return;
	for (uint32_t i = 0; i < 200 && input_left; i++)
		f.file[DISK_SIDECAR][at + i] = next8();
	format_entry(&f.node_key, f.file[DISK_SIDECAR] + at, top, 0, 1, f.made.root);
}

static void put_over(void)
{
	while (input_left > 4) {
		uint8_t file = next8() % 2;

		f.file[file][next_bytes(3) % FILE_BYTES] ^= next8();
	}
}

static void use(void)
{
	static struct request r;
	uint64_t sectors = f.d.header.sectors;

	for (uint32_t i = 0; i < 6; i++) {
		uint64_t lba = i % 2 ? sectors / (i + 1) : i * 7;
		int err;

		set_request(&r, lba, 1 + i * 50);
		UNTIL_DONE(err, agent, disk_write_start(&f.d, &r.cmd));
		if (!err)
			UNTIL_DONE(err, agent, disk_write_end(&f.d, &r.cmd, i % 3));
		set_request(&r, lba, 1 + i * 40);
		UNTIL_DONE(err, agent, disk_read_end(&f.d, &r.cmd));
		UNTIL_DONE(err, agent, disk_flush_end(&f.d));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct disk_expect expect = {.consent = true};
	struct disk_receipt receipt;
	int err;

	new_files(data, size);
	set_header();
	if (f.made.sectors && f.made.sectors <= DISK_SECTORS_MAX)
		put_node();
	put_records();
	put_header();
	put_over();
	err = open_disk(agent, &expect);
	if (!err) {
		use();
		UNTIL_DONE(err, agent, disk_close(&f.d, &receipt));
		expect.consent = false;
		expect.generation = receipt.generation;
		if (!err)
			ASSERT(!open_disk(agent, &expect));
	}
	disk_abandon(&f.d);
	return 0;
}
