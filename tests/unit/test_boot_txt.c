/* SPDX-License-Identifier: Apache-2.0 */
/* TXT's registers and heap, sound and not. */
#include "tests/unit/test_boot_case.h"

static struct txt_memory txt;

static int setup(void **state)
{
	setup_launch(HEAP_AT, HEAP_SIZE);
	memset(&txt, 0, sizeof(txt));
	return 0;
}

static void assert_refused(int error, const char *says)
{
	assert_int_equal(txt_check(&txt, &why), error);
	assert_non_null(why);
	assert_non_null(strstr(why, says));
}

static void test_sound(void **state)
{
	assert_int_equal(txt_check(&txt, &why), 0);
	assert_int_equal(txt.heap.start, HEAP_AT);
	assert_int_equal(txt.heap.end, HEAP_AT + HEAP_SIZE);
	assert_int_equal(txt.sinit.start, SINIT_AT);
	assert_int_equal(txt.sinit.end, SINIT_AT + SINIT_SIZE);
}

/* The ends of what is taken. */
static void test_edges(void **state)
{
	put_reg(REG_SINIT_BASE, 4 * GIB - SINIT_SIZE);
	assert_int_equal(txt_check(&txt, &why), 0);
	assert_int_equal(txt.sinit.end, 4 * GIB);
	ram_put32(MDR_OFFSET_FIELD, 8);
	assert_int_equal(txt_check(&txt, &why), 0);
}

static void test_no_launch(void **state)
{
	static const uint64_t status[] = {0, 2, 3, 0x18093, 0x18090, UINT64_MAX};

	for (unsigned int i = 0; i < ARRAY_SIZE(status); i++) {
		put_reg(REG_STS, status[i]);
		assert_refused(ERR_NOSYS, "no TXT launch");
	}
}

static void test_no_secrets(void **state)
{
	put_reg(REG_E2STS, ~(uint64_t)2);
	assert_refused(ERR_INVAL, "SECRETS");
}

/* Registers that name no memory, or memory that is not whole pages below 4 GiB. */
static void test_ranges(void **state)
{
	static const struct {
		unsigned int reg;
		uint64_t value;
	} bad[] = {
		{REG_HEAP_BASE, 0},
		{REG_HEAP_BASE, HEAP_AT + 8},
		{REG_HEAP_BASE, 4 * GIB},
		{REG_HEAP_BASE, 4 * GIB - PAGE_SIZE},
		{REG_HEAP_BASE, UINT64_MAX},
		{REG_HEAP_BASE, SINIT_AT},
		{REG_HEAP_SIZE, 0},
		{REG_HEAP_SIZE, 1},
		{REG_HEAP_SIZE, 4 * GIB},
		{REG_HEAP_SIZE, UINT64_MAX & PAGE_MASK},
		{REG_SINIT_BASE, 0},
		{REG_SINIT_BASE, SINIT_AT + 1},
		{REG_SINIT_BASE, HEAP_AT + HEAP_SIZE - PAGE_SIZE},
		{REG_SINIT_SIZE, 0},
		{REG_SINIT_SIZE, SINIT_SIZE + PAGE_SIZE},
		{REG_SINIT_SIZE, UINT64_MAX},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put_registers();
		put_reg(bad[i].reg, bad[i].value);
		assert_refused(ERR_INVAL, "registers");
	}
}

