/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's driver, the IDE controller as the monitor follows it, and a device model: registers and timing as QEMU's
 * have them, over the data file of test_disk.h. What the device model sees of the guest's memory is `view`: only
 * where a window is may it look, unless it is hostile.
 */
#ifndef TESTS_TEST_IDE_H
#define TESTS_TEST_IDE_H

#include "iodecrypt/ide.h"
#include "tests/unit/test_disk.h"
#include "tests/unit/test_dma.h"

#define BUS_MASTER 0xc000u
#define BUFFER 0x10000u /* guest-physical: data, PRD table */
#define TABLE 0x300000u

static struct ide ide;

static inline void expect_no_windows(void)
{
	for (size_t i = 0; i < GUEST_RAM; i++)
		assert_int_equal(covered[i], 0);
}

/* --- the device model ------------------------------------------------------------------------------------ */

static struct device {
	uint8_t reg[2][8], control, status, error;
	uint8_t bm_command, bm_status;
	uint32_t prd;
	uint8_t command;
	uint64_t lba;
	uint32_t left, block; /* sectors of the command; of the block that data are moved for */
	uint8_t data[16 * 512];
	uint32_t at, end;
	bool in, waits; /* data go to the guest; a DMA command waits for the bus master */
	uint8_t multiple;
	unsigned int interrupts, commands;
	uint8_t last;      /* command that it got */
	unsigned int slow; /* reads of the status for which it stays busy */
	/* What a hostile one does. */
	bool drops, fails_write, flips, lies_identify, keeps_busy;
} dev;

static inline void dev_end(uint8_t error)
{
	dev.error = error;
	dev.status = error ? 0x41 : 0x50;
	dev.waits = false;
	dev.interrupts++;
	dev.bm_status |= 4;
}

static inline void dev_file(bool write, uint64_t lba, uint8_t *buf, uint32_t sectors)
{
	if (write && !dev.drops)
		store_write(&w.store, DISK_DATA, lba * 512, buf, sectors * 512);
	if (!write)
		store_read(&w.store, DISK_DATA, lba * 512, buf, sectors * 512);
	if (!write && dev.flips)
		buf[100] ^= 4;
}

/* The next block of a PIO command. */
static inline void dev_block(void)
{
	uint32_t n = dev.left < dev.block ? dev.left : dev.block;

	if (!dev.left) {
		dev_end(0);
		return;
	}
	if (dev.in)
		dev_file(false, dev.lba, dev.data, n);
	dev.at = 0;
	dev.end = n * 512;
	dev.status = 0x58;
	dev.interrupts++;
}

static inline void dev_block_done(void)
{
	uint32_t n = dev.end / 512;

	if (dev.command == 0xec) {
		dev.status = 0x50;
		return;
	}
	if (!dev.in && dev.fails_write) {
		dev_end(4);
		return;
	}
	if (!dev.in)
		dev_file(true, dev.lba, dev.data, n);
	dev.lba += n;
	dev.left -= n;
	if (dev.in && !dev.left)
		dev.status = 0x50;
	else
		dev_block();
}

static inline void dev_data(struct ide_access *a)
{
	unsigned int n = a->bytes == 1 ? 2 : a->bytes;

	if (!a->out)
		a->value = 0;
	if (!(dev.status & 8) || dev.waits || dev.at + n > dev.end || a->out == dev.in)
		return;
	if (a->out)
		memcpy(dev.data + dev.at, &a->value, n);
	else
		memcpy(&a->value, dev.data + dev.at, a->bytes);
	dev.at += n;
	if (dev.at == dev.end)
		dev_block_done();
}

static inline void dev_look(uint32_t gpa)
{
	if (!covered[gpa])
		fail_msg("the device model looks at %x, where no window is", gpa);
}

static inline void dev_dma(void)
{
	uint8_t *buf = calloc(dev.left, 512);
	uint32_t done = 0, prd[2], all = dev.left * 512;
	bool last = false;

	if (dev.in)
		dev_file(false, dev.lba, buf, dev.left);
	for (uint32_t at = dev.prd; !last && at - dev.prd < 4096; at += 8) {
		for (unsigned int i = 0; i < 8; i++)
			dev_look(at + i);
		memcpy(prd, view + at, 8);
		last = prd[1] >> 31;
		for (uint32_t i = 0, n = (prd[1] & 0xfffe) ? prd[1] & 0xfffe : 0x10000;
		     i < n && done < all; i++, done++) {
			dev_look(prd[0] + i);
			if (dev.in)
				view[prd[0] + i] = buf[done];
			else
				buf[done] = view[prd[0] + i];
		}
	}
	dev.waits = false;
	if (done < all) { /* too short a table */
		dev.bm_status &= ~1;
		dev.status = 0x50;
	} else {
		if (!dev.in && !dev.fails_write)
			dev_file(true, dev.lba, buf, dev.left);
		dev.bm_status &= ~1;
		dev_end(!dev.in && dev.fails_write ? 4 : 0);
	}
	free(buf);
}

