// SPDX-License-Identifier: Apache-2.0
// A driver's commands to an AHCI controller, encrypted and plain, with a device model that does as it is told.
#include "tests/unit/test_ahci.h"

static const struct plan write_dma = {.code = 0x35,
				      .lba = 10,
				      .count = 8,
				      .at = BUFFER,
				      .bytes = 4096,
				      .options = 0x40},
			 read_dma = {.code = 0x25,
				     .lba = 10,
				     .count = 8,
				     .at = BUFFER + 0x10000,
				     .bytes = 4096};

static void write_one(unsigned int slot, uint8_t code, uint64_t lba, uint32_t count,
		      uint64_t version)
{
	struct plan c = {slot, code, lba, count, BUFFER, count * 512, 0, 0, 0x40};

	fill(BUFFER, lba, count, version);
	issue(&c);
	assert_int_equal(in(P_CI)&1u << slot, 0);
	assert_int_equal(in(P_SACT)&1u << slot, 0);
}

static void read_one(unsigned int slot, uint8_t code, uint64_t lba, uint32_t count,
		     uint64_t version)
{
	struct plan c = {slot, code, lba, count, BUFFER + 0x10000, count * 512, 0, 0, 0};

	memset(guest + c.at, 0xee, c.bytes);
	issue(&c);
	assert_int_equal(in(P_CI)&1u << slot, 0);
	assert_int_equal(in(P_SACT)&1u << slot, 0);
	expect_version(c.at, lba, count, version);
	assert_int_equal(moved(slot), c.bytes);
}

static void written_is_read_again(void **state)
{
	static const uint8_t codes[][2] = {
		{0x35, 0x25}, {0xca, 0xc8}, {0x30, 0x20}, {0x34, 0x24}, {0x61, 0x60}};
	uint8_t sector[512];

	for (unsigned int i = 0; i < ARRAY_SIZE(codes); i++) {
		write_one(i, codes[i][0], 100 + i, 7, i + 1);
		store_read(&w.store, DISK_DATA, (100 + i) * 512, sector, 512);
		assert_memory_not_equal(sector, guest + BUFFER, 64);
		read_one(31 - i, codes[i][1], 100 + i, 7, i + 1);
		read_one(i, 0x25, 300, 3, 0);
	}
	assert_int_equal(in(P_TFD), 0x50);
	assert_int_equal(guest[RECEIVED + 0x40], 0x34);
	assert_int_equal(guest[RECEIVED + 0x58], 0xa1);
}

/* Regions that begin anywhere, and are many; a table with more than is needed. */
static void regions_of_any_shape(void **state)
{
	struct plan c = {.slot = 3,
			 .code = 0x61,
			 .lba = 50,
			 .count = 60,
			 .at = BUFFER + 2,
			 .bytes = 60 * 512,
			 .region = 130,
			 .gap = 2,
			 .options = 0x40};
	uint8_t *flat = malloc(c.bytes + 130);

	for (uint32_t i = 0; i < 60; i++)
		fill_sector(flat + i * 512, 50 + i, 9);
	for (uint32_t i = 0; i * 130 < c.bytes; i++)
		memcpy(guest + c.at + i * 132, flat + i * 130, 130);
	issue(&c);
	assert_int_equal(in(P_SACT), 0);
	read_one(0, 0x60, 50, 60, 9);

	c.code = 0x60;
	c.options = 0;
	c.bytes = 64 * 512;
	memset(guest + c.at, 0, 0x20000);
	issue(&c);
	assert_int_equal(in(P_SACT), 0);
	for (uint32_t i = 0; i < 60 * 512; i++)
		assert_int_equal(guest[c.at + i / 130 * 132 + i % 130], flat[i]);
	for (uint32_t i = 60 * 512; i < 64 * 512; i++)
		assert_int_equal(guest[c.at + i / 130 * 132 + i % 130], 0);
	free(flat);
}

