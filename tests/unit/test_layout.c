/* SPDX-License-Identifier: Apache-2.0 */
/* The shared set, from tables as Xen's builder writes them and from damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "monitor/layout.h"

#define INFO_AT 0x9f800u
#define LOW_END 0x40000u /* 1 GiB */

/* By offset, as Xen's hvm_info_table.h has it. */
enum { LENGTH = 8, CHECKSUM = 12, MODE = 13, VCPUS = 16, LOW = 20, SPECIAL = 24, HIGH = 28 };

static const char signature[8] = {'H', 'V', 'M', ' ', 'I', 'N', 'F', 'O'};
static uint8_t info[48];
static unsigned int reads;
static int read_error;

static void put(size_t at, uint32_t value)
{
	memcpy(info + at, &value, sizeof(value));
}

static void sum_up(void)
{
	uint8_t sum = 0;

	info[CHECKSUM] = 0;
	for (size_t i = 0; i < sizeof(info); i++)
		sum = (uint8_t)(sum + info[i]);
	info[CHECKSUM] = (uint8_t)-sum;
}

static void build(uint32_t low, uint32_t high)
{
	memset(info, 0, sizeof(info));
	memcpy(info, signature, sizeof(signature));
	put(LENGTH, sizeof(info));
	info[MODE] = 1;
	put(VCPUS, 2);
	put(LOW, low);
	put(SPECIAL, 0xfeff0);
	put(HIGH, high);
	info[32] = 3;
	sum_up();
}

static int read_info(void *context, gpa_t gpa, void *buf, size_t len)
{
	assert_int_equal(gpa.a, INFO_AT);
	assert_int_equal(len, sizeof(info));
	reads++;
	if (read_error)
		return read_error;
	memcpy(buf, info, len);
	memset(info, 0xee, sizeof(info)); /* L1 changes it at once */
	return 0;
}

static int find(struct guest_layout *l, const char **why)
{
	int err;

	memset(l, 0xa5, sizeof(*l));
	reads = 0;
	*why = NULL;
	err = layout_find(read_info, NULL, l, why);
	assert_int_equal(reads, 1);
	return err;
}

static struct guest_layout found(void)
{
	struct guest_layout l;
	const char *why;

	assert_int_equal(find(&l, &why), 0);
	return l;
}

static void refused(void)
{
	struct guest_layout l;
	const char *why;

	assert_int_equal(find(&l, &why), ERR_INVAL);
	assert_non_null(why);
	assert_non_null(strstr(why, "hvm_info"));
}

/* 0: private */
static unsigned int reason(const struct guest_layout *l, uint64_t gpa)
{
	unsigned int n = 0, why = 0;

	for (unsigned int i = 0; i < l->count; i++) {
		if (gpa < l->shared[i].start.a || gpa >= l->shared[i].end.a)
			continue;
		n++;
		why = l->reason[i];
	}
	assert_true(n <= 1);
	return why;
}

static void expect_sane(const struct guest_layout *l)
{
	for (unsigned int i = 0; i < l->count; i++) {
		assert_true(l->shared[i].start.a < l->shared[i].end.a);
		assert_int_equal(page_offset(l->shared[i].start.a | l->shared[i].end.a), 0);
		assert_true(!i || l->shared[i - 1].end.a <= l->shared[i].start.a);
	}
}

/* The borders of each range: the first and last byte of it, and their neighbours. */
static void expect_range(const struct guest_layout *l, unsigned int why, uint64_t start,
			 uint64_t end)
{
	assert_int_equal(reason(l, start), why);
	assert_int_equal(reason(l, end - 1), why);
	assert_int_not_equal(reason(l, start - 1), why);
	assert_int_not_equal(reason(l, end), why);
}

static void an_hvm_guest(void **state)
{
	struct guest_layout l;

	build(LOW_END, 0);
	l = found();
	expect_sane(&l);
	assert_true(l.hvm);
	assert_int_equal(l.low_end.a, GIB);
	assert_int_equal(l.high_end.a, 0);
	assert_int_equal(l.count, 6);
	expect_range(&l, LAYOUT_VGA, 0xa0000, 0xc0000);
	expect_range(&l, LAYOUT_PCI, GIB, 0xfc000000);
	expect_range(&l, LAYOUT_CHIPSET, 0xfec00000, 0xfee00000);
	expect_range(&l, LAYOUT_APIC, 0xfee00000, 0xfee01000);
	expect_range(&l, LAYOUT_SPECIAL, 0xfeff0000, 0xfeffe000);
	expect_range(&l, LAYOUT_CONSOLE, 0xfefff000, 0xff000000);
	/* RAM, the table itself, ACPI, the page of page tables, OVMF's place, what lies above. */
	const uint64_t private[] = {0,          INFO_AT,    0x9ffff,    0xc0000,    0x100000,
				    GIB - 1,    0xfc000000, 0xfdffffff, 0xfe000000, 0xfebfffff,
				    0xfee01000, 0xfeffe000, 0xfeffefff, 0xff000000, 0xffffffff,
				    4 * GIB,    5 * GIB,    1ull << 47};

	for (size_t i = 0; i < ARRAY_SIZE(private); i++)
		assert_int_equal(reason(&l, private[i]), 0);
}

