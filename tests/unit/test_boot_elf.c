/* SPDX-License-Identifier: Apache-2.0 */
/* The L1 kernel's file: what is loaded and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/boot/elf.h"
#include "tests/unit/test_boot_elf_file.h"

#define FILE_AT (8 * MIB)
#define DATA 0x3000u

static struct test_elf elf;
static struct elf_image image;
static const char *why;

static int setup(void **state)
{
	ram_all(true);
	elf = test_elf(0x200000, DATA, 0x5000);
	return 0;
}

static int check(uint64_t len)
{
	why = NULL;
	return elf_check(&image, HPA(FILE_AT), len, &why);
}

static void good(void)
{
	assert_int_equal(check(put_elf(FILE_AT, &elf, DATA)), 0);
}

static void refused(int error, const char *text)
{
	assert_int_equal(check(put_elf(FILE_AT, &elf, DATA)), error);
	assert_non_null(why);
	if (!strstr(why, text))
		fail_msg("'%s' does not say '%s'", why, text);
}

static void places_segments(void **state)
{
	elf.phnum = 3;
	elf.phdr[1] = (struct test_phdr){4, 0xffffffff, 0, 0, 0xffffffff, 0, 0, 0}; /* a note */
	elf.phdr[2] = (struct test_phdr){1, ELF_DATA + 0x2000, 0, 0x300000, 0x10, 0x20, 6, 1};
	good();
	assert_int_equal(image.count, 2);
	assert_int_equal(image.entry, 0x200010);
	assert_int_equal(image.multiboot_flags, 3);
	assert_int_equal(elf_dest(&image, 0).end, 0x205000);

	ram_all(false);
	memset(&ram[0x1ff000], 0xee, 0x200000);
	assert_int_equal(elf_place(&image, HPA(FILE_AT), &why), 0);
	for (uint32_t i = 0; i < DATA; i++)
		assert_int_equal(ram[0x200000 + i], test_elf_byte(i));
	for (uint32_t i = DATA; i < 0x5000; i++)
		assert_int_equal(ram[0x200000 + i], 0);
	for (uint32_t i = 0; i < 0x10; i++) {
		assert_int_equal(ram[0x300000 + i], test_elf_byte(0x2000 + i));
		assert_int_equal(ram[0x300010 + i], 0);
	}
	assert_int_equal(ram[0x1fffff], 0xee);
	assert_int_equal(ram[0x205000], 0xee);
	assert_int_equal(ram[0x2fffff], 0xee);
	assert_int_equal(ram[0x300020], 0xee);
}

static void translates_the_entry(void **state)
{
	elf.phdr[0].vaddr = 0xc0000000;
	elf.entry = 0xc0004fff; /* the last byte, in .bss */
	good();
	assert_int_equal(image.entry, 0x204fff);
	elf.entry = 0xc0005000;
	refused(ERR_INVAL, "entry");
	elf.entry = 0x200000;
	refused(ERR_INVAL, "entry");
}

static void says_what_to_do_about_other_files(void **state)
{
	static const uint8_t gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0};

	elf.ident[4] = 2;
	refused(ERR_NOSYS, "64-bit");
	elf.ident[0] = 'M';
	elf.ident[1] = 'Z';
	refused(ERR_INVAL, "not an ELF");
	ram_put(FILE_AT, gzip, sizeof(gzip));
	assert_int_equal(check(4096), ERR_NOSYS);
	assert_non_null(strstr(why, "gunzip"));
}

static void refuses_bad_headers(void **state)
{
	elf.ident[5] = 2;
	refused(ERR_INVAL, "i386");
	setup(NULL);
	elf.type = 3;
	refused(ERR_INVAL, "i386");
	setup(NULL);
	elf.machine = 62;
	refused(ERR_INVAL, "i386");
	setup(NULL);
	elf.phentsize = 31;
	refused(ERR_INVAL, "wrong size");
	setup(NULL);
	elf.phnum = 0;
	refused(ERR_2BIG, "program headers");
	elf.phnum = 65535;
	refused(ERR_2BIG, "program headers");
	setup(NULL);
	elf.phoff = ELF_DATA + DATA - 31;
	refused(ERR_INVAL, "within its program headers");
	elf.phoff = UINT32_MAX - 8;
	refused(ERR_INVAL, "within its program headers");
	setup(NULL);
	elf.phdr[0].type = 2;
	refused(ERR_INVAL, "entry");
}