static void identify_is_the_monitors(void **state)
{
	struct plan c = {.code = 0xec, .at = BUFFER, .bytes = 512};

	issue(&c);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(guest[BUFFER + 200] | guest[BUFFER + 201] << 8, SECTORS);
	assert_int_equal(guest[BUFFER + 152] & 2, 2); /* SATA, with NCQ 76.8 */
	assert_int_equal(guest[BUFFER + 153] & 1, 1);
	c = (struct plan){.code = 0xef, .count = 0x82};
	issue(&c);
	assert_int_equal(in(P_CI), 0);
	c = (struct plan){.code = 0xec, .at = BUFFER, .bytes = 512};
	issue(&c);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(guest[BUFFER + 170] & 0x20, 0); /* the write cache is off */
}

static void refused(const struct plan *c)
{
	unsigned int before = hba.commands;

	HBA(P_IS) = 0;
	prepare(c);
	if (c->code > 0x5f && c->code < 0x66)
		out(P_SACT, 1u << c->slot);
	out(P_CI, 1u << c->slot);
	assert_int_equal(hba.commands, before + 1);
	assert_int_equal(hba.last, 0xef);
	assert_int_equal(in(P_IS)&TFES, TFES);
	assert_int_equal(in(P_TFD), 0x441);
	assert_int_equal(in(P_CI), 1u << c->slot);
	out(P_CMD, 0x10);
	assert_int_equal(in(P_CI), 0);
	out(P_CMD, 0x11);
}

/* The device model aborts it, so that there is an interrupt; none of the guest's memory is seen. */
static void what_is_not_offered_is_aborted(void **state)
{
	static const struct plan plans[] = {
		{.code = 0xb0, .slot = 4},                                /* SMART */
		{.code = 0x2f, .lba = 0x10, .count = 1, .bytes = 512},    /* nothing is logged */
		{.code = 0xef, .count = 0x42},                            /* a feature */
		{.code = 0xc6, .count = 3},                               /* SET MULTIPLE MODE */
		{.code = 0x25, .lba = SECTORS, .count = 1, .bytes = 512}, /* beyond the end */
		{.code = 0x25, .lba = 1, .count = 2, .bytes = 512},       /* too small a buffer */
		{.code = 0x25, .lba = 1, .count = 1, .at = GUEST_RAM, .bytes = 512},
		{.code = 0xec, .bytes = 256},
		{.code = 0x61, .lba = 1, .count = 1, .at = 0x1000, .bytes = 256},
		{.code = 0x63},
	};
	struct plan c = read_dma;

	for (unsigned int i = 0; i < ARRAY_SIZE(plans); i++)
		refused(&plans[i]);
	prepare(&c);
	guest[TABLE(0)] = 0x34; /* another FIS; a port multiplier's; without LBA */
	out(P_CI, 1);
	assert_int_equal(hba.last, 0xef);
	out(P_CMD, 0x10);
	out(P_CMD, 0x11);
	prepare(&c);
	guest[TABLE(0) + 1] = 0x81;
	out(P_CI, 1);
	assert_int_equal(hba.last, 0xef);
	out(P_CMD, 0x10);
	out(P_CMD, 0x11);
	prepare(&c);
	guest[TABLE(0) + 7] = 0;
	out(P_CI, 1);
	assert_int_equal(hba.last, 0xef);
}

static void a_queued_command_has_its_slots_tag(void **state)
{
	struct plan c = {.slot = 5, .code = 0x60, .lba = 1, .count = 1, .at = BUFFER, .bytes = 512};

	prepare(&c);
	guest[TABLE(5) + 12] = 4 << 3;
	out(P_SACT, 1u << 5);
	out(P_CI, 1u << 5);
	assert_int_equal(hba.last, 0xef);
	out(P_CMD, 0x10);
	out(P_CMD, 0x11);
	prepare(&c);
	guest[TABLE(5) + 7] |= 0x80; /* FUA is not offered */
	out(P_SACT, 1u << 5);
	out(P_CI, 1u << 5);
	assert_int_equal(hba.last, 0xef);
}

