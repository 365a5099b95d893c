/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/iommu/unit.h"

#define IVRS_HEADER 48u /* ACPI's, IVinfo, reserved */
#define SPECIAL_IOAPIC 1

/* AMD I/O virtualization specification, 5.2.2. */
enum ivrs_type {
	IVHD_10 = 0x10, /* a unit, described in three ways, of which a table may have several */
	IVHD_11 = 0x11,
	IVHD_40 = 0x40,
	IVMD_ALL = 0x20, /* memory that devices need */
	IVMD_ONE = 0x21,
	IVMD_RANGE = 0x22,
};

enum ivhd_entry {
	ENTRY_SPECIAL = 0x48,
	ENTRY_NAMED = 0xf0, /* its last byte but for the name is the name's length */
};

struct ivhd {
	uint8_t type, flags;
	uint16_t length;
	uint16_t device, capability;
	uint64_t base;
	uint16_t segment, info;
	uint32_t features;
};

struct ivmd {
	uint8_t type, flags;
	uint16_t length;
	uint16_t device, other;
	uint64_t reserved;
	uint64_t start, bytes;
};

#define IVHD_LONG 40u /* of types 11h and 40h */
#define NAMED_BYTES 22u

_Static_assert(sizeof(struct ivhd) == 24 && sizeof(struct ivmd) == 32, "as in the specification");

/* Bytes of the entry at `at`, of which `left` are in the block; 0 if it is malformed. */
static uint32_t entry_length(hpa_t at, uint32_t left)
{
	uint8_t type, name;

	if (boot_read(&type, at, 1))
		return 0;
	if (type < 0x40)
		return 4;
	if (type != ENTRY_NAMED)
		return type < 0x80 ? 8 : type < 0xc0 ? 16 : 32;
	if (left < NAMED_BYTES || boot_read(&name, HPA(at.a + NAMED_BYTES - 1), 1))
		return 0;
	return NAMED_BYTES + name;
}

/* All devices are treated alike. Only the I/O APIC's entry says something: it can be told apart. */
static int read_entries(struct iommu_list *list, hpa_t at, uint32_t left, const char **why)
{
	uint8_t entry[8];
	uint32_t length;

	for (; left; at.a += length, left -= length) {
		length = entry_length(at, left);
		if (!length || length > left)
			return boot_refuse(ERR_INVAL, why,
					   "a device in ACPI's IVRS has a wrong size");
		if (length != sizeof(entry) || boot_read(entry, at, sizeof(entry)))
			continue;
		if (entry[0] == ENTRY_SPECIAL && entry[7] == SPECIAL_IOAPIC)
			list->remaps = true;
	}
	return 0;
}

static int read_ivhd(struct iommu_list *list, hpa_t at, uint16_t length, const char **why)
{
	struct ivhd ivhd;
	uint32_t header;
	int error;

	if (length < sizeof(ivhd) || boot_read(&ivhd, at, sizeof(ivhd)))
		return boot_refuse(ERR_INVAL, why, "a unit in ACPI's IVRS is too short");
	header = ivhd.type == IVHD_10 ? sizeof(ivhd) : IVHD_LONG;
	if (length < header)
		return boot_refuse(ERR_INVAL, why, "a unit in ACPI's IVRS is too short");
	error = iommu_add_unit(list, ivhd.base, ivhd.flags, why);
	return error ? error : read_entries(list, HPA(at.a + header), length - header, why);
}

static int read_ivmd(struct iommu_list *list, hpa_t at, uint16_t length, const char **why)
{
	struct ivmd ivmd;

	if (length != sizeof(ivmd) || boot_read(&ivmd, at, sizeof(ivmd)))
		return boot_refuse(ERR_INVAL, why,
				   "reserved memory in ACPI's IVRS has a wrong size");
	return iommu_add_reserved(list, ivmd.start, ivmd.start + ivmd.bytes, why);
}

static int read_one(struct iommu_list *list, hpa_t at, uint8_t type, uint16_t length,
		    const char **why)
{
	switch (type) {
	case IVHD_10:
	case IVHD_11:
	case IVHD_40:
		return read_ivhd(list, at, length, why);
	case IVMD_ALL:
	case IVMD_ONE:
	case IVMD_RANGE:
		return read_ivmd(list, at, length, why);
	default:
		return boot_refuse(ERR_NOSYS, why, "ACPI's IVRS has a block of unknown type");
	}
}

int ivrs_parse(struct iommu_list *list, const struct acpi_table *table, const char **why)
{
	struct {
		uint8_t type, flags;
		uint16_t length;
	} head;
	uint32_t pos = IVRS_HEADER;
	int error = 0;

	if (table->length < pos)
		return boot_refuse(ERR_INVAL, why, "ACPI's IVRS is too short");
	for (; !error && pos < table->length; pos += head.length) {
		hpa_t at = HPA(table->at.a + pos);

		if (table->length - pos < sizeof(head) || boot_read(&head, at, sizeof(head)) ||
		    head.length < sizeof(head) || head.length > table->length - pos)
			return boot_refuse(ERR_INVAL, why,
					   "a block of ACPI's IVRS has a wrong size");
		error = read_one(list, at, head.type, head.length, why);
	}
	return error;
}