static void refuses_bad_segments(void **state)
{
	elf.phdr[0].filesz = DATA + 1;
	refused(ERR_INVAL, "cut off");
	setup(NULL);
	elf.phdr[0].offset = UINT32_MAX;
	refused(ERR_INVAL, "cut off");
	setup(NULL);
	elf.phdr[0].memsz = DATA - 1;
	refused(ERR_INVAL, "larger in the file");
	setup(NULL);
	elf.phdr[0].paddr = 0xfffff000;
	refused(ERR_INVAL, "4 GiB");
	setup(NULL);
	elf.phdr[0].vaddr = 0xffffd000;
	refused(ERR_INVAL, "4 GiB");
	setup(NULL);
	elf.phnum = 17;
	for (unsigned int i = 1; i < 17; i++)
		elf.phdr[i] =
			(struct test_phdr){1, ELF_DATA, 0, 0x300000 + i * 0x1000, 1, 0x1000, 7, 1};
	refused(ERR_2BIG, "16 segments");
	elf.phnum = 16;
	good();
}

static void refuses_overlap(void **state)
{
	/* before, after, in, around; touching is fine */
	static const uint32_t clash[][2] = {{0x1ff000, 0x1001},
					    {0x204fff, 1},
					    {0x201000, 0x1000},
					    {0x1ff000, 0x10000}};

	elf.phnum = 2;
	for (unsigned int i = 0; i < ARRAY_SIZE(clash); i++) {
		elf.phdr[1] = (struct test_phdr){1, ELF_DATA, 0, clash[i][0], 0, clash[i][1], 7, 1};
		refused(ERR_INVAL, "overlap");
	}
	elf.phdr[1].paddr = 0x205000;
	good();
	elf.phdr[1].paddr = 0x1ff000;
	elf.phdr[1].memsz = 0x1000;
	good();
}

static void refuses_bad_multiboot_headers(void **state)
{
	elf.multiboot[2]++;
	refused(ERR_INVAL, "no multiboot header");
	setup(NULL);
	elf.multiboot[1] = 0x10003;
	elf.multiboot[2] = -(MULTIBOOT1_HEADER_MAGIC + 0x10003);
	refused(ERR_NOSYS, "load addresses");
	elf.multiboot[1] = 0x8003;
	elf.multiboot[2] = -(MULTIBOOT1_HEADER_MAGIC + 0x8003);
	refused(ERR_NOSYS, "unknown");
}

/* The header must end within the first 8 KiB, on a 4-byte boundary. */
static void finds_the_multiboot_header(void **state)
{
	uint64_t len;

	for (uint64_t at = 0x1ff0; at <= 0x2004; at++) {
		uint32_t keep[3];
		bool want = at % 4 == 0 && at + 12 <= 0x2000;

		memcpy(keep, elf.multiboot, sizeof(keep));
		memset(elf.multiboot, 0, sizeof(keep));
		len = put_elf(FILE_AT, &elf, DATA);
		memcpy(elf.multiboot, keep, sizeof(keep));
		ram_put(FILE_AT + at, keep, sizeof(keep));
		assert_int_equal(check(len), want ? 0 : ERR_INVAL);
	}
}

static void refuses_every_truncation(void **state)
{
	uint64_t len = put_elf(FILE_AT, &elf, DATA);

	for (uint64_t cut = 0; cut < len; cut += cut < 0x400 ? 1 : 61) {
		assert_int_equal(check(cut), ERR_INVAL);
		assert_non_null(why);
	}
	assert_int_equal(check(len), 0);
	ram_reset((struct range){0, FILE_AT + 100}, true);
	assert_true(check(len) < 0);
}

static void wants_ram(void **state)
{
	struct memmap map = {0};

	good();
	assert_int_equal(memmap_add(&map, MIB, 16 * MIB, REGION_RAM), 0);
	assert_int_equal(elf_fits(&image, &map, &why), 0);
	assert_int_equal(memmap_add(&map, 0x204000, 0x1000, REGION_RESERVED), 0);
	assert_int_equal(elf_fits(&image, &map, &why), ERR_NOMEM);
	ram_reset((struct range){0, 0x204000}, false);
	assert_int_equal(elf_place(&image, HPA(FILE_AT), &why), ERR_FAULT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(places_segments, setup),
		cmocka_unit_test_setup(translates_the_entry, setup),
		cmocka_unit_test_setup(says_what_to_do_about_other_files, setup),
		cmocka_unit_test_setup(refuses_bad_headers, setup),
		cmocka_unit_test_setup(refuses_bad_segments, setup),
		cmocka_unit_test_setup(refuses_overlap, setup),
		cmocka_unit_test_setup(refuses_bad_multiboot_headers, setup),
		cmocka_unit_test_setup(finds_the_multiboot_header, setup),
		cmocka_unit_test_setup(refuses_every_truncation, setup),
		cmocka_unit_test_setup(wants_ram, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