static void a_table_elsewhere_fails(void **state)
{
	uint32_t header[8] = {5, 0, 0xfffff000, 0xffffffff};

	memcpy(guest + LIST, header, sizeof(header));
	out(P_CI, 1);
	assert_int_equal(hba.commands, 0);
	assert_int_equal(in(P_CI), 1);
	assert_int_equal(in(P_IS)&TFES, TFES);
	assert_int_equal(in(P_TFD), 0x441);
	out(P_CMD, 0x10);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(in(P_IS)&TFES, 0);
}

/* --- several at once ------------------------------------------------------------------------------------- */

/* All write the same page: what the device model finds there is another thing for each. */
static void many_are_about_one_page(void **state)
{
	struct plan c = {.code = 0x61, .count = 8, .at = BUFFER, .bytes = 4096, .options = 0x40};
	uint8_t page[4096];

	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (uint8_t)(i >> 5);
	memcpy(guest + BUFFER, page, sizeof(page));
	hba.defer = ~0u;
	for (unsigned int i = 0; i < 16; i++) {
		c.slot = i;
		c.lba = i * 8;
		issue(&c);
	}
	for (unsigned int i = 16; i--;)
		hba_complete(i);
	assert_int_equal(in(P_SACT), 0);
	hba.defer = 0;
	c = (struct plan){.code = 0x25, .count = 8, .at = BUFFER + 0x10000, .bytes = 4096};
	for (unsigned int i = 0; i < 16; i++) {
		c.lba = i * 8;
		issue(&c);
		assert_int_equal(in(P_CI), 0);
		assert_memory_equal(guest + c.at, page, sizeof(page));
	}
}

static void many_are_under_way(void **state)
{
	struct plan c = {.code = 0x61, .count = 16, .bytes = 16 * 512, .options = 0x40};

	hba.defer = ~0u;
	for (unsigned int i = 0; i < 32; i++) {
		c.slot = i;
		c.lba = i * 16;
		c.at = BUFFER + i * 0x2000;
		fill(c.at, c.lba, 16, 70 + i);
		issue(&c);
		assert_int_equal(in(P_SACT), i == 31 ? ~0u : (2u << i) - 1);
	}
	for (unsigned int i = 0; i < 32; i++)
		hba_complete((i * 7 + 3) % 32);
	assert_int_equal(in(P_IS)&8, 8);
	assert_int_equal(in(P_SACT), 0);
	assert_int_equal(w.d.in_flight, NULL);

	memset(guest + BUFFER, 0, 32 * 0x2000);
	c.code = 0x60;
	c.options = 0;
	for (unsigned int i = 0; i < 32; i++) {
		c.slot = i;
		c.lba = i * 16;
		c.at = BUFFER + i * 0x2000;
		prepare(&c);
	}
	out(P_SACT, ~0u);
	out(P_CI, ~0u);
	assert_int_equal(in(P_SACT), ~0u);
	for (unsigned int i = 32; i-- > 0;) {
		hba_complete(i);
		assert_int_equal(in(P_SACT), (1u << i) - 1);
		expect_version(BUFFER + i * 0x2000, i * 16, 16, 70 + i);
	}
}

/* Nothing is in the guest's memory before it is told; what tells it is not said before that is. */
static void data_come_before_the_word(void **state)
{
	static const uint16_t tells[] = {P_IS, P_TFD, P_CI, P_SACT};

	write_one(0, 0x35, 10, 8, 3);
	for (unsigned int queued = 0; queued < 2; queued++)
		for (unsigned int i = 0; i < ARRAY_SIZE(tells); i++) {
			struct plan c = read_dma;

			if ((tells[i] == P_SACT && !queued) || (tells[i] == P_CI && queued))
				continue;
			c.code = queued ? 0x60 : 0x25;
			memset(guest + c.at, 0, 4096);
			memset(guest + RECEIVED, 0, 256);
			HBA(P_IS) = 0;
			hba.defer = 1;
			issue(&c);
			HBA(P_TFD) = 0x80;
			in(tells[i]);
			assert_int_equal(ahci.port[0].issued, 1);
			hba_complete(0);
			assert_int_equal(guest[c.at], 0);
			assert_int_equal(guest[RECEIVED + 0x40], 0);
			in(tells[i]);
			expect_version(c.at, 10, 8, 3);
			assert_int_equal(ahci.port[0].issued, 0);
			assert_int_equal(guest[RECEIVED + (queued ? 0x58 : 0x40)],
					 queued ? 0xa1 : 0x34);
		}
}

