/* SPDX-License-Identifier: Apache-2.0 */
/* Multiboot2 tags as GRUB writes them, and everything that can be wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/multiboot.h"
#include "tests/unit/test_boot_ram.h"

#define INFO 0x10000u

static struct boot_info info;
static const char *why;
static uint32_t end; /* where the next tag goes */

static uint32_t put_tag(uint32_t type, const void *body, uint32_t len)
{
	struct multiboot2_tag tag = {type, (uint32_t)sizeof(tag) + len};
	uint32_t at = end;

	ram_put(at, &tag, sizeof(tag));
	ram_put(at + sizeof(tag), body, len);
	end = (uint32_t)ALIGN_UP(at + tag.size, 8);
	return at;
}

static uint32_t put_text(uint32_t type, const char *text)
{
	return put_tag(type, text, (uint32_t)strlen(text) + 1);
}

static uint32_t put_module(uint32_t from, uint32_t to, const char *text)
{
	uint8_t body[128];
	uint32_t bounds[2] = {from, to};

	memcpy(body, bounds, 8);
	memcpy(body + 8, text, strlen(text) + 1);
	return put_tag(MB2_MODULE, body, 8 + (uint32_t)strlen(text) + 1);
}

static uint32_t put_map(uint32_t entry_size)
{
	static const struct multiboot2_mmap_entry entries[] = {
		{0, 0x9fc00, REGION_RAM, 0},
		{0x9fc00, 0x400, REGION_RESERVED, 0},
		{MIB, 63 * MIB, REGION_RAM, 0},
		{4 * GIB, GIB, REGION_RAM, 0},
	};
	uint8_t body[256] = {0};
	uint32_t head[2] = {entry_size, 0};

	memcpy(body, head, 8);
	for (unsigned int i = 0; i < ARRAY_SIZE(entries); i++)
		memcpy(body + 8 + i * entry_size, &entries[i], sizeof(entries[i]));
	return put_tag(MB2_MMAP, body, 8 + 4 * entry_size);
}

static void start(void)
{
	memset(&ram[INFO], 0, 0x20000);
	end = INFO + 8;
}

static void finish(void)
{
	put_tag(MB2_END, "", 0);
	ram_put32(INFO, end - INFO);
}

static int parse(void)
{
	why = NULL;
	return boot_parse(&info, MULTIBOOT2_BOOT_MAGIC, HPA(INFO), &why);
}

static void refused(int error, const char *text)
{
	assert_int_equal(parse(), error);
	assert_non_null(why);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
}

static void good(void)
{
	assert_int_equal(parse(), 0);
	assert_true(boot_info_is_sound(&info));
}

static int setup(void **state)
{
	ram_all(true);
	start();
	return 0;
}

static void reads_grub(void **state)
{
	static const uint32_t memory[2] = {639, 64512};
	struct multiboot2_framebuffer fb = {.addr = 0xc0000000,
					    .pitch = 4096,
					    .width = 1024,
					    .height = 768,
					    .bpp = 32,
					    .type = FRAMEBUFFER_RGB,
					    .color = {16, 8, 8, 8, 0, 8}};
	static struct multiboot2_vbe vbe = {.mode = 0x118, .interface_len = 9};
	uint64_t table = 0x3f000018;

	vbe.control[511] = 1;
	vbe.mode_info[255] = 2;
	put_text(MB2_CMDLINE, "loglevel=2");
	put_text(MB2_LOADER, "GRUB 2.06-13+deb12u1");
	put_text(10, "APM: not ours");
	put_module(0x100000, 0x2b0123, "placeholder dom0_mem=1G");
	put_module(0x2b1000, 0x900000, "");
	put_tag(MB2_MEMORY, memory, sizeof(memory));
	put_map(24);
	put_tag(MB2_FRAMEBUFFER, &fb, sizeof(fb));
	put_tag(MB2_VBE, &vbe, sizeof(vbe));
	put_tag(MB2_EFI64, &table, sizeof(table));
	finish();
	good();
	assert_int_equal(info.protocol, BOOT_MULTIBOOT2);
	assert_string_equal(boot_string(&info, info.cmdline), "loglevel=2");
	assert_string_equal(boot_string(&info, info.loader), "GRUB 2.06-13+deb12u1");
	assert_int_equal(info.module_count, 2);
	assert_int_equal(info.module[0].at.end, 0x2b0123);
	assert_string_equal(boot_string(&info, info.module[0].cmdline), "placeholder dom0_mem=1G");
	assert_string_equal(boot_string(&info, info.module[1].cmdline), "");
	assert_int_equal(info.mem_lower, 639);
	assert_int_equal(info.mem_upper, 64512);
	assert_int_equal(info.map.count, 5); /* with what stands for a BIOS's ROM */
	assert_int_equal(info.map.region[2].start, BOOT_LEGACY_START);
	assert_int_equal(info.map.region[2].type, REGION_RESERVED);
	assert_int_equal(info.map.region[4].end, 5 * GIB);
	assert_true(info.video.has_framebuffer);
	assert_int_equal(info.video.fb_width, 1024);
	assert_int_equal(info.video.fb_color[0], 16);
	assert_true(info.video.has_vbe);
	assert_int_equal(info.video.vbe_control[511], 1);
	assert_int_equal(info.video.vbe_mode_info[255], 2);
	assert_int_equal(info.efi_system_table, 0x3f000018);
}

