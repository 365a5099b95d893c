/* SPDX-License-Identifier: Apache-2.0 */
/* Loading L1 with modules wherever a loader may have put them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/l1.h"
#include "tests/unit/test_boot_elf_file.h"

#define KERNEL 0x200000u /* where Xen is linked */
#define KERNEL_DATA 0x80000u
#define KERNEL_END (KERNEL + 0x3b0000u)

static struct boot_info info, seen;
static struct monitor_block block;
static struct l1_entry entry;
static const char *why;
static struct {
	uint64_t len;
	uint32_t seed;
} file[BOOT_MODULES_MAX];

static boot_string_t add_string(const char *text)
{
	uint32_t at = info.strings_len;

	memcpy(&info.strings[at], text, strlen(text) + 1);
	info.strings_len += (uint32_t)strlen(text) + 1;
	return at;
}

static int setup(void **state)
{
	ram_all(false);
	memset(&info, 0, sizeof(info));
	memset(ram, 0xa5, sizeof(ram));
	info.protocol = BOOT_MULTIBOOT1;
	info.strings_len = 1;
	info.has_loader = true;
	info.loader = add_string("qemu");
	info.cmdline = add_string("nethervisor.elf the monitor's own");
	memmap_add(&info.map, 0, 0x9fc00, REGION_RAM);
	memmap_add(&info.map, 0x9fc00, 0x400, REGION_RESERVED);
	memmap_add(&info.map, 0xf0000, 0x10000, REGION_RESERVED);
	memmap_add(&info.map, MIB, 63 * MIB, REGION_RAM);
	memmap_add(&info.map, 0xfffc0000, 0x40000, REGION_RESERVED);
	memmap_add(&info.map, 4 * GIB, 4 * GIB, REGION_RAM);
	block = (struct monitor_block){{48 * MIB, 56 * MIB}, {0x9d000, 0x9e000}};
	return 0;
}

static uint8_t file_byte(unsigned int i, uint64_t at)
{
	return (uint8_t)(file[i].seed + at * 13 + (at >> 12));
}

static void put_module(uint64_t at, uint64_t len, const char *cmdline)
{
	unsigned int i = info.module_count++;

	info.module[i].at = (struct range){at, at + len};
	info.module[i].cmdline = add_string(cmdline);
	file[i].len = len;
	file[i].seed = i * 31;
	for (uint64_t b = 0; b < len; b++)
		ram[at + b] = file_byte(i, b);
}

static void put_kernel(uint64_t at)
{
	struct test_elf elf = test_elf(KERNEL, KERNEL_DATA, KERNEL_END - KERNEL);

	put_module(at, put_elf(at, &elf, KERNEL_DATA), "xen com1=115200,8n1 dom0_mem=1G");
	put_elf(at, &elf, KERNEL_DATA);
}

static int load(void)
{
	why = NULL;
	return l1_load(&info, &block, &entry, &why);
}

static void refused(int error, const char *text)
{
	assert_int_equal(load(), error);
	assert_non_null(why);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
}

static void check_kernel(void)
{
	assert_int_equal(entry.eip, KERNEL + 16);
	for (uint32_t i = 0; i < KERNEL_DATA; i++)
		if (ram[KERNEL + i] != test_elf_byte(i))
			fail_msg("kernel byte %u is wrong", i);
	for (uint32_t i = KERNEL_DATA; i < KERNEL_END - KERNEL; i++)
		if (ram[KERNEL + i])
			fail_msg("kernel byte %u is not zero", i);
}

static bool clear_of(struct range range, struct range other)
{
	return !range_overlaps(range, other);
}

/* Everything L1 reads at first must be in RAM, above 1 MiB, and where nothing else is. */
static void check_place(struct range range)
{
	assert_true(range.start >= MIB);
	assert_true(memmap_is_ram(&info.map, range));
	assert_true(clear_of(range, (struct range){KERNEL, KERNEL_END}));
	assert_true(clear_of(range, block.high));
	assert_true(clear_of(range, block.low));
}

