/* SPDX-License-Identifier: Apache-2.0 */
/* Multiboot 1 information as QEMU and GRUB lay it out, and everything that can be wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/multiboot.h"
#include "tests/unit/test_boot_ram.h"

static struct boot_info info;
static struct multiboot1_info mbi;
static const char *why;

static int parse(uint64_t at)
{
	why = NULL;
	return boot_parse(&info, MULTIBOOT1_BOOT_MAGIC, HPA(at), &why);
}

static void refused(uint64_t at, int error, const char *text)
{
	assert_int_equal(parse(at), error);
	assert_non_null(why);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
}

static uint64_t put_region(uint64_t at, uint64_t start, uint64_t end, uint32_t type)
{
	struct multiboot1_mmap entry = {20, start, end - start, type};

	ram_put(at, &entry, sizeof(entry));
	return at + sizeof(entry);
}

static void put_module(uint64_t at, uint32_t start, uint32_t end, uint32_t string)
{
	struct multiboot1_module module = {start, end, string, 0};

	ram_put(at, &module, sizeof(module));
}

#define QEMU_INFO 0x9500
#define QEMU_MAP 0x9000
#define QEMU_LIST 0x1100000 /* right after the kernel that QEMU loaded at 16 MiB */
#define QEMU_INFO_BYTES 88

/* QEMU 7.2: map at 0x9000, 88 bytes of information, the rest behind the kernel. */
static int qemu(void **state)
{
	uint64_t end = QEMU_MAP;

	memset(ram, 0, sizeof(ram));
	ram_all(true);
	end = put_region(end, 0, 0x9fc00, REGION_RAM);
	end = put_region(end, 0x9fc00, 0xa0000, REGION_RESERVED);
	end = put_region(end, 0xf0000, 0x100000, REGION_RESERVED);
	end = put_region(end, 0x100000, 0x3ffdf000, REGION_RAM);
	end = put_region(end, 0x3ffdf000, 0x40000000, REGION_RESERVED);
	end = put_region(end, 0xb0000000, 0xc0000000, REGION_RESERVED);
	end = put_region(end, 0xfffc0000, 0x100000000, REGION_RESERVED);

	put_module(QEMU_LIST, 0x1101000, 0x1101005, QEMU_LIST + 0x40);
	put_module(QEMU_LIST + 16, 0x1102000, 0x1105432, QEMU_LIST + 0x60);
	ram_put_string(QEMU_LIST + 0x40, "xen com1=115200,8n1 dom0_mem=1G");
	ram_put_string(QEMU_LIST + 0x60, "vmlinuz console=hvc0");
	ram_put_string(QEMU_LIST + 0x80, "nethervisor.elf loglevel=2");
	ram_put_string(QEMU_LIST + 0xa0, "qemu");
	mbi = (struct multiboot1_info){
		.flags = MB1_MEMORY | MB1_BOOT_DEVICE | MB1_CMDLINE | MB1_MODULES | MB1_MMAP |
			 MB1_LOADER,
		.mem_lower = 639,
		.mem_upper = 0x3fedf000 / 1024,
		.boot_device = 0x8000ffff,
		.cmdline = QEMU_LIST + 0x80,
		.mods_count = 2,
		.mods_addr = QEMU_LIST,
		.mmap_addr = QEMU_MAP,
		.mmap_length = (uint32_t)(end - QEMU_MAP),
		.loader = QEMU_LIST + 0xa0,
	};
	ram_put(QEMU_INFO, &mbi, QEMU_INFO_BYTES);
	return 0;
}

/* Writes mbi back after a test changed it, and parses. */
static void now_refused(int error, const char *text)
{
	ram_put(QEMU_INFO, &mbi, sizeof(mbi));
	refused(QEMU_INFO, error, text);
}

static void now_good(void)
{
	ram_put(QEMU_INFO, &mbi, sizeof(mbi));
	assert_int_equal(parse(QEMU_INFO), 0);
	assert_true(boot_info_is_sound(&info));
}

static void reads_qemu(void **state)
{
	now_good();
	assert_int_equal(info.protocol, BOOT_MULTIBOOT1);
	assert_true(info.has_loader);
	assert_string_equal(boot_string(&info, info.loader), "qemu");
	assert_string_equal(boot_string(&info, info.cmdline), "nethervisor.elf loglevel=2");
	assert_int_equal(info.mem_lower, 639);
	assert_true(info.has_boot_device);
	assert_int_equal(info.boot_device, 0x8000ffff);
	assert_int_equal(info.module_count, 2);
	assert_int_equal(info.module[0].at.start, 0x1101000);
	assert_int_equal(info.module[0].at.end, 0x1101005);
	assert_string_equal(boot_string(&info, info.module[0].cmdline),
			    "xen com1=115200,8n1 dom0_mem=1G");
	assert_string_equal(boot_string(&info, info.module[1].cmdline), "vmlinuz console=hvc0");
	assert_int_equal(info.map.count, 7);
	assert_int_equal(info.map.region[3].start, MIB);
	assert_int_equal(info.map.region[6].end, 4 * GIB);
	assert_false(info.video.has_vbe);
	assert_false(info.video.has_framebuffer);
}

