/* SPDX-License-Identifier: Apache-2.0 */
/* The VT-d driver against units that do what the specification says, or do not answer. */
#include "tests/unit/test_iommu.h"

/* QEMU's unit: 39 bits, large pages, draining; fault registers at 0x220, IOTLB's at 0xf0. */
#define CAP (0x22ull << 24 | 38u << 16 | 2u << 8 | 3ull << 34 | 3ull << 54)
#define CAP_48 (4ull << 8)
#define ECAP (2u | 0xfu << 8)
#define SNOOP (1u << 7)

enum {
	SEEN_QUEUE = 1,
	SEEN_ROOT = 2,
	SEEN_CONTEXT = 4,
	SEEN_IOTLB = 8,
	SEEN_WAIT = 16,
	SEEN_TE = 32
};

static bool deaf; /* no command ends */
static bool idle; /* the queue is not fetched */
static uint32_t head[UNITS];
static unsigned int iotlbs;

static void one(unsigned int unit, const uint64_t *d)
{
	switch (d[0] & 15) {
	case 1:
		assert_int_equal(d[0], 0x11);
		events |= SEEN_CONTEXT;
		break;
	case 2:
		assert_int_equal(d[0] & ~0xf0ull, 2); /* global */
		assert_int_equal(d[0] & 0x30, 0x10);
		assert_int_equal(d[0] & 0xc0, 0xc0); /* drains */
		events |= SEEN_IOTLB;
		iotlbs++;
		break;
	case 5:
		assert_int_equal((uint32_t)d[0], 0x65);
		*(uint32_t *)memory(d[1]) = (uint32_t)(d[0] >> 32);
		events |= SEEN_WAIT;
		break;
	default:
		fail_msg("descriptor %lx", d[0]);
	}
}

static void fetch(unsigned int unit)
{
	uint64_t tail = get(unit, 0x88, 8), queue = get(unit, 0x90, 8);

	assert_int_equal(queue & 0xfff, 0); /* 256 entries of 16 bytes */
	assert_int_equal(tail & ~0xff0ull, 0);
	while (!idle && head[unit] != tail) {
		one(unit, memory(queue + head[unit]));
		head[unit] = (head[unit] + 16) % PAGE_SIZE;
	}
}

static void commanded(unsigned int unit, uint32_t value)
{
	uint32_t status = (uint32_t)get(unit, 0x1c, 4);
	uint32_t changed = (status ^ value) & (1u << 31 | 1u << 26 | 1u << 25);

	if (deaf)
		return;
	if (value & 1u << 30) {
		status |= 1u << 30;
		events |= SEEN_ROOT;
	}
	if (changed & value & 1u << 26)
		events |= SEEN_QUEUE;
	if (changed & value & 1u << 31) {
		/* Nothing may pass by what has been cached of older tables. */
		assert_int_equal(events & 31, 31);
		assert_false(io_reaches(HPA(0)));
		events |= SEEN_TE;
	}
	set(unit, 0x1c, status ^ changed, 4);
}

static void written(unsigned int unit, uint32_t at, uint64_t value)
{
	switch (at) {
	case 0x18:
		commanded(unit, (uint32_t)value);
		return;
	case 0x20:
		set(unit, at, value, 8);
		return;
	case 0x38:
		assert_int_equal(value, 1u << 31); /* faults interrupt nobody */
		return;
	case 0x64:
		assert_true(get(unit, 0x1c, 4) >> 31); /* not before tables block */
		set(unit, at, (value & 1u << 31) | (value >> 31), 4);
		return;
	case 0x88:
		set(unit, at, value, 8);
		if (get(unit, 0x1c, 4) & 1u << 26)
			fetch(unit);
		return;
	case 0x90:
		assert_false(get(unit, 0x1c, 4) & 1u << 26); /* not while it is in use */
		set(unit, at, value, 8);
		head[unit] = 0;
		return;
	default:
		fail_msg("register %x", at);
	}
}

static void units(uint64_t cap, uint64_t ecap)
{
	start();
	deaf = idle = false;
	iotlbs = 0;
	for (unsigned int i = 0; i < UNITS; i++) {
		set(i, 8, cap, 8);
		set(i, 16, ecap, 8);
	}
}

static void check(void)
{
	assert_int_equal(vtd_kind.check(&list, &format, &why), 0);
	assert_int_equal(io_init(&format, TOP), 0);
}