/* A write waits for others of the same sectors, and reads for it; the device model hears of it later. */
static void what_overlaps_waits(void **state)
{
	struct plan first = {0, 0x61, 20, 8, BUFFER, 4096, 0, 0, 0x40},
		    second = {1, 0x61, 24, 8, BUFFER + 0x2000, 4096, 0, 0, 0x40},
		    third = {2, 0x60, 31, 1, BUFFER + 0x4000, 512, 0, 0, 0};

	fill(BUFFER, 20, 8, 1);
	fill(BUFFER + 0x2000, 24, 8, 2);
	hba.defer = ~0u;
	issue(&first);
	issue(&second);
	assert_int_equal(hba.kept, 1);
	assert_int_equal(in(P_SACT), 3);
	assert_int_equal(in(P_CI)&2, 2);
	third.lba = 27;
	issue(&third);
	assert_int_equal(hba.kept, 1);
	hba_complete(0);
	assert_int_equal(in(P_SACT), 6);
	assert_int_equal(hba.kept, 2);
	assert_int_equal(in(P_CI)&6, 4 | (HBA(P_CI) & 2));
	hba_complete(1);
	assert_int_equal(in(P_SACT), 4);
	assert_int_equal(hba.kept, 4);
	hba_complete(2);
	assert_int_equal(in(P_SACT), 0);
	expect_version(BUFFER + 0x4000, 27, 1, 2);
	hba.defer = 0;
	read_one(0, 0x60, 20, 4, 1);
	read_one(0, 0x60, 24, 8, 2);
}

/* The journal has no room for all: those wait too. */
static void writes_wait_for_room(void **state)
{
	struct plan c = {.code = 0x61, .count = 256, .bytes = 256 * 512, .options = 0x40};

	disk_abandon(&w.d);
	make_image(SECTORS, DISK_JOURNAL_MIN);
	assert_int_equal(open_consented(DISK_PAGES(32768)), 0);
	hba.defer = ~0u;
	for (unsigned int i = 0; i < 12; i++) {
		c.slot = i;
		c.lba = i * 256;
		c.at = BUFFER + i * 0x20000;
		fill(c.at, c.lba, 256, 20 + i);
		issue(&c);
	}
	assert_int_not_equal(hba.kept, 0xfff);
	for (unsigned int i = 0; i < 12; i++) {
		assert_true(hba.kept >> i & 1);
		hba_complete(i);
		assert_int_equal(in(P_SACT), 0xfff & (~0u << (i + 1)));
	}
	assert_null(w.d.in_flight);
	hba.defer = 0;
	for (unsigned int i = 0; i < 12; i++)
		read_one(i, 0x60, i * 256, 64, 20 + i);
}

static void a_flush_waits_for_writes(void **state)
{
	struct plan first = {0, 0x61, 20, 8, BUFFER, 4096, 0, 0, 0x40},
		    flush = {1, 0xea, 0, 0, 0, 0, 0, 0, 0};

	hba.defer = ~0u;
	fill(BUFFER, 20, 8, 1);
	issue(&first);
	issue(&flush);
	assert_int_equal(hba.kept, 1);
	hba_complete(0);
	in(P_SACT);
	assert_int_equal(hba.kept, 2);
	assert_true(w.d.unflushed);
	hba_complete(1);
	assert_int_equal(in(P_CI), 0);
	assert_false(w.d.unflushed);
}

static void without_a_write_cache_each_write_is_flushed(void **state)
{
	struct plan c = {.code = 0xef, .count = 0x82};

	write_one(0, 0x61, 1, 1, 1);
	assert_true(w.d.unflushed);
	issue(&c);
	assert_int_equal(in(P_CI), 0);
	write_one(0, 0x61, 1, 1, 1);
	assert_false(w.d.unflushed);
}

