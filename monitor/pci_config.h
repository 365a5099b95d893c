/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI configuration space: L1's writes by ports CF8h..CFFh and, where it lies in memory, by stores, are
 * held against what chipset.c and power.c protect. Reads by memory do not exit.
 */
#ifndef MONITOR_PCI_CONFIG_H
#define MONITOR_PCI_CONFIG_H

#include "monitor/boot/mcfg.h"
#include "monitor/port.h"

/* A function: bus << 8 | device << 3 | function. */
typedef uint16_t bdf_t;

#define BDF(bus, device, function) ((bdf_t)((bus) << 8 | (device) << 3 | (function)))
#define PCI_CONFIG_SIZE 4096u /* of which ports reach 256 bytes */

/* One aligned access of 1, 2 or 4 bytes below offset 256. */
uint32_t pci_config_read(bdf_t f, unsigned int offset, unsigned int size);
void pci_config_write(bdf_t f, unsigned int offset, unsigned int size, uint32_t value);

/*
 * At boot: takes L1's right to write those ranges of memory; configuration space anywhere else stays
 * open, and is reported. Returns 0, or ERR_NOMEM of the host table.
 */
int pci_config_init(const struct mcfg *mcfg);

/* A store of L1's that the host table stopped: true if it was to configuration space, and is dealt with. */
bool pci_config_store(struct cpu *cpu, hpa_t hpa);

/* port_list.c's: CF8h..CFBh and CFCh..CFFh (PCI 3.0, 3.2.2.3.2; reset control at CF9h). */
enum port_answer pci_address_write(struct cpu *cpu, const struct port_write *w);
uint32_t pci_address_read(uint16_t port, unsigned int size);
enum port_answer pci_data_write(struct cpu *cpu, const struct port_write *w);
uint32_t pci_data_read(uint16_t port, unsigned int size);

#endif
