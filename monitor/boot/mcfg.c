/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/boot/mcfg.h"

#include "monitor/boot/acpi.h"
#include "monitor/lib.h"

#define RESERVED 8 /* bytes between the header and the ranges */
#define ADDRESS_BITS 52

struct entry {
	uint64_t base;
	uint16_t segment;
	uint8_t first;
	uint8_t last;
	uint32_t reserved;
};

_Static_assert(sizeof(struct entry) == 16, "MCFG's range");

static int read_ranges(struct mcfg *mcfg, const struct acpi_table *t, const char **why)
{
	uint32_t at = sizeof(struct acpi_header) + RESERVED;
	struct entry e;

	if (t->length < at || (t->length - at) % sizeof(e))
		return boot_refuse(ERR_INVAL, why, "ACPI's MCFG has a wrong length");
	for (; at < t->length; at += sizeof(e)) {
		if (mcfg->count == MCFG_MAX)
			return boot_refuse(ERR_2BIG, why, "ACPI's MCFG has more than 16 ranges");
		if (boot_read(&e, HPA(t->at.a + at), sizeof(e)))
			return boot_refuse(ERR_FAULT, why, "an ACPI table lies outside of memory");
		if (e.base >> ADDRESS_BITS || e.base % MIB || e.first > e.last)
			return boot_refuse(ERR_INVAL, why, "a range of ACPI's MCFG makes no sense");
		mcfg->range[mcfg->count].base = e.base;
		mcfg->range[mcfg->count].segment = e.segment;
		mcfg->range[mcfg->count].first = e.first;
		mcfg->range[mcfg->count++].last = e.last;
	}
	return 0;
}

int mcfg_parse(struct mcfg *mcfg, const struct boot_info *info, const char **why)
{
	struct acpi_table t;
	int err;

	memset(mcfg, 0, sizeof(*mcfg));
	err = acpi_find(&t, info, "MCFG", why);
	if (!err)
		err = read_ranges(mcfg, &t, why);
	if (err)
		mcfg->count = 0;
	return err;
}
