/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: what a guest does at the ports of its IDE controller, what it has in its PRD tables, and what a hostile device
 * model and a hostile agent answer. All words that the guest ever writes are one secret, so: L1 sees it never, and
 * what the guest reads of its disk is the secret, or zeros.
 */
#include "iodecrypt/ide.h"

#include "tests/fuzz/fuzz_controller.h"

#define BUS_MASTER 0xc000u
#define TABLE 0xf000u /* descriptors, and no data, are from there on */
#define STEPS_MAX 300000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct ide ide;
static bool tainted; /* the guest has been told what is no secret: IDENTIFY */

static void access(struct ide_op *op, bool pass)
{
	struct ide_access *a = &op->ask;

	if (pass && op->bytes) {
		for (uint32_t i = 0; i < op->bytes; i++)
			ASSERT(covered[op->gpa.a + i]);
		op->moved = next8() == 1 ? (uint32_t)next_bytes(1) : op->bytes;
		op->moved = op->moved / a->bytes * a->bytes;
		op->moved = op->moved < op->bytes ? op->moved : op->bytes;
		return;
	}
	/* No word goes to the data port as it is. */
	ASSERT(!a->out || (a->port & ~0x80) != 0x170 || a->value != WORD);
	if (!a->out)
		a->value = (uint32_t)next_bytes(a->bytes);
	if (next8() == 1)
		hostile(64);
}

static void run(struct ide_op *op)
{
	enum ide_next next = ide_begin(&ide, op, NULL);

	for (uint32_t i = 0; next != IDE_DONE; i++) {
		ASSERT(i < STEPS_MAX && next != IDE_WAIT);
		if (next == IDE_AGENT && next8() == 3) { /* the guest resets the processor */
			ide_forget(&ide, op);
			return;
		}
		if (next == IDE_AGENT)
			carry_out(agent);
		else
			access(op, next == IDE_PASS);
		next = ide_resume(&ide, op, NULL);
	}
}

static uint16_t some_port(void)
{
	static const uint16_t port[] = {0x1f0,          0x1f1,         0x1f2, 0x1f3, 0x1f4,
					0x1f5,          0x1f6,         0x1f7, 0x3f6, 0x1f7,
					0x1f7,          0x170,         0x177, 0x376, BUS_MASTER,
					BUS_MASTER + 2, BUS_MASTER + 4};

	return port[next8() % ARRAY_SIZE(port)];
}

static void one(bool out)
{
	static const uint8_t bytes[] = {1, 1, 1, 2, 4};
	struct ide_op op = {.access = {.port = some_port(),
				       .bytes = bytes[next8() % ARRAY_SIZE(bytes)],
				       .out = out}};

	if (op.access.port >= BUS_MASTER + 4)
		op.access.value = TABLE + (uint32_t)next_bytes(1) * 4;
	else if (op.access.port == 0x1f0 || op.access.port == 0x170)
		op.access.value = WORD;
	else if (out)
		op.access.value = next8();
	tainted |= out && op.access.value == 0xec;
	run(&op);
}

static void string(bool out)
{
	uint32_t room = (1 + (uint32_t)next_bytes(1) % 16) * 256;
	struct ide_op op = {.access = {.port = 0x1f0, .bytes = 4, .out = out},
			    .gpa = GPA(next_bytes(2) % (TABLE - 4096))};

	if (room > 4096 - op.gpa.a % 4096)
		room = (uint32_t)(4096 - op.gpa.a % 4096);
	op.bytes = ide_string(&ide, 0x1f0, out, room);
	op.access.value = out ? WORD : 0;
	run(&op);
}

/* A table of regions that are in the guest's memory, most of them. */
static void table(void)
{
	uint32_t at = TABLE + (uint32_t)next_bytes(1) * 4;

	for (unsigned int n = next8() % 8; n && at + 8 <= GUEST_RAM; n--, at += 8) {
		uint32_t prd[2] = {(uint32_t)next_bytes(2) & 0x7ffe,
				   2 + ((uint32_t)next_bytes(2) & 0x3ffe)};

		if (next8() == 1)
			prd[0] = (uint32_t)next_bytes(4);
		if (n == 1 && next8() != 1)
			prd[1] |= 0x80000000;
		memcpy(guest + at, prd, sizeof(prd));
	}
}

/* A whole command as a driver makes it. */
static void command(void)
{
	static const uint8_t codes[] = {0x20, 0x24, 0x25, 0x29, 0x30, 0x34, 0x35, 0x39,
					0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xe7, 0xef, 0x91};
	const uint8_t lba = next8(), count = next8() % 40;
	const struct ide_access out[] = {{BUS_MASTER + 4, 4, true, TABLE},
					 {0x1f6, 1, true, 0xe0},
					 {0x1f2, 1, true, 0},
					 {0x1f3, 1, true, 0},
					 {0x1f4, 1, true, 0},
					 {0x1f5, 1, true, 0},
					 {0x1f2, 1, true, count},
					 {0x1f3, 1, true, lba},
					 {0x1f4, 1, true, 0},
					 {0x1f5, 1, true, 0},
					 {0x1f7, 1, true, codes[next8() % ARRAY_SIZE(codes)]},
					 {BUS_MASTER, 1, true, 1}};

	table();
	for (unsigned int i = 0; i < ARRAY_SIZE(out); i++) {
		struct ide_op op = {.access = out[i]};

		run(&op);
	}
}

static void check(void)
{
	const uint32_t word = WORD;

	ASSERT(!memmem(view, TABLE, &word, sizeof(word)));
	for (uint32_t i = 0; !tainted && i < TABLE; i++)
		if (guest[i])
			ASSERT(guest[i] == 0x5e || guest[i] == 0xc2 || guest[i] == 0xe7);
}

static void begin(void)
{
	struct disk_expect expect = {.generation = 0, .consent = true};

	f.made.sectors = SECTORS;
	f.made.generation = 1;
	f.made.journal = DISK_JOURNAL_MIN;
	put_header();
	ASSERT(!open_disk(agent, &expect));
	memset(&ide, 0, sizeof(ide));
	memset(covered, 0, sizeof(covered));
	memset(view, 0, sizeof(view));
	tainted = false;
	ide_set(&ide, 0, IDE_ENCRYPTED, &f.d);
	for (unsigned int i = 1; i < 4; i++)
		ide_set(&ide, i, IDE_REFUSED, NULL);
	ide.bus_master = BUS_MASTER;
	for (uint32_t i = 0; i < GUEST_RAM; i += 4)
		memcpy(guest + i, &(uint32_t){WORD}, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	new_files(data, size);
	input_left = 0; /* the first start is an honest one */
	begin();
	input_left = size;
	for (unsigned int i = 0; i < OPERATIONS && input_left; i++) {
		uint8_t what = next8();

		if (what < 96)
			one(what % 2);
		else if (what < 160)
			string(what % 2);
		else if (what < 240)
			command();
		else
			table();
		if (i % 16 == 15)
			check();
	}
	check();
	ide_end(&ide);
	for (uint32_t i = 0; i < GUEST_RAM; i++)
		ASSERT(!covered[i]);
	disk_abandon(&f.d);
	return 0;
}
