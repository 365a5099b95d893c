/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ACPI's tables, as far as the monitor needs them: which CPUs, I/O APICs and timers there are; finding and
 * hiding others.
 */
#ifndef MONITOR_BOOT_ACPI_H
#define MONITOR_BOOT_ACPI_H

#include "monitor/boot/boot.h"

#define ACPI_CPUS_MAX 256
#define ACPI_IO_APICS_MAX 64
#define ACPI_HPETS_MAX 8

struct acpi_cpu {
	uint32_t apic_id;
	bool enabled; /* false: may be plugged in later ("online capable") */
};

struct acpi_info {
	uint64_t local_apic;    /* hpa of the local APICs' registers */
	unsigned int cpu_count; /* at least 1; no APIC id twice */
	struct acpi_cpu cpu[ACPI_CPUS_MAX];
	unsigned int io_apic_count;
	uint64_t io_apic[ACPI_IO_APICS_MAX]; /* hpa of each one's registers */
	unsigned int hpet_count;
	uint64_t hpet[ACPI_HPETS_MAX];
};

/* ACPI 6.4, 5.2.6. */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	uint8_t oem[26];
} __attribute__((packed));

_Static_assert(sizeof(struct acpi_header) == 36, "table header");

/* A table in memory whose header was read once and whose bytes add up to 0. */
struct acpi_table {
	hpa_t at;
	uint32_t length; /* with its header */
	char signature[4];
};

/* The table at this address, checked: ERR_INVAL or ERR_FAULT, with *why set. */
int acpi_open(struct acpi_table *table, hpa_t at, const char **why);

/*
 * The first table with that signature. Errors as below; ERR_NOENT if there is no RSDP or no such
 * table.
 */
int acpi_find(struct acpi_table *table, const struct boot_info *info, const char signature[4],
	      const char **why);

/* Gives a table that was found another signature, so that L1 passes over it. Before mem_seal(). */
void acpi_hide(const struct acpi_table *table);

/*
 * Finds the RSDP (info->rsdp if the loader gave one, else the EBDA and 0xE0000..0xFFFFF), follows
 * XSDT or RSDT to the MADT and the HPETs and lists what is in them (ACPI 6.4, 5.2.5 and 5.2.12). ERR_NOENT if there is
 * no RSDP, no MADT or no CPU in it; ERR_INVAL for a malformed table, ERR_FAULT for one outside of
 * memory, ERR_2BIG for more than the lists hold; *why is set.
 */
int acpi_parse(struct acpi_info *acpi, const struct boot_info *info, const char **why);

#endif
