/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: what a guest does, and for each request and each sector read what a hostile host does to it. What
 * is read is what was last written, or an error; after a start that was not clean, and to which its owner
 * consented, it may be anything that was ever written to that sector, but from then on the same.
 */
#include "tests/fuzz/fuzz_disk.h"

#define SECTORS 300u
#define OPERATIONS 40u
#define ANY UINT64_MAX

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t known[SECTORS]; /* version, or ANY: one of those written */
static uint64_t written;        /* last version */
static uint8_t older[2][FILE_BYTES];
static struct disk_receipt receipt;
static bool closed;

static int hostile(const struct disk_io *io)
{
	uint8_t how = next8();

	if (how == 1)
		return -5;
	if (how != 2 || io->op == DISK_READ)
		honest(io);
	if (io->op != DISK_READ)
		return 0;
	if (how == 3)
		((uint8_t *)io->buf)[next_bytes(2) % io->bytes] ^= next8();
	if (how == 4)
		memset(io->buf, 0, io->bytes);
	if (how == 5 && io->offset + io->bytes <= FILE_BYTES)
		memcpy(io->buf, older[io->file] + io->offset, io->bytes);
	if (how == 6)
		copy_file(io->file, next_bytes(1) * 4096, io->buf, NULL, io->bytes);
	return 0;
}

static void fill(struct request *r, uint64_t version)
{
	for (uint32_t i = 0; i < r->cmd.count; i++) {
		uint64_t v[DISK_SECTOR / 8] = {version, r->cmd.lba + i, ~version};

		memcpy(r->buf + i * DISK_SECTOR, v, sizeof(v));
	}
}

static void check(const uint8_t *sector, uint64_t lba)
{
	uint64_t v[DISK_SECTOR / 8];

	memcpy(v, sector, sizeof(v));
	ASSERT(v[0] <= written && v[1] == (v[0] ? lba : 0) && v[2] == (v[0] ? ~v[0] : 0));
	for (uint32_t i = 3; i < ARRAY_SIZE(v); i++)
		ASSERT(!v[i]);
	if (known[lba] == ANY)
		known[lba] = v[0];
	ASSERT(v[0] == known[lba]);
}

static void set_any(struct request *r)
{
	uint64_t lba = next_bytes(2) % SECTORS;

	set_request(r, lba, 1 + next8() % (SECTORS - lba));
}

static void do_read(struct request *r)
{
	uint32_t good;
	int err;

	set_any(r);
	copy_file(DISK_DATA, r->cmd.lba * DISK_SECTOR, r->buf, NULL, r->cmd.count * DISK_SECTOR);
	if (next8() == 1)
		r->buf[next_bytes(3) % (r->cmd.count * DISK_SECTOR)] ^= 1 + next8() % 255;
	if (next8() == 1)
		memcpy(r->buf, older[DISK_DATA] + r->cmd.lba * DISK_SECTOR,
		       r->cmd.count * DISK_SECTOR);
	UNTIL_DONE(err, hostile, disk_read_end(&f.d, &r->cmd));
	if (err && f.d.dead)
		return;
	ASSERT(err == 0 || err == ERR_IO);
	good = err ? (uint32_t)(r->cmd.bad - r->cmd.lba) : r->cmd.count;
	ASSERT(good <= r->cmd.count);
	for (uint32_t i = 0; i < good; i++)
		check(r->buf + i * DISK_SECTOR, r->cmd.lba + i);
	for (uint32_t i = good * DISK_SECTOR; i < r->cmd.count * DISK_SECTOR; i++)
		ASSERT(!r->buf[i]);
}

static void do_write(struct request *r)
{
	uint8_t how = next8();
	uint64_t version = ++written;
	int err;

	set_any(r);
	fill(r, version);
	UNTIL_DONE(err, hostile, disk_write_start(&f.d, &r->cmd));
	if (err)
		return;
	if (how != 1)
		copy_file(DISK_DATA, r->cmd.lba * DISK_SECTOR, NULL, r->buf,
			  (how == 2 ? 1 : r->cmd.count) * DISK_SECTOR);
	for (uint32_t i = 0; i < r->cmd.count; i++)
		known[r->cmd.lba + i] = how == 3 ? ANY : version;
	UNTIL_DONE(err, hostile, disk_write_end(&f.d, &r->cmd, how != 3));
}

static void forget_all(void)
{
	for (uint32_t i = 0; i < SECTORS; i++)
		known[i] = ANY;
}

/* With the last receipt, as its owner has it. */
static bool reopen(void)
{
	struct disk_expect expect = {.generation = receipt.generation, .root_known = true};

	memcpy(expect.root, receipt.root, sizeof(expect.root));
	if (closed && !open_disk(hostile, &expect)) {
		closed = false;
		return true;
	}
	closed = false;
	forget_all();
	expect.consent = true;
	return !open_disk(hostile, &expect);
}

static bool operate(struct request *r)
{
	uint8_t what = next8() % 8;
	int err = 0;

	if (what < 3)
		do_read(r);
	else if (what < 5)
		do_write(r);
	else if (what == 5)
		UNTIL_DONE(err, hostile, disk_flush_end(&f.d));
	else if (what == 6)
		memcpy(older, f.file, sizeof(older));
	else if (next8() % 2)
		disk_abandon(&f.d);
	else
		UNTIL_DONE(err, hostile, disk_close(&f.d, &receipt));
	if (what == 7 && !err && f.d.header.state == DISK_CLEAN)
		closed = true;
	if (!f.d.open || f.d.dead) {
		disk_abandon(&f.d);
		return reopen();
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct request r;
	bool going;

	new_files(data, size);
	f.made.sectors = SECTORS;
	f.made.journal = DISK_JOURNAL_MIN;
	f.made.generation = 1;
	put_header();
	memcpy(older, f.file, sizeof(older));
	memset(known, 0, sizeof(known));
	written = 0;
	closed = true;
	receipt = (struct disk_receipt){.generation = 1};
	going = reopen();
	for (uint32_t i = 0; i < OPERATIONS && going && input_left; i++)
		going = operate(&r);
	disk_abandon(&f.d);
	return 0;
}