static inline void dev_transfer(bool in, bool ext, bool dma, uint32_t block)
{
	const uint8_t *r = dev.reg[0], *h = dev.reg[1];

	dev.in = in;
	dev.block = block;
	dev.lba = r[3] | r[4] << 8 | r[5] << 16;
	dev.lba |= ext ? (uint64_t)h[3] << 24 | (uint64_t)h[4] << 32 | (uint64_t)h[5] << 40
		       : (uint64_t)(r[6] & 15) << 24;
	dev.left = ext ? r[2] | h[2] << 8 : r[2];
	dev.left = dev.left ? dev.left : ext ? 65536 : 256;
	if (!dma) {
		dev_block();
		return;
	}
	dev.status = 0x58;
	dev.waits = true;
	if (dev.bm_status & 1)
		dev_dma();
}

/* False: another command. BLOCKS: of SET MULTIPLE MODE. */
#define BLOCKS 255
static inline bool dev_moves(uint8_t code)
{
	static const struct {
		uint8_t code, block;
		bool in, ext, dma;
	} row[] = {
		{0x20, 1, true, false, false},      {0x21, 1, true, false, false},
		{0x24, 1, true, true, false},       {0x25, 0, true, true, true},
		{0x29, BLOCKS, true, true, false},  {0x30, 1, false, false, false},
		{0x31, 1, false, false, false},     {0x34, 1, false, true, false},
		{0x35, 0, false, true, true},       {0x39, BLOCKS, false, true, false},
		{0xc4, BLOCKS, true, false, false}, {0xc5, BLOCKS, false, false, false},
		{0xc8, 0, true, false, true},       {0xc9, 0, true, false, true},
		{0xca, 0, false, false, true},      {0xcb, 0, false, false, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (row[i].code == code) {
			dev_transfer(row[i].in, row[i].ext, row[i].dma,
				     row[i].block == BLOCKS ? dev.multiple : row[i].block);
			return true;
		}
	return false;
}

static inline void dev_identify(void)
{
	memset(dev.data, 0x77, 512);
	dev.in = true;
	dev.at = 0;
	dev.end = 512;
	dev.status = 0x58;
	dev.interrupts++;
}

static inline void dev_command(uint8_t code)
{
	static const uint8_t plain[] = {0xe7, 0xea, 0xef, 0x91, 0xe5, 0x40, 0xc6};

	dev.last = dev.command = code;
	dev.commands++;
	if (dev.status & 0x88)
		return;
	dev.error = 0;
	dev.slow = 2;
	if (code == 0xc6)
		dev.multiple = dev.reg[0][2];
	if (code == 0xec)
		dev_identify();
	else if (!dev_moves(code))
		dev_end(memchr(plain, code, sizeof(plain)) ? 0 : 4);
}

static inline void dev_reset(void)
{
	dev.status = 0x50;
	dev.error = 1;
	dev.waits = false;
	dev.multiple = 16;
	memset(dev.reg, 0, sizeof(dev.reg));
	dev.slow = 3;
}

static inline uint8_t dev_status(void)
{
	if (dev.slow) {
		dev.slow--;
		return 0x80;
	}
	return dev.status;
}

static inline void dev_access(struct ide_access *a)
{
	unsigned int reg = a->port - 0x1f0u;

	if (reg == 0) {
		dev_data(a);
	} else if (reg < 7 && a->out) {
		if (dev.status & 0x88)
			return;
		dev.reg[1][reg] = dev.reg[0][reg];
		dev.reg[0][reg] = (uint8_t)a->value;
	} else if (reg < 7) {
		a->value = reg == 1 ? dev.error : dev.reg[dev.control >> 7][reg];
	} else if (reg == 7 && a->out) {
		dev_command((uint8_t)a->value);
	} else if (reg == 7 || (a->port == 0x3f6 && !a->out)) {
		a->value = dev_status();
	} else if (a->port == 0x3f6) {
		if ((a->value & 4) && !(dev.control & 4))
			dev_reset();
		dev.control = (uint8_t)a->value;
	} else if (a->port == BUS_MASTER && a->out) {
		if ((a->value & 1) && !(dev.bm_command & 1)) {
			dev.bm_status |= 1;
			if (dev.waits)
				dev_dma();
		} else if (!(a->value & 1)) {
			dev.bm_status &= ~1;
		}
		dev.bm_command = (uint8_t)a->value;
	} else if (a->port == BUS_MASTER + 2) {
		if (a->out)
			dev.bm_status &= (uint8_t) ~(a->value & 6);
		else
			a->value = dev.bm_status;
	} else if (a->port == BUS_MASTER + 4 && a->out) {
		dev.prd = a->value & ~3u;
	} else if (!a->out) {
		a->value = 0;
	}
}

/* INS and OUTS of many elements, through the window. Returns how many bytes. */
static inline uint32_t dev_string(const struct ide_op *op)
{
	for (uint32_t i = 0; i < op->bytes; i += op->access.bytes) {
		struct ide_access a = op->access;

		for (unsigned int k = 0; k < a.bytes; k++)
			dev_look((uint32_t)op->gpa.a + i + k);
		if (a.out)
			memcpy(&a.value, view + op->gpa.a + i, a.bytes);
		dev_data(&a);
		if (!a.out)
			memcpy(view + op->gpa.a + i, &a.value, a.bytes);
	}
	return op->bytes;
}

/* --- the guest --------------------------------------------------------------------------------------------- */

static unsigned int agent_calls, asks;

static inline void step(struct ide_op *op, enum ide_next next)
{
	if (next == IDE_AGENT) {
		assert_ptr_equal(op->disk, &w.d);
		agent_calls++;
		carry_out();
	} else if (next == IDE_PASS && op->bytes) {
		op->moved = dev_string(op);
	} else {
		asks += next == IDE_ASK;
		assert_true(next == IDE_PASS || next == IDE_ASK);
		dev_access(&op->ask);
	}
}

static inline void run(struct ide_op *op)
{
	enum ide_next next = ide_begin(&ide, op, NULL);

	for (unsigned int i = 0; next != IDE_DONE; i++) {
		assert_true(i < 500000);
		step(op, next);
		next = ide_resume(&ide, op, NULL);
	}
}

static inline void out(uint16_t port, unsigned int bytes, uint32_t value)
{
	struct ide_op op = {.access = {port, (uint8_t)bytes, true, value}};

	run(&op);
}

static inline uint32_t in(uint16_t port, unsigned int bytes)
{
	struct ide_op op = {.access = {port, (uint8_t)bytes, false, 0}};

	run(&op);
	return bytes == 4 ? op.access.value : op.access.value & ((1u << 8 * bytes) - 1);
}

/* REP INSx or OUTSx at the data port, as monitor/guestport.c has it. */
static inline void string(bool write, uint32_t gpa, uint32_t bytes, unsigned int size)
{
	while (bytes) {
		struct ide_op op = {.access = {0x1f0, (uint8_t)size, write, 0}, .gpa = GPA(gpa)};
		uint32_t room = 4096 - gpa % 4096, n = size;

		room -= room % size;
		room = room < bytes ? room : bytes;
		op.bytes = room ? ide_string(&ide, 0x1f0, write, room) : 0;
		if (!op.bytes && write)
			memcpy(&op.access.value, guest + gpa, size);
		if (op.bytes) {
			run(&op);
			n = op.moved;
			assert_true(n || !op.bytes);
			n = n ? n : size;
		} else {
			run(&op);
			if (!write)
				memcpy(guest + gpa, &op.access.value, size);
		}
		gpa += n;
		bytes -= n;
	}
}

static inline uint8_t wait_status(void)
{
	uint8_t s;

	do
		s = (uint8_t)in(0x3f6, 1);
	while (s & 0x80);
	return (uint8_t)in(0x1f7, 1);
}

static inline void taskfile(bool ext, uint64_t lba, uint32_t count)
{
	if (ext) {
		out(0x1f2, 1, count >> 8 & 0xff);
		out(0x1f3, 1, lba >> 24 & 0xff);
		out(0x1f4, 1, lba >> 32 & 0xff);
		out(0x1f5, 1, lba >> 40 & 0xff);
	}
	out(0x1f6, 1, 0xe0 | (ext ? 0 : lba >> 24 & 0xf));
	out(0x1f2, 1, count & 0xff);
	out(0x1f3, 1, lba & 0xff);
	out(0x1f4, 1, lba >> 8 & 0xff);
	out(0x1f5, 1, lba >> 16 & 0xff);
}

static inline uint8_t command(uint8_t code, bool ext, uint64_t lba, uint32_t count)
{
	taskfile(ext, lba, count);
	out(0x1f7, 1, code);
	return wait_status();
}

/* How the guest moves data. */
enum way { WORDS, DWORDS, STRINGS, STRINGS32, UNALIGNED };

static inline void move(enum way way, bool write, uint32_t gpa, uint32_t bytes)
{
	unsigned int size = way == DWORDS || way == STRINGS32 ? 4 : 2;

	if (way >= STRINGS) {
		string(write, gpa, bytes, size);
		return;
	}
	for (uint32_t i = 0; i < bytes; i += size) {
		uint32_t value = 0;

		if (write)
			memcpy(&value, guest + gpa + i, size);
		if (write)
			out(0x1f0, size, value);
		else
			value = in(0x1f0, size);
		if (!write)
			memcpy(guest + gpa + i, &value, size);
	}
}

/* A PIO command of `count` sectors in blocks of `block`: the last status. */
static inline uint8_t pio(uint8_t code, bool ext, bool write, enum way way, uint64_t lba,
			  uint32_t count, uint32_t block)
{
	uint32_t gpa = way == UNALIGNED ? BUFFER + 0x332 : BUFFER;
	uint8_t s = command(code, ext, lba, count);

	for (uint32_t n, done = 0; done < count && (s & 8) && !(s & 1); done += n) {
		n = count - done < block ? count - done : block;
		move(way, write, gpa + done * 512, n * 512);
		s = wait_status();
	}
	return s;
}

/* A PRD table of pieces of random sizes for [gpa, gpa + bytes), which are not always in order. */
static inline void prd_table(uint32_t gpa, uint32_t bytes, unsigned int pieces)
{
	uint32_t prd[2], n;
	uint8_t *at = guest + TABLE;

	for (; bytes; bytes -= n, gpa += n, at += 8) {
		n = pieces > 1 ? 2 + (uint32_t)rand() % (2 * bytes / pieces + 1) / 2 * 2 : bytes;
		n = n < bytes ? n : bytes;
		n = n < 0x10000 ? n : 0x10000;
		pieces -= pieces > 1;
		prd[0] = gpa;
		prd[1] = (n & 0xffff) | (n == bytes ? 0x80000000 : 0);
		memcpy(at, prd, 8);
	}
}

/* As Linux does it. Returns the last status. */
static inline uint8_t dma(uint8_t code, bool ext, bool write, uint64_t lba, uint32_t count)
{
	out(BUS_MASTER + 4, 4, TABLE);
	out(BUS_MASTER, 1, write ? 0 : 8);
	out(BUS_MASTER + 2, 1, 6);
	taskfile(ext, lba, count);
	out(0x1f7, 1, code);
	out(BUS_MASTER, 1, (write ? 0 : 8) | 1);
	in(BUS_MASTER + 2, 1);
	out(BUS_MASTER, 1, write ? 0 : 8);
	return wait_status();
}

static inline void fill_buffer(uint32_t gpa, uint64_t lba, uint32_t count, uint64_t version)
{
	for (uint32_t i = 0; i < count; i++)
		fill_sector(guest + gpa + i * 512, lba + i, version);
}

static inline void expect_buffer(uint32_t gpa, uint64_t lba, uint32_t count, uint64_t version)
{
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(sector_version(guest + gpa + i * 512, lba + i), version);
}

/* No sector that was ever written is anywhere in what the device model has. */
static inline bool has(const uint8_t *at, size_t n, const void *pattern)
{
	for (size_t i = 0; i + 16 <= n; i++)
		if (!memcmp(at + i, pattern, 16))
			return true;
	return false;
}

static inline void expect_secret(uint64_t lba, uint64_t version)
{
	uint8_t sector[512], file[512];

	fill_sector(sector, lba, version);
	assert_false(has(view, sizeof(view), sector));
	assert_false(has(dev.data, sizeof(dev.data), sector));
	store_read(&w.store, DISK_DATA, lba * 512, file, sizeof(file));
	assert_false(has(file, sizeof(file), sector));
}

/* An open disk is the primary master. */
static inline void controller(uint64_t sectors)
{
	make_image(sectors, DISK_JOURNAL_DEFAULT);
	assert_int_equal(open_closed(), 0);
	memset(&ide, 0, sizeof(ide));
	memset(&dev, 0, sizeof(dev));
	dev.status = 0x50;
	ide_set(&ide, 0, IDE_ENCRYPTED, &w.d);
	for (unsigned int i = 1; i < 4; i++)
		ide_set(&ide, i, IDE_REFUSED, NULL);
	out(0xcf8, 4, 0x80000920);
	out(0xcfc, 4, BUS_MASTER | 1);
	assert_int_equal(ide.bus_master, BUS_MASTER);
	memset(view, 0xee, sizeof(view));
}

#endif