static void check_modules(void)
{
	struct range mbi = {entry.ebx, entry.ebx + L1_INFO_MAX};

	check_place(mbi);
	assert_int_equal(seen.module_count, info.module_count - 1);
	for (unsigned int i = 0; i < seen.module_count; i++) {
		struct range at = seen.module[i].at;

		assert_int_equal(at.start % PAGE_SIZE, 0);
		assert_int_equal(at.end - at.start, file[i + 1].len);
		assert_int_equal(at.start, info.module[i + 1].at.start);
		check_place(at);
		assert_true(clear_of(at, mbi));
		for (unsigned int j = 0; j < i; j++)
			assert_true(clear_of(at, seen.module[j].at));
		for (uint64_t b = 0; b < file[i + 1].len; b++)
			if (ram[at.start + b] != file_byte(i + 1, b))
				fail_msg("module %u is wrong at byte %lu", i + 1, b);
		assert_string_equal(boot_string(&seen, seen.module[i].cmdline),
				    boot_string(&info, info.module[i + 1].cmdline));
	}
}

/* Loads, then reads L1's information with our own parser and checks everything L1 will find. */
static void loads(void)
{
	assert_int_equal(load(), 0);
	assert_int_equal(entry.ebx % PAGE_SIZE, 0);
	assert_int_equal(boot_parse(&seen, MULTIBOOT1_BOOT_MAGIC, HPA(entry.ebx), &why), 0);
	assert_true(boot_info_is_sound(&seen));
	assert_string_equal(boot_string(&seen, seen.cmdline), "xen com1=115200,8n1 dom0_mem=1G");
	assert_int_equal(seen.has_loader, info.has_loader);
	assert_string_equal(boot_string(&seen, seen.loader), boot_string(&info, info.loader));
	assert_int_equal(seen.map.count, info.map.count);
	for (unsigned int i = 0; i < seen.map.count; i++) {
		assert_int_equal(seen.map.region[i].start, info.map.region[i].start);
		assert_int_equal(seen.map.region[i].end, info.map.region[i].end);
		assert_int_equal(seen.map.region[i].type, info.map.region[i].type);
	}
	assert_int_equal(seen.mem_lower, memmap_lower_kib(&info.map));
	assert_int_equal(seen.mem_upper, memmap_upper_kib(&info.map));
	check_kernel();
	check_modules();
}

/* QEMU puts modules behind the monitor's file at 16 MiB: nothing is in the way. */
static void loads_as_qemu_does(void **state)
{
	put_kernel(0x1101000);
	put_module(0x1200000, 0x7fe123, "vmlinuz console=hvc0");
	put_module(0x1a00000, 0x600001, "initrd.img");
	loads();
	assert_int_equal(seen.module[0].at.start, 0x1200000);
	assert_int_equal(seen.module[1].at.start, 0x1a00000);
}

static void tells_l1_the_truth_about_memory(void **state)
{
	static const struct range none;

	put_kernel(0x1101000);
	loads();
	assert_int_equal(seen.mem_lower, 0x9d000 / 1024);
	assert_int_equal(seen.mem_upper, 47 * 1024);
	assert_false(memmap_is_ram(&seen.map, (struct range){0x9d000, 0x9d001}));
	assert_false(memmap_is_ram(&seen.map, (struct range){56 * MIB - 1, 56 * MIB}));
	assert_true(memmap_is_ram(&seen.map, (struct range){56 * MIB, 64 * MIB}));
	setup(NULL);
	block.low = none;
	put_kernel(0x1101000);
	loads();
	assert_int_equal(seen.mem_lower, 639);
}

/* GRUB puts modules from 1 MiB up: the kernel's own file, and the next, lie where it must go. */
static void loads_as_grub_does(void **state)
{
	info.loader = add_string("GRUB 2.06-13+deb12u1");
	put_kernel(MIB);
	put_module(MIB + 0x100000, 0x7fe123, "placeholder root=/dev/sda1");
	put_module(MIB + 0x900000, 0x600001, "");
	loads();
	assert_true(seen.module[0].at.start >= 56 * MIB - 0x800000);
	assert_int_equal(seen.module[1].at.start, MIB + 0x900000); /* was not in the way */
}

