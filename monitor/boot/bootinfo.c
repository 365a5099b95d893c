/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/boot.h"
#include "monitor/boot/efi.h"
#include "monitor/boot/multiboot.h"
#include "monitor/lib.h"

int boot_read(void *dst, hpa_t hpa, size_t len)
{
	const void *src = boot_mem(hpa, len);

	if (!src)
		return ERR_FAULT;
	memcpy(dst, src, len);
	return 0;
}

/* Copies a string up to the next page boundary at most; *done if its NUL was met. */
static int read_piece(char *dst, hpa_t hpa, uint32_t max, uint32_t *copied, bool *done)
{
	uint64_t to_boundary = PAGE_SIZE - page_offset(hpa.a);
	uint32_t len = max < to_boundary ? max : (uint32_t)to_boundary;

	if (boot_read(dst, hpa, len))
		return ERR_FAULT;
	for (*copied = 0; *copied < len && !*done; ++*copied)
		*done = dst[*copied] == '\0';
	return 0;
}

int boot_add_string(struct boot_info *info, hpa_t hpa, uint64_t max, boot_string_t *s,
		    const char **why)
{
	uint32_t start = info->strings_len, len = 0;
	uint32_t room = BOOT_STRINGS_MAX - start;
	bool done = false;

	if (room > BOOT_STRING_MAX)
		room = BOOT_STRING_MAX;
	if (room > max)
		room = (uint32_t)max;
	while (!done && len < room) {
		uint32_t copied;

		if (read_piece(&info->strings[start + len], HPA(hpa.a + len), room - len, &copied,
			       &done))
			return boot_refuse(ERR_FAULT, why, "a string lies outside of memory");
		len += copied;
	}
	if (!done)
		return boot_refuse(
			ERR_2BIG, why,
			"a command line is unterminated, longer than 4 KiB, or all of them "
			"are longer than 16 KiB: shorten them");
	info->strings_len = start + len;
	*s = start;
	return 0;
}

int boot_add_module(struct boot_info *info, uint64_t start, uint64_t end, boot_string_t cmdline,
		    const char **why)
{
	if (start > end)
		return boot_refuse(ERR_INVAL, why, "a module ends before it starts");
	if (info->module_count == BOOT_MODULES_MAX)
		return boot_refuse(ERR_2BIG, why, "more than 16 modules");
	info->module[info->module_count].at = (struct range){start, end};
	info->module[info->module_count].cmdline = cmdline;
	info->module_count++;
	return 0;
}

int boot_parse(struct boot_info *info, uint32_t magic, hpa_t info_hpa, const char **why)
{
	int error;

	memset(info, 0, sizeof(*info));
	info->strings_len = 1;
	info->no_event_log = "not started by UEFI with multiboot2";
	switch (magic) {
	case MULTIBOOT1_BOOT_MAGIC:
		info->protocol = BOOT_MULTIBOOT1;
		error = multiboot1_parse(info, info_hpa, why);
		break;
	case MULTIBOOT2_BOOT_MAGIC:
		info->protocol = BOOT_MULTIBOOT2;
		error = multiboot2_parse(info, info_hpa, why);
		if (!error && info->boot_services)
			error = efi_fill(info, why);
		break;
	default:
		return boot_refuse(
			ERR_NOSYS, why,
			"not started by a multiboot loader: load the monitor with GRUB's "
			"multiboot or multiboot2, or with QEMU's -kernel");
	}
	if (!error && info->efi_system_table &&
	    memmap_add(&info->map, BOOT_LEGACY_START, BOOT_LEGACY_END - BOOT_LEGACY_START,
		       REGION_RESERVED))
		error = boot_refuse(ERR_2BIG, why, "more than 128 memory regions");
	if (!error && !info->map.count)
		error = boot_refuse(ERR_INVAL, why, "the loader gave no memory map");
	return error;
}
