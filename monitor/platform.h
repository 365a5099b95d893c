/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform's registers by which L1 could get around the monitor: sleep, reset, the chipset's
 * maps of memory, devices that write memory by themselves (R20, R21). docs/platform.md lists them.
 */
#ifndef MONITOR_PLATFORM_H
#define MONITOR_PLATFORM_H

#include "monitor/boot/acpi.h"
#include "monitor/boot/boot.h"

enum platform_space {
	PLATFORM_PORT = 1,
	PLATFORM_PCI = 2,    /* bus 0..255 << 20 | device << 15 | function << 12 | offset */
	PLATFORM_MEMORY = 3, /* hpa */
};

/* What L1 tried last and how often it was refused; what is open on this machine. */
struct platform_report {
	uint64_t refused; /* writes */
	enum platform_space space;
	uint64_t address;
	uint64_t value;
	uint64_t open; /* PLATFORM_OPEN_ of hypercall.h */
};

/*
 * acpi_parse(), and its errors; but on a machine whose CPUs nobody lists, acpi has none, and that is said: whatever CPUs there are
 * besides the boot CPU, the monitor does not hold them.
 */
int platform_cpus(struct acpi_info *acpi, const struct boot_info *info, const char **why);

/*
 * At boot, when the host table is there and the backend's CPUs are not prepared yet: reads ACPI's
 * tables and the PCI devices of bus 0, locks what can be locked, decides which ports and pages
 * exit. Returns 0, or an error with *why set.
 */
int platform_init(const struct boot_info *info, const char **why);

/* L1 wrote what it must not, to a register of that name: counted, and logged. */
void platform_refused(const char *name, enum platform_space space, uint64_t address,
		      uint64_t value);

/* Something cannot be closed here: PLATFORM_OPEN_ of hypercall.h. */
void platform_open(uint64_t what);

struct platform_report platform_report(void);

#endif
