/* SPDX-License-Identifier: Apache-2.0 */
/* The event logs, by hypercall. */
#include "attest/eventlog.h"
#include "monitor/measure.h"
#include "tests/unit/test_call.h"

#define LOG_BYTES 5000u

/* The log's pages, to a program's page that it may write to, and to no other. */
static void the_event_log(void **state)
{
	static uint8_t log[LOG_BYTES];
	const uint64_t not_writable[] = {GUESTS, BLOCK, APIC_AT, 1ull << 35};
	uint8_t *page;
	const uint64_t *r;

	machine(CPUS);
	map(GUESTS, PRESENT | USER | WRITABLE);
	call(HYPERCALL_EVENTLOG, ADDRESS, 0);
	expect_error(ERR_NOENT);
	for (unsigned int i = 0; i < LOG_BYTES; i++)
		log[i] = (uint8_t)(i * 3 + (i >> 8));
	*measure_events() = (struct eventlog){.bytes = log, .size = LOG_BYTES, .used = LOG_BYTES};
	page = fake_at(HPA(GUESTS), PAGE_SIZE);
	r = call(HYPERCALL_EVENTLOG, ADDRESS, 0);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], PAGE_SIZE);
	assert_int_equal(r[R8], LOG_BYTES);
	assert_int_equal(r[R9], 0);
	assert_memory_equal(page, log, PAGE_SIZE);
	expect_unchanged_but(R(RBX) | R(R8) | R(R9));
	measure_complete();
	r = call(HYPERCALL_EVENTLOG, ADDRESS, PAGE_SIZE);
	assert_int_equal(r[RBX], LOG_BYTES - PAGE_SIZE);
	assert_int_equal(r[R9], 1);
	assert_memory_equal(page, log + PAGE_SIZE, LOG_BYTES - PAGE_SIZE);
	r = call(HYPERCALL_EVENTLOG, ADDRESS, LOG_BYTES);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 0);
	call(HYPERCALL_EVENTLOG, ADDRESS, LOG_BYTES + 1);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EVENTLOG, ADDRESS, ~EVENTLOG_TXT);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EVENTLOG, ADDRESS, EVENTLOG_TXT);
	expect_error(ERR_NOENT);
	call(HYPERCALL_EVENTLOG, ADDRESS + 8, 0);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EVENTLOG, ADDRESS + PAGE_SIZE, 0);
	expect_error(ERR_FAULT);
	memset(page, 0x77, PAGE_SIZE);
	for (unsigned int i = 0; i < ARRAY_SIZE(not_writable); i++) {
		map(not_writable[i], PRESENT | USER | (i ? WRITABLE : 0));
		call(HYPERCALL_EVENTLOG, ADDRESS, 0);
		expect_error(ERR_FAULT);
	}
	map(GUESTS, PRESENT | WRITABLE); /* its kernel's */
	call(HYPERCALL_EVENTLOG, ADDRESS, 0);
	expect_error(ERR_FAULT);
	map(GUESTS, PRESENT | USER | WRITABLE);
	fake_give(HPA(GUESTS), OWNER_GUEST);
	call(HYPERCALL_EVENTLOG, ADDRESS, 0);
	expect_error(ERR_FAULT);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		assert_int_equal(page[i], 0x77);
}

/* The TXT launch's, beside the other. */
static void the_txt_event_log(void **state)
{
	static uint8_t log[LOG_BYTES], other[1];
	const uint64_t *r;
	uint8_t *page;

	machine(CPUS);
	map(GUESTS, PRESENT | USER | WRITABLE);
	*measure_events() = (struct eventlog){.bytes = other, .size = 1, .used = 1};
	call(HYPERCALL_EVENTLOG, ADDRESS, EVENTLOG_TXT);
	expect_error(ERR_NOENT);
	for (unsigned int i = 0; i < LOG_BYTES; i++)
		log[i] = (uint8_t)(i * 5 + (i >> 8));
	*measure_txt_events() = (struct eventlog){.bytes = log, .size = LOG_BYTES, .used = 4100};
	page = fake_at(HPA(GUESTS), PAGE_SIZE);
	r = call(HYPERCALL_EVENTLOG, ADDRESS, EVENTLOG_TXT);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], PAGE_SIZE);
	assert_int_equal(r[R8], 4100);
	assert_memory_equal(page, log, PAGE_SIZE);
	r = call(HYPERCALL_EVENTLOG, ADDRESS, EVENTLOG_TXT | PAGE_SIZE);
	assert_int_equal(r[RBX], 4);
	assert_memory_equal(page, log + PAGE_SIZE, 4);
	assert_memory_equal(page + 4, log + 4, PAGE_SIZE - 4);
	r = call(HYPERCALL_EVENTLOG, ADDRESS, EVENTLOG_TXT | 4100);
	assert_int_equal(r[RAX], 0);
	assert_int_equal(r[RBX], 0);
	call(HYPERCALL_EVENTLOG, ADDRESS, EVENTLOG_TXT | 4101);
	expect_error(ERR_INVAL);
	call(HYPERCALL_EVENTLOG, ADDRESS, UINT64_MAX);
	expect_error(ERR_INVAL);
	r = call(HYPERCALL_EVENTLOG, ADDRESS, 0);
	assert_int_equal(r[R8], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_event_log),
		cmocka_unit_test(the_txt_event_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
