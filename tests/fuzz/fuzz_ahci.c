/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: what a guest does with the registers of its AHCI controller, what it has in its command list and tables, and what
 * a hostile device model and a hostile agent answer. All words that the guest ever writes are one secret, so: L1 sees
 * it never, and what the guest reads of its disk is the secret, or zeros.
 */
#include "iodecrypt/ahci.h"
#include "monitor/fake/machine.h"

#include "tests/fuzz/fuzz_controller.h"

#define LISTS 0xb000u /* no data are from there on; command lists, FISes */
#define TABLES 0xc000u
#define TABLE_BYTES 0x200u
#define STEPS_MAX 3000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ahci ahci;
static bool tainted; /* the guest has been told what is no secret: IDENTIFY, and the log */

static void run(struct ahci_op *op)
{
	enum ahci_next next = ahci_begin(&ahci, op, NULL);

	for (uint32_t i = 0; next != AHCI_DONE; i++) {
		ASSERT(i < STEPS_MAX && next != AHCI_WAIT);
		if (next == AHCI_AGENT) {
			ASSERT(op->disk == &f.d);
			if (next8() == 3) { /* the guest resets the processor */
				ahci_forget(&ahci, op);
				return;
			}
			carry_out(agent);
		} else {
			ASSERT(op->ask.offset < AHCI_BYTES);
			/* As one that has done all, or as it likes. */
			if (!op->ask.write)
				op->ask.value = next8() & 1 ? (uint32_t)next_bytes(4) : 0;
			if (next8() == 1)
				hostile(8);
		}
		next = ahci_resume(&ahci, op, NULL);
	}
}

static uint32_t access(uint16_t offset, bool write, uint32_t value)
{
	struct ahci_op op = {.access = {offset, write, value}};

	run(&op);
	return op.access.value;
}

static void one(bool write)
{
	static const uint16_t reg[] = {0x10, 0x38, 0x34, 0x20, 0x10, 0x18, 0x2c,
				       0x38, 0x00, 0x08, 0x04, 0x0c, 0x30, 0x14};
	uint16_t offset =
		(uint16_t)(0x100 + (next8() % 7) / 3 * 0x80 + reg[next8() % ARRAY_SIZE(reg)]);
	uint32_t value = 1u << next8() % 32;

	if (offset % 0x80 == 0x18)
		value = next8() & 0x1f;
	if (offset % 0x80 == 0x2c)
		value = next8() & 3;
	if ((offset & 0x77) == 0)
		value = LISTS + (next8() % 4) * 0x400;
	if ((offset & 0x77) == 4)
		value = next8() == 1;
	if (next8() == 1)
		offset = 4;
	(void)access(offset, write, value);
}

static void put_prds(uint32_t at, unsigned int n)
{
	for (; n && at + 16 <= GUEST_RAM; n--, at += 16) {
		uint64_t gpa = next_bytes(2) % (LISTS - 0x4000);
		uint32_t size = ((uint32_t)next_bytes(2) & 0x3ffe) | 1;

		if (next8() == 1)
			gpa = next_bytes(8) | GUEST_RAM;
		memcpy(guest + at, &gpa, 8);
		memset(guest + at + 8, 0, 4);
		memcpy(guest + at + 12, &size, 4);
	}
}

/* A command, in a slot of the port's list, that looks like one. */
static void command(unsigned int port)
{
	static const uint8_t codes[] = {0x60, 0x61, 0x60, 0x61, 0x25, 0x35, 0xc8, 0xca, 0x20,
					0x30, 0xea, 0xef, 0xc6, 0xec, 0x2f, 0xe5, 0x00};
	uint8_t slot = next8() % 32, code = codes[next8() % ARRAY_SIZE(codes)], prds = next8() % 8;
	bool queued = code >> 1 == 0x30;
	uint32_t list = (uint32_t)ahci.port[port].list, table = TABLES + slot * TABLE_BYTES;
	uint32_t header[4] = {5u | (uint32_t)prds << 16 | (next8() == 1 ? 0x400 : 0), 0, table, 0};
	uint8_t fis[20] = {0x27, 0x80, code, [4] = next8(), [7] = 0x40, [8] = next8() == 1};

	fis[queued ? 3 : 12] = next8() % 40;
	if (queued)
		fis[12] = (uint8_t)(slot << 3);
	if (next8() == 1)
		fis[next8() % 16] = next8();
	if (code == 0xef)
		fis[3] = next8() & 0x82;
	if (code == 0x2f)
		fis[4] = 0x10;
	if (next8() == 1)
		header[next8() % 4] ^= (uint32_t)next_bytes(4);
	if (list + 1024 > GUEST_RAM)
		return;
	tainted |= code == 0xec || code == 0x2f || fis[2] == 0xec || fis[2] == 0x2f;
	memcpy(guest + list + slot * 32, header, sizeof(header));
	memcpy(guest + table, fis, sizeof(fis));
	put_prds(table + 0x80, prds);
	if (queued)
		(void)access((uint16_t)(0x134 + port * 0x80), true, 1u << slot);
	(void)access((uint16_t)(0x138 + port * 0x80), true, 1u << slot);
}

static void start(unsigned int port)
{
	const uint16_t base = (uint16_t)(0x100 + port * 0x80);

	(void)access(base + 0x00, true, LISTS + port * 0x800);
	(void)access(base + 0x04, true, 0);
	(void)access(base + 0x08, true, LISTS + port * 0x800 + 0x400);
	(void)access(base + 0x0c, true, 0);
	(void)access(base + 0x18, true, 0x11);
}

static void check(void)
{
	const uint32_t word = WORD;

	ASSERT(!memmem(view, GUEST_RAM, &word, sizeof(word)));
	for (uint32_t i = 0; !tainted && i < LISTS; i++)
		if (guest[i])
			ASSERT(guest[i] == 0x5e || guest[i] == 0xc2 || guest[i] == 0xe7);
}

static void begin(void)
{
	struct disk_expect expect = {.generation = 0, .consent = true};

	fake_reset();
	f.made.sectors = SECTORS;
	f.made.generation = 1;
	f.made.journal = DISK_JOURNAL_MIN;
	put_header();
	ASSERT(!open_disk(agent, &expect));
	memset(&ahci, 0, sizeof(ahci));
	memset(covered, 0, sizeof(covered));
	memset(view, 0, sizeof(view));
	memset(guest, 0, sizeof(guest));
	tainted = false;
	ahci_set(&ahci, 0, IDE_ENCRYPTED, &f.d);
	for (unsigned int i = 1; i < AHCI_PORTS; i++)
		ahci_set(&ahci, i, IDE_REFUSED, NULL);
	for (uint32_t i = 0; i < LISTS; i += 4)
		memcpy(guest + i, &(uint32_t){WORD}, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	new_files(data, size);
	input_left = 0; /* the first start is an honest one */
	begin();
	start(0);
	start(1);
	input_left = size;
	for (unsigned int i = 0; i < OPERATIONS && input_left; i++) {
		uint8_t what = next8();

		if (what < 112)
			one(what % 4 == 3);
		else if (what < 232)
			command(what % 8 == 0);
		else
			start(what % 8 == 0);
		if (i % 16 == 15)
			check();
	}
	check();
	ahci_end(&ahci);
	for (uint32_t i = 0; i < GUEST_RAM; i++)
		ASSERT(!covered[i]);
	disk_abandon(&f.d);
	return 0;
}
