/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest's driver, the AHCI controller as the monitor follows it, and a device model that does what QEMU's does, over
 * the data file of test_disk.h. It looks at the guest's memory only where a window is.
 */
#ifndef TESTS_TEST_AHCI_H
#define TESTS_TEST_AHCI_H

#include "iodecrypt/ahci.h"
#include "monitor/fake/machine.h"
#include "tests/unit/test_disk.h"
#include "tests/unit/test_dma.h"

#define LIST 0x1000u
#define RECEIVED 0x1400u
#define TABLES 0x2000u
#define TABLE(slot) (TABLES + (slot)*0x1000u)
#define BUFFER 0x100000u
#define SECTORS 4096u

/* Registers of port 0. */
#define P_CLB 0x100u
#define P_FB 0x108u
#define P_IS 0x110u
#define P_CMD 0x118u
#define P_TFD 0x120u
#define P_SCTL 0x12cu
#define P_SACT 0x134u
#define P_CI 0x138u
#define TFES 0x40000000u

static struct ahci ahci;

/* --- the device model ------------------------------------------------------------------------------------ */

static struct hba {
	uint32_t reg[64]; /* of port 0, by offset / 4 */
	uint32_t defer;   /* slots whose commands it keeps until hba_complete() */
	uint32_t kept;
	unsigned int commands, resets, asks, failing;
	uint8_t last;
	bool flips, drops, fails; /* reads come wrong; writes are lost; writes fail */
	bool dead;                /* answers nothing but zeros */
} hba;

#define HBA(offset) hba.reg[((offset)-0x100u) / 4]

static inline void hba_copy(uint64_t gpa, void *to, const void *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (gpa + i >= GUEST_RAM || !covered[gpa + i])
			fail_msg("the device model looks at %lx, where no window is", gpa + i);
	if (from)
		memcpy(view + gpa, from, n);
	else
		memcpy(to, view + gpa, n);
}

static inline void hba_fis(uint32_t at, uint8_t type, uint8_t status, uint8_t error)
{
	uint8_t fis[20] = {type, 0x40, status, error};

	fis[15] = status;
	hba_copy(HBA(P_FB) + at, NULL, fis, at == 0x58 ? 8 : 20);
}

static inline bool hba_queued(uint8_t code)
{
	return code == 0x60 || code == 0x61;
}

static inline void hba_end(unsigned int slot, uint8_t code, uint8_t error)
{
	HBA(P_TFD) = error ? (uint32_t)error << 8 | 0x41 : 0x50;
	if (hba_queued(code))
		hba_fis(0x58, 0xa1, (uint8_t)HBA(P_TFD), error);
	else
		hba_fis(0x40, 0x34, (uint8_t)HBA(P_TFD), error);
	HBA(P_IS) |= hba_queued(code) ? 8 : 1;
	if (error)
		HBA(P_IS) |= TFES;
	else if (hba_queued(code))
		HBA(P_SACT) &= ~(1u << slot);
	else
		HBA(P_CI) &= ~(1u << slot);
}

/* Returns how many bytes there was room for. */
static inline uint32_t hba_move(uint64_t table, unsigned int prds, uint8_t *buf, uint32_t n,
				bool in)
{
	uint32_t done = 0;

	for (unsigned int i = 0; i < prds && done < n; i++) {
		struct {
			uint64_t at;
			uint32_t zero, size;
		} prd;
		uint32_t len;

		hba_copy(table + 0x80 + i * 16, &prd, NULL, 16);
		assert_int_equal(prd.zero, 0);
		len = (prd.size & 0x3fffff) + 1;
		len = len < n - done ? len : n - done;
		hba_copy(prd.at, buf + done, in ? buf + done : NULL, len);
		done += len;
	}
	return done;
}

static inline uint8_t hba_transfer(uint64_t table, unsigned int prds, const uint8_t *fis, bool in,
				   uint32_t *moved)
{
	bool queued = hba_queued(fis[2]),
	     ext = queued || fis[2] == 0x25 || fis[2] == 0x35 || fis[2] == 0x24 || fis[2] == 0x34;
	uint64_t lba = fis[4] | fis[5] << 8 | fis[6] << 16;
	uint32_t count = queued ? fis[3] | fis[11] << 8 : ext ? fis[12] | fis[13] << 8 : fis[12];
	uint8_t *buf;

	lba |= ext ? (uint64_t)fis[8] << 24 : (uint64_t)(fis[7] & 15) << 24;
	count = count ? count : ext ? 65536 : 256;
	buf = calloc(count, 512);
	if (in)
		store_read(&w.store, DISK_DATA, lba * 512, buf, count * 512);
	if (in && hba.flips)
		buf[(count - 1) * 512 + 7] ^= 1;
	*moved = hba_move(table, prds, buf, count * 512, in);
	if (!in && !hba.drops && !hba.fails)
		store_write(&w.store, DISK_DATA, lba * 512, buf, count * 512);
	free(buf);
	return *moved < count * 512 || (!in && hba.fails) ? 4 : 0;
}