/* A module that begins before, ends after, lies in, covers or just touches the destination. */
static void moves_what_overlaps_in_any_way(void **state)
{
	static const struct {
		uint32_t start;
		uint32_t len;
		bool moves;
	} cases[] = {
		{KERNEL - 0x2000, 0x2001, true},
		{KERNEL - 0x2000, 0x2000, false},
		{KERNEL, 0x100, true},
		{KERNEL + 0x1000, 0x1000, true},
		{KERNEL - 0x1000, 0x3b2000, true},
		{KERNEL_END - 0x1000, 0x2000, true},
		{KERNEL_END, 0x1234, false},
		{KERNEL_END - 1 - 0xfff, 1, true},
		{KERNEL - 0x1000, KERNEL_DATA, true},
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		setup(NULL);
		put_kernel(0x1101000);
		put_module(cases[i].start, cases[i].len, "m");
		loads();
		assert_int_equal(seen.module[0].at.start != cases[i].start, cases[i].moves);
	}
}

/* Xen takes a module's last page whole: the kernel may not begin in it. */
static void moves_what_shares_a_page_with_the_kernel(void **state)
{
	struct test_elf elf = test_elf(KERNEL + 0x800, 0x1000, 0x1000);

	put_module(0x1101000, 0x2000, "k");
	put_elf(0x1101000, &elf, 0x1000);
	put_module(KERNEL - 0x1000, 0x1100, "m");
	assert_int_equal(load(), 0);
	assert_true(info.module[1].at.start >= 47 * MIB);
}

static void moves_what_is_unaligned(void **state)
{
	put_kernel(0x1101001);
	put_module(0x1300800, 0x900, "a");
	put_module(0x1301100, 0x100, "b");
	put_module(0x1302800, 0, "empty");
	loads();
}

/* The block may lie anywhere that the loader did not know about. */
static void moves_out_of_the_block(void **state)
{
	put_kernel(48 * MIB + 0x1000);
	put_module(56 * MIB - 0x1000, 0x2000, "a");
	put_module(47 * MIB, MIB + 0x1000, "b");
	loads();
	for (unsigned int i = 0; i < 3; i++)
		assert_true(clear_of(info.module[i].at, block.high));
}

static void moves_several_into_what_is_free(void **state)
{
	for (unsigned int i = 0; i < BOOT_MODULES_MAX; i++) {
		uint64_t at = MIB + i * 0x90000;

		if (i == 0)
			put_kernel(at);
		else
			put_module(at, 0x8f001 - i, "m");
	}
	loads();
}

/* Every byte but kernel, modules and information is as it was. */
static void writes_nothing_else(void **state)
{
	put_kernel(0x1101000);
	put_module(0x1200000, 0x1000, "m");
	loads();
	for (uint64_t at = 0; at < RAM_BYTES; at++) {
		struct range byte = {at, at + 1};

		if (ram[at] == 0xa5 || range_overlaps(byte, (struct range){KERNEL, KERNEL_END}) ||
		    range_overlaps(byte, info.module[0].at) ||
		    range_overlaps(byte, info.module[1].at) ||
		    range_overlaps(byte, (struct range){entry.ebx, entry.ebx + L1_INFO_MAX}))
			continue;
		fail_msg("byte at %lx was written", at);
	}
}

static void passes_on_what_else_there_was(void **state)
{
	info.has_loader = false;
	info.loader = 0;
	info.has_boot_device = true;
	info.boot_device = 0x80ffffff;
	info.video.has_vbe = true;
	info.video.vbe_mode = 0x4118;
	memset(info.video.vbe_control, 0x11, sizeof(info.video.vbe_control));
	memset(info.video.vbe_mode_info, 0x22, sizeof(info.video.vbe_mode_info));
	info.video.has_framebuffer = true;
	info.video.fb_addr = 0xfd000000;
	info.video.fb_width = 1024;
	info.video.fb_type = FRAMEBUFFER_RGB;
	info.video.fb_color[3] = 8;
	put_kernel(0x1101000);
	loads();
	assert_false(seen.has_loader);
	assert_int_equal(seen.boot_device, 0x80ffffff);
	assert_memory_equal(&seen.video, &info.video, sizeof(info.video));
}

/* As many strings, modules and regions as there may be. */
static void fits_the_largest_information(void **state)
{
	static char text[BOOT_STRING_MAX - 100];
	unsigned int i;

	for (i = 0; info.map.count < MEMMAP_MAX - 4; i++)
		memmap_add(&info.map, 16 * GIB + 2 * i * MIB, MIB, REGION_RAM);
	info.video.has_vbe = true;
	put_kernel(0x1101000);
	memset(text, 'x', sizeof(text) - 1);
	for (i = 1; i < BOOT_MODULES_MAX; i++)
		put_module(0x1200000 + i * 0x1000, 16, i <= 4 ? text : "");
	assert_true(info.strings_len <= BOOT_STRINGS_MAX);
	loads();
}