/* Each part's size and version at the edge of what is taken. */
static void test_parts(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t size_min, version_min;
		uint32_t size, version;
		const char *says;
	} part[] = {
		{HEAP_AT, 36, 2, BIOS_SIZE, 4, "firmware's"},
		{LOADER_AT, 12, 1, LOADER_SIZE, 3, "loader's"},
		{OS_SINIT_AT, 92, 4, OS_SINIT_SIZE, 7, "for SINIT"},
		{SINIT_PART_AT, 152, 6, SINIT_PART_SIZE, 9, "SINIT's part"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(part); i++) {
		uint64_t room = HEAP_AT + HEAP_SIZE - part[i].at;
		uint64_t bad[] = {0,
				  7,
				  8,
				  part[i].size_min - 1,
				  room + 1,
				  UINT64_MAX,
				  UINT64_MAX - part[i].at + 1};

		for (unsigned int j = 0; j < ARRAY_SIZE(bad); j++) {
			put_part(part[i].at, bad[j], part[i].version);
			assert_refused(ERR_INVAL, part[i].says);
		}
		put_part(part[i].at, part[i].size, part[i].version_min - 1);
		assert_refused(ERR_INVAL, part[i].says);
		put_part(part[i].at, part[i].size, part[i].version_min);
		assert_int_equal(txt_check(&txt, &why), 0);
		put_part(part[i].at, part[i].size, part[i].version);
	}
	/* A part as large as the rest of the heap leaves none for the next. */
	put_part(LOADER_AT, HEAP_AT + HEAP_SIZE - LOADER_AT, 3);
	assert_refused(ERR_INVAL, "for SINIT");
	/* Or less than its head: nothing is read behind the heap. */
	put_part(LOADER_AT, HEAP_AT + HEAP_SIZE - LOADER_AT - 8, 3);
	ram_reset((struct range){0, HEAP_AT + HEAP_SIZE}, true);
	assert_refused(ERR_INVAL, "for SINIT");
	/* The smallest last part, up to the heap's end: only its tables have no place. */
	put_part(LOADER_AT, HEAP_AT + HEAP_SIZE - 152 - OS_SINIT_SIZE - LOADER_AT, 3);
	put_part(HEAP_AT + HEAP_SIZE - 152 - OS_SINIT_SIZE, OS_SINIT_SIZE, 7);
	put_part(HEAP_AT + HEAP_SIZE - 152, 152, 9);
	assert_refused(ERR_INVAL, "SINIT's tables");
	/* The smallest parts, whose tables then have no place. */
	put_heap();
	put_part(SINIT_PART_AT, 152, 9);
	assert_refused(ERR_INVAL, "SINIT's tables");
}

static void test_tables(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t value;
	} bad[] = {
		{MDR_COUNT_FIELD, 0},
		{MDR_COUNT_FIELD, MDR_COUNT + DMAR_SIZE / 24 + 1},
		{MDR_COUNT_FIELD, UINT32_MAX},
		{MDR_COUNT_FIELD, 0x80000000u},
		{MDR_OFFSET_FIELD, 0},
		{MDR_OFFSET_FIELD, 7},
		{MDR_OFFSET_FIELD, SINIT_PART_SIZE - 23},
		{MDR_OFFSET_FIELD, UINT32_MAX},
		{DMAR_SIZE_FIELD, DMAR_SIZE + 1},
		{DMAR_SIZE_FIELD, UINT32_MAX},
		{DMAR_OFFSET_FIELD, DMAR_AT + 1},
		{DMAR_OFFSET_FIELD, 4},
		{DMAR_OFFSET_FIELD, UINT32_MAX},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put_heap();
		ram_put32(bad[i].at, bad[i].value);
		assert_refused(ERR_INVAL, "SINIT's tables");
	}
	put_heap();
	ram_put32(DMAR_SIZE_FIELD, 0);
	ram_put32(DMAR_OFFSET_FIELD, UINT32_MAX);
	assert_int_equal(txt_check(&txt, &why), 0);
}

/* Whatever part of the heap cannot be read: no reading beside it, and no success. */
static void test_unreadable(void **state)
{
	for (uint64_t end = HEAP_AT; end < HEAP_AT + HEAP_USED - SINIT_PART_SIZE + 152; end++) {
		ram_reset((struct range){0, end}, true);
		assert_true(txt_check(&txt, &why) < 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sound, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_launch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_secrets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ranges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
