/* SPDX-License-Identifier: Apache-2.0 */
/* How tboot started the monitor, if it did; what is kept for it; CPUs that it wakes. */
#include "tests/unit/test_boot_case.h"

static int setup(void **state)
{
	setup_launch(TBOOT_LOG_ADDR, TBOOT_LOG_SIZE);
	return 0;
}

static const struct tboot *find(void)
{
	assert_int_equal(tboot_find(&info, &why), 0);
	assert_true(memmap_is_sound(&info.map));
	tboot_log();
	return tboot_found();
}

/* Anything but a sound launch gives nothing to rely on, and changes nothing. */
static void assert_nothing(enum tboot_state state)
{
	struct memmap before = info.map;
	const struct tboot *t = find();

	assert_int_equal(t->state, state);
	assert_int_equal(t->kept_count, 0);
	assert_int_equal(t->shared.a, 0);
	assert_int_equal(t->shutdown_entry, 0);
	assert_false(tboot_wake(1, HPA(0x9e000)));
	assert_memory_equal(&info.map, &before, sizeof(before));
}

static void assert_broken(const char *says)
{
	assert_nothing(TBOOT_BROKEN);
	assert_non_null(strstr(tboot_found()->why, says));
}

static void assert_kept(unsigned int i, uint64_t start, uint64_t end)
{
	const struct range *r = &tboot_found()->kept[i];

	assert_int_equal(r->start, start);
	assert_int_equal(r->end, end);
	for (unsigned int j = 0; j < info.map.count; j++) {
		struct range region = {info.map.region[j].start, info.map.region[j].end};

		if (info.map.region[j].type == REGION_RAM)
			assert_false(range_overlaps(region, *r));
	}
}

static void put_log(void)
{
	ram_put(TBOOT_LOG_ADDR, TBOOT_LOG_UUID, TBOOT_UUID_SIZE);
}

static void test_none(void **state)
{
	static const char *const cmdlines[] = {"",
					       "nethervisor",
					       "tboot",
					       "xtboot=0x2473000",
					       "a=tboot=0x2473000",
					       "TBOOT=0x2473000",
					       "tboot ="};

	for (unsigned int i = 0; i < ARRAY_SIZE(cmdlines); i++) {
		put_info(&info, cmdlines[i]);
		assert_nothing(TBOOT_NONE);
	}
}

/* What tboot 1.10.5 leaves on a machine without TXT, when told logging=memory. */
static void test_fell_through(void **state)
{
	put_info(&info, "nethervisor");
	put_log();
	assert_nothing(TBOOT_FELL_THROUGH);

	/* Of an earlier boot: nobody has reserved it. */
	put_info(&info, "nethervisor");
	memset(&info.map, 0, sizeof(info.map));
	memmap_add(&info.map, 0, RAM_BYTES, REGION_RAM);
	assert_nothing(TBOOT_NONE);

	/* Another thing's memory. */
	put_info(&info, "nethervisor");
	ram[TBOOT_LOG_ADDR + 15] ^= 1;
	assert_nothing(TBOOT_NONE);

	put_log();
	ram_reset((struct range){0, TBOOT_LOG_ADDR + 15}, true);
	assert_nothing(TBOOT_NONE);
}

static void test_measured(void **state)
{
	const struct tboot *t = find();

	assert_int_equal(t->state, TBOOT_MEASURED);
	assert_int_equal(t->shared.a, SHARED_AT);
	assert_int_equal(t->version, 6);
	assert_int_equal(t->shutdown_entry, ENTRY_AT);
	assert_int_equal(t->kept_count, 6);
	assert_kept(0, 0x800000, ALIGN_UP(SELF_AT + SELF_SIZE, PAGE_SIZE));
	assert_kept(1, TBOOT_LOG_ADDR, TBOOT_LOG_ADDR + TBOOT_LOG_SIZE);
	assert_kept(2, HEAP_AT, HEAP_AT + HEAP_SIZE);
	assert_kept(3, SINIT_AT, SINIT_AT + SINIT_SIZE);
	assert_kept(4, 0xfed20000, 0xfed30000);
	assert_kept(5, 0xfed41000, 0xfed45000);
	/* And nothing else: tboot's end and SINIT's start are apart, SINIT and heap are not. */
	assert_true(memmap_is_ram(&info.map, (struct range){MIB, 0x800000}));
	assert_true(
		memmap_is_ram(&info.map,
			      (struct range){ALIGN_UP(SELF_AT + SELF_SIZE, PAGE_SIZE), SINIT_AT}));
	assert_true(memmap_is_ram(&info.map, (struct range){HEAP_AT + HEAP_SIZE, RAM_BYTES}));
}