static inline void hba_execute(unsigned int slot)
{
	uint32_t header[8], moved = 0;
	uint8_t fis[20], error = 0, sector[512];
	uint64_t table;

	hba_copy(HBA(P_CLB) + slot * 32, header, NULL, sizeof(header));
	table = (uint64_t)header[3] << 32 | header[2];
	hba_copy(table, fis, NULL, sizeof(fis));
	assert_int_equal(fis[0], 0x27);
	hba.last = fis[2];
	hba.commands++;
	if (!(fis[1] & 0x80)) { /* SRST */
		HBA(P_CI) &= ~(1u << slot);
		return;
	}
	switch (fis[2]) {
	case 0x20:
	case 0x24:
	case 0x25:
	case 0x60:
	case 0xc8:
		error = hba_transfer(table, header[0] >> 16, fis, true, &moved);
		break;
	case 0x30:
	case 0x34:
	case 0x35:
	case 0x61:
	case 0xca:
		assert_true(header[0] & 0x40);
		error = hba_transfer(table, header[0] >> 16, fis, false, &moved);
		break;
	case 0xec:
		memset(sector, 0xaa, sizeof(sector));
		moved = hba_move(table, header[0] >> 16, sector, 512, true);
		break;
	case 0xa0: /* INQUIRY of a CD-ROM: 36 bytes, whatever there is room for */
		hba_copy(table + 0x40, sector, NULL, 16);
		if (!sector[0]) /* TEST UNIT READY */
			break;
		assert_int_equal(sector[0], 0x12);
		memset(sector, 0xcd, 36);
		moved = hba_move(table, header[0] >> 16, sector, 36, true);
		break;
	case 0xef:
		error = fis[3] ? 0 : 4;
		break;
	case 0xe7:
	case 0xea:
	case 0xc6:
	case 0xe5:
		break;
	default:
		fail_msg("the device model does not know %02x", fis[2]);
	}
	if (!hba_queued(fis[2]))
		hba_copy(HBA(P_CLB) + slot * 32 + 4, NULL, &moved, 4);
	hba_end(slot, fis[2], error);
}

static inline void hba_complete(unsigned int slot)
{
	hba.kept &= ~(1u << slot);
	hba_execute(slot);
}

static inline void hba_reset(void)
{
	hba.kept = 0;
	HBA(P_CI) = HBA(P_SACT) = 0;
	HBA(P_TFD) = 0x30;
	hba.resets++;
}

/* A queued command leaves PxCI when the drive has it. */
static inline void hba_accept(unsigned int slot)
{
	uint32_t header[8];
	uint8_t fis[3];

	hba_copy(HBA(P_CLB) + slot * 32, header, NULL, sizeof(header));
	hba_copy(header[2], fis, NULL, sizeof(fis));
	if (hba_queued(fis[2]))
		HBA(P_CI) &= ~(1u << slot);
}

static inline void hba_issue(uint32_t slots)
{
	HBA(P_CI) |= slots;
	for (unsigned int i = 0; i < 32; i++) {
		if (!(slots >> i & 1))
			continue;
		hba_accept(i);
		if (hba.defer >> i & 1)
			hba.kept |= 1u << i;
		else
			hba_execute(i);
	}
}

static inline void hba_access(struct ahci_access *a)
{
	uint32_t was = HBA(P_SCTL);

	hba.asks++;
	if (a->offset == 4 && a->write && (a->value & 1)) {
		hba_reset();
		HBA(P_CMD) = HBA(P_SCTL) = 0;
		return;
	}
	if (a->offset < 0x100 || a->offset >= 0x180) {
		a->value = a->write ? a->value : 0;
		return;
	}
	if (!a->write) {
		a->value = hba.dead ? 0 : HBA(a->offset);
		return;
	}
	switch (a->offset) {
	case P_IS:
		HBA(P_IS) &= ~a->value;
		break;
	case P_CI:
		hba_issue(a->value);
		break;
	case P_SACT:
		HBA(P_SACT) |= a->value;
		break;
	case P_CMD:
		if ((HBA(P_CMD) & 1) && !(a->value & 1))
			HBA(P_CI) = HBA(P_SACT) = 0; /* what it has kept goes on all the same */
		HBA(P_CMD) = a->value;
		break;
	case P_SCTL:
		HBA(P_SCTL) = a->value;
		if ((was & 15) == 1 && !(a->value & 15))
			hba_reset();
		break;
	default:
		HBA(a->offset) = a->value;
		break;
	}
}

/* --- the driver -------------------------------------------------------------------------------------------- */

static unsigned int agents; /* times that the agent was called */

