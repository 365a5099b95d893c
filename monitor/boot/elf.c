/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/elf.h"
#include "monitor/boot/multiboot.h"
#include "monitor/lib.h"

/* System V ABI, chapter 4 (object files) and 5 (program loading), and its i386 supplement. */
#define ELF_CLASS32 1
#define ELF_CLASS64 2
#define ELF_LITTLE 1
#define ELF_EXEC 2
#define ELF_I386 3
#define ELF_X86_64 62
#define PT_LOAD 1
#define PHDRS_MAX 64

struct elf_header {
	uint8_t magic[4];
	uint8_t class;
	uint8_t order;
	uint8_t ident[10];
	uint16_t type;
	uint16_t machine;
	uint32_t version;
	uint32_t entry;
	uint32_t phoff;
	uint32_t shoff;
	uint32_t flags;
	uint16_t ehsize;
	uint16_t phentsize;
	uint16_t phnum;
	uint16_t shentsize;
	uint16_t shnum;
	uint16_t shstrndx;
};

struct elf_phdr {
	uint32_t type;
	uint32_t offset;
	uint32_t vaddr;
	uint32_t paddr;
	uint32_t filesz;
	uint32_t memsz;
	uint32_t flags;
	uint32_t align;
};

_Static_assert(sizeof(struct elf_header) == 52, "ELF32 header");
_Static_assert(sizeof(struct elf_phdr) == 32, "ELF32 program header");

struct file {
	hpa_t at;
	uint64_t len;
};

/* Reads a part of the file: ERR_INVAL if it is not all there, ERR_FAULT if it is not in memory. */
static int read_file(void *dst, struct file file, uint64_t offset, size_t len)
{
	if (offset > file.len || len > file.len - offset)
		return ERR_INVAL;
	return boot_read(dst, HPA(file.at.a + offset), len);
}

/* For what users do give by mistake, a word on what to do about it. */
static int check_kind(struct file file, const char **why)
{
	uint8_t magic[5];

	if (read_file(magic, file, 0, sizeof(magic)))
		return boot_refuse(ERR_INVAL, why, "the L1 kernel is empty or not in memory");
	if (magic[0] == 0x1f && magic[1] == 0x8b)
		return boot_refuse(
			ERR_NOSYS, why,
			"the L1 kernel is gzip-compressed: GRUB unpacks it when it is loaded "
			"with 'module'; elsewhere run gunzip on it first");
	if (memcmp(magic, "\177ELF", 4) != 0)
		return boot_refuse(
			ERR_INVAL, why,
			"the first module is not an ELF file: it must be the L1 kernel (Xen)");
	if (magic[4] == ELF_CLASS64)
		return boot_refuse(
			ERR_NOSYS, why,
			"the L1 kernel is a 64-bit ELF file: give the 32-bit multiboot one "
			"(xen.gz unpacked, not xen-syms or xen.efi)");
	return 0;
}

static int check_header(struct elf_header *header, struct file file, const char **why)
{
	if (read_file(header, file, 0, sizeof(*header)))
		return boot_refuse(ERR_INVAL, why, "the L1 kernel ends within its ELF header");
	if (header->class != ELF_CLASS32 || header->order != ELF_LITTLE ||
	    header->type != ELF_EXEC || header->machine != ELF_I386)
		return boot_refuse(ERR_INVAL, why, "the L1 kernel is not an i386 ELF executable");
	if (header->phentsize != sizeof(struct elf_phdr))
		return boot_refuse(ERR_INVAL, why,
				   "the L1 kernel's program headers have a wrong size");
	if (header->phnum == 0 || header->phnum > PHDRS_MAX)
		return boot_refuse(ERR_2BIG, why,
				   "the L1 kernel has no or too many program headers");
	return 0;
}

static int check_apart(const struct elf_image *image, const char **why)
{
	struct range last = elf_dest(image, image->count - 1);

	for (unsigned int i = 0; i + 1 < image->count; i++)
		if (range_overlaps(elf_dest(image, i), last))
			return boot_refuse(ERR_INVAL, why, "segments of the L1 kernel overlap");
	return 0;
}