/* The ends of what is taken. */
static void test_edges(void **state)
{
	struct tboot_shared shared = launch_shared();

	shared.tboot_base = MIB + 0x4000;
	shared.tboot_size = GIB - shared.tboot_base;
	shared.shutdown_entry = shared.tboot_base;
	shared.log_addr = 0xffff8000;
	put_shared(&shared);
	info.module_count = 0;
	assert_int_equal(find()->state, TBOOT_MEASURED);
	assert_kept(0, MIB, GIB);
	assert_kept(1, 0xffff8000, 4 * GIB);

	ram_put(0x19af000, &shared, sizeof(shared));
	put_info(&info, "tboot=0x19AF000");
	info.module_count = 0;
	assert_int_equal(find()->state, TBOOT_MEASURED);
	assert_int_equal(tboot_found()->shared.a, 0x19af000);
	put_info(&info, "tboot=0x19af000");
	info.module_count = 0;
	assert_int_equal(find()->state, TBOOT_MEASURED);
}

static void test_without_log(void **state)
{
	struct tboot_shared shared = launch_shared();

	shared.log_addr = 0;
	put_shared(&shared);
	assert_int_equal(find()->state, TBOOT_MEASURED);
	assert_int_equal(tboot_found()->kept_count, 5);
	assert_kept(1, HEAP_AT, HEAP_AT + HEAP_SIZE);
}

/* tboot appends its word to whatever stood there. */
static void test_last_claim(void **state)
{
	put_info(&info, "tboot=0x1000 nethervisor\ttboot=junk tboot=0x2473000");
	assert_int_equal(find()->state, TBOOT_MEASURED);
	put_info(&info, "tboot=0X2473000 tboot=0x0002473000");
	assert_broken("names no page");
	put_info(&info, "tboot=0x02473000 more");
	assert_int_equal(find()->state, TBOOT_MEASURED);
	put_info(&info, "tboot=0x2473000 tboot=");
	assert_broken("names no page");
}

static void test_bad_address(void **state)
{
	static const char *const bad[] = {
		"tboot=",
		"tboot=0x",
		"tboot=0x0",
		"tboot=2473000",
		"tboot=0x247300",
		"tboot=0x2473001",
		"tboot=0x2473000z",
		"tboot=0x2473000,1",
		"tboot=0xf2473000",
		"tboot=0xffffffff",
		"tboot=0x102473000",
		"tboot=0x4000000",
		"tboot=0xfffff000",
		"tboot=0x-2473000",
		"tboot=0x 2473000",
		"tboot=0x24730G0",
		"tboot=0x3fff001",
		"tboot=0x2473/00",
		"tboot=0x000000000001000",
		"tboot=0x247:000",
		"tboot=0x247@000",
		"tboot=1x2473000",
		"tboot=0y2473000",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put_info(&info, bad[i]);
		assert_broken("names no page");
	}
	put_info(&info, "tboot=0x2474000");
	assert_broken("no shared page");
	/* A page of which the last byte is missing. */
	put_info(&info, "tboot=0x2473000");
	ram_reset((struct range){0, SHARED_AT + sizeof(struct tboot_shared) - 1}, true);
	assert_broken("names no page");
}

struct bad_shared {
	struct tboot_shared page;
	const char *says;
};

static void test_bad_shared(void **state)
{
	struct bad_shared bad[16];
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = (struct bad_shared){launch_shared(), "inconsistent"};
	bad[n].page.uuid[0] ^= 1, bad[n++].says = "no shared page";
	bad[n].page.uuid[15] ^= 0x80, bad[n++].says = "no shared page";
	bad[n].page.version = 5, bad[n++].says = "too old";
	bad[n].page.version = 0, bad[n++].says = "too old";
	bad[n++].page.tboot_base = SELF_AT + 0x100;
	bad[n++].page.tboot_base = 0;
	bad[n].page.tboot_base = MIB, bad[n++].page.tboot_size = SHARED_AT;
	bad[n++].page.tboot_base = 0xfffff000;
	bad[n++].page.tboot_size = 0;
	bad[n++].page.tboot_size = UINT32_MAX;
	bad[n++].page.tboot_size = GIB - SELF_AT + 1;
	bad[n++].page.tboot_size = SHARED_AT - SELF_AT;
	bad[n++].page.shutdown_entry = SELF_AT - 1;
	bad[n++].page.shutdown_entry = SELF_AT + SELF_SIZE;
	bad[n].page.log_addr = 1, bad[n++].says = "memory log";
	bad[n].page.log_addr = 0xfffff000, bad[n++].says = "memory log";
	assert_int_equal(n, ARRAY_SIZE(bad));
	for (unsigned int i = 0; i < n; i++) {
		put_shared(&bad[i].page);
		assert_broken(bad[i].says);
	}
}

