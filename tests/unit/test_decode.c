/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/unit/test_decode_text.h"
#include "tests/unit/test_decode_rows.h"

/* What is refused, and how. */
static const struct {
	unsigned int mode;
	const char *bytes;
	int error;
} refused[] = {
	/* LOCK only where memory is written by one of a few. */
	{64, "f0 0f a2", ERR_INVAL},
	{64, "f0 f4", ERR_INVAL},
	{64, "f0 89 08", ERR_INVAL},
	{64, "f0 01 c8", ERR_INVAL},
	{64, "f0 03 08", ERR_INVAL},
	{64, "f0 39 08", ERR_INVAL},
	{64, "f0 83 38 00", ERR_INVAL},
	{64, "f0 0f a3 08", ERR_INVAL},
	{64, "f0 0f ba 20 01", ERR_INVAL},
	{64, "f0 84 08", ERR_INVAL},
	{64, "f0 c7 00 00 00 00 00", ERR_INVAL},
	{64, "f0 f3 aa", ERR_INVAL},
	{64, "f0 ad", ERR_INVAL},
	{64, "f0 f7 d0", ERR_INVAL},
	{64, "f0 ff c0", ERR_INVAL},
	{64, "f0 f7 00 01 00 00 00", ERR_INVAL},
	{64, "f0 0f 20 d8", ERR_INVAL},
	{64, "f0 44 0f 20 c0", ERR_INVAL},
	{64, "f0 0f 21 c0", ERR_INVAL},
	{64, "f0 87 c8", ERR_INVAL},
	/* Registers and forms that do not exist. */
	{64, "0f 20 c8", ERR_INVAL},
	{64, "0f 22 e8", ERR_INVAL},
	{64, "0f 20 f0", ERR_INVAL},
	{64, "44 0f 20 c8", ERR_INVAL},
	{64, "44 0f 20 e0", ERR_INVAL},
	{64, "44 0f 21 c0", ERR_INVAL},
	{64, "44 0f 23 f8", ERR_INVAL},
	{64, "ce", ERR_INVAL},
	{64, "0f c3 c0", ERR_INVAL},
	{64, "66 0f 38 82 c0", ERR_INVAL},
	/* Too long: 16 bytes, and 15 that are prefixes all. */
	{64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 89 08", ERR_INVAL},
	{64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66", ERR_INVAL},
	{64, "2e 2e 2e 2e 2e 2e 2e 2e 2e 48 81 04 25 00 00", ERR_INVAL},
	/* Not ours. */
	{64, "90", ERR_NOSYS},
	{64, "f3 41 90", ERR_NOSYS},
	{64, "0f 05", ERR_NOSYS},
	{64, "0f 0b", ERR_NOSYS},
	{64, "c3", ERR_NOSYS},
	{64, "50", ERR_NOSYS},
	{64, "e8 00 00 00 00", ERR_NOSYS},
	{64, "0f 10 00", ERR_NOSYS},
	{64, "c5 f8 77", ERR_NOSYS},
	{64, "62 f1 7c 48 10 00", ERR_NOSYS},
	{64, "0f 38 82 07", ERR_NOSYS},
	{64, "f3 66 0f 38 82 07", ERR_NOSYS},
	{64, "66 0f 38 80 07", ERR_NOSYS},
	{64, "0f 3a 0f c0 00", ERR_NOSYS},
	{64, "f7 08 00 00 00 00", ERR_NOSYS},
	{64, "f7 18", ERR_NOSYS},
	{64, "f6 20", ERR_NOSYS},
	{64, "c6 f8 00", ERR_NOSYS},
	{64, "0f ba 18 00", ERR_NOSYS},
	{64, "0f 00 20", ERR_NOSYS},
	{64, "0f 01 ca", ERR_NOSYS},
	{64, "0f 01 d0", ERR_NOSYS},
	{64, "0f 01 f8", ERR_NOSYS},
	{64, "0f 01 e8", ERR_NOSYS},
	{64, "0f 01 28", ERR_NOSYS},
	{64, "f3 0f 01 fe", ERR_NOSYS},
	{64, "f2 0f 01 ff", ERR_NOSYS},
	{64, "66 0f c3 08", ERR_NOSYS},
	{64, "fe 10", ERR_NOSYS},
	{64, "ff 10", ERR_NOSYS},
	{64, "ff 30", ERR_NOSYS},
	{64, "ae", ERR_NOSYS},
	{64, "a6", ERR_NOSYS},
	{64, "0f c7 08", ERR_NOSYS},
	{64, "0f c1 08", ERR_NOSYS},
	{64, "8c 00", ERR_NOSYS},
	{32, "63 08", ERR_NOSYS},
	{32, "48 89 08", ERR_NOSYS},
	{16, "40", ERR_NOSYS},
};

static size_t bytes_of(const char *hex, uint8_t *bytes)
{
	size_t n = 0;
	char *end;

	for (; *hex; hex = end)
		bytes[n++] = (uint8_t)strtoul(hex, &end, 16);
	return n;
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(decode_rows); i++) {
		const struct decode_row *row = &decode_rows[i];
		char text[DECODE_TEXT_MAX] = "";
		struct decode_insn insn = {0};
		uint8_t bytes[32];
		size_t n = bytes_of(row->bytes, bytes);
		int err = decode(bytes, n, row->mode / 8, &insn);

		if (!err)
			decode_text(text, &insn);
		if (err || insn.len != n || strcmp(text, row->text))
			fail_msg("%u: %s: error %d, length %u, '%s', not '%s'", row->mode,
				 row->bytes, err, insn.len, text, row->text);
	}
}

/* Bytes short of the instruction are asked for. */
static void test_truncated(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(decode_rows); i++) {
		const struct decode_row *row = &decode_rows[i];
		struct decode_insn insn;
		uint8_t bytes[32];
		size_t n = bytes_of(row->bytes, bytes);

		for (size_t k = 0; k < n; k++) {
			uint8_t *part = malloc(k); /* the sanitizer sees a read behind it */
			int err;

			memcpy(part, bytes, k);
			err = decode(part, k, row->mode / 8, &insn);
			free(part);
			if (err != ERR_NOENT)
				fail_msg("%u: %s: error %d after %zu bytes", row->mode, row->bytes,
					 err, k);
		}
	}
}

