/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UEFI 2.10 (chapter numbers below), TCG EFI Protocol Specification 1.00, TCG Platform Reset Attack Mitigation 1.10: what of them
 * is used.
 */
#ifndef MONITOR_BOOT_UEFI_H
#define MONITOR_BOOT_UEFI_H

#include "ept/base.h"

#define EFIAPI __attribute__((ms_abi)) /* 2.3.4.2 */

#define EFI_ERROR ((uint64_t)1 << 63)
#define EFI_INVALID_PARAMETER (EFI_ERROR | 2) /* appendix D */

struct efi_guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

/* Between braces, struct efi_guid. */
#define EFI_GUID_ACPI_1                                        \
	0xeb9d2d30, 0x2d88, 0x11d3,                            \
	{                                                      \
		0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d \
	}
#define EFI_GUID_ACPI_2                                        \
	0x8868e871, 0xe4f1, 0x11d3,                            \
	{                                                      \
		0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 \
	}
#define EFI_GUID_TCG2                                          \
	0x607f766c, 0x7455, 0x42be,                            \
	{                                                      \
		0x93, 0x0b, 0xe4, 0xd7, 0x6d, 0xb2, 0x72, 0x0f \
	}
#define EFI_GUID_FINAL_EVENTS                                  \
	0x1e2ed096, 0x30e2, 0x4254,                            \
	{                                                      \
		0xbd, 0x89, 0x86, 0x3b, 0xbe, 0xf8, 0x23, 0x25 \
	}

/* Platform Reset Attack Mitigation, 4: two variables of one byte each, which firmware that wipes memory makes itself. */
#define EFI_GUID_WIPE                                          \
	0xe20939be, 0x32d4, 0x41be,                            \
	{                                                      \
		0xa1, 0x50, 0x89, 0x7f, 0x85, 0xd4, 0x98, 0x29 \
	}
#define EFI_GUID_WIPE_LOCK                                     \
	0xbb983ccf, 0x151d, 0x40e1,                            \
	{                                                      \
		0xa0, 0x7b, 0x4a, 0x17, 0xbe, 0x16, 0x82, 0x92 \
	}
#define EFI_NAME_WIPE u"MemoryOverwriteRequestControl"
#define EFI_NAME_WIPE_LOCK u"MemoryOverwriteRequestControlLock"
/* ClearMemory; DisableAutoDetect: also after what looks like an orderly shutdown, which an SMI of L1's can be. */
#define EFI_WIPE_ALWAYS 0x11u
#define EFI_WIPE_LOCKED 1u /* without a key: until the next boot */

/* 4.2 */
struct efi_head {
	uint64_t signature;
	uint32_t revision, size, crc, reserved;
};

/* 7.2, table 7.10 */
enum efi_memory_type {
	EFI_LOADER_CODE = 1,
	EFI_LOADER_DATA = 2,
	EFI_BOOT_SERVICES_CODE = 3,
	EFI_BOOT_SERVICES_DATA = 4,
	EFI_CONVENTIONAL = 7,
	EFI_UNUSABLE = 8,
	EFI_ACPI_RECLAIM = 9,
	EFI_ACPI_NVS = 10,
	EFI_MMIO = 11,
	EFI_MMIO_PORTS = 12,
};

struct efi_memory {
	uint32_t type;
	uint32_t pad;
	uint64_t start;
	uint64_t virtual_start;
	uint64_t pages;
	uint64_t attributes;
};

#define EFI_ALLOCATE_BELOW 1
#define EFI_ALLOCATE_ADDRESS 2

/* 4.4: what is called has a name. */
#define EFI_BOOT_SIGNATURE 0x56524553544f4f42u
struct efi_boot {
	struct efi_head head;
	void *tpl[2];
	uint64_t(EFIAPI *allocate_pages)(int how, int type, uint64_t pages, uint64_t *at);
	void *free_pages;
	uint64_t(EFIAPI *get_memory_map)(uint64_t *bytes, void *map, uint64_t *key,
					 uint64_t *stride, uint32_t *version);
	void *others[21];
	uint64_t(EFIAPI *exit_boot_services)(uint64_t image, uint64_t key);
	void *more[10];
	uint64_t(EFIAPI *locate_protocol)(const struct efi_guid *guid, void *registration,
					  void **interface);
};

/* 4.5, 8.2 */
#define EFI_RUNTIME_SIGNATURE 0x56524553544e5552u
#define EFI_VARIABLE_KEPT 7u /* NON_VOLATILE, BOOTSERVICE_ACCESS, RUNTIME_ACCESS */
struct efi_runtime {
	struct efi_head head;
	void *others[6];
	uint64_t(EFIAPI *get_variable)(const uint16_t *name, const struct efi_guid *vendor,
				       uint32_t *attributes, uint64_t *bytes, void *data);
	void *next_variable;
	uint64_t(EFIAPI *set_variable)(const uint16_t *name, const struct efi_guid *vendor,
				       uint32_t attributes, uint64_t bytes, const void *data);
};

/* 4.6 */
struct efi_table {
	struct efi_guid guid;
	uint64_t at;
};

/* 4.3 */
#define EFI_SYSTEM_SIGNATURE 0x5453595320494249u
struct efi_system {
	struct efi_head head;
	void *vendor;
	uint64_t vendor_revision;
	void *console[6];
	struct efi_runtime *runtime;
	struct efi_boot *boot;
	uint64_t tables;
	struct efi_table *table;
};

/* TCG EFI Protocol 6.4, 6.5 */
#define EFI_TCG2_CRYPTO_AGILE 2u
struct efi_tcg2 {
	void *get_capability;
	uint64_t(EFIAPI *get_event_log)(struct efi_tcg2 *tcg2, uint32_t format, uint64_t *at,
					uint64_t *last, uint8_t *truncated);
};

_Static_assert(offsetof(struct efi_boot, get_memory_map) == 56, "boot services");
_Static_assert(offsetof(struct efi_boot, exit_boot_services) == 232, "boot services");
_Static_assert(offsetof(struct efi_boot, locate_protocol) == 320, "boot services");
_Static_assert(offsetof(struct efi_runtime, get_variable) == 72, "runtime services");
_Static_assert(offsetof(struct efi_runtime, set_variable) == 88, "runtime services");
_Static_assert(offsetof(struct efi_system, boot) == 96, "system table");
_Static_assert(sizeof(struct efi_memory) == 40, "memory descriptor");

#endif
