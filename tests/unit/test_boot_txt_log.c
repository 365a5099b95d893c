/* SPDX-License-Identifier: Apache-2.0 */
/* The event log of a TXT launch, found in hand-made heaps, sound and not. */
#include "attest/eventlog.h"
#include "tests/unit/test_boot_case.h"

#define MAX 0x8000u
#define LONG_AT (HEAP_AT + 0x20000u) /* for logs that the loader's part has no room for */
#define LAST_EVENT (TXT_LOG_AT + TXT_LOG_HEADER + 4 * TXT_LOG_EVENT)

static struct txt_memory txt;
static uint8_t *room;
static struct eventlog events;

static int setup(void **state)
{
	setup_launch(HEAP_AT, HEAP_SIZE);
	room = malloc(MAX); /* so that the address sanitizer sees a write past it */
	return 0;
}

static int end(void **state)
{
	free(room);
	return teardown(state);
}

static int read_log(void)
{
	int err;

	why = NULL;
	assert_int_equal(txt_check(&txt, &why), 0);
	events = (struct eventlog){.bytes = room, .size = MAX, .used = 7};
	memset(room, 0xee, MAX);
	err = txt_log_read(&txt, &events, &why);
	assert_true(err ? why && !events.used : events.used != 0);
	return err;
}

static void assert_none(int error, const char *says)
{
	assert_int_equal(read_log(), error);
	if (!strstr(why, says))
		fail_msg("it says: %s", why);
}

static void assert_log(uint64_t at, uint32_t n)
{
	assert_int_equal(read_log(), 0);
	assert_int_equal(events.used, n);
	assert_memory_equal(room, &ram[at], n);
	assert_true(n == MAX || room[n] == 0xee);
}

static void test_sound(void **state)
{
	assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
	assert_int_equal(txt.for_sinit.start, OS_SINIT_AT);
	assert_int_equal(txt.for_sinit.end, SINIT_PART_AT);
	put_part(OS_SINIT_AT, OS_SINIT_SIZE, 6);
	assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
	/* The header alone; all of what is allocated; not at its start. */
	put_log_pointer(TXT_LOG_AT, TXT_LOG_ALLOCATED, 0, TXT_LOG_HEADER);
	assert_log(TXT_LOG_AT, TXT_LOG_HEADER);
	put_log_pointer(TXT_LOG_AT, TXT_LOG_BYTES, 0, TXT_LOG_BYTES);
	assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
	put_log_pointer(TXT_LOG_AT - 0x108, TXT_LOG_ALLOCATED, 0x108, 0x108 + TXT_LOG_BYTES);
	assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
}

/* At the heap's two ends: the first bytes are the firmware's part, which no log can be. */
static void test_ends(void **state)
{
	uint64_t last = HEAP_AT + HEAP_SIZE - TXT_LOG_BYTES;

	ram_put(last, &ram[TXT_LOG_AT], TXT_LOG_BYTES);
	put_log_pointer(last, TXT_LOG_BYTES, 0, TXT_LOG_BYTES);
	assert_log(last, TXT_LOG_BYTES);
	put_log_pointer(last, TXT_LOG_BYTES + 1, 0, TXT_LOG_BYTES);
	assert_none(ERR_INVAL, "does not lie in the heap");
	put_log_pointer(HEAP_AT, TXT_LOG_ALLOCATED, TXT_LOG_AT - HEAP_AT,
			TXT_LOG_AT - HEAP_AT + TXT_LOG_BYTES);
	assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
	put_log_pointer(HEAP_AT - 1, TXT_LOG_ALLOCATED, TXT_LOG_AT - HEAP_AT + 1,
			TXT_LOG_AT - HEAP_AT + 1 + TXT_LOG_BYTES);
	assert_none(ERR_INVAL, "does not lie in the heap");
}