/* Bytes after the instruction change nothing. */
static void test_trailing_bytes(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(decode_rows); i++) {
		const struct decode_row *row = &decode_rows[i];
		struct decode_insn whole, insn;
		uint8_t bytes[64];
		size_t n = bytes_of(row->bytes, bytes);

		assert_int_equal(decode(bytes, n, row->mode / 8, &whole), 0);
		memset(bytes + n, 0xa5, sizeof(bytes) - n);
		assert_int_equal(decode(bytes, sizeof(bytes), row->mode / 8, &insn), 0);
		assert_memory_equal(&insn, &whole, sizeof(insn));
	}
}

static void test_refused(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct decode_insn insn;
		uint8_t bytes[32];
		size_t n = bytes_of(refused[i].bytes, bytes);

		int err = decode(bytes, n, refused[i].mode / 8, &insn);

		if (err != refused[i].error)
			fail_msg("%u: %s: error %d, not %d", refused[i].mode, refused[i].bytes, err,
				 refused[i].error);
	}
}

/* Every register differs, so that a wrong one gives another address. */
static const uint64_t gpr[16] = {
	0x1111111100001000, 0x2222222200000020, 0x0000000000000300, 0x3333333300008000,
	0x4444444400005000, 0x5555555500006000, 0x666666660000ff00, 0x7777777700000777,
	0xfffffffffffffff0, 0x0000000000000009, 0x000000000000000a, 0x00000000fffffff0,
	0x000000000000c000, 0x000000000000d000, 0x000000000000e000, 0x000000000000f000,
};
static const uint64_t seg_base[SEG_COUNT] = {0x100000, 0x200000,           0x300000,
					     0x400000, 0x7f00000000000000, 0xffff800000000000};