static void refuses_too_little_memory(void **state)
{
	memmap_add(&info.map, 9 * MIB, 55 * MIB, REGION_RESERVED);
	block.high = (struct range){8 * MIB, 9 * MIB};
	put_kernel(MIB);
	put_module(MIB + 0x100000, 3 * MIB, "m");
	refused(ERR_NOMEM, "move a module");
}

static void refuses_no_room_for_the_information(void **state)
{
	memmap_add(&info.map, 6 * MIB, 58 * MIB, REGION_RESERVED);
	memmap_add(&info.map, KERNEL_END + 0x3000, 6 * MIB - KERNEL_END - 0x3000, REGION_RESERVED);
	block.high = (struct range){KERNEL_END, KERNEL_END + 0x1000};
	put_kernel(MIB);
	put_module(MIB + 0x81000, MIB - 0x81000, "all that is left");
	refused(ERR_NOMEM, "information");
}

static void refuses_bad_modules(void **state)
{
	refused(ERR_NOENT, "no L1 kernel");
	put_kernel(0x1101000);
	put_module(0x9f000, 0x1000, "in the EBDA");
	refused(ERR_INVAL, "outside of RAM");
	setup(NULL);
	put_kernel(0x1101000);
	put_module(0x1300000, 0x2000, "a");
	put_module(0x1301fff, 0x2000, "b");
	refused(ERR_INVAL, "overlap");
}

static void refuses_bad_kernels(void **state)
{
	put_module(0x1101000, 0x10000, "not a kernel");
	refused(ERR_INVAL, "not an ELF");
	setup(NULL);
	put_kernel(0x1101000);
	block.high = (struct range){KERNEL_END - 0x1000, 8 * MIB};
	refused(ERR_NOMEM, "linked");
	setup(NULL);
	put_kernel(0x1101000);
	memmap_add(&info.map, 0x400000, 1, REGION_NVS);
	refused(ERR_NOMEM, "linked");
}

static void gives_video_to_those_who_ask(void **state)
{
	struct test_elf elf = test_elf(KERNEL, 0x1000, 0x1000);

	elf.multiboot[1] = 7;
	elf.multiboot[2] = -(MULTIBOOT1_HEADER_MAGIC + 7u);
	put_module(0x1101000, 0x2000, "k");
	put_elf(0x1101000, &elf, 0x1000);
	refused(ERR_NOSYS, "video");
	info.video.has_framebuffer = true;
	assert_int_equal(load(), 0);
}

static void refuses_a_full_map(void **state)
{
	put_kernel(0x1101000);
	for (unsigned int i = 0; info.map.count < MEMMAP_MAX; i++)
		memmap_add(&info.map, 16 * GIB + 2 * i * MIB, MIB, REGION_RAM);
	refused(ERR_2BIG, "128");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(loads_as_qemu_does, setup),
		cmocka_unit_test_setup(tells_l1_the_truth_about_memory, setup),
		cmocka_unit_test_setup(loads_as_grub_does, setup),
		cmocka_unit_test_setup(moves_what_overlaps_in_any_way, setup),
		cmocka_unit_test_setup(moves_what_shares_a_page_with_the_kernel, setup),
		cmocka_unit_test_setup(moves_what_is_unaligned, setup),
		cmocka_unit_test_setup(moves_out_of_the_block, setup),
		cmocka_unit_test_setup(moves_several_into_what_is_free, setup),
		cmocka_unit_test_setup(writes_nothing_else, setup),
		cmocka_unit_test_setup(passes_on_what_else_there_was, setup),
		cmocka_unit_test_setup(fits_the_largest_information, setup),
		cmocka_unit_test_setup(refuses_too_little_memory, setup),
		cmocka_unit_test_setup(refuses_no_room_for_the_information, setup),
		cmocka_unit_test_setup(refuses_bad_modules, setup),
		cmocka_unit_test_setup(refuses_bad_kernels, setup),
		cmocka_unit_test_setup(gives_video_to_those_who_ask, setup),
		cmocka_unit_test_setup(refuses_a_full_map, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