static void more_ram_than_fits_below(void **state)
{
	struct guest_layout l;

	build(0xf0000, 0x180000);
	l = found();
	expect_sane(&l);
	assert_int_equal(l.count, 7);
	assert_int_equal(l.high_end.a, 6 * GIB);
	expect_range(&l, LAYOUT_PCI, 0xf0000000, 0xfc000000);
	expect_range(&l, LAYOUT_BLOCKS, 6 * GIB, 7 * GIB);
	assert_int_equal(reason(&l, 4 * GIB), 0);
	assert_int_equal(reason(&l, 7 * GIB), 0);
}

static void no_hole(void **state)
{
	struct guest_layout l;

	build(0xfc000, 0x100001);
	l = found();
	expect_sane(&l);
	for (unsigned int i = 0; i < l.count; i++)
		assert_int_not_equal(l.reason[i], LAYOUT_PCI);
	expect_range(&l, LAYOUT_BLOCKS, 4 * GIB + PAGE_SIZE, 5 * GIB + PAGE_SIZE);
}

static void expect_pvh(void)
{
	struct guest_layout l = found();

	expect_sane(&l);
	assert_false(l.hvm);
	assert_int_equal(l.low_end.a | l.high_end.a, 0);
	assert_int_equal(l.count, 3);
	expect_range(&l, LAYOUT_APIC, 0xfee00000, 0xfee01000);
	expect_range(&l, LAYOUT_SPECIAL, 0xfeff8000, 0xfeffe000);
	expect_range(&l, LAYOUT_CONSOLE, 0xfefff000, 0xff000000);
}

static void a_pvh_guest(void **state)
{
	memset(info, 0, sizeof(info));
	expect_pvh();
	build(LOW_END, 0);
	info[7] = 'o';
	expect_pvh();
	read_error = ERR_NOENT; /* it has no RAM there */
	expect_pvh();
}

static void unreadable(void **state)
{
	struct guest_layout l;
	const char *why;

	read_error = ERR_FAULT;
	assert_int_equal(find(&l, &why), ERR_FAULT);
	assert_non_null(why);
	read_error = 0;
}

static void damaged(void **state)
{
	for (size_t i = 8; i < sizeof(info); i++) {
		build(LOW_END, 0);
		info[i] ^= 0x10;
		refused();
	}
	build(LOW_END, 0);
	put(LENGTH, 47);
	sum_up();
	refused();
	build(LOW_END, 0);
	put(LENGTH, UINT32_MAX);
	sum_up();
	refused();
	build(LOW_END, 0);
	put(SPECIAL, 0xfeff8);
	sum_up();
	refused();
}

static void bounds(void **state)
{
	const uint32_t low[] = {0, 1, 0x9f, 0xff, 0xfc001, 0x100000, UINT32_MAX};
	const uint32_t high[] = {1, LOW_END, 0xfffff};

	for (size_t i = 0; i < ARRAY_SIZE(low); i++) {
		build(low[i], 0);
		refused();
	}
	for (size_t i = 0; i < ARRAY_SIZE(high); i++) {
		build(LOW_END, high[i]);
		refused();
	}
	build(0x100, 0);
	assert_int_equal(found().low_end.a, MIB);
	build(LOW_END, UINT32_MAX);
	assert_int_equal(found().high_end.a, (uint64_t)UINT32_MAX << 12);
}

static void sameness(void **state)
{
	struct guest_layout a, b;

	build(LOW_END, 0x180000);
	a = found();
	build(LOW_END, 0x180000);
	b = found();
	assert_true(layout_same(&a, &b));
	build(LOW_END, 0x180000);
	put(VCPUS, 4);
	sum_up();
	b = found();
	assert_int_equal(b.vcpus, 4);
	assert_false(layout_same(&a, &b));
	build(LOW_END - 1, 0x180000);
	b = found();
	assert_false(layout_same(&a, &b));
	build(LOW_END, 0x180001);
	b = found();
	assert_false(layout_same(&a, &b));
	memset(info, 0, sizeof(info));
	b = found();
	assert_false(layout_same(&a, &b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_hvm_guest), cmocka_unit_test(more_ram_than_fits_below),
		cmocka_unit_test(no_hole),      cmocka_unit_test(damaged),
		cmocka_unit_test(bounds),       cmocka_unit_test(sameness),
		cmocka_unit_test(unreadable),   cmocka_unit_test(a_pvh_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
