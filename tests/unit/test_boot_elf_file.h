/* SPDX-License-Identifier: Apache-2.0 */
/* Builds small L1 kernels for tests: an ELF32 file with a multiboot header. */
#ifndef TESTS_UNIT_TEST_BOOT_ELF_FILE_H
#define TESTS_UNIT_TEST_BOOT_ELF_FILE_H

#include "monitor/boot/multiboot.h"
#include "tests/unit/test_boot_ram.h"

struct test_phdr {
	uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct test_elf {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version, entry, phoff, shoff, flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
	struct test_phdr phdr[20];
	uint32_t multiboot[3];
};

#define ELF_DATA 0x1000 /* offset of the segments' bytes */

/* One segment of filesz bytes at ELF_DATA for [paddr, paddr + memsz); entry 16 bytes into it. */
static inline struct test_elf test_elf(uint32_t paddr, uint32_t filesz, uint32_t memsz)
{
	struct test_elf elf = {
		.ident = {0x7f, 'E', 'L', 'F', 1, 1, 1},
		.type = 2,
		.machine = 3,
		.version = 1,
		.entry = paddr + 16,
		.phoff = offsetof(struct test_elf, phdr),
		.ehsize = 52,
		.phentsize = 32,
		.phnum = 1,
		.phdr = {{1, ELF_DATA, paddr, paddr, filesz, memsz, 7, 0x1000}},
		.multiboot = {MULTIBOOT1_HEADER_MAGIC, 3, -(MULTIBOOT1_HEADER_MAGIC + 3u)},
	};

	return elf;
}

/* Puts the file at `at`; byte i of the data is what test_elf_byte(i) says. Returns its length. */
static inline uint8_t test_elf_byte(uint32_t i)
{
	return (uint8_t)(i * 7 + 1 + i / 4096);
}

static inline uint64_t put_elf(uint64_t at, const struct test_elf *elf, uint32_t data)
{
	memset(&ram[at], 0, ELF_DATA);
	ram_put(at, elf, sizeof(*elf));
	for (uint32_t i = 0; i < data; i++)
		ram[at + ELF_DATA + i] = test_elf_byte(i);
	return ELF_DATA + data;
}

#endif
