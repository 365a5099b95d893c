/* SPDX-License-Identifier: Apache-2.0 */
/* The event log: what is written is read again, and what a firmware may leave is not trusted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "attest/eventlog.h"

#define ROOM 2048u

static uint8_t room[ROOM];
static struct eventlog events;
static const struct tpm two = {.bank_count = 2, .bank = {11, 12}};
static struct tpm_digests digests = {
	.count = 3,
	.of = {{0x0c, {0xc0, [47] = 0xcf}}, {0x0b, {0xb0, [31] = 0xbf}}, {4, {0x40}}},
};
static const char *why;

/* Our header and n events of 8 bytes; what follows is zeros. */
static void write_log(unsigned int n)
{
	memset(room, 0, sizeof(room));
	events = (struct eventlog){.bytes = room, .size = ROOM};
	assert_int_equal(eventlog_begin(&events, &two), 0);
	while (n--)
		assert_int_equal(eventlog_add(&events, 11, 6, &digests, "12345678", 8), 0);
}

/* Exactly n bytes, so that the address sanitizer sees a read past them. */
static int continue_with(const uint8_t *bytes, uint32_t n, uint32_t *used)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct eventlog log = {.bytes = copy, .size = n};
	int err;

	memcpy(copy, bytes, n);
	why = NULL;
	err = eventlog_continue(&log, n, &why);
	assert_true(err ? why && !log.used : log.used && log.used <= n);
	*used = log.used;
	free(copy);
	return err;
}

/* Byte for byte, by the Firmware Profile's tables. */
static void format(void **state)
{
	static const uint8_t header[] = {
		0,   0,   0,   0,   3,   0,   0,   0,   0,   0,   0,   0, 0,  0, 0,   0,   0,   0,
		0,   0,   0,   0,   0,   0,   0,   0,   0,   0,   37,  0, 0,  0, 'S', 'p', 'e', 'c',
		' ', 'I', 'D', ' ', 'E', 'v', 'e', 'n', 't', '0', '3', 0, 0,  0, 0,   0,   0,   2,
		0,   2,   2,   0,   0,   0,   11,  0,   32,  0,   12,  0, 48, 0, 0,
	};
	static const uint8_t digits[8] = {'1', '2', '3', '4', '5', '6', '7', '8'};
	uint8_t event[12 + 2 + 32 + 2 + 48 + 4 + 8] = {11, 0, 0, 0, 6, 0, 0, 0, 2, 0, 0, 0, 11, 0};

	event[14] = 0xb0;
	event[45] = 0xbf;
	event[46] = 12;
	event[48] = 0xc0;
	event[95] = 0xcf;
	event[96] = 8;
	memcpy(event + 100, digits, sizeof(digits));
	write_log(1);
	assert_int_equal(events.used, sizeof(header) + sizeof(event));
	assert_memory_equal(room, header, sizeof(header));
	assert_memory_equal(room + sizeof(header), event, sizeof(event));
}

/* What follows the last event may be the end, zeros or ones, of any length. */
static void continued(void **state)
{
	uint32_t used, end;

	for (unsigned int n = 0; n < 3; n++) {
		write_log(n);
		end = events.used;
		assert_int_equal(continue_with(room, end, &used), 0);
		assert_int_equal(used, end);
		for (uint32_t more = 1; more < 20; more++) {
			memset(room + end, 0, more);
			assert_int_equal(continue_with(room, end + more, &used), 0);
			assert_int_equal(used, end);
			memset(room + end, 0xff, more);
			assert_int_equal(continue_with(room, end + more, &used), 0);
			assert_int_equal(used, end);
			room[end + more - 1] = 0x7f;
			if (more <= 12)
				assert_int_equal(continue_with(room, end + more, &used), ERR_INVAL);
		}
	}
	/* And then ours come behind it. */
	write_log(1);
	end = events.used;
	assert_int_equal(eventlog_continue(&events, ROOM, &why), 0);
	assert_int_equal(events.used, end);
	assert_int_equal(events.format.banks, 2);
	assert_int_equal(eventlog_add(&events, 12, 6, &digests, "12345678", 8), 0);
	assert_memory_equal(room + end + 4, room + end - 108 + 4, 104);
	assert_int_equal(room[end], 12);
}

