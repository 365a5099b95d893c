/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registers of the chipset, in PCI configuration space of bus 0, that decide where memory, SMM and
 * the registers of power.c are: L1 may write them as long as it changes nothing (R20).
 */
#ifndef MONITOR_CHIPSET_H
#define MONITOR_CHIPSET_H

#include "monitor/pci_config.h"

#define CHIPSET_CLOSED_MAX 64

/*
 * At boot, with the ports' rules in place: looks at the functions of bus 0, locks SMM's memory, and
 * adds the rules of ports that the chipset has at addresses of its own. Returns 0 or port_add()'s
 * error. A chipset that no row knows is reported.
 */
int chipset_init(void);

/* The name of the protected register of which the write would change bits (`changed`), or NULL. */
const char *chipset_protects(bdf_t f, unsigned int offset, unsigned int size, uint64_t changed);

#endif