/* Another processor's access to a port that is in the middle of something. */
static void one_processor_at_a_time(void **state)
{
	struct ahci_op a = {.access = {P_CI, true, 1}}, b = {.access = {P_CI, false, 0}},
		       c = {.access = {4, true, 1}}, other = {.access = {0x1b8, false, 0}};

	fill(BUFFER, 10, 8, 1);
	prepare(&write_dma);
	assert_int_equal(ahci_begin(&ahci, &a, NULL), AHCI_AGENT);
	assert_int_equal(ahci_begin(&ahci, &b, NULL), AHCI_WAIT);
	assert_int_equal(ahci_begin(&ahci, &c, NULL), AHCI_WAIT);
	assert_int_equal(go_on(&other, ahci_begin(&ahci, &other, NULL)), AHCI_DONE);
	carry_out();
	assert_int_equal(go_on(&a, ahci_resume(&ahci, &a, NULL)), AHCI_DONE);
	assert_int_equal(go_on(&b, ahci_begin(&ahci, &b, NULL)), AHCI_DONE);
	assert_int_equal(b.access.value, 0);
	read_one(0, 0x25, 10, 8, 1);
}

/* --- plain drives ------------------------------------------------------------------------------------------ */

static void make_plain(void)
{
	ahci_set(&ahci, 0, IDE_PLAIN, NULL);
}

static void a_plain_drives_data_are_as_they_are(void **state)
{
	uint8_t sector[512];

	make_plain();
	write_one(0, 0x35, 10, 8, 5);
	store_read(&w.store, DISK_DATA, 10 * 512, sector, 512);
	assert_memory_equal(sector, guest + BUFFER, 512);
	read_one(1, 0x25, 10, 8, 5);
	memset(guest + BUFFER + 0x10000, 0, 0x2000);
	issue(&(struct plan){3, 0x60, 10, 8, BUFFER + 0x10000, 4096, 0, 0, 0});
	assert_int_equal(in(P_SACT), 0);
	expect_version(BUFFER + 0x10000, 10, 8, 5);
	assert_int_equal(agents, 0);
}

/* Beyond what it says that it has moved the guest's memory stays as it is. */
static void a_plain_drive_may_move_less(void **state)
{
	struct plan c = {.code = 0xa0, .at = BUFFER, .bytes = 96, .options = 0x20};

	make_plain();
	memset(guest + BUFFER, 0x66, 200);
	prepare(&c);
	guest[TABLE(0) + 0x40] = 0x12;
	out(P_CI, 1);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(moved(0), 36);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(guest[BUFFER + i], i < 36 ? 0xcd : 0x66);
}

/* SeaBIOS, SET FEATURES and TEST UNIT READY: a region of 4 MiB, which neither needs. */
static void a_table_of_nonsense(void **state)
{
	static const uint32_t prd[4] = {0, 0, 0, UINT32_MAX};
	struct plan c = {.code = 0xef, .count = 3, .bytes = 512, .options = 0x40};

	make_plain();
	memset(guest + BUFFER, 0x66, 512);
	prepare(&c);
	memcpy(guest + TABLE(0) + 0x80, prd, sizeof(prd));
	out(P_CI, 1);
	assert_int_equal(in(P_CI), 0);
	assert_int_equal(in(P_TFD), 0x50);
	assert_null(memchr(view + BUFFER, 0x66, 512));
	c = (struct plan){.code = 0xa0, .bytes = 512, .options = 0x20};
	prepare(&c);
	memcpy(guest + TABLE(0) + 0x80, prd, sizeof(prd));
	guest[TABLE(0) + 0x83] = 0xff; /* no memory */
	out(P_CI, 1);
	assert_int_equal(in(P_CI), 0);
	/* A command that moves less than its table has. */
	c = (struct plan){
		.code = 0x35, .lba = 3, .count = 1, .at = BUFFER, .bytes = 1024, .options = 0x40};
	memset(guest + BUFFER + 512, 0x77, 512);
	issue(&c);
	assert_int_equal(in(P_CI), 0);
	assert_null(memchr(view + BUFFER + 512, 0x77, 512));
}

