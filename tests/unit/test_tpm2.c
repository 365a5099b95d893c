/* SPDX-License-Identifier: Apache-2.0 */
/* Where the TPM is, out of ACPI's TPM2 table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/tpm2.h"
#include "tests/unit/test_boot_tables.h"

#define TPM2 0x3e02000u
#define CONTROL 0xfed40040u
#define LOG 0x7ff00000u

static struct boot_info info;
static struct tpm2 tpm2;
static const char *why;

static int parse(uint32_t method, uint64_t control, uint64_t log, uint32_t log_bytes,
		 uint32_t bytes)
{
	uint8_t body[64] = {0};

	ram_all(true);
	memcpy(body + 4, &control, 8);
	memcpy(body + 12, &method, 4);
	memcpy(body + 28, &log_bytes, 4);
	memcpy(body + 32, &log, 8);
	table_put(TPM2, "TPM2", body, TABLE_HEADER + bytes);
	tables_root(TPM2);
	why = NULL;
	memset(&tpm2, 0x5a, sizeof(tpm2));
	return tpm2_parse(&tpm2, &info, &why);
}

static void both_interfaces(void **state)
{
	assert_int_equal(parse(6, CONTROL, LOG, 65536, 40), 0);
	assert_int_equal(tpm2.control, 0);
	assert_int_equal(tpm2.event_log.start, LOG);
	assert_int_equal(tpm2.event_log.end, LOG + 65536);
	assert_int_equal(parse(7, CONTROL, LOG, 65536, 64), 0);
	assert_int_equal(tpm2.control, CONTROL);
}

/* Shorter tables, of older versions or without a log. */
static void no_log(void **state)
{
	static const struct {
		uint64_t log;
		uint32_t log_bytes, bytes;
	} none[] = {{LOG, 65536, 16}, {LOG, 65536, 28}, {LOG, 65536, 39},
		    {0, 65536, 40},   {LOG, 0, 40},     {UINT64_MAX - 5, 6, 40}};

	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		assert_int_equal(parse(7, CONTROL, none[i].log, none[i].log_bytes, none[i].bytes),
				 0);
		assert_int_equal(tpm2.control, CONTROL);
		assert_int_equal(tpm2.event_log.start, 0);
		assert_int_equal(tpm2.event_log.end, 0);
	}
}

static void refused(void **state)
{
	static const uint32_t methods[] = {0, 1, 2, 5, 8, 11, UINT32_MAX};

	for (unsigned int i = 0; i < ARRAY_SIZE(methods); i++) {
		assert_int_equal(parse(methods[i], CONTROL, LOG, 65536, 40), ERR_NOSYS);
		assert_non_null(strstr(why, "start method"));
		assert_int_equal(tpm2.control, CONTROL);
	}
	assert_int_equal(parse(7, 0, LOG, 65536, 40), ERR_INVAL);
	assert_non_null(strstr(why, "no control area"));
	for (uint32_t bytes = 0; bytes < 16; bytes++) {
		assert_int_equal(parse(7, CONTROL, LOG, 65536, bytes), ERR_INVAL);
		assert_non_null(strstr(why, "too short"));
		assert_int_equal(tpm2.control, 0);
	}
	memset(&ram[TABLES_RSDP], 0, 20);
	assert_int_equal(tpm2_parse(&tpm2, &info, &why), ERR_NOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_interfaces),
		cmocka_unit_test(no_log),
		cmocka_unit_test(refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
