/* SPDX-License-Identifier: Apache-2.0 */
/* The AMD-Vi driver against units that do what the specification says, or do not answer. */
#include "tests/unit/test_iommu.h"

#define FEATURES ((1u << 6) | 2u << 10)
#define RUNNING (1u << 0 | 1u << 12)

enum { SEEN_ALL = 1, SEEN_PAGES = 2, SEEN_WAIT = 4 };

static bool idle; /* the queue is not fetched */
static uint32_t head[UNITS];

static void one(unsigned int unit, const uint64_t *d)
{
	switch (d[0] >> 60) {
	case 1:
		assert_int_equal(d[0] & 7, 1); /* store, without an interrupt */
		*memory(d[0] & 0xffffffffffff8) = d[1];
		events |= SEEN_WAIT;
		break;
	case 3:
		assert_int_equal(d[0], 3ull << 60 | 1ull << 32); /* domain 1 */
		assert_int_equal(d[1], 0x7ffffffffffff003u);
		events |= SEEN_PAGES;
		break;
	case 8:
		assert_int_equal(d[0], 8ull << 60);
		assert_int_equal(d[1], 0);
		events |= SEEN_ALL;
		break;
	default:
		fail_msg("command %lx", d[0]);
	}
}

static void fetch(unsigned int unit)
{
	uint64_t tail = get(unit, 0x2008, 8), queue = get(unit, 8, 8);

	assert_int_equal(queue >> 56, 8); /* 256 entries */
	assert_int_equal(tail & ~0xff0ull, 0);
	while (!idle && head[unit] != tail) {
		one(unit, memory((queue & 0xffffffffff000) + head[unit]));
		head[unit] = (head[unit] + 16) % PAGE_SIZE;
	}
}

static void written(unsigned int unit, uint32_t at, uint64_t value)
{
	bool running = get(unit, 0x18, 8) & 1;

	switch (at) {
	case 0x00:
	case 0x08:
	case 0x20:
	case 0x2000:
		assert_false(running);
		assert_true(at < 0x20 || !value);
		set(unit, at, value, 8);
		if (at == 0x2000)
			head[unit] = 0;
		return;
	case 0x18:
		if (value & 1) /* with an empty IO table */
			assert_false(io_reaches(HPA(0)));
		set(unit, at, value, 8);
		return;
	case 0x2008:
		set(unit, at, value, 8);
		if (running)
			fetch(unit);
		return;
	default:
		fail_msg("register %x", at);
	}
}

static void units(uint64_t features)
{
	start();
	idle = false;
	for (unsigned int i = 0; i < UNITS; i++)
		set(i, 0x30, features, 8);
}

static void check(void)
{
	assert_int_equal(amdvi_kind.check(&list, &format, &why), 0);
	assert_int_equal(io_init(&format, TOP), 0);
}

static void shapes(void **state)
{
	units(FEATURES);
	check();
	assert_int_equal(format.levels, 4);
	assert_int_equal(format.leaf_max, 3);
	for (unsigned int level = 1; level <= 3; level++)
		assert_int_equal(format.leaf[level], 0x7000000000000001u); /* coherent */
	assert_int_equal(format.table[2], 0x6000000000000201u);
	assert_int_equal(format.table[4], 0x6000000000000601u);
	assert_int_equal(list.unit[0].bytes, 0x4000);
	units(FEATURES | 1u << 9);
	check();
	assert_int_equal(list.unit[0].bytes, 0x80000);
}

static void refuses_what_it_cannot_drive(void **state)
{
	static const uint64_t features[] = {0, UINT64_MAX, FEATURES & ~(1u << 6)};

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		units(FEATURES);
		set(1, 0x30, features[i], 8);
		assert_int_equal(amdvi_kind.check(&list, &format, &why), ERR_NOSYS);
		assert_non_null(why);
	}
	units(FEATURES);
	list.count = 1;
	list.unit[0].base = BASE(0) + PAGE_SIZE;
	set(0, 0x1030, FEATURES, 8);
	assert_int_equal(amdvi_kind.check(&list, &format, &why), ERR_NOSYS);
}

/* Every device: our domain, the IO table in four levels, no ATS, no port I/O; interrupts by remaps. */
static void expect_tables(unsigned int unit, bool remaps)
{
	uint64_t devices = get(unit, 0, 8);
	const uint64_t *entry = memory(devices & ~0xfffull);

	assert_int_equal(devices & 0xfff, 511);
	for (unsigned int i = 0; i < 65536; i++, entry += 4) {
		assert_int_equal(entry[0], 0x6000000000000803u | io_root().a);
		assert_int_equal(entry[1], 1);
		assert_int_equal(entry[2], remaps ? 0x1200000000000001u : 0);
		assert_int_equal(entry[3], 0);
	}
}

static void enables(void **state)
{
	for (unsigned int remaps = 0; remaps < 2; remaps++) {
		units(FEATURES);
		list.remaps = remaps;
		list.unit[1].flags = 0x2f; /* all that the control register takes over */
		set(0, 0x18, 1 | 1u << 3, 8);
		set(0, 0x20, 0x1003, 8); /* an exclusion range of the firmware's */
		check();
		assert_int_equal(amdvi_kind.enable(&list), 0);
		assert_int_equal(events, SEEN_ALL | SEEN_WAIT);
		assert_int_equal(get(0, 0x18, 8), RUNNING);
		assert_int_equal(get(1, 0x18, 8), RUNNING | 1u << 1 | 0xfu << 8);
		for (unsigned int i = 0; i < UNITS; i++) {
			expect_tables(i, remaps);
			assert_int_equal(get(i, 0x20, 8), 0);
		}
	}
}

static void flushes(void **state)
{
	units(FEATURES);
	check();
	assert_int_equal(amdvi_kind.enable(&list), 0);
	for (unsigned int n = 0; n < 1000; n++) {
		events = 0;
		amdvi_kind.submit(&list.unit[n % UNITS]);
		assert_int_equal(events, SEEN_PAGES | SEEN_WAIT);
		assert_int_equal(iommu_wait(&list.unit[n % UNITS]), 0);
	}
}

static void one_that_does_not_answer(void **state)
{
	units(FEATURES);
	check();
	idle = true;
	assert_int_equal(amdvi_kind.enable(&list), ERR_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shapes),
		cmocka_unit_test(refuses_what_it_cannot_drive),
		cmocka_unit_test(enables),
		cmocka_unit_test(flushes),
		cmocka_unit_test(one_that_does_not_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
