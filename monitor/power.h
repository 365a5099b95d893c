/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sleep, power-off and reset by the registers that ACPI names (R21). S3 and S4 are refused: firmware
 * would start the machine again without the monitor. Power-off and reset happen when all secrets
 * have been wiped (wipe.h).
 */
#ifndef MONITOR_POWER_H
#define MONITOR_POWER_H

#include "monitor/boot/fadt.h"
#include "monitor/cpu.h"

/* At boot: the rules of the ports, and the pages of the host table, that the FADT calls for. */
int power_init(const struct fadt *fadt);

/* The register that resets the machine and the value for it; NULL if ACPI names none. */
const struct acpi_register *power_reset_register(uint8_t *value);

/* A store of L1's that the host table stopped: true if one of these registers shares its page. */
bool power_store(struct cpu *cpu, hpa_t hpa);

/*
 * L1 writes this to PCI configuration space (bdf and offset of bus 0): the name of what must not be
 * written so, or NULL. A reset does not return.
 */
const char *power_pci_write(uint16_t bdf, unsigned int offset, unsigned int size, uint64_t value);

#endif