static void shapes(void **state)
{
	units(CAP, ECAP);
	check();
	assert_int_equal(format.levels, 3);
	assert_int_equal(format.leaf_max, 3);
	assert_int_equal(format.leaf[1], 3);
	assert_int_equal(format.leaf[3], 0x83);
	assert_int_equal(format.table[3], 3);
	assert_int_equal(list.unit[1].bytes, PAGE_SIZE);
	units(CAP | CAP_48, ECAP | SNOOP);
	check();
	assert_int_equal(format.levels, 4);
	assert_int_equal(format.leaf[1], 0x803);
	assert_int_equal(format.leaf[2], 0x883);
	assert_int_equal(format.table[4], 3);
	/* What one of them lacks, none uses. */
	set(1, 8, CAP & ~(1ull << 35), 8);
	set(1, 16, ECAP, 8);
	check();
	assert_int_equal(format.levels, 3);
	assert_int_equal(format.leaf_max, 2);
	assert_int_equal(format.leaf[1], 3);
	set(0, 8, CAP & ~(1ull << 34), 8);
	check();
	assert_int_equal(format.leaf_max, 1);
	set(1, 8, CAP | 0x1fffull << 24, 8);
	check();
	assert_true(list.unit[1].bytes > PAGE_SIZE);
}

static void refused(uint64_t cap, uint64_t ecap, const char *text)
{
	units(CAP, ECAP);
	set(1, 8, cap, 8);
	set(1, 16, ecap, 8);
	assert_int_equal(vtd_kind.check(&list, &format, &why), ERR_NOSYS);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
	assert_int_equal(events, 0);
}

static void refuses_what_it_cannot_drive(void **state)
{
	refused(0, ECAP, "turned off");
	refused(UINT64_MAX, UINT64_MAX, "turned off");
	refused(CAP, ECAP & ~2u, "queued");
	refused(CAP | 1u << 4, ECAP, "queued");
	refused(CAP | 1u << 7, ECAP, "caching");
	refused(CAP & ~(1ull << 54), ECAP, "drain");
	refused(CAP & ~(1ull << 55), ECAP, "drain");
	refused((CAP & ~0x1f00ull) | CAP_48, ECAP, "in common");
}

/* Every device of every bus: our domain, the IO table, nothing that is translated already. */
static void expect_tables(unsigned int unit, uint64_t aw)
{
	const uint64_t *root = memory(get(unit, 0x20, 8));

	for (unsigned int bus = 0; bus < 256; bus++) {
		const uint64_t *context = memory(root[2 * (size_t)bus] - 1);

		assert_int_equal(root[2 * (size_t)bus + 1], 0);
		for (unsigned int fn = 0; fn < 256; fn++) {
			assert_int_equal(context[2 * (size_t)fn], io_root().a | 1);
			assert_int_equal(context[2 * (size_t)fn + 1], aw | 1 << 8);
		}
	}
}

static void enables(void **state)
{
	for (unsigned int aw = 1; aw <= 2; aw++) {
		units(aw == 2 ? CAP | CAP_48 : CAP, ECAP);
		check();
		assert_int_equal(vtd_kind.enable(&list), 0);
		assert_int_equal(events, 63);
		assert_int_equal(iotlbs, UNITS);
		for (unsigned int i = 0; i < UNITS; i++) {
			expect_tables(i, aw);
			assert_int_equal(get(i, 0x1c, 4), 1u << 31 | 1u << 30 | 1u << 26);
		}
	}
}

/* Translation stays on, so that nothing passes in between; the rest of it goes. */
static void takes_over_from_the_firmware(void **state)
{
	units(CAP | 3u << 5, ECAP);
	set(0, 0x1c, 1u << 31 | 1u << 26 | 1u << 25 | 1u << 30, 4);
	set(0, 0x64, 1u << 31 | 1, 4);
	set(1, 0x64, 1u << 31 | 1, 4);
	check();
	assert_int_equal(vtd_kind.enable(&list), 0);
	for (unsigned int i = 0; i < UNITS; i++) {
		assert_int_equal(get(i, 0x1c, 4), 1u << 31 | 1u << 30 | 1u << 26);
		assert_int_equal(get(i, 0x64, 4), 0);
		expect_tables(i, 1);
	}
}

static void flushes(void **state)
{
	units(CAP, ECAP);
	check();
	assert_int_equal(vtd_kind.enable(&list), 0);
	for (unsigned int n = 0; n < 1000; n++) { /* around the queue, some times */
		iotlbs = 0;
		vtd_kind.submit(&list.unit[n % UNITS]);
		assert_int_equal(iotlbs, 1);
		assert_int_equal(iommu_wait(&list.unit[n % UNITS]), 0);
	}
	list.unit[0].ticket = UINT32_MAX;
	vtd_kind.submit(&list.unit[0]);
	assert_int_equal(iommu_wait(&list.unit[0]), 0);
}

static void one_that_does_not_answer(void **state)
{
	units(CAP, ECAP);
	check();
	deaf = true;
	assert_int_equal(vtd_kind.enable(&list), ERR_IO);
	units(CAP, ECAP);
	check();
	idle = true;
	assert_int_equal(vtd_kind.enable(&list), ERR_IO);
	assert_false(get(0, 0x1c, 4) >> 31);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),  cmocka_unit_test(refuses_what_it_cannot_drive),
		cmocka_unit_test(enables), cmocka_unit_test(takes_over_from_the_firmware),
		cmocka_unit_test(flushes), cmocka_unit_test(one_that_does_not_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
