/* SPDX-License-Identifier: Apache-2.0 */
/* The input is the L1 kernel's file, lying where such kernels want to go, with a module behind. */
#include "monitor/boot/elf.h"
#include "monitor/boot/l1.h"
#include "tests/unit/test_boot_ram.h"

#define FILE_AT (3 * MIB)
#define MODULE_AT (5 * MIB)
#define MODULE_LEN 0x1801u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct boot_info info;
static const struct monitor_block block = {{12 * MIB, 12 * MIB + 0x8000}, {0x9d000, 0x9e000}};

static void require(bool promise)
{
	if (!promise)
		abort();
}

static void check_image(const struct elf_image *image, size_t size)
{
	bool entry = false;

	require(image->count > 0 && image->count <= ELF_SEGMENTS_MAX);
	for (unsigned int i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];
		struct range dest = elf_dest(image, i);

		require(s->memsz > 0 && s->filesz <= s->memsz && dest.end < 4 * GIB);
		require((uint64_t)s->offset + s->filesz <= size);
		entry |= image->entry >= dest.start && image->entry < dest.end;
		for (unsigned int j = 0; j < i; j++)
			require(!range_overlaps(dest, elf_dest(image, j)));
	}
	require(entry);
}

static void describe_machine(size_t size)
{
	memset(&info, 0, sizeof(info));
	info.strings_len = 1;
	memmap_add(&info.map, 0, 0x9fc00, REGION_RAM);
	memmap_add(&info.map, MIB, 15 * MIB, REGION_RAM);
	info.module_count = 2;
	info.module[0].at = (struct range){FILE_AT, FILE_AT + size};
	info.module[1].at = (struct range){MODULE_AT, MODULE_AT + MODULE_LEN};
	memset(&ram[MODULE_AT], 0x5a, MODULE_LEN);
	memset(&ram[block.high.start], 0xa5, block.high.end - block.high.start);
}

/* What the file says about its segments is what memory must hold afterwards. */
static void check_loaded(const struct elf_image *image, const struct l1_entry *entry,
			 const uint8_t *data)
{
	struct range module = info.module[1].at;
	struct range mbi = {entry->ebx, entry->ebx + L1_INFO_MAX};

	require(entry->eip == image->entry);
	require(memmap_is_ram(&info.map, mbi) && memmap_is_ram(&info.map, module));
	require(!range_overlaps(mbi, module));
	for (uint64_t i = module.start; i < module.end; i++)
		require(ram[i] == 0x5a);
	for (uint64_t i = block.high.start; i < block.high.end; i++)
		require(ram[i] == 0xa5);
	for (unsigned int i = 0; i < image->count; i++) {
		const struct elf_segment *s = &image->segment[i];

		require(!range_overlaps(elf_dest(image, i), module));
		require(!range_overlaps(elf_dest(image, i), mbi));
		require(memcmp(&ram[s->dest], data + s->offset, s->filesz) == 0);
		for (uint32_t b = s->filesz; b < s->memsz; b++)
			require(!ram[s->dest + b]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct elf_image image;
	struct l1_entry entry;
	const char *why = NULL;
	int error;

	if (size > MIB)
		return 0;
	ram_reset((struct range){FILE_AT, FILE_AT + size}, true);
	ram_put(FILE_AT, data, size);
	error = elf_check(&image, HPA(FILE_AT), size, &why);
	require(error ? error < 0 && why : true);
	if (error)
		return 0;
	check_image(&image, size);

	ram_all(false);
	describe_machine(size);
	error = l1_load(&info, &block, &entry, &why);
	require(error ? error < 0 && why : true);
	if (!error)
		check_loaded(&image, &entry, data);
	return 0;
}
