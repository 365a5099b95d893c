/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's MCFG: where PCI configuration space lies in memory (PCI Firmware 3.2, 4.1.2). Only reads. */
#ifndef MONITOR_BOOT_MCFG_H
#define MONITOR_BOOT_MCFG_H

#include "monitor/boot/boot.h"

#define MCFG_MAX 16

struct mcfg {
	unsigned int count;
	struct {
		uint64_t base; /* of bus 0, whether or not that is in the range */
		uint16_t segment;
		uint8_t first, last; /* buses */
	} range[MCFG_MAX];
};

/* The bytes of range i: 1 MiB a bus. */
static inline struct range mcfg_bytes(const struct mcfg *mcfg, unsigned int i)
{
	uint64_t base = mcfg->range[i].base;

	return (struct range){base + ((uint64_t)mcfg->range[i].first << 20),
			      base + (((uint64_t)mcfg->range[i].last + 1) << 20)};
}

/*
 * Returns 0; ERR_NOENT if there is none, with *why NULL if ACPI itself is there; another error, with *why
 * set, if it is malformed or has more than MCFG_MAX ranges. On an error *mcfg has none.
 */
int mcfg_parse(struct mcfg *mcfg, const struct boot_info *info, const char **why);

#endif