static void test_places(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t allocated, first, next;
	} bad[] = {
		{0, TXT_LOG_ALLOCATED, 0, TXT_LOG_BYTES},
		{SINIT_AT, TXT_LOG_ALLOCATED, 0, TXT_LOG_BYTES},
		{HEAP_AT + HEAP_SIZE, 0, 0, TXT_LOG_BYTES},
		{HEAP_AT + HEAP_SIZE, TXT_LOG_ALLOCATED, 0, TXT_LOG_BYTES},
		{HEAP_AT + HEAP_SIZE + 1, TXT_LOG_ALLOCATED, 0, TXT_LOG_BYTES},
		{UINT64_MAX, TXT_LOG_ALLOCATED, 0, TXT_LOG_BYTES},
		{TXT_LOG_AT | 1ull << 32, TXT_LOG_ALLOCATED, 0, TXT_LOG_BYTES},
		{TXT_LOG_AT, HEAP_AT + HEAP_SIZE - TXT_LOG_AT + 1, 0, TXT_LOG_BYTES},
		{TXT_LOG_AT, UINT32_MAX, 0, TXT_LOG_BYTES},
		{TXT_LOG_AT, 0, 0, TXT_LOG_BYTES},
		{TXT_LOG_AT, TXT_LOG_BYTES - 1, 0, TXT_LOG_BYTES},
		{TXT_LOG_AT, TXT_LOG_ALLOCATED, 0, 0},
		{TXT_LOG_AT, TXT_LOG_ALLOCATED, 0, UINT32_MAX},
		{TXT_LOG_AT, TXT_LOG_ALLOCATED, TXT_LOG_BYTES, TXT_LOG_BYTES},
		{TXT_LOG_AT, TXT_LOG_ALLOCATED, TXT_LOG_BYTES + 1, TXT_LOG_BYTES},
		{TXT_LOG_AT, TXT_LOG_ALLOCATED, UINT32_MAX, TXT_LOG_BYTES},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put_log_pointer(bad[i].at, bad[i].allocated, bad[i].first, bad[i].next);
		assert_none(ERR_INVAL, "does not lie in the heap");
	}
}

/* One long event makes it n bytes. */
static void put_long(uint32_t n)
{
	ram_put(LONG_AT, &ram[TXT_LOG_AT], TXT_LOG_HEADER + TXT_LOG_EVENT);
	ram_put32(LONG_AT + TXT_LOG_HEADER + 68, n - TXT_LOG_HEADER - TXT_LOG_EVENT);
	put_log_pointer(LONG_AT, 2 * MAX, 0, n);
}

static void test_long(void **state)
{
	put_long(MAX);
	assert_log(LONG_AT, MAX);
	put_long(MAX + 1);
	assert_none(ERR_2BIG, "too long");
}

/* Elements of other types are passed by; a log in an older format is none. */
static void test_elements(void **state)
{
	for (uint32_t type = 1; type < 20; type++) {
		put_heap();
		ram_put32(ELEMENT_AT, type);
		if (type != 8)
			assert_none(ERR_NOENT, "none in TCG's format");
		else
			assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
	}
	/* Another one before it: the part is larger, and SINIT's behind it has moved. */
	put_heap();
	memmove(&ram[SINIT_PART_AT + 12], &ram[SINIT_PART_AT], SINIT_PART_SIZE);
	memmove(&ram[ELEMENT_AT + 12], &ram[ELEMENT_AT], 36);
	put_part(OS_SINIT_AT, OS_SINIT_SIZE + 12, 7);
	ram_put32(ELEMENT_AT, 6);
	ram_put32(ELEMENT_AT + 4, 12);
	assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
	/* Behind the end nobody looks. */
	ram_put32(ELEMENT_AT, 0);
	assert_none(ERR_NOENT, "none in TCG's format");
}

static void test_old_version(void **state)
{
	put_part(OS_SINIT_AT, OS_SINIT_SIZE, 5);
	assert_none(ERR_NOENT, "without one");
}

static void test_malformed_elements(void **state)
{
	static const uint32_t sizes[] = {0, 7, 37, 44, UINT32_MAX, UINT32_MAX - 99};

	/* Of a type that is passed by, and of the log's. */
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		for (uint32_t type = 7; type <= 8; type++) {
			ram_put32(ELEMENT_AT, type);
			ram_put32(ELEMENT_AT + 4, sizes[i]);
			assert_none(ERR_INVAL, "list of elements");
		}
	put_heap();
	ram_put32(ELEMENT_AT + 4, 27);
	assert_none(ERR_INVAL, "list of elements");
	ram_put32(ELEMENT_AT + 4, 36);
	assert_log(TXT_LOG_AT, TXT_LOG_BYTES);
	/* Up to the part's end, without an element that says so. */
	ram_put32(ELEMENT_AT, 7);
	assert_none(ERR_INVAL, "list of elements");
	put_heap();
	ram_put32(ELEMENT_AT, 7);
	ram_put32(END_AT, 7);
	assert_none(ERR_INVAL, "list of elements");
}