static void takes_the_newer_rsdp(void **state)
{
	uint8_t rsdp[36];

	memset(rsdp, 7, sizeof(rsdp));
	put_map(24);
	put_tag(MB2_RSDP_NEW, rsdp, 36);
	put_tag(MB2_RSDP_OLD, "older..............", 20);
	finish();
	good();
	assert_int_equal(info.rsdp_len, 36);
	assert_memory_equal(info.rsdp, rsdp, 36);
	start();
	put_map(24);
	put_tag(MB2_RSDP_OLD, rsdp, 20);
	finish();
	good();
	assert_int_equal(info.rsdp_len, 20);
}

static void reads_longer_map_entries(void **state)
{
	put_map(32);
	finish();
	good();
	assert_int_equal(info.map.count, 4);
	assert_int_equal(info.map.region[2].end, 64 * MIB);
}

static void reads_a_text_framebuffer(void **state)
{
	struct multiboot2_framebuffer fb = {.addr = 0xb8000, .type = FRAMEBUFFER_TEXT};

	put_map(24);
	put_tag(MB2_FRAMEBUFFER, &fb, 24);
	finish();
	good();
	assert_true(info.video.has_framebuffer);
	assert_int_equal(info.video.fb_addr, 0xb8000);
}

static void refuses_bad_sizes(void **state)
{
	uint32_t at = put_text(MB2_CMDLINE, "abc");

	put_map(24);
	finish();
	good();
	for (uint32_t size = 0; size < 8; size++) {
		ram_put32(at + 4, size);
		refused(ERR_INVAL, "wrong size");
	}
	ram_put32(at + 4, UINT32_MAX);
	refused(ERR_INVAL, "wrong size");
	ram_put32(at + 4, end - at + 1);
	refused(ERR_INVAL, "wrong size");
	ram_put32(at + 4, 8);
	refused(ERR_2BIG, "unterminated");
	ram_put32(at + 4, 11);
	refused(ERR_2BIG, "unterminated");
}

static void refuses_long_strings(void **state)
{
	static char text[BOOT_STRING_MAX + 1];

	memset(text, 'x', BOOT_STRING_MAX);
	put_text(MB2_CMDLINE, text);
	put_map(24);
	finish();
	refused(ERR_2BIG, "4 KiB");
	start();
	put_text(MB2_CMDLINE, text + 1);
	put_map(24);
	finish();
	good();
	assert_int_equal(strlen(boot_string(&info, info.cmdline)), BOOT_STRING_MAX - 1);
}

static void refuses_bad_totals(void **state)
{
	put_map(24);
	finish();
	for (uint32_t total = 0; total < 16; total++) {
		ram_put32(INFO, total);
		refused(ERR_INVAL, "no end");
	}
	ram_put32(INFO, end - INFO - 1);
	refused(ERR_INVAL, "no end");
	ram_put32(INFO, end - INFO - 8);
	refused(ERR_INVAL, "no end");
	ram_put32(INFO, (1u << 20) + 1);
	refused(ERR_2BIG, "1 MiB");
	ram_put32(INFO, UINT32_MAX);
	refused(ERR_2BIG, "1 MiB");
}