static inline enum ahci_next go_on(struct ahci_op *op, enum ahci_next next)
{
	while (next == AHCI_ASK || next == AHCI_AGENT) {
		if (next == AHCI_AGENT) {
			assert_ptr_equal(op->disk, &w.d);
			agents++;
			carry_out();
		} else {
			hba_access(&op->ask);
		}
		next = ahci_resume(&ahci, op, NULL);
	}
	return next;
}

static inline uint32_t access_register(uint16_t offset, bool write, uint32_t value)
{
	struct ahci_op op = {.access = {offset, write, value}};

	assert_int_equal(go_on(&op, ahci_begin(&ahci, &op, NULL)), AHCI_DONE);
	return op.access.value;
}

static inline uint32_t in(uint16_t offset)
{
	return access_register(offset, false, 0);
}

static inline void out(uint16_t offset, uint32_t value)
{
	access_register(offset, true, value);
}

/* A command with its buffer of n bytes at `at`, in regions of `region` bytes, `gap` bytes between them. */
struct plan {
	unsigned int slot;
	uint8_t code;
	uint64_t lba;
	uint32_t count; /* sectors, or features for SET FEATURES */
	uint32_t at, bytes, region, gap;
	uint16_t options;
};

static inline void put_fis(const struct plan *c, uint8_t *fis)
{
	fis[0] = 0x27;
	fis[1] = 0x80;
	fis[2] = c->code;
	fis[7] = 0x40;
	for (unsigned int i = 0; i < 3; i++) {
		fis[4 + i] = (uint8_t)(c->lba >> 8 * i);
		fis[8 + i] = (uint8_t)(c->lba >> (24 + 8 * i));
	}
	if (c->code == 0xef || hba_queued(c->code)) {
		fis[3] = (uint8_t)c->count;
		fis[11] = (uint8_t)(c->count >> 8);
		fis[12] = (uint8_t)(c->slot << 3);
	} else {
		fis[12] = (uint8_t)c->count;
		fis[13] = (uint8_t)(c->count >> 8);
	}
}

static inline void prepare(const struct plan *c)
{
	uint32_t header[8] = {0}, region = c->region ? c->region : 0x10000, n = 0;

	memset(guest + TABLE(c->slot), 0, 0x1000);
	put_fis(c, guest + TABLE(c->slot));
	for (uint32_t done = 0; done < c->bytes; done += region, n++) {
		uint32_t len = region < c->bytes - done ? region : c->bytes - done;
		struct {
			uint64_t at;
			uint32_t zero, size;
		} prd = {c->at + done + n * c->gap, 0x55, len - 1};

		memcpy(guest + TABLE(c->slot) + 0x80 + n * 16, &prd, 16);
	}
	header[0] = 5u | c->options | n << 16;
	header[1] = 0xdeadbeef;
	header[2] = TABLE(c->slot);
	memcpy(guest + LIST + c->slot * 32, header, sizeof(header));
}

static inline void issue(const struct plan *c)
{
	prepare(c);
	if (hba_queued(c->code))
		out(P_SACT, 1u << c->slot);
	out(P_CI, 1u << c->slot);
}

static inline uint32_t moved(unsigned int slot)
{
	uint32_t n;

	memcpy(&n, guest + LIST + slot * 32 + 4, 4);
	return n;
}

static inline void start_port(void)
{
	out(P_CLB, LIST);
	out(P_CLB + 4, 0);
	out(P_FB, RECEIVED);
	out(P_FB + 4, 0);
	out(P_CMD, 0x10);
	out(P_CMD, 0x11);
}

static inline void expect_no_windows(void)
{
	for (size_t i = 0; i < sizeof(covered) / sizeof(*covered); i++)
		assert_int_equal(covered[i], 0);
}

static inline void fill(uint32_t at, uint64_t lba, uint32_t count, uint64_t version)
{
	for (uint32_t i = 0; i < count; i++)
		fill_sector(guest + at + i * 512, lba + i, version);
}

static inline void expect_version(uint32_t at, uint64_t lba, uint32_t count, uint64_t version)
{
	for (uint32_t i = 0; i < count; i++)
		assert_int_equal(sector_version(guest + at + i * 512, lba + i), version);
}

static inline int setup(void **state)
{
	fake_reset();
	make_image(SECTORS, 1u << 20);
	assert_int_equal(open_consented(DISK_PAGES(32768)), 0);
	memset(&ahci, 0, sizeof(ahci));
	memset(&hba, 0, sizeof(hba));
	memset(guest, 0, sizeof(guest));
	memset(view, 0x11, sizeof(view));
	agents = 0;
	ahci_set(&ahci, 0, IDE_ENCRYPTED, &w.d);
	ahci_set(&ahci, 1, IDE_REFUSED, NULL);
	start_port();
	return 0;
}

static inline int teardown(void **state)
{
	ahci_end(&ahci);
	expect_no_windows();
	disk_abandon(&w.d);
	return 0;
}

#endif