/* A shared page alone, as a loader could fake it, or a heap that does not parse. */
static void test_bad_txt(void **state)
{
	put_reg(REG_STS, 0);
	assert_broken("no TXT launch");
	put_registers();
	put_reg(REG_E2STS, 0);
	assert_broken("SECRETS");
	put_registers();
	put_reg(REG_HEAP_SIZE, 0);
	assert_broken("registers");
	put_registers();
	ram_put32(MDR_COUNT_FIELD, 0);
	assert_broken("SINIT's tables");
}

static void test_module_in_the_way(void **state)
{
	static const struct range bad[] = {
		{0x7ff000, 0x800001},
		{SELF_AT + SELF_SIZE, SELF_AT + SELF_SIZE + 1}, /* its last page */
		{HEAP_AT + HEAP_SIZE - 1, HEAP_AT + HEAP_SIZE},
		{SINIT_AT, SINIT_AT + 1},
		{TBOOT_LOG_ADDR + 5, TBOOT_LOG_ADDR + 6},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		put_info(&info, "tboot=0x2473000");
		info.module_count = 2;
		info.module[1].at = bad[i];
		assert_broken("module");
	}
	put_info(&info, "tboot=0x2473000");
	info.module[0].at = (struct range){0x700000, 0x800000};
	assert_int_equal(find()->state, TBOOT_MEASURED);
}

/* The one thing that is not survived: a map that cannot say what is kept. */
static void test_full_map(void **state)
{
	memset(&info.map, 0, sizeof(info.map));
	memmap_add(&info.map, MIB, RAM_BYTES - MIB, REGION_RAM);
	for (uint64_t a = 0; info.map.count < MEMMAP_MAX; a += 0x2000)
		memmap_add(&info.map, 4 * GIB + a, 0x1000, REGION_RAM);
	assert_int_equal(tboot_find(&info, &why), ERR_2BIG);
	assert_non_null(strstr(why, "128"));
}

static void test_wake(void **state)
{
	struct tboot_shared shared = launch_shared();
	const struct tboot_shared *page = mem_at(HPA(SHARED_AT));
	static const struct tboot_shared empty;

	assert_int_equal(find()->state, TBOOT_MEASURED);
	assert_false(tboot_wake(2, HPA(0x9e000)));
	assert_memory_equal(page, &empty, sizeof(empty));

	shared.flags = 0xfffffffe;
	put_shared(&shared);
	put_info(&info, "tboot=0x2473000");
	assert_int_equal(find()->state, TBOOT_MEASURED);
	assert_false(tboot_wake(2, HPA(0x9e000)));

	shared.flags = TBOOT_WAKES;
	put_shared(&shared);
	put_info(&info, "tboot=0x2473000");
	assert_int_equal(find()->state, TBOOT_MEASURED);
	assert_true(tboot_wake(2, HPA(0x9e000)));
	assert_int_equal(page->ap_wake_addr, 0x9e000);
	assert_int_equal(page->ap_wake_trigger, 2);
	assert_true(tboot_wake(254, HPA(0x9d000)));
	assert_int_equal(page->ap_wake_addr, 0x9d000);
	assert_int_equal(page->ap_wake_trigger, 254);
	/* Nothing else of the page is touched. */
	assert_memory_equal(page, &empty, offsetof(struct tboot_shared, ap_wake_addr));

	/* The next find forgets it. */
	put_info(&info, "");
	assert_nothing(TBOOT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_none, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fell_through, setup, teardown),
		cmocka_unit_test_setup_teardown(test_measured, setup, teardown),
		cmocka_unit_test_setup_teardown(test_edges, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_log, setup, teardown),
		cmocka_unit_test_setup_teardown(test_last_claim, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_shared, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_txt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_module_in_the_way, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_map, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wake, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