/* The part for SINIT ends where elements could begin, or has more than we go through. */
static void test_part(void **state)
{
	uint8_t moved[SINIT_PART_SIZE];

	memcpy(moved, &ram[SINIT_PART_AT], sizeof(moved));
	for (uint32_t size = 92; size < 108 + 33 * 8; size++) {
		put_heap();
		put_part(OS_SINIT_AT, size, 7);
		for (uint32_t at = 100; at < size; at += 8) {
			ram_put32(OS_SINIT_AT + at, at + 8 < size ? 7 : 0);
			ram_put32(OS_SINIT_AT + at + 4, 8);
		}
		ram_put(OS_SINIT_AT + size, moved, sizeof(moved));
		if (size >= 108 && size <= 100 + 32 * 8 && size % 8 == 4)
			assert_none(ERR_NOENT, "none in TCG's format");
		else
			assert_none(ERR_INVAL, "list of elements");
	}
}

/* Cut anywhere but between events, or with anything behind the last one, it is none. */
static void test_cut(void **state)
{
	for (uint32_t n = 1; n < TXT_LOG_BYTES + 40; n++) {
		bool whole = n == TXT_LOG_BYTES || (n >= TXT_LOG_HEADER && n < TXT_LOG_BYTES - 1 &&
						    (n - TXT_LOG_HEADER) % TXT_LOG_EVENT == 0);

		put_log_pointer(TXT_LOG_AT, TXT_LOG_ALLOCATED, 0, n);
		if (whole)
			assert_log(TXT_LOG_AT, n);
		else
			assert_none(ERR_INVAL, n < TXT_LOG_HEADER  ? "does not begin"
					       : n < TXT_LOG_BYTES ? ""
								   : "gap");
	}
}

static void test_malformed_log(void **state)
{
	static const struct {
		uint64_t at;
		uint32_t value;
		const char *says;
	} bad[] = {
		{TXT_LOG_AT, 1, "does not begin"},
		{TXT_LOG_AT + 4, 1, "does not begin"},
		{TXT_LOG_AT + 32, 0, "does not begin"},
		{TXT_LOG_AT + 64, 0x0020000c, "does not begin"}, /* no SHA-256 */
		{LAST_EVENT, 24, "malformed"},
		{LAST_EVENT, 0xff, "malformed"}, /* of no PCR, and not of TXT's */
		{LAST_EVENT + 8, 1, "malformed"},
		{LAST_EVENT + 68, 2, "malformed"},
		{LAST_EVENT + 68, UINT32_MAX, "malformed"},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put_heap();
		ram_put32(bad[i].at, bad[i].value);
		assert_none(ERR_INVAL, bad[i].says);
	}
}

/* Whatever of it is not there: no reading beside it, and no success. */
static void test_unreadable(void **state)
{
	assert_int_equal(read_log(), 0);
	for (uint64_t at = TXT_LOG_AT; at < ELEMENT_AT + 28; at++) {
		ram_reset((struct range){0, at}, true);
		events.used = 7;
		assert_int_equal(txt_log_read(&txt, &events, &why), ERR_FAULT);
		assert_int_equal(events.used, 0);
	}
	/* The log behind what names it. */
	ram_all(true);
	put_long(MAX);
	for (uint32_t n = MAX - 3; n <= MAX; n++) {
		ram_reset((struct range){0, LONG_AT + n}, true);
		assert_int_equal(txt_log_read(&txt, &events, &why), n < MAX ? ERR_FAULT : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sound, setup, end),
		cmocka_unit_test_setup_teardown(test_ends, setup, end),
		cmocka_unit_test_setup_teardown(test_places, setup, end),
		cmocka_unit_test_setup_teardown(test_long, setup, end),
		cmocka_unit_test_setup_teardown(test_elements, setup, end),
		cmocka_unit_test_setup_teardown(test_old_version, setup, end),
		cmocka_unit_test_setup_teardown(test_malformed_elements, setup, end),
		cmocka_unit_test_setup_teardown(test_part, setup, end),
		cmocka_unit_test_setup_teardown(test_cut, setup, end),
		cmocka_unit_test_setup_teardown(test_malformed_log, setup, end),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