static int add_segment(struct elf_image *image, const struct elf_phdr *phdr, struct file file,
		       const char **why)
{
	if (phdr->filesz > phdr->memsz)
		return boot_refuse(
			ERR_INVAL, why,
			"a segment of the L1 kernel is larger in the file than in memory");
	if ((uint64_t)phdr->offset + phdr->filesz > file.len)
		return boot_refuse(ERR_INVAL, why, "a segment of the L1 kernel is cut off");
	if ((uint64_t)phdr->paddr + phdr->memsz > UINT32_MAX ||
	    (uint64_t)phdr->vaddr + phdr->memsz > UINT32_MAX)
		return boot_refuse(ERR_INVAL, why, "a segment of the L1 kernel reaches 4 GiB");
	if (image->count == ELF_SEGMENTS_MAX)
		return boot_refuse(ERR_2BIG, why, "the L1 kernel has more than 16 segments");
	image->segment[image->count++] = (struct elf_segment){
		.offset = phdr->offset,
		.filesz = phdr->filesz,
		.dest = phdr->paddr,
		.memsz = phdr->memsz,
	};
	return check_apart(image, why);
}

/* The entry is a virtual address, but paging is off: it counts where its segment was loaded. */
static int read_segments(struct elf_image *image, const struct elf_header *header, struct file file,
			 const char **why)
{
	bool found = false;

	for (unsigned int i = 0; i < header->phnum; i++) {
		struct elf_phdr phdr;
		int error;

		if (read_file(&phdr, file, header->phoff + (uint64_t)i * sizeof(phdr),
			      sizeof(phdr)))
			return boot_refuse(ERR_INVAL, why,
					   "the L1 kernel ends within its program headers");
		if (phdr.type != PT_LOAD || phdr.memsz == 0)
			continue;
		error = add_segment(image, &phdr, file, why);
		if (error)
			return error;
		if (header->entry >= phdr.vaddr && header->entry - phdr.vaddr < phdr.memsz) {
			image->entry = header->entry - phdr.vaddr + phdr.paddr;
			found = true;
		}
	}
	if (!found)
		return boot_refuse(ERR_INVAL, why,
				   "the L1 kernel's entry is in none of its segments");
	return 0;
}

static int check_multiboot(struct elf_image *image, struct file file, const char **why)
{
	for (uint64_t at = 0; at + 12 <= MULTIBOOT1_SEARCH; at += 4) {
		uint32_t header[3];

		if (read_file(header, file, at, sizeof(header)))
			break;
		if (header[0] != MULTIBOOT1_HEADER_MAGIC || header[0] + header[1] + header[2] != 0)
			continue;
		image->multiboot_flags = header[1];
		if (header[1] & MULTIBOOT1_HAS_ADDRESSES)
			return boot_refuse(
				ERR_NOSYS, why,
				"the L1 kernel's multiboot header has load addresses of its "
				"own: only ELF's are supported");
		if (header[1] & MULTIBOOT1_REQUIRED &
		    ~(MULTIBOOT1_ALIGN_MODULES | MULTIBOOT1_WANT_MEMORY | MULTIBOOT1_WANT_VIDEO))
			return boot_refuse(
				ERR_NOSYS, why,
				"the L1 kernel's multiboot header asks for something unknown");
		return 0;
	}
	return boot_refuse(ERR_INVAL, why,
			   "the L1 kernel has no multiboot header in its first 8 KiB");
}

int elf_check(struct elf_image *image, hpa_t file_hpa, uint64_t len, const char **why)
{
	struct file file = {file_hpa, len};
	struct elf_header header;
	int error = check_kind(file, why);

	memset(image, 0, sizeof(*image));
	if (!error)
		error = check_header(&header, file, why);
	if (!error)
		error = read_segments(image, &header, file, why);
	if (!error)
		error = check_multiboot(image, file, why);
	return error;
}

int elf_fits(const struct elf_image *image, const struct memmap *map, const char **why)
{
	for (unsigned int i = 0; i < image->count; i++)
		if (!memmap_is_ram(map, elf_dest(image, i)))
			return boot_refuse(
				ERR_NOMEM, why,
				"where the L1 kernel is linked there is no RAM, or the monitor");
	return 0;
}

int elf_place(const struct elf_image *image, hpa_t file, const char **why)
{
	for (unsigned int i = 0; i < image->count; i++) {
		const struct elf_segment *segment = &image->segment[i];
		uint8_t *dest = boot_mem(HPA(segment->dest), segment->memsz);

		if (!dest || boot_read(dest, HPA(file.a + segment->offset), segment->filesz))
			return boot_refuse(ERR_FAULT, why,
					   "a segment of the L1 kernel lies outside of memory");
		memset(dest + segment->filesz, 0, segment->memsz - segment->filesz);
	}
	return 0;
}
