/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI's FADT: the registers by which L1 could put the machine to sleep, off, or reset it. Only reads. */
#ifndef MONITOR_BOOT_FADT_H
#define MONITOR_BOOT_FADT_H

#include "monitor/boot/boot.h"

/* ACPI 6.4, table 5.1 (address space ids); a register of another space is as if it were not there. */
enum acpi_space {
	ACPI_MEMORY = 0,
	ACPI_PORT = 1,
	ACPI_PCI = 2,
	ACPI_NONE = 0xff,
};

/* A register of 1, 2 or 4 bytes. PCI: 63:48 0, 47:32 device, 31:16 function, 15:0 offset, of bus 0. */
struct acpi_register {
	uint8_t space; /* enum acpi_space */
	uint8_t size;  /* bytes */
	uint64_t address;
};

#define FADT_PM1_MAX 4

struct fadt {
	/* PM1a and PM1b control, by their old and by their extended addresses where these differ. */
	unsigned int pm1_count;
	struct {
		struct acpi_register at;
		bool b;
	} pm1[FADT_PM1_MAX];
	struct acpi_register timer; /* of power management; NONE if it is at no port */
	struct acpi_register sleep; /* sleep control, of machines with reduced hardware */
	struct acpi_register reset; /* NONE if the flag says that it is not supported */
	uint8_t reset_value;
	uint16_t smi_command; /* 0: none */
	uint8_t s4_request;   /* the firmware's S4, written there; 0: none */
	/* SLP_TYP of S5 for PM1a and PM1b: 5.2.12 and 16.3.1; if it was found in the DSDT. */
	bool off_known;
	uint8_t off_type[2];
};

/*
 * Finds and reads the FADT, and in the DSDT that it names the types of S5. Returns 0; ERR_NOENT if
 * there is none, with *why NULL if ACPI itself is there; another error, with *why set, if it is
 * malformed. A DSDT that is not understood leaves off_known false.
 */
int fadt_parse(struct fadt *fadt, const struct boot_info *info, const char **why);

#endif
