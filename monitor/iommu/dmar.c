/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/iommu/unit.h"

#define DMAR_HEADER 48u /* ACPI's, host address width, flags, reserved */

/* VT-d specification, 8.2. */
enum dmar_type {
	DMAR_DRHD = 0, /* a unit */
	DMAR_RMRR = 1, /* memory that devices need */
	DMAR_ATSR = 2, /* where ATS may be used: nowhere */
	DMAR_RHSA = 3, /* near which memory a unit is */
	DMAR_ANDD = 4, /* names of devices */
	DMAR_SATC = 5, /* ATS once more */
	DMAR_SIDP = 6, /* properties of devices */
};

struct drhd {
	uint16_t type, length;
	uint8_t flags, size;
	uint16_t segment;
	uint64_t base;
};

struct rmrr {
	uint16_t type, length;
	uint16_t reserved, segment;
	uint64_t base, last;
};

_Static_assert(sizeof(struct drhd) == 16 && sizeof(struct rmrr) == 24, "as in the specification");

static int read_drhd(struct iommu_list *list, hpa_t at, uint16_t length, const char **why)
{
	struct drhd drhd;

	if (length < sizeof(drhd) || boot_read(&drhd, at, sizeof(drhd)))
		return boot_refuse(ERR_INVAL, why, "a unit in ACPI's DMAR is too short");
	return iommu_add_unit(list, drhd.base, 0, why);
}

static int read_rmrr(struct iommu_list *list, hpa_t at, uint16_t length, const char **why)
{
	struct rmrr rmrr;

	if (length < sizeof(rmrr) || boot_read(&rmrr, at, sizeof(rmrr)))
		return boot_refuse(ERR_INVAL, why, "reserved memory in ACPI's DMAR is too short");
	return iommu_add_reserved(list, rmrr.base, rmrr.last + 1, why);
}

/* Which devices a structure is for does not matter: all are treated alike. */
static int read_one(struct iommu_list *list, hpa_t at, uint16_t type, uint16_t length,
		    const char **why)
{
	switch (type) {
	case DMAR_DRHD:
		return read_drhd(list, at, length, why);
	case DMAR_RMRR:
		return read_rmrr(list, at, length, why);
	case DMAR_ATSR:
	case DMAR_RHSA:
	case DMAR_ANDD:
	case DMAR_SATC:
	case DMAR_SIDP:
		return 0;
	default:
		return boot_refuse(ERR_NOSYS, why, "ACPI's DMAR has a structure of unknown type");
	}
}

int dmar_parse(struct iommu_list *list, const struct acpi_table *table, const char **why)
{
	uint32_t pos = DMAR_HEADER;
	uint16_t head[2];
	int error = 0;

	if (table->length < pos)
		return boot_refuse(ERR_INVAL, why, "ACPI's DMAR is too short");
	for (; !error && pos < table->length; pos += head[1]) {
		hpa_t at = HPA(table->at.a + pos);

		if (table->length - pos < sizeof(head) || boot_read(head, at, sizeof(head)) ||
		    head[1] < sizeof(head) || head[1] > table->length - pos)
			return boot_refuse(ERR_INVAL, why,
					   "a structure of ACPI's DMAR has a wrong size");
		error = read_one(list, at, head[0], head[1], why);
	}
	return error;
}