/* A tag whose aligned end lies past the total must end the walk, not wrap it. */
static void refuses_a_tag_that_ends_unaligned(void **state)
{
	put_map(24);
	put_text(MB2_CMDLINE, "abcd"); /* 13 bytes */
	ram_put32(INFO, end - INFO - 3);
	refused(ERR_INVAL, "no end");
}

static void refuses_short_bodies(void **state)
{
	static const uint32_t types[] = {MB2_MODULE, MB2_MEMORY,      MB2_MMAP,     MB2_VBE,
					 MB2_EFI64,  MB2_FRAMEBUFFER, MB2_RSDP_OLD, MB2_RSDP_NEW};

	for (unsigned int i = 0; i < ARRAY_SIZE(types); i++) {
		start();
		put_map(24);
		put_tag(types[i], "\0\0\0\0\0\0", 7);
		finish();
		refused(ERR_INVAL, "too short");
	}
}

static void refuses_bad_maps(void **state)
{
	static const uint32_t sizes[] = {0, 23, 25, 33, 0x80000000, UINT32_MAX};
	uint32_t at;

	finish();
	refused(ERR_INVAL, "no memory map");
	start();
	at = put_map(24);
	finish();
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		ram_put32(at + 8, sizes[i]);
		refused(ERR_INVAL, "entry size");
	}
	ram_put32(at + 8, 24);
	ram_put32(at + 16 + 4, 0xffffffff); /* address of the first */
	ram_put32(at + 16 + 12, 0xffffffff);
	refused(ERR_INVAL, "wraps");
}

static void refuses_bad_modules(void **state)
{
	uint32_t at = put_module(0x2000, 0x1000, "x");

	put_map(24);
	finish();
	refused(ERR_INVAL, "ends before");
	ram_put32(at + 12, 0x2000);
	good();
	ram[at + 17] = 'y'; /* over its NUL */
	refused(ERR_2BIG, "unterminated");
	start();
	put_map(24);
	for (unsigned int i = 0; i <= BOOT_MODULES_MAX; i++)
		put_module(0x1000, 0x2000, "m");
	finish();
	refused(ERR_2BIG, "16 modules");
}

static void refuses_boot_services(void **state)
{
	put_map(24);
	put_tag(MB2_EFI_BOOT_SERVICES, "", 0);
	finish();
	refused(ERR_NOSYS, "boot services");
}

static void refuses_what_is_not_memory(void **state)
{
	put_map(24);
	finish();
	assert_int_equal(boot_parse(&info, MULTIBOOT2_BOOT_MAGIC, HPA(INFO + 4), &why), ERR_INVAL);
	assert_int_equal(boot_parse(&info, MULTIBOOT2_BOOT_MAGIC, HPA(RAM_BYTES), &why), ERR_FAULT);
	for (uint64_t visible = INFO; visible < end; visible++) {
		ram_reset((struct range){INFO, visible}, true);
		refused(ERR_FAULT, "outside");
	}
	ram_reset((struct range){INFO, end}, true);
	good();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reads_grub, setup),
		cmocka_unit_test_setup(takes_the_newer_rsdp, setup),
		cmocka_unit_test_setup(reads_longer_map_entries, setup),
		cmocka_unit_test_setup(reads_a_text_framebuffer, setup),
		cmocka_unit_test_setup(refuses_bad_sizes, setup),
		cmocka_unit_test_setup(refuses_long_strings, setup),
		cmocka_unit_test_setup(refuses_bad_totals, setup),
		cmocka_unit_test_setup(refuses_a_tag_that_ends_unaligned, setup),
		cmocka_unit_test_setup(refuses_short_bodies, setup),
		cmocka_unit_test_setup(refuses_bad_maps, setup),
		cmocka_unit_test_setup(refuses_bad_modules, setup),
		cmocka_unit_test_setup(refuses_boot_services, setup),
		cmocka_unit_test_setup(refuses_what_is_not_memory, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
