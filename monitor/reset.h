/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the machine ends. The other CPUs are stopped and everything secret is wiped first (R21), since
 * memory keeps what it has over a reset.
 */
#ifndef MONITOR_RESET_H
#define MONITOR_RESET_H

#include "monitor/boot/fadt.h"

/* Resets the machine: ACPI's reset register, the chipset's, else the keyboard controller. */
_Noreturn void reset_machine(void);

/* For a bug of the monitor's: nothing, for ever. Best effort: whatever is wrong may be in the way. */
_Noreturn void halt_machine(void);

struct last_write {
	struct acpi_register at; /* a port, memory or PCI; not ACPI_NONE */
	uint32_t value;
};

/* Makes these writes, which are to switch the machine off; then nothing, for ever. */
#define LAST_WRITES_MAX 8
_Noreturn void power_off(const struct last_write *last, unsigned int n);

#endif
