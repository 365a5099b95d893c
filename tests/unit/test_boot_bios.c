/* SPDX-License-Identifier: Apache-2.0 */
/* INT 15h: the memory map as real-mode code asks for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/bios.h"
#include "tests/unit/test_boot_ram.h"

#define SMAP 0x534d4150u

static struct memmap map;
static struct bios_answer answer;

static int setup(void **state)
{
	map.count = 0;
	memmap_add(&map, 0, 0x9fc00, REGION_RAM);
	memmap_add(&map, 0x9fc00, 0x400, REGION_RESERVED);
	memmap_add(&map, MIB, 511 * MIB, REGION_RAM);
	memmap_add(&map, 0x1ffe0000, 0x20000, REGION_ACPI);
	memmap_add(&map, 4 * GIB, GIB, REGION_RAM);
	memmap_add(&map, 0x9d000, 0x1000, REGION_RESERVED);       /* the monitor's low page */
	memmap_add(&map, 0x1e000000, 0x1000000, REGION_RESERVED); /* and its block */
	return 0;
}

static bool ask(uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
	struct bios_regs in = {eax, ebx, ecx, edx};

	memset(&answer, 0xcc, sizeof(answer));
	return bios_int15(&answer, &in, &map);
}

/* As Xen's trampoline and Linux's setup do it: until EBX is 0. */
static void e820_tells_the_whole_map(void **state)
{
	uint32_t ebx = 0;

	for (unsigned int i = 0; i < map.count; i++) {
		uint64_t start, len;
		uint32_t type;

		assert_true(ask(0xe820, ebx, 20, SMAP));
		assert_false(answer.carry);
		assert_int_equal(answer.regs.eax, SMAP);
		assert_int_equal(answer.regs.ecx, 20);
		assert_int_equal(answer.regs.edx, SMAP);
		assert_int_equal(answer.len, 20);
		memcpy(&start, &answer.entry[0], 8);
		memcpy(&len, &answer.entry[8], 8);
		memcpy(&type, &answer.entry[16], 4);
		assert_int_equal(start, map.region[i].start);
		assert_int_equal(start + len, map.region[i].end);
		assert_int_equal(type, map.region[i].type);
		ebx = answer.regs.ebx;
		assert_int_equal(ebx, i + 1 < map.count ? i + 1 : 0);
	}
	assert_int_equal(map.region[1].start, 0x9d000);
	assert_int_equal(map.region[1].type, REGION_RESERVED);
}

static void failed(void)
{
	assert_true(answer.carry);
	assert_int_equal(answer.regs.eax & 0xff00, 0x8600);
	assert_int_equal(answer.len, 0);
}

static void e820_refuses(void **state)
{
	assert_true(ask(0xe820, map.count, 20, SMAP));
	failed();
	assert_int_equal(answer.regs.ebx, map.count);
	assert_true(ask(0xe820, UINT32_MAX, 20, SMAP));
	failed();
	assert_true(ask(0xe820, 0, 19, SMAP));
	failed();
	assert_true(ask(0xe820, 0, 20, SMAP + 1));
	failed();
	map.count = 0;
	assert_true(ask(0xe820, 0, 24, SMAP));
	failed();
}

static void e801_counts_to_the_first_hole(void **state)
{
	assert_true(ask(0x1234e801, 0x11110000, 0x22220000, 0x33330000));
	assert_false(answer.carry);
	assert_int_equal(answer.len, 0);
	assert_int_equal(answer.regs.eax, 0x12340000 | 15 * 1024);
	assert_int_equal(answer.regs.ecx, 0x22220000 | 15 * 1024);
	assert_int_equal(answer.regs.ebx, 0x11110000 | (0x1e000000 - 16 * MIB) / 65536);
	assert_int_equal(answer.regs.edx, 0x33330000 | (0x1e000000 - 16 * MIB) / 65536);
	memmap_add(&map, 8 * MIB, 16 * MIB, REGION_RESERVED); /* over the border */
	assert_true(ask(0xe801, 0, 0, 0));
	assert_int_equal(answer.regs.eax, 7 * 1024);
	assert_int_equal(answer.regs.ebx, 0);
}

static void e881_is_wider(void **state)
{
	map.count = 0;
	memmap_add(&map, 0, 8192 * GIB, REGION_RAM);
	assert_true(ask(0xe881, 0, 0, 0));
	assert_int_equal(answer.regs.eax, 15 * 1024);
	assert_int_equal(answer.regs.ebx, (8192 * GIB - 16 * MIB) / 65536);
	assert_int_equal(answer.regs.edx, answer.regs.ebx);
	assert_true(ask(0xe801, 0, 0, 0));
	assert_int_equal(answer.regs.ebx, 0xffff);
}

static void service_88_counts_to_63_mib(void **state)
{
	assert_true(ask(0x55558812, 1, 2, 3));
	assert_false(answer.carry);
	assert_int_equal(answer.regs.eax, 0x5555fc00);
	assert_int_equal(answer.regs.ebx, 1);
	memmap_add(&map, 3 * MIB, MIB, REGION_RESERVED);
	assert_true(ask(0x8800, 0, 0, 0));
	assert_int_equal(answer.regs.eax, 2048);
}

static void leaves_the_rest_to_the_bios(void **state)
{
	static const uint32_t others[] = {0xec00, 0xe980, 0xc000, 0x8700,    0x2401,
					  0xe821, 0xe802, 0x0088, 0xe8200000};
	struct bios_answer before;

	memset(&before, 0xcc, sizeof(before));
	for (unsigned int i = 0; i < ARRAY_SIZE(others); i++) {
		assert_false(ask(others[i], 0, 20, SMAP));
		assert_memory_equal(&answer, &before, sizeof(before));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(e820_tells_the_whole_map, setup),
		cmocka_unit_test_setup(e820_refuses, setup),
		cmocka_unit_test_setup(e801_counts_to_the_first_hole, setup),
		cmocka_unit_test_setup(e881_is_wider, setup),
		cmocka_unit_test_setup(service_88_counts_to_63_mib, setup),
		cmocka_unit_test_setup(leaves_the_rest_to_the_bios, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