/* GRUB 2: everything in low memory, entries of its map may be longer, video described. */
static void reads_grub(void **state)
{
	uint32_t size = 24;

	memset(&ram[0x10000], 0, 0x2000);
	put_region(0x11000, 0, 0x9fc00, REGION_RAM);
	ram_put32(0x11000, size);
	put_region(0x11000 + 28, MIB, 64 * MIB, REGION_RAM);
	ram_put32(0x11000 + 28, size);
	put_module(0x10100, 0x100000, 0x100400, 0x10200);
	ram_put_string(0x10200, "dom0_mem=1G");
	ram_put_string(0x10300, "GRUB 2.06-13+deb12u1");
	memset(&ram[0x10400], 0x55, 512);
	memset(&ram[0x10600], 0x66, 256);
	mbi = (struct multiboot1_info){
		.flags = MB1_MMAP | MB1_MODULES | MB1_LOADER | MB1_VBE | MB1_FRAMEBUFFER,
		.mods_count = 1,
		.mods_addr = 0x10100,
		.mmap_addr = 0x11000,
		.mmap_length = 56,
		.loader = 0x10300,
		.vbe_control = 0x10400,
		.vbe_mode_info = 0x10600,
		.vbe_mode = 0x4115,
		.fb_addr = 0xfd000000,
		.fb_pitch = 3200,
		.fb_width = 800,
		.fb_height = 600,
		.fb_bpp = 32,
		.fb_type = FRAMEBUFFER_RGB,
		.fb_color = {16, 8, 8, 8, 0, 8},
	};
	ram_put(0x10000, &mbi, sizeof(mbi));
	assert_int_equal(parse(0x10000), 0);
	assert_true(boot_info_is_sound(&info));
	assert_string_equal(boot_string(&info, info.loader), "GRUB 2.06-13+deb12u1");
	assert_string_equal(boot_string(&info, info.cmdline), "");
	assert_string_equal(boot_string(&info, info.module[0].cmdline), "dom0_mem=1G");
	assert_int_equal(info.map.count, 2);
	assert_int_equal(info.mem_lower, 0);
	assert_true(info.video.has_vbe);
	assert_int_equal(info.video.vbe_mode, 0x4115);
	assert_int_equal(info.video.vbe_control[511], 0x55);
	assert_int_equal(info.video.vbe_mode_info[255], 0x66);
	assert_true(info.video.has_framebuffer);
	assert_int_equal(info.video.fb_addr, 0xfd000000);
	assert_int_equal(info.video.fb_color[5], 8);
}

static void does_without_what_is_optional(void **state)
{
	mbi.flags = MB1_MMAP;
	now_good();
	assert_int_equal(info.module_count, 0);
	assert_false(info.has_loader);
	assert_false(info.has_boot_device);
	mbi.flags = MB1_MMAP | MB1_MODULES;
	put_module(QEMU_LIST, 0x1101000, 0x1101005, 0);
	now_good();
	assert_string_equal(boot_string(&info, info.module[0].cmdline), "");
	mbi.flags |= MB1_FRAMEBUFFER;
	mbi.fb_type = FRAMEBUFFER_INDEXED;
	now_good();
	assert_false(info.video.has_framebuffer);
}

static void refuses_other_magic(void **state)
{
	assert_int_equal(boot_parse(&info, 0, HPA(QEMU_INFO), &why), ERR_NOSYS);
	assert_non_null(strstr(why, "GRUB"));
}

static void refuses_addresses_outside_of_memory(void **state)
{
	refused(RAM_BYTES, ERR_FAULT, "information");
	refused(RAM_BYTES - 4, ERR_FAULT, "information");
	refused(0xfffffffc, ERR_FAULT, "information");
	mbi.cmdline = 0xffffff00;
	now_refused(ERR_FAULT, "string");
	qemu(NULL);
	mbi.loader = RAM_BYTES;
	now_refused(ERR_FAULT, "string");
	qemu(NULL);
	mbi.mods_addr = RAM_BYTES - 16;
	now_refused(ERR_FAULT, "module list");
	mbi.mods_addr = 0xfffffff8;
	now_refused(ERR_FAULT, "module list");
	qemu(NULL);
	put_module(QEMU_LIST, 0, 0, 0xfffffff0);
	now_refused(ERR_FAULT, "string");
	qemu(NULL);
	mbi.mmap_addr = 0xfffffff0;
	now_refused(ERR_FAULT, "memory map");
	qemu(NULL);
	mbi.flags |= MB1_VBE;
	mbi.vbe_control = RAM_BYTES - 511;
	now_refused(ERR_FAULT, "VBE");
	mbi.vbe_control = RAM_BYTES - 512;
	mbi.vbe_mode_info = RAM_BYTES - 255;
	now_refused(ERR_FAULT, "VBE");
	mbi.vbe_mode_info = RAM_BYTES - 256;
	now_good();
}

