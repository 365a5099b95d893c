/* SPDX-License-Identifier: Apache-2.0 */
/* What L1 finds of a BIOS under UEFI: vectors, the data area, ACPI's root pointer. */
#include "monitor/bios_call.h"
#include "monitor/legacy.h"
#include "tests/unit/test_machine.h"

#define LOW 0x9f000u

extern const char int15_stub[], int15_iret[], int15_chain[], no_bios[];

static struct boot_info info;
static const char *why;

static void set_up(void)
{
	machine(1);
	memset(&info, 0, sizeof(info));
	assert_int_equal(memmap_add(&info.map, 0, LOW, REGION_RAM), 0);
	assert_int_equal(memmap_add(&info.map, LOW, PAGE_SIZE, REGION_RESERVED), 0);
	memcpy(info.rsdp, "RSD PTR ", 8);
	info.rsdp[35] = 0x77;
	info.rsdp_len = BOOT_RSDP_MAX;
	memset(fake_at(HPA(0), PAGE_SIZE), 0xee, PAGE_SIZE);
	why = "";
}

static uint16_t word(uint64_t at)
{
	uint16_t value;

	memcpy(&value, fake_at(HPA(at), sizeof(value)), sizeof(value));
	return value;
}

static void every_vector_leads_to_the_low_page(void **state)
{
	set_up();
	assert_int_equal(legacy_init(&info, HPA(LOW), &why), 0);
	for (unsigned int i = 0; i < 256; i++) {
		assert_int_equal(word(i * 4 + 2), LOW >> 4);
		assert_int_equal(word(i * 4), (i >> 4 == 1 ? no_bios : int15_iret) - int15_stub);
	}
}

static void int15_is_answered_or_fails(void **state)
{
	uint16_t far[2];

	set_up();
	assert_int_equal(legacy_init(&info, HPA(LOW), &why), 0);
	bios_call_init(HPA(LOW), &info.map);
	assert_int_equal(word(0x15 * 4), 0);
	assert_int_equal(word(0x15 * 4 + 2), LOW >> 4);
	memcpy(far, fake_at(HPA(LOW + (uint64_t)(int15_chain - int15_stub) + 1), 4), 4);
	assert_int_equal(far[0], no_bios - int15_stub);
	assert_int_equal(far[1], LOW >> 4);
	assert_int_equal(*(uint8_t *)fake_at(HPA(LOW + far[0]), 1), 0x55); /* PUSH BP */
}

/* xen/arch/x86/boot/head.S takes what lies below it for its trampoline. */
static void base_memory_ends_below_the_low_page(void **state)
{
	set_up();
	assert_int_equal(legacy_init(&info, HPA(LOW), &why), 0);
	assert_int_equal(word(0x40e), 0);
	assert_int_equal(word(0x413), LOW >> 10);
	assert_int_equal(*(uint8_t *)fake_at(HPA(0x4ff), 1), 0);
	assert_int_equal(*(uint8_t *)fake_at(HPA(0x500), 1), 0xee);
}

static const uint8_t *shown(uint64_t at)
{
	uint64_t *table = phys_table(host_root());

	for (unsigned int level = TABLE_LEVELS;; level--) {
		uint64_t entry = table[table_index(level, at)];

		assert_true(table_present(entry));
		if (table_is_leaf(entry, level)) {
			assert_int_equal(level, 1);
			return mem_at(table_hpa(entry, 1));
		}
		table = phys_table(table_hpa(entry, level));
	}
}

static void the_root_pointer_is_shown_read_only(void **state)
{
	const uint8_t *page;

	set_up();
	assert_int_equal(legacy_init(&info, HPA(LOW), &why), 0);
	page = shown(BOOT_LEGACY_START);
	assert_memory_equal(page, info.rsdp, BOOT_RSDP_MAX);
	for (unsigned int i = BOOT_RSDP_MAX; i < PAGE_SIZE; i++)
		assert_int_equal(page[i], 0);
	assert_true(host_allows(HPA(BOOT_LEGACY_START), TABLE_R));
	assert_false(host_allows(HPA(BOOT_LEGACY_START), TABLE_W));
	assert_true(host_allows(HPA(BOOT_LEGACY_START + PAGE_SIZE), TABLE_RWX));
	assert_true(host_allows(HPA(BOOT_LEGACY_START - PAGE_SIZE), TABLE_RWX));
}

static void without_a_root_pointer_nothing_is_shown(void **state)
{
	set_up();
	info.rsdp_len = 0;
	assert_int_equal(legacy_init(&info, HPA(LOW), &why), 0);
	assert_true(host_allows(HPA(BOOT_LEGACY_START), TABLE_RWX));
}

static void the_firmwares_first_page_is_not_written(void **state)
{
	set_up();
	assert_int_equal(memmap_add(&info.map, 0, PAGE_SIZE, REGION_RESERVED), 0);
	assert_int_equal(legacy_init(&info, HPA(LOW), &why), ERR_NOSYS);
	assert_non_null(strstr(why, "first page"));
	assert_int_equal(word(0), 0xeeee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_leads_to_the_low_page),
		cmocka_unit_test(int15_is_answered_or_fails),
		cmocka_unit_test(base_memory_ends_below_the_low_page),
		cmocka_unit_test(the_root_pointer_is_shown_read_only),
		cmocka_unit_test(without_a_root_pointer_nothing_is_shown),
		cmocka_unit_test(the_firmwares_first_page_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