/* Of a list and a table nothing is seen but the command; not what the guest has there besides. */
static void what_is_beside_a_command_is_not_seen(void **state)
{
	struct plan c = read_dma;

	memset(guest + TABLE(0), 0x99, 0x1000);
	hba.defer = 1;
	issue(&c);
	memset(guest + TABLE(0) + 0x20, 0x99, 0x20);
	for (unsigned int i = 0; i < 0x1000; i++)
		assert_int_not_equal(view[TABLE(0) + i], 0x99);
	for (unsigned int i = 32; i < 1024; i++)
		assert_int_equal(view[LIST + i], 0x11);
	/* What the guest changes now is too late. */
	guest[TABLE(0) + 4] = 77;
	guest[LIST + 8] = 0xff;
	hba_complete(0);
	assert_int_equal(in(P_CI), 0);
	expect_version(c.at, 10, 8, 0);
}

/* --- PCI configuration space --------------------------------------------------------------------------------- */

static uint32_t config(uint32_t address, uint16_t port, uint8_t bytes, bool write, uint32_t value)
{
	ahci_config(&ahci, 0xcf8, 4, true, &address);
	ahci_config(&ahci, port, bytes, write, &value);
	return value;
}

static void the_controller_is_found(void **state)
{
	config(0x80002000, 0xcfc, 4, false, 0x70108086);
	config(0x80002824, 0xcfc, 4, true, 0xf0001000);
	assert_false(ahci_has(&ahci, GPA(0xf0001000)));
	config(0x80002800, 0xcfe, 2, false, 0x2922);
	config(0x80002024, 0xcfc, 4, true, 0xf0002000);
	config(0x80002824, 0xcfc, 4, true, 0xffffffff);
	assert_false(ahci_has(&ahci, GPA(0xf0002000)));
	config(0x80002824, 0xcfc, 4, true, 0xf0001000);
	assert_true(ahci_has(&ahci, GPA(0xf0001000)));
	assert_true(ahci_has(&ahci, GPA(0xf0001fff)));
	assert_false(ahci_has(&ahci, GPA(0xf0002000)));
	assert_false(ahci_has(&ahci, GPA(0xf0000fff)));
	/* It stays the one that it was, and no other is. */
	assert_int_equal(config(0x80002800, 0xcfc, 4, false, 0x12345678), 0x29228086);
	assert_int_equal(config(0x80002800, 0xcfc, 2, false, 0x1234), 0x8086);
	assert_int_equal(config(0x80002808, 0xcfe, 2, false, 0x0300), 0x0106);
	assert_int_equal(config(0x80002808, 0xcfd, 1, false, 0x00), 0x01);
	assert_int_equal(config(0x80003000, 0xcfc, 4, false, 0x29228086), 0x29228086);
	config(0x80003024, 0xcfc, 4, true, 0xf0005000);
	assert_false(ahci_has(&ahci, GPA(0xf0005000)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(written_is_read_again),
		TEST(regions_of_any_shape),
		TEST(identify_is_the_monitors),
		TEST(what_is_not_offered_is_aborted),
		TEST(a_queued_command_has_its_slots_tag),
		TEST(a_table_elsewhere_fails),
		TEST(many_are_about_one_page),
		TEST(many_are_under_way),
		TEST(data_come_before_the_word),
		TEST(what_overlaps_waits),
		TEST(writes_wait_for_room),
		TEST(a_flush_waits_for_writes),
		TEST(without_a_write_cache_each_write_is_flushed),
		TEST(one_processor_at_a_time),
		TEST(a_plain_drives_data_are_as_they_are),
		TEST(a_plain_drive_may_move_less),
		TEST(a_table_of_nonsense),
		TEST(what_is_beside_a_command_is_not_seen),
		TEST(the_controller_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