static void refuses_bad_modules(void **state)
{
	put_module(QEMU_LIST, 0x2000, 0x1000, 0);
	now_refused(ERR_INVAL, "ends before");
	qemu(NULL);
	mbi.mods_count = BOOT_MODULES_MAX + 1;
	mbi.mods_addr = 0x200000;
	now_refused(ERR_2BIG, "16 modules");
	mbi.mods_count = UINT32_MAX;
	now_refused(ERR_2BIG, "16 modules");
	mbi.mods_count = BOOT_MODULES_MAX;
	now_good();
}

static void refuses_bad_maps(void **state)
{
	mbi.flags &= ~(uint32_t)MB1_MMAP;
	now_refused(ERR_INVAL, "no memory map");
	qemu(NULL);
	mbi.mmap_length = 0;
	now_refused(ERR_INVAL, "no memory map");
	mbi.mmap_length = 23;
	now_refused(ERR_INVAL, "within an entry");
	mbi.mmap_length = 24 + 4;
	now_refused(ERR_INVAL, "within an entry");
	mbi.mmap_length = 0x10001;
	now_refused(ERR_2BIG, "64 KiB");
	mbi.mmap_length = 24;
	for (unsigned int i = 0; i < 3; i++) {
		static const uint32_t sizes[] = {0, 19, 48};

		ram_put32(QEMU_MAP, sizes[i]);
		now_refused(ERR_INVAL, "wrong size");
	}
	ram_put32(QEMU_MAP, UINT32_MAX);
	now_refused(ERR_INVAL, "wrong size");
	put_region(QEMU_MAP, UINT64_MAX - 5, UINT64_MAX, REGION_RAM);
	now_good();
	ram_put32(QEMU_MAP + 12, 0xffffffff);
	now_refused(ERR_INVAL, "wraps");
}

static void refuses_too_many_regions(void **state)
{
	uint64_t end = 0x200000;

	for (uint64_t i = 0; i <= MEMMAP_MAX; i++)
		end = put_region(end, i * 2 * MIB, i * 2 * MIB + MIB, REGION_RAM);
	mbi.mmap_addr = 0x200000;
	mbi.mmap_length = (uint32_t)(end - 0x200000);
	now_refused(ERR_2BIG, "128");
	mbi.mmap_length -= 24;
	now_good();
	assert_int_equal(info.map.count, MEMMAP_MAX);
}

static void refuses_long_strings(void **state)
{
	memset(&ram[0x200000], 'a', 0x10000);
	mbi.cmdline = 0x200123;
	now_refused(ERR_2BIG, "shorten");
	ram[0x200123 + BOOT_STRING_MAX] = '\0';
	now_refused(ERR_2BIG, "shorten");
	ram[0x200123 + BOOT_STRING_MAX - 1] = '\0';
	now_good();
	assert_int_equal(strlen(boot_string(&info, info.cmdline)), BOOT_STRING_MAX - 1);
	/* Five of them are more than all may be. */
	mbi.mods_count = 5;
	for (unsigned int i = 0; i < 5; i++)
		put_module(QEMU_LIST + 0x200 + 16 * i, 0, 0, 0x200123);
	mbi.mods_addr = QEMU_LIST + 0x200;
	now_refused(ERR_2BIG, "16 KiB");
}

/* A string that runs to the very end of memory, with and without its NUL. */
static void reads_to_the_end_of_memory(void **state)
{
	mbi.cmdline = RAM_BYTES - 3;
	ram_put_string(RAM_BYTES - 3, "ab");
	now_good();
	assert_string_equal(boot_string(&info, info.cmdline), "ab");
	ram[RAM_BYTES - 1] = 'c';
	now_refused(ERR_FAULT, "string");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_qemu, qemu),
		cmocka_unit_test_setup(reads_grub, qemu),
		cmocka_unit_test_setup(does_without_what_is_optional, qemu),
		cmocka_unit_test_setup(refuses_other_magic, qemu),
		cmocka_unit_test_setup(refuses_addresses_outside_of_memory, qemu),
		cmocka_unit_test_setup(refuses_bad_modules, qemu),
		cmocka_unit_test_setup(refuses_bad_maps, qemu),
		cmocka_unit_test_setup(refuses_too_many_regions, qemu),
		cmocka_unit_test_setup(refuses_long_strings, qemu),
		cmocka_unit_test_setup(reads_to_the_end_of_memory, qemu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