/* Cut anywhere but between events it is none. */
static void cut(void **state)
{
	uint32_t used, first, second;

	write_log(0);
	first = events.used;
	write_log(1);
	second = events.used;
	for (uint32_t n = 0; n < second; n++)
		assert_int_equal(continue_with(room, n, &used), n == first ? 0 : ERR_INVAL);
}

/* What each byte of the header and of an event is good for: changed, the log is refused or read with the same end. */
static void malformed(void **state)
{
	static const struct {
		uint32_t at;
		uint8_t value;
	} bad[] = {
		{0, 1},    {4, 6},    {8, 1},   {27, 1},  {28, 38},    {28, 36}, {31, 1},
		{32, 's'}, {46, '2'}, {47, 1},  {56, 1},  {56, 3},     {59, 1},  {60, 12},
		{60, 4},   {62, 31},  {62, 0},  {64, 11}, {66, 32},    {66, 65}, {67, 1},
		{68, 1},   {69, 24},  {70, 1},  {77, 1},  {77, 3},     {81, 12}, {81, 4},
		{82, 1},   {115, 11}, {115, 0}, {165, 9}, {165, 0xff}, {168, 1},
	};
	uint32_t used, end;

	write_log(1);
	end = events.used;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t old = room[bad[i].at];

		room[bad[i].at] = bad[i].value;
		if (!continue_with(room, end, &used))
			fail_msg("byte %u: %02x was taken", bad[i].at, bad[i].value);
		room[bad[i].at] = old;
	}
	/* No PCR, but no action either: such events are the firmware's notes. */
	memset(room + 69, 0xff, 4);
	assert_int_equal(continue_with(room, end, &used), ERR_INVAL);
	room[73] = 3;
	assert_int_equal(continue_with(room, end, &used), 0);
}

/* Of a TXT launch's events, those that only tell have PCR 255, and no others. */
static void txt_events(void **state)
{
	static const uint32_t types[] = {0x3ff, 0x400, 0x401, 0x4ff, 0x500, 0x10401};
	uint32_t used;

	write_log(1);
	memset(room + 69, 0, 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		bool txt = i >= 1 && i <= 3;

		memcpy(room + 73, &types[i], 4);
		room[69] = 0xff;
		room[70] = 0;
		assert_int_equal(continue_with(room, events.used, &used), txt ? 0 : ERR_INVAL);
		room[69] = 0xfe;
		assert_int_equal(continue_with(room, events.used, &used), ERR_INVAL);
		room[69] = 0xff;
		room[70] = 1;
		assert_int_equal(continue_with(room, events.used, &used), ERR_INVAL);
	}
}

/* A header with an algorithm that we do not know, with its size; the TPM's driver has no digest of it. */
static void unknown_algorithm(void **state)
{
	static const uint8_t zeros[40];

	write_log(0);
	room[64] = 0x99;
	room[66] = 40;
	assert_int_equal(eventlog_continue(&events, ROOM, &why), 0);
	assert_int_equal(eventlog_add(&events, 11, 6, &digests, "x", 1), 0);
	assert_int_equal(room[69 + 46], 0x99);
	assert_memory_equal(room + 69 + 48, zeros, 40);
	/* Without SHA-256 it is of no use. */
	room[60] = 0x98;
	assert_int_equal(eventlog_continue(&events, ROOM, &why), ERR_INVAL);
}

static void full(void **state)
{
	uint32_t used;

	write_log(0);
	events.size = events.used + 107;
	room[events.size] = 0x5a;
	used = events.used;
	assert_int_equal(eventlog_add(&events, 11, 6, &digests, "12345678", 8), ERR_2BIG);
	assert_int_equal(events.used, used);
	assert_int_equal(room[events.size], 0x5a);
	events.size = 68;
	assert_int_equal(eventlog_begin(&events, &two), ERR_2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(format),     cmocka_unit_test(continued),
		cmocka_unit_test(cut),        cmocka_unit_test(malformed),
		cmocka_unit_test(txt_events), cmocka_unit_test(unknown_algorithm),
		cmocka_unit_test(full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
