/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's tables, as far as the monitor needs them: which CPUs there are. Only reads. */
#ifndef MONITOR_BOOT_ACPI_H
#define MONITOR_BOOT_ACPI_H

#include "monitor/boot/boot.h"

#define ACPI_CPUS_MAX 256

struct acpi_cpu {
	uint32_t apic_id;
	bool enabled; /* false: may be plugged in later ("online capable") */
};

struct acpi_info {
	uint64_t local_apic;    /* hpa of the local APICs' registers */
	unsigned int cpu_count; /* at least 1; no APIC id twice */
	struct acpi_cpu cpu[ACPI_CPUS_MAX];
};

/*
 * Finds the RSDP (info->rsdp if the loader gave one, else the EBDA and 0xE0000..0xFFFFF), follows
 * XSDT or RSDT to the MADT and lists its CPUs (ACPI 6.4, 5.2.5 and 5.2.12). ERR_NOENT if there is
 * no RSDP, no MADT or no CPU in it; ERR_INVAL for a malformed table, ERR_FAULT for one outside of
 * memory, ERR_2BIG for more than ACPI_CPUS_MAX CPUs; *why is set.
 */
int acpi_parse(struct acpi_info *acpi, const struct boot_info *info, const char **why);

#endif