static const struct {
	unsigned int mode;
	const char *bytes;
	uint64_t address;
} addresses[] = {
	{64, "8b 00", 0x1111111100001000},
	{64, "67 8b 00", 0x1000},
	{64, "3e 8b 00", 0x1111111100001000},
	{64, "64 8b 02", 0x7f00000000000300},
	{64, "65 8b 02", 0xffff800000000300},
	{64, "8b 44 c8 f8", 0x2222222100001000 + 0xf8},
	{64, "8b 05 10 00 00 00", 0xffffffff80000016},
	{64, "c7 05 10 00 00 00 01 00 00 00", 0xffffffff8000001a},
	{64, "67 8b 05 10 00 00 00", 0x80000017},
	{64, "64 67 8b 05 10 00 00 00", 0x7f00000080000018},
	{64, "43 8b 04 01", 0xfffffffffffffff9},
	{64, "42 8b 04 c2", 0x280},
	{64, "a1 88 77 66 55 44 33 22 81", 0x8122334455667788},
	{64, "67 8b 44 0a f0", 0x310},
	{32, "8b 00", 0x401000},
	{32, "8b 45 00", 0x306000},
	{32, "8b 04 24", 0x305000},
	{32, "2e 8b 00", 0x201000},
	{32, "8b 80 00 f0 ff ff", 0x400000},
	{32, "8b 0d 00 00 e0 fe", 0xff200000},
	{32, "a1 00 00 d0 ff", 0x100000},
	{32, "67 8b 00", 0x407f00},
	{16, "8b 00", 0x407f00},
	{16, "8b 02", 0x305f00},
	{16, "8b 87 00 80", 0x400000},
	{16, "a1 34 ff", 0x40ff34},
	{16, "aa", 0x100777},
	/* Bit strings: bit 0x20 (rcx has more above), -0x10 (r8), 0xfffffff0 (r11; -0x10 as 32 bits). */
	{64, "0f a3 0a", 0x304},
	{64, "48 0f a3 0a", 0x444444440000300},
	{64, "66 0f a3 0a", 0x304},
	{64, "4c 0f a3 02", 0x2f8},
	{64, "44 0f ab 1a", 0x2fc},
	{64, "4c 0f b3 1a", 0x300 + 0x1ffffff8},
	{64, "66 44 0f bb 02", 0x2fe},
	{64, "0f ba 22 ff", 0x300},
};

static void test_addresses(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct decode_insn insn;
		uint8_t bytes[32];
		size_t n = bytes_of(addresses[i].bytes, bytes);
		gva_t at;

		assert_int_equal(decode(bytes, n, addresses[i].mode / 8, &insn), 0);
		at = decode_address(&insn, &insn.mem, gpr, 0xffffffff80000000, seg_base);
		if (at.a != addresses[i].address)
			fail_msg("%u: %s: %#" PRIx64 ", not %#" PRIx64, addresses[i].mode,
				 addresses[i].bytes, at.a, addresses[i].address);
	}
}

static void test_source_of_movs(void **state)
{
	const uint8_t bytes[] = {0x64, 0xf3, 0xa4};
	struct decode_insn insn;

	assert_int_equal(decode(bytes, sizeof(bytes), DECODE_64, &insn), 0);
	assert_int_equal(decode_address(&insn, &insn.mem, gpr, 0, seg_base).a, gpr[GPR_RDI]);
	assert_int_equal(decode_address(&insn, &insn.mem2, gpr, 0, seg_base).a,
			 gpr[GPR_RSI] + seg_base[SEG_FS]);
	assert_int_equal(decode(bytes, sizeof(bytes), DECODE_16, &insn), 0);
	assert_int_equal(decode_address(&insn, &insn.mem, gpr, 0, seg_base).a, 0x100777);
	assert_int_equal(decode_address(&insn, &insn.mem2, gpr, 0, seg_base).a, 0xff00);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),           cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_trailing_bytes), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_addresses),      cmocka_unit_test(test_source_of_movs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
